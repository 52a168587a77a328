"""Tunnels behind Upgrade: real WebSocket through the proxy, plain and under TLS, and what is asked
or answered by the byte."""

import json
import shutil
import signal
import socket
import ssl
import threading

import pytest

import websocket
from pki import LOCAL, Authority
from rawhttp import Client, Scripted
from verbs import PATIENCE, Verb, benches, eventually, gauges_at_zero, read_all

ASK = (b"GET /chat HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade\r\n"
       b"Upgrade: websocket\r\n\r\n")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
          b"Upgrade: websocket\r\n\r\n")
OK2 = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def bench(tmp_path):
    """bench(script, options...) -> proxy"""
    with benches(tmp_path) as begin:
        yield lambda script, *options: begin(Scripted(script), *options)


def switches(then):
    """A server that switches, and goes on with then(peer)."""
    def script(peer, n):
        peer.request()
        peer.send(SWITCH)
        then(peer)
    return script


def in_tunnel(proxy):
    c = Client(proxy.port, ASK).until(b"\r\n\r\n")
    assert c.got.startswith(b"HTTP/1.1 101 "), c.got
    c.got = c.got.partition(b"\r\n\r\n")[2]
    return c


# ---- WebSocket -----------------------------------------------------------------------------

def talk(sock):
    for size in (0, 1, 125, 126, 65535, 65536, 1_000_000):
        message = bytes(i % 251 for i in range(size))
        sock.sendall(websocket.frame(websocket.BINARY, message, mask=True))
        assert websocket.read_frame(sock, False) == (websocket.BINARY, message)
    sock.sendall(websocket.frame(websocket.PING, b"still there?", mask=True))
    assert websocket.read_frame(sock, False) == (websocket.PONG, b"still there?")
    sock.sendall(websocket.frame(websocket.CLOSE, b"\x03\xe8", mask=True))
    assert websocket.read_frame(sock, False) == (websocket.CLOSE, b"\x03\xe8")


def serve_websocket(peer, n):
    start, fields = websocket.shake_server(peer.sock)
    assert start == b"GET /chat HTTP/1.1"
    assert fields[b"connection"] == b"upgrade" and fields[b"upgrade"] == b"websocket"
    websocket.echo_server(peer.sock)
    peer.sock.shutdown(socket.SHUT_WR)
    assert peer.sock.recv(1) == b""


def test_websocket(bench, tmp_path):
    log = tmp_path / "access.log"
    p = bench(serve_websocket, "--timeout", "1s", "--access-log", log)
    with socket.create_connection(("127.0.0.1", p.port), PATIENCE) as s:
        websocket.shake_client(s)
        assert p.status()["tunnels"] == {"now": 1, "total": 1}
        assert p.status()["slots"]["busy"] == 1
        talk(s)
        assert s.recv(1) == b""
    eventually(lambda: p.status()["tunnels"] == {"now": 0, "total": 1})
    status = p.status()
    assert status["answers"] == {"101": 1} and status["exchanges"]["total"] == 1
    line = json.loads(eventually(log.read_text))
    assert line["status"] == 101 and line["path"] == "/chat"
    assert line["bytes_in"] > 1_131_000 and line["bytes_out"] > 1_131_000
    assert line["bytes_in"] > line["bytes_out"]  # masks


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("no openssl command")
    return Authority(tmp_path_factory.mktemp("pki"))


