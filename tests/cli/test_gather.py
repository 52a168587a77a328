"""Routes that gather named parts: two real servers behind one answer, in both forms."""

import base64
import email
import email.policy
import http.client
import json
import threading

import pytest

from answering import Answering
from test_config import Proxy
from verbs import PATIENCE, eventually, gauges_at_zero
from verbs import ask as admin

PNG = b"\x89PNG\r\n\x1a\n--weir-\0\xff"


class Server(Answering):
    """Answers by path, and remembers what it was asked."""

    def __init__(self):
        self.asked, self.free = [], threading.Event()
        super().__init__()

    def answer(self, request, body):
        self.asked.append((request.command, request.path, body, request.headers))
        status, kind, said = self.of(request.path)
        return status, {"Content-Type": kind}, said

    def of(self, path):
        if path.startswith("/slow"):
            self.free.wait(PATIENCE)
        if path.startswith("/gone"):
            return 404, "text/plain", b"no such thing\n"
        if path.startswith("/png"):
            return 200, "image/png", PNG
        if path.startswith("/text"):
            return 200, "text/plain; charset=utf-8", 'say "ä"\n'.encode()
        if path.startswith("/broken"):
            return 200, "application/json", b'{"a": 1, "a'
        return 200, "application/json", json.dumps({"path": path}).encode()

    def close(self):
        self.free.set()
        super().close()


@pytest.fixture
def servers():
    made = [Server(), Server()]
    yield made
    for server in made:
        server.close()


FILE = """
upstreams:
  api: {{ url: {0}/v2, limit: 4 }}
  other: {{ url: {1} }}
routes:
  - path: /profile/*
    timeout: {timeout}
    gather:
      as: {form}
      parts:
        user: {{ path: "/users/{{1}}", upstream: api }}
        orders: {{ path: "/orders?user={{1}}&since={{query.since|today}}", upstream: api, optional: true }}
        face: {{ path: /png, upstream: other }}
        note: {{ path: /text, upstream: other }}
        odd: {{ path: /broken, upstream: other }}
        news: {{ method: {method}, path: "{news}", upstream: other, optional: true, default: {{ items: [], n: 0 }} }}
  - {{ upstream: other }}
"""


def config(servers, form="json", news="/news", method="GET", timeout="20s"):
    return FILE.format(servers[0].url, servers[1].url, form=form, news=news, method=method,
                       timeout=timeout)


def ask(p, path="/profile/7", headers=None, method="GET", body=None):
    c = http.client.HTTPConnection("127.0.0.1", p.port, timeout=PATIENCE)
    c.request(method, path, body=body, headers=headers or {})
    r = c.getresponse()
    said = r.read()
    c.close()
    return r, said


def test_parts_as_json(servers, tmp_path):
    with Proxy(tmp_path, config(servers)) as p:
        r, said = ask(p, "/profile/a%20b/more?since=1%262&x")
        assert r.status == 200 and r.getheader("Content-Type") == "application/json"
        assert r.getheader("Weir-Missing") is None and r.getheader("Weir-Reason") is None
        m = json.loads(said)
        assert m["parts"] == {
            "user": {"path": "/v2/users/a%20b"},
            "orders": {"path": "/v2/orders?user=a%20b&since=1%262"},
            "face": base64.b64encode(PNG).decode(), "note": 'say "ä"\n', "odd": '{"a": 1, "a',
            "news": {"path": "/news"}}
        assert {k: v["as"] for k, v in m["about"].items()} == {
            "user": "json", "orders": "json", "face": "base64", "note": "text", "odd": "text",
            "news": "json"}
        assert m["about"]["face"] == {"status": 200, "as": "base64", "type": "image/png"}
        eventually(lambda: gauges_at_zero(p))
        s = p.status()
        assert s["calls"]["sent"] == 6 and s["exchanges"]["total"] == 1
        assert {u["name"]: u["calls"]["sent"] for u in s["upstreams"]} == {"api": 2, "other": 4}
        r, said = ask(p, "/elsewhere")  # other routes go on as they are
        assert json.loads(said) == {"path": "/elsewhere"}


def test_parts_as_multipart(servers, tmp_path):
    with Proxy(tmp_path, config(servers, "multipart", "/gone")) as p:
        r, said = ask(p)
        assert r.status == 200 and r.getheader("Weir-Missing") == "news"
        whole = b"Content-Type: " + r.getheader("Content-Type").encode() + b"\r\n\r\n" + said
        m = email.message_from_bytes(whole, policy=email.policy.HTTP)
        assert m.get_content_type() == "multipart/mixed" and not m.defects
        parts = {part.get_param("name", header="Content-Disposition"): part for part in m.iter_parts()}
        assert list(parts) == ["user", "orders", "face", "note", "odd", "news"]
        assert json.loads(parts["user"].get_payload()) == {"path": "/v2/users/7"}
        assert parts["user"]["Weir-Status"] == "200"
        assert parts["face"].get_content_type() == "image/png"
        assert b"\r\n\r\n" + PNG + b"\r\n--weir-" in said
        assert parts["news"]["Weir-Missing"] == "part-status"
        assert json.loads(parts["news"].get_payload()) == {"items": [], "n": 0}


