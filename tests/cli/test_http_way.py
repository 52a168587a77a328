"""Fields about the way a message has come and may go: Via, Forwarded, X-Forwarded-*, Max-Forwards.
What the server saw and what the client got, by the byte."""

import re
import shutil
import signal
import socket
import ssl
import subprocess

import pytest

from pki import LOCAL, Authority
from rawhttp import Client, Recorder, Scripted
from verbs import PATIENCE, WEIR, Verb, benches, eventually, gauges_at_zero

H = b"Host: api.test\r\n"
GET = b"GET / HTTP/1.1\r\n" + H
OWN = re.compile(rb"1\.1 weir \([0-9a-f]{16}\)\Z")
FORGED = (b"X-Forwarded-For: 6.6.6.6\r\nX-FORWARDED-PROTO: https\r\nx-forwarded-host: evil.test\r\n"
          b"X-Forwarded-Port: 1\r\nX-Real-Ip: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Forwarded-By: x\r\n"
          b"X_Forwarded_For: 6.6.6.6\r\nx-forwarded_proto: https\r\nX_Real_IP: 6.6.6.6\r\n"
          b"X-Forwarded: for=6.6.6.6\r\n")


@pytest.fixture
def bench(tmp_path):
    """bench(options...) -> (proxy, server)"""
    with benches(tmp_path) as begin:
        def start(*options, **more):
            server = Recorder()
            return begin(server, *options, **more), server

        yield start


def asked(proxy, raw, method=b"GET"):
    with Client(proxy.port, raw) as c:
        return c.answer(method)


def arrived(proxy, server, raw, method=b"GET"):
    """The one request that the server saw of it."""
    server.forget()
    assert asked(proxy, raw, method).status == 200
    m, = server.requests()
    return m


def way(m):
    """What is said of the way, Via aside."""
    return [(n, v) for n, v in m.fields
            if n.lower().replace(b"_", b"-").startswith((b"x-forwarded", b"forwarded", b"x-real"))]


# ---- Via ----------------------------------------------------------------------------------

def test_via_is_added_in_both_directions(bench):
    proxy, server = bench()
    m = arrived(proxy, server, GET + b"Via: 1.0 fred, 1.1 p.example.net\r\nvia: HTTP/1.1 x (y)\r\n\r\n")
    *before, own = m.all(b"via")
    assert before == [b"1.0 fred, 1.1 p.example.net", b"HTTP/1.1 x (y)"]
    assert OWN.match(own)
    m = arrived(proxy, server, b"GET / HTTP/1.0\r\nConnection: via\r\nVia: 1.0 fred\r\n\r\n")
    assert m.one(b"via").startswith(b"1.0 weir (")  # whatever Connection names, ours is there
    assert asked(proxy, GET + b"\r\n").one(b"via") == b"1.1 weir"
    assert not asked(proxy, b"GET / HTTP/1.1\r\n\r\n").all(b"via")  # weir's own answer


def test_an_answer_keeps_the_via_it_has(tmp_path):
    def script(peer, n):
        peer.request()
        peer.send(b"HTTP/1.0 200 OK\r\nVia: 1.1 near-the-api\r\nContent-Length: 2\r\n\r\nok")
        peer.wait_end()
    with Scripted(script) as server, Verb("proxy", tmp_path, "--upstream", server.url) as p:
        assert asked(p, GET + b"\r\n").all(b"via") == [b"1.1 near-the-api", b"1.0 weir"]
        eventually(lambda: gauges_at_zero(p))


def test_via_has_the_name_it_is_given_or_none(bench):
    proxy, server = bench("--via", "edge-1")
    assert arrived(proxy, server, GET + b"\r\n").one(b"via").startswith(b"1.1 edge-1 (")
    assert asked(proxy, GET + b"\r\n").one(b"via") == b"1.1 edge-1"
    proxy, server = bench("--via", "none")
    assert arrived(proxy, server, GET + b"Via: 1.1 a\r\n\r\n").all(b"via") == [b"1.1 a"]
    assert not asked(proxy, GET + b"\r\n").all(b"via")


