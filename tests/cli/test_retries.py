"""Calls sent again, on real sockets: which are, how often, and what is told about it."""

import contextlib
import json
import socket
import subprocess
import threading

import pytest

from rawhttp import Client, Peer
from test_http_answers import GET, H, OK, OK2, bench, says  # noqa: F401 (bench: fixture)
from verbs import PATIENCE, WEIR, Verb, ask, eventually, gauges_at_zero

NEVER = lambda peer, n: peer.request()  # closes each connection without a word  # noqa: E731


def explain(proxy, name):
    return eventually(lambda: (lambda e: e["found"] and e)(ask(proxy.admin, f"/explain?id={name}")))


def get(name, *fields, method=b"GET"):
    return method + b" /x HTTP/1.1\r\n" + H + b"X-Request-Id: " + name + b"\r\n" + b"".join(fields) + b"\r\n"


def first_fails(fail, then=OK2):
    """Each request on the first connection fails so; all others are answered."""
    seen = []

    def script(peer, n):
        while m := peer.request():
            seen.append((m.method, m.body))
            if len(seen) == 1:
                fail(peer)
                return
            peer.send(then)
    return script, seen


def test_a_get_that_is_cut_off_is_sent_again(bench):
    for fail in (Peer.reset, lambda peer: None):
        script, seen = first_fails(fail)
        proxy, _ = bench(script)
        with Client(proxy.port, get(b"cut")) as c:
            assert (c.answer().status, len(seen)) == (200, 2)
        calls = proxy.status()["calls"]
        assert (calls["admitted"], calls["sent"], calls["retried"], calls["amplification"]) == (1, 2, 1, 2)
        e = explain(proxy, "cut")
        assert e["decided_by"] == "upstream" and e["not_retried"] is None
        assert [(t["status"], t["then"]) for t in e["earlier"]] == [(None, "retried")]
        assert e["earlier"][0]["reason"] in ("reset", "eof") and e["earlier"][0]["server_ms"] >= 0
        assert "sent 1 time before" in e["why"]


def test_a_post_is_never_sent_twice(bench):
    seen = []

    def script(peer, n):
        while m := peer.request():
            seen.append(m.body)
            return
    proxy, _ = bench(script)
    for n in range(5):
        with Client(proxy.port, get(b"p%d" % n, b"Content-Length: 2\r\n", method=b"POST") + b"hi") as c:
            m = c.answer(b"POST")
            assert m.status == 502 and m.one(b"weir-reason") in (b"eof", b"reset", b"broken-pipe")
        e = explain(proxy, f"p{n}")
        assert e["not_retried"] == "unsafe" and e["earlier"] == [] and "not idempotent" in e["why"]
    assert seen == [b"hi"] * 5
    calls = proxy.status()["calls"]
    assert (calls["retried"], calls["replayed"], calls["amplification"]) == (0, 0, 1)
    assert calls["not_retried"] == {"unsafe": 5}


@pytest.mark.parametrize("framing", ("length", "chunked"))
@pytest.mark.parametrize("size", (0, 5, 65536))
def test_a_put_with_a_body_that_is_held_is_sent_again(bench, framing, size):
    body = bytes(i % 251 for i in range(size))
    script, seen = first_fails(Peer.reset)
    proxy, _ = bench(script)
    head = b"PUT /x HTTP/1.1\r\n" + H
    if framing == "length":
        sent = head + b"Content-Length: %d\r\n\r\n" % size + body
    else:
        sent = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(
            b"%x\r\n%s\r\n" % (len(p), p) for p in (body[i:i + 999] for i in range(0, size, 999))) + b"0\r\n\r\n"
    with Client(proxy.port, sent) as c:
        assert c.answer(b"PUT").status == 200
    assert seen == [(b"PUT", body)] * 2


def test_a_put_with_a_body_too_large_to_hold_is_not(bench):
    script, seen = first_fails(Peer.reset)
    proxy, _ = bench(script)
    for head, tail in ((b"Content-Length: 65537\r\n\r\n", b"x" * 65537),
                       (b"Transfer-Encoding: chunked\r\n\r\n", b"10001\r\n" + b"x" * 65537 + b"\r\n0\r\n\r\n")):
        seen.clear()
        with Client(proxy.port, b"PUT /x HTTP/1.1\r\nX-Request-Id: big\r\n" + H + head + tail) as c:
            assert c.answer(b"PUT").status == 502
        assert len(seen) == 1
    assert explain(proxy, "big")["not_retried"] == "body-gone"


