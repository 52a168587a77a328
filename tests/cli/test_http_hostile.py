"""Requests that are odd, hostile or large, by the byte: what is refused reaches the server with no
byte, a fault in a body breaks the upstream connection, and what passes is written anew in one form
that an independent strict reader takes in one way. docs/http.md tells each case in words."""

import pytest

from rawhttp import HOP_BY_HOP, Client, Recorder, eventually_ended, parse_requests, parse_responses
from verbs import Verb, eventually, gauges_at_zero

H = b"Host: api.test\r\n"
GET = b"GET / HTTP/1.1\r\n" + H
POST = b"POST /p HTTP/1.1\r\n" + H
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def server():
    with Recorder() as s:
        yield s


@pytest.fixture(scope="module")
def proxy(server, tmp_path_factory):
    with Verb("proxy", tmp_path_factory.mktemp("proxy"),
              "--upstream", f"http://127.0.0.1:{server.port}") as p:
        yield p


@pytest.fixture(autouse=True)
def nothing_left(proxy, server):
    server.forget()
    yield
    eventually(lambda: gauges_at_zero(proxy))


def probe(proxy):
    """Two requests after one another: what the proxy wrote to the server before the second one is
    read by the recorder before the second answer."""
    for _ in range(2):
        with Client(proxy.port, b"GET /probe HTTP/1.1\r\nHost: p\r\n\r\n") as c:
            assert c.answer().status == 200


def refused(c, status):
    """The last answer on the connection is this refusal, and then the connection ends."""
    c.to_end()
    assert c.how == "eof", "the refusal was reset away"
    last = parse_responses(c.got)[-1]
    assert last.status == status, c.got
    assert last.one(b"connection") == b"close"
    assert last.whole and last.body
    return last


# ---- faults in the head -------------------------------------------------------------------

