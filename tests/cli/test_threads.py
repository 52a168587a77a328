"""weir proxy with several threads: the same answers, one limit, nothing lost, gauges that sum up."""

import contextlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from pki import LOCAL, Authority
from test_config import Callers, Proxy, apis  # noqa: F401 (a fixture)
from test_pause import Quota
from verbs import PATIENCE, WEIR, Verb, calling, eventually, gauges_at_zero

THREADS = (2, 4)
SLOW = "tsan" in os.environ.get("WEIR", "") or "asan" in os.environ.get("WEIR", "")


def load(url, *options, rate, calls):
    """weir load's report, and that every request it began has its answer."""
    argv = [WEIR, "load", "--rate", f"{rate}/s", "--for", f"{calls / rate:g}s", "--json", "--quiet", *options,
            url]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
                          stderr=subprocess.PIPE, timeout=600)
    assert done.returncode in (0, 1), done.stderr.decode()
    return json.loads(done.stdout)


def connections_of(proxy, n):
    """n clients, connected and served once, so that each is a thread's by now."""
    made = []
    for _ in range(n):
        c = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
        c.request("GET", "/")
        answer = c.getresponse()
        answer.read()
        made.append(c)
    return made


# --- who serves ---

@pytest.mark.parametrize("n", (1,) + THREADS)
def test_every_thread_serves(apis, tmp_path, n):
    with Proxy(tmp_path, f"upstream: {apis[0].url}\nthreads: {n}\n") as p:
        assert (f", {n} threads" in p.line) == (n > 1)
        clients = connections_of(p, 64)
        s = p.status()
        assert len(s["threads"]) == n
        assert sum(t["clients"] for t in s["threads"]) == s["sockets"]["client"] == 64
        assert all(t["clients"] > 0 for t in s["threads"])
        assert s["exchanges"]["total"] == 64 and s["answers"] == {"200": 64}
        for c in clients:
            c.close()
        eventually(lambda: gauges_at_zero(p))
    assert apis[0].served == 64


def test_auto_is_one_for_each_cpu_it_may_run_on(apis, tmp_path):
    cpus = os.sched_getaffinity(0)
    with Proxy(tmp_path, f"upstream: {apis[0].url}\nthreads: auto\n") as p:
        assert len(p.status()["threads"]) == len(cpus)
    os.sched_setaffinity(0, {min(cpus)})
    try:
        with Proxy(tmp_path, f"upstream: {apis[0].url}\nthreads: auto\n") as p:
            assert len(p.status()["threads"]) == 1
    finally:
        os.sched_setaffinity(0, cpus)


@pytest.mark.parametrize("value", ("0", "many", "257", "-1", "1.5"))
def test_a_number_that_makes_no_sense_is_told(value, tmp_path):
    done = subprocess.run([WEIR, "proxy", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1",
                           "--threads", value], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          timeout=PATIENCE, check=False)
    assert done.returncode == 2 and b"--threads" in done.stderr and b"auto" in done.stderr


def test_a_unix_socket_is_served_by_all(apis, tmp_path):
    path = tmp_path / "in.sock"
    text = f"listen: ['unix:{path}']\nadmin: 'unix:{tmp_path}/admin.sock'\nthreads: 2\n" \
           f"upstream: {apis[0].url}\n"

    def get():
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(str(path))
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            said = b""
            while piece := s.recv(65536):
                said += piece
            return said

    class Local(Proxy):
        def _first_line(self):
            return super()._first_line() + " 127.0.0.1:0"  # there is no port

    with Local(tmp_path, text) as p:
        for _ in range(200):
            assert get().startswith(b"HTTP/1.1 200 ")
        assert p.status()["exchanges"]["total"] == 200
        eventually(lambda: gauges_at_zero(p))
    assert not path.exists()


