"""Reloads and the end under load, with streams and TLS among it: nothing that a client began to
ask is lost. Both ends count: the client what was answered whole, the server what it saw, by a
number of its own for each request."""

import contextlib
import hashlib
import http.client
import itertools
import select
import signal
import socket
import ssl
import threading
from collections import Counter

import pytest

import byteserver
import test_tunnels
from pki import LOCAL, Authority
from rawhttp import Scripted
from test_config import Proxy
from verbs import PATIENCE, eventually, free_port, gauges_at_zero

RELOADS = 20
PARTS = 3 * RELOADS


class Api(byteserver.Server):
    """Says the checksum of what it was sent. Under /stream and /events it goes on for as long as
    `steps` let it."""

    def __init__(self, seen, steps, cert=None):
        super().__init__(cert, Handler)
        self.seen, self.steps = seen, steps

    def __exit__(self, *_):
        self.steps.end()
        super().__exit__()


class Handler(byteserver.Handler):
    def stream(self, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for n in range(PARTS):
            self.server.steps.wait_for(n)
            part = b"data: %d\n\n" % n
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self):
        body = b"".join(self.parts())
        self.server.seen[self.headers["X-Number"]] += 1
        if self.path in ("/stream", "/events"):
            self.stream("text/event-stream" if self.path == "/events" else "text/plain")
            return
        self.answer(200, hashlib.sha256(body).hexdigest().encode())

    do_POST = do_PUT = do_GET


class Steps:
    """How far streams and uploads under way may go: the test says."""

    def __init__(self):
        self.at, self.change = 0, threading.Condition()

    def to(self, n):
        with self.change:
            self.at = max(self.at, n)
            self.change.notify_all()

    def end(self):
        self.to(PARTS)

    def wait_for(self, n):
        with self.change:
            assert self.change.wait_for(lambda: self.at > n, 20 * PATIENCE)


class Client(threading.Thread):
    """Asks until it is halted or nobody listens; what became of each request stands in `ended`:
    whole, stale (the connection was closed before its first byte could be read), or what went wrong."""

    numbers = itertools.count()

    def __init__(self, port, context=None, fresh=False, manner="get"):
        super().__init__()
        self.port, self.context, self.fresh, self.manner = port, context, fresh, manner
        self.halt, self.ended, self.good = threading.Event(), {}, 0

    def connect(self):
        """None: nobody listens there."""
        try:
            sock = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        except ConnectionRefusedError:
            return None
        c = http.client.HTTPConnection("localhost", self.port, timeout=PATIENCE)
        c.sock = self.context.wrap_socket(sock, server_hostname="localhost") \
            if self.context else sock
        c.auto_open = False
        return c

    def parts(self):
        yield from (bytes([n]) * (n * 37 % 1999 + 1) for n in range(20))

    def request(self, c, number):
        headers = {"X-Number": number}
        body = b"".join(self.parts())
        if self.manner == "get":
            body = b""
            c.request("GET", f"/{number}", headers=headers)
        elif self.manner == "post":
            c.request("POST", f"/{number}", body, headers)
        else:
            c.request("PUT", f"/{number}", self.parts(), headers, encode_chunked=True)
        return hashlib.sha256(body).hexdigest().encode()

    def ask(self, c, used):
        """True while the connection lasts."""
        number = str(next(self.numbers))
        try:
            wanted = self.request(c, number)
            r = c.getresponse()
            said = r.read()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError,
                ssl.SSLEOFError) as why:
            self.ended[number] = "stale" if used else repr(why)
            return False
        except (OSError, http.client.HTTPException, ValueError) as why:
            self.ended[number] = repr(why)
            return False
        good = r.status == 200 and said == wanted
        self.good += good
        self.ended[number] = "whole" if good else f"{r.status} {said}"
        return good and not self.fresh and r.getheader("Connection") != "close"

    def run(self):
        while not self.halt.is_set():
            try:
                c = self.connect()
            except OSError as why:
                self.ended[str(next(self.numbers))] = f"connect: {why!r}"
                continue
            if not c:
                if self.halt.wait(0.02) or not self.fresh:
                    return
                continue
            used = False
            with contextlib.closing(c):
                while not self.halt.is_set() and not (used and is_over(c.sock)):
                    if not self.ask(c, used):
                        break
                    used = True


def is_over(sock):
    """As a careful client looks before it uses a connection again."""
    return bool(select.select([sock], [], [], 0)[0])


class Held(Client):
    """One request that is under way from before the first reload until after the last signal."""

    def __init__(self, port, steps, context, manner):
        super().__init__(port, context, manner=manner)
        self.steps = steps

    def parts(self):
        for n in range(PARTS):
            self.steps.wait_for(n)
            yield b"%d" % n * 100

    def request(self, c, number):
        if self.manner == "upload":
            c.request("PUT", f"/{number}", self.parts(), {"X-Number": number}, encode_chunked=True)
            whole = b"".join(b"%d" % n * 100 for n in range(PARTS))
            return hashlib.sha256(whole).hexdigest().encode()
        c.request("GET", f"/{self.manner}", headers={"X-Number": number})
        return b"".join(b"data: %d\n\n" % n for n in range(PARTS))

    def run(self):
        with contextlib.closing(self.connect()) as c:
            self.ask(c, False)