FIELD = GET + b"%s\r\n\r\n"
SYNTAX = {
    "bare-lf-lines": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare-lf-request-line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare-lf-field": GET + b"A: b\nC: d\r\n\r\n",
    "bare-lf-end": GET + b"A: b\r\n\n",
    "bare-cr-request-line": b"GET /\rx HTTP/1.1\r\n" + H + b"\r\n",
    "bare-cr-value": FIELD % b"A: b\rContent-Length: 5",
    "bare-cr-ends-line": GET + b"A: b\rC: d\r\n\r\n",
    "cr-cr-lf": GET + b"A: b\r\r\n\r\n",
    "cr-before-head": b"\rGET / HTTP/1.1\r\n" + H + b"\r\n",
    "lf-before-head": b"\nGET / HTTP/1.1\r\n" + H + b"\r\n",
    "three-empty-lines": b"\r\n\r\n\r\nGET / HTTP/1.1\r\n" + H + b"\r\n",
    "obs-fold-space": FIELD % b"A: b\r\n c",
    "obs-fold-tab": FIELD % b"A: b\r\n\tc",
    "obs-fold-first-line": b"GET / HTTP/1.1\r\n " + H + b"\r\n",
    "obs-fold-of-framing": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "obs-fold-empty": FIELD % b"A: b\r\n ",
    "space-before-colon": FIELD % b"A : b",
    "tab-before-colon": FIELD % b"A\t: b",
    "space-before-colon-te": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "space-before-colon-cl": POST + b"Content-Length : 5\r\n\r\nhello",
    "empty-name": FIELD % b": b",
    "no-colon": FIELD % b"Abc",
    "name-with-space": FIELD % b"A B: c",
    "name-with-nul": FIELD % b"A\0B: c",
    "name-with-control": FIELD % b"A\x01: c",
    "name-with-del": FIELD % b"A\x7f: c",
    "name-with-high-byte": FIELD % b"\xc3\xa4: c",
    "name-with-slash": FIELD % b"A/B: c",
    "name-with-paren": FIELD % b"A(: c",
    "name-with-quote": FIELD % b"A\": c",
    "name-with-at": FIELD % b"A@: c",
    "te-behind-vertical-tab": POST + b"\x0bTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "value-with-nul": FIELD % b"A: b\0c",
    "value-with-bell": FIELD % b"A: b\x07c",
    "value-with-escape": FIELD % b"A: \x1b[0m",
    "value-with-vertical-tab": FIELD % b"A: b\x0bc",
    "value-with-form-feed": FIELD % b"A: b\x0cc",
    "value-with-del": FIELD % b"A: b\x7fc",
    "method-empty": b" / HTTP/1.1\r\n" + H + b"\r\n",
    "method-illegal": b"GE(T / HTTP/1.1\r\n" + H + b"\r\n",
    "method-nul": b"G\0T / HTTP/1.1\r\n" + H + b"\r\n",
    "two-spaces": b"GET  / HTTP/1.1\r\n" + H + b"\r\n",
    "two-spaces-version": b"GET /  HTTP/1.1\r\n" + H + b"\r\n",
    "tab-between": b"GET\t/ HTTP/1.1\r\n" + H + b"\r\n",
    "space-first": b" GET / HTTP/1.1\r\n" + H + b"\r\n",
    "space-last": b"GET / HTTP/1.1 \r\n" + H + b"\r\n",
    "target-missing": b"GET HTTP/1.1\r\n" + H + b"\r\n",
    "target-with-space": b"GET /a b HTTP/1.1\r\n" + H + b"\r\n",
    "target-with-nul": b"GET /\0 HTTP/1.1\r\n" + H + b"\r\n",
    "target-with-high-byte": b"GET /\xc3\xa4 HTTP/1.1\r\n" + H + b"\r\n",
    "target-with-del": b"GET /\x7f HTTP/1.1\r\n" + H + b"\r\n",
    "target-relative": b"GET a/b HTTP/1.1\r\n" + H + b"\r\n",
    "target-asterisk-get": b"GET * HTTP/1.1\r\n" + H + b"\r\n",
    "target-authority-get": b"GET api.test:80 HTTP/1.1\r\n" + H + b"\r\n",
    "target-fragment": b"GET /a#b HTTP/1.1\r\n" + H + b"\r\n",
    "target-fragment-absolute": b"GET http://api.test/a#b HTTP/1.1\r\n" + H + b"\r\n",
    "absolute-userinfo": b"GET http://me:pw@api.test/ HTTP/1.1\r\n" + H + b"\r\n",
    "absolute-userinfo-trick": b"GET http://api.test@evil.test/ HTTP/1.1\r\n" + H + b"\r\n",
    "absolute-no-host": b"GET http:///a HTTP/1.1\r\n" + H + b"\r\n",
    "absolute-other-scheme": b"GET ftp://api.test/ HTTP/1.1\r\n" + H + b"\r\n",
    "absolute-bad-port": b"GET http://api.test:8x/ HTTP/1.1\r\n" + H + b"\r\n",
    "absolute-port-too-high": b"GET http://api.test:65536/ HTTP/1.1\r\n" + H + b"\r\n",
    "version-missing": b"GET /\r\n" + H + b"\r\n",
    "version-lower-case": b"GET / http/1.1\r\n" + H + b"\r\n",
    "version-short": b"GET / HTTP/1\r\n" + H + b"\r\n",
    "version-long": b"GET / HTTP/1.10\r\n" + H + b"\r\n",
    "version-letters": b"GET / HTTP/a.b\r\n" + H + b"\r\n",
    "version-other": b"GET / ICY/1.1\r\n" + H + b"\r\n",
    "connection-no-token": FIELD % b"Connection: close, (x)",
    "tls-hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "smtp": b"EHLO there\r\n\r\n",
    "connect-without-port": b"CONNECT api.test HTTP/1.1\r\n" + H + b"\r\n",
    "connect-origin-form": b"CONNECT /a HTTP/1.1\r\n" + H + b"\r\n",
    "connect-userinfo": b"CONNECT me@api.test:443 HTTP/1.1\r\n" + H + b"\r\n",
}
HOST = {
    "host-missing": b"GET / HTTP/1.1\r\n\r\n",
    "host-missing-absolute": b"GET http://api.test/ HTTP/1.1\r\n\r\n",
    "host-empty": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "host-blank": b"GET / HTTP/1.1\r\nHost: \t \r\n\r\n",
    "host-doubled": GET + b"Host: b\r\n\r\n",
    "host-doubled-equal": GET + H + b"\r\n",
    "host-doubled-case": GET + b"hOST: api.test\r\n\r\n",
    "host-doubled-1.0": b"GET / HTTP/1.0\r\n" + H + H + b"\r\n",
    "host-list": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "host-two-words": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "host-userinfo": b"GET / HTTP/1.1\r\nHost: me@a\r\n\r\n",
    "host-path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "host-scheme": b"GET / HTTP/1.1\r\nHost: http://a\r\n\r\n",
    "host-query": b"GET / HTTP/1.1\r\nHost: a?b\r\n\r\n",
    "host-backslash": b"GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n",
    "host-bad-port": b"GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n",
    "host-two-ports": b"GET / HTTP/1.1\r\nHost: a:80:81\r\n\r\n",
    "host-port-too-high": b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n",
    "host-port-alone": b"GET / HTTP/1.1\r\nHost: :80\r\n\r\n",
    "host-v6-open": b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "host-v6-bad": b"GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n",
    "host-bad-escape": b"GET / HTTP/1.1\r\nHost: a%zz\r\n\r\n",
    "host-high-byte": b"GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n",
    "host-malformed-absolute": b"GET http://api.test/ HTTP/1.1\r\nHost: a b\r\n\r\n",
    "host-malformed-1.0": b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n",
}


def sized(value):
    return POST + b"Content-Length: " + value + b"\r\n\r\nhello"