def test_two_upstreams(apis, tmp_path):
    text = (f"threads: 2\nupstreams: {{ one: {{ url: {apis[0].url}, limit: 5 }},\n"
            f"  two: {{ url: {apis[1].url}, limit: 7 }} }}\n"
            "routes: [ { path: /one, upstream: one }, { upstream: two } ]\n")
    with Proxy(tmp_path, text) as p:
        for i in range(40):
            path = "/one" if i % 4 == 0 else "/two"
            assert json.loads(p.get(path)[1])["name"] == ("first" if i % 4 == 0 else "second")
        s = p.status()
        assert {u["name"]: u["calls"]["answered"] for u in s["upstreams"]} == {"one": 10, "two": 30}
        assert {u["name"]: u["limit"] for u in s["upstreams"]} == {"one": 5, "two": 7}
        assert s["limit"] == 12 and s["calls"]["answered"] == 40


# --- one limit ---

@pytest.mark.parametrize("n", THREADS)
def test_the_limit_is_one_over_all_threads(tmp_path, n):
    """At the server's own limit, with more on offer than it serves: it never has to refuse."""
    limit, calls = 16, 6_000 if SLOW else 50_000
    rate = 1_000 if SLOW else 5_000
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(Verb(
            "origin", tmp_path, "--limit", limit, "--full", "fasthttp", "--latency", "4ms"))
        proxy = stack.enter_context(Verb(
            "proxy", tmp_path, "--upstream", origin.url, "--limit", limit, "--threads", n,
            "--queue", 64, "--queue-for", "200ms", "--timeout", "10s"))
        report = load(proxy.url, rate=rate, calls=calls)
        eventually(lambda: gauges_at_zero(proxy))
        o, s = origin.status(), proxy.status()
    started = report["started"]
    assert started >= calls * 0.99
    assert o["refused"] == 0 and s["calls"]["refused"] == 0
    assert o["slots"]["peak"] <= limit and s["slots"]["peak"] <= limit
    assert s["exchanges"]["total"] == started == sum(s["answers"].values())
    assert o["requests"] == s["calls"]["sent"] == s["calls"]["answered"] == s["answers"]["200"]
    assert len(s["upstreams"]) == 1 and s["upstreams"][0]["limit"] == limit


@pytest.mark.parametrize("n", THREADS)
def test_a_limit_of_requests_is_one_too(apis, tmp_path, n):
    text = f"upstream: {apis[0].url}\nlimit: 3\nlimit-unit: request\nqueue-for: 60s\nthreads: {n}\n"
    with Proxy(tmp_path, text) as p:
        apis[0].free.clear()
        callers = Callers(p.port, 16)
        eventually(lambda: p.status()["queue"]["waiting"] == 13)
        eventually(lambda: apis[0].now == 3)  # a slot is taken before the server has the request
        assert p.status()["slots"]["used"] == 3
        apis[0].free.set()
        eventually(lambda: callers.good > 300)
        callers.end()
        assert callers.bad == [] and apis[0].most == 3 and p.status()["slots"]["peak"] == 3
        eventually(lambda: gauges_at_zero(p))


@pytest.mark.parametrize("n", THREADS)
def test_clients_are_bounded_over_all_threads(apis, tmp_path, n):
    with Proxy(tmp_path, f"upstream: {apis[0].url}\nthreads: {n}\nclients: 8\n") as p:
        clients = connections_of(p, 8)
        waiting = []
        for _ in range(16):
            s = socket.create_connection(("127.0.0.1", p.port), PATIENCE)
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            waiting.append(s)
        assert p.status()["sockets"]["client"] <= 8
        for c in clients:
            c.close()
        for s in waiting:  # who waited in the backlog of any thread is served in the end
            said = b""
            while piece := s.recv(65536):
                said += piece
            assert said.startswith(b"HTTP/1.1 200 ")
            s.close()
        eventually(lambda: gauges_at_zero(p))


# --- what is learned of a server is learned for all ---

def connection_on_each(proxy, n):
    """A client's connection on each of n threads."""
    def clients():
        return [t["clients"] for t in proxy.status()["threads"]]

    found, spare = {}, []
    while len(found) < n:
        before = clients()
        (c,) = connections_of(proxy, 1)
        nth = next(i for i, (a, b) in enumerate(zip(before, clients())) if b > a)
        if nth in found:
            spare.append(c)
        else:
            found[nth] = c
    for c in spare:
        c.close()
    return [found[i] for i in range(n)]