def test_websocket_under_tls_on_both_sides(ca, tmp_path):
    good = ca.issue(*LOCAL)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(good.cert, good.key)
    client_side = ssl.create_default_context(cafile=str(ca.root))

    def script(peer, n):
        with server_side.wrap_socket(peer.sock, server_side=True) as peer.sock:
            websocket.shake_server(peer.sock)
            websocket.echo_server(peer.sock)
            peer.sock = peer.sock.unwrap()  # close_notify, and the client's in answer

    with Scripted(script) as server, \
            Verb("proxy", tmp_path, *good.options(), "--upstream-ca", ca.root,
                 "--upstream", f"https://127.0.0.1:{server.port}") as p:
        with socket.create_connection(("127.0.0.1", p.port), PATIENCE) as raw:
            with client_side.wrap_socket(raw, server_hostname="localhost") as s:
                websocket.shake_client(s)
                talk(s)
                assert s.recv(1) == b""  # an end that TLS vouches for: else SSLEOFError
                s.unwrap()
        eventually(lambda: gauges_at_zero(p) and p.status()["tunnels"]["now"] == 0)


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_fin_without_close_notify_is_no_clean_end(ca, tmp_path, who):
    """Anybody on the way can forge it: what came before must not look whole to the other side."""
    good, ends = ca.issue(*LOCAL), []
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(good.cert, good.key)
    client_side = ssl.create_default_context(cafile=str(ca.root))

    def script(peer, n):
        with server_side.wrap_socket(peer.sock, server_side=True,
                                     suppress_ragged_eofs=False) as peer.sock:
            websocket.shake_server(peer.sock)
            peer.sock.sendall(b"early")
            if who == "server":
                assert peer.sock.recv(5) == b"early"
                peer.sock.shutdown(socket.SHUT_WR)  # of the socket: Python says no close_notify
            try:
                ends.append(read_all(peer.sock))
            except OSError as why:
                ends.append(why)

    with Scripted(script) as server, \
            Verb("proxy", tmp_path, *good.options(), "--upstream-ca", ca.root,
                 "--upstream", f"https://127.0.0.1:{server.port}") as p:
        with socket.create_connection(("127.0.0.1", p.port), PATIENCE) as raw:
            with client_side.wrap_socket(raw, server_hostname="localhost",
                                         suppress_ragged_eofs=False) as s:
                websocket.shake_client(s)
                assert s.recv(5) == b"early"
                s.sendall(b"early")
                if who == "client":
                    s.shutdown(socket.SHUT_WR)
                    eventually(lambda: ends)
                else:
                    with pytest.raises(OSError):
                        read_all(s)
        eventually(lambda: gauges_at_zero(p) and p.status()["tunnels"]["now"] == 0)
    if who == "client":
        assert isinstance(ends[0], OSError), ends