LENGTH = {
    "cl-plus": sized(b"+5"), "cl-minus": sized(b"-5"), "cl-minus-zero": sized(b"-0"),
    "cl-list": sized(b"5,5"), "cl-list-space": sized(b"5, 5"), "cl-list-differs": sized(b"5, 6"),
    "cl-trailing-comma": sized(b"5,"), "cl-hex": sized(b"0x5"), "cl-hex-letter": sized(b"a"),
    "cl-inner-space": sized(b"1 0"), "cl-float": sized(b"5.0"), "cl-exponent": sized(b"1e1"),
    "cl-empty": sized(b""), "cl-quoted": sized(b'"5"'), "cl-word": sized(b"five"),
    "cl-underscore": sized(b"1_0"), "cl-semicolon": sized(b"5;"), "cl-octal": sized(b"0o5"),
    "cl-arabic-digit": sized(b"\xd9\xa5"), "cl-tab-inside": sized(b"5\t5"),
    "cl-2-63": sized(b"9223372036854775808"), "cl-2-64": sized(b"18446744073709551616"),
    "cl-2-64-and-5": sized(b"18446744073709551621"), "cl-2-32-twice": sized(b"4294967296" * 2),
    "cl-hundred-digits": sized(b"9" * 100), "cl-zeros": sized(b"0" * 40 + b"5"),
    "cl-doubled": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "cl-doubled-equal": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "cl-doubled-case": POST + b"Content-Length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "cl-spelled-as-cgi": POST + b"Content_Length: 5\r\n\r\nhello",
    "cl-and-cl-as-cgi": POST + b"Content-Length: 5\r\ncontent_LENGTH: 0\r\n\r\nhello",
    "te-spelled-as-cgi": POST + b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "cl-doubled-empty": POST + b"Content-Length: 5\r\nContent-Length:\r\n\r\nhello",
    "cl-te": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "te-cl": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "te-cl-zero": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
    "te-cl-apart": POST + b"Transfer-Encoding: chunked\r\nA: b\r\nContent-length: 5\r\n\r\n0\r\n\r\n",
    "te-cl-get": GET + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "te-other-cl": POST + b"Transfer-Encoding: x\r\nContent-Length: 5\r\n\r\nhello",
    "te-cl-named": POST + b"Connection: content-length\r\nTransfer-Encoding: chunked\r\n"
                          b"Content-Length: 5\r\n\r\n0\r\n\r\n",
    "te-1.0": b"POST / HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "te-1.0-keep": b"POST / HTTP/1.0\r\n" + H + b"Connection: keep-alive\r\n"
                   b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "te-1.0-cl": b"POST / HTTP/1.0\r\n" + H + b"Content-Length: 5\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\nhello",
    "trace-with-body": b"TRACE / HTTP/1.1\r\n" + H + b"Content-Length: 5\r\n\r\nhello",
    "trace-chunked": b"TRACE / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "connect-with-body": b"CONNECT a:443 HTTP/1.1\r\n" + H + b"Content-Length: 5\r\n\r\nhello",
}


def coded(*values):
    fields = b"".join(b"Transfer-Encoding:" + v + b"\r\n" for v in values)
    return POST + fields + b"\r\n0\r\n\r\n"


UNKNOWN = {
    "te-identity-chunked": coded(b" identity, chunked"), "te-gzip-chunked": coded(b" gzip, chunked"),
    "te-two-fields": coded(b" gzip", b" chunked"), "te-three": coded(b" gzip,deflate", b"Chunked"),
}
ENDLESS = {
    "te-twice-in-list": coded(b" chunked, chunked"), "te-identity": coded(b" identity"),
    "te-gzip": coded(b" gzip"), "te-chunked-gzip": coded(b" chunked, gzip"),
    "te-x": coded(b" xchunked"), "te-suffix": coded(b" chunkedx"), "te-quoted": coded(b' "chunked"'),
    "te-parameter": coded(b" chunked;a=b"), "te-comma-after": coded(b" chunked,"),
    "te-comma-before": coded(b" ,chunked"), "te-empty": coded(b""), "te-space": coded(b" chun ked"),
    "te-tab-inside": coded(b" chunked\tx"), "te-doubled": coded(b" chunked", b" chunked"),
    "te-two-fields-2": coded(b" chunked", b" identity"), "te-gzip-twice": coded(b" gzip,chunked", b" chunked"),
    "te-comma-between": coded(b" gzip,,chunked"), "te-comma-alone": coded(b" ,"),
    "te-nbsp": coded(b" \xa0chunked"), "te-dot": coded(b" chunked."), "te-cow": coded(b" cow"),
    "te-empty-and-chunked": coded(b"", b" chunked"),
}
LARGE = {
    "target-9k": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + H + b"\r\n", 414),
    "target-100k": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + H + b"\r\n", 414),
    "target-endless": (b"GET /" + b"a" * 60_000, 414),
    "method-endless": (b"A" * 5000, 501),
    "field-20k": (FIELD % (b"A: " + b"b" * 20_000), 431),
    "field-endless": (GET + b"A: " + b"b" * 100_000, 431),
    "name-20k": (FIELD % (b"A" * 20_000 + b": b"), 431),
    "fields-101": (GET + b"A: b\r\n" * 101 + b"\r\n", 431),
    "fields-5000": (GET + b"A: b\r\n" * 5000 + b"\r\n", 431),
    "cookies-17k": (GET + (b"Cookie: " + b"c" * 1000 + b"\r\n") * 17 + b"\r\n", 431),
    "options-65": (FIELD % (b"Connection: " + b",".join(b"x%d" % i for i in range(65))), 431),
}
OTHER = {
    "version-2.0": (b"GET / HTTP/2.0\r\n" + H + b"\r\n", 505),
    "version-0.9": (b"GET / HTTP/0.9\r\n" + H + b"\r\n", 505),
    "version-3.0": (b"GET / HTTP/3.0\r\n" + H + b"\r\n", 505),
    "h2-preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "expect-other": (POST + b"Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello", 417),
    "expect-list": (POST + b"Expect: 100-continue, x\r\nContent-Length: 5\r\n\r\nhello", 417),
    "expect-doubled": (POST + b"Expect: 100-continue\r\nExpect: 100-continue\r\n"
                              b"Content-Length: 5\r\n\r\nhello", 417),
    "expect-empty": (POST + b"Expect:\r\nContent-Length: 5\r\n\r\nhello", 417),
    "absolute-https": (b"GET https://api.test/ HTTP/1.1\r\n" + H + b"\r\n", 421),
    "connect": (b"CONNECT api.test:443 HTTP/1.1\r\n" + H + b"\r\n", 501),
    "connect-and-more": (b"CONNECT api.test:443 HTTP/1.1\r\n" + H + b"\r\n"
                         b"GET /smuggled HTTP/1.1\r\n" + H + b"\r\n", 501),
    "method-65-bytes": (b"A" * 65 + b" / HTTP/1.1\r\n" + H + b"\r\n", 501),
}
HEAD_FAULTS = {
    **{name: (raw, 400) for table in (SYNTAX, HOST, LENGTH) for name, raw in table.items()},
    **{name: (raw, 400) for name, raw in ENDLESS.items()},
    **{name: (raw, 501) for name, raw in UNKNOWN.items()}, **LARGE, **OTHER}


