"""weir proxy --limit auto: the wall of a server that refuses and the knee of one that queues are
found while callers wait, and the admin endpoint says from what."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from verbs import WEIR, Verb, ask, calling, eventually, gauges_at_zero, get


@contextlib.contextmanager
def bench(tmp_path, origin, *options):
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(Verb("origin", tmp_path, *origin))
        proxy = stack.enter_context(Verb(
            "proxy", tmp_path, "--upstream", api.url, "--limit", "auto",
            "--queue-for", "300ms", *options))
        yield api, proxy
        eventually(lambda: gauges_at_zero(proxy))


def learned(proxy):
    s = proxy.status()["upstreams"][0]
    return s["limit_auto"], s


@contextlib.contextmanager
def found(tmp_path, origin, rate, state):
    """Callers who come at that rate have brought the limit to that state, and come still."""
    with bench(tmp_path, origin) as (api, proxy):
        assert learned(proxy)[0]["state"] == "search"
        with calling(proxy, rate):
            eventually(lambda: learned(proxy)[0]["state"] == state)
            yield api, proxy


def load(proxy, rate, for_):
    """Its report."""
    p = subprocess.run([WEIR, "load", "--rate", rate, "--for", for_, "--json", proxy.url],
                       stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                       check=True)
    return json.loads(p.stdout)


def test_a_wall(tmp_path):
    origin = ["--limit", "12", "--latency", "50ms"]
    with found(tmp_path, origin, "400/s", "wall") as (_, proxy):
        auto, s = learned(proxy)
        refused = eventually(lambda: (lambda r: r.status == 503 and r)(get(proxy)))
        e = ask(proxy.admin, f"/explain?id={refused.headers['Weir-Id']}")
    assert "of a found-out limit of 1" in e["why"] and "the server refused" in e["why"]
    assert "refused" in e["limits"]["limit_because"] and e["limits"]["limit_for_ms"] > 0
    assert "raise limit" not in e["do"]
    assert 10 <= auto["wall"] <= 13 and auto["knee"] is None and auto["shown"] == []
    assert "refused" in auto["because"] and s["calls"]["refused"] >= 1


def test_a_wall_costs_nobody_his_answer(tmp_path):
    """It is found by being refused: whose call that was goes back to the queue."""
    origin = ["--limit", "12", "--latency", "50ms", "--full", "fasthttp"]
    with bench(tmp_path, origin) as (_, proxy):
        report = load(proxy, "400/s", "6s")
        calls = learned(proxy)[1]["calls"]
        assert calls["refused"] >= 1 and calls["requeued"] == calls["refused"]
        assert not [e for e in report["errors"] if e["refusal"]]
        assert any(w["refusal"] for w in proxy.status()["words"])


def test_a_wall_that_says_nothing(tmp_path):
    """Who comes above it is reset, as by a call that the server cannot bear."""
    origin = ["--limit", "12", "--latency", "50ms", "--full", "reset"]
    with found(tmp_path, origin, "400/s", "wall") as (api, proxy):
        eventually(lambda: api.status()["requests"] > 1000)
        auto, _ = learned(proxy)
        assert 10 <= auto["wall"] <= 13 and "refused" in auto["because"]
        assert api.status()["refused"] < 50


def stalls_are_found(proxy, wall):
    auto, s = eventually(lambda: (a := learned(proxy))[0]["stalled"] and a)
    assert wall * 0.8 <= s["limit"] <= wall * 1.2 + 1 and auto["state"] == "wall"
    assert "never answered" in auto["because"]
    assert auto["stalled"]["connections"] >= 4 and auto["stalled"]["ms"] >= 1000
    assert eventually(lambda: learned(proxy)[1]["calls"]["stalled"]) >= 4


def test_a_wall_above_which_connections_stall(tmp_path):
    """It accepts them, and never answers."""
    origin = ["--limit", "12", "--latency", "50ms", "--full", "stall"]
    with bench(tmp_path, origin, "--timeout", "300ms", "--limit-max", "60") as (_, proxy):
        with calling(proxy, "400/s"):
            stalls_are_found(proxy, 12)
            timed_out = proxy.status()["answers"].get("504", 0)
            good = proxy.status()["answers"]["200"]
            eventually(lambda: proxy.status()["answers"]["200"] > good + 600)
            assert proxy.status()["answers"].get("504", 0) - timed_out <= 60


def test_a_process_for_each_connection(tmp_path):
    """Workers that serve one connection until it closes, with a backlog before them."""
    prefork = Path(__file__).parent / "peers" / "prefork.py"
    server = subprocess.Popen([sys.executable, prefork, "6", "0.03"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    try:
        port = int(server.stdout.readline())
        with Verb("proxy", tmp_path, "--upstream", f"http://127.0.0.1:{port}", "--limit", "auto",
                  "--limit-max", "40", "--timeout", "300ms") as proxy:
            with calling(proxy, "300/s"):
                stalls_are_found(proxy, 6)
            eventually(lambda: gauges_at_zero(proxy))
    finally:
        server.communicate(timeout=60)  # it ends with its standard input


def test_a_knee(tmp_path):
    origin = ["--limit", "1000", "--workers", "12", "--latency", "48ms"]
    with found(tmp_path, origin, "390/s", "knee") as (_, proxy):
        auto, s = learned(proxy)
    low, high = auto["shown"]
    assert 1 <= auto["knee"] < 1000 and auto["wall"] is None
    assert low["level"] < high["level"] and low["ms"] < high["ms"]
    assert s["calls"]["refused"] == 0


def test_a_bound(tmp_path):
    with bench(tmp_path, ["--latency", "50ms"], "--limit-max", "6") as (api, proxy):
        with calling(proxy, "400/s"):
            eventually(lambda: learned(proxy)[1]["limit"] == 6)
            auto = eventually(lambda: (a := learned(proxy)[0])["because"] ==
                              "limit-max is reached" and a)
        assert auto["max"] == 6
        assert proxy.status()["slots"]["peak"] <= 6


@pytest.mark.parametrize("limit", ["{auto, max: 6}", "{ auto: , max: 6 }", "{max: 6, auto}",
                                   "\n  auto:\n  max: 6"])
def test_as_a_map_in_the_file(tmp_path, limit):
    file = tmp_path / "weir.yaml"
    file.write_text(f"upstream: http://127.0.0.1:1\nlimit: {limit}\n")
    with Verb("proxy", tmp_path, "--config", file) as proxy:
        assert learned(proxy)[0]["max"] == 6
    with Verb("proxy", tmp_path, "--config", file, "--limit-max", "7") as proxy:
        assert learned(proxy)[0]["max"] == 7
    with Verb("proxy", tmp_path, "--config", file, "--limit", "5") as proxy:
        assert learned(proxy)[0] is None and learned(proxy)[1]["limit"] == 5


@pytest.mark.parametrize("options, said", [
    (["--limit", "auto", "--limit-max", "0"], "limit-max"),
    (["--limit", "auto", "--limit-max", "3", "--gather", "4"], "under a limit of 3"),
    (["--limit", "automatic"], "automatic"),
])
def test_wrong_values(options, said):
    p = subprocess.run([WEIR, "proxy", "--listen", "127.0.0.1:0", "--upstream",
                        "http://127.0.0.1:1", *options], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, timeout=60, check=False)
    assert p.returncode == 2 and said in p.stderr, p.stderr


def test_a_gather_above_the_first_limit(tmp_path):
    """The limit begins below what a request needs at once: it grows to it."""
    with bench(tmp_path, ["--latency", "5ms"], "--gather", "9",
               "--queue-for", "30s") as (_, proxy):
        assert load(proxy, "2/s", "1s")["good"] > 0
        assert learned(proxy)[1]["calls"]["answered"] >= 9


def test_calls_that_need_more_at_once_than_a_wall_find_it_lifted(tmp_path):
    """Nobody else would try it: a gather of eight at a wall of four, which is gone again."""
    with Verb("origin", tmp_path, "--limit", 50, "--limit-unit", "request", "--full", "fasthttp",
              "--latency", "50ms") as o, \
            Verb("proxy", tmp_path, "--upstream", o.url, "--limit", "auto", "--limit-unit", "request",
                 "--gather", 8, "--timeout", "2s") as p, calling(p, "20/s"):
        def served():
            before = p.status()["answers"].get("200", 0)
            return eventually(lambda: p.status()["answers"].get("200", 0) > before + 5)

        def found(state):
            return p.status()["upstreams"][0]["limit_auto"]["state"] == state

        served()
        ask(o.admin, "/set?limit=4", "POST")
        eventually(lambda: found("wall"))
        ask(o.admin, "/set?limit=50", "POST")
        served()
