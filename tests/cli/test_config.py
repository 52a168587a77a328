"""weir proxy by its file, the environment and the command line; routes; reload; drain."""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from answering import Answering
from verbs import PATIENCE, WEIR, Verb, ask, eventually, gauges_at_zero


class Api(Answering):
    """A server that says its name and what it was asked; it keeps them back while it is not `free`."""

    def __init__(self, name):
        self.name, self.served, self.now, self.most = name, 0, 0, 0
        self.lock, self.free = threading.Lock(), threading.Event()
        self.free.set()
        super().__init__()

    def answer(self, request, body):
        with self.lock:
            self.served += 1
            self.now += 1
            self.most = max(self.most, self.now)
        self.free.wait(PATIENCE)
        with self.lock:
            self.now -= 1
        return 200, {}, json.dumps({"name": self.name, "path": request.path, "body": len(body),
                                    "host": request.headers["Host"]}).encode()

    def close(self):
        self.free.set()
        super().close()


@pytest.fixture
def apis():
    made = [Api("first"), Api("second")]
    yield made
    for api in made:
        api.close()


class Proxy(Verb):
    """A proxy that has all from a file, its addresses too."""

    def __init__(self, folder, text, *options, env=None):
        self.name = "proxy"
        self.file = Path(folder) / "weir.yaml"
        self.admin = Path(folder) / "admin.sock"
        self.write(text)
        self.process = subprocess.Popen(
            [WEIR, "proxy", "--config", self.file, *options], stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=dict(os.environ, **(env or {})))
        self.line = self._first_line()
        self.port = int(self.line.split("127.0.0.1:")[1].split(",")[0].split()[0])
        self.url = f"http://127.0.0.1:{self.port}"

    def write(self, text):
        head = f"listen: ['127.0.0.1:0']\nadmin: 'unix:{self.admin}'\n"
        self.file.write_text(text if "listen:" in text else head + text)

    def reload(self, text=None, taken=True):
        """SIGHUP; returns when it has been acted on."""
        if text is not None:
            self.write(text)
        which = "reloads" if taken else "reloads_failed"
        before = self.status()["config"][which]
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.status()["config"][which] > before)

    def get(self, path="/", method="GET", host="x", body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        c.request(method, path, body=body, headers={"Host": host})
        r = c.getresponse()
        said = r.read().decode()
        c.close()
        return r, said


def name_of(answer):
    response, said = answer
    assert response.status == 200, said
    return json.loads(said)["name"]


# --- the file ---

def test_the_file_has_everything(apis, tmp_path):
    text = (f"upstream: {apis[0].url}/base\nlimit: 7\nlimit-unit: request\n"
            "timeout: 3s\npreserve-host: yes\n")
    with Proxy(tmp_path, text) as p:
        assert "limit 7 requests" in p.line and "timeout 3 s" in p.line
        said = json.loads(p.get("/x", host="caller.local")[1])
        assert (said["path"], said["host"]) == ("/base/x", "caller.local")
        s = p.status()
        assert s["limit"] == 7 and s["limit_unit"] == "request"
        assert s["config"]["file"] == str(p.file)
        assert [u["name"] for u in s["upstreams"]] == ["default"]


def test_the_stronger_source_stands(apis, tmp_path):
    text = f"upstreams: {{ api: {{ url: {apis[0].url}, limit: 5, queue-for: 3s }} }}\nlimit: 4\n"
    with Proxy(tmp_path, text) as p:
        assert p.status()["limit"] == 5
    with Proxy(tmp_path, text, env={"WEIR_PROXY_LIMIT": "6"}) as p:
        assert p.status()["limit"] == 6
    with Proxy(tmp_path, text, env={"WEIR_PROXY_LIMIT": ""}) as p:
        assert p.status()["limit"] == 5
    with Proxy(tmp_path, text, "--limit", "7", env={"WEIR_PROXY_LIMIT": "6"}) as p:
        assert p.status()["limit"] == 7
        p.reload(text.replace("limit: 5", "limit: 9"))
        assert p.status()["limit"] == 7


def test_the_environment_alone(apis, tmp_path):
    env = {"WEIR_PROXY_UPSTREAM": apis[1].url, "WEIR_PROXY_PRESERVE_HOST": "yes",
           "WEIR_PROXY_NOTHING": "ignored"}
    os.environ.update(env)
    try:
        with Verb("proxy", tmp_path) as p:
            c = http.client.HTTPConnection("127.0.0.1", p.port, timeout=PATIENCE)
            c.request("GET", "/", headers={"Host": "kept"})
            assert json.loads(c.getresponse().read())["host"] == "kept"
            c.close()
    finally:
        for name in env:
            del os.environ[name]


def misuse(*argv, env=None):
    done = subprocess.run([WEIR, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                          env=dict(os.environ, **(env or {})))
    return done.returncode, done.stderr


def test_a_wrong_environment_is_told_by_its_name():
    argv = ("proxy", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1")
    for value, says in (("5", "WEIR_PROXY_TIMEOUT: '5' has no unit"),
                        ("0", "WEIR_PROXY_TIMEOUT 0: every request would be too late")):
        code, said = misuse(*argv, env={"WEIR_PROXY_TIMEOUT": value})
        assert code == 2 and says in said


def test_a_wrong_file_is_told_whole(tmp_path):
    file = tmp_path / "w.yaml"
    file.write_text("listen: ':x'\nlimt: 3\nupstream: ftp://a\n")
    code, said = misuse("proxy", "--config", str(file))
    assert code == 2
    places = [line.split(" ")[0] for line in said.splitlines() if line.startswith(str(file))]
    assert places == [f"{file}:1:9:", f"{file}:2:1:", f"{file}:3:11:"]
    code, said = misuse("proxy", "--config", str(tmp_path / "none.yaml"))
    assert code == 2 and "No such file" in said
    file.write_text("upstreams: { a: { url: http://127.0.0.1:1 } }\nlisten: ':0'\n")
    code, said = misuse("proxy", "--config", str(file), "--upstream", "http://127.0.0.1:2")
    assert code == 2 and "--upstream: there are `upstreams` in the file" in said


def test_a_name_that_does_not_resolve_has_its_place(tmp_path):
    file = tmp_path / "w.yaml"
    file.write_text("listen: '127.0.0.1:0'\n"
                    "upstreams:\n  a: { url: [http://127.0.0.1:1, http://nowhere.invalid] }\n")
    code, said = misuse("proxy", "--config", str(file))
    assert code == 1 and f"{file}:3:34: url http://nowhere.invalid: " in said


# --- routes ---

ROUTES = """
upstreams:
  one: {{ url: {} }}
  two: {{ url: {}/deep, timeout: 5s }}
routes:
  - {{ host: exact.local, path: /only, upstream: one }}
  - {{ host: "*.wide.local", upstream: two }}
  - {{ path: /v1/*, method: [GET, POST], upstream: two }}
  - {{ path: /many, upstream: one, gather: 3 }}
  - {{ path: /both/*, upstream: one }}
"""


@pytest.mark.parametrize("host,path,method,name", [
    ("exact.local", "/only", "GET", "first"),
    ("EXACT.local:8080", "/only?q=1", "GET", "first"),
    ("exact.local", "/only/more", "GET", None),
    ("a.wide.local", "/", "GET", "second"),
    ("a.b.WIDE.local:80", "/x", "PUT", "second"),
    ("wide.local", "/", "GET", None),
    ("notwide.local", "/", "GET", None),
    ("x", "/v1/", "GET", "second"),
    ("x", "/v1/a/b?c", "POST", "second"),
    ("x", "/v1/a", "PUT", None),
    ("x", "/v1", "GET", None),
    ("x", "/both/", "PUT", "first"),
    ("[::1]:80", "/both/", "GET", "first"),
    ("x", "/", "GET", None),
])
def test_the_first_route_that_fits(apis, tmp_path, host, path, method, name):
    with Proxy(tmp_path, ROUTES.format(apis[0].url, apis[1].url)) as p:
        assert "2 upstreams, 5 routes" in p.line
        response, said = p.get(path, method, host)
        if name is None:
            assert response.status == 404
            assert response.getheader("Weir-Reason") == "no-route"
            assert "no route takes" in said
            assert p.status()["reasons"] == {"no-route": 1}
            assert p.status()["answers"] == {"404": 1}
        else:
            assert json.loads(said)["name"] == name
            assert json.loads(said)["path"] == ("/deep" if name == "second" else "") + path
        by_name = {u["name"]: u["calls"]["answered"] for u in p.status()["upstreams"]}
        assert by_name == {"one": int(name == "first"), "two": int(name == "second")}


def test_a_route_has_its_own_gather_and_timeout(apis, tmp_path):
    text = ROUTES.format(apis[0].url, apis[1].url) + \
        "  - { path: /slow, upstream: two, timeout: 50ms }\n"
    with Proxy(tmp_path, text) as p:
        parts = json.loads(p.get("/many")[1])["parts"]
        assert [json.loads(part["body"])["name"] for part in parts] == ["first"] * 3
        apis[1].free.clear()
        response, said = p.get("/slow")
        assert response.status == 504 and "50 ms" in said
        apis[1].free.set()
        eventually(lambda: gauges_at_zero(p))


def test_bodies_after_no_route_are_dropped(apis, tmp_path):
    with Proxy(tmp_path, ROUTES.format(apis[0].url, apis[1].url)) as p:
        c = http.client.HTTPConnection("127.0.0.1", p.port, timeout=PATIENCE)
        for _ in range(2):  # on one connection
            c.request("POST", "/nowhere", body=b"x" * 100_000)
            r = c.getresponse()
            assert r.status == 404
            r.read()
        c.request("GET", "/v1/a")
        assert json.loads(c.getresponse().read())["name"] == "second"
        c.close()


# --- reload ---

def test_a_reload_changes_routes_and_limits_and_keeps_the_socket(apis, tmp_path):
    both = "upstreams:\n  api: {{ url: {}, limit: {} }}\n"
    with Proxy(tmp_path, both.format(apis[0].url, 10)) as p:
        assert name_of(p.get()) == "first"
        connects = p.status()["connects"]
        p.reload(both.format(apis[0].url, 3))
        s = p.status()
        assert s["limit"] == 3 and s["calls"]["answered"] == 1
        assert name_of(p.get()) == "first"
        assert p.status()["connects"] == connects  # the pooled connection has stayed
        p.reload(both.format(apis[1].url, 3))
        assert name_of(p.get()) == "second"
        # nothing is left of the other one
        eventually(lambda: len(p.status()["upstreams"]) == 1)


@pytest.mark.parametrize("text,says", [
    ("limit: 0\n", "weir.yaml:3:8: limit: between 1"),
    ("}\n", "weir.yaml:3:1: "),
    ("upstream: http://nowhere.invalid\n", "upstream http://nowhere.invalid"),
    ("listen: ['127.0.0.1:0', '192.0.2.1:1']\nupstream: http://127.0.0.1:1\n", "192.0.2.1"),
])
def test_a_wrong_reload_changes_nothing(apis, tmp_path, text, says):
    with Proxy(tmp_path, f"upstream: {apis[0].url}\nlimit: 4\n") as p:
        if "listen:" in text:
            text += f"admin: 'unix:{p.admin}'\n"
        p.reload(text, taken=False)
        assert p.status()["limit"] == 4 and p.status()["config"]["reloads"] == 0
        assert name_of(p.get()) == "first"
    assert says in p.said
    assert "not reloaded: it goes on with the configuration it has" in p.said


def test_listeners_and_admin_come_and_go(apis, tmp_path):
    one, two = tmp_path / "one.sock", tmp_path / "two.sock"
    text = "listen: [{}]\nadmin: 'unix:{}'\nupstream: " + apis[0].url + "\n"

    def reaches(path):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            try:
                s.connect(str(path))
            except OSError:
                return False
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return s.recv(100).startswith(b"HTTP/1.1 200")

    with Proxy(tmp_path, text.format("'127.0.0.1:0', 'unix:%s'" % one, tmp_path / "admin.sock")) as p:
        assert reaches(one) and not two.exists()
        inode = one.stat().st_ino
        held = http.client.HTTPConnection("127.0.0.1", p.port, timeout=PATIENCE)
        held.request("GET", "/")
        held.getresponse().read()
        p.reload(text.format("'unix:%s', 'unix:%s'" % (one, two), tmp_path / "admin.sock"))
        assert reaches(two) and reaches(one) and one.stat().st_ino == inode
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", p.port), timeout=PATIENCE)
        held.request("GET", "/")  # who is connected stays so
        assert held.getresponse().status == 200
        held.close()
        other = tmp_path / "other.sock"
        p.file.write_text(text.format("'unix:%s'" % two, other))
        p.process.send_signal(signal.SIGHUP)
        eventually(lambda: reaches(other))  # its file is there before it listens
        assert ask(other)["config"]["reloads"] == 2
        eventually(lambda: not one.exists() and not (tmp_path / "admin.sock").exists())
        p.admin = other


def test_room_for_more_clients_is_used_at_once(apis, tmp_path):
    text = f"upstream: {apis[0].url}\nclients: %d\n"
    with Proxy(tmp_path, text % 2) as p:
        apis[0].free.clear()
        callers = [threading.Thread(target=p.get) for _ in range(3)]
        for c in callers:
            c.start()
        eventually(lambda: apis[0].now == 2)
        p.reload(text % 3)
        eventually(lambda: apis[0].now == 3)  # though nobody has left
        apis[0].free.set()
        for c in callers:
            c.join()


def test_requests_in_flight_end_by_what_they_began_with(apis, tmp_path):
    with Proxy(tmp_path, f"upstream: {apis[0].url}\nlimit: 5\n") as p:
        apis[0].free.clear()
        answers = []
        asked = threading.Thread(target=lambda: answers.append(p.get()))
        asked.start()
        eventually(lambda: apis[0].now == 1)
        p.reload(f"upstream: {apis[1].url}\n")
        assert name_of(p.get()) == "second"
        old = [u for u in p.status()["upstreams"] if u["slots"]["busy"]]
        assert len(old) == 1 and old[0]["limit"] == 5
        apis[0].free.set()
        asked.join(PATIENCE)
        assert name_of(answers[0]) == "first"
        eventually(lambda: len(p.status()["upstreams"]) == 1)


def test_the_cap_holds_across_a_reload(apis, tmp_path):
    text = "upstream: " + apis[0].url + "\nlimit: {}\nqueue-for: 20s\n"
    with Proxy(tmp_path, text.format(6)) as p:
        apis[0].free.clear()
        threads = [threading.Thread(target=p.get) for _ in range(12)]
        for t in threads:
            t.start()
        eventually(lambda: apis[0].now == 6 and p.status()["queue"]["waiting"] == 6)
        p.reload(text.format(2))
        s = p.status()
        assert s["limit"] == 2 and s["slots"]["used"] == 6 and s["queue"]["waiting"] == 6
        with apis[0].lock:
            apis[0].most = 0
        p.reload(text.format(8))
        eventually(lambda: apis[0].now == 8)
        apis[0].free.set()
        for t in threads:
            t.join(PATIENCE)
        assert apis[0].most <= 8
        p.reload(text.format(1))
        eventually(lambda: p.status()["slots"]["used"] <= 1)


class Callers:
    """Keep-alive clients that ask one request after another; what went wrong is kept. A
    connection that the proxy announced to close is opened anew; when nobody listens any more,
    a caller ends."""

    def __init__(self, port, n=8):
        self.port, self.good, self.bad = port, 0, []
        self.halt, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(n)]
        for t in self.threads:
            t.start()

    def run(self, number):
        body = b"x" * 3000 if number % 2 else None
        while not self.halt.is_set():
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            try:
                c.connect()
            except ConnectionRefusedError:
                return
            while not self.halt.is_set() and self.ask(c, body):
                pass
            c.close()

    def ask(self, c, body):
        try:
            c.request("POST" if body else "GET", "/", body=body)
            r = c.getresponse()
            said = r.read()
            good = r.status == 200 and json.loads(said)["body"] == len(body or b"")
        except (OSError, http.client.HTTPException, ValueError) as why:
            r, good, said = None, False, repr(why)
        with self.lock:
            self.good += good
            if not good:
                self.bad.append(said)
        return good and r.getheader("Connection") != "close"

    def end(self):
        self.halt.set()
        for t in self.threads:
            t.join(PATIENCE)


def test_no_request_is_lost_by_reloads_under_load(apis, tmp_path):
    texts = [f"upstreams: {{ api: {{ url: {apis[0].url}, limit: 6 }} }}\n",
             f"upstreams: {{ api: {{ url: {apis[1].url}, limit: 6 }} }}\n",
             f"upstreams: {{ api: {{ url: {apis[1].url}, limit: 3 }} }}\nclients: 50\n"]
    # however slow this machine is, nobody is late
    texts = [text + "timeout: none\nqueue-for: none\n" for text in texts]
    with Proxy(tmp_path, texts[0]) as p:
        callers = Callers(p.port)
        for i in range(1, 30):
            before = callers.good
            p.reload(texts[i % 3])
            eventually(lambda: callers.good > before + 8 or callers.bad)
        callers.end()
        assert callers.bad == [] and callers.good > 200
        eventually(lambda: gauges_at_zero(p) and len(p.status()["upstreams"]) == 1)
    assert apis[0].most <= 6 and apis[1].most <= 6 + 6  # two of one name while one retires


# --- stopping ---

def held_request(p, api):
    """One that is at the server, which keeps it until its `free` is set."""
    api.free.clear()
    c = http.client.HTTPConnection("127.0.0.1", p.port, timeout=PATIENCE)
    c.request("GET", "/")
    eventually(lambda: api.now == 1)
    return c


def test_a_drain_waits_for_requests_up_to_its_timeout(apis, tmp_path):
    for bound, status in (("20s", 200), ("100ms", None)):
        with Proxy(tmp_path, f"upstream: {apis[0].url}\ndrain-timeout: {bound}\n") as p:
            c = held_request(p, apis[0])
            p.process.send_signal(signal.SIGTERM)
            if status:
                refused = eventually(lambda: not connects(p.port))
                assert refused and p.process.poll() is None
                apis[0].free.set()
                r = c.getresponse()
                assert r.status == status and r.getheader("Connection") == "close"
                r.read()
            else:
                with pytest.raises((OSError, http.client.HTTPException)):
                    c.getresponse()
                apis[0].free.set()
            c.close()
            assert p.process.wait(PATIENCE) == 0
        eventually(lambda: apis[0].now == 0)


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except ConnectionResetError:
        return True  # was in the backlog as the listener closed
    except ConnectionRefusedError:
        return False
    return True


def test_a_second_signal_ends_it_at_once(apis, tmp_path):
    with Proxy(tmp_path, f"upstream: {apis[0].url}\ndrain-timeout: none\n") as p:
        c = held_request(p, apis[0])
        p.process.send_signal(signal.SIGTERM)
        eventually(lambda: not connects(p.port))
        p.process.send_signal(signal.SIGHUP)  # too late for that
        p.process.send_signal(signal.SIGINT)
        assert p.process.wait(PATIENCE) == 0
        c.close()


# --- the access log ---

def lines_of(file):
    return [json.loads(line) for line in Path(file).read_text().splitlines()]


def test_the_access_log_has_a_line_a_request(apis, tmp_path):
    log = tmp_path / "access.log"
    text = ROUTES.format(apis[0].url, apis[1].url) + f"access-log: {log}\n"
    with Proxy(tmp_path, text) as p:
        p.get("/v1/a?secret=1", method="POST", body=b"x" * 5000)
        p.get("/many")
        p.get("/nowhere", host="there")
        eventually(lambda: p.status()["access_log"]["written"] == 3)
        assert p.status()["access_log"] == {"file": str(log), "written": 3, "dropped": 0,
                                            "failed": 0}
        one, many, nowhere = lines_of(log)
    assert one["method"] == "POST" and one["path"] == "/v1/a?" and one["host"] == "x"
    assert one["client"].startswith("127.0.0.1:") and one["id"] is None
    assert (one["status"], one["reason"], one["upstream"]) == (200, None, "two")
    assert one["bytes_in"] == 5000 and one["bytes_out"] > 50
    assert 0 <= one["queue_ms"] <= one["duration_ms"] < PATIENCE * 1000
    assert datetime.now(timezone.utc) - datetime.fromisoformat(
        one["time"].replace("Z", "+00:00")) < timedelta(seconds=PATIENCE)
    assert (many["status"], many["upstream"]) == (200, "one") and many["bytes_out"] > 150
    assert (nowhere["status"], nowhere["reason"], nowhere["upstream"]) == (404, "no-route", None)
    assert nowhere["host"] == "there" and nowhere["duration_ms"] == 0


def test_what_the_log_says_of_failures(apis, tmp_path):
    log = tmp_path / "access.log"
    text = (f"upstream: {apis[0].url}\ntimeout: 100ms\naccess-log: {log}\n"
            "access-log-query: keep\n")
    with Proxy(tmp_path, text) as p:
        apis[0].free.clear()
        assert p.get("/late?q=\"1\"")[0].status == 504
        with socket.create_connection(("127.0.0.1", p.port), timeout=PATIENCE) as s:
            s.sendall(b"POST /half HTTP/1.1\r\nHost: x\r\nX-Request-Id: it\\1\r\n"
                      b"Content-Length: 100\r\n\r\nabc")
            eventually(lambda: p.status()["exchanges"]["now"] == 1)
        eventually(lambda: p.status()["access_log"]["written"] == 2)
        late, half = lines_of(log)
        apis[0].free.set()
        eventually(lambda: gauges_at_zero(p))
    assert late["path"] == "/late?q=\"1\"" and late["duration_ms"] >= 100
    assert (late["status"], late["reason"]) == (504, "deadline")
    assert (half["status"], half["reason"], half["id"]) == (None, "client-gone", "it\\1")
    assert half["bytes_in"] == 3 and half["bytes_out"] == 0


def test_what_is_refused_unread_is_counted_and_logged(apis, tmp_path):
    log = tmp_path / "access.log"
    text = f"upstream: {apis[0].url}\nclient-head-for: 100ms\naccess-log: {log}\n"
    cases = [(b"GET / HTTP/1.1\nHost: x\n\n", 400, "bad-request"),
             (b"GET / HTTP/1.1\r\n\r\n", 400, "bad-host"),
             (b"GET / HTTP/1.1\r\nHost: x\r\n", 408, "request-timeout"),
             (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "target-too-long"),
             (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431, "head-too-large"),
             (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "coding-unknown"),
             (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "version-unknown")]
    with Proxy(tmp_path, text) as p:
        ends = []
        for raw, status, _ in cases:
            with socket.create_connection(("127.0.0.1", p.port), timeout=PATIENCE) as s:
                ends.append("%s:%d" % s.getsockname())
                s.sendall(raw)
                assert s.recv(100).startswith(b"HTTP/1.1 %d " % status)
        eventually(lambda: p.status()["access_log"]["written"] == len(cases))
        told = p.status()
        lines = lines_of(log)
        eventually(lambda: gauges_at_zero(p))
    assert told["answers"] == {"400": 2, "408": 1, "414": 1, "431": 1, "501": 1, "505": 1}
    assert told["reasons"] == {reason: 1 for _, _, reason in cases}
    assert told["exchanges"]["total"] == 0
    for line, client, (_, status, reason) in zip(lines, ends, cases):
        assert (line["client"], line["status"], line["reason"]) == (client, status, reason)
        for key in ("method", "host", "path", "upstream", "id"):
            assert line[key] is None
        assert line["bytes_in"] == line["bytes_out"] == 0


def test_the_log_is_opened_anew(apis, tmp_path):
    log, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    text = f"upstream: {apis[0].url}\naccess-log: {log}\n"
    with Proxy(tmp_path, text) as p:
        p.get("/1")
        eventually(lambda: p.status()["access_log"]["written"] == 1)
        log.rename(moved)
        p.reload()
        p.get("/2")
        eventually(lambda: log.exists() and len(lines_of(log)) == 1)
        p.reload(text.replace(str(log), str(tmp_path)), taken=False)  # a directory
        p.get("/3")
        eventually(lambda: len(lines_of(log)) == 2)
        p.reload(f"upstream: {apis[0].url}\n")
        p.get("/4")
        assert p.status()["access_log"]["file"] is None
        p.reload(text)
        p.get("/5")
    assert [line["path"] for line in lines_of(moved)] == ["/1"]
    assert [line["path"] for line in lines_of(log)] == ["/2", "/3", "/5"]


def test_a_log_that_nobody_reads_stops_nothing(apis, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    path = "/" + "x" * 8000
    with Proxy(tmp_path, f"upstream: {apis[0].url}\naccess-log: {fifo}\n") as p:
        c = http.client.HTTPConnection("127.0.0.1", p.port, timeout=PATIENCE)

        def dropped():
            for _ in range(50):
                c.request("GET", path)
                assert c.getresponse().read()
            return p.status()["access_log"]["dropped"] > 10
        eventually(dropped)
        c.close()
        s = p.status()
        log = s["access_log"]
        assert log["dropped"] + log["written"] < s["answers"]["200"]
        p.process.send_signal(signal.SIGTERM)
        assert p.process.wait(PATIENCE) == 0  # and it is not waited for at the end
    os.close(reader)
