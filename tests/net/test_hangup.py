"""--abandon auto on real sockets: it hangs up where that frees the server's slots, drains where it
does not, and says why. Judged by what the server counts: refusals stay 0 all the while."""

import contextlib
from pathlib import Path

import pytest

from verbs import Verb, calling, eventually, gauges_at_zero

SOURCE = Path(__file__).parent / "watching.go"
LIMIT = 20
RATE = "150/s"
OPTIONS = ["--limit", LIMIT, "--latency", "mix(70%: 5ms, 30%: uniform(700ms, 900ms))"]


@pytest.fixture
def watching(go_program):
    """Go's net/http, with a handler that watches its context: the program's path."""
    return go_program(SOURCE)


@contextlib.contextmanager
def api(kind, folder, request):
    if kind in ("fasthttp", "watching"):
        with Verb(kind, folder, *OPTIONS, program=[request.getfixturevalue(kind)]) as s:
            yield s
    else:
        with Verb("origin", folder, *OPTIONS, "--hangup", kind) as s:
            yield s


@contextlib.contextmanager
def proxy(folder, upstream, *options):
    with Verb("proxy", folder, "--upstream", upstream.url, "--limit", LIMIT, "--timeout", "200ms",
              "--queue-for", "50ms", "--abandon", "auto", *options) as p:
        yield p


def abandon(p):
    return p.status()["upstreams"][0]["abandon"]


@pytest.mark.parametrize("kind", ["at-once", "watching"])
def test_a_server_that_watches_is_hung_up_on(kind, tmp_path, request):
    with api(kind, tmp_path, request) as s, proxy(tmp_path, s) as p:
        assert abandon(p)["does"] == "auto: drain"
        assert "no call was hung up on yet" in abandon(p)["because"]
        with calling(p, RATE):
            eventually(lambda: abandon(p)["does"] == "auto: hang up", within=90)
            found = abandon(p)
            before = p.status()["calls"]["hung_up"]
            eventually(lambda: p.status()["calls"]["hung_up"] > before + 20, within=60)
        assert "calls hung up on ended within 100 ms" in found["because"]
        assert found["hung_up"]["late"] == 0 and found["hung_up"]["soon"] >= 5
        eventually(lambda: gauges_at_zero(p))
        seen = s.status()
        assert seen["refused"] == 0 and seen["slots"]["peak"] <= LIMIT
    assert "it frees the slots of calls that are hung up on" in p.said


@pytest.mark.parametrize("kind", ["never", "fasthttp"])
def test_a_server_that_does_not_is_drained(kind, tmp_path, request):
    with api(kind, tmp_path, request) as s, proxy(tmp_path, s) as p:
        with calling(p, RATE):
            eventually(lambda: "had not ended after 100 ms" in abandon(p)["because"], within=90)
            eventually(lambda: p.status()["calls"]["drained"] > 100, within=90)
        calls = p.status()["calls"]
        assert abandon(p)["does"] == "auto: drain" and abandon(p)["changes"] == 0
        assert 1 <= calls["hung_up"] <= 10
        assert 600 < abandon(p)["longest_ms"] < 30_000
        eventually(lambda: gauges_at_zero(p))
        seen = s.status()
        assert seen["refused"] == 0 and seen["slots"]["peak"] <= LIMIT
    assert "hung up" not in p.said
