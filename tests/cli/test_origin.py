"""weir origin as a user runs it: slots, refusals, hang-ups, latency, phases, the admin endpoint.

Real sockets on 127.0.0.1, ports chosen by the kernel and read from the start-up line. What the
origin thinks is read from its admin endpoint, and waited for on a condition.
"""

import contextlib
import json
import os
import random
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.parse

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WEIR = os.environ.get("WEIR", os.path.join(ROOT, "build", "weir"))
PATIENCE = 20  # seconds until a condition must hold: generous, a sanitized build is slow

GET = b"GET / HTTP/1.1\r\nHost: api\r\n\r\n"
GET_CLOSE = b"GET / HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n"
WORDS = b"The connection cannot be served because Server.Concurrency limit exceeded"
REFUSAL = re.compile(
    rb"HTTP/1\.1 503 Service Unavailable\r\nConnection: close\r\nServer: fasthttp\r\n"
    rb"Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n"
    rb"Content-Type: text/plain\r\nContent-Length: 73\r\n\r\n" + re.escape(WORDS))


# ---- the origin under test -----------------------------------------------------------------

class Origin:
    """One running origin. `with Origin("--limit", "1") as o:` ends it by SIGTERM and holds it to
    exit status 0 and to a summary."""

    def __init__(self, *options, listen=("127.0.0.1:0",), stop=signal.SIGTERM):
        argv = [WEIR, "origin", "--admin", "127.0.0.1:0"]
        for addr in listen:
            argv += ["--listen", addr]
        self.stop_by = stop
        self.process = subprocess.Popen(argv + list(options), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.line = self._first_line()
        self.ports = [int(p) for p in re.findall(
            r"127\.0\.0\.1:(\d+)", self.line.split(",")[0])]
        found = re.search(r"admin: 127\.0\.0\.1:(\d+)$", self.line)
        assert found, f"no start-up line: {self.line}"
        self.admin_port = int(found.group(1))

    def _first_line(self):
        ready, _, _ = select.select([self.process.stderr], [], [], PATIENCE)
        line = self.process.stderr.readline().decode() if ready else ""
        if not line.startswith("weir origin: listening on"):
            self.process.kill()
            line += self.process.communicate()[1].decode()
            raise AssertionError(f"the origin did not start: {line}")
        return line.rstrip("\n")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.send_signal(self.stop_by)
        try:
            out, err = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        self.summary = err.decode()
        if kind is None:
            assert self.process.returncode == 0, self.summary
            assert out == b""
            assert re.match(r"weir origin: stopped: .*\n\Z", self.summary), self.summary

    def connect(self, nth=0):
        return socket.create_connection(("127.0.0.1", self.ports[nth]), PATIENCE)

    def admin(self, path="/", method="GET"):
        """(status, body) of one request to the admin endpoint."""
        with socket.create_connection(("127.0.0.1", self.admin_port), PATIENCE) as s:
            s.sendall(f"{method} {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n"
                      .encode())
            answer = Answer(s)
        return answer.status, answer.body

    def gauges(self):
        status, body = self.admin()
        assert status == 200
        return json.loads(body)

    def set(self, **values):
        query = "&".join(f"{k}={urllib.parse.quote(str(v))}" for k, v in values.items())
        return self.admin("/set?" + query, "POST")

    def until(self, what, holds):
        """The gauges, once holds(gauges) is true."""
        end = time.monotonic() + PATIENCE
        while True:
            gauges = self.gauges()
            if holds(gauges):
                return gauges
            assert time.monotonic() < end, f"never came: {what}: {gauges}"
            time.sleep(0.005)

    def until_used(self, n):
        return self.until(f"{n} slots used", lambda g: g["slots"]["used"] == n)


class Answer:
    """Reads one answer from a socket: status, fields (lower case), body, raw head."""

    def __init__(self, sock, head_only=False):
        self.sock, self.rest = sock, b""
        while b"\r\n\r\n" not in self.rest:
            self._more()
        self.head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        lines = self.head.decode().split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.names = [line.split(":")[0] for line in lines[1:]]
        self.fields = {k.lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:])}
        self.body = None
        if not head_only:
            self.read_body()

    def _more(self):
        got = self.sock.recv(65536)
        if not got:
            raise EOFError(f"closed after {self.rest!r}")
        self.rest += got

    def read_body(self):
        if self.fields.get("transfer-encoding") == "chunked":
            self.body = b""
            while self._chunk():
                pass
        elif "content-length" in self.fields:
            length = int(self.fields["content-length"])
            rest = bytearray(self.rest)
            while len(rest) < length:
                self.rest = b""
                self._more()
                rest += self.rest
            self.body, self.rest = bytes(rest[:length]), bytes(rest[length:])
        else:
            with contextlib.suppress(EOFError):
                while True:
                    self._more()
            self.body, self.rest = self.rest, b""

    def _chunk(self):
        while b"\r\n" not in self.rest:
            self._more()
        line, _, self.rest = self.rest.partition(b"\r\n")
        size = int(line, 16)
        while len(self.rest) < size + 2:
            self._more()
        self.body += self.rest[:size]
        assert self.rest[size:size + 2] == b"\r\n"
        self.rest = self.rest[size + 2:]
        return size > 0


