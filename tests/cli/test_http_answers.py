"""Answers that are odd, broken, early or large, by the byte: what the client of the proxy sees of
them. A server in a script's hands on one side, a bare socket on the other."""

import signal
import socket
import threading
import time

import pytest

from rawhttp import Client, Scripted, Unclear, parse_responses
from verbs import PATIENCE, Verb, benches, eventually, gauges_at_zero

H = b"Host: api.test\r\n"
GET = b"GET / HTTP/1.1\r\n" + H + b"\r\n"
GET10 = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\n" + H + b"\r\n"
POST = b"POST /p HTTP/1.1\r\n" + H
OK = b"HTTP/1.1 200 OK\r\n"
OK2 = OK + b"Content-Length: 2\r\n\r\nok"


@pytest.fixture
def bench(tmp_path):
    """bench(script, options...) -> (proxy, server)"""
    with benches(tmp_path) as begin:
        def start(script, *options):
            server = Scripted(script)
            return begin(server, *options), server

        yield start


def says(*parts, end="keep"):
    """A script: each request on a connection gets the next part; then the connection is kept until
    the proxy ends it, closed, or reset."""
    def script(peer, n):
        for part in parts:
            if peer.request() is None:
                return
            peer.send(part)
        if end == "keep":
            peer.wait_end()
        elif end == "reset":
            peer.reset()
    return script


def bad_gateway(c):
    m = c.answer()
    assert m.status == 502, c.got
    assert m.whole and m.body and m.one(b"weir-reason")
    return m


# ---- what is no answer --------------------------------------------------------------------

