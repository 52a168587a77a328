"""What became of a request: GET /explain?id=ID, Weir-Id, Server-Timing."""

import http.client
import re
import socket
import ssl
import threading

import pytest

from pki import LOCAL, Authority
from test_config import Api, Proxy
from verbs import PATIENCE, Verb, ask, eventually, gauges_at_zero, get


@pytest.fixture
def api():
    made = Api("api")
    yield made
    made.close()


def explain(proxy, name):
    return ask(proxy.admin, f"/explain?id={name}")


def timing(answer):
    return {k: float(v) for k, v in re.findall(r"([\w-]+);dur=([\d.]+)", answer.headers["Server-Timing"])}


@pytest.mark.parametrize("threads", (1, 2))
def test_a_request_is_found_by_its_id(api, tmp_path, threads):
    with Proxy(tmp_path, f"upstream: {api.url}\nlimit: 7\nthreads: {threads}\n") as p:
        for n in range(16):
            assert "Weir-Id" not in get(p, f"/x{n}?token=tops3cret", X_Request_Id=f"id {n}").headers
        for n in range(16):
            e = eventually(lambda n=n: (lambda e: e["found"] and e)(explain(p, f"id%20{n}")))
            assert e["schema"] == "weir.explain/1" and e["id"] == f"id {n}" and e["weir_id"] is None
            assert (e["method"], e["target"], e["status"]) == ("GET", f"/x{n}?token=***", 200)
            assert (e["decided_by"], e["reason"], e["do"]) == ("upstream", None, None)
            spent = e["spent"]
            parts = [spent[k] for k in ("queue_ms", "connect_ms", "tls_ms", "first_byte_ms", "body_ms")]
            assert sum(parts) == pytest.approx(spent["total_ms"], abs=0.1)
            assert e["limits"]["limit"] == 7 and e["limits"]["limit_from"] == "configuration"
        eventually(lambda: gauges_at_zero(p))


@pytest.mark.parametrize("threads", (1, 2))
def test_weirs_own_answers_name_themselves(api, tmp_path, threads):
    api.free.clear()
    text = f"upstream: {api.url}\nlimit: 1\nqueue-for: 50ms\ntimeout: 600ms\nthreads: {threads}\n"
    with Proxy(tmp_path, text) as p:
        first = []
        t = threading.Thread(target=lambda: first.append(get(p, "/slow", X_Request_Id="slow")))
        t.start()
        eventually(lambda: api.now == 1)
        r = get(p, "/waits")
        assert (r.status, r.headers["Weir-Reason"]) == (503, "queue-timeout")
        assert b"\nto do: " in r.body and b"queue-for" in r.body
        e = eventually(lambda: (lambda e: e["found"] and e)(explain(p, r.headers["Weir-Id"])))
        assert (e["status"], e["decided_by"], e["reason"]) == (503, "weir", "queue-timeout")
        assert "1 of 1 connection" in e["why"] and e["spent"]["queue_ms"] >= 50
        assert e["spent"]["first_byte_ms"] is None and "limit" in e["do"]
        assert e["spent"]["tls_ms"] is None and e["why"].endswith("passed waiting for a slot")
        t.join()
        assert first[0].status == 504
        e = eventually(lambda: (lambda e: e["found"] and e)(explain(p, "slow")))
        assert e["weir_id"] == first[0].headers["Weir-Id"]
        assert "of 600 ms" in e["why"] and e["why"].endswith("passed waiting for an answer")
        api.free.set()
        eventually(lambda: gauges_at_zero(p))


@pytest.mark.parametrize("sent, status, reason", (
    (b"GET / HTTP/1.1\r\n\r\n", 400, "bad-host"),
    (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505, "version-unknown"),
    (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "bad-chunk"),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", 408, "request-timeout"),
))
def test_what_is_no_request_is_explained_too(api, tmp_path, sent, status, reason):
    text = f"upstream: {api.url}\nclient-body-for: 200ms\nserver-timing: yes\n"
    with Proxy(tmp_path, text) as p:
        with socket.create_connection(("127.0.0.1", p.port)) as s:
            s.settimeout(PATIENCE)
            s.sendall(sent)
            r = http.client.HTTPResponse(s)
            r.begin()
            said = r.read().decode()
        assert (r.status, r.headers["Weir-Reason"]) == (status, reason)
        assert f"({reason})\nto do: " in said
        e = explain(p, r.headers["Weir-Id"])
        assert (e["status"], e["decided_by"], e["reason"]) == (status, "weir", reason)
        assert e["method"] == ("POST" if sent.startswith(b"POST") else None) and e["do"]
        eventually(lambda: gauges_at_zero(p))


