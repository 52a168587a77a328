"""Clients and servers that are slow on purpose, or just large: they cost what they must, and hurt
nobody else."""

import os
import resource
import selectors
import socket
import statistics
import threading
import time

import pytest

from rawhttp import Client
from verbs import PATIENCE, Verb, eventually, gauges_at_zero

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEADS, BODIES = 500, 300
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "
BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"


# What the sanitizer keeps of freed memory hides what the proxy itself needs.
measures_memory = pytest.mark.skipif(os.environ.get("WEIR_SANITIZED") == "1",
                                     reason="a sanitizer's own memory is in the figure")


@pytest.fixture(autouse=True, scope="module")
def enough_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = 4 * (HEADS + BODIES)
    if hard != resource.RLIM_INFINITY and hard < want:
        pytest.skip(f"at most {hard} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, want), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Drips(threading.Thread):
    """Connections that send a byte each 100 ms, for as long as they are let."""

    def __init__(self, port):
        super().__init__()
        self.stop = False
        self.dropped = []  # (seconds after its first byte, what it was told)
        self.chosen = selectors.DefaultSelector()
        self.open = {}
        for at in range(HEADS + BODIES):
            s = socket.create_connection(("127.0.0.1", port), PATIENCE)
            s.sendall(HEAD if at < HEADS else BODY)
            s.setblocking(False)
            self.open[s] = time.monotonic()
            self.chosen.register(s, selectors.EVENT_READ)
        self.start()

    def end(self, s, told):
        self.dropped.append((time.monotonic() - self.open.pop(s), told))
        self.chosen.unregister(s)
        s.close()

    def run(self):
        drip_at = time.monotonic()
        while self.open and not self.stop:
            for key, _ in self.chosen.select(0.02):
                try:
                    self.end(key.fileobj, key.fileobj.recv(4096))
                except ConnectionResetError:
                    self.end(key.fileobj, b"")
            if time.monotonic() < drip_at:
                continue
            drip_at = time.monotonic() + 0.1
            for s in self.open:
                try:
                    s.send(b"x")
                except (BrokenPipeError, ConnectionResetError, BlockingIOError):
                    pass  # what it was told is read first
        for s in list(self.open):
            self.end(s, b"")


class Probe:
    """One request after another on one connection; how long each took."""

    def __init__(self, port):
        self.client = Client(port)
        self.took = []

    def once(self):
        self.client.got = b""
        began = time.perf_counter()
        self.client.send(GET)
        assert self.client.answer().status == 200
        self.took.append(time.perf_counter() - began)

    def p90(self):
        return statistics.quantiles(self.took, n=10)[8]


def test_slow_loris(tmp_path):
    """500 heads and 300 bodies that drip: all are dropped in time, and a probe is answered as fast
    as one through a second proxy that has no such guests, asked in turns with it."""
    bound = 3.0
    options = ["--client-head-for", f"{bound:.0f}s", "--client-body-for", f"{bound:.0f}s",
               "--client-idle-for", "60s"]
    with Verb("origin", tmp_path, "--limit", 2000) as origin, \
            Verb("proxy", tmp_path, "--upstream", origin.url, *options) as p, \
            Verb("proxy", tmp_path, "--upstream", origin.url, *options) as quiet:
        here, there = Probe(p.port), Probe(quiet.port)
        here.once(), there.once()
        drips = Drips(p.port)
        try:
            eventually(lambda: p.status()["slots"]["busy"] >= BODIES)
            while drips.is_alive():
                here.once()
                there.once()
            drips.join()
        finally:
            drips.stop = True
            drips.join()
        assert len(drips.dropped) == HEADS + BODIES
        # told, each of them, and within two spans of what it may take (a body's second span may
        # have begun), with room for a machine that is busy with other things
        assert all(told.startswith(b"HTTP/1.1 408 ") for _, told in drips.dropped)
        assert min(after for after, _ in drips.dropped) >= 0.9 * bound
        assert max(after for after, _ in drips.dropped) < 2 * bound + 5
        assert len(here.took) > 100
        assert here.p90() < 5 * there.p90()
        assert statistics.median(here.took) < 3 * statistics.median(there.took)
        here.client.sock.close()
        eventually(lambda: gauges_at_zero(p))


@measures_memory
def test_slow_readers_cost_a_buffer_each(tmp_path):
    """200 clients that take nothing of an answer of 8 MiB: what the proxy holds for each is bounded,
    and all are cut."""
    with Verb("origin", tmp_path, "--body", "8MiB") as origin, \
            Verb("proxy", tmp_path, "--upstream", origin.url, "--client-write-for", "2s") as p:
        with Client(p.port, GET) as c:
            assert len(c.answer().body) == 8 << 20
        before = memory_kib(p, "VmRSS")
        clients = [Client(p.port, GET) for _ in range(200)]
        eventually(lambda: p.status()["exchanges"]["now"] == 200)
        eventually(lambda: p.status()["reasons"].get("slow-client") == 200)
        grown = memory_kib(p, "VmHWM") - before
        assert grown < 200 * READER_KIB, f"{grown} KiB for 200 slow readers"
        for c in clients:
            c.sock.close()
        eventually(lambda: gauges_at_zero(p))


# ---- large bodies ------------------------------------------------------------------------

LARGE = int(os.environ.get("WEIR_TEST_LARGE_MIB", "300")) << 20
SPARE_KIB = 3072
READER_KIB = 128  # a slow reader at most: the kernel holds what it can, we a few buffers of 16 KiB


def memory_kib(verb, name):
    with open(f"/proc/{verb.process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(f"{name}:"))


class Sink(threading.Thread):
    """Takes one request of any size and answers with as many bytes as ?N asks for."""

    def __init__(self):
        super().__init__()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.taken = []
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.join()
        self.listener.close()

    def run(self):
        sock, _ = self.listener.accept()
        try:
            self.serve(sock)
        except ConnectionResetError:
            pass  # how the proxy closes what is idle
        sock.close()

    def serve(self, sock):
        data, buf = b"", bytearray(1 << 20)
        while chunk := sock.recv(65536):
            data += chunk
            head, end, rest = data.partition(b"\r\n\r\n")
            if not end:
                continue
            length = next((int(line[15:]) for line in head.split(b"\r\n")
                           if line.lower().startswith(b"content-length:")), 0)
            got = len(rest)
            while got < length:
                got += sock.recv_into(buf)
            self.taken.append(got)
            n = int(head.split(b" ")[1].partition(b"?")[2])
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n)
            send_bytes(sock, n)
            data = b""


def send_bytes(sock, n):
    block = memoryview(bytes(1 << 20))
    while n:
        n -= sock.send(block[:min(n, len(block))])


def through(sock, up, down):
    """One request with so many bytes each way."""
    sock.sendall(b"POST /?%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (down, up))
    send_bytes(sock, up)
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(65536)
    head, _, rest = head.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    got, buf = len(rest), bytearray(1 << 20)
    while got < down:
        n = sock.recv_into(buf)
        assert n, "the answer is short"
        got += n
    assert got == down


@measures_memory
def test_large_bodies_pass_with_flat_memory(tmp_path):
    with Sink() as server, Verb("proxy", tmp_path, "--upstream", server.url,
                                "--timeout", "none") as p:
        with socket.create_connection(("127.0.0.1", int(p.port)), PATIENCE) as s:
            through(s, 1 << 20, 1 << 20)
            before = memory_kib(p, "VmHWM")
            through(s, LARGE, 0)
            through(s, 0, LARGE)
            after = memory_kib(p, "VmHWM")
        assert server.taken == [1 << 20, LARGE, 0]
        assert after - before <= SPARE_KIB, f"{before} KiB before, {after} KiB after"
        print(f"VmHWM {before} KiB after 1 MiB, {after} KiB after {LARGE >> 20} MiB each way")
        eventually(lambda: gauges_at_zero(p))