def call(sock, request=GET):
    sock.sendall(request)
    return Answer(sock)


def read_to_end(sock):
    """(bytes, "EOF" or "RESET")."""
    got = b""
    while True:
        try:
            more = sock.recv(65536)
        except ConnectionResetError:
            return got, "RESET"
        if not more:
            return got, "EOF"
        got += more


def run_to_end(*argv):
    done = subprocess.run([WEIR, "origin", *argv], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# ---- start and stop ------------------------------------------------------------------------

def test_start_up_line():
    with Origin("--limit", "1000", "--latency", "uniform(3s, 5s)") as o:
        assert re.fullmatch(
            r"weir origin: listening on 127\.0\.0\.1:\d+, 1,000 slots, "
            r"latency uniform\(3s, ?5s\), full: fasthttp, admin: 127\.0\.0\.1:\d+", o.line)
    with Origin("--workers", "12", "--full", "stall") as o:
        assert ", no limit, latency 0ms, 12 workers, full: stall, " in o.line


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_with_calls_open(by):
    with Origin("--latency", "1h", "--workers", "1", "--limit", "9", stop=by) as o:
        socks = [o.connect() for _ in range(4)]
        for s in socks[:3]:
            s.sendall(GET)
        g = o.until("three calls", lambda g: g["requests"] == 3 and g["slots"]["used"] == 4)
        assert g["queue"] == 2
    assert "4 connections accepted, 0 refused; 3 requests, 0 answered" in o.summary
    assert "at most 4 slots taken" in o.summary
    for s in socks:
        s.close()


def test_several_addresses_share_the_limit(tmp_path):
    path = str(tmp_path / "api.sock")
    with Origin("--limit", "2",
                listen=("127.0.0.1:0", "127.0.0.1:0", "unix:" + path)) as o:
        assert len(o.ports) == 2
        with o.connect(0) as a, socket.socket(socket.AF_UNIX) as b:
            b.connect(path)
            b.settimeout(PATIENCE)
            assert call(a).status == 200
            assert call(b).status == 200
            with o.connect(1) as c:
                assert REFUSAL.fullmatch(read_to_end(c)[0])
    assert not os.path.exists(path)


@pytest.mark.parametrize("argv, said", [
    ((), "--listen is missing"),
    (("--listen", "9000"), ":9000"),
    (("--listen", "127.0.0.1:99999"), "127.0.0.1:99999"),
    (("--listen", ":0", "extra"), "'extra'"),
    (("--listen", ":0", "--limt", "5"), "--limit"),
    (("--listen", ":0", "--limit", "many"), "limit"),
    (("--listen", ":0", "--latency", "50"), "50ms"),
    (("--listen", ":0", "--latency", "unifrom(1s, 2s)"), "uniform"),
    (("--listen", ":0", "--latency", "mix(50%: 1s, 20%: 2s)"), "100"),
    (("--listen", ":0", "--workers", "0"), "--workers"),
    (("--listen", ":0", "--max-requests", "0"), "--max-requests"),
    (("--listen", ":0", "--full", "504"), "503"),
    (("--listen", ":0", "--hangup", "later"), "at-write"),
    (("--listen", ":0", "--phase", "10s limit=5"), "a phase is written"),
    (("--listen", ":0", "--phase", "10s: limti=5"), "did you mean 'limit'?"),
    (("--listen", ":0", "--phase", "1s: limit=5", "--phase", "2s: latency=x"), "latency"),
    (("--listen", ":0", "--server-name", "a\r\nb"), "control character"),
    (("--listen", ":0", "--admin", "9001"), "--admin"),
])
def test_misuse(argv, said):
    status, out, err = run_to_end(*argv)
    assert status == 2, err
    assert out == ""
    assert err.startswith("weir origin: ") and said in err, err
    assert "weir origin --help" in err


def test_port_in_use():
    with Origin() as o:
        for argv in (("--listen", f"127.0.0.1:{o.ports[0]}"),
                     ("--listen", "127.0.0.1:0", "--admin", f"127.0.0.1:{o.ports[0]}")):
            status, out, err = run_to_end(*argv)
            assert status == 1, err
            assert out == ""
            assert f"127.0.0.1:{o.ports[0]}" in err and "in use" in err, err


def test_limit_beyond_the_descriptors():
    def lower():
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 400))

    done = subprocess.run([WEIR, "origin", "--listen", "127.0.0.1:0", "--limit", "1000"],
                          preexec_fn=lower, stderr=subprocess.PIPE, timeout=PATIENCE)
    err = done.stderr.decode()
    assert done.returncode == 1 and "1000" in err and "descriptors" in err, err