@pytest.mark.parametrize("name", HEAD_FAULTS)
def test_a_fault_in_the_head_reaches_no_server(name, proxy, server):
    raw, status = HEAD_FAULTS[name]
    with Client(proxy.port, raw) as c:
        refused(c, status)
    probe(proxy)
    assert all(m.target == b"/probe" for m in server.requests()), server.seen()
    assert server.seen().count(b"GET /probe") == 2


@pytest.mark.parametrize("name", ["bare-lf-field", "obs-fold-space", "host-doubled", "cl-plus",
                                  "te-cl", "te-x", "fields-101", "version-2.0", "cr-cr-lf"])
def test_a_fault_is_seen_however_it_is_split(name, proxy, server):
    raw, status = HEAD_FAULTS[name]
    for size in (1, 7):
        with Client(proxy.port).drip(raw, size) as c:
            refused(c, status)
    probe(proxy)
    assert server.seen().count(b"HTTP/1.1") == 2


@pytest.mark.parametrize("byte", [b"\r", b"\n", b"\0"], ids=["cr", "lf", "nul"])
def test_a_stray_byte_is_a_fault_anywhere_in_a_head(byte, proxy, server):
    raw = b"POST /a HTTP/1.1\r\n" + H + b"Content-Length: 0\r\nA: b c\r\n\r\n"
    for at in range(len(raw) - 1):
        with Client(proxy.port, raw[:at] + byte + raw[at:]) as c:
            refused(c, 400)
    probe(proxy)
    assert server.seen().count(b"HTTP/1.1") == 2


@pytest.mark.parametrize("name", ["cl-te", "te-x", "connect-and-more", "bare-cr-value"])
def test_what_follows_a_refused_request_is_not_read_as_another(name, proxy, server):
    raw, status = HEAD_FAULTS[name]
    with Client(proxy.port, raw + b"GET /smuggled HTTP/1.1\r\n" + H + b"\r\n") as c:
        refused(c, status)
        assert c.got.count(b"HTTP/1.1 ") == 1
    probe(proxy)
    assert b"smuggled" not in server.seen()


