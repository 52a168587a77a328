"""Several endpoints of one API: one that does badly is left out, and comes back."""

import threading
import time

import pytest

from test_config import Proxy
from test_pause import Quota
from verbs import ask, eventually, gauges_at_zero, get


@pytest.fixture
def three():
    all_of_them = [Quota() for _ in range(3)]
    yield all_of_them
    for api in all_of_them:
        api.close()


def proxy_of(tmp_path, apis, options=""):
    urls = ", ".join(api.url for api in apis)
    return Proxy(tmp_path, f"{options}\nupstreams:\n  api: {{url: [{urls}]}}\n")


def at_once(proxy, n=6):
    """So many requests at once, so that connections go to all of the endpoints; their statuses."""
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(get(proxy))) for _ in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(answers) == n
    return [r.status for r in answers]


def endpoints(proxy):
    (up,) = proxy.status()["upstreams"]
    return {int(e["address"].rsplit(":", 1)[1]): e for e in up["endpoints"]}


def test_one_dies_and_comes_back(three, tmp_path):
    dead = three[1]
    with proxy_of(tmp_path, three, "connections: close") as proxy:
        eventually(lambda: at_once(proxy) == [200] * 6 and all(api.seen for api in three))
        assert {e["state"] for e in endpoints(proxy).values()} == {"in"}
        dead.close()
        eventually(lambda: set(at_once(proxy)) == {200} and endpoints(proxy)[dead.port]["state"] == "out")
        it = endpoints(proxy)[dead.port]
        assert it["because"] == "it could not be connected to" and it["times_out"] == 1
        assert 0 < it["back_in_ms"] <= 11000
        connects_failed = proxy.status()["connects_failed"]
        for _ in range(5):
            assert at_once(proxy) == [200] * 6
        if endpoints(proxy)[dead.port]["back_in_ms"] > 0:
            assert proxy.status()["connects_failed"] == connects_failed
        # somebody listens there again: one call tries it
        three[1] = Quota(dead.port)
        eventually(lambda: set(at_once(proxy)) == {200} and endpoints(proxy)[dead.port]["state"] == "in")
        eventually(lambda: three[1].seen)
        eventually(lambda: gauges_at_zero(proxy))


def test_bad_gateways(three, tmp_path):
    sick = three[2]
    with proxy_of(tmp_path, three, "connections: close") as proxy:
        sick.script = [(502, {})] * 1000
        eventually(lambda: at_once(proxy) and endpoints(proxy)[sick.port]["state"] == "out")
        assert endpoints(proxy)[sick.port]["because"] == "several calls in a row failed there"
        seen = len(sick.seen)
        answers = [s for _ in range(5) for s in at_once(proxy)]
        if endpoints(proxy)[sick.port]["state"] == "out":
            assert set(answers) == {200} and len(sick.seen) == seen
        get(proxy, X_Request_Id="after")
        said = ask(proxy.admin, "/explain?id=after")
        assert said["limits"]["endpoints"] == 3 and said["limits"]["endpoints_out"] == 1


def test_a_refusal_for_want_of_slots_is_not_ill_health(three, tmp_path):
    """But the others come first for a second, though the full one answers fastest."""
    full = three[0]
    full.words = b"The connection cannot be served because Server.Concurrency limit exceeded"
    with proxy_of(tmp_path, three, "connections: close") as proxy:
        full.script = [(503, {})] * 1000

        def others_serve():
            began = time.monotonic()
            if 503 not in at_once(proxy):
                return False
            seen = len(full.seen)
            answers = [s for _ in range(5) for s in at_once(proxy)]
            return time.monotonic() - began < 0.9 and set(answers) == {200} and len(full.seen) == seen
        eventually(others_serve)
        assert {e["state"] for e in endpoints(proxy).values()} == {"in"}
        assert proxy.status()["calls"]["refused"] >= 1


def test_one_that_asks_for_it_alone_is_left_alone(three, tmp_path):
    tired = three[0]
    with proxy_of(tmp_path, three, "connections: close") as proxy:
        tired.script = [(503, {"Retry-After": "30"})]
        eventually(lambda: 503 in at_once(proxy))
        it = endpoints(proxy)[tired.port]
        assert (it["state"], it["because"]) == ("out", "it asked to be left alone")
        seen = len(tired.seen)
        for _ in range(5):
            assert at_once(proxy) == [200] * 6
        assert len(tired.seen) <= seen
        assert proxy.status()["upstreams"][0]["pause"] is None


def test_none_is_left_out_with_no_share(three, tmp_path):
    with proxy_of(tmp_path, three, "connections: close\neject-share: 0%") as proxy:
        three[0].script = [(502, {})] * 1000
        eventually(lambda: at_once(proxy) and len(three[0].seen) > 30)
        assert {e["state"] for e in endpoints(proxy).values()} == {"in"}