# ---- slots ---------------------------------------------------------------------------------

def test_refusal_is_fasthttps_to_the_byte():
    with Origin("--limit", "1") as o, o.connect() as mute:
        o.until_used(1)
        with o.connect() as s:
            got, end = read_to_end(s)
            assert end == "EOF"
            assert REFUSAL.fullmatch(got), got
            assert len(got) == 229
            # two writes are two segments: tcp_info.tcpi_data_segs_in
            info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
            assert struct.unpack_from("I", info, 152)[0] == 2
        g = o.gauges()
        assert (g["accepted"], g["refused"], g["requests"]) == (2, 1, 0)
        mute.close()
        o.until_used(0)
        with o.connect() as s:
            assert call(s).status == 200


def test_server_name_in_both_kinds_of_answer():
    with Origin("--limit", "1", "--server-name", "api") as o, o.connect() as held:
        assert call(held).fields["server"] == "api"
        with o.connect() as s:
            got = read_to_end(s)[0]
        assert b"\r\nServer: api\r\n" in got and len(got) == 224
    with Origin("--limit", "1", "--server-name", "none") as o, o.connect() as held:
        assert "server" not in call(held).fields
        with o.connect() as s:
            assert b"Server:" not in read_to_end(s)[0]


def test_idle_connection_holds_its_slot():
    with Origin("--limit", "2") as o, o.connect() as a, o.connect() as b:
        assert call(a).status == call(b).status == 200
        g = o.gauges()
        assert g["slots"] == {"used": 2, "peak": 2, "idle": 2, "running": 0, "abandoned": 0,
                              "over": 0}
        with o.connect() as s:
            assert REFUSAL.fullmatch(read_to_end(s)[0])
        assert call(a).status == 200  # it is still served
        a.close()
        o.until_used(1)
        with o.connect() as s:
            assert call(s).status == 200


def test_mute_connection_holds_its_slot():
    with Origin("--limit", "1") as o, o.connect() as mute:
        g = o.until_used(1)
        assert g["slots"]["idle"] == 1
        with o.connect() as s:
            assert REFUSAL.fullmatch(read_to_end(s)[0])
        assert o.gauges()["requests"] == 0
        mute.sendall(GET[:10])  # half a head is no call
        mute.sendall(GET[10:])
        assert Answer(mute).status == 200


def test_cap_is_exact_under_a_crowd():
    with Origin("--limit", "20", "--latency", "1h") as o:
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(o.connect()) for _ in range(100)]
            for s in socks:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    s.sendall(GET)
            g = o.until("all judged", lambda g: g["accepted"] == 100 and g["requests"] == 20)
            assert g["refused"] == 80
            assert g["slots"]["used"] == g["slots"]["running"] == g["slots"]["peak"] == 20
            assert g["slots"]["over"] == 0
        o.until("all hung up", lambda g: g["slots"]["abandoned"] == 20)


