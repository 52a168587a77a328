"""Deadlines of the proxy as a user meets them: options, the caller's own wish, proxies in a row.
How exact they are is told on a virtual clock, by tests/unit/proxy."""

import re
import subprocess
import threading

import pytest

from rawhttp import Client, Scripted
from verbs import PATIENCE, WEIR, Verb, eventually, gauges_at_zero

GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n"


def stall(peer, _):
    if peer.request() is not None:
        peer.wait_end()


def ask(port, fields=b""):
    with Client(port, GET % fields) as c:
        c.to_end()
        return c.answer()


@pytest.mark.parametrize("name", ["timeout", "first-byte-timeout", "idle-timeout",
                                  "client-body-for", "client-write-for"])
def test_a_bound_of_zero_is_misuse(name):
    done = subprocess.run([WEIR, "proxy", "--listen", "127.0.0.1:0", "--upstream",
                           "http://127.0.0.1:1", f"--{name}", "0s"], capture_output=True,
                          text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert f"--{name}" in done.stderr and "or none" in done.stderr


def test_the_caller_shortens_its_deadline(tmp_path):
    with Scripted(stall) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url, "--drain-for", "100ms",
                 "--ghost-for", "50ms") as p:
        m = ask(p.port, b"Weir-Timeout: 50ms\r\n")
        assert (m.status, m.one(b"weir-reason")) == (504, b"deadline")
        assert b"50" in m.body  # it is told which deadline that was
        m = ask(p.port, b"x-envoy-expected-rq-timeout-ms: 60\r\n")
        assert (m.status, m.one(b"weir-reason")) == (504, b"deadline")
        m = ask(p.port, b"Weir-Timeout: soon\r\n")
        assert (m.status, m.one(b"weir-reason")) == (400, b"bad-timeout")
        eventually(lambda: gauges_at_zero(p))


def test_first_byte_and_idle(tmp_path):
    def script(peer, _):
        if peer.request().target == b"/half":
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        peer.wait_end()

    with Scripted(script) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url, "--first-byte-timeout", "50ms",
                 "--idle-timeout", "60ms", "--drain-for", "100ms", "--ghost-for", "50ms") as p:
        m = ask(p.port)
        assert (m.status, m.one(b"weir-reason")) == (504, b"first-byte-timeout")
        with Client(p.port, b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n") as c:
            c.to_end()
            assert c.how == "reset" and c.got.endswith(b"4\r\nhalf\r\n")
        assert p.status()["reasons"] == {"first-byte-timeout": 1, "idle-timeout": 1}
        eventually(lambda: gauges_at_zero(p))


def test_proxies_in_a_row_share_one_deadline(tmp_path):
    """The second proxy is told what is left of the first one's budget, and the server what is left
    of that."""
    told, release = [], threading.Event()

    def script(peer, _):
        told.extend(peer.request().all(b"weir-timeout"))
        release.wait(PATIENCE)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with Scripted(script) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url, "--timeout", "10m") as inner, \
            Verb("proxy", tmp_path, "--upstream", inner.url, "--timeout", "20s") as outer:
        with Client(outer.port, GET % b"") as c:
            eventually(lambda: told)
            release.set()
            assert c.answer().status == 200
        assert len(told) == 1
        left = int(re.fullmatch(rb"(\d+)ms", told[0])[1])
        assert 0 < left <= 20_000
        eventually(lambda: gauges_at_zero(outer))
        assert inner.status()["exchanges"]["now"] == 0