def status_on(connection, path="/"):
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_an_endpoint_that_fails_on_one_thread_is_left_out_by_all(tmp_path):
    with contextlib.ExitStack() as stack:
        well, sick = (stack.enter_context(contextlib.closing(Quota())) for _ in range(2))
        proxy = stack.enter_context(Proxy(
            tmp_path, f"threads: 2\nconnections: close\nupstream: [{well.url}, {sick.url}]\n"))
        first, second = connection_on_each(proxy, 2)
        sick.script = [(502, {})] * 1000

        def state():
            (up,) = proxy.status()["upstreams"]
            return {int(e["address"].rsplit(":", 1)[1]): e for e in up["endpoints"]}[sick.port]

        eventually(lambda: status_on(first) and state()["state"] == "out")
        assert state()["because"] == "several calls in a row failed there" and state()["times_out"] == 1
        seen = len(sick.seen)
        answers = [status_on(second) for _ in range(20)]
        if state()["back_in_ms"] > 0:  # its time was not over meanwhile
            assert answers == [200] * 20 and len(sick.seen) == seen
        for c in (first, second):
            c.close()
        eventually(lambda: gauges_at_zero(proxy))


def test_what_hanging_up_does_is_found_out_once(tmp_path):
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(Verb(
            "origin", tmp_path, "--limit", 20, "--hangup", "at-once", "--latency",
            "mix(70%: 5ms, 30%: uniform(700ms, 900ms))"))
        proxy = stack.enter_context(Verb(
            "proxy", tmp_path, "--upstream", origin.url, "--limit", 20, "--threads", 2, "--timeout",
            "200ms", "--queue-for", "50ms", "--abandon", "auto"))
        with calling(proxy, "150/s"):
            eventually(lambda: proxy.status()["upstreams"][0]["abandon"]["does"] == "auto: hang up",
                       within=90)
            before = proxy.status()["calls"]["hung_up"]
            eventually(lambda: proxy.status()["calls"]["hung_up"] > before + 20, within=60)
            found = proxy.status()["upstreams"][0]["abandon"]
        eventually(lambda: gauges_at_zero(proxy))
        assert origin.status()["refused"] == 0
    assert "calls hung up on ended within 100 ms" in found["because"] or found["changes"] > 1
    # said by the thread that found it out, and by no other
    assert proxy.said.count("it frees the slots of calls that are hung up on") == (found["changes"] + 1) // 2


# --- fair between callers ---

def test_a_flood_over_all_threads_takes_nothing_from_a_modest_caller(tmp_path):
    """The flood's connections are on both threads, the modest caller's is on one."""
    limit, patience = 10, 2
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(Verb("origin", tmp_path, "--limit", limit, "--latency", "50ms"))
        proxy = stack.enter_context(Verb(
            "proxy", tmp_path, "--upstream", origin.url, "--limit", limit, "--threads", 2,
            "--fair-by", "X-Caller", "--timeout", f"{patience}s"))
        (modest,) = connections_of(proxy, 1)

        def asks(n):
            statuses = []
            for _ in range(n):
                modest.request("GET", "/", headers={"X-Caller": "modest"})
                answer = modest.getresponse()
                answer.read()
                statuses.append(answer.status)
            return statuses

        assert asks(10) == [200] * 10
        with calling(proxy, "600/s", "--header", "X-Caller: flood"):
            eventually(lambda: proxy.status()["answers"].get("503", 0) > 100)
            assert all(t["clients"] > 1 for t in proxy.status()["threads"])
            began = time.monotonic()
            statuses = asks(100)
            took = time.monotonic() - began
        assert statuses.count(200) >= 97
        assert took < 100 * patience / 8  # in turn, not at the end of the flood's queue
        modest.close()
        eventually(lambda: gauges_at_zero(proxy))
        assert origin.status()["refused"] == 0


# --- reload and end ---

