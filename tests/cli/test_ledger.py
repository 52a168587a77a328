"""The server's own words: what is kept of an error answer, and what is not shown."""

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from test_config import Proxy
from verbs import PATIENCE, eventually, gauges_at_zero


class Failing:
    """A server whose answers are all errors, with secrets in their fields."""

    def __init__(self):
        self.status, self.body = 500, b"request 17 failed"
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(api.status)
                self.send_header("Content-Length", str(len(api.body)))
                self.send_header("Set-Cookie", "session=tops3cret")
                self.send_header("X-Trace", "abc")
                self.end_headers()
                self.wfile.write(api.body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def failing():
    api = Failing()
    yield api
    api.close()


def get(proxy, path, **fields):
    c = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
    c.request("GET", path, headers={k.replace("_", "-"): v for k, v in fields.items()})
    r = c.getresponse()
    r.body = r.read()
    c.close()
    return r


SECRET = {"Authorization": "Bearer tops3cret", "Cookie": "a=tops3cret", "X-Api-Key": "tops3cret",
          "X-Request-Id": "req-1", "User-Agent": "me"}


@pytest.mark.parametrize("threads", (1, 2))
def test_the_first_exchange_is_the_sample(failing, tmp_path, threads):
    with Proxy(tmp_path, f"upstream: {failing.url}\nthreads: {threads}\n") as p:
        for n in range(8):
            get(p, "/v1/a?page=2&token=tops3cret", **dict(SECRET, X_Request_Id=f"req-{n}"))
        s = p.status()
        assert "tops3cret" not in json.dumps(s)
        entry, = s["words"]
        assert (entry["count"], entry["text"]) == (8, "request 17 failed")
        sample = entry["sample"]
        assert sample["target"] == "/v1/a?page=2&token=***" and sample["method"] == "GET"
        assert sample["upstream"] == "default" and sample["id"].startswith("req-")
        assert sample["endpoint"] == f"127.0.0.1:{failing.port}"
        assert {"Authorization: ***", "Cookie: ***", "X-Api-Key: ***",
                "User-Agent: me"} <= set(sample["request_fields"])
        assert {"Set-Cookie: ***", "X-Trace: abc"} <= set(sample["response_fields"])
        eventually(lambda: gauges_at_zero(p))


def test_queries_are_kept_on_request(failing, tmp_path):
    with Proxy(tmp_path, f"upstream: {failing.url}\nledger-query: keep\n") as p:
        get(p, "/a?token=shown", **SECRET)
        sample = p.status()["words"][0]["sample"]
        assert sample["target"] == "/a?token=shown"
        assert "tops3cret" not in json.dumps(sample)


def test_a_failure_without_an_answer_has_a_sample_too(tmp_path):
    with Proxy(tmp_path, "upstream: http://127.0.0.1:9\n") as p:
        get(p, "/x?key=tops3cret", **SECRET)
        entry, = p.status()["words"]
        assert entry["kind"] == "connect-refused"
        sample = entry["sample"]
        assert (sample["target"], sample["id"]) == ("/x?key=***", "req-1")
        assert sample["endpoint"] is None and sample["response_fields"] == []