def test_half_an_answer_is_not_asked_for_again(bench):
    proxy, server = bench(says(OK + b"Content-Le", end="reset"))
    with Client(proxy.port, get(b"half")) as c:
        assert c.answer().status == 502
    assert server.count == 1 and explain(proxy, "half")["not_retried"] in ("begun", None)


def test_no_connection_then_one(tmp_path):
    """The server comes back while the call waits to be sent again; even a POST may go then."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    with Verb("proxy", tmp_path, "--upstream", f"http://127.0.0.1:{port}", "--retries", 10) as p:
        with Client(p.port, get(b"early", b"Content-Length: 2\r\n", method=b"POST") + b"hi") as c:
            eventually(lambda: p.status()["calls"]["retried"] > 0)
            with socket.create_server(("127.0.0.1", port)) as s:
                peer = Peer(s.accept()[0])
                assert peer.request().body == b"hi"
                peer.send(OK2)
                assert c.answer(b"POST").status == 200
                peer.sock.close()
        e = explain(p, "early")
        assert {t["reason"] for t in e["earlier"]} == {"connect-refused"}
        assert p.status()["calls"]["amplification"] == 1
        eventually(lambda: gauges_at_zero(p))


BUSY = (b"HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\nX-Why: none\r\nContent-Length: 4\r\n\r\nbusy")


def test_a_status_is_retried_if_that_is_asked_for(bench):
    for option, attempts in ((None, 1), ("503", 2), ("502,504", 1), ("connect,reset,503", 2)):
        seen = []

        def script(peer, n):
            while peer.request():
                seen.append(n)  # noqa: B023
                peer.send(BUSY if len(seen) == 1 else OK2)  # noqa: B023
        proxy, _ = bench(script, *(["--retry-on", option] if option else []))
        with Client(proxy.port, get(b"busy")) as c:
            m = c.answer()
            assert (m.status, len(seen)) == (200 if attempts == 2 else 503, attempts)
        e = explain(proxy, "busy")
        assert [t["status"] for t in e["earlier"]] == [503] * (attempts - 1)
        # its words are in the ledger all the same
        assert [(w["status"], w["count"], w["text"]) for w in proxy.status()["words"]] == [(503, 1, "busy")]


def test_each_attempt_has_its_own_words(bench):
    """What the first one was answered is not said again for the second, which is cut off."""
    seen = []

    def script(peer, n):
        if peer.request():
            seen.append(n)
            if len(seen) == 1:
                peer.send(BUSY)
            else:
                peer.reset()
    proxy, _ = bench(script, "--retry-on", "503", "--retries", 1)
    with Client(proxy.port, GET) as c:
        assert c.answer().status == 502
    words = [(w["kind"], w["status"], w["count"]) for w in proxy.status()["words"]]
    assert len(seen) == 2 and sorted(words, key=str) == [("reset", None, 1), ("status", 503, 1)]


@pytest.mark.parametrize("answer", (
    BUSY, BUSY.replace(b"Content-Length: 4\r\n\r\nbusy", b"Content-Length: 0\r\n\r\n"),
    BUSY.replace(b"Content-Length: 4\r\n\r\nbusy", b"Content-Length: 12288\r\n\r\n" + b"x" * 12288),
))
def test_the_answer_that_was_kept_back_is_given_in_the_end(bench, answer):
    seen = []

    def script(peer, n):
        while peer.request():
            seen.append(n)
            peer.send(answer)
    proxy, _ = bench(script, "--retry-on", "503")
    with Client(proxy.port, get(b"held") + GET) as c:
        m, other = c.answers(2)
        for one in (m, other):
            assert one.status == 503 and one.body == answer.split(b"\r\n\r\n")[1]
            assert one.one(b"x-why") == b"none" and one.one(b"content-type") == b"text/plain"
            assert one.one(b"date") and one.one(b"via")
    assert len(seen) in (5, 6) and explain(proxy, "held")["not_retried"] == "spent"
    assert proxy.status()["answers"] == {"503": 2}


@pytest.mark.parametrize("answer, verdict", (
    (BUSY.replace(b"X-Why: none", b"Retry-After: 1"), "told-to-wait"),
    # too large to hold
    (BUSY.replace(b"busy", b"x" * 12289).replace(b": 4", b": 12289"), None),
    (BUSY.replace(b"Content-Length: 4\r\n\r\nbusy",
                  b"Transfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n0\r\n\r\n"), None),
))
def test_what_is_passed_on_at_once(bench, answer, verdict):
    seen = []

    def script(peer, n):
        while peer.request():
            seen.append(n)
            peer.send(answer)
    proxy, _ = bench(script, "--retry-on", "503", "--obey-retry-after", "off")
    with Client(proxy.port, get(b"on")) as c:
        assert c.answer().status == 503
    e = explain(proxy, "on")
    assert len(seen) == 1 and e["earlier"] == [] and e["not_retried"] == verdict


def test_never_into_a_server_that_refuses_for_want_of_slots(bench):
    """Known by its words, which come behind the status."""
    full = b"The connection cannot be served because Server.Concurrency limit exceeded"
    seen = []

    def script(peer, n):
        while peer.request():
            seen.append(n)
            peer.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n\r\n" % len(full))
            peer.send(full)
    proxy, _ = bench(script, "--retry-on", "503")
    with Client(proxy.port, get(b"full")) as c:
        m = c.answer()
        assert (m.status, m.body) == (503, full)
    assert len(seen) == 1 and explain(proxy, "full")["not_retried"] == "refusing"


FULL = b"The connection cannot be served because Server.Concurrency limit exceeded"
REFUSED = (b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: %d\r\n%%s\r\n%s" %
           (len(FULL), FULL))


@contextlib.contextmanager
def one_slot(bench, *options, says=b""):
    """A proxy whose limit is found out, before a server whose one slot is taken: `free` gives it
    back. More connections are refused, each with its request read."""
    free = threading.Event()

    def script(peer, n):
        while (m := peer.request()) and n == 0:
            assert m.target != b"/held" or free.wait(PATIENCE)
            peer.send(OK2)
        peer.send(REFUSED % says)
    proxy, _ = bench(script, "--limit", "auto", *options)
    try:
        with Client(proxy.port, b"GET /held HTTP/1.1\r\n" + H + b"\r\n") as holder:
            eventually(lambda: proxy.status()["calls"]["sent"] == 1)
            yield proxy, free
            free.set()
            assert holder.answer().status == 200
    finally:
        free.set()


def test_who_is_refused_while_the_limit_is_found_out_goes_back(bench):
    """It was weir's choice to try with him: he waits for the slot that there is."""
    with one_slot(bench) as (proxy, free), Client(proxy.port, get(b"tried")) as c:
        eventually(lambda: proxy.status()["calls"]["requeued"] == 1)
        s = proxy.status()
        assert s["upstreams"][0]["limit"] == 1 and s["queue"]["waiting"] == 1
        free.set()
        assert c.answer().status == 200
    calls = proxy.status()["calls"]
    assert (calls["admitted"], calls["sent"], calls["refused"], calls["retried"]) == (2, 3, 1, 0)
    e = explain(proxy, "tried")
    assert [(t["status"], t["then"]) for t in e["earlier"]] == [(503, "requeued")]
    assert e["not_retried"] is None and e["spent"]["queue_ms"] > 0
    words = proxy.status()["words"]
    assert [(w["status"], w["count"], w["refusal"]) for w in words] == [(503, 1, True)]