@pytest.mark.parametrize("n", THREADS)
def test_no_request_is_lost_by_reloads(apis, tmp_path, n):
    head = f"threads: {n}\n"
    texts = [head + f"upstreams: {{ api: {{ url: {apis[0].url}, limit: 6 }} }}\n",
             head + f"upstreams: {{ api: {{ url: {apis[1].url}, limit: 6 }} }}\n",
             head + f"upstreams: {{ api: {{ url: {apis[1].url}, limit: 3 }} }}\nclients: 50\n"]
    with Proxy(tmp_path, texts[0]) as p:
        callers = Callers(p.port)
        for i in range(1, 51):
            before = callers.good
            p.reload(texts[i % 3])
            eventually(lambda before=before: callers.good > before + 4 or callers.bad)
        callers.end()
        assert callers.bad == [] and callers.good > 200
        eventually(lambda: gauges_at_zero(p) and len(p.status()["upstreams"]) == 1)
        s = p.status()
        assert s["config"]["reloads"] == 50 and s["config"]["reloads_failed"] == 0
        assert s["answers"] == {"200": callers.good}
    assert apis[0].served + apis[1].served == callers.good
    assert apis[0].most <= 6 and apis[1].most <= 6 + 6  # two of one name while one retires


def test_who_has_connected_to_an_address_that_goes_is_served(apis, tmp_path):
    """Connections in the queues of all threads as the address goes: none is reset."""
    rest = f"admin: 'unix:{tmp_path}/admin.sock'\nthreads: 2\nupstream: {apis[0].url}\n"
    with Proxy(tmp_path, f"listen: ['127.0.0.1:0']\n{rest}") as p:
        request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        for _ in range(5):
            port = p.port
            made = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(40)]
            with socket.socket() as other:
                other.bind(("127.0.0.1", 0))
                p.port = other.getsockname()[1]
            p.reload(f"listen: ['127.0.0.1:{p.port}']\n{rest}")
            for s in made:
                s.sendall(request)
            for s in made:
                said = b""
                while piece := s.recv(65536):
                    said += piece
                assert said.startswith(b"HTTP/1.1 200 ")
                s.close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), PATIENCE)
        assert json.loads(p.get()[1])["name"] == "first"


def test_what_a_reload_cannot_have_changes_nothing(apis, tmp_path):
    text = f"upstream: {apis[0].url}\nthreads: 2\n"
    with Proxy(tmp_path, text) as p:
        p.reload(f"upstream: {apis[1].url}\nthreads: 3\n", taken=False)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            p.reload(f"listen: ['127.0.0.1:0', '127.0.0.1:{taken.getsockname()[1]}']\n"
                     f"admin: 'unix:{p.admin}'\nupstream: {apis[1].url}\nthreads: 2\n", taken=False)
        for _ in range(16):
            assert json.loads(p.get()[1])["name"] == "first"
        assert len(p.status()["threads"]) == 2
    assert "threads 3: they are 2 while it runs" in p.said
    assert p.said.count("not reloaded") == 2


@pytest.mark.parametrize("n", (1, *THREADS))
def test_no_request_is_lost_by_a_drain_under_load(apis, tmp_path, n):
    with Proxy(tmp_path, f"upstream: {apis[0].url}\nlimit: 6\nthreads: {n}\n") as p:
        callers = Callers(p.port, 16)
        eventually(lambda: callers.good > 100)
        p.process.send_signal(signal.SIGTERM)
        assert p.process.wait(PATIENCE) == 0
        callers.end()
        assert callers.bad == []
        assert apis[0].served == callers.good


def test_a_second_signal_ends_all_threads_at_once(apis, tmp_path):
    apis[0].free.clear()
    with Proxy(tmp_path, f"upstream: {apis[0].url}\nthreads: 4\n") as p:
        waiting = []
        for _ in range(16):
            s = socket.create_connection(("127.0.0.1", p.port), PATIENCE)
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            waiting.append(s)
        eventually(lambda: apis[0].now == 16)
        p.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            p.process.wait(0.3)
        p.process.send_signal(signal.SIGTERM)
        assert p.process.wait(PATIENCE) == 0
        for s in waiting:
            s.close()


def test_the_bound_of_the_drain_comes_as_all_are_drained(apis, tmp_path):
    for _ in range(8):  # a listener takes 50 ms to leave
        with Proxy(tmp_path, f"upstream: {apis[0].url}\nthreads: 4\ndrain-timeout: 50ms\n") as p:
            p.process.send_signal(signal.SIGTERM)
            assert p.process.wait(PATIENCE) == 0