@pytest.mark.parametrize("accept,form", [
    (None, "application/json"), ("*/*", "application/json"),
    ("multipart/mixed", "multipart/mixed"), ("text/html, Multipart/*;q=0.2", "multipart/mixed"),
    ("multipart/mixed;q=0.5, application/json", "application/json"),
    ("multipart/mixed, application/json;q=0.9", "multipart/mixed"),
    ("multipart/mixed;q=0", "application/json"),
])
def test_the_form_by_accept(servers, tmp_path, accept, form):
    with Proxy(tmp_path, config(servers, "accept")) as p:
        r, _ = ask(p, headers={"Accept": accept} if accept else {})
        assert r.status == 200 and r.getheader("Content-Type").split(";")[0] == form
        assert r.getheader("Vary") == "Accept"
        assert all("Accept" not in headers for *_, headers in servers[0].asked)


def test_what_is_missing_and_why(servers, tmp_path):
    with Proxy(tmp_path, config(servers, news="/slow", timeout="700ms")) as p:
        r, said = ask(p)
        m = json.loads(said)
        assert r.status == 200 and r.getheader("Weir-Missing") == "news" and r.getheader("Cache-Control") == "no-store"
        assert m["parts"]["news"] == {"items": [], "n": 0} and "user" in m["parts"]
        assert m["about"]["news"]["missing"] == "deadline" and m["about"]["news"]["why"]
        assert m["about"]["news"]["as"] == "default"
        servers[1].free.set()
        eventually(lambda: gauges_at_zero(p))


def test_a_required_part_that_fails(servers, tmp_path):
    text = config(servers).replace("path: /text", "path: /gone") + f"access-log: {tmp_path}/log\n"
    with Proxy(tmp_path, text) as p:
        r, said = ask(p)
        assert r.status == 502 and r.getheader("Weir-Reason") == "part-status"
        assert json.loads(said)["about"]["note"] == {
            "missing": "part-status", "why": "the server answered with 404", "status": 404}
        eventually(lambda: gauges_at_zero(p))
        assert p.status()["reasons"] == {"part-status": 1}
        line = eventually(lambda: (tmp_path / "log").read_text())
    entry = json.loads(line.splitlines()[0])
    assert entry["upstream"] == "api,other" and entry["status"] == 502
    assert entry["reason"] == "part-status" and entry["bytes_out"] == len(said)


NARROW = """
timeout: 20s
queue: 1
queue-for: {wait}
upstreams:
  api: {{ url: {0}, limit: 4 }}
  other: {{ url: {1}, limit: 1 }}
routes:
  - path: /two
    gather: {{ parts: {{ a: {{ path: /a, upstream: api }}, b: {{ path: /b, upstream: other }} }} }}
  - {{ upstream: other }}
"""


@pytest.mark.parametrize("ahead, wait, reason", ((1, "50ms", "queue-timeout"), (2, "20s", "queue-full")))
def test_an_upstream_without_a_slot_for_a_required_part(servers, tmp_path, ahead, wait, reason):
    """What is told is about that upstream, whether it refused at the door or later."""
    text = NARROW.format(servers[0].url, servers[1].url, wait=wait)
    with Proxy(tmp_path, text) as p:
        before = [threading.Thread(target=ask, args=(p, "/slow")) for _ in range(ahead)]
        for t in before:
            t.start()
        eventually(lambda: servers[1].asked and p.status()["queue"]["waiting"] == ahead - 1)
        r, said = ask(p, "/two")
        assert (r.status, r.getheader("Weir-Reason"), r.getheader("Retry-After")) == (503, reason, "1")
        assert len(servers[0].asked) == (1 if ahead == 1 else 0), said
        e = eventually(lambda: (lambda e: e["found"] and e)(
            admin(p.admin, f"/explain?id={r.getheader('Weir-Id')}")))
        assert (e["limits"]["limit"], e["limits"]["queue"]) == (1, 1) and "1 of 1 connection" in e["why"]
        servers[1].free.set()
        for t in before:
            t.join()
        eventually(lambda: gauges_at_zero(p))


@pytest.mark.parametrize("path", [
    "/profile/", "/profile/..", "/profile/%2e%2e", "/profile/a%2fb", "/profile/a%00",
    "/profile/%", "/profile/7?since=1&since=2"])
def test_a_path_that_no_part_is_made_of(servers, tmp_path, path):
    with Proxy(tmp_path, config(servers)) as p:
        r, said = ask(p, path)
        assert r.status == 400 and r.getheader("Weir-Reason") == "bad-pieces", said
        assert not servers[0].asked and not servers[1].asked


def test_the_body_goes_with_parts_that_take_one(servers, tmp_path):
    with Proxy(tmp_path, config(servers, method="POST")) as p:
        r, _ = ask(p, method="POST", body=b"b" * 60_000)
        assert r.status == 200
        bodies = {path: (method, len(body)) for method, path, body, _ in servers[1].asked}
        assert bodies["/news"] == ("POST", 60_000) and bodies["/text"] == ("GET", 0)
        r, _ = ask(p, method="POST", body=b"b" * 70_000)
        assert r.status == 413


def test_a_reload_changes_the_parts(servers, tmp_path):
    with Proxy(tmp_path, config(servers)) as p:
        assert ask(p)[0].status == 200
        p.reload(config(servers, "multipart"))
        assert ask(p)[0].getheader("Content-Type").startswith("multipart/mixed; boundary=")
        p.reload(config(servers, "xml"), taken=False)
        assert ask(p)[0].getheader("Content-Type").startswith("multipart/mixed; boundary=")


def test_parts_on_every_thread(servers, tmp_path):
    with Proxy(tmp_path, "threads: 3\n" + config(servers)) as p:
        for _ in range(12):
            r, said = ask(p)
            assert r.status == 200 and len(json.loads(said)["parts"]) == 6
        eventually(lambda: gauges_at_zero(p))
