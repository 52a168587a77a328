"""The server's own words: what is kept of an error answer, and what is not shown."""

import base64
import gzip
import json
import uuid

import pytest

from answering import Answering
from test_config import Proxy
from verbs import eventually, gauges_at_zero, get


class Failing(Answering):
    """A server whose answers are all errors, with secrets in their fields."""

    def __init__(self):
        self.status, self.body, self.fields = 500, b"request 17 failed", {}
        super().__init__()

    def answer(self, request, body):
        return self.status, {"Set-Cookie": "session=tops3cret", "X-Trace": "abc", **self.fields}, self.body


@pytest.fixture
def failing():
    api = Failing()
    yield api
    api.close()


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


def test_names_of_requests_make_no_new_entries(failing, tmp_path):
    with Proxy(tmp_path, f"upstream: {failing.url}\n") as p:
        for _ in range(100):
            failing.body = b'{"error": "no", "request_id": "%s"}' % str(uuid.uuid4()).encode()
            get(p, "/a")
        entry, = p.status()["words"]
        assert entry["count"] == 100 and entry["text"].startswith('{"error": "no", "request_id": "')


def test_a_coded_text_is_kept_as_its_bytes(failing, tmp_path):
    """One entry, though each coding has its own time in it."""
    failing.fields = {"Content-Encoding": "gzip"}
    with Proxy(tmp_path, f"upstream: {failing.url}\n") as p:
        for when in range(5):
            failing.body = gzip.compress(b"Server.Concurrency limit exceeded", mtime=when)
            assert get(p, "/a", Accept_Encoding="gzip").body == failing.body
        entry, = p.status()["words"]
        assert (entry["count"], entry["text"]) == (5, None)
        assert gzip.decompress(base64.b64decode(entry["base64"])) == b"Server.Concurrency limit exceeded"


@pytest.mark.parametrize("coding, text", [("x-rot", None), ("identity", "request 17 failed")])
def test_a_coded_text_of_a_gather_too(failing, tmp_path, coding, text):
    failing.fields = {"Content-Encoding": coding}
    with Proxy(tmp_path, f"upstream: {failing.url}\ngather: 2\n") as p:
        get(p, "/a")
        entry, = p.status()["words"]
        assert (entry["count"], entry["text"]) == (2, text)
        assert ("base64" in entry) == (text is None)


def test_a_text_in_another_charset_is_kept_as_its_bytes_too(failing, tmp_path):
    failing.body = "서버가 가득 찼습니다".encode("euc-kr")
    with Proxy(tmp_path, f"upstream: {failing.url}\n") as p:
        get(p, "/a")
        entry, = p.status()["words"]
        assert base64.b64decode(entry["base64"]) == failing.body
        failing.body = "서버가 가득 찼습니다".encode()
        get(p, "/a")
        told = [w for w in p.status()["words"] if w["text"] == failing.body.decode()]
        assert len(told) == 1 and "base64" not in told[0]


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
