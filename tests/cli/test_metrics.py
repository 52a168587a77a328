"""GET /metrics of weir proxy's admin: what Prometheus reads of it, held against its format, against
the JSON beside it and against docs/metrics.md."""

import http.client
import re
import signal
import threading
from pathlib import Path

import pytest

from test_config import Api, Proxy
from verbs import Verb, ask_raw, eventually, forward_proxy, gauges_at_zero, get

DOCS = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
NAME = r"[a-z_:][a-z0-9_:]*"
LABEL = r'[a-z_]+="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\d+(?:\.\d+)?)")
OF_HISTOGRAM = ("_bucket", "_sum", "_count")


@pytest.fixture
def api():
    made = Api("api")
    yield made
    made.close()


class Metrics:
    """What a scrape found: families' kinds, and values by name and labels. Strict about the format."""

    def __init__(self, proxy):
        head, body = ask_raw(proxy.admin, "/metrics")
        assert head.startswith("HTTP/1.1 200 ")
        assert "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n" in head
        self.kinds, self.values, family = {}, {}, None
        text = body.decode()
        assert text.endswith("\n")
        for line in text.splitlines():
            if line.startswith("# HELP "):
                family = line.split(" ", 3)[2]
                assert family not in self.kinds and line.split(" ", 3)[3]
            elif line.startswith("# TYPE "):
                _, _, of, kind = line.split(" ")
                assert of == family and kind in ("gauge", "counter", "histogram")
                self.kinds[family] = kind
            else:
                self._sample(line, family)

    def _sample(self, line, family):
        found = SAMPLE.fullmatch(line)
        assert found, line
        name, labels, value = found.groups()
        histogram = self.kinds[family] == "histogram"
        assert name in ([family + s for s in OF_HISTOGRAM] if histogram else [family]), line
        key = name, frozenset(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', labels or ""))
        assert key not in self.values, line
        self.values[key] = float(value)

    def of(self, name, **labels):
        return self.values.get((name, frozenset(labels.items())))


def test_it_says_what_the_json_says(api, tmp_path):
    with Proxy(tmp_path, f"upstream: {api.url}\nlimit: 7\nqueue: 5\n") as p:
        for _ in range(20):
            assert get(p, "/x").status == 200
        eventually(lambda: gauges_at_zero(p))
        m, s = Metrics(p), p.status()
        assert m.of("weir_proxy_requests_total") == s["exchanges"]["total"] == 20
        assert m.of("weir_proxy_answers_total", status="200") == 20
        assert m.of("weir_upstream_limit", upstream="default") == 7
        assert m.of("weir_upstream_slots_used", upstream="default") == s["slots"]["used"] == 1
        for state in ("connecting", "busy", "idle", "parked", "draining", "ghost", "settling"):
            assert m.of("weir_upstream_slots", upstream="default", state=state) == s["slots"][state]
        for call in ("admitted", "sent", "answered", "failed", "refused", "retried", "hedged"):
            assert m.of(f"weir_upstream_calls_{call}_total", upstream="default") == s["calls"][call]
        assert m.of("weir_upstream_connects_total", upstream="default") == s["connects"]
        for by, n in s["closes"].items():
            assert m.of("weir_upstream_closes_total", upstream="default", by=by) == n
        where = s["upstreams"][0]["endpoints"][0]["address"]
        assert m.of("weir_upstream_endpoint_in", upstream="default", endpoint=where) == 1
        assert m.of("weir_ports_open", to=where) == 1


@pytest.mark.parametrize("threads", (1, 2))
def test_times_are_told_by_whose_answer_it_is(api, tmp_path, threads):
    api.free.clear()
    text = f"upstream: {api.url}\nlimit: 1\nqueue-for: 20ms\ntimeout: 5s\nthreads: {threads}\n"
    with Proxy(tmp_path, text) as p:
        t = threading.Thread(target=lambda: get(p, "/slow"))
        t.start()
        eventually(lambda: api.now == 1)
        for _ in range(3):
            assert get(p, "/no").status == 503
        api.free.set()
        t.join()
        eventually(lambda: gauges_at_zero(p))
        m = Metrics(p)
        assert m.of("weir_proxy_request_seconds_count", decided_by="upstream") == 1
        assert m.of("weir_proxy_request_seconds_count", decided_by="weir") == 3
        assert m.of("weir_proxy_reasons_total", reason="queue-timeout") == 3
        for by, n, least in (("upstream", 1, 0.06), ("weir", 3, 0.06)):
            rows = sorted((float(dict(labels)["le"].replace("+Inf", "inf")), value)
                          for (name, labels), value in m.values.items()
                          if name.endswith("seconds_bucket") and ("decided_by", by) in labels)
            assert len(rows) == 15 and rows[-1] == (float("inf"), n)
            assert all(a[1] <= b[1] for a, b in zip(rows, rows[1:]))
            assert rows[0][1] == 0  # each took over a millisecond
            assert m.of("weir_proxy_request_seconds_sum", decided_by=by) >= least


def test_what_weir_answers_itself_is_its_own(api, tmp_path):
    """It is no error, and no upstream is asked."""
    with Proxy(tmp_path, f"upstream: {api.url}\n") as p:
        assert get(p, "/x").status == 200
        for method in ("TRACE", "OPTIONS"):
            c = http.client.HTTPConnection("127.0.0.1", p.port, timeout=60)
            c.request(method, "/x", headers={"Max-Forwards": "0"})
            assert c.getresponse().status == 200
            c.close()
        m = Metrics(p)
        assert m.of("weir_proxy_answers_total", status="200") == 3
        assert m.of("weir_proxy_request_seconds_count", decided_by="weir") == 2
        assert m.of("weir_proxy_request_seconds_count", decided_by="upstream") == 1


def test_no_series_is_of_a_callers_making(api, tmp_path):
    """Two hosts that callers name are one upstream."""
    with forward_proxy(tmp_path, to="127.0.0.0/8:*") as p:
        for host in ("127.0.0.1", "127.0.0.2"):
            c = http.client.HTTPConnection(p.forward.removeprefix("http://"), timeout=60)
            c.request("GET", f"http://{host}:{api.port}/x")
            c.getresponse().read()
            c.close()
        m = Metrics(p)
        assert m.of("weir_proxy_forward_hosts") == 2
        assert m.of("weir_upstream_calls_admitted_total", upstream="*") == 2
        assert {dict(labels)["upstream"] for _, labels in m.values if "upstream" in dict(labels)} == {
            "default", "*"}


def test_one_name_is_one_series_after_a_reload(api, tmp_path):
    other = Api("other")
    text = "upstreams: { a: { url: '%s' } }\nroutes: [{ upstream: a }]\n"
    try:
        with Proxy(tmp_path, text % api.url) as p:
            assert get(p, "/x").status == 200
            p.reload(text % other.url + "limit: 9\n")
            assert get(p, "/x").status == 200
            m = Metrics(p)  # it minds what is there twice
            assert m.of("weir_upstream_limit", upstream="a") == 9
            assert m.of("weir_proxy_reloads_total", result="taken") == 1
    finally:
        other.close()


def test_counts_do_not_fall_when_urls_change(api, tmp_path):
    """While a call to the former URL goes on, that one is live too; then it is gone."""
    other = Api("other")
    api.free.clear()
    text = "upstreams: { a: { url: '%s' } }\nroutes: [{ upstream: a }]\n"
    try:
        with Proxy(tmp_path, text % api.url) as p:
            calls = [threading.Thread(target=lambda: get(p, "/slow")) for _ in range(2)]
            calls[0].start()
            eventually(lambda: api.now == 1)
            p.reload(text % other.url)
            assert get(p, "/x").status == 200
            m = Metrics(p)  # it minds what is there twice
            assert [dict(labels)["endpoint"] for (name, labels) in m.values
                    if name == "weir_upstream_endpoint_in"] == [other.url.removeprefix("http://")]
            assert m.of("weir_upstream_calls_admitted_total", upstream="a") == 2
            other.free.clear()
            calls[1].start()
            eventually(lambda: other.now == 1)
            p.reload(text % api.url + "limit: 9\n")
            m = Metrics(p)
            assert m.of("weir_upstream_limit", upstream="a") == 9
            assert m.of("weir_upstream_endpoint_in", upstream="a",
                        endpoint=api.url.removeprefix("http://")) == 1
            api.free.set()
            other.free.set()
            for t in calls:
                t.join()
            eventually(lambda: len(p.status()["upstreams"]) == 1)
            m = Metrics(p)
            assert m.of("weir_upstream_calls_admitted_total", upstream="a") == 3
            assert m.of("weir_upstream_calls_answered_total", upstream="a") == 3
    finally:
        other.close()


def test_the_page_names_each_family(api, tmp_path):
    with Proxy(tmp_path, f"upstream: {api.url}\n") as p:
        kinds = Metrics(p).kinds
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", DOCS.read_text(), re.M)
    assert dict(rows) == kinds and len(rows) == len(kinds)


def test_it_is_read_and_nothing_else(api, tmp_path):
    with Proxy(tmp_path, f"upstream: {api.url}\n") as p:
        head, _ = ask_raw(p.admin, "/metrics", "POST")
        assert head.startswith("HTTP/1.1 405 ") and "Allow: GET, HEAD" in head
        _, body = ask_raw(p.admin, "/nothing")
        assert b"/metrics" in body


def test_an_origin_has_none(tmp_path):
    with Verb("origin", tmp_path) as o:
        assert ask_raw(o.admin, "/metrics")[0].startswith("HTTP/1.1 404 ")
        o.process.send_signal(signal.SIGTERM)