FAULTS = {
    "garbage": b"\x00\x01\x02\x03\xff\xfe\r\n\r\n",
    "text": b"Hello, world\r\n\r\n",
    "html": b"<html><body>no head</body></html>",
    "empty-line-first": b"\r\n" + OK2,
    "lf-only": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "lf-status-line": b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
    "lf-field": OK + b"A: b\nContent-Length: 2\r\n\r\nok",
    "lf-end": OK + b"Content-Length: 2\r\n\nok",
    "cr-field": OK + b"A: b\rContent-Length: 2\r\n\r\nok",
    "status-two-digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "status-four-digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
    "status-letters": b"HTTP/1.1 2xx OK\r\nContent-Length: 2\r\n\r\nok",
    "status-000": b"HTTP/1.1 000 No\r\nContent-Length: 2\r\n\r\nok",
    "status-099": b"HTTP/1.1 099 No\r\nContent-Length: 2\r\n\r\nok",
    "status-600": b"HTTP/1.1 600 No\r\nContent-Length: 2\r\n\r\nok",
    "status-999": b"HTTP/1.1 999 No\r\nContent-Length: 2\r\n\r\nok",
    "status-negative": b"HTTP/1.1 -20 OK\r\nContent-Length: 2\r\n\r\nok",
    "status-missing": b"HTTP/1.1\r\nContent-Length: 2\r\n\r\nok",
    "status-cr-after": b"HTTP/1.1 200\rContent-Length: 2\r\n\r\nok",
    "status-two-spaces": b"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok",
    "status-tab": b"HTTP/1.1\t200 OK\r\nContent-Length: 2\r\n\r\nok",
    "status-space-first": b" HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "version-2": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "version-0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "version-lower": b"http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "version-icy": b"ICY 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "reason-nul": b"HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok",
    "reason-cr": b"HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nok",
    "obs-fold": OK + b"A: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
    "space-before-colon-cl": OK + b"Content-Length : 2\r\n\r\nok",
    "space-before-colon-te": OK + b"Transfer-Encoding : chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "space-before-colon-connection": OK + b"Connection : close\r\nContent-Length: 2\r\n\r\nok",
    "empty-name": OK + b": b\r\nContent-Length: 2\r\n\r\nok",
    "name-illegal": OK + b"A B: c\r\nContent-Length: 2\r\n\r\nok",
    "no-colon": OK + b"Abc\r\nContent-Length: 2\r\n\r\nok",
    "value-nul": OK + b"A: b\0c\r\nContent-Length: 2\r\n\r\nok",
    "value-control": OK + b"A: b\x01c\r\nContent-Length: 2\r\n\r\nok",
    "cl-te": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "te-cl": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "cl-doubled": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    "cl-doubled-equal": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "cl-list": OK + b"Content-Length: 2, 2\r\n\r\nok",
    "cl-plus": OK + b"Content-Length: +2\r\n\r\nok",
    "cl-minus": OK + b"Content-Length: -2\r\n\r\nok",
    "cl-hex": OK + b"Content-Length: 0x2\r\n\r\nok",
    "cl-empty": OK + b"Content-Length:\r\n\r\nok",
    "cl-huge": OK + b"Content-Length: 99999999999999999999\r\n\r\nok",
    "te-identity": OK + b"Transfer-Encoding: identity\r\n\r\nok",
    "te-gzip": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "te-doubled": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"2\r\nok\r\n0\r\n\r\n",
    "te-1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "te-x": OK + b"Transfer-Encoding: xchunked\r\n\r\nok",
    "head-20k": OK + b"A: " + b"b" * 20_000 + b"\r\nContent-Length: 2\r\n\r\nok",
    "fields-200": OK + b"A: b\r\n" * 200 + b"Content-Length: 2\r\n\r\nok",
    "reason-20k": b"HTTP/1.1 200 " + b"a" * 20_000 + b"\r\nContent-Length: 2\r\n\r\nok",
    "switching-unasked": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                         b"Upgrade: websocket\r\n\r\n\x81\x02hi",
    "switching-after-103": b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Go\r\n\r\n",
    "interim-then-garbage": b"HTTP/1.1 102 Wait\r\n\r\nwhat?\r\n\r\n",
    "connection-no-token": OK + b"Connection: (x)\r\nContent-Length: 2\r\n\r\nok",
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_answer_is_502(name, bench):
    proxy, server = bench(says(FAULTS[name]))
    with Client(proxy.port, GET) as c:
        bad_gateway(c)
        assert b"2\r\nok" not in c.got and b"Content-Length: 2\r\n" not in c.got
    for t in server.threads:  # its connection is not used again
        t.join(PATIENCE)
        assert not t.is_alive()


@pytest.mark.parametrize("part", [b"", b"HT", b"HTTP/1.1 200 OK\r\n", OK + b"Content-Length: 2\r\n",
                                  OK + b"Content-Length: 2\r\n\r"])
@pytest.mark.parametrize("end", ["eof", "reset"])
def test_a_head_that_breaks_off_is_502(part, end, bench):
    proxy, _ = bench(says(part, end=end))
    with Client(proxy.port, POST + b"Content-Length: 0\r\n\r\n") as c:
        bad_gateway(c)


def test_an_endless_head_is_502(bench):
    def script(peer, n):
        peer.request()
        for _ in range(10_000):
            peer.send(b"HTTP/1.1 200 OK\r\n" if _ == 0 else b"A: " + b"b" * 100 + b"\r\n")
    proxy, _ = bench(script)
    with Client(proxy.port, GET) as c:
        bad_gateway(c)


def test_a_refused_connection_is_502(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        port = taken.getsockname()[1]
        with Verb("proxy", tmp_path, "--upstream", f"http://127.0.0.1:{port}") as proxy:
            with Client(proxy.port, POST + b"Content-Length: 2\r\n\r\nhi") as c:
                assert bad_gateway(c).one(b"weir-reason") == b"connect-refused"
            eventually(lambda: gauges_at_zero(proxy))


# ---- bodies that break off, or break ------------------------------------------------------

BROKEN = {
    "length": OK + b"Content-Length: 100000\r\n\r\n" + b"x" * 50_000,
    "length-one-short": OK + b"Content-Length: 3\r\n\r\nok",
    "length-none-came": OK + b"Content-Length: 3\r\n\r\n",
    "chunked-in-chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n10\r\nhello",
    "chunked-between": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "chunked-before-last-crlf": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    "chunked-in-trailer": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n",
    "chunked-large": OK + b"Transfer-Encoding: chunked\r\n\r\n20000\r\n" + b"y" * 100_000,
}
BAD_CHUNKS = {
    "size-no-hex": b"5\r\nhello\r\nzz\r\n", "size-minus": b"5\r\nhello\r\n-1\r\n",
    "size-space": b"5\r\nhello\r\n5 \r\nhello\r\n0\r\n\r\n", "data-long": b"4\r\nhello\r\n0\r\n\r\n",
    "size-lf": b"5\nhello\r\n0\r\n\r\n", "end-lf": b"5\r\nhello\r\n0\r\n\n",
    "trailer-bad": b"5\r\nhello\r\n0\r\nA b\r\n\r\n",
    "size-huge": b"5\r\nhello\r\n10000000000000000\r\n",
    "ext-on-each-byte": (b"1;" + b"a" * 200 + b"\r\nx\r\n") * 1000 + b"0\r\n\r\n",
}


def broken(c):
    """No reader takes what came for a whole answer of the server."""
    while c.more():
        if c.got.startswith(b"HTTP/1.1 502 "):
            bad_gateway(c)
            return
    try:
        found = parse_responses(c.got, ended=c.how == "eof")
    except Unclear:
        return
    assert not [m for m in found if m.whole and m.status == 200], (c.how, c.got[:300])


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("end", ["eof", "reset"])
@pytest.mark.parametrize("request_", [GET, GET10], ids=["1.1", "1.0"])
def test_a_body_that_breaks_off_never_looks_whole(name, end, request_, bench):
    proxy, _ = bench(says(BROKEN[name], end=end))
    with Client(proxy.port, request_) as c:
        broken(c)


@pytest.mark.parametrize("name", BAD_CHUNKS)
@pytest.mark.parametrize("request_", [GET, GET10], ids=["1.1", "1.0"])
def test_a_body_with_bad_chunks_never_looks_whole(name, request_, bench):
    proxy, _ = bench(says(OK + b"Transfer-Encoding: chunked\r\n\r\n" + BAD_CHUNKS[name]))
    with Client(proxy.port, request_) as c:
        broken(c)


@pytest.mark.parametrize("request_", [GET, GET10, HEAD.replace(b"HEAD", b"PUT")], ids=["1.1", "1.0", "put"])
@pytest.mark.parametrize("body", [b"zz\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"2\r\nokX", b"2\r\nok\r\n0\r\nA b\r\n"])
def test_a_body_that_is_bad_at_once_is_502(body, request_, bench):
    """Nothing of it has gone out yet, and a close without a word would be asked again."""
    proxy, _ = bench(says(OK + b"Transfer-Encoding: chunked\r\n\r\n" + body))
    with Client(proxy.port, request_) as c:
        m = bad_gateway(c)
        assert m.one(b"weir-reason") == b"bad-response-chunk" and c.got.count(b"HTTP/1.1 ") == 1
    assert proxy.status()["answers"] == {"502": 1}


def test_the_answers_before_one_that_breaks_off_come_whole(bench):
    """They are still on their way when the reset is due, which would destroy them."""
    first = OK + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000
    proxy, _ = bench(says(first, OK + b"Content-Length: 100000\r\n\r\n" + b"y" * 5000, end="eof"))
    for _ in range(3):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.settimeout(PATIENCE)
            s.connect(("127.0.0.1", proxy.port))
            s.sendall(GET + GET)
            got, how = b"", "eof"
            try:
                while chunk := s.recv(4096):
                    got += chunk
            except ConnectionResetError:
                how = "reset"
        assert how == "reset" and got.count(b"x") == 100_000


def test_a_reset_ends_a_body_without_length_as_broken(bench):
    def script(peer, n):
        peer.request()
        peer.send(OK + b"\r\nhello")
        gone.wait(PATIENCE)
        peer.reset()
    gone = threading.Event()
    proxy, _ = bench(script)
    for request in (GET, GET10):
        gone.clear()
        with Client(proxy.port, request) as c:
            c.until(b"hello")
            gone.set()
            broken(c)
            assert c.how == "reset"


# ---- what passes --------------------------------------------------------------------------

PASS = {  # answer: status, framing, body
    "te-capital": (OK + b"Transfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "chunked", b"ok"),
    "length": (OK2, 200, "length", b"ok"),
    "length-zeros": (OK + b"Content-Length: 0002\r\n\r\nok", 200, "length", b"ok"),
    "length-0": (OK + b"Content-Length: 0\r\n\r\n", 200, "length", b""),
    "chunked": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "chunked", b"ok"),
    "chunked-empty": (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "chunked", b""),
    "chunked-extension": (OK + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0;c\r\n\r\n", 200,
                          "chunked", b"ok"),
    "chunked-trailer": (OK + b"Transfer-Encoding: chunked\r\nTrailer: A\r\n\r\n2\r\nok\r\n0\r\nA: b"
                             b"\r\nContent-Length: 7\r\n\r\n", 200, "chunked", b"ok"),
    "no-reason": (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", 200, "length", b"ok"),
    "no-reason-nor-space": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, "length", b"ok"),
    "odd-reason": (b"HTTP/1.1 404 N\xc3\xb6 \t!\r\nContent-Length: 2\r\n\r\nok", 404, "length", b"ok"),
    "status-299": (b"HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok", 299, "length", b"ok"),
    "status-599": (b"HTTP/1.1 599 Odd\r\nContent-Length: 2\r\n\r\nok", 599, "length", b"ok"),
    "http-1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "length", b"ok"),
    "http-1.0-keep": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 200,
                      "length", b"ok"),
    "no-content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, "none", b""),
    "no-content-length": (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, "none", b""),
    "not-modified": (b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", 304, "none", b""),
    "reset-content": (b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", 205, "length", b""),
    "hints": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK2, 200, "length", b"ok"),
    "continue-unasked": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK2, 200, "length", b"ok"),
    "close-said": (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", 200, "length", b"ok"),
}


@pytest.mark.parametrize("name", PASS)
def test_what_passes(name, bench):
    raw, status, framing, body = PASS[name]
    proxy, server = bench(says(raw, raw))
    with Client(proxy.port) as c:
        for _ in range(2):  # the caller's connection lasts, whatever the server does with its own
            c.got = b""
            m = c.send(GET).answer()
            assert (m.status, m.framing, m.body) == (status, framing, body)
            assert m.whole and not m.all(b"connection") and m.one(b"date")


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"PUT"])
@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n\r\nhello", b"Content-Length: 0\r\n\r\n",
                                     b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"])
def test_a_body_that_a_server_may_leave_unread_is_the_last_on_its_connection(method, framing, bench):
    """It would read it as a request, and the next caller would get the answer to that."""
    seen = []

    def script(peer, n):
        while m := peer.request():
            seen.append((n, m.all(b"connection")))
            peer.send(OK + b"Content-Length: 0\r\n\r\n")

    proxy, _ = bench(script)
    with Client(proxy.port) as c:
        for _ in range(2):
            c.got = b""
            assert c.send(method + b" / HTTP/1.1\r\n" + H + framing).answer(method).status == 200
    last = method != b"PUT" and b"hello" in framing
    assert seen == ([(0, [b"close"]), (1, [b"close"])] if last else [(0, []), (0, [])])


def test_a_body_of_a_get_is_one_like_others_where_the_server_is_known_to_read_it(bench):
    seen = []

    def script(peer, n):
        while m := peer.request():
            seen.append((n, m.all(b"connection"), m.body))
            peer.send(OK + b"Content-Length: 0\r\n\r\n")

    proxy, _ = bench(script, "--odd-bodies", "any")
    with Client(proxy.port) as c:
        for _ in range(2):
            c.got = b""
            ask = b"GET / HTTP/1.1\r\n" + H + b"Content-Length: 5\r\n\r\nhello"
            assert c.send(ask).answer().status == 200
    assert seen == [(0, [], b"hello")] * 2


@pytest.mark.parametrize("blanks", [b" ", b"\t", b" \t" * 8])
def test_white_space_before_a_colon_is_taken_away(blanks, bench):
    proxy, _ = bench(says(OK + b"A" + blanks + b": b\r\nC" + blanks + b":d\r\nContent-Length: 2\r\n\r\nok"))
    with Client(proxy.port, GET) as c:
        m = c.answer()
        assert (m.one(b"a"), m.one(b"c"), m.body) == (b"b", b"d", b"ok")


@pytest.mark.parametrize("ask, ended_by", [(GET, "chunk"), (GET10, "eof"),
                                           (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "eof")])
def test_a_body_without_length_ends_with_the_connection(ask, ended_by, bench):
    proxy, _ = bench(says(OK + b"\r\nhello", end="eof"))
    with Client(proxy.port, ask) as c:
        m = c.answer()
        assert m.whole and m.body == b"hello"
        if ended_by == "chunk":
            assert m.framing == "chunked" and not m.all(b"connection")
        else:
            assert m.framing == "close" and m.one(b"connection") == b"close"


@pytest.mark.parametrize("ask", [GET10, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"])
def test_chunks_to_a_client_of_http_1_0_are_taken_off(ask, bench):
    proxy, _ = bench(says(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\nay!\r\n0\r\nA: b\r\n\r\n"))
    with Client(proxy.port, ask) as c:
        c.to_end()
        m, = parse_responses(c.got, ended=True)
        assert (m.framing, m.body, m.one(b"connection")) == ("close", b"okay!", b"close")
        assert c.how == "eof"


@pytest.mark.parametrize("fields, told", [
    (b"Content-Length: 1234\r\n", (b"content-length", b"1234")),
    (b"Transfer-Encoding: chunked\r\n", (b"transfer-encoding", b"chunked")), (b"", None)])
def test_an_answer_to_head_has_no_body(fields, told, bench):
    proxy, server = bench(says(OK + fields + b"\r\n", OK2))
    with Client(proxy.port, HEAD + GET) as c:
        found = c.answers(2, (b"HEAD", b"GET"))
        assert [m.body for m in found] == [b"", b"ok"]
        if told and told[0] == b"content-length":
            assert found[0].one(told[0]) == told[1]
    assert server.count == 1


def test_not_modified_may_tell_a_length_without_a_body(bench):
    proxy, server = bench(says(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", OK2))
    with Client(proxy.port, GET + GET) as c:
        assert [m.body for m in c.answers(2)] == [b"", b"ok"]
    assert server.count == 1


@pytest.mark.parametrize("raw", [
    HEAD_BODY for HEAD_BODY in (OK + b"Content-Length: 5\r\n\r\nhello",
                                b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nhello",
                                b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello",
                                b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n"
                                b"5\r\nhello\r\n0\r\n\r\n")])
def test_a_body_where_none_may_be_meets_nobody(raw, bench):
    """It would be read as the answer to the next request."""
    proxy, server = bench(says(raw))
    with Client(proxy.port, HEAD) as c:
        assert c.answer(b"HEAD").status in (200, 204, 304)
        c.got = b""
        c.send(HEAD)
        assert c.answer(b"HEAD").status in (200, 204, 304)
        assert b"hello" not in c.got
    assert server.count == 2


def test_fields_of_the_hop_are_taken_off(bench):
    proxy, _ = bench(says(
        OK + b"Connection: X-Secret, keep-alive\r\nKeep-Alive: timeout=5\r\nX-Secret: 1\r\n"
        b"x-secret: 2\r\nProxy-Authenticate: Basic\r\nProxy-Connection: close\r\nTrailer: A\r\n"
        b"TE: x\r\nUpgrade: h2c\r\nSet-Cookie: a\r\nset-cookie: b\r\nServer: api\r\n"
        b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 2\r\n\r\nok"))
    with Client(proxy.port, GET) as c:
        m = c.answer()
    assert m.fields == [(b"Set-Cookie", b"a"), (b"set-cookie", b"b"), (b"Server", b"api"),
                        (b"Date", b"Sun, 06 Nov 1994 08:49:37 GMT"), (b"Via", b"1.1 weir"),
                        (b"Content-Length", b"2")]


# ---- interim answers, early answers, unasked bytes ----------------------------------------

def test_103_passes_and_100_is_weirs_own(bench):
    def script(peer, n):
        assert not peer.request(whole=False).all(b"expect")
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n"
                  b"Connection: x\r\nX: y\r\nContent-Length: 9\r\n\r\n")
        peer.request()
        peer.send(OK2)
        peer.wait_end()
    proxy, _ = bench(script)
    with Client(proxy.port, POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n") as c:
        c.until(b"100 Continue\r\n\r\n").until(b"103 ")
        found = c.send(b"hi").answers()
        assert [m.status for m in found] == [100, 103, 200]
        assert found[1].fields == [(b"Link", b"</a>"), (b"Via", b"1.1 weir")]


def test_a_100_that_no_caller_waits_for_is_passed_on_too(bench):
    proxy, _ = bench(says(b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" + OK2))
    with Client(proxy.port, GET) as c:
        found = c.answers()
        assert [m.status for m in found] == [100, 200]
        assert found[0].fields == [(b"A", b"b"), (b"Via", b"1.1 weir")]


@pytest.mark.parametrize("status", [b"100", b"102", b"103"])
def test_interim_answers_without_an_end_are_502(status, bench):
    proxy, _ = bench(says((b"HTTP/1.1 " + status + b" Wait\r\n\r\n") * 101 + OK2,
                          (b"HTTP/1.1 " + status + b" Wait\r\n\r\n") * 100 + OK2))
    with Client(proxy.port, GET) as c:
        found = c.answers()
        assert [m.status for m in found[:-1]] == [int(status)] * 100
        assert found[-1].status == 502 and found[-1].one(b"weir-reason") == b"interim-flood"
    proxy, _ = bench(says((b"HTTP/1.1 " + status + b" Wait\r\n\r\n") * 100 + OK2))
    with Client(proxy.port, GET) as c:
        assert [m.status for m in c.answers()] == [int(status)] * 100 + [200]


def test_a_date_that_connection_names_gives_way_to_one_of_weirs(bench):
    proxy, _ = bench(says(OK + b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: date\r\n"
                          b"Content-Length: 2\r\n\r\nok"))
    with Client(proxy.port, GET) as c:
        assert c.answer().one(b"date").endswith(b" GMT") and b"1994" not in c.got


def test_a_client_of_http_1_0_gets_no_interim_answer(bench):
    proxy, _ = bench(says(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK2))
    with Client(proxy.port, GET10) as c:
        c.to_end()
        assert [m.status for m in parse_responses(c.got, ended=True)] == [200]


def test_an_interim_answer_comes_at_once(bench):
    def script(peer, n):
        peer.request()
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        seen.wait(PATIENCE)
        peer.send(OK2)
        peer.wait_end()
    seen = threading.Event()
    proxy, _ = bench(script)
    with Client(proxy.port, GET) as c:
        c.until(b"103 Early Hints")
        assert b"200 OK" not in c.got
        seen.set()
        assert c.answer().status == 200


def test_an_answer_streams_as_it_comes(bench):
    def script(peer, n):
        peer.request()
        peer.send(OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(5):
            peer.send(b"8\r\ndata: %d\n\r\n" % i)
            steps[i].wait(PATIENCE)
        peer.send(b"0\r\n\r\n")
        peer.wait_end()
    steps = [threading.Event() for _ in range(5)]
    proxy, _ = bench(script)
    with Client(proxy.port, GET) as c:
        for i in range(5):
            c.until(b"data: %d\n" % i)
            steps[i].set()
        assert c.answer().body == b"".join(b"data: %d\n" % i for i in range(5))


def test_a_request_streams_as_it_comes(bench):
    """Each part is answered before the next is sent."""
    def script(peer, n):
        peer.request(whole=False)
        peer.send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        for i in range(5):
            while b"part %d" % i not in peer.data:
                peer.data += peer.sock.recv(65536)
            peer.send(b"6\r\necho %d\r\n" % i)
        peer.request()
        peer.send(b"0\r\n\r\n")
        peer.wait_end()
    proxy, _ = bench(script)
    with Client(proxy.port, POST + b"Transfer-Encoding: chunked\r\n\r\n") as c:
        for i in range(5):
            c.send(b"6\r\npart %d\r\n" % i).until(b"echo %d" % i)
        m = c.send(b"0\r\n\r\n").answer()
        assert m.whole and m.body == b"".join(b"echo %d" % i for i in range(5))


@pytest.mark.parametrize("end", ["keep", "eof"])
@pytest.mark.parametrize("head", [b"Content-Length: 10000000\r\n\r\n",
                                  b"Transfer-Encoding: chunked\r\n\r\n989680\r\n"])
def test_an_early_answer_reaches_a_client_that_still_sends(head, end, bench):
    def script(peer, n):
        peer.request(whole=False)
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmuch")
        if end == "keep":
            while not peer.wait_end():
                pass
    proxy, server = bench(script)
    with Client(proxy.port, POST + head + b"x" * 1000) as c:
        m = c.answer()
        assert (m.status, m.body, m.one(b"connection")) == (413, b"much", b"close")
        for _ in range(9):
            c.send(b"x" * 1000)
        c.to_end()
        assert c.how == "eof"
    with Client(proxy.port, GET) as c:  # and the unfinished request's connection is not reused
        assert c.answer().status == 413
    assert server.count == 2


def test_a_connection_on_which_an_answer_began_early_is_not_used_again(bench):
    """Its server may not have read the rest of the request, though all of it was sent before the
    answer's end; what is unread there would be the next request."""
    def script(peer, n):
        if n == 0:
            peer.request(whole=False)
            peer.send(OK + b"Content-Length: 4\r\n\r\nso")
            while b"GET /smuggled" not in peer.data:
                peer.data += peer.sock.recv(65536)
            peer.send(b"on")
            peer.wait_end()
        elif peer.request():
            peer.send(OK2)
            peer.wait_end()
    proxy, server = bench(script)
    with Client(proxy.port, POST + b"Content-Length: 42\r\n\r\n") as c:
        c.until(b"so").send(b"GET /smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n")
        m = c.answer()
        assert m.body == b"soon" and m.one(b"connection") == b"close"
    with Client(proxy.port, GET) as c:
        assert c.answer().body == b"ok"
    assert server.count == 2


def test_an_early_refusal_that_resets_is_still_told(bench):
    """Written before the request was read, then closed with bytes unread: an RST follows."""
    def script(peer, n):
        peer.sock.recv(10)
        peer.send(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfull")
    proxy, _ = bench(script)
    for size in (0, 10, 300_000):
        with Client(proxy.port, POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size) as c:
            m = c.answer()
            assert (m.status, m.body) in ((503, b"full"), (502, m.body))
            assert size == 300_000 or m.status == 503


UNASKED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


def test_bytes_behind_an_answer_meet_nobody(bench):
    proxy, server = bench(says(OK2 + UNASKED))
    with Client(proxy.port) as c:
        for _ in range(3):
            c.got = b""
            assert c.send(GET).answer().body == b"ok"
    assert server.count == 3


@pytest.mark.parametrize("extra", [UNASKED, b"x", b"\r\n", b"HTTP/1.1 408 Timeout\r\n\r\n"])
def test_bytes_on_an_idle_connection_end_it(extra, bench):
    def script(peer, n):
        peer.request()
        peer.send(OK2)
        if n == 0:
            answered.wait(PATIENCE)
            peer.send(extra)
        ended.append(peer.wait_end())
    answered, ended = threading.Event(), []
    proxy, server = bench(script)
    with Client(proxy.port, GET) as c:
        assert c.answer().body == b"ok"
        answered.set()
        eventually(lambda: ended)
        c.got = b""
        assert c.send(GET).answer().body == b"ok"
    assert server.count == 2


def test_an_answer_too_many_that_races_with_a_request_tears_nothing(bench):
    """It comes while the connection goes from one request to the next, and may pass for the answer to
    that. Each request has one whole answer all the same, and what follows meets nobody."""
    def script(peer, n):
        while peer.request():
            peer.send(OK2)
            peer.send(UNASKED)
    proxy, server = bench(script)
    for _ in range(100):
        with Client(proxy.port, GET + GET) as c:
            found = c.answers(2)
            assert [m.status for m in found] == [200, 200] and all(m.whole for m in found)
            assert c.sock.send(GET) and len(c.answers(3)) == 3
    assert server.count > 50, "a connection was used on behind an answer too many"


def test_a_kept_connection_that_was_closed_is_replaced(bench):
    proxy, server = bench(says(OK2, end="eof"))
    with Client(proxy.port) as c:
        for _ in range(20):
            c.got = b""
            assert c.send(GET).answer().status == 200
    assert server.count >= 20


def test_a_post_on_a_kept_connection_is_never_sent_twice(bench):
    def script(peer, n):
        while m := peer.request():
            seen.append(m.target)
            if m.method == b"POST":
                return  # closed without an answer
            peer.send(OK2)
    seen = []
    proxy, _ = bench(script)
    with Client(proxy.port, GET) as c:
        assert c.answer().status == 200
        c.got = b""
        bad_gateway(c.send(POST + b"Content-Length: 0\r\n\r\n"))
    assert seen == [b"/", b"/p"]


def test_a_get_on_a_kept_connection_that_dies_is_sent_once_more(bench):
    def script(peer, n):
        served = 0
        while peer.request():
            served += 1
            if n == 0 and served == 2:
                return
            peer.send(OK2)
    proxy, server = bench(script)
    with Client(proxy.port, GET) as c:
        assert c.answer().status == 200
        c.got = b""
        assert c.send(GET).answer().status == 200
    assert server.count == 2
    assert proxy.status()["calls"]["replayed"] == 1


# ---- size ---------------------------------------------------------------------------------

@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_large_answer_to_a_slow_reader_comes_whole(framing, bench):
    total = 8 << 20
    body = bytes(range(256)) * 64  # 16 KiB

    def script(peer, n):
        peer.request()
        peer.send(OK + {"length": b"Content-Length: %d\r\n\r\n" % total,
                        "chunked": b"Transfer-Encoding: chunked\r\n\r\n", "close": b"\r\n"}[framing])
        for _ in range(total // len(body)):
            peer.send(b"%x\r\n" % len(body) + body + b"\r\n" if framing == "chunked" else body)
        if framing == "chunked":
            peer.send(b"0\r\n\r\n")
    proxy, _ = bench(script)
    with Client(proxy.port, GET10) as c:
        eventually(lambda: proxy.status()["exchanges"]["now"] == 1)
        c.to_end()
        assert c.how == "eof"
        head, _, got = c.got.partition(b"\r\n\r\n")
        assert len(got) == total and got == body * (total // len(body))


def test_a_client_that_goes_away_ends_its_exchange(bench):
    def script(peer, n):
        peer.request()
        peer.send(OK + b"Content-Length: 100000000\r\n\r\n")
        while True:
            try:
                peer.sock.sendall(b"x" * 65536)
            except OSError:
                return
    proxy, _ = bench(script, "--abandon", "reset")
    with Client(proxy.port, GET) as c:
        c.until(b"xxxx")
    eventually(lambda: proxy.status()["exchanges"]["now"] == 0)


def test_a_fin_behind_a_request_is_no_hang_up(bench):
    go = threading.Event()

    def script(peer, n):
        while peer.request():
            go.wait(PATIENCE)
            peer.send(OK2)

    p, _ = bench(script)
    with Client(p.port, GET + GET) as c:
        c.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.1)  # the FIN is seen long before there is an answer
        assert p.status()["exchanges"]["now"] == 1
        go.set()
        c.to_end()
        assert [m.body for m in parse_responses(c.got, ended=True)] == [b"ok", b"ok"]
        assert c.how == "eof" and c.got.count(b"Connection: close") == 1
    go.clear()
    with Client(p.port, GET) as c:
        eventually(lambda: p.status()["exchanges"]["now"] == 1)
        time.sleep(0.1)  # longer than a FIN may take that came with the request
        c.sock.shutdown(socket.SHUT_WR)
        eventually(lambda: p.status()["exchanges"]["now"] == 0)
        assert c.to_end() == b""
        go.set()


def test_a_fin_that_is_seen_late_came_when_it_came(bench):
    go, there = threading.Event(), threading.Event()

    def script(peer, n):
        while peer.request():
            there.set()
            go.wait(PATIENCE)
            peer.send(OK2)

    p, _ = bench(script)
    for _ in range(100):  # until this machine lets the FIN go out in time
        go.clear()
        there.clear()
        with Client(p.port, b"") as c:
            begun = time.monotonic()
            c.send(GET)
            assert there.wait(PATIENCE)
            p.process.send_signal(signal.SIGSTOP)
            c.sock.shutdown(socket.SHUT_WR)
            soon = time.monotonic() - begun < 0.004
            time.sleep(0.03)  # the proxy gets no processor while the FIN waits
            p.process.send_signal(signal.SIGCONT)
            time.sleep(0.03)  # and has looked at it before the answer comes
            go.set()
            c.to_end()
            if soon:
                break
    assert soon and [m.body for m in parse_responses(c.got, ended=True)] == [b"ok"]
