"""Alerts: a webhook is told what the server says that is new; what fails is tried again."""

import gzip
import json
import re
import threading

import pytest

from answering import Answering
from pki import LOCAL, Authority
from test_config import Api, Proxy
from test_ledger import failing  # noqa: F401 (a fixture)
from verbs import PATIENCE, eventually, gauges_at_zero, get

SECRET = "/services/T0/B0/tops3cret?key=k3y&threadKey=a%20b"


class Hook(Answering):
    """A webhook that answers what its script says, then 200; None: not until it is let go."""

    def __init__(self, *script, **how):
        self.script, self.told, self.lock = list(script), [], threading.Lock()
        self.free = threading.Event()
        super().__init__(**how)
        self.url += SECRET

    def answer(self, request, body):
        with self.lock:
            status, fields = self.script.pop(0) if self.script else (200, {})
            self.told.append((request.path, request.headers["Content-Type"],
                              json.loads(body)["text"]))
        if status is None:
            self.free.wait(PATIENCE)
            status = 200
        return status, fields, b"ok"

    def close(self):
        self.free.set()
        super().close()


@pytest.fixture
def hooks():
    made = []

    def make(*script, **how):
        made.append(Hook(*script, **how))
        return made[-1]
    yield make
    for hook in made:
        hook.close()


def sent(proxy, n):
    return eventually(lambda: (lambda a: a["sent"] == n and a)(proxy.status()["alerts"]))


@pytest.mark.parametrize("threads", (1, 2))
def test_what_is_new_is_told_once(failing, hooks, tmp_path, threads):
    hook = hooks()
    failing.body = b"<full> & 17"
    text = f"upstream: {failing.url}\nlimit: 5\nthreads: {threads}\nalert-url: {hook.url}\n"
    with Proxy(tmp_path, text) as p:
        for n in range(8):
            get(p, f"/a{n}?token=tops3cret", X_Request_Id="req-7")
        counts = sent(p, 1)
        assert counts == {"to": f"127.0.0.1:{hook.port}", "sent": 1, "failed": 0, "dropped": 0,
                          "suppressed": 0, "waiting": 0, "last_error": None}
        (path, kind, said), = hook.told
        assert (path, kind) == (SECRET, "application/json")
        assert 'a new error, upstream default: 500: "&lt;full&gt; &amp; 17"' in said
        assert "Limit: 5;" in said and "Count: " in said and "X-Request-Id req-7" in said
        assert "?token=***" in said and "tops3cret" not in said
        failing.body = b"something else"
        get(p, "/b")
        sent(p, 2)
        assert "something else" in hook.told[1][2]
        assert "tops3cret" not in json.dumps(p.status())
        eventually(lambda: gauges_at_zero(p))


def test_a_text_that_nobody_can_read_is_not_told(failing, hooks, tmp_path):
    hook = hooks()
    failing.body, failing.fields = gzip.compress(b"full"), {"Content-Encoding": "gzip"}
    with Proxy(tmp_path, f"upstream: {failing.url}\nalert-url: {hook.url}\n") as p:
        get(p, "/a", Accept_Encoding="gzip")
        sent(p, 1)
    assert "a new error, upstream default: 500, its text coded: see Content-Encoding\n" in hook.told[0][2]


def test_a_surge_is_told(failing, hooks, tmp_path):
    """Once, and not before there is a past to compare with: a minute of it."""
    hook = hooks()
    with Proxy(tmp_path, f"upstream: {failing.url}\nlimit: 5\nalert-url: {hook.url}\n") as p:
        for _ in range(5):
            get(p, "/first", X_Request_Id="req-1")
        sent(p, 1)
        eventually(lambda: p.status()["uptime_ms"] > 62_000, within=180)
        assert len(hook.told) == 1
        eventually(lambda: get(p, "/again") and len(hook.told) == 2, within=60)
        said = hook.told[1][2]
        assert 'weir: a surge of errors, upstream default: 500: "request 17 failed"' in said
        rates = re.search(r"\nRate: ([\d.]+) a second, lately ([\d.]+)\.", said)
        assert float(rates[1]) >= 4 * float(rates[2]) > 0
        count = int(re.search(r"\nCount: (\d+) since ", said)[1])
        assert count >= 10 + 5 and "First at: GET /first" in said and "req-1" in said
        for _ in range(100):
            get(p, "/again")
        failing.body = b"something else"  # what comes after all that
        get(p, "/other")
        counts = sent(p, 3)
        assert "a new error" in hook.told[2][2] and counts["suppressed"] == 0
        eventually(lambda: gauges_at_zero(p))


