"""A server that asks to be left alone is left alone: for as long as it asks, and no other with it."""

import json
import os
import threading
import time

import pytest

from answering import Answering
from test_config import Proxy
from verbs import PATIENCE, ask, eventually, gauges_at_zero, get


class Quota(Answering):
    """A server that answers by its script, then 200; each request's time and path is kept."""

    def __init__(self, port=0):
        self.script, self.seen, self.lock, self.words = [], [], threading.Lock(), b"slow down"
        super().__init__(port=port)

    def answer(self, request, body):
        with self.lock:
            self.seen.append((time.monotonic(), request.path))
            status, fields = self.script.pop(0) if self.script else (200, {})
        return status, fields, self.words if status >= 400 else b"ok"


@pytest.fixture
def quotas():
    both = [Quota(), Quota()]
    yield both
    for api in both:
        api.close()


def cpu_seconds(proxy):
    with open(f"/proc/{proxy.process.pid}/stat", encoding="ascii") as f:
        user, system = f.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def two(quotas, options=""):
    a, b = quotas
    return f"""
{options}
upstreams:
  a: {{url: {a.url}}}
  b: {{url: {b.url}}}
routes:
  - {{path: /b/*, upstream: b}}
  - {{upstream: a}}
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_no_call_for_as_long_as_it_asks(quotas, tmp_path, threads):
    a, b = quotas
    a.script = [(429, {"Retry-After": "5", "X-Own": "words"})]
    with Proxy(tmp_path, two(quotas, f"threads: {threads}\ntimeout: 20s")) as proxy:
        drawn = get(proxy)
        since = time.monotonic()
        assert (drawn.status, drawn.getheader("X-Own"), drawn.body) == (429, "words", b"slow down")
        assert drawn.getheader("Retry-After") == "5" and not drawn.getheader("Weir-Reason")
        answers = []
        waiting = [threading.Thread(target=lambda: answers.append(get(proxy))) for _ in range(6)]
        for t in waiting:
            t.start()
        # who cannot wait so long is told at once, on whatever thread he is
        for _ in range(4):
            asked = time.monotonic()
            told = get(proxy, Weir_Timeout="1s", X_Request_Id="hasty")
            if time.monotonic() - since < 3.5:
                assert (told.status, told.getheader("Weir-Reason")) == (503, "paused")
                assert 1 <= int(told.getheader("Retry-After")) <= 6
                assert b"to do:" in told.body
                assert time.monotonic() - asked < 1
        # nobody else is asked to wait
        assert get(proxy, "/b/x", Weir_Timeout="1s").status == 200
        up = {u["name"]: u for u in proxy.status()["upstreams"]}
        assert up["b"]["pause"] is None
        pause = up["a"]["pause"]
        assert pause["because"] == "429 with Retry-After" and pause["asked_ms"] == 5000
        said = ask(proxy.admin, "/explain?id=hasty")
        assert said["reason"] == "paused" and "429 with Retry-After" in said["why"]
        spent = cpu_seconds(proxy)
        for t in waiting:
            t.join(PATIENCE)
        assert cpu_seconds(proxy) - spent < 1  # threads that wait leave each other alone
        assert [r.status for r in answers] == [200] * 6
        times = sorted(at - since for at, _ in a.seen[1:])
        assert times[0] >= 4.9 and len(times) == 6
        assert proxy.status()["reasons"]["paused"] >= 1
        eventually(lambda: gauges_at_zero(proxy))


def test_what_remains_of_a_quota(quotas, tmp_path):
    """A 200 that says nothing is left was the last one served."""
    a, _ = quotas
    a.script = [(200, {"RateLimit": '"default";r=0;t=2'}),
                (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 3600)})]
    with Proxy(tmp_path, two(quotas, "timeout: 20s\npause-max: 1s")) as proxy:
        for _ in range(3):
            assert get(proxy).status == 200
        first, second, third = (at for at, _ in a.seen)
        assert second - first >= 0.95 and third - second >= 0.95
        (pause,) = [u["pause"] for u in proxy.status()["upstreams"] if u["name"] == "a"]
        assert pause["because"] == "200 with X-RateLimit-Reset" and pause["times"] == 2
        assert json.dumps(proxy.status()["upstreams"]).count('"pause": null') == 1


def test_it_need_not_be_heeded(quotas, tmp_path):
    a, _ = quotas
    a.script = [(429, {"Retry-After": "50"}), (503, {"Retry-After": "50"})]
    with Proxy(tmp_path, two(quotas, "obey-retry-after: off")) as proxy:
        assert [get(proxy, Weir_Timeout="5s").status for _ in range(3)] == [429, 503, 200]


def test_what_says_nothing_pauses_nothing(quotas, tmp_path):
    a, _ = quotas
    a.script = [(429, {}), (429, {"Retry-After": "soon"}), (429, {"Retry-After": "0"}),
                (200, {"Retry-After": "9"}),
                (503, {"Retry-After": "9", "Weir-Reason": "late"})]
    want = [s for s, _ in a.script] + [200]
    with Proxy(tmp_path, two(quotas)) as proxy:
        assert [get(proxy, Weir_Timeout="5s").status for _ in want] == want


def test_what_is_far_off_is_believed_for_pause_max(quotas, tmp_path):
    a, _ = quotas
    a.script = [(429, {"Retry-After": "9999999999999999999999"})]
    with Proxy(tmp_path, two(quotas, "pause-max: 20s")) as proxy:
        assert get(proxy).status == 429
        told = get(proxy, Weir_Timeout="1s")
        assert (told.status, told.getheader("Weir-Reason")) == (503, "paused")
        assert 1 <= int(told.getheader("Retry-After")) <= 20


@pytest.mark.parametrize("limit", ["none", "4"])
def test_one_callers_quota(quotas, tmp_path, limit):
    """An API that counts by key: who has used his up waits alone."""
    a, _ = quotas
    a.script = [(429, {"Retry-After": "4"})]
    with Proxy(tmp_path, two(quotas, f"pause-scope: caller\nfair-by: X-Api-Key\nlimit: {limit}\ntimeout: 20s")) as proxy:
        assert get(proxy, X_Api_Key="mine").status == 429
        since = time.monotonic()
        answers = []
        patient = [threading.Thread(target=lambda: answers.append(get(proxy, X_Api_Key="mine").status))
                   for _ in range(3)]
        for t in patient:
            t.start()
        told = get(proxy, X_Api_Key="mine", Weir_Timeout="1s", X_Request_Id="mine")
        if time.monotonic() - since < 2.5:
            assert (told.status, told.getheader("Weir-Reason")) == (503, "paused")
            assert 1 <= int(told.getheader("Retry-After")) <= 4
            assert ask(proxy.admin, "/explain?id=mine")["reason"] == "paused"
        for _ in range(5):
            assert get(proxy, X_Api_Key="yours", Weir_Timeout="2s").status == 200
        (up,) = [u for u in proxy.status()["upstreams"] if u["name"] == "a"]
        if time.monotonic() - since < 3.5:
            assert up["pause"] is None and up["callers_paused"] == 1 and len(a.seen) == 6
        for t in patient:
            t.join(PATIENCE)
        assert answers == [200] * 3 and len(a.seen) == 9
        assert a.seen[-3][0] - since > 3.9
        eventually(lambda: gauges_at_zero(proxy))