def test_any_protocol_passes(bench):
    heads = []

    def script(peer, n):
        heads.append(peer.request())
        peer.send(b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: IRC/6.9\r\nX: y\r\n\r\nhi")
        peer.wait_end()

    p = bench(script)
    with Client(p.port, b"POST / HTTP/1.1\r\nHost: h\r\nConnection: upgrade, keep-alive, Secret\r\n"
                        b"Content-Length: 0\r\nSecret: s\r\n"
                        b"Upgrade: HTTP/2.0, SHTTP/1.3, irc/6.9\r\nUpgrade: , x\r\n\r\n") as c:
        c.until(b"hi")
        assert c.got == (b"HTTP/1.1 101 Go\r\nX: y\r\nVia: 1.1 weir\r\nConnection: upgrade\r\n"
                         b"Upgrade: IRC/6.9\r\n\r\nhi")
    assert heads[0].all(b"Upgrade") == [b"SHTTP/1.3, irc/6.9, x"]
    assert heads[0].all(b"Connection") == [b"upgrade"] and not heads[0].all(b"Secret")


# ---- who is not asked ----------------------------------------------------------------------

PLAIN = {  # requests that reach the server without Upgrade
    "http-1.0": b"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "without-connection": b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n",
    "without-upgrade": b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n\r\n",
    "empty": b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: ,\r\n\r\n",
    "with-body": ASK[:-2] + b"Content-Length: 2\r\n\r\nhi",
    "with-chunks": ASK[:-2] + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "h2c": b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
           b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    "h2c-settings-unnamed": b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: H2C\r\n"
                            b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    "h2c-drafts": b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n"
                  b"Upgrade: h2c-14, h2, HTTP/2.0, tls/1.2\r\n\r\n",
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_not_passed_on_is_a_plain_request(name, bench):
    seen = []

    def script(peer, n):
        while m := peer.request():
            seen.append(m)
            peer.send(OK2)

    p = bench(script)
    with Client(p.port, PLAIN[name]) as c:
        assert c.answer().body == b"ok"
    assert len(seen) == 1 and not seen[0].all(b"upgrade") and not seen[0].all(b"http2-settings")
    # nothing follows a GET with a body on its connection
    assert seen[0].all(b"connection") == ([b"close"] if seen[0].body else [])


@pytest.mark.parametrize("value", [b"web socket", b"websocket/", b"/1", b"a/b/c", b"\"ws\"",
                                   b"a" * 1100])
def test_an_upgrade_that_names_no_protocol_is_refused(value, bench):
    p = bench(lambda peer, n: peer.wait_end())
    with Client(p.port, ASK.replace(b"websocket", value)) as c:
        assert c.answer().status == (431 if len(value) > 1000 else 400)
        c.to_end()
        assert c.how == "eof"


# ---- who does not switch -------------------------------------------------------------------

@pytest.mark.parametrize("status", [200, 400, 426])
def test_another_answer_is_a_normal_exchange(status, bench):
    def script(peer, n):
        while peer.request():
            peer.send(b"HTTP/1.1 %d X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                      b"Content-Length: 2\r\n\r\nno" % status)

    p = bench(script)
    with Client(p.port) as c:
        for _ in range(3):
            c.got = b""
            m = c.send(ASK).answer()
            assert m.status == status and m.body == b"no"
            said = [b"upgrade"] if status == 426 else []  # RFC 9110 15.5.22
            assert m.all(b"connection") == said
            assert m.all(b"upgrade") == ([b"websocket"] if said else [])
        assert p.status()["connects"] == 1 and p.status()["tunnels"]["total"] == 0


@pytest.mark.parametrize("fields, asked, said", [
    (b"Upgrade: a/1, h2c\r\nUpgrade: b\r\nConnection: Upgrade\r\n", b"", (b"a/1, b", b"upgrade")),
    (b"Upgrade: a\r\nConnection: upgrade\r\n", b"Connection: close\r\n", (b"a", b"close, upgrade")),
    (b"Upgrade: TLS/1.0, HTTP/2.0\r\nConnection: upgrade\r\n", b"", None),
    (b"Upgrade: a b\r\nConnection: upgrade\r\n", b"", None), (b"Upgrade: a\r\n", b"", None)])
def test_a_426_says_what_it_asks_for(fields, asked, said, bench):
    p = bench(lambda peer, n: peer.request() and peer.send(
        b"HTTP/1.1 426 X\r\n" + fields + b"Content-Length: 0\r\n\r\n"))
    with Client(p.port, b"GET / HTTP/1.1\r\nHost: h\r\n" + asked + b"\r\n") as c:
        m = c.answer()
        assert m.status == 426
        assert (m.all(b"upgrade"), m.all(b"connection")) == (([said[0]], [said[1]]) if said else ([], []))


def test_bytes_behind_a_request_that_is_not_switched_meet_nobody(bench):
    """They were meant for another protocol: read as a request they could be anything."""
    seen = []

    def script(peer, n):
        while m := peer.request():
            seen.append(m.target)
            peer.send(OK2)

    p = bench(script)
    with Client(p.port, ASK + b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n") as c:
        c.to_end()
        assert c.got.count(b"HTTP/1.1 ") == 1 and b"Connection: close" in c.got
    assert seen == [b"/chat"]


BAD = {
    "another": SWITCH.replace(b"websocket", b"irc"),
    "more": SWITCH.replace(b"websocket", b"websocket, irc"),
    "none": b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\n\r\n",
    "empty": b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: ,\r\n\r\n",
    "without-connection": b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n\r\n",
    "http-1.0": SWITCH.replace(b"/1.1", b"/1.0"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_101_that_does_not_fit_is_502(name, bench):
    ends = []

    def script(peer, n):
        peer.request()
        peer.send(BAD[name] + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        ends.append(peer.wait_end())

    p = bench(script)
    with Client(p.port, ASK) as c:
        m = c.answer()
        assert m.status == 502 and m.one(b"weir-reason") == b"bad-upgrade"
    eventually(lambda: ends)
    assert p.status()["tunnels"]["total"] == 0


# ---- bytes and ends ------------------------------------------------------------------------

def test_early_bytes_both_ways_are_the_tunnels(bench):
    got = []

    def script(peer, n):
        while b"\r\n\r\n" not in peer.data:
            peer.data += peer.sock.recv(65536)
        assert peer.data.endswith(b"\r\n\r\n")  # nothing follows before the 101
        peer.send(SWITCH + b"hello")
        while not peer.data.endswith(b"GET / HTTP/1.1\r\n\r\n"):
            peer.data += peer.sock.recv(65536)
        got.append(peer.data.partition(b"\r\n\r\n")[2])
        peer.send(b"bye")

    p = bench(script)
    with Client(p.port, ASK + b"\x00early?GET / HTTP/1.1\r\n\r\n") as c:
        c.until(b"bye")
        assert c.got.endswith(b"\r\n\r\nhellobye")
    assert got == [b"\x00early?GET / HTTP/1.1\r\n\r\n"]


def test_each_end_passes_its_fin_and_the_other_direction_lives_on(bench):
    def answer_at_eof(peer):
        data = read_all(peer.sock)
        peer.send(b"%d bytes" % len(data))

    p = bench(switches(answer_at_eof))
    with in_tunnel(p) as c:
        c.send(b"x" * 3_000_000)
        c.sock.shutdown(socket.SHUT_WR)
        assert c.to_end() == b"3000000 bytes" and c.how == "eof"

    done = threading.Event()

    def end_first(peer):
        peer.send(b"all I have")
        peer.sock.shutdown(socket.SHUT_WR)
        assert len(read_all(peer.sock)) == 2_000_000
        done.set()

    p = bench(switches(end_first))
    with in_tunnel(p) as c:
        assert c.to_end() == b"all I have" and c.how == "eof"
        assert p.status()["tunnels"]["now"] == 1
        c.send(b"y" * 2_000_000)
        c.sock.shutdown(socket.SHUT_WR)
        assert done.wait(PATIENCE)


def test_a_reset_of_one_side_resets_the_other(bench):
    ends = []
    p = bench(switches(lambda peer: ends.append(peer.wait_end())))
    c = in_tunnel(p)
    c.send(b"hi")
    c.reset()
    eventually(lambda: ends)
    assert ends == ["reset"]

    def reset(peer):
        assert peer.sock.recv(2) == b"go"
        peer.reset()

    p = bench(switches(reset))
    with in_tunnel(p) as c:
        c.send(b"go").to_end()
        assert c.how == "reset"


# ---- time ----------------------------------------------------------------------------------

def test_the_deadline_is_over_and_an_idle_tunnel_is_reset(bench):
    ends = []

    def quiet(peer):
        assert peer.sock.recv(2) == b"go"
        ends.append(peer.wait_end())

    p = bench(switches(quiet), "--timeout", "100ms", "--tunnel-idle-for", "700ms")
    with in_tunnel(p) as c:
        c.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            c.sock.recv(1)
        c.sock.settimeout(PATIENCE)
        c.send(b"go").to_end()
        assert c.how == "reset"
    eventually(lambda: ends)
    assert ends == ["reset"] and p.status()["reasons"] == {"tunnel-idle": 1}


def test_sigterm_leaves_tunnels_until_the_drain_timeout(bench):
    ends = []

    def echo(peer):
        try:
            while data := peer.sock.recv(65536):
                peer.send(data)
            ends.append("eof")
        except ConnectionResetError:
            ends.append("reset")

    p = bench(switches(echo), "--drain-timeout", "4s")
    with in_tunnel(p) as c:
        p.process.send_signal(signal.SIGTERM)
        eventually(lambda: refused(p.port))
        c.send(b"still?").until(b"still?")
        c.to_end()
        assert c.how == "reset"
    assert p.process.wait(PATIENCE) == 0
    eventually(lambda: ends)
    assert ends == ["reset"]

    p = bench(switches(echo), "--drain-timeout", "10min")
    with in_tunnel(p) as c:
        p.process.send_signal(signal.SIGTERM)
        c.send(b"x").until(b"x")
        c.sock.shutdown(socket.SHUT_WR)
        assert c.to_end() == b"x" and c.how == "eof"
    assert p.process.wait(PATIENCE) == 0  # the last tunnel ends the run


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False


# ---- slots ---------------------------------------------------------------------------------

def test_a_tunnel_holds_its_slot(bench):
    def script(peer, n):
        if peer.request().target == b"/chat":
            peer.send(SWITCH)
            read_all(peer.sock)
        else:
            peer.send(OK2)
            peer.wait_end()

    p = bench(script, "--limit", 1, "--queue-for", "100ms")
    with in_tunnel(p) as c:
        with Client(p.port, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n") as other:
            assert other.answer().one(b"weir-reason") == b"queue-timeout"
        c.sock.shutdown(socket.SHUT_WR)
        assert c.to_end() == b""
    with Client(p.port, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n") as other:
        assert other.answer().body == b"ok"
    assert p.status()["slots"]["peak"] == 1
