"""weir origin --limit-unit request: slots that requests take, whatever stands open."""

import pytest

from test_load import load_json
from test_origin import GET, WORDS, Answer, Origin, call, read_to_end
from verbs import Verb

BY_REQUEST = ("--limit-unit", "request")


def held(origin):
    """A connection with a call at work."""
    s = origin.connect()
    s.sendall(GET)
    origin.until("it is at work", lambda g: g["slots"]["running"] > 0)
    return s


def test_idle_connections_take_no_slot():
    with Origin("--limit", "1", *BY_REQUEST) as origin:
        assert ", 1 slot by request, " in origin.line
        idle = [origin.connect() for _ in range(20)]
        for s in idle:
            assert call(s).status == 200
        gauges = origin.gauges()
        assert gauges["limit_unit"] == "request" and gauges["refused"] == 0
        assert gauges["slots"]["used"] == gauges["slots"]["idle"] == 0
        assert gauges["slots"]["peak"] == 1 and gauges["accepted"] == 20
        for s in idle:
            s.close()


@pytest.mark.parametrize("full, status, words", [
    ("fasthttp", 503, WORDS), ("503", 503, b"The service is unavailable."),
    ("429", 429, b"local_rate_limited")])
def test_who_is_refused_keeps_the_connection(full, status, words):
    with Origin("--limit", "1", "--latency", "10s", "--full", full, *BY_REQUEST) as origin:
        with held(origin), origin.connect() as s:
            for nth in range(1, 4):
                answer = call(s)
                assert answer.status == status and answer.body == words
                assert origin.gauges()["refused"] == nth
            origin.set(limit=2, latency="0ms")
            assert call(s).status == 200


def test_refused_by_reset_and_by_silence():
    with Origin("--limit", "1", "--latency", "10s", "--full", "reset", *BY_REQUEST) as origin:
        with held(origin):
            with origin.connect() as s:
                s.sendall(GET)
                assert read_to_end(s) == (b"", "RESET")
            origin.set(full="stall")
            with origin.connect() as s:
                s.sendall(GET)
                origin.until("refused", lambda g: g["refused"] == 2)
                s.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    s.recv(1)
            assert origin.gauges()["slots"]["used"] == 1


def test_a_slot_is_held_until_the_handler_ends():
    """Whoever hung up: as by connections, unless it is noticed."""
    with Origin("--limit", "1", "--latency", "400ms", *BY_REQUEST) as origin:
        held(origin).close()
        with origin.connect() as s:
            assert call(s).status == 503
            origin.until_used(0)
            assert call(s).status == 200
        assert origin.gauges()["hangups"] == 1


def test_who_asks_again_at_once_finds_the_slot_free():
    """One slot and one caller on two connections by turns: its answer means that the slot is free."""
    with Origin("--limit", "1", "--body", "100kB", *BY_REQUEST) as origin:
        with origin.connect() as a, origin.connect() as b:
            for nth in range(200):
                assert call((a, b)[nth % 2]).status == 200
        gauges = origin.gauges()
        assert gauges["refused"] == 0 and gauges["answered"] == 200


def test_pipelined_requests_take_a_slot_each():
    with Origin("--limit", "1", *BY_REQUEST) as origin, origin.connect() as s:
        s.sendall(GET * 5)
        first = Answer(s)
        assert first.status == 200
        got = first.rest
        while got.count(b"HTTP/1.1 200 OK") < 4:
            got += s.recv(65536)
        assert origin.gauges()["refused"] == 0


def test_the_cap_is_exact_under_a_crowd():
    with Origin("--limit", "5", "--latency", "20ms", *BY_REQUEST) as origin:
        doc = load_json("--rate", "500/s", "--for", "1s",
                        f"http://127.0.0.1:{origin.ports[0]}/")
        gauges = origin.until_used(0)
    assert gauges["slots"]["peak"] == 5 and gauges["slots"]["over"] == 0
    assert doc["statuses"]["503"] == gauges["refused"] > 0
    assert doc["statuses"]["200"] == gauges["requests"] == gauges["answered"]


def test_weir_proxy_keeps_within_it(tmp_path):
    with Verb("origin", tmp_path, "--limit", 5, "--latency", "10ms", *BY_REQUEST) as origin, \
            Verb("proxy", tmp_path, "--upstream", origin.url, "--limit", 5,
                 *BY_REQUEST, "--timeout", "10s") as proxy:
        doc = load_json("--rate", "300/s", "--for", "1s", f"{proxy.url}/")
        gauges = origin.status()
        assert gauges["refused"] == 0 and gauges["slots"]["peak"] <= 5
        assert doc["good"] == gauges["answered"] > 100  # a busy machine may make weir refuse some
