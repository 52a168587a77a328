"""The cap, counted by the server at accept and never by weir's own gauge: at --limit equal to
the server's limit no connection is refused, whatever closes first, with answers that nobody
waits for any more among it. A build in which the slot is freed at the deadline fails here."""

import os
import socket
import threading
from pathlib import Path

import pytest

from verbs import ROOT, WEIR, Verb, eventually, gauges_at_zero

pytestmark = pytest.mark.usefixtures("own_loopback")

CLOSES = 100_000
LIMIT = 250
MUTANT = os.environ.get(
    "WEIR_MUTANT", str(Path(WEIR).parent / "tests/sim/weir-mutant-free-at-deadline"))

GET = b"GET / HTTP/1.1\r\nHost: api\r\n\r\n"


class Callers:
    """Keep-alive clients, each with one request at a time, until `total` answers are in."""

    def __init__(self, port, total, threads=4, each=80):
        self.port, self.each = port, each
        self.left = total
        self.lock = threading.Lock()
        self.answers = {}
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def go(self):
        for t in self.threads:
            t.start()
        for t in self.threads:
            t.join()
        return self.answers

    def more(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0

    def count(self, status):
        with self.lock:
            self.answers[status] = self.answers.get(status, 0) + 1

    def run(self):
        import selectors
        chosen = selectors.DefaultSelector()
        for _ in range(self.each):
            if not self.more():
                break
            s = socket.create_connection(("127.0.0.1", self.port))
            s.sendall(GET)
            chosen.register(s, selectors.EVENT_READ)
        while chosen.get_map():
            for key, _ in chosen.select(30):
                s = key.fileobj
                data = s.recv(65536)
                assert data, "the proxy closed on a caller"
                self.count(int(data[9:12]))
                if self.more():
                    s.sendall(GET)
                else:
                    chosen.unregister(s)
                    s.close()


def server(kind, folder, fasthttp, *options):
    if kind == "fasthttp":
        return Verb("fasthttp", folder, *options, program=[fasthttp])
    return Verb("origin", folder, *options)


@pytest.mark.parametrize("kind", ["origin", "fasthttp"])
def test_100_000_closes_draw_no_refusal(kind, tmp_path, request):
    """weir closes first after each answer: its FIN comes before the server's slot is free."""
    fasthttp = request.getfixturevalue("fasthttp") if kind == "fasthttp" else None
    with server(kind, tmp_path, fasthttp, "--limit", LIMIT, "--latency", "0ms") as s, \
            Verb("proxy", tmp_path, "--upstream", s.url, "--limit", LIMIT,
                 "--connections", "pretend", "--queue-for", "20s") as p:
        answers, seen = Callers(p.port, CLOSES).go(), s.status()
        assert answers == {200: CLOSES}, (p.status(), seen)
        assert seen["refused"] == 0 and seen["slots"]["over"] == 0
        assert seen["accepted"] >= CLOSES
        assert seen["slots"]["peak"] <= LIMIT
        eventually(lambda: gauges_at_zero(p))


def test_a_server_that_closes_first_is_never_over_its_limit(tmp_path):
    """The server's own FIN comes before its slot is free, too."""
    with Verb("origin", tmp_path, "--limit", LIMIT, "--no-keep-alive") as s, \
            Verb("proxy", tmp_path, "--upstream", s.url, "--limit", LIMIT,
                 "--queue-for", "20s") as p:
        assert Callers(p.port, 20_000).go() == {200: 20_000}
        assert s.status()["refused"] == 0
        eventually(lambda: gauges_at_zero(p))


def timeouts(folder, kind, fasthttp, weir):
    """Every fifth call outlives the deadline: how many refusals the server counted."""
    with server(kind, folder, fasthttp, "--limit", 40,
                "--latency", "mix(80%: 5ms, 20%: 700ms)") as s, \
            Verb("proxy", folder, "--upstream", s.url, "--limit", 40, "--timeout", "100ms",
                 "--queue-for", "100ms", weir=weir) as p:
        late = 0
        while late <= 100:  # weir refuses most of what would be late; some it cannot know
            answers = Callers(p.port, 6_000, threads=2, each=40).go()
            assert sum(answers.values()) == 6_000
            late += answers.get(504, 0)
        seen = s.status()
        eventually(lambda: gauges_at_zero(p))
        return seen["refused"]


@pytest.mark.parametrize("kind", ["origin", "fasthttp"])
def test_a_slot_outlives_its_callers_patience(kind, tmp_path, request):
    fasthttp = request.getfixturevalue("fasthttp") if kind == "fasthttp" else None
    assert timeouts(tmp_path, kind, fasthttp, WEIR) == 0


def test_the_mutant_that_frees_the_slot_at_the_deadline_is_caught(tmp_path):
    if not os.path.exists(MUTANT):
        pytest.skip(f"{os.path.relpath(MUTANT, ROOT)} is not built")
    assert timeouts(tmp_path, "origin", None, MUTANT) > 0