@pytest.mark.skipif(os.environ.get("WEIR_SANITIZED") == "1",
                    reason="the leak checker itself needs a descriptor")
@pytest.mark.parametrize("n", (1, 2))
def test_it_ends_without_a_free_descriptor(apis, tmp_path, n):
    with Proxy(tmp_path, f"upstream: {apis[0].url}\nthreads: {n}\ndrain-timeout: none\n") as p:
        _, hard = resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE, (3, hard))
        p.process.send_signal(signal.SIGTERM)
        assert p.process.wait(PATIENCE) == 0


# --- what is told ---

def test_words_of_all_threads_are_one_ledger(tmp_path):
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(Verb("origin", tmp_path, "--limit", 1, "--full", "503",
                                          "--latency", "200ms"))
        proxy = stack.enter_context(Verb("proxy", tmp_path, "--upstream", origin.url,
                                         "--threads", 4))
        waiting = []
        for _ in range(64):
            s = socket.create_connection(("127.0.0.1", proxy.port), PATIENCE)
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            waiting.append(s)
        answers = []
        for s in waiting:
            said = b""
            while piece := s.recv(65536):
                said += piece
            answers.append(int(said.split(b" ")[1]))
            s.close()
        refused = answers.count(503)
        s = proxy.status()
        assert refused > 32 and [w["count"] for w in s["words"] if w["status"] == 503] == [refused]
        word = s["words"][0]
        assert 0 <= word["first_ms"] <= word["last_ms"] <= s["uptime_ms"]


def test_the_access_log_has_every_threads_lines(apis, tmp_path):
    log = tmp_path / "access.log"
    text = f"upstream: {apis[0].url}\nthreads: 4\naccess-log: {log}\n"
    with Proxy(tmp_path, text) as p:
        callers = Callers(p.port)
        eventually(lambda: callers.good > 300)
        callers.end()
        assert callers.bad == []
        good = callers.good
        eventually(lambda: p.status()["access_log"]["written"] >= good)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == good and {line["status"] for line in lines} == {200}
    assert len({line["client"] for line in lines}) >= 8


def test_sessions_are_resumed_on_every_thread(apis, tmp_path):
    ca = Authority(tmp_path)
    cert = ca.issue(*LOCAL)
    text = f"upstream: {apis[0].url}\nthreads: 4\ncert: {cert.cert}\nkey: {cert.key}\n"
    with Proxy(tmp_path, text) as p:
        context = ssl.create_default_context(cafile=ca.root)
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # its ticket is there after the handshake
        session, resumed = None, 0
        for i in range(40):
            if i == 20:
                p.reload(text)
            with socket.create_connection(("127.0.0.1", p.port), PATIENCE) as raw, \
                    context.wrap_socket(raw, server_hostname="localhost", session=session) as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert s.recv(65536).startswith(b"HTTP/1.1 200 ")
                resumed += s.session_reused
                session = session or s.session
        assert resumed == 39
        tls = p.status()["client_tls"]
        assert (tls["handshakes"], tls["resumed"], tls["failed"]) == (40, 39, 0)


def test_descriptors_are_counted_for_all_threads(tmp_path):
    argv = [WEIR, "proxy", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--limit",
            "10", "--clients", "100", "--threads", "16"]
    done = subprocess.run(["prlimit", "--nofile=200:200", *argv], stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert re.search(rb"need \d+ file descriptors", done.stderr)


def test_many_ask_for_the_gauges_at_once(apis, tmp_path):
    """Each sees what was done before it asked, whoever else is asking."""
    with Proxy(tmp_path, f"upstream: {apis[0].url}\nthreads: 4\n") as p:
        wrong = []

        def asks():
            for _ in range(20):
                with lock:
                    p.get()
                    done[0] += 1
                    least = done[0]
                total = p.status()["exchanges"]["total"]
                if total < least:
                    wrong.append((total, least))

        lock, done = threading.Lock(), [0]
        threads = [threading.Thread(target=asks) for _ in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(PATIENCE)
        assert wrong == [] and p.status()["exchanges"]["total"] == done[0] == 120
        eventually(lambda: gauges_at_zero(p))
