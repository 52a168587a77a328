"""Paths that a server may read in another way than byte for byte: whatever it makes of one, the
request is of the route that weir took it for, and below the path of the upstream's URL."""

import pytest

from rawhttp import Client, Recorder
from verbs import Verb, eventually, gauges_at_zero

ROUTES = """
upstreams:
  open: {{ url: http://127.0.0.1:{open} }}
  inner: {{ url: http://127.0.0.1:{inner}/base }}
routes:
  - {{ path: /admin/*, method: GET, upstream: inner }}
  - {{ path: /admin/*, host: never.test, upstream: inner }}
  - {{ path: /exact, upstream: inner }}
  - {{ host: named.test, upstream: inner }}
  - {{ path: /pub/*, upstream: open }}
  - {{ path: /*, method: [GET, POST], upstream: open }}
"""


@pytest.fixture(scope="module")
def servers():
    with Recorder() as opened, Recorder() as inner:
        yield opened, inner


@pytest.fixture(scope="module")
def proxy(servers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("paths")
    file = folder / "weir.yaml"
    file.write_text(ROUTES.format(open=servers[0].port, inner=servers[1].port))
    with Verb("proxy", folder, "--config", file) as p:
        yield p


@pytest.fixture(autouse=True)
def nothing_left(proxy, servers):
    for s in servers:
        s.forget()
    yield
    eventually(lambda: gauges_at_zero(proxy))


def ask(proxy, target, host=b"x"):
    with Client(proxy.port, b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n") as c:
        return c.answer()


def seen(servers):
    return [[m.target for m in s.requests()] for s in servers]


OTHERS = [  # by their bytes of /*, or of /pub/*; read, of /admin/* or /exact
    b"/x/../admin/a", b"/./admin/a", b"//admin/a", b"/pub//../admin/a", b"/%61dmin/a", b"/admin%2fa",
    b"/admin%2Fa", b"/pub/../admin/a", b"/pub/..%2fadmin/a", b"/pub/%2e%2E/admin/a", b"/\\admin/a",
    b"/pub\\..\\admin\\a", b"/admin;v=1/a", b"/pub/..;/admin/a", b"/;/admin/a", b"/../admin/a",
    b"/exact/.", b"/%65xact", b"/exact;jsessionid=1", b"//exact", b"/./exact?q=/pub/", b"/pub/..",
    b"http://x//admin/a",
    # of the same route for who does all that, but not for who does a part of it
    b"/a/../admin//../b", b"/pub/../admin/%2e%2e/pub/b", b"/pub/x%2Fy/%2e%2e/%2e%2e/admin/../pub",
    b"/%61dmin/../b", b"//admin/../b", b"/a/../admin/\\../../b", b"/admin;/../b",
    b"/pub/x%2fy%5c..%5c..%5cadmin/a",
    # nor for who takes dots back before it merges or decodes
    b"/x/..//admin/y//../../w", b"/x/../%61dmin/%2e%2e/b",
]
CLIMBS = [  # of /admin/* or of a host alone either way; and out of /base
    (b"/admin/../../admin/a", b"x"), (b"/..", b"named.test"), (b"/../secret", b"named.test"),
    (b"/a/%2e%2e/%2e%2e/secret", b"named.test"), (b"/a/..%5c..%5csecret", b"named.test"),
    (b"/a/..;/..;/secret", b"named.test"),
]


@pytest.mark.parametrize("target, host", [(t, b"x") for t in OTHERS if t not in (b"/exact/.",)] + CLIMBS)
def test_a_path_that_could_be_another_routes_is_refused(target, host, proxy, servers):
    m = ask(proxy, target, host)
    assert (m.status, m.one(b"weir-reason"), m.one(b"connection")) == (400, b"ambiguous-path", b"close")
    assert seen(servers) == [[], []]


@pytest.mark.parametrize("line, sent", [
    (b"OPTIONS *", b"*"), (b"OPTIONS http://named.test", b"*"), (b"OPTIONS http://named.test/", b"/base/"),
    (b"OPTIONS http://named.test?q", b"/base/?q"), (b"GET http://named.test", b"/base/"),
    (b"GET http://named.test?q", b"/base/?q"), (b"GET /?q", b"/base/?q")])
def test_a_target_without_a_path_is_put_behind_the_urls(line, sent, proxy, servers):
    with Client(proxy.port, line + b" HTTP/1.1\r\nHost: named.test\r\n\r\n") as c:
        assert c.answer().status == 200
    assert seen(servers) == [[], [sent]]


@pytest.mark.parametrize("target, host, nth, sent", [
    (b"/admin/a", b"x", 1, b"/base/admin/a"),
    (b"/admin/b/../a//%61;v=1", b"x", 1, b"/base/admin/b/../a//%61;v=1"),
    (b"/a/../b", b"named.test", 1, b"/base/a/../b"),
    (b"/pub/./a", b"x", 0, b"/pub/./a"),
    (b"/pub/%E2%82%AC/a%2Fb;c", b"x", 0, b"/pub/%E2%82%AC/a%2Fb;c"),
    (b"/pub/%252e%252e/admin/a", b"x", 0, b"/pub/%252e%252e/admin/a"),
    (b"/.well-known/x", b"x", 0, b"/.well-known/x"),
    (b"/exact/.", b"x", 0, b"/exact/."),
    (b"/Admin/a", b"x", 0, b"/Admin/a"),
    (b"/a?b=/../admin//%2e", b"x", 0, b"/a?b=/../admin//%2e"),
])
def test_an_odd_path_of_one_route_passes_as_it_is(target, host, nth, sent, proxy, servers):
    assert ask(proxy, target, host).status == 200
    assert seen(servers)[nth] == [sent] and seen(servers)[1 - nth] == []


def test_a_path_with_too_much_to_read_is_refused(proxy, servers):
    """Every way of reading doubles the work, and anybody may ask for it."""
    odd = b"/pub/%2f;a/../"
    assert ask(proxy, b"/pub/" + b"a/" * 4000).status == 200
    assert ask(proxy, b"/pub/" + b"%20" * 2500).status == 200
    assert seen(servers) == [[b"/pub/" + b"a/" * 4000, b"/pub/" + b"%20" * 2500], []]
    m = ask(proxy, odd + b"a/" * 2000)
    assert (m.status, m.one(b"weir-reason")) == (400, b"ambiguous-path")


def test_a_dot_behind_a_host_makes_no_other_of_it(proxy, servers):
    for host in (b"named.test.", b"NAMED.test.:80"):
        assert ask(proxy, b"/a", host).status == 200
    assert seen(servers) == [[], [b"/base/a"] * 2]