def test_the_bound_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Proxy(tmp_path, f"upstream: {url}\nfirst-byte-timeout: 120ms\nabandon: reset\n") as p:
            r = get(p, "/")
            assert r.status == 504 and b"time allowed for it: 120 ms (first-byte-timeout)" in r.body
            assert "time allowed for it: 120 ms" in explain(p, r.headers["Weir-Id"])["why"]


def test_a_handshake_that_never_ends_has_its_own_time(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with Proxy(tmp_path, f"upstream: {url}\ntls-timeout: 150ms\nretries: 0\nabandon: reset\n") as p:
            r = get(p, "/")
            assert (r.status, r.headers["Weir-Reason"]) == (504, "tls-timeout")
            e = explain(p, r.headers["Weir-Id"])
            assert e["spent"]["tls_ms"] >= 100 and e["why"].endswith("passed in the TLS handshake")


def test_a_gather_is_explained(api, tmp_path):
    long = "n" * 64
    parts = "gather: {{parts: {{a: {{path: /a}}, b: {{path: /b, upstream: dead{}}}}}}}"
    text = f"""
upstreams: {{api: {{url: {api.url}, limit: 7}}, dead: {{url: "http://127.0.0.1:9", retries: 0}}}}
routes:
  - {{path: /whole, upstream: api, gather: {{parts: {{a: {{path: /a}}, b: {{path: /b}}}}}}}}
  - {{path: /timed, upstream: api, server-timing: yes, gather: {{parts: {{{long}: {{path: /a}}}}}}}}
  - {{path: /partial, upstream: api, {parts.format(", optional: true")}}}
  - {{path: /failed, upstream: api, {parts.format("")}}}
"""
    with Proxy(tmp_path, text) as p:
        r = get(p, "/whole", X_Request_Id="whole")
        assert r.status == 200 and "Weir-Id" not in r.headers
        e = explain(p, "whole")
        assert e["part"] in ("a", "b") and e["why"].startswith("all 2 parts are there; the last was ")
        spent = e["spent"]
        assert None not in spent.values() and spent["first_byte_ms"] <= spent["total_ms"]
        r = get(p, "/timed")
        assert set(timing(r)) == {"weir-queue", "weir-connect", "upstream"}
        assert explain(p, r.headers["Weir-Id"])["part"] == long
        r = get(p, "/partial")
        assert (r.status, r.headers["Weir-Missing"]) == (200, "b")
        e = explain(p, r.headers["Weir-Id"])
        assert e["why"].startswith("of 2 parts 1 may be missing, and is") and e["decided_by"] == "upstream"
        r = get(p, "/failed")
        assert r.status == 502
        e = explain(p, r.headers["Weir-Id"])
        assert (e["part"], e["upstream"], e["reason"]) == ("b", "dead", "connect-refused")
        assert e["why"].startswith("part b: connection refused")
        eventually(lambda: gauges_at_zero(p))


def test_what_is_asked_for_wrongly(api, tmp_path):
    with Proxy(tmp_path, f"routes: [{{path: /a, upstream: u}}]\nupstreams: {{u: {{url: {api.url}}}}}\n") as p:
        assert explain(p, "nothing")["found"] is False
        r = get(p, "/elsewhere")
        assert r.status == 404
        e = explain(p, r.headers["Weir-Id"])
        assert (e["reason"], e["upstream"], e["limits"]) == ("no-route", None, None)


def test_server_timing_on_request(api, tmp_path):
    with Proxy(tmp_path, f"upstream: {api.url}\nserver-timing: yes\n") as p:
        r = get(p, "/")
        assert set(timing(r)) == {"weir-queue", "weir-connect", "upstream"}
        assert explain(p, r.headers["Weir-Id"])["status"] == 200
        assert timing(get(p, "/"))["weir-connect"] < 1000
    with Proxy(tmp_path, "upstream: http://127.0.0.1:9\nserver-timing: yes\n") as p:
        r = get(p, "/")
        assert r.status == 502 and "weir-queue" in timing(r) and "upstream" not in timing(r)
    with Proxy(tmp_path, f"upstream: {api.url}\n") as p:
        assert "Server-Timing" not in get(p, "/").headers


def test_a_handshake_has_its_own_time(api, tmp_path):
    ca = Authority(tmp_path)
    cert = ca.issue(*LOCAL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert.cert, cert.key)
    api.server.socket = context.wrap_socket(api.server.socket, server_side=True)
    with Verb("proxy", tmp_path, "--upstream", f"https://localhost:{api.port}", "--upstream-ca", ca.root,
              "--server-timing") as p:
        assert "weir-tls" in timing(get(p, "/"))
        assert "weir-tls" not in timing(get(p, "/"))
