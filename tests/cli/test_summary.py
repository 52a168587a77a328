"""GET /summary of weir proxy's admin: how it is, in words and in less than a screen."""

import contextlib
import re
import signal

import pytest

from rawhttp import Client, Scripted
from test_config import Proxy
from test_proxy import GET, REFUSAL, bench  # noqa: F401 (bench is a fixture)
from verbs import Verb, ask_raw, eventually, free_port, get


def summary(proxy):
    head, body = ask_raw(proxy.admin, "/summary")
    assert head.startswith("HTTP/1.1 200 ") and "Content-Type: text/plain; charset=utf-8" in head
    text = body.decode()
    assert text.endswith("/explain?id=ID one request\n")
    for line in text.splitlines():
        assert line.isprintable() and line == line.rstrip()
        assert len(line) < 80 or line.lstrip().startswith('"'), line
    return text


def told(proxy, *lines):
    """The summary, once it has all of these lines (from their first word on)."""
    def there():
        text = summary(proxy)
        return all(re.search(f"^ *{re.escape(line)}", text, re.M) for line in lines) and text
    return eventually(there)


def says(status, *fields, body=b""):
    return b"\r\n".join([b"HTTP/1.1 %d Told" % status, b"Content-Length: %d" % len(body), *fields,
                         b"", body])


@contextlib.contextmanager
def always(answer):
    def script(peer, _):
        while peer.request():
            peer.send(answer)
    with Scripted(script) as server:
        yield server


def test_of_an_idle_proxy_it_is_short(bench):  # noqa: F811
    proxy, _ = bench("--limit", "5")
    assert re.fullmatch(r"""weir proxy, pid \d+, up \S+ \S+: 0 requests under way, 0 so far

upstream default: no call under way
  limit      5 connections
  taken      0; at most 0 so far
  waiting    0 calls; at most 0 so far
  calls      0 let through

GET / has it all as JSON, /metrics for Prometheus, /explain\?id=ID one request
""", summary(proxy))


@pytest.mark.parametrize("threads", [1, 2])
def test_who_waits_is_seen(threads, bench):  # noqa: F811
    proxy, server = bench("--limit", "1", "--queue-for", "20s", "--threads", threads)
    with Client(proxy.port, GET) as first, Client(proxy.port, GET) as second:
        told(proxy, "upstream default: full: calls wait for a slot", "limit      1 connection\n",
             "taken      1: 1 busy; at most 1 so far", "waiting    1 call; at most 1 so far",
             "calls      1 let through")
        server.go(2)
        assert first.answer().status == second.answer().status == 200
    told(proxy, "upstream default: no call under way", "taken      1: 1 idle", "waiting    0 calls")


def test_what_nobody_waits_for_is_seen_and_what_to_do(bench):  # noqa: F811
    proxy, server = bench("--limit", "1", "--timeout", "50ms")
    with Client(proxy.port, GET) as c:
        assert c.answer().status == 504
    told(proxy, "upstream default: full, of calls that nobody waits for any more",
         "taken      1: 1 draining", "calls      1 let through, 1 abandoned",
         "requests without the server's whole answer\n         1 x deadline\n"
         "             no answer within the deadline\n  to do      raise timeout")
    server.go()


@pytest.mark.parametrize("limit, to_do", [
    ("5", "to do      lower limit"), ("none", "to do      set limit")])
def test_a_server_that_refuses_comes_first(limit, to_do, tmp_path):
    body = REFUSAL + b"\x1b[2J"
    with always(says(503, body=body)) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url, "--limit", limit) as proxy:
        assert get(proxy).status == 503
        text = told(proxy, "upstream default: the server has refused calls within the limit", to_do)
        words = text.index("the server's own words")
        assert words < text.index("upstream default:")
        assert "         1 x 503, a refusal, upstream default, last" in text
        assert f'"{REFUSAL.decode()}?[2J"' in text


def test_a_limit_that_is_found_out_says_from_what(tmp_path):
    with always(says(503, body=REFUSAL)) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url, "--limit", "auto") as proxy:
        assert get(proxy).status == 503
        told(proxy, "upstream default: the server refuses every call", "found out  brown-out, for ")


def test_a_long_text_is_cut_and_says_so(tmp_path):
    with always(says(500, body=b"x" * 500)) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url) as proxy:
        assert get(proxy).status == 500
        assert re.search(r'^ +"x{200,240} \.\.\."$', summary(proxy), re.M)


def test_a_pause_and_its_end_are_seen(tmp_path):
    with always(says(429, b"Retry-After: 30")) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url) as proxy:
        assert get(proxy).status == 429
        text = told(proxy, "upstream default: the server asked to be left alone",
                    "paused     429 with Retry-After; tried again in ")
        assert re.search(r"tried again in (29\.\d|30\.0) s\n", text)


def test_an_endpoint_that_is_left_out_is_seen(bench):  # noqa: F811
    gone = f"127.0.0.1:{free_port()}"
    proxy, server = bench("--upstream", f"http://{gone}")
    with Client(proxy.port, GET) as first, Client(proxy.port, GET) as second:
        told(proxy, f"left out   {gone}: it could not be connected to; ",
             "taken      2: 2 busy")
        server.go(2)
        assert first.answer().status == second.answer().status == 200


def test_a_reload_that_failed_is_told(tmp_path):
    with Proxy(tmp_path, "upstream: http://127.0.0.1:1\n") as proxy:
        assert "refused" not in summary(proxy)
        (tmp_path / "weir.yaml").write_text("upstrem: x\n")
        proxy.process.send_signal(signal.SIGHUP)
        told(proxy, "1 reload refused: standard error has what was wrong")


def test_many_upstreams_do_not_fill_the_screen(tmp_path):
    many = "".join(f"  u{n}: {{url: http://127.0.0.1:{n}}}\n" for n in range(1, 14))
    with Proxy(tmp_path, f"upstreams:\n{many}routes:\n  - {{upstream: u1}}\n") as proxy:
        text = summary(proxy)
        assert len(re.findall("^upstream ", text, re.M)) == 10
        assert "\n3 upstreams more: GET / shows all\n" in text


def test_it_is_read_with_get_and_the_proxys_alone(tmp_path, bench):  # noqa: F811
    proxy, _ = bench()
    head, body = ask_raw(proxy.admin, "/summary", "HEAD")
    assert head.startswith("HTTP/1.1 200 ") and body == b""
    assert ask_raw(proxy.admin, "/summary", "POST")[0].startswith("HTTP/1.1 405 ")
    with Verb("origin", tmp_path) as origin:
        head, body = ask_raw(origin.admin, "/summary")
        assert head.startswith("HTTP/1.1 404 ") and b"GET /summary" not in body