def test_what_fails_is_tried_again(failing, hooks, tmp_path):
    hook = hooks((500, {}), (429, {"Retry-After": "1"}))
    with Proxy(tmp_path, f"upstream: {failing.url}\nalert-url: {hook.url}\n") as p:
        get(p, "/")
        assert sent(p, 1)["last_error"] == "answered 429"
        assert len(hook.told) == 3 and len(set(hook.told)) == 1


def test_what_can_never_go_well_is_not_tried_again(failing, hooks, tmp_path):
    hook = hooks((404, {}))
    with Proxy(tmp_path, f"upstream: {failing.url}\nalert-url: {hook.url}\n") as p:
        get(p, "/")
        eventually(lambda: p.status()["alerts"]["failed"] == 1)
        assert p.status()["alerts"]["last_error"] == "answered 404" and len(hook.told) == 1
        failing.body = b"other"
        get(p, "/")
        sent(p, 1)


def test_a_webhook_that_hangs_or_is_not_there_holds_nobody(failing, hooks, tmp_path):
    hook = hooks((None, {}))
    with Proxy(tmp_path, f"upstream: {failing.url}\nalert-url: {hook.url}\n") as p:
        get(p, "/")
        eventually(lambda: hook.told)
        failing.body = b"meanwhile"
        assert all(get(p, "/").status == 500 for _ in range(20))
        eventually(lambda: p.status()["alerts"]["waiting"] == 2)
        hook.free.set()
        sent(p, 2)
    with Proxy(tmp_path, f"upstream: {failing.url}\nalert-url: http://127.0.0.1:9/\n") as p:
        get(p, "/")
        eventually(lambda: p.status()["alerts"]["last_error"] == "connection refused")
        assert get(p, "/").status == 500


def test_too_many_at_once_are_suppressed(failing, hooks, tmp_path):
    hook = hooks()
    with Proxy(tmp_path, f"upstream: {failing.url}\nalert-url: {hook.url}\n") as p:
        for n in range(12):
            failing.body = b"error " + b"x" * (n + 1)
            get(p, "/")
        counts = eventually(lambda: (lambda a: a["sent"] + a["suppressed"] >= 12 and a)(p.status()["alerts"]))
        assert counts["suppressed"] >= 5 and counts["sent"] >= 5


def test_tls_is_verified(failing, hooks, tmp_path):
    ca = Authority(tmp_path)
    hook = hooks(cert=ca.issue(*LOCAL))
    text = f"upstream: {failing.url}\nalert-url: https://localhost:{hook.port}/x\n"
    with Proxy(tmp_path, text) as p:
        get(p, "/")
        eventually(lambda: "does not verify" in (p.status()["alerts"]["last_error"] or ""))
        assert not hook.told
    with Proxy(tmp_path, text + f"alert-ca: {ca.root}\n") as p:
        get(p, "/")
        sent(p, 1)


def test_a_reload_changes_where_to(failing, hooks, tmp_path):
    first, second = hooks(), hooks()
    text = f"upstream: {failing.url}\n"
    with Proxy(tmp_path, text) as p:
        assert p.status()["alerts"] is None
        p.reload(text + f"alert-url: {first.url}\n")
        get(p, "/")
        sent(p, 1)
        p.reload(text + f"alert-url: {second.url}\n")
        failing.body = b"other"
        get(p, "/")
        eventually(lambda: second.told)
        assert len(first.told) == 1
        p.reload(text + "alert-url: nonsense\n", taken=False)
        assert p.status()["alerts"]["to"].endswith(str(second.port))
        p.reload(text)
        assert p.status()["alerts"] is None


def test_the_limit_told_is_the_one_in_force(failing, hooks, tmp_path):
    """While a call to the former URL goes on, there are two upstreams of that name."""
    hook, former = hooks(), Api("former")

    def text(limit, api):
        return (f"alert-url: {hook.url}\nlimit: {limit}\n"
                f"upstreams: {{ a: {{ url: '{api.url}' }} }}\nroutes: [{{ upstream: a }}]\n")
    try:
        former.free.clear()
        with Proxy(tmp_path, text(5, former)) as p:
            call = threading.Thread(target=lambda: get(p, "/slow"))
            call.start()
            eventually(lambda: former.now == 1)
            p.reload(text(9, failing))
            get(p, "/")
            sent(p, 1)
            assert "Limit: 9; " in hook.told[0][2] and len(p.status()["upstreams"]) == 2
            assert p.status()["limit"] == 9
            former.free.set()
            call.join()
            eventually(lambda: gauges_at_zero(p))
    finally:
        former.close()