@pytest.mark.parametrize("says, options, method", [
    (b"", [], b"POST"),
    (b"Retry-After: 1\r\n", [], b"GET"),
    (b"", ["--retries", 0], b"GET"),
    (b"", ["--retry-budget", "0%"], b"GET"),
])
def test_who_is_refused_and_may_not_go_back_is_told(bench, says, options, method):
    with one_slot(bench, *options, says=says) as (proxy, _):
        with Client(proxy.port, get(b"told", b"Content-Length: 0\r\n", method=method)) as c:
            m = c.answer(method)
            assert (m.status, m.body) == (503, FULL)
        e = explain(proxy, "told")
        assert e["decided_by"] == "upstream" and e["earlier"] == []
        assert proxy.status()["calls"]["requeued"] == 0


def test_who_went_back_and_waits_in_vain_is_told_by_weir(bench):
    with one_slot(bench, "--timeout", "2s") as (proxy, _):
        with Client(proxy.port, get(b"vain", b"Weir-Timeout: 200ms\r\n")) as c:
            m = c.answer()
            assert m.status in (503, 504) and m.one(b"weir-reason") in (b"late", b"deadline", b"queue-timeout")
        e = explain(proxy, "vain")
        assert [(t["status"], t["then"]) for t in e["earlier"]] == [(503, "requeued")]


