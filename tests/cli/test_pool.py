"""Connections to the API: closed before it closes them, opened in turns and ahead of need, from
addresses of one's choice."""

import re
import subprocess
import threading
from collections import Counter

import pytest

from rawhttp import Client, Scripted
from verbs import WEIR, Verb, eventually, gauges_at_zero

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def ask(port, n=1):
    """n requests on one connection, one after the other."""
    with Client(port) as c:
        for k in range(n):
            c.send(GET)
            assert c.answers(k + 1)[-1].status == 200


def ask_together(port, n):
    """n requests at once; the statuses."""
    clients = [Client(port, GET) for _ in range(n)]
    seen = Counter(c.answer().status for c in clients)
    for c in clients:
        c.sock.close()
    return seen


def pool(p):
    s = p.status()["upstreams"][0]
    return {**s["pool"], "peer": s["closes"]["peer"], "connects": s["connects"],
            "idle": s["slots"]["idle"]}


def test_a_hint_is_heeded(tmp_path):
    ends = []

    def script(peer, _):
        while peer.request() is not None:
            peer.send(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok")
        ends.append(1)

    with Scripted(script) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url, "--limit", 5) as p:
        ask(p.port, 3)
        eventually(lambda: pool(p)["reaped"] == 1)
        assert pool(p)["hinted_ms"] == 1000
        assert pool(p)["idle"] == 0
        eventually(lambda: ends)
        ask(p.port)
        assert pool(p)["connects"] == 2
        eventually(lambda: gauges_at_zero(p))


def test_what_a_server_does_is_learned(tmp_path):
    """Node, nginx and most others say nothing, or not the truth."""
    with Verb("origin", tmp_path, "--idle-for", "400ms") as s, \
            Verb("proxy", tmp_path, "--upstream", s.url) as p:
        rounds = 0
        while not pool(p)["reaped"]:
            ask(p.port, 2)
            eventually(lambda: pool(p)["idle"] == 0)
            rounds += 1
        now = pool(p)
        assert rounds <= 6 and now["peer"] == rounds - 1 >= 3
        assert 300 < now["learned_ms"]
        assert now["hinted_ms"] is None
        eventually(lambda: gauges_at_zero(p))


def test_a_connection_serves_so_many(tmp_path):
    with Verb("origin", tmp_path) as s, \
            Verb("proxy", tmp_path, "--upstream", s.url, "--connection-requests", 3) as p:
        ask(p.port, 12)
        assert pool(p)["connects"] == 4
        assert pool(p)["aged"] == 4
        eventually(lambda: gauges_at_zero(p))


@pytest.mark.parametrize("threads", [1, 2])
def test_calls_take_turns_to_connect(threads, tmp_path):
    with Verb("origin", tmp_path, "--limit", 300, "--latency", "50ms") as s, \
            Verb("proxy", tmp_path, "--upstream", s.url, "--limit", 300, "--threads", threads,
                 "--connecting", 1) as p:
        seen = []
        callers = [threading.Thread(target=lambda: seen.append(ask_together(p.port, 50)))
                   for _ in range(4)]
        for c in callers:
            c.start()
        for c in callers:
            c.join()
        assert sum(seen, Counter()) == {200: 200}
        assert s.status()["refused"] == 0
        now = pool(p)
        assert now["pending"] == 0 and now["connecting"] == 0
        eventually(lambda: gauges_at_zero(p))


@pytest.mark.parametrize("threads", [1, 2])
def test_some_are_ready(threads, tmp_path):
    with Verb("origin", tmp_path, "--limit", 10, "--latency", "20ms") as s, \
            Verb("proxy", tmp_path, "--upstream", s.url, "--limit", 10, "--threads", threads,
                 "--preconnect", 5) as p:
        eventually(lambda: s.status()["slots"]["used"] == 5)
        assert pool(p)["idle"] == 5
        before = pool(p)["connects"]
        ask(p.port)
        assert pool(p)["connects"] <= before + 1
        # no more than the limit, and none is refused for them
        for _ in range(5):
            assert ask_together(p.port, 10) == {200: 10}
        assert s.status()["refused"] == 0
        assert s.status()["slots"]["peak"] <= 10
        eventually(lambda: gauges_at_zero(p))


def test_never_more_ready_than_the_limit(tmp_path):
    with Verb("origin", tmp_path, "--limit", 2) as s, \
            Verb("proxy", tmp_path, "--upstream", s.url, "--limit", 2, "--preconnect", 9) as p:
        eventually(lambda: s.status()["slots"]["used"] == 2)
        ask(p.port, 5)
        assert s.status()["accepted"] == 2


def test_connections_come_from_each_source(tmp_path):
    froms = []

    def script(peer, _):
        froms.append(peer.sock.getpeername()[0])
        while peer.request() is not None:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with Scripted(script) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url, "--connection-requests", 1,
                 "--source", "127.0.0.2,127.0.0.3", "--source", "127.0.0.4") as p:
        ask(p.port, 30)
        assert Counter(froms) == {f"127.0.0.{n}": 10 for n in (2, 3, 4)}
        eventually(lambda: gauges_at_zero(p))
        assert {w["to"].split(" ")[0] for w in p.status()["ports"]} <= set(froms)


@pytest.mark.parametrize("source, status, why", [
    ("192.0.2.77", 1, r"192\.0\.2\.77 is no address of this host"),
    ("127.0.0.2,eth0", 2, r"eth0: write an address of this host, such as 10\.0\.0\.5"),
    ("127.0.0.2,127.0.0.2", 2, r"127\.0\.0\.2 is there twice"),
    ("0.0.0.0", 2, r"0\.0\.0\.0: write an address"),
    (" , ", 2, r"it is empty"),
    (",".join(f"127.0.1.{n}" for n in range(1, 11)), 2, r"more than 8 addresses"),
])
def test_a_source_that_is_none(source, status, why):
    done = subprocess.run([WEIR, "proxy", "--listen", "127.0.0.1:0", "--upstream",
                           "http://127.0.0.1:9", "--source", source],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stderr
    assert re.search(why, done.stderr), done.stderr
    assert "source" in done.stderr