@pytest.fixture
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def trusting(ca):
    context = ssl.create_default_context(cafile=str(ca.root))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def config(n, urls, ca, ports, files, threads):
    """The n-th of a round of configurations: other limits, routes, servers, addresses, times."""
    port, extra, admin = ports
    listen = [f"127.0.0.1:{port}"] + [f"127.0.0.1:{extra}"] * (n % 2)
    route = "" if n % 3 else "- { path: /1, upstream: other, timeout: 50s }"
    return f"""
listen: {listen}
admin: 'unix:{admin}'
{files}
threads: {threads}
timeout: 600s
tls-timeout: {PATIENCE}s
client-idle-for: {60 + n % 4}s
clients: {200 + 10 * (n % 3)}
drain-timeout: 600s
upstreams:
  api: {{ url: '{urls[n // 2 % 2]}', limit: {40 + 5 * (n % 5)}, upstream-ca: {ca.root} }}
  other: {{ url: '{urls[1]}', limit: 20, upstream-ca: {ca.root} }}
routes:
  {route}
  - {{ upstream: api }}
"""


@contextlib.contextmanager
def clients_of(port, extra, steps, context):
    held = [Held(port, steps, context, manner) for manner in ("stream", "events", "upload")]
    kept = [Client(port, context, manner=m) for m in ("get", "get", "post", "chunked")]
    fresh = [Client(p, context, fresh=True, manner=m)
             for p in (port, extra) for m in ("get", "post")]
    for c in held + kept + fresh:
        c.start()
    try:
        yield held, kept, fresh
    finally:
        steps.end()
        for c in held + kept + fresh:
            c.halt.set()
            c.join(4 * PATIENCE)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_nothing_is_lost_by_reloads_and_a_drain_under_load(secure, threads, ca, tmp_path):
    seen, steps, ports = Counter(), Steps(), (free_port(), free_port(), tmp_path / "admin.sock")
    cert, context = ca.issue(*LOCAL), trusting(ca) if secure else None
    files = f"cert: {cert.cert}\nkey: {cert.key}" if secure else ""
    with Api(seen, steps) as plain, Api(seen, steps, ca.issue(*LOCAL)) as tls:
        def text(n):
            return config(n, (plain.url, tls.url), ca, ports, files, threads)

        with Proxy(tmp_path, text(0)) as p, clients_of(*ports[:2], steps, context) as found:
            held, kept, fresh = found
            eventually(lambda: len(seen) > 20)
            for n in range(1, RELOADS + 1):
                if secure:
                    ca.replace(cert, *LOCAL)
                p.reload(text(n))
                steps.to(2 * n)
                before = sum(c.good for c in kept + fresh)
                eventually(lambda: sum(c.good for c in kept + fresh) > before + 20)
            lost = [e for c in kept + fresh for e in c.ended.values() if e != "whole"]
            assert lost == [], "by reloads"
            assert not any(c.ended for c in held), "streams and uploads are under way"
            p.process.send_signal(signal.SIGTERM)
            for c in kept:
                c.join(4 * PATIENCE)
                assert not c.is_alive()
            assert p.process.poll() is None, "it waits for what is under way"
            steps.end()
            assert p.process.wait(4 * PATIENCE) == 0
        ended = {number: how for c in held + kept + fresh for number, how in c.ended.items()}
    whole = {number for number, how in ended.items() if how == "whole"}
    stale = {number for number, how in ended.items() if how == "stale"}
    assert {n: how for n, how in ended.items() if n not in whole | stale} == {}
    assert all(list(c.ended.values()) == ["whole"] for c in held)
    assert seen == Counter(whole), "each was seen once; of a connection closed idle, nothing"
    assert len(stale) <= len(kept) and all(c.good for c in kept + fresh[:2])


def test_a_tunnel_lives_across_reloads(tmp_path):
    def echo(peer):
        while data := peer.sock.recv(65536):
            peer.send(data)

    def text(n):
        return (f"listen: 127.0.0.1:{port}\nadmin: 'unix:{tmp_path}/admin.sock'\n"
                f"timeout: {n + 1}s\nupstreams: {{ api: {{ url: '{server.url}', limit: {n + 2} }} }}\n"
                "routes: [{ upstream: api }]\n")

    port = free_port()
    with Scripted(test_tunnels.switches(echo)) as server, Proxy(tmp_path, text(0)) as p, \
            test_tunnels.in_tunnel(p) as c:
        for n in range(1, 6):
            p.reload(text(n))
            c.send(b"after %d;" % n).until(b"after %d;" % n)
        c.sock.shutdown(socket.SHUT_WR)
        assert c.to_end() == b"".join(b"after %d;" % n for n in range(1, 6)) and c.how == "eof"
        eventually(lambda: gauges_at_zero(p) and p.status()["tunnels"]["now"] == 0)