def test_limit_lowered_while_held():
    with Origin("--limit", "3") as o, o.connect() as a, o.connect() as b, o.connect() as c:
        o.until_used(3)
        status, body = o.set(limit=1)
        assert status == 200 and json.loads(body)["limit"] == 1
        g = o.gauges()
        assert g["slots"]["used"] == 3 and g["slots"]["over"] == 1
        a.close(), b.close()
        o.until_used(1)
        with o.connect() as s:
            assert REFUSAL.fullmatch(read_to_end(s)[0])
        c.close()
        o.until_used(0)
        with o.connect() as s:
            assert call(s).status == 200


@pytest.mark.parametrize("full, words", [("503", b"The service is unavailable."),
                                         ("429", b"local_rate_limited")])
def test_full_answers_that_read_the_request(full, words):
    with Origin("--limit", "1", "--full", full) as o, o.connect() as mute:
        o.until_used(1)
        body = b"x" * 300000
        with o.connect() as s:
            s.sendall(b"POST / HTTP/1.1\r\nHost: api\r\nContent-Length: 300000\r\n\r\n")
            assert o.gauges()["slots"]["used"] == 1
            s.sendall(body)
            answer = Answer(s)
            assert answer.status == int(full)
            assert answer.body == words
            assert answer.fields["connection"] == "close"
            assert answer.fields.get("retry-after") == ("1" if full == "429" else None)
            assert read_to_end(s) == (b"", "EOF")
        g = o.gauges()
        assert (g["refused"], g["requests"], g["slots"]["used"]) == (1, 0, 1)
        mute.close()


def test_full_reset():
    with Origin("--limit", "1", "--full", "reset") as o, o.connect() as mute:
        o.until_used(1)
        try:
            with o.connect() as s:
                assert read_to_end(s) == (b"", "RESET")
        except ConnectionResetError:
            pass  # so fast that connect() itself saw it
        mute.close()
        assert o.until_used(0)["refused"] == 1


def test_full_stall():
    with Origin("--limit", "1", "--full", "stall") as o, o.connect() as held:
        assert call(held).status == 200
        s = o.connect()
        s.sendall(GET)
        o.until("the stalled one", lambda g: g["refused"] == 1)
        held.close()
        o.until_used(0)  # the stalled connection never held a slot
        with o.connect() as again:
            assert call(again).status == 200
        s.setblocking(False)
        with pytest.raises(BlockingIOError):
            s.recv(1)
        s.close()


# ---- hang-ups ------------------------------------------------------------------------------

def hang_up(sock, how):
    if how == "RST":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("how", ["FIN", "RST"])
def test_hangup_never_keeps_the_slot_until_the_handler_ends(how):
    with Origin("--limit", "1", "--latency", "800ms") as o:
        s = o.connect()
        sent_at = time.monotonic()
        s.sendall(GET)
        o.until("the call", lambda g: g["slots"]["running"] == 1)
        hang_up(s, how)
        g = o.until("the hang-up", lambda g: g["slots"]["abandoned"] == 1)
        assert g["slots"]["used"] == 1 and g["slots"]["running"] == 0 and g["hangups"] == 1
        with o.connect() as other:
            assert REFUSAL.fullmatch(read_to_end(other)[0])
        g = o.until_used(0)
        assert time.monotonic() - sent_at >= 0.8
        assert g["slots"]["abandoned"] == 0


@pytest.mark.parametrize("how", ["FIN", "RST"])
def test_hangup_at_once_frees_the_slot(how):
    with Origin("--limit", "1", "--latency", "1h", "--hangup", "at-once") as o:
        s = o.connect()
        s.sendall(GET)
        o.until("the call", lambda g: g["slots"]["running"] == 1)
        hang_up(s, how)
        g = o.until_used(0)
        assert g["hangups"] == 1 and g["answered"] == 0


@pytest.mark.parametrize("how", ["FIN", "RST"])
def test_hangup_at_write_frees_the_slot_when_a_write_fails(how):
    with Origin("--limit", "1", "--latency", "30s", "--hangup", "at-write",
                "--body", "1kB") as o:
        s = o.connect()
        sent_at = time.monotonic()
        s.sendall(GET)
        o.until("the call", lambda g: g["slots"]["running"] == 1)
        hang_up(s, how)
        g = o.until("seen, not heeded", lambda g: g["hangups"] == 1)
        g = o.until_used(0)
        assert time.monotonic() - sent_at < 30
        assert g["answered"] == 0


