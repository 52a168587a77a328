"""weir proxy as a user runs it: its options and what it says of wrong ones, deadline and drain, the
queue, gather, the gauges, and the end by a signal."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import threading

import pytest

from rawhttp import Client, Scripted
from verbs import PATIENCE, ROOT, WEIR, Verb, eventually, gauges_at_zero

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REFUSAL = b"The connection cannot be served because Server.Concurrency limit exceeded"


class Holding:
    """A server whose answers wait until they are let go, each on its own or all."""

    def __init__(self, answer=OK):
        self.answer = answer
        self.lock = threading.Condition()
        self.arrived, self.let_go = 0, 0
        self.ends = []
        self.server = Scripted(self.script)
        self.url = self.server.url

    def script(self, peer, n):
        while peer.request():
            with self.lock:
                mine = self.arrived
                self.arrived += 1
                self.lock.notify_all()
                assert self.lock.wait_for(lambda: self.let_go > mine, PATIENCE)
            peer.send(self.answer(mine) if callable(self.answer) else self.answer)
        with self.lock:
            self.ends.append(n)

    def go(self, n=1):
        with self.lock:
            self.let_go += n
            self.lock.notify_all()

    def wait(self, n):
        with self.lock:
            assert self.lock.wait_for(lambda: self.arrived >= n, PATIENCE), self.arrived

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *why):
        self.go(1 << 20)
        self.server.__exit__(*why)


@pytest.fixture
def bench(tmp_path):
    """bench(options..., answer=...) -> (proxy, server)."""
    with contextlib.ExitStack() as stack:
        started = []

        def start(*options, answer=OK, host="127.0.0.1"):
            server = stack.enter_context(Holding(answer))
            url = server.url.replace("127.0.0.1", host)
            proxy = stack.enter_context(Verb("proxy", tmp_path, "--upstream", url, *options))
            started.append((proxy, server))
            return proxy, server

        yield start
        for proxy, server in started:
            server.go(1 << 20)
            if proxy.process.poll() is None:
                eventually(lambda p=proxy: gauges_at_zero(p))


# ---- options ------------------------------------------------------------------------------

def said(*options, listen=("--listen", "127.0.0.1:0"), upstream=("--upstream", "http://127.0.0.1:1"),
         before=()):
    done = subprocess.run([*before, WEIR, "proxy", *listen, *upstream, *options], check=False,
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == ""
    assert done.stderr.startswith("weir proxy: "), done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("options, words", [
    (["--limti", "5"], ["unknown option '--limti'"]),
    (["--timeout", "5"], ["--timeout", "'5' has no unit", "5ms or 5s"]),
    (["--timeout", "5parsec"], ["--timeout", "5parsec"]),
    (["--timeout", "0s"], ["--timeout 0", "above zero"]),
    (["--queue-for", "-1s"], ["--queue-for", "negative"]),
    (["--drain-share", "120%"], ["--drain-share"]),
    (["--limit", "many"], ["--limit", "'many' is not a number", "or auto"]),
    (["--limit", "0"], ["--limit", "let nothing through"]),
    (["--limit", "-5"], ["--limit"]),
    (["--limit", "2000001"], ["--limit", "1,000,000"]),
    (["--ghost-for", "none"], ["--ghost-for none", "never be free", "0ms"]),
    (["--settle-for", "none"], ["--settle-for none", "never be free", "0ms"]),
    (["--gather", "0"], ["--gather", "between 1 and 64"]),
    (["--gather", "65"], ["--gather", "between 1 and 64"]),
    (["--gather", "9", "--limit", "8"], ["--gather 9", "limit of 8", "never be admitted"]),
    (["--abandon", "never"], ["--abandon", "'never'", "drain, reset, close or auto"]),
    (["--clients", "0"], ["--clients", "nobody could come in"]),
    (["--fair-by", "a b"], ["--fair-by a b", "write address"]),
    (["--threads", "0"], ["--threads", "from 1 to 256"]),
    (["word"], ["'word'"]),
    (["--timeout"], ["--timeout"]),
    (["--upstream", "ftp://a"], ["ftp", "http"]),
    (["--upstream", "http://"], ["no host"]),
    (["--upstream", "http://me@a"], ["user"]),
    (["--upstream", "http://a:99999"], ["99999"]),
    (["--listen", "127.0.0.1:http"], ["--listen", "http"]),
])
def test_what_cannot_be_meant_is_told_and_ends_with_2(options, words):
    status, text = said(*options)
    assert status == 2
    for word in words:
        assert word in text, text
    assert "--help" in text


def test_a_variable_that_is_written_wrong_is_warned_of():
    status, text = said("--limit", "0", before=("env", "WEIR_PROXY_QUEU_FOR=2s", "WEIR_PROXY_PORT=cert"))
    assert status == 2 and text.count("is no option and is ignored") == 1
    assert "WEIR_PROXY_QUEU_FOR" in text and "did you mean WEIR_PROXY_QUEUE_FOR?" in text


def test_of_one_file_for_both_the_certificate_is_asked_first(tmp_path):
    file = tmp_path / "both.pem"
    file.write_text("junk")
    status, text = said("--cert", file, "--key", file)
    assert status == 1 and f"--cert {file}: holds no certificate" in text


def test_what_is_missing_is_told():
    status, text = said(upstream=())
    assert status == 2 and "--upstream" in text
    status, text = said(listen=())
    assert status == 2 and "--listen" in text


def test_a_name_that_does_not_resolve_is_told():
    status, text = said(upstream=("--upstream", "http://no-such-host.invalid"))
    assert status == 1 and "no-such-host.invalid" in text


@pytest.mark.parametrize("option", ["--listen", "--admin"])
def test_a_port_in_use_is_told(option):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        status, text = said(option, at)
    assert status == 1 and at in text and "in use" in text


def test_a_port_in_use_by_another_weir_is_told(bench):
    proxy, _ = bench()
    status, text = said(listen=("--listen", f"127.0.0.1:{proxy.port}"))
    assert status == 1 and "in use" in text


def test_a_socket_file_that_cannot_be_made_is_told(tmp_path):
    status, text = said(listen=("--listen", f"unix:{tmp_path}/none/such.sock"))
    assert status == 1 and "such.sock" in text
    status, text = said(listen=("--listen", f"unix:{tmp_path}/{'a' * 120}"))
    assert status in (1, 2) and "aaa" in text


def test_too_few_descriptors_are_told():
    few = ("prlimit", "--nofile=200:200")
    status, text = said("--clients", "5000", before=few)
    assert status == 1
    assert "5000" in text and "descriptors" in text and "200" in text and "ulimit -Hn" in text
    status, text = said("--limit", "5000", "--clients", "10", before=few)
    assert status == 1 and "5000" in text and "descriptors" in text


def test_a_soft_limit_of_descriptors_is_raised(tmp_path):
    with Holding() as server, \
            Verb("proxy", tmp_path, "--upstream", server.url, "--clients", "500", "--limit", "10",
                 "--timeout", "none", "--queue-for", "none",  # however slow this machine is
                 program=["prlimit", "--nofile=100:2000", WEIR, "proxy"]) as p:
        server.go(1000)
        clients = [Client(p.port, GET) for _ in range(150)]
        assert all(c.answer().status == 200 for c in clients)
        for c in clients:
            c.sock.close()
        eventually(lambda: gauges_at_zero(p))


def test_the_first_line_says_what_it_does(bench):
    proxy, server = bench("--limit", "7", "--timeout", "800ms", "--gather", "2")
    assert re.fullmatch(
        r"weir proxy: listening on 127\.0\.0\.1:\d+, upstream 127\.0\.0\.1:\d+, timeout 800 ms, "
        r"limit 7 connections, 2 calls a request, admin unix:.*", proxy.line), proxy.line


def test_it_listens_on_several_addresses(tmp_path):
    path = tmp_path / "also.sock"
    with Holding() as server, Verb("proxy", tmp_path, "--upstream", server.url,
                                   "--listen", f"unix:{path}") as p:
        server.go(2)
        with Client(p.port, GET) as c:
            assert c.answer().status == 200
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            s.sendall(GET)
            assert s.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        eventually(lambda: gauges_at_zero(p))
    assert not path.exists(), "the socket's file is left behind"


# ---- the gauges ---------------------------------------------------------------------------

def told(page):
    """Field paths of the tables of a page; `.x` is beside the name before it, [] goes down."""
    found = {}
    for line in (ROOT / "docs" / "json" / page).read_text().splitlines():
        cells = [c.strip() for c in line.split("|")]
        if len(cells) < 5 or not cells[1].startswith("`"):
            continue
        first = ""
        for name in re.findall(r"`([^`]+)`", cells[1]):
            if name.startswith("."):
                name = first.rsplit(".", 1)[0] + name
            else:
                first = name
            found[name] = cells[2]
    return found


def held(doc, fields, prefix=""):
    """Paths of the output that no row tells."""
    for name, value in doc.items():
        path = prefix + name
        inner = [f for f in fields if f.startswith((path + ".", path + "[]."))]
        if isinstance(value, dict) and inner:
            yield from held(value, fields, path + ".")
        elif isinstance(value, list) and inner:
            for item in value:
                yield from held(item, fields, path + "[].")
        elif path not in fields:
            yield path


def reached(doc, path):
    """All values that stand at a told path."""
    values = [doc]
    for step in re.split(r"\.", path):
        step, many, _ = step.partition("[]")
        values = [v[step] for v in values if isinstance(v, dict) and step in v]
        if many:
            values = [item for v in values for item in v]
    return values


KINDS = {"string": str, "integer": int, "number": (int, float), "object": dict, "array": list,
         "boolean": bool, "null": type(None)}


@pytest.mark.parametrize("page, verb", [("proxy.md", "proxy"), ("origin.md", "origin")])
def test_the_gauges_are_the_documented_ones(page, verb, tmp_path, bench):
    if verb == "proxy":
        asked, server = bench("--limit", "3", host="localhost", answer=lambda n: OK if n else
                              b"HTTP/1.1 503 Full\r\nContent-Length: 4\r\n\r\nfull")
        server.go(2)
        with Client(asked.port, GET + GET) as c:
            assert [m.status for m in c.answers(2)] == [503, 200]
        doc = asked.status()
    else:
        with Verb("origin", tmp_path) as asked:
            doc = asked.status()
    fields = told(page)
    assert list(held(doc, fields)) == []
    for path, kind in fields.items():
        values = reached(doc, path)
        assert values, f"{path} is told and not there"
        allowed = tuple(t for word in re.split(r", | or ", kind) for t in
                        (KINDS[word] if isinstance(KINDS[word], tuple) else (KINDS[word],)))
        assert all(isinstance(v, allowed) for v in values), (path, values, kind)


def test_the_gauges_count(bench):
    proxy, server = bench("--limit", "2", "--queue-for", "20s")
    clients = [Client(proxy.port, GET) for _ in range(3)]
    server.wait(2)
    s = eventually(lambda: (s := proxy.status())["queue"]["waiting"] == 1 and s)
    assert s["slots"]["used"] == s["slots"]["busy"] == 2 and s["limit"] == 2
    assert s["sockets"] == {"client": 3, "upstream": 2}
    assert s["exchanges"] == {"now": 3, "total": 3}
    server.go(3)
    assert all(c.answer().status == 200 for c in clients)
    s = proxy.status()
    assert s["answers"] == {"200": 3} and s["calls"]["answered"] == 3 and s["connects"] == 2
    assert s["slots"]["peak"] == 2 and s["queue"]["peak"] == 1 and s["reasons"] == {}
    for c in clients:
        c.sock.close()


def test_the_servers_own_words_are_kept(bench):
    raw = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n\r\n" % len(REFUSAL) + REFUSAL
    proxy, server = bench(answer=raw)
    server.go(3)
    for _ in range(3):
        with Client(proxy.port, GET) as c:
            m = c.answer()
            assert (m.status, m.body) == (503, REFUSAL) and not m.all(b"weir-reason")
    s = proxy.status()
    assert s["calls"]["refused"] == 3
    word, = s["words"]
    assert (word["status"], word["count"], word["text"]) == (503, 3, REFUSAL.decode())


# ---- deadline, drain, queue ---------------------------------------------------------------

def test_a_late_answer_is_drained_and_its_connection_used_again(bench):
    proxy, server = bench("--limit", "1", "--timeout", "300ms")
    with Client(proxy.port, GET) as c:
        m = c.answer()
        assert m.status == 504 and m.one(b"weir-reason") == b"deadline"
        assert b"300 ms" in m.body
        s = proxy.status()
        assert s["slots"]["draining"] == s["slots"]["used"] == 1
        assert s["exchanges"]["now"] == 0 and s["calls"]["abandoned"] == 1
        c.got = b""
        m = c.send(GET).answer()  # the slot stays taken: the server has not answered
        assert m.status in (503, 504) and server.arrived == 1
        server.go()
        eventually(lambda: proxy.status()["slots"]["draining"] == 0)
        server.go()
        c.got = b""
        assert c.send(GET).answer().status == 200
    s = proxy.status()
    assert s["calls"]["drained"] == 1 and s["connects"] == 1 and server.server.count == 1


def test_a_drain_that_takes_too_long_leaves_a_ghost(bench):
    proxy, server = bench("--limit", "1", "--timeout", "100ms", "--drain-for", "100ms",
                          "--ghost-for", "1500ms", "--queue-for", "20s")
    with Client(proxy.port, GET) as c:
        assert c.answer().status == 504
    eventually(lambda: proxy.status()["slots"]["ghost"] == 1)
    s = proxy.status()
    assert s["slots"]["used"] == 1 and s["sockets"]["upstream"] == 0
    eventually(lambda: proxy.status()["slots"]["used"] == 0)


@pytest.mark.parametrize("how", ["reset", "close"])
def test_an_abandoned_call_may_be_ended_at_once(how, bench):
    proxy, server = bench("--limit", "1", "--timeout", "200ms", "--abandon", how)
    with Client(proxy.port, GET) as c:
        assert c.answer().status == 504
        eventually(lambda: proxy.status()["sockets"]["upstream"] == 0)
        server.go(2)
        eventually(lambda: proxy.status()["slots"]["used"] == 0)
        c.got = b""
        assert c.send(GET).answer().status == 200
    assert proxy.status()["connects"] == 2


def test_a_caller_that_leaves_is_drained_too(bench):
    proxy, server = bench("--limit", "1", "--queue-for", "20s")
    with Client(proxy.port, GET) as c:
        server.wait(1)
        c.reset()
    eventually(lambda: proxy.status()["slots"]["draining"] == 1)
    assert proxy.status()["exchanges"]["now"] == 0
    server.go(2)
    with Client(proxy.port, GET) as c:
        assert c.answer().status == 200
    assert proxy.status()["connects"] == 1


def test_a_full_queue_says_so_at_once(bench):
    proxy, server = bench("--limit", "1", "--queue", "1", "--queue-for", "20s")
    with Client(proxy.port, GET) as first, Client(proxy.port) as second, Client(proxy.port) as third:
        server.wait(1)
        second.send(GET)
        eventually(lambda: proxy.status()["queue"]["waiting"] == 1)
        m = third.send(GET).answer()
        assert m.status == 503 and m.one(b"weir-reason") == b"queue-full"
        assert m.one(b"retry-after") == b"1" and not m.all(b"connection")
        server.go(3)
        assert first.answer().status == second.answer().status == 200
        third.got = b""
        assert third.send(GET).answer().status == 200
    assert proxy.status()["reasons"] == {"queue-full": 1}


def test_who_waits_too_long_in_the_queue_is_told(bench):
    proxy, server = bench("--limit", "1", "--queue-for", "100ms")
    with Client(proxy.port, GET) as first:
        server.wait(1)
        with Client(proxy.port, GET) as second:
            m = second.answer()
            assert m.status == 503 and m.one(b"weir-reason") == b"queue-timeout"
            assert m.one(b"retry-after") == b"1"
        server.go()
        assert first.answer().status == 200


def test_who_leaves_the_queue_is_never_sent(bench):
    proxy, server = bench("--limit", "1", "--queue-for", "20s")
    with Client(proxy.port, GET) as first:
        server.wait(1)
        with Client(proxy.port, GET):
            eventually(lambda: proxy.status()["queue"]["waiting"] == 1)
        eventually(lambda: proxy.status()["queue"]["waiting"] == 0)
        server.go(2)
        assert first.answer().status == 200
    assert server.arrived == 1


def test_a_limit_of_requests_counts_no_idle_connection(bench):
    proxy, server = bench("--limit", "1", "--limit-unit", "request")
    server.go(2)
    for _ in range(2):
        with Client(proxy.port, GET) as c:
            assert c.answer().status == 200
    s = eventually(lambda: (s := proxy.status())["slots"]["used"] == 0 and s)
    assert s["sockets"]["upstream"] == 1 and s["limit_unit"] == "request"


# ---- gather -------------------------------------------------------------------------------

def parts(m):
    assert m.one(b"content-type") == b"application/json"
    return json.loads(m.body)["parts"]


def test_gathered_answers_are_merged(bench):
    answers = [b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (s, len(b), b) for s, b in
               ((200, b'"quoted"\n'), (204, b""), (302, "ä\0".encode()))]
    answers[1] = b"HTTP/1.1 204 None\r\n\r\n"
    proxy, server = bench("--gather", "3", answer=lambda n: answers[n % 3])
    server.go(6)
    with Client(proxy.port, GET) as c:
        m = c.answer()
        assert m.status == 200 and not m.all(b"weir-reason")
        found = sorted((p["status"], p["body"]) for p in parts(m))
        assert found == [(200, '"quoted"\n'), (204, ""), (302, "ä\0")]
        c.got = b""
        assert c.send(GET).answer().status == 200
    s = proxy.status()
    assert s["calls"]["sent"] == 6 and s["exchanges"]["total"] == 2 and s["answers"] == {"200": 2}


def test_one_refused_part_is_told_with_the_others(bench):
    raw = b"HTTP/1.1 503 Full\r\nContent-Length: %d\r\n\r\n" % len(REFUSAL) + REFUSAL
    proxy, server = bench("--gather", "3", answer=lambda n: raw if n == 1 else OK)
    server.go(3)
    with Client(proxy.port, GET) as c:
        m = c.answer()
    assert m.status == 502 and m.one(b"weir-reason") == b"gather"
    assert sorted((p["status"], p["body"]) for p in parts(m)) == \
        [(200, "ok"), (200, "ok"), (503, REFUSAL.decode())]
    assert proxy.status()["words"][0]["text"] == REFUSAL.decode()


def test_at_the_deadline_a_gather_sends_what_is_there(bench):
    proxy, server = bench("--gather", "3", "--timeout", "400ms")
    with Client(proxy.port, GET) as c:
        server.wait(3)
        server.go(2)
        m = c.answer()
    assert m.status == 504 and m.one(b"weir-reason") == b"deadline"
    found = parts(m)
    assert [p["body"] for p in found if "status" in p] == ["ok", "ok"]
    missing, = [p for p in found if "missing" in p]
    assert missing["missing"] == "deadline" and missing["why"]
    assert proxy.status()["slots"]["draining"] == 1


def test_a_gather_is_admitted_whole_or_not_at_all(bench):
    proxy, server = bench("--gather", "2", "--limit", "3", "--queue-for", "20s")
    with Client(proxy.port, GET) as first, Client(proxy.port, GET) as second:
        server.wait(2)
        s = eventually(lambda: (s := proxy.status())["queue"]["waiting"] == 2 and s)
        assert s["slots"]["used"] == 2 and server.arrived == 2
        server.go(4)
        assert first.answer().status == second.answer().status == 200


def test_a_body_goes_out_with_every_call(tmp_path):
    def script(peer, n):
        m = peer.request()
        seen.append((m.method, m.framing, m.body))
        peer.send(OK)
        peer.wait_end()
    seen = []
    body = b"b" * 60_000
    with Scripted(script) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url, "--gather", "3") as p:
        with Client(p.port, b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                            b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)) as c:
            assert c.answer().status == 200
        assert seen == [(b"PUT", "length", body)] * 3
        eventually(lambda: gauges_at_zero(p))


@pytest.mark.parametrize("head", [b"Content-Length: 70000\r\n\r\n",
                                  b"Transfer-Encoding: chunked\r\n\r\n11170\r\n"])
def test_a_body_too_large_to_gather_is_413(head, bench):
    proxy, server = bench("--gather", "2")
    with Client(proxy.port, b"POST / HTTP/1.1\r\nHost: a\r\n" + head + b"b" * 70_000) as c:
        c.to_end()
        assert c.how == "eof" and c.got.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nConnection: close\r\n" in c.got
    assert server.arrived == 0


def test_a_body_too_large_to_gather_is_not_asked_for(bench):
    proxy, _ = bench("--gather", "2")
    with Client(proxy.port, b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                            b"Content-Length: 65537\r\n\r\n") as c:
        c.to_end()
        assert c.how == "eof" and c.got.startswith(b"HTTP/1.1 413 ")


def test_a_part_that_is_too_large_or_broken_is_missing(bench):
    def answer(n):
        if n == 0:
            return b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000
        return b"HTTP/1.1 101 Go\r\n\r\n" if n == 1 else b"what?\r\n" if n == 2 else OK
    proxy, server = bench("--gather", "4", answer=answer)
    server.go(4)
    with Client(proxy.port, GET) as c:
        m = c.answer()
    assert m.status == 502
    assert sorted(p.get("missing", p.get("body")) for p in parts(m)) == \
        ["bad-response", "bad-upgrade", "ok", "part-too-large"]


def test_a_gather_whose_caller_left_is_drained(bench):
    proxy, server = bench("--gather", "2", "--limit", "2")
    with Client(proxy.port, GET) as c:
        server.wait(2)
        c.reset()
    eventually(lambda: proxy.status()["slots"]["draining"] == 2)
    server.go(2)
    eventually(lambda: proxy.status()["slots"]["idle"] == 2)


# ---- the end ------------------------------------------------------------------------------

def test_sigterm_answers_what_is_under_way(bench):
    proxy, server = bench()
    with Client(proxy.port, GET) as busy, Client(proxy.port) as idle:
        server.wait(1)
        proxy.process.send_signal(signal.SIGTERM)
        assert idle.to_end() == b"" and idle.how == "eof"

        def refused():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", proxy.port)) != 0
        eventually(refused)
        assert proxy.process.poll() is None
        server.go()
        assert busy.answer().status == 200
        busy.to_end()
        assert busy.how == "eof"
    assert proxy.process.wait(PATIENCE) == 0
    assert proxy.process.stderr.read().decode().splitlines() == [
        "weir proxy: stopping: nobody new comes in; what is under way may end within 30 s; a second "
        "signal ends it at once",
        "weir proxy: stopped: 1 request, 0 without the server's whole answer"]


@pytest.mark.parametrize("threads", [1, 3])
def test_what_it_leaves_to_the_server_is_told_at_the_end(threads, bench):
    proxy, server = bench("--threads", threads, "--timeout", "50ms", "--limit", "9")
    for n in range(2):
        with Client(proxy.port, GET) as c:
            assert c.answer().status == 504
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(PATIENCE) == 0
    assert proxy.process.stderr.read().decode().splitlines()[-1] == (
        "weir proxy: stopped: 2 requests, 2 without the server's whole answer (2 deadline); 2 calls "
        "without an answer yet: the server may be at work on them for a while")
    server.go(2)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_proxy_ends_at_once(signum, bench):
    proxy, server = bench()
    server.go()
    with Client(proxy.port, GET) as c:
        assert c.answer().status == 200
        proxy.process.send_signal(signum)
        assert proxy.process.wait(PATIENCE) == 0