def test_an_answer_that_might_have_been_a_refusal_is_given_whole(bench):
    """Its words tell that it is none: it comes as any answer does."""
    proxy, _ = bench(says(BUSY), "--limit", "auto", "--server-timing")
    with Client(proxy.port, get(b"busy")) as c:
        m = c.answer()
    assert (m.status, m.body, m.one(b"x-why")) == (503, b"busy", b"none")
    assert m.one(b"weir-id") and b"queue;dur=" in m.one(b"server-timing")
    calls = proxy.status()["calls"]
    assert (calls["sent"], calls["refused"], calls["requeued"]) == (1, 0, 0)


def test_as_often_as_retries_says(bench):
    for retries in (0, 1, 3):
        proxy, server = bench(NEVER, "--retries", retries)
        with Client(proxy.port, get(b"often")) as c:
            assert c.answer().status == 502
        assert server.count == retries + 1
        e = explain(proxy, "often")
        assert e["not_retried"] == ("spent" if retries else "off") and len(e["earlier"]) == retries


def test_only_what_retry_on_says(bench):
    proxy, server = bench(NEVER, "--retry-on", "connect")
    with Client(proxy.port, get(b"off")) as c:
        assert c.answer().status == 502
    assert server.count == 1 and explain(proxy, "off")["not_retried"] == "off"


def test_the_deadline_holds(bench):
    proxy, server = bench(NEVER, "--timeout", "30ms", "--retries", 10)
    with Client(proxy.port, get(b"late")) as c:
        assert c.answer().status in (502, 504)
    assert server.count <= 3


def test_an_outage_is_not_made_worse(bench):
    """Every connection is cut. What the server gets beyond one request a call is within the budget."""
    seen = []

    def script(peer, n):
        if peer.request():
            seen.append(n)
    proxy, _ = bench(script, "--retries", 10)
    calls = 400
    with Client(proxy.port) as c:
        for _ in range(calls):
            c.got = b""
            assert c.send(GET).answer().status == 502
    s = proxy.status()
    assert s["calls"]["admitted"] == calls and s["calls"]["sent"] == len(seen)
    assert 1.1 * calls < len(seen) <= 1.2 * calls
    assert s["calls"]["not_retried"]["no-budget"] > 0


def test_a_server_that_closes_whatever_is_used_again(bench):
    """Its kept connections die when a second request comes: nobody knows, and most calls go to a
    fresh connection before long."""
    seen = []

    def script(peer, n):
        for nth in range(2):
            if not peer.request():
                return
            seen.append(n)
            if nth == 0:
                peer.send(OK2)
    proxy, _ = bench(script)
    calls = 300
    with Client(proxy.port) as c:
        for _ in range(calls):
            c.got = b""
            assert c.send(GET).answer().status == 200
    s = proxy.status()["calls"]
    assert s["sent"] == len(seen) and s["replayed"] > 10
    assert len(seen) <= 1.2 * calls + 11


def test_another_endpoint_at_once(tmp_path, bench):
    bad_seen = []

    def bad(peer, n):
        if peer.request():
            bad_seen.append(n)
    _, good = bench(says(*[OK2] * 50))
    _, worse = bench(bad)
    with Verb("proxy", tmp_path, "--upstream", worse.url, "--upstream", good.url,
              "--connections", "close") as p:
        for _ in range(3):
            with Client(p.port, GET) as c:
                assert c.answer().status == 200
        assert bad_seen and p.status()["calls"]["retried"] == len(bad_seen)
        eventually(lambda: gauges_at_zero(p))