def test_a_circle_is_refused(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with Verb("proxy", tmp_path, "--upstream", url, listen=f"127.0.0.1:{port}") as p:
        m = asked(p, GET + b"\r\n")
        assert (m.status, m.one(b"weir-reason")) == (508, b"loop")
        assert asked(p, b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 2\r\n\r\nhi", b"POST").status == 508
        eventually(lambda: p.status()["exchanges"]["now"] == 0)
        s = p.status()
        assert s["reasons"] == {"loop": 2} and s["calls"]["sent"] == 2 and s["exchanges"]["total"] == 4


def test_two_of_one_name_are_no_circle(bench, tmp_path):
    inner, server = bench()
    with Verb("proxy", tmp_path, "--upstream", inner.url) as outer:
        m = arrived(outer, server, GET + b"\r\n")
        first, second = m.all(b"via")
        assert OWN.match(first) and OWN.match(second) and first != second
        assert asked(outer, GET + b"\r\n").all(b"via") == [b"1.1 weir", b"1.1 weir"]
        eventually(lambda: gauges_at_zero(outer))


# ---- Forwarded and X-Forwarded-* ----------------------------------------------------------

@pytest.mark.parametrize("options", [[], ["--forwarded-trust", "10.0.0.0/8", "--forwarded-trust", "unix"]])
@pytest.mark.parametrize("connection", [b"", b"Connection: x-forwarded-for, forwarded\r\n"])
def test_what_anybody_could_write_is_taken_off(options, connection, bench):
    proxy, server = bench(*options)
    m = arrived(proxy, server, GET + FORGED + connection + b"X-For: kept\r\nX-Real: kept\r\n\r\n")
    assert way(m) == [(b"X-Real", b"kept")] and m.one(b"x-for") == b"kept"


def test_the_api_is_told_its_caller(bench):
    x = [(b"X-Forwarded-For", b"127.0.0.1"), (b"X-Forwarded-Proto", b"http")]
    forwarded = (b"Forwarded", b'for=127.0.0.1;proto=http;host="api.test"')
    for option in ("x", "rfc7239", "both"):
        proxy, server = bench("--forwarded", option)
        port = (b"X-Forwarded-Port", str(proxy.port).encode())
        want = ([*x, port, (b"X-Forwarded-Host", b"api.test")] if option != "rfc7239" else []) + (
            [forwarded] if option != "x" else [])
        for lines in (b"", FORGED, b"Connection: X-Forwarded-For, Forwarded, X-Forwarded-Host\r\n"):
            assert way(arrived(proxy, server, GET + lines + b"\r\n")) == want
    with Client(proxy.port) as c:  # and in each request of a connection its own
        server.forget()
        for host in (b"a:81", b"[::1]:82"):
            c.got = b""
            assert c.send(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").answer().status == 200
        told = [m.one(b"forwarded") for m in server.requests()]
    assert told == [b'for=127.0.0.1;proto=http;host="a:81"', b'for=127.0.0.1;proto=http;host="[::1]:82"']
    m = arrived(proxy, server, b"GET / HTTP/1.0\r\n\r\n")  # it named no host
    assert way(m) == [*x, port, (b"Forwarded", b"for=127.0.0.1;proto=http")]


def test_what_a_trusted_client_says_is_kept(bench):
    lines = (b"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2, 3.3.3.3\r\nX-Forwarded-Proto: https\r\n"
             b"X-Forwarded-By: p\r\nForwarded: for=1.1.1.1\r\nX_Forwarded_For: 6.6.6.6\r\nX-Real-IP: 1.1.1.1\r\n\r\n")
    proxy, server = bench("--forwarded", "both", "--forwarded-trust", "127.0.0.0/8")
    assert way(arrived(proxy, server, GET + lines)) == [
        (b"X-Real-IP", b"1.1.1.1"),
        (b"X-Forwarded-For", b"1.1.1.1, 2.2.2.2, 3.3.3.3, 127.0.0.1"),
        (b"X-Forwarded-Proto", b"https"), (b"X-Forwarded-Port", str(proxy.port).encode()),
        (b"X-Forwarded-Host", b"api.test"), (b"X-Forwarded-By", b"p"),
        (b"Forwarded", b'for=1.1.1.1, for=127.0.0.1;proto=http;host="api.test"')]
    assert way(arrived(proxy, server, GET + b"\r\n"))[0] == (b"X-Forwarded-For", b"127.0.0.1")
    proxy, server = bench("--forwarded-trust", "127.0.0.1")  # it says nothing itself
    m = arrived(proxy, server, GET + lines)
    assert [v for _, v in way(m)] == [b"1.1.1.1", b"2.2.2.2, 3.3.3.3", b"https", b"p", b"for=1.1.1.1",
                                      b"6.6.6.6", b"1.1.1.1"]


def test_addresses_as_each_form_wants_them(bench):
    proxy, server = bench("--forwarded", "both", "--listen", "[::1]:0")
    port = int(re.search(r"\[::1\]:(\d+)", proxy.line).group(1))
    with socket.create_connection(("::1", port), timeout=PATIENCE) as s:
        s.sendall(GET + b"\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 200")
    m, = server.requests()
    assert m.one(b"x-forwarded-for") == b"::1"
    assert m.one(b"forwarded") == b'for="[::1]";proto=http;host="api.test"'
    assert m.one(b"x-forwarded-port") == str(port).encode()


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command")
def test_https_is_said_of_clients_under_tls(bench, tmp_path):
    ca = Authority(tmp_path)
    proxy, server = bench("--forwarded", "both", "--listen", ":0", *ca.issue(*LOCAL).options())
    port = int(re.search(r"\[::\]:(\d+)", proxy.line).group(1))  # where IPv4 comes in mapped
    context = ssl.create_default_context(cafile=str(ca.root))
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw, \
            context.wrap_socket(raw, server_hostname="localhost") as s:
        s.sendall(GET + b"X-Forwarded-Proto: http\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 200")
    m, = server.requests()
    assert m.one(b"forwarded") == b'for=127.0.0.1;proto=https;host="api.test"'
    assert (m.one(b"x-forwarded-for"), m.one(b"x-forwarded-proto")) == (b"127.0.0.1", b"https")
    assert m.one(b"x-forwarded-port") == str(port).encode()


def test_a_unix_client_is_unknown(bench, tmp_path):
    for trusted in (False, True):
        path = tmp_path / f"in-{trusted}"
        proxy, server = bench("--forwarded", "both", "--listen", f"unix:{path}",
                              *(["--forwarded-trust", "unix"] if trusted else []))
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(str(path))
            s.sendall(GET + b"X-Forwarded-For: 1.1.1.1\r\n\r\n")
            assert s.recv(100).startswith(b"HTTP/1.1 200")
        m, = server.requests()
        assert m.one(b"x-forwarded-for") == (b"1.1.1.1, unknown" if trusted else b"unknown")
        assert m.one(b"forwarded") == b'for=unknown;proto=http;host="api.test"'
        assert not m.all(b"x-forwarded-port")


def test_a_reload_and_connections_from_before(tmp_path):
    """Who they are was noted only if somebody asked; what they say never passes for weir's word."""
    file, text = tmp_path / "weir.yaml", "upstream: http://127.0.0.1:{}\n{}"
    with Recorder() as server:
        file.write_text(text.format(server.port, ""))
        with Verb("proxy", tmp_path, "--config", file) as p, Client(p.port) as c:
            for n, (option, told) in enumerate([("via: a\n", []), ("forwarded: x\n", [b"unknown"]), ("", [])]):
                file.write_text(text.format(server.port, option))
                p.process.send_signal(signal.SIGHUP)
                eventually(lambda n=n: p.status()["config"]["reloads"] == n + 1)
                server.forget()
                c.got = b""
                assert c.send(GET + b"X-Forwarded-For: 6.6.6.6\r\n\r\n").answer().status == 200
                m, = server.requests()
                assert m.all(b"x-forwarded-for") == told
            c.sock.close()
            eventually(lambda: gauges_at_zero(p))


@pytest.mark.parametrize("text, at, says", [
    ("via: two words", "1:6", "is no name"), ("via: \"\"", "1:6", "empty: write NAME"),
    ("forwarded: yes", "1:12", "forwarded"), ("forwarded-trust: [10.0.0.0/8, 10.0.0.1/8]", "1:31", "leaves out"),
    ("forwarded-trust: localhost", "1:18", "is no network")])
def test_check_tells_what_is_wrong(text, at, says, tmp_path):
    file = tmp_path / "weir.yaml"
    file.write_text(text + "\nlisten: :8080\nupstream: http://api.example.com\n")
    done = subprocess.run([WEIR, "check", file], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert f":{at}: " in done.stdout + done.stderr and says in done.stdout + done.stderr


# ---- Max-Forwards -------------------------------------------------------------------------

@pytest.mark.parametrize("method", [b"TRACE", b"OPTIONS"])
def test_max_forwards_is_counted_down(method, bench):
    proxy, server = bench()
    for hops, left in ((b"1", b"0"), (b"0010", b"9"), (b"999999999999999999", b"999999999999999998"),
                       (b"9" * 30, b"999999999999999999"), (b"0" * 40 + b"3", b"2")):
        m = arrived(proxy, server, method + b" /x HTTP/1.1\r\n" + H + b"Max-Forwards: " + hops + b"\r\n\r\n",
                    method)
        assert m.one(b"max-forwards") == left
    assert not arrived(proxy, server, method + b" /x HTTP/1.1\r\n" + H + b"\r\n", method).all(b"max-forwards")
    for value in (b"0", b"x"):  # of other methods it says nothing
        assert arrived(proxy, server, GET + b"Max-Forwards: " + value + b"\r\n\r\n").one(b"max-forwards") == value


def test_max_forwards_0_is_answered_here(bench, tmp_path):
    log = tmp_path / "access.log"
    proxy, server = bench("--access-log", log)
    m = asked(proxy, b"TRACE http://api.test/a?b HTTP/1.1\r\n" + H + b"Max-Forwards: 0\r\nCookie: s=1\r\nA:  b \r\n"
              b"authorization: Basic eA==\r\nProxy-Authorization: x\r\nVia: 1.1 fred\r\n\r\n", b"TRACE")
    assert (m.status, m.one(b"content-type")) == (200, b"message/http")
    assert m.body == (b"TRACE http://api.test/a?b HTTP/1.1\r\n" + H +
                      b"Max-Forwards: 0\r\nA: b\r\nVia: 1.1 fred\r\n\r\n")
    for target in (b"*", b"/x"):
        m = asked(proxy, b"OPTIONS " + target + b" HTTP/1.1\r\n" + H + b"Max-Forwards: 00\r\n\r\n", b"OPTIONS")
        assert (m.status, m.body) == (200, b"") and b"OPTIONS" in m.one(b"allow").split(b", ")
    m = asked(proxy, b"TRACE / HTTP/1.1\r\n" + H + b"Max-Forwards: 0\r\nA: " + b"a" * 14_000 + b"\r\n\r\n", b"TRACE")
    assert m.status == 431
    with Client(proxy.port) as c:  # and the connection lasts
        for _ in range(2):
            c.got = b""
            c.send(b"OPTIONS * HTTP/1.1\r\n" + H + b"Max-Forwards: 0\r\n\r\n").answer()
    eventually(lambda: proxy.status()["access_log"]["written"] == 6)
    assert proxy.status()["answers"] == {"200": 5, "431": 1}
    assert not server.requests()


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1.0", b"0x1", b"1, 2", b"1\r\nMax-Forwards: 1", b"9" * 19 + b"x"])
def test_max_forwards_that_is_no_number(value, bench):
    proxy, server = bench()
    m = asked(proxy, b"OPTIONS * HTTP/1.1\r\n" + H + b"Max-Forwards: " + value + b"\r\n\r\n", b"OPTIONS")
    assert (m.status, m.one(b"weir-reason"), m.one(b"connection")) == (400, b"bad-max-forwards", b"close")
    assert not server.requests()
