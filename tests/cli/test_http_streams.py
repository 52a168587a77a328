"""What is sent in pieces passes in pieces, at once: the next piece is sent only when the one before
has come through, so that whoever holds any back waits for ever. Plain and under TLS on either side."""

import contextlib
import queue
import shutil
import ssl

import pytest

from pki import LOCAL, Authority
from rawhttp import Client, Scripted
from verbs import PATIENCE, Verb, eventually, gauges_at_zero

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
SECURE = ["plain", "client", "server", "both"]
# what an event stream is like; bytes one by one; more than a buffer, and than a record of TLS
PIECES = {"events": [b"data: %d\n\n" % i for i in range(8)],
          "bytes": [b"%c" % c for c in b"data: slow\n\ndata: slower\n\n"],
          "large": [b"%d" % i * 50_000 for i in range(4)],
          "mixed": [b"a", b"b" * 20_000, b"c", b"d" * 5000, b"e" * 4096, b"f"]}


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("no openssl command")
    ca = Authority(tmp_path_factory.mktemp("pki"))
    return ca, ca.issue(*LOCAL)


@contextlib.contextmanager
def relayed(secure, request, folder, script):
    """connect() makes a client of a proxy before a server of this script."""
    by_client, by_server = secure in ("client", "both"), secure in ("server", "both")
    ca, cert = request.getfixturevalue("pki") if secure != "plain" else (None, None)

    def wrapped(peer, n):
        if by_server:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert.cert, cert.key)
            peer.sock = context.wrap_socket(peer.sock, server_side=True)
        script(peer, n)

    def connect():
        c = Client(p.port)
        if by_client:
            c.sock = ssl.create_default_context(cafile=str(ca.root)).wrap_socket(
                c.sock, server_hostname="localhost")
        return c

    with Scripted(wrapped) as server:
        url = f"https://localhost:{server.port}" if by_server else server.url
        with Verb("proxy", folder, "--upstream", url, *(cert.options() if by_client else ()),
                  *(("--upstream-ca", ca.root) if by_server else ())) as p:
            yield connect
            eventually(lambda: gauges_at_zero(p))


def framed(framing, piece):
    return b"%x\r\n%s\r\n" % (len(piece), piece) if framing == "chunked" else piece


def head_of(framing, pieces):
    return {"chunked": b"Transfer-Encoding: chunked\r\n", "close": b"",
            "length": b"Content-Length: %d\r\n" % sum(map(len, pieces))}[framing] + b"\r\n"


def payload(got):
    """What has come of the body behind a head, in chunks or not, whole or not."""
    head, end, data = got.partition(b"\r\n\r\n")
    if not end or b"Transfer-Encoding: chunked" not in head:
        return data
    body = b""
    while data:
        size, end, data = data.partition(b"\r\n")
        if not end:
            break
        body, data = body + data[:int(size, 16)], data[int(size, 16) + 2:]
    return body


def reads_until(c, expected):
    while (come := payload(c.got)) != expected:
        assert expected.startswith(come) and c.more(), c.how


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
@pytest.mark.parametrize("secure", SECURE)
def test_each_piece_of_an_answer_comes_at_once(secure, framing, pieces, request, tmp_path):
    pieces, come = PIECES[pieces], queue.Queue()

    def script(peer, n):
        peer.request()
        peer.send(HEAD + head_of(framing, pieces))
        assert come.get(timeout=PATIENCE) == "head"
        for i, piece in enumerate(pieces):
            peer.send(framed(framing, piece))
            assert come.get(timeout=PATIENCE) == i
        if framing == "chunked":
            peer.send(b"0\r\n\r\n")
        if framing != "close":
            peer.wait_end()
        elif isinstance(peer.sock, ssl.SSLSocket):
            peer.sock.unwrap()
    with relayed(secure, request, tmp_path, script) as connect, connect() as c:
        c.send(GET).until(b"\r\n\r\n")  # the head, before there is any body
        come.put("head")
        for i in range(len(pieces)):
            reads_until(c, b"".join(pieces[:i + 1]))
            come.put(i)
        m = c.answer()
        assert m.whole and m.body == b"".join(pieces)


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("secure", SECURE)
def test_each_piece_of_a_request_comes_at_once_and_is_answered(secure, framing, pieces, request, tmp_path):
    """Both ways at the same time: the server sends back what it has got."""
    pieces = PIECES[pieces]

    def script(peer, n):
        peer.request(whole=False)
        peer.send(HEAD + head_of("chunked", pieces))
        seen = b""
        while seen != b"".join(pieces):
            new = payload(peer.data)[len(seen):]
            if new:
                peer.send(framed("chunked", new))
                seen += new
            else:
                peer.data += (more := peer.sock.recv(65536))
                assert more, "ended before its end"
        peer.request()
        peer.send(b"0\r\n\r\n")
        peer.wait_end()
    with relayed(secure, request, tmp_path, script) as connect, connect() as c:
        c.send(POST + head_of(framing, pieces))
        for i, piece in enumerate(pieces):
            c.send(framed(framing, piece))
            reads_until(c, b"".join(pieces[:i + 1]))
        if framing == "chunked":
            c.send(b"0\r\n\r\n")
        m = c.answer()
        assert m.whole and m.body == b"".join(pieces)


@pytest.mark.parametrize("secure", SECURE)
def test_framing_byte_by_byte_holds_no_piece_back(secure, request, tmp_path):
    """Each byte of payload passes, whatever of the framing behind it has not come yet."""
    come = queue.Queue()

    def script(peer, n):
        peer.request()
        peer.send(HEAD + head_of("chunked", []))
        for i in range(5):
            for byte in b"003\r\n":
                peer.send(b"%c" % byte)
            for k in range(3):
                peer.send(b"%c" % (97 + k))
                assert come.get(timeout=PATIENCE) == 3 * i + k
            peer.send(b"\r")
            peer.send(b"\n")
        peer.send(b"0\r\n\r\n")
        peer.wait_end()
    with relayed(secure, request, tmp_path, script) as connect, connect() as c:
        c.send(GET)
        for i in range(15):
            reads_until(c, (b"abc" * 5)[:i + 1])
            come.put(i)
        assert c.answer().body == b"abc" * 5