def test_a_part_of_a_gather_is_sent_again(bench):
    script, seen = first_fails(Peer.reset, OK + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
    proxy, _ = bench(script, "--gather", 3)
    with Client(proxy.port, GET) as c:
        assert c.answer().status == 200
    assert len(seen) == 4 and proxy.status()["calls"]["retried"] == 1


def test_the_access_log_tells_the_attempts(bench, tmp_path):
    log = tmp_path / "access"
    script, _ = first_fails(Peer.reset)
    proxy, _ = bench(script, "--access-log", log)
    with Client(proxy.port) as c:
        for _ in range(2):
            c.got = b""
            assert c.send(GET).answer().status == 200
    lines = eventually(lambda: (lambda t: len(t) == 2 and t)(log.read_text().splitlines()))
    assert [json.loads(line)["attempts"] for line in lines] == [2, 1]


def test_a_client_that_leaves_while_its_call_rests(bench):
    asked = threading.Event()

    def script(peer, n):
        if peer.request():
            asked.set()
    proxy, server = bench(script, "--retries", 10)
    for _ in range(20):
        asked.clear()
        with Client(proxy.port, GET):
            assert asked.wait(10)
        eventually(lambda: proxy.status()["exchanges"]["now"] == 0)


def test_a_slow_request_is_hedged(bench):
    """The first connection's second request is never answered: a second one beside it is."""
    seen, over = [], threading.Event()

    def script(peer, n):
        while m := peer.request():
            seen.append((n, m.target))
            if n == 0 and len(seen) == 2:
                assert over.wait(10)
            peer.send(OK2)
    proxy, _ = bench(script, "--hedge-after", "20ms", "--limit", 4)
    with Client(proxy.port, GET) as c:
        assert c.answer().status == 200
        c.got = b""
        assert c.send(get(b"slow")).answer().status == 200
    e = explain(proxy, "slow")
    assert [(t["reason"], t["then"]) for t in e["earlier"]] == [("abandoned", "hedged")]
    s = proxy.status()
    assert (s["calls"]["hedged"], s["calls"]["hedges_won"], s["calls"]["sent"]) == (1, 1, 3)
    assert s["slots"]["draining"] == 1  # it is charged until the server is done
    over.set()
    eventually(lambda: proxy.status()["calls"]["drained"] == 1)
    assert [n for n, _ in seen] == [0, 0, 1]


def test_no_hedge_where_it_would_not_be_safe_or_slots_are_short(bench):
    for fields, method, body, option in ((b"Content-Length: 2\r\n", b"POST", b"hi", 4),
                                         (b"Content-Length: 2\r\n", b"PUT", b"hi", 4), (b"", b"GET", b"", 1)):
        seen, asked, over = [], threading.Event(), threading.Event()

        def script(peer, n):
            while peer.request():
                seen.append(n)  # noqa: B023
                asked.set()  # noqa: B023
                assert over.wait(10)  # noqa: B023
                peer.send(OK2)
        proxy, _ = bench(script, "--hedge-after", "5ms", "--limit", option)
        with Client(proxy.port, get(b"one", fields, method=method) + body) as c:
            assert asked.wait(10)
            for _ in range(50):
                proxy.status()  # turns of the loop, many times 5 ms
            over.set()
            assert c.answer(method).status == 200
        assert len(seen) == 1 and proxy.status()["calls"]["hedged"] == 0


@pytest.mark.parametrize("option, value, says_", (
    ("hedge-after", "soon", "a duration above zero, p95, or off"),
    ("hedge-after", "0", "a duration above zero"),
    ("retry-on", "connect,500", "connect, reset, first-byte, 502, 503, 504"),
    ("retry-on", "", "empty: write LIST"),
    ("retry-on", "reset,none", "or none, alone"),
    ("retry-on", "reset,conect", "did you mean connect?"),
    ("hedge-after", "of", "did you mean off?"),
    ("hedge-after", "5", "write a duration"),
    ("threads", "auot", "did you mean auto?"),
    ("fair-by", "adress", "did you mean address?"),
    ("retries", "11", "between 0 and 10"),
))
def test_what_is_no_setting_is_told(tmp_path, option, value, says_):
    run = subprocess.run([WEIR, "proxy", "--upstream", "http://127.0.0.1:9", "--listen", "127.0.0.1:0",
                          f"--{option}={value}"], capture_output=True, text=True, check=False)
    assert run.returncode == 2 and option in run.stderr and says_ in run.stderr