def test_hangup_at_write_streams_its_answer():
    with Origin("--latency", "1s", "--hangup", "at-write", "--body", "300B") as o:
        with o.connect() as s:
            s.sendall(GET)
            answer = Answer(s, head_only=True)
            assert answer.fields["transfer-encoding"] == "chunked"
            assert o.gauges()["slots"]["running"] == 1  # the head came first
            answer.read_body()
            assert answer.body == b"ok\n" * 100
            assert call(s).body == b"ok\n" * 100
        with o.connect() as s:  # HTTP/1.0 knows no chunks: the close is the end
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = Answer(s)
            assert answer.body == b"ok\n" * 100
            assert "transfer-encoding" not in answer.fields


def test_half_closed_caller_is_answered_when_nobody_looks():
    with Origin("--latency", "100ms") as o, o.connect() as s:
        s.sendall(GET)
        s.shutdown(socket.SHUT_WR)
        assert Answer(s).body == b"ok\n"
        assert read_to_end(s) == (b"", "EOF")
        assert o.gauges()["answered"] == 1


# ---- workers and phases --------------------------------------------------------------------

def test_workers_serve_in_order():
    with Origin("--workers", "1", "--latency", "150ms") as o, contextlib.ExitStack() as stack:
        socks = []
        began = time.monotonic()
        for n in range(4):
            s = stack.enter_context(o.connect())
            s.sendall(GET)
            o.until(f"call {n}", lambda g, n=n: g["requests"] == n + 1)
            socks.append(s)
        ends = []

        def wait(s):
            assert Answer(s).status == 200
            ends.append(socks.index(s))

        threads = [threading.Thread(target=wait, args=(s,)) for s in socks]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert ends == [0, 1, 2, 3]
        assert time.monotonic() - began >= 4 * 0.15


def test_dead_calls_keep_their_place_unless_noticed():
    with Origin("--workers", "1", "--latency", "1h", "--hangup", "at-once") as o:
        socks = [o.connect() for _ in range(4)]
        for n, s in enumerate(socks):
            s.sendall(GET)
            o.until("in", lambda g, n=n: g["requests"] == n + 1)
        assert o.gauges()["queue"] == 3
        socks[1].close()
        o.until("it left the queue", lambda g: g["queue"] == 2)
        socks[0].close()  # at work: the next one gets the worker
        o.until("the next is at work", lambda g: g["queue"] == 1)
        o.set(hangup="never")
        socks[2].close(), socks[3].close()
        g = o.until("both gone", lambda g: g["slots"]["abandoned"] == 2)
        assert g["queue"] == 1 and g["slots"]["used"] == 2 and g["hangups"] == 4


def test_more_workers_start_who_waits():
    with Origin("--workers", "1", "--latency", "1h") as o, contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(o.connect()).sendall(GET)
        o.until("three wait", lambda g: g["queue"] == 3)
        assert json.loads(o.set(workers=3)[1])["queue"] == 1
        assert json.loads(o.set(workers="none")[1])["queue"] == 0


def test_phases():
    with Origin("--limit", "5", "--phase", "400ms: latency=uniform(3s, 5s) limit=0",
                "--phase", "200ms: latency=1ms workers=7", "--phase", "600ms: full=429") as o:
        g = o.until("the first", lambda g: g["workers"] == 7)
        assert g["uptime_ms"] >= 200
        g = o.until("the second", lambda g: g["limit"] == 0)
        assert g["uptime_ms"] >= 400
        assert g["latency"].startswith("uniform(") and g["workers"] == 7
        with o.connect() as s:
            assert REFUSAL.fullmatch(read_to_end(s)[0]) or o.gauges()["full"] == "429"
        g = o.until("the third", lambda g: g["full"] == "429")
        assert g["uptime_ms"] >= 600 and g["limit"] == 0


def test_latency_holds():
    with Origin("--latency", "mix(100%: fixed(120ms))") as o, o.connect() as s:
        for _ in range(3):
            began = time.monotonic()
            call(s)
            assert time.monotonic() - began >= 0.12


# ---- answers -------------------------------------------------------------------------------

def test_answer_looks_like_fasthttps():
    with Origin() as o, o.connect() as s:
        answer = call(s)
        assert answer.names == ["Server", "Date", "Content-Type", "Content-Length"]
        assert answer.body == b"ok\n"
        assert "connection" not in answer.fields