@pytest.mark.parametrize("raw, status", [
    (b"HEAD / HTTP/1.1\r\n\r\n", 400), (b"HEAD / HTTP/1.1\r\n" + H + b"A : b\r\n\r\n", 400),
    (b"\r\nHEAD /a b HTTP/1.1\r\n" + H + b"\r\n", 400), (b"HEAD / HTTP/2.0\r\n" + H + b"\r\n", 505),
    (b"HEAD / HTTP/1.1\r\n" + H + b"Transfer-Encoding: x\r\n\r\n", 400),
    (b"HEAD / HTTP/1.1\r\n" + H + b"Transfer-Encoding: x, chunked\r\n\r\n", 501),
    (b"HEAD / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400)])
def test_a_refused_head_request_gets_a_head_alone(raw, status, proxy, server):
    with Client(proxy.port, raw) as c:
        c.to_end()
    m, = parse_responses(c.got, (b"HEAD",))
    assert m.status == status and c.got.endswith(b"\r\n\r\n") and c.how == "eof"
    assert int(m.one(b"content-length")) > 0 and m.one(b"connection") == b"close"


# ---- faults in the body -------------------------------------------------------------------

BODY_FAULTS = {
    "size-no-hex": b"zz\r\nhello\r\n0\r\n\r\n",
    "size-empty": b"\r\nhello\r\n0\r\n\r\n",
    "size-0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size-minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "size-plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "size-space-before": b" 5\r\nhello\r\n0\r\n\r\n",
    "size-space-after": b"5 \r\nhello\r\n0\r\n\r\n",
    "size-tab-after": b"5\t\r\nhello\r\n0\r\n\r\n",
    "size-lf": b"5\nhello\r\n0\r\n\r\n",
    "size-cr": b"5\rhello\r\n0\r\n\r\n",
    "size-lf-first": b"\n5\r\nhello\r\n0\r\n\r\n",
    "size-17-digits": b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    "size-2-64": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "size-2-64-less-1": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "size-2-63": b"8000000000000000\r\nhello\r\n0\r\n\r\n",
    "size-underscore": b"1_0\r\nhello\r\n0\r\n\r\n",
    "size-comma": b"5,5\r\nhello\r\n0\r\n\r\n",
    "data-short": b"6\r\nhello\r\n0\r\n\r\n",
    "data-long": b"4\r\nhello\r\n0\r\n\r\n",
    "data-no-crlf": b"5\r\nhello0\r\n\r\n",
    "data-lf": b"5\r\nhello\n0\r\n\r\n",
    "data-cr": b"5\r\nhello\r0\r\n\r\n",
    "data-other-two-bytes": b"5\r\nhelloXX0\r\n\r\n",
    "ext-no-name": b"5;\r\nhello\r\n0\r\n\r\n",
    "ext-space": b"5 ;a\r\nhello\r\n0\r\n\r\n",
    "ext-lf": b"5;a\nhello\r\n0\r\n\r\n",
    "ext-cr": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "ext-nul": b"5;a\0\r\nhello\r\n0\r\n\r\n",
    "ext-open-quote": b'5;a="b\r\nhello\r\n0\r\n\r\n',
    "ext-lf-in-quotes": b'5;a="b\nc"\r\nhello\r\n0\r\n\r\n',
    "ext-long": b"5;" + b"a" * 400 + b"\r\nhello\r\n0\r\n\r\n",
    "ext-endless": b"5;" + b"a" * 50_000,
    "ext-on-each-byte": (b"1;" + b"a" * 200 + b"\r\nx\r\n") * 1000 + b"0\r\n\r\n",
    "ext-on-each-byte-quoted": (b'1;a="' + b"b" * 200 + b'"\r\nx\r\n') * 1000 + b"0\r\n\r\n",
    "second-size-bad": b"5\r\nhello\r\nxyz\r\n",
    "last-size-bad": b"5\r\nhello\r\n0x\r\n\r\n",
    "trailer-lf": b"5\r\nhello\r\n0\r\nA: b\n\r\n",
    "trailer-no-name": b"5\r\nhello\r\n0\r\n: b\r\n\r\n",
    "trailer-space-before-colon": b"5\r\nhello\r\n0\r\nA : b\r\n\r\n",
    "trailer-fold": b"5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n",
    "trailer-nul": b"5\r\nhello\r\n0\r\nA: b\0\r\n\r\n",
    "trailer-no-colon": b"5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\n\r\n",
    "trailer-huge": b"5\r\nhello\r\n0\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
    "end-lf": b"5\r\nhello\r\n0\r\n\n",
    "end-cr": b"5\r\nhello\r\n0\r\n\rX",
    "end-other": b"5\r\nhello\r\n0\r\nX\r\n\r\n",
}


def aborted(server):
    """No whole request has come of it, and its connection is gone."""
    eventually(lambda: all(e for b, e in server.ends() if b.startswith(b"POST /p")))
    for data, _ in server.ends():
        assert not [m for m in parse_requests(data) if m.whole and m.target == b"/p"], data


@pytest.mark.parametrize("name", BODY_FAULTS)
def test_a_fault_in_the_body_is_never_a_whole_request(name, proxy, server):
    with Client(proxy.port, CHUNKED + BODY_FAULTS[name]) as c:
        refused(c, 400)
    probe(proxy)
    aborted(server)


@pytest.mark.parametrize("name", ["data-no-crlf", "size-minus", "end-lf", "trailer-fold"])
def test_a_late_fault_in_the_body_aborts_the_upstream(name, proxy, server):
    """The first chunks are at the server already."""
    with Client(proxy.port, CHUNKED + b"4\r\ngood\r\n") as c:
        eventually(lambda: b"good" in server.seen())
        refused(c.send(BODY_FAULTS[name]), 400)
    data, how = eventually_ended(server)
    assert b"good" in data and how == "reset"
    aborted(server)


@pytest.mark.parametrize("head, part", [
    (POST + b"Content-Length: 10\r\n\r\n", b"hello"), (CHUNKED, b"5\r\nhello\r\n"),
    (CHUNKED, b"5\r\nhel"), (CHUNKED, b"5\r\nhello\r\n0\r\n"), (CHUNKED, b"5\r\nhello\r\n0\r\nA: b")])
@pytest.mark.parametrize("how", ["eof", "reset"])
def test_a_body_that_breaks_off_is_never_a_whole_request(head, part, how, proxy, server):
    with Client(proxy.port, head + part) as c:
        eventually(lambda: b"hel" in server.seen())
        if how == "reset":
            c.reset()
    assert eventually_ended(server)[1] == "reset"
    aborted(server)


def test_a_fault_after_100_continue_is_told(proxy, server):
    with Client(proxy.port, POST + b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n") as c:
        c.until(b"HTTP/1.1 100 Continue\r\n\r\n")
        refused(c.send(b"5\r\nhello\r\nxx\r\n"), 400)
    aborted(server)


# ---- what passes --------------------------------------------------------------------------

def passed(proxy, server, raw, method=b"GET"):
    """The one request the server saw."""
    with Client(proxy.port, raw) as c:
        assert c.answer(method).status == 200
    found = server.requests()
    assert len(found) == 1 and found[0].whole
    assert found[0].one(b"host") == server.authority
    # a body that the server may leave unread is the last on its connection
    last = [b"close"] if found[0].body and found[0].method == b"GET" else []
    assert found[0].all(b"connection") == last
    for name in HOP_BY_HOP[1:] + (b"expect",):
        assert not found[0].all(name), found[0].fields
    return found[0]


PASS = {  # raw: method, target, framing, body
    "get": (GET + b"\r\n", b"GET", b"/", "none", b""),
    "one-empty-line": (b"\r\n" + GET + b"\r\n", b"GET", b"/", "none", b""),
    "http-1.0": (b"GET /a HTTP/1.0\r\n\r\n", b"GET", b"/a", "none", b""),
    "http-1.0-host": (b"GET /a HTTP/1.0\r\nHost: b\r\n\r\n", b"GET", b"/a", "none", b""),
    "http-1.2": (b"GET /a HTTP/1.2\r\n" + H + b"\r\n", b"GET", b"/a", "none", b""),
    "absolute": (b"GET http://other.test/a?b HTTP/1.1\r\n" + H + b"\r\n", b"GET", b"/a?b", "none",
                 b""),
    "absolute-no-path": (b"GET http://api.test HTTP/1.1\r\n" + H + b"\r\n", b"GET", b"/", "none",
                         b""),
    "absolute-query": (b"GET http://api.test?q HTTP/1.1\r\n" + H + b"\r\n", b"GET", b"/?q", "none",
                       b""),
    "absolute-upper": (b"GET HTTP://API.TEST:80/ HTTP/1.1\r\n" + H + b"\r\n", b"GET", b"/", "none",
                       b""),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\n" + H + b"\r\n", b"OPTIONS", b"*", "none", b""),
    "asterisk-absolute": (b"OPTIONS http://api.test HTTP/1.1\r\n" + H + b"\r\n", b"OPTIONS", b"*",
                          "none", b""),
    "host-v6": (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", b"GET", b"/", "none", b""),
    "trace": (b"TRACE / HTTP/1.1\r\n" + H + b"\r\n", b"TRACE", b"/", "none", b""),
    "delete": (b"DELETE /d HTTP/1.1\r\n" + H + b"\r\n", b"DELETE", b"/d", "none", b""),
    "other-method": (b"PROPFIND / HTTP/1.1\r\n" + H + b"\r\n", b"PROPFIND", b"/", "none", b""),
    "lower-case-method": (b"get / HTTP/1.1\r\n" + H + b"\r\n", b"get", b"/", "none", b""),
    "odd-target": (b"GET //a/../b;c?d=[e]&f={g}|h%zz\\ HTTP/1.1\r\n" + H + b"\r\n", b"GET",
                   b"//a/../b;c?d=[e]&f={g}|h%zz\\", "none", b""),
    "post-no-length": (POST + b"\r\n", b"POST", b"/p", "none", b""),
    "post-empty": (POST + b"Content-Length: 0\r\n\r\n", b"POST", b"/p", "length", b""),
    "post": (sized(b"5"), b"POST", b"/p", "length", b"hello"),
    "post-ows": (sized(b"  \t5 \t"), b"POST", b"/p", "length", b"hello"),
    "post-zeros": (sized(b"0005"), b"POST", b"/p", "length", b"hello"),
    "get-with-body": (GET + b"Content-Length: 5\r\n\r\nhello", b"GET", b"/", "length", b"hello"),
    "get-chunked": (GET + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"GET", b"/",
                    "chunked", b"hello"),
    "chunked": (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", b"POST", b"/p", "chunked", b"hello"),
    "chunked-ows": (coded(b"\t chunked \t")[:-5] + b"5\r\nhello\r\n0\r\n\r\n", b"POST", b"/p",
                    "chunked", b"hello"),
    "chunked-no-space": (coded(b"chunked")[:-5] + b"5\r\nhello\r\n0\r\n\r\n", b"POST", b"/p",
                         "chunked", b"hello"),
    "te-capital": (coded(b" Chunked"), b"POST", b"/p", "chunked", b""),
    "te-upper": (coded(b" CHUNKED"), b"POST", b"/p", "chunked", b""),
    "chunked-upper-hex": (CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", b"POST", b"/p", "chunked",
                          b"0123456789"),
    "chunked-zeros": (CHUNKED + b"0005\r\nhello\r\n000\r\n\r\n", b"POST", b"/p", "chunked", b"hello"),
    "chunked-extensions": (CHUNKED + b"5;a;b=c;d=\"e\\\"\xff\"\r\nhello\r\n0;x\r\n\r\n", b"POST",
                           b"/p", "chunked", b"hello"),
    "chunked-byte-by-byte": (CHUNKED + b"0001;abcdefgh\r\nx\r\n" * 5000 + b"0\r\n\r\n", b"POST", b"/p",
                             "chunked", b"x" * 5000),
    "chunked-extensions-in-proportion": (
        CHUNKED + (b"64;" + b"a" * 200 + b"\r\n" + b"x" * 100 + b"\r\n") * 1000 + b"0\r\n\r\n", b"POST",
        b"/p", "chunked", b"x" * 100_000),
    "chunked-trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nContent-Length: 9\r\nX: y\r\n\r\n", b"POST",
                         b"/p", "chunked", b"hello"),
    "chunked-empty": (CHUNKED + b"0\r\n\r\n", b"POST", b"/p", "chunked", b""),
    "chunk-that-looks-like-a-request": (
        CHUNKED + b"18\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n\r\n0\r\n\r\n", b"POST", b"/p", "chunked",
        b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"),
    "expect-no-body": (GET + b"Expect: 100-continue\r\n\r\n", b"GET", b"/", "none", b""),
    "expect-1.0": (b"POST /p HTTP/1.0\r\n" + H + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
                   b"hello", b"POST", b"/p", "length", b"hello"),
    "upgrade-h2c": (GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                          b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", b"GET", b"/", "none", b""),
}


@pytest.mark.parametrize("name", PASS)
def test_what_passes_is_written_in_one_form(name, proxy, server):
    raw, method, target, framing, body = PASS[name]
    m = passed(proxy, server, raw, method)
    assert (m.method, m.target, m.framing, m.body) == (method, target, framing, body)


@pytest.mark.parametrize("name", ["chunked-trailers", "chunked-extensions", "post", "absolute",
                                  "chunk-that-looks-like-a-request", "one-empty-line"])
def test_what_passes_may_come_in_any_pieces(name, proxy, server):
    raw, method, target, framing, body = PASS[name]
    for size in (1, 3):
        server.forget()
        with Client(proxy.port).drip(raw, size) as c:
            assert c.answer(method).status == 200
        m, = server.requests()
        assert (m.method, m.target, m.framing, m.body) == (method, target, framing, body)


def others(m):
    """The fields that are the caller's: not Host, not weir's Via, not what is left of the deadline."""
    return [(n, v) for n, v in m.fields if n not in (b"Host", b"Weir-Timeout") and
            not (n == b"Via" and b" weir (" in v)]


def test_fields_of_the_hop_are_taken_off(proxy, server):
    m = passed(proxy, server, GET + b"Connection: close, X-Secret , ,x-twice\r\nX-Secret: 1\r\n"
               b"Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers, deflate\r\n"
               b"Trailer: X-T\r\nUpgrade: foo\r\nProxy-Authorization: Basic eA==\r\nX-Twice: 1\r\n"
               b"x-TWICE: 2\r\nX-End: kept\r\nAccept: a\r\nAccept: b\r\n\r\n")
    assert others(m) == [(b"X-End", b"kept"), (b"Accept", b"a"), (b"Accept", b"b")]


@pytest.mark.parametrize("kept", [False, True])
def test_the_server_gets_the_name_of_its_url(kept, server, tmp_path):
    """And not the address it stands for: many servers live at one."""
    authority = f"localhost:{server.port}"
    with Verb("proxy", tmp_path, "--upstream", f"http://{authority}/base",
              *(["--preserve-host"] if kept else [])) as p:
        for raw in (GET + b"\r\n", b"GET / HTTP/1.0\r\n\r\n"):
            with Client(p.port, raw) as c:
                assert c.answer().status == 200
        eventually(lambda: gauges_at_zero(p))
    found = server.requests()
    assert [m.target for m in found] == [b"/base/"] * 2
    assert [m.one(b"host").decode() for m in found] == ["api.test" if kept else authority, authority]


def test_framing_named_by_connection_is_still_the_framing(proxy, server):
    """Or a caller could make the server see another length than weir does."""
    m = passed(proxy, server, POST + b"Connection: content-length, host\r\nContent-Length: 5\r\n\r\n"
               b"hello")
    assert (m.framing, m.body) == ("length", b"hello")
    server.forget()
    m = passed(proxy, server, POST + b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked"
               b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert (m.framing, m.body) == ("chunked", b"hello")


def test_values_pass_as_they_are(proxy, server):
    m = passed(proxy, server, GET + b"A:b\r\nB: \t c\td \t\r\nC:\r\nD: \xe4\xff\r\nE: \"q\\\"\"\r\n\r\n")
    assert others(m) == [(b"A", b"b"), (b"B", b"c\td"), (b"C", b""), (b"D", b"\xe4\xff"),
                         (b"E", b'"q\\""')]


def test_heads_up_to_the_limits_pass(proxy, server):
    m = passed(proxy, server, b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\n" + H + b"\r\n")
    assert len(m.target) == 8001
    server.forget()
    m = passed(proxy, server, GET + b"".join(b"F%d: v\r\n" % i for i in range(99)) + b"\r\n")
    assert len(others(m)) == 99
    server.forget()
    m = passed(proxy, server, GET + b"A: " + b"v" * 15_000 + b"\r\n\r\n")
    assert len(m.one(b"A")) == 15_000


# ---- several requests on a connection -----------------------------------------------------

def test_pipelined_requests_are_answered_in_order(proxy, server):
    raw = (GET + b"\r\n" + CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + b"HEAD /h HTTP/1.1\r\n" + H + b"\r\n"
           + sized(b"5") + b"\r\n" + b"GET /last HTTP/1.1\r\n" + H + b"\r\n")
    with Client(proxy.port, raw) as c:
        methods = (b"GET", b"POST", b"HEAD", b"POST", b"GET")
        found = c.answers(5, methods)
        assert [m.status for m in found] == [200] * 5
        assert [m.body for m in found] == [b"ok", b"ok", b"", b"ok", b"ok"]
    assert [m.target for m in server.requests()] == [b"/", b"/p", b"/h", b"/p", b"/last"]


def test_a_hundred_pipelined_requests(proxy, server):
    with Client(proxy.port, b"".join(b"GET /%d HTTP/1.1\r\n" % i + H + b"\r\n" for i in range(100))) as c:
        assert len(c.answers(100)) == 100
    assert [m.target for m in server.requests()] == [b"/%d" % i for i in range(100)]


@pytest.mark.parametrize("bad, status", [
    (b"GET /bad HTTP/1.1\r\n\r\n", 400), (LENGTH["te-cl"], 400), (ENDLESS["te-x"], 400),
    (UNKNOWN["te-gzip-chunked"], 501),
    (b"GET /b\nad HTTP/1.1\r\n", 400), (LARGE["target-9k"][0], 414)])
def test_a_bad_request_in_a_pipeline_ends_it(bad, status, proxy, server):
    with Client(proxy.port, GET + b"\r\n" + GET + b"\r\n" + bad + b"GET /after HTTP/1.1\r\n" + H
                + b"\r\n") as c:
        refused(c, status)
        assert [m.status for m in parse_responses(c.got, (b"GET",) * 3)] == [200, 200, status]
    probe(proxy)
    assert [m.target for m in server.requests()] == [b"/", b"/", b"/probe", b"/probe"]


@pytest.mark.parametrize("raw, keeps", [
    (GET + b"Connection: close\r\n\r\n", False), (GET + b"Connection: CLOSE\r\n\r\n", False),
    (GET + b"Connection: x, Close\r\n\r\n", False), (GET + b"Connection: keep-alive\r\n\r\n", True),
    (GET + b"Connection: keep-alive, close\r\n\r\n", False), (GET + b"\r\n", True),
    (b"GET / HTTP/1.0\r\n\r\n", False), (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
    (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", True),
    (b"GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n", False),
    (b"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", False)])
def test_how_long_a_connection_lasts_is_the_callers_word(raw, keeps, proxy, server):
    with Client(proxy.port, raw) as c:
        m = c.answer()
        assert m.status == 200
        told = m.all(b"connection")
        if keeps:
            assert told == ([b"keep-alive"] if b"HTTP/1.0" in raw else [])
            c.got = b""
            assert c.send(raw).answer().status == 200
        else:
            assert told == [b"close"]
            c.send(GET + b"\r\n").to_end()
            assert c.how == "eof" and c.got.count(b"HTTP/1.1 ") == 1


# ---- expectations, and what never comes ---------------------------------------------------

def test_expect_100_continue_is_answered_before_the_body(proxy, server):
    with Client(proxy.port, POST + b"Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n") as c:
        c.until(b"\r\n\r\n")
        assert c.got == b"HTTP/1.1 100 Continue\r\n\r\n"
        found = c.send(b"hello").answers()
        assert [m.status for m in found] == [100, 200]
        c.got = b""
        assert c.send(GET + b"\r\n").answer().status == 200
    assert [m.body for m in server.requests()] == [b"hello", b""]


def test_a_body_that_did_not_wait_for_100_is_taken(proxy, server):
    with Client(proxy.port, POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello") as c:
        assert c.answer().status == 200
    assert server.requests()[0].body == b"hello"


def test_an_unfinished_head_times_out(server, tmp_path):
    with Verb("proxy", tmp_path, "--upstream", f"http://127.0.0.1:{server.port}",
              "--client-head-for", "300ms") as p:
        for part in (b"G", b"GET / HTTP/1.1\r\n", GET, GET + b"A: b\r\n", GET + b"\r"):
            with Client(p.port, part) as c:
                refused(c, 408)
        with Client(p.port, GET + b"\r\n") as c:
            assert c.answer().status == 200
            c.got = b""
            refused(c.send(b"GET / HT"), 408)
        with Client(p.port) as c:  # nothing was asked: nothing is answered
            assert c.to_end() == b"" and c.how == "eof"
        eventually(lambda: gauges_at_zero(p))
    assert [m.target for m in server.requests()] == [b"/"]


@pytest.mark.parametrize("head, part", [
    (POST + b"Content-Length: 10\r\n\r\n", b"hello"), (CHUNKED, b"5\r\nhello\r\n"),
    (POST + b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n", b"")])
def test_an_unfinished_body_times_out(head, part, server, tmp_path):
    with Verb("proxy", tmp_path, "--upstream", f"http://127.0.0.1:{server.port}",
              "--timeout", "300ms") as p:
        with Client(p.port, head + part) as c:
            refused(c, 408)
        aborted(server)
        eventually(lambda: gauges_at_zero(p))