@pytest.mark.parametrize("size, count", [("0B", 0), ("1B", 1), ("20kB", 20000),
                                         ("5MB", 5000000)])
def test_body_sizes(size, count):
    with Origin("--body", size) as o, o.connect() as s:
        for _ in range(2):
            answer = call(s)
            assert len(answer.body) == count
            assert answer.body == (b"ok\n" * (count // 3 + 1))[:count]


def test_slow_reader_gets_all_of_a_large_answer():
    with Origin("--body", "20MB") as o:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            s.settimeout(PATIENCE)
            s.connect(("127.0.0.1", o.ports[0]))
            s.sendall(GET)
            g = o.until("answering", lambda g: g["slots"]["running"] == 1)
            assert g["answered"] == 0  # the kernel cannot hold it: the call is not over
            assert len(Answer(s).body) == 20000000
        o.until("over", lambda g: g["answered"] == 1 and g["slots"]["used"] == 0)


def test_request_bodies_are_read_and_the_answer_waits_for_them():
    with Origin() as o, o.connect() as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: api\r\nContent-Length: 200000\r\n\r\n" +
                  b"x" * 100000)
        g = o.until_used(1)
        assert g["requests"] == 0 and g["slots"]["idle"] == 1
        s.sendall(b"x" * 100000)
        assert Answer(s).status == 200
        s.sendall(b"POST / HTTP/1.1\r\nHost: api\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"5\r\nhello\r\n0\r\n\r\n")
        assert Answer(s).status == 200
        s.sendall(b"PUT / HTTP/1.1\r\nHost: api\r\nExpect: 100-continue\r\n"
                  b"Content-Length: 5\r\n\r\n")
        assert s.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"hello")
        assert Answer(s).status == 200
        assert o.gauges()["requests"] == 3


def test_caller_that_leaves_in_the_middle_of_its_request():
    with Origin("--limit", "1") as o:
        s = o.connect()
        s.sendall(b"POST / HTTP/1.1\r\nHost: api\r\nContent-Length: 200000\r\n\r\nxx")
        o.until_used(1)
        s.close()
        g = o.until_used(0)
        assert g["requests"] == 0 and g["hangups"] == 0


def test_pipelined_requests_and_head():
    with Origin() as o, o.connect() as s:
        s.sendall(GET + b"HEAD / HTTP/1.1\r\nHost: api\r\n\r\n" + GET_CLOSE)
        everything, end = read_to_end(s)
        assert end == "EOF"
        assert everything.count(b"HTTP/1.1 200 OK\r\n") == 3
        assert everything.count(b"Content-Length: 3\r\n") == 3
        assert everything.count(b"\r\n\r\nok\n") == 2
        assert everything.endswith(b"Connection: close\r\nContent-Length: 3\r\n\r\nok\n") or \
            everything.endswith(b"Content-Length: 3\r\nConnection: close\r\n\r\nok\n")


def test_no_keep_alive_closes_after_each_answer():
    with Origin("--no-keep-alive", "--limit", "1") as o:
        for _ in range(3):
            with o.connect() as s:
                assert call(s).fields["connection"] == "close"
                assert read_to_end(s) == (b"", "EOF")
            o.until_used(0)
        assert o.gauges()["answered"] == 3


def test_max_requests():
    with Origin("--max-requests", "2") as o, o.connect() as s:
        assert "connection" not in call(s).fields
        assert call(s).fields["connection"] == "close"
        assert read_to_end(s) == (b"", "EOF")


def test_close_after_delays_the_close():
    with Origin("--no-keep-alive", "--close-after", "300ms", "--limit", "1") as o:
        with o.connect() as s:
            assert call(s).status == 200
            answered = time.monotonic()
            assert o.gauges()["slots"]["used"] == 1  # not closed: the slot is held
            assert read_to_end(s) == (b"", "EOF")
            assert time.monotonic() - answered >= 0.25


def test_idle_for_closes_idle_connections():
    with Origin("--idle-for", "100ms", "--latency", "300ms") as o, o.connect() as s:
        assert call(s).status == 200  # a call at work is not idle
        assert read_to_end(s) == (b"", "EOF")
        o.until_used(0)


def test_malformed_request_is_answered_and_the_slot_comes_back():
    with Origin("--limit", "1") as o:
        with o.connect() as s:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")  # no Host
            assert Answer(s).status == 400
            assert read_to_end(s)[1] == "EOF"
        o.until_used(0)
        assert o.gauges()["requests"] == 0


@pytest.mark.parametrize("raw, status", [
    (b"GET / HTTP/1.1\r\nHost: api\r\nA: " + b"b" * 300_000, 431), (b"GET /" + b"a" * 300_000, 414),
    (b"GET / HTTP/1.1\r\nHost: api\r\nA : b\r\n\r\n" + GET * 5000, 400)],
    ids=["head", "target", "name"])
def test_a_refusal_is_not_reset_away_by_what_is_still_sent(raw, status):
    with Origin("--limit", "1") as o:
        with o.connect() as s:
            s.sendall(raw)
            s.shutdown(socket.SHUT_WR)
            said, end = read_to_end(s)
            assert said.startswith(b"HTTP/1.1 %d " % status) and end == "EOF"
        o.until_used(0)


@pytest.mark.parametrize("line, status", [
    (b"CONNECT api:443", 501), (b"TRACE /", 501), (b"GET https://api/", 421), (b"HEAD https://api/", 421)])
def test_what_an_origin_has_no_answer_to_is_refused(line, status):
    """A body behind 2xx to CONNECT would be bytes of a tunnel; what follows is no request."""
    with Origin("--limit", "1") as o:
        with o.connect() as s:
            s.sendall(line + b" HTTP/1.1\r\nHost: api\r\n\r\n" + GET)
            said, end = read_to_end(s)
        assert said.startswith(b"HTTP/1.1 %d " % status) and said.count(b"HTTP/1.1 ") == 1
        assert b"\r\nConnection: close\r\n" in said and b"\r\nWeir-Reason: " in said
        assert said.endswith(b"\r\n\r\n") == line.startswith(b"HEAD")
        o.until_used(0)
        assert o.gauges()["requests"] == 0


# ---- callers of all kinds ------------------------------------------------------------------

REQUESTS = [
    GET, GET_CLOSE, GET * 3, GET[:9], b"", b"GET / HTTP/1.0\r\n\r\n", b"bad\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: api\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: api\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000,
    b"POST / HTTP/1.1\r\nHost: api\r\nContent-Length: 70000\r\n\r\n" + b"x" * 4000,
    b"POST / HTTP/1.1\r\nHost: api\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: api\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
]


def misbehave(o, r, socks):
    """One step of a crowd: connect, send, read a little, leave in one of three ways, or change
    the origin under everybody's feet."""
    step = r.random()
    if step < 0.4 and len(socks) < 200:
        socks.append(o.connect())
        socks[-1].setblocking(False)
    elif step < 0.7 and socks:
        r.choice(socks).send(r.choice(REQUESTS))
    elif step < 0.8 and socks:
        r.choice(socks).recv(r.choice([10, 1000, 500000]))
    elif step < 0.97 and socks:
        with socks.pop(r.randrange(len(socks))) as s:
            how = r.choice(["close", "close", "RST", "half"])
            if how == "RST":
                hang_up(s, how)
            elif how == "half":
                s.shutdown(socket.SHUT_WR)
    elif step < 0.98:
        o.set(**r.choice([{"hangup": r.choice(["never", "at-write", "at-once"])},
                          {"full": r.choice(["fasthttp", "503", "429", "reset", "stall"])},
                          {"latency": "3ms", "workers": r.randrange(1, 9)},
                          {"limit": r.randrange(1, 100), "workers": "none"}]))


@pytest.mark.parametrize("seed", range(4))
def test_a_wild_crowd_leaves_nothing_behind(seed):
    r = random.Random(seed)
    options = ["--limit", "50", "--latency", "mix(30%: 0ms, 40%: 5ms, 30%: uniform(10ms, 60ms))",
               "--body", r.choice(["0B", "40B", "100kB", "2MB"]), "--idle-for", "500ms"]
    options += r.choice([[], ["--max-requests", "2"], ["--no-keep-alive"],
                         ["--no-keep-alive", "--close-after", "5ms"]])
    with Origin(*options) as o:
        socks = []
        for _ in range(3000):
            with contextlib.suppress(OSError):
                misbehave(o, r, socks)
        for s in socks:
            s.close()
        g = o.until_used(0)
        assert g["queue"] == 0
        assert g["slots"]["idle"] == g["slots"]["running"] == g["slots"]["abandoned"] == 0
        assert g["refused"] > 0 and g["requests"] >= g["answered"] > 0


# ---- admin ---------------------------------------------------------------------------------

def documented_fields():
    """Names in the first column of docs/json/origin.md, `slots.x` with their prefix."""
    fields = set()
    with open(os.path.join(ROOT, "docs", "json", "origin.md"), encoding="utf-8") as f:
        for line in f:
            if line.startswith("| `"):
                prefix = ""
                for name in re.findall(r"`([^`]+)`", line.split("|")[1]):
                    if "." in name and not name.startswith("."):
                        prefix = name.split(".")[0]
                    fields.add(prefix + name if name.startswith(".") else name)
    return fields


def test_gauges_are_those_documented():
    with Origin() as o:
        g = o.gauges()
        given = {f"slots.{k}" for k in g["slots"]} | (set(g) - {"slots"})
        assert given == documented_fields()
        assert g["schema"] == "weir.origin/1"
        assert g["pid"] == o.process.pid
        assert g["limit"] is None and g["workers"] is None
        assert (g["latency"], g["full"], g["hangup"]) == ("0ms", "fasthttp", "never")
        assert o.admin("/status")[0] == 200
        assert o.gauges()["accepted"] == 0  # the admin's own connections do not count


def test_set_changes_what_is_named():
    with Origin("--limit", "5") as o:
        mix = "mix(80%: 50ms, 20%: uniform(3s, 5s))"
        status, body = o.set(limit="1_000", latency=mix, workers=12, full="stall",
                             hangup="at-write")
        g = json.loads(body)
        assert status == 200
        assert (g["limit"], g["workers"], g["full"], g["hangup"]) == \
            (1000, 12, "stall", "at-write")
        assert g["latency"].replace(" ", "") == mix.replace(" ", "")
        status, body = o.set(limit="none", workers="none")
        g = json.loads(body)
        assert g["limit"] is None and g["workers"] is None and g["full"] == "stall"
        status, body = o.admin("/set?latency=uniform(1ms,+2ms)", "POST")
        assert json.loads(body)["latency"].replace(" ", "") == "uniform(1ms,2ms)"


@pytest.mark.parametrize("query, said", [
    ("", "nothing to set"),
    ("?", "nothing to set"),
    ("?limit", "name=value"),
    ("?limit=many", "limit"),
    ("?limit=7&latency=5", "5ms"),
    ("?limit=7&colour=red", "'colour'"),
    ("?limit=7&limit=8", "twice"),
    ("?limit=7&full=504", "fasthttp, 503, 429, reset or stall"),
    ("?limit=7&hangup=x", "at-write"),
    ("?limit=7&workers=0", "workers"),
    ("?limit=99999999", "descriptors"),
    ("?limit=7&latency=mix(80%:1s,20%:2s)", "%25"),
])
def test_wrong_set_changes_nothing(query, said):
    with Origin("--limit", "5") as o:
        status, body = o.admin("/set" + query, "POST")
        assert status == 400 and said in body.decode(), body
        g = o.gauges()
        assert (g["limit"], g["latency"], g["full"]) == (5, "0ms", "fasthttp")


def test_other_paths_and_methods_of_the_admin_endpoint():
    with Origin() as o:
        assert o.admin("/nothing")[0] == 404
        assert o.admin("/set?limit=1")[0] == 405
        assert o.admin("/", "POST")[0] == 405
        assert o.admin("/", "DELETE")[0] == 405
        assert o.gauges()["limit"] is None


def test_admin_on_a_unix_socket(tmp_path):
    path = str(tmp_path / "admin.sock")
    process = subprocess.Popen([WEIR, "origin", "--listen", "127.0.0.1:0", "--admin",
                                "unix:" + path], stderr=subprocess.PIPE)
    try:
        assert path in process.stderr.readline().decode()
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(path)
            s.sendall(b"GET / HTTP/1.1\r\nHost: admin\r\n\r\n")
            assert json.loads(Answer(s).body)["schema"] == "weir.origin/1"
        status, _, err = run_to_end("--listen", "127.0.0.1:0", "--admin", "unix:" + path)
        assert status == 1 and path in err  # a live one is not taken over
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert not os.path.exists(path)
