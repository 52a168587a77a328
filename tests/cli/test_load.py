"""weir load as a user runs it, against a scripted server in this process and against weir origin.

Every count the load reports is held against what the server counted by itself. Ports are the
kernel's choice. How late the generator was depends on the machine, so no test judges that.
"""

import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
REFUSAL = "The connection cannot be served because Server.Concurrency limit exceeded"


# ---- a server that does as it is told ------------------------------------------------------

class Request:
    def __init__(self, connection, nth, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.connection, self.nth, self.body = connection, nth, body
        self.line = lines[0]
        self.fields = [(k.lower(), v.strip()) for k, _, v in (f.partition(":") for f in lines[1:])]

    def field(self, name):
        return [v for k, v in self.fields if k == name]


class Server:
    """answer(request, socket) sends what it likes, and returns False to have the connection
    closed. Counts connections, requests, and who closed first."""

    def __init__(self, answer, listen=("127.0.0.1", 0), family=socket.AF_INET):
        self.answer = answer
        self.requests, self.open, self.peak, self.accepted, self.client_closed = [], 0, 0, 0, 0
        self.lock = threading.Condition()
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.bind(listen)
        self.socket.listen(1024)
        name = self.socket.getsockname()
        self.url = f"http://127.0.0.1:{name[1]}/" if family == socket.AF_INET else None
        self.threads = []
        self.stopping = False
        self.acceptor = threading.Thread(target=self._accept)

    def __enter__(self):
        self.acceptor.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.socket.shutdown(socket.SHUT_RDWR)
        self.acceptor.join()
        self.socket.close()
        for thread in self.threads:
            thread.join()

    def wait(self, condition, seconds=20):
        with self.lock:
            assert self.lock.wait_for(lambda: condition(self), seconds)

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with self.lock:
                self.accepted += 1
                self.open += 1
                self.peak = max(self.peak, self.open)
            thread = threading.Thread(target=self._serve, args=(connection, self.accepted))
            thread.start()
            self.threads.append(thread)

    def _serve(self, connection, number):
        client_closed = False
        with connection:
            connection.settimeout(30)
            try:
                client_closed = self._exchanges(connection, number)
            except OSError:
                client_closed = True
        with self.lock:
            self.open -= 1
            self.client_closed += client_closed
            self.lock.notify_all()

    def _exchanges(self, connection, number):
        """True when the client was the one to close."""
        held, nth = b"", 0
        while True:
            while b"\r\n\r\n" not in held:
                data = connection.recv(65536)
                if not data:
                    return True
                held += data
            head, _, held = held.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            want = int(length.group(1)) if length else 0
            while len(held) < want:
                data = connection.recv(1 << 20)
                if not data:
                    return True
                held += data
            nth += 1
            request = Request(number, nth, head, held[:want])
            held = held[want:]
            with self.lock:
                self.requests.append(request)
                self.lock.notify_all()
            if self.answer(request, connection) is False:
                return False


def reply(status=200, body=b"ok\n", fields=(), delay=0.0, close=False):
    """An answer function for Server."""
    def answer(_request, connection):
        if delay:
            time.sleep(delay)
        extra = "".join(f"{f}\r\n" for f in fields) + ("Connection: close\r\n" if close else "")
        connection.sendall(f"HTTP/1.1 {status} Text\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
                           .encode() + body)
        return not close
    return answer


def say(raw, reset=False):
    """Sends these bytes and closes, by RST if asked."""
    def answer(_request, connection):
        connection.sendall(raw)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    return answer


# ---- the load under test -------------------------------------------------------------------

def load(*argv):
    return subprocess.run([WEIR, "load", *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=100, check=False)


def numbers(names):
    return {name: {"type": "number"} for name in names.split()}


def counts(names):
    return {name: {"type": "integer", "minimum": 0} for name in names.split()}


def thing(properties, **optional):
    return {"type": "object", "properties": {**properties, **optional},
            "required": list(properties), "additionalProperties": False}


MAYBE = {"type": ["number", "null"]}
HIST = thing({**counts("count"), **{f"{q}_ms": MAYBE for q in
                                    ("min", "mean", "p50", "p90", "p99", "p999", "max")}})
SCHEMA = thing({
    "schema": {"const": "weir.load/1"},
    "url": {"type": "string"},
    "pace": {"type": ["string", "null"]},
    **numbers("rate for_ms warm_up_ms ran_for_ms overlap_ms started_at_ms begun_within_ms interval_ms"),
    **counts("runs"), "timeout_ms": MAYBE, "pool": {"type": ["integer", "null"]},
    "as": {"type": ["string", "null"]}, "idle": {"type": ["integer", "null"]}, "idle_for_ms": MAYBE,
    "manner": {"type": "string"},
    "arrivals": {"enum": ["constant", "poisson", "recorded"]},
    "patience_ms": MAYBE,
    "interrupted": {"type": "boolean"},
    "valid": {"type": "boolean"},
    "invalid_why": {"type": ["string", "null"]},
    **counts("started good late failed unanswered errors_dropped"),
    "latency": HIST, "latency_good": HIST, "latency_uncorrected": HIST, "lateness": HIST,
    **{f"histogram{of}": {"type": "array", "items": {
        "type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}}
       for of in ("", "_good", "_uncorrected", "_lateness")},
    "errors": {"type": "array", "items": thing({
        "kind": {"type": "string"}, "status": {"type": ["integer", "null"]}, **counts("count"),
        **numbers("first_ms last_ms"), "text": {"type": ["string", "null"]},
        "refusal": {"type": "boolean"}}, base64={"type": "string"})},
    "statuses": {"type": "object", "additionalProperties": {"type": "integer"}},
    "connections": thing(counts("opened reused replayed closed_by_us closed_by_peer reset open")),
    "tls": {"oneOf": [{"type": "null"}, thing(counts("handshakes resumed failed"))]},
    "bytes": thing(counts("sent received")),
    "intervals": {"type": "array", "items": thing({
        **numbers("t_ms"), **counts("started good late failed"),
        "p50_ms": MAYBE, "p99_ms": MAYBE, "max_ms": MAYBE})},
})


def check_sums(doc):
    assert doc["started"] == doc["good"] + doc["late"] + doc["failed"] + doc["unanswered"]
    answered = doc["latency"]["count"]
    assert answered == doc["latency_uncorrected"]["count"] == sum(doc["statuses"].values())
    for key, of in (("histogram", "latency"), ("histogram_good", "latency_good"),
                    ("histogram_uncorrected", "latency_uncorrected"),
                    ("histogram_lateness", "lateness")):
        assert doc[of]["count"] == sum(n for _, n in doc[key])
    assert doc["latency_good"]["count"] == doc["good"]
    assert doc["lateness"]["count"] == doc["started"]
    assert doc["failed"] == sum(e["count"] for e in doc["errors"]) + doc["errors_dropped"]
    for kind in ("started", "good", "late", "failed"):
        assert doc[kind] == sum(step[kind] for step in doc["intervals"])
    c = doc["connections"]
    assert c["opened"] == c["open"] + c["closed_by_us"] + c["closed_by_peer"] + c["reset"]
    late = doc["lateness"]["p999_ms"]
    unsent = any(e["kind"] in ("no-fds", "no-memory") for e in doc["errors"])
    assert doc["valid"] == (not unsent and (late is None or late <= 5))
    assert doc["valid"] == (doc["invalid_why"] is None)


def parse(done):
    assert done.returncode == 0, done.stderr
    doc = json.loads(done.stdout)
    jsonschema.validate(doc, SCHEMA)
    check_sums(doc)
    return doc


def load_json(*argv):
    return parse(load("--json", *argv))


# ---- counts --------------------------------------------------------------------------------

def test_every_request_is_counted_once_here_and_there():
    with Server(reply()) as server:
        doc = load_json("--rate", "200/s", "--for", "1s", server.url + "a/b?c=d")
        assert len(server.requests) == 200
        assert {r.line for r in server.requests} == {"GET /a/b?c=d HTTP/1.1"}
        assert server.accepted == doc["connections"]["opened"]
    assert doc["started"] == doc["good"] == 200
    assert doc["statuses"] == {"200": 200}
    assert doc["errors"] == []
    assert doc["url"] == server.url + "a/b?c=d"
    assert doc["rate"] == 200 and doc["for_ms"] == doc["ran_for_ms"] == 1000
    assert abs(doc["started_at_ms"] / 1000 - time.time()) < 60
    assert doc["bytes"]["received"] == 200 * len(
        "HTTP/1.1 200 Text\r\nContent-Length: 3\r\n\r\nok\n")
    assert doc["bytes"]["sent"] == sum(len(r.line) + 4 + sum(len(k) + len(v) + 4 for k, v in r.fields)
                                       for r in server.requests)


def test_the_json_is_the_documented_one():
    text = (ROOT / "docs" / "json" / "load.md").read_text()
    documented = {name for row in re.findall(r"^\| (`[^|]+) \|", text, re.M)
                  for name in re.findall(r"`(\w+)`", row)}
    assert documented == set(SCHEMA["properties"])


def test_it_does_not_wait_for_answers_before_it_starts_more():
    with Server(reply(delay=0.5)) as server:
        doc = load_json("--rate", "100/s", "--for", "1s", server.url)
    assert doc["good"] == 100
    assert server.peak >= 40  # 100/s of 0.5 s each: 50 at once


def test_poisson_arrivals_are_of_their_seed():
    with Server(reply()) as server:
        runs = [load_json("--rate", "100/s", "--for", "1s", "--arrivals", "poisson",
                          "--interval", "100ms", "--seed", seed, server.url)
                for seed in ("7", "7", "8")]
    steps = [[s["started"] for s in run["intervals"]] for run in runs]
    assert steps[0] == steps[1] != steps[2]
    assert len(set(steps[0])) > 1


def test_steps_are_told_one_by_one():
    asked = "steps(200/s, 0/s, 100/s)"
    with Server(reply()) as server:
        doc = load_json("--rate", asked, "--for", "1500ms", server.url)
        page = load("--rate", asked, "--for", "300ms", server.url)
        assert len(server.requests) == 150 + 30
    assert doc["pace"] == asked and doc["arrivals"] == "constant" and doc["rate"] == 100
    assert [(s["t_ms"], s["started"]) for s in doc["intervals"]] == [(0, 100), (500, 0), (1000, 50)]
    assert doc["intervals"][1]["p50_ms"] is None
    assert f"  {asked} constant for 300 ms" in page.stdout
    rows = page.stdout.partition("begun from")[2].partition("\n\n")[0].splitlines()[1:]
    assert [row.split()[:3] for row in rows] == [
        ["0", "200/s", "20"], ["100", "ms", "0/s"], ["200", "ms", "100/s"]]


def test_a_ramp_climbs_evenly(tmp_path):
    log = tmp_path / "log"
    with Server(reply()) as server:
        doc = load_json("--rate", "ramp(0/s, 400/s)", "--for", "1s", "--log", str(log), server.url)
        assert len(server.requests) == 200
    assert [s["started"] for s in doc["intervals"]] == [2, 6, 10, 14, 18, 22, 26, 30, 34, 38]
    starts = sorted(int(line.split(",")[0]) for line in log.read_text().splitlines()[1:])
    # 200 t^2 are due after t seconds
    assert all(abs(at - (k / 200) ** 0.5 * 1e9) < 1e3 for k, at in enumerate(starts))


def test_recorded_arrivals_and_a_line_for_each(tmp_path):
    starts_ms = [0, 0, 40, 40, 40, 333]
    schedule, log = tmp_path / "schedule", tmp_path / "log"
    schedule.write_text("# recorded\n" + "".join(f"{at}ms\n" for at in starts_ms))

    def answer(request, connection):
        if request.connection == 6:
            return say(b"")(request, connection)
        return reply(503 if request.connection == 1 else 200, delay=0.2)(request, connection)
    with Server(answer) as server:
        doc = load_json("--schedule", str(schedule), "--log", str(log), "--connections", "close",
                        "--patience", "10s", server.url)
        assert len(server.requests) >= 6
    assert doc["arrivals"] == "recorded" and doc["started"] == 6 and doc["for_ms"] == 333
    head, *lines = [line.split(",") for line in log.read_text().splitlines()]
    assert head == ["intended_ns", "started_ns", "sent_ns", "ended_ns", "outcome", "status", "error"]
    assert sorted(int(line[0]) / 1e6 for line in lines) == starts_ms
    for intended, started, sent, ended, outcome, status, error in lines:
        assert int(intended) <= int(started) < int(sent) < int(ended)
        assert outcome == ("good" if status == "200" else "failed")
        assert bool(error) == (not status)
    assert sorted(line[5:] for line in lines).count(["200", ""]) == doc["good"] == 4
    assert sum(not line[5] for line in lines) == 1  # the last, which got nothing
    took = sorted((int(line[3]) - int(line[0])) / 1e6 for line in lines if line[5])
    assert len(took) == doc["latency"]["count"]
    assert abs(took[-1] - doc["latency"]["max_ms"]) < 0.01  # the histogram keeps it as it is


def test_the_log_has_those_that_never_end(tmp_path):
    log = tmp_path / "log"
    with Server(reply(delay=1)) as server:
        doc = load_json("--rate", "20/s", "--for", "100ms", "--wait-for", "100ms", "--log",
                        str(log), server.url)
    lines = log.read_text().splitlines()[1:]
    assert doc["unanswered"] == len(lines) == 2
    assert all(re.fullmatch(r"\d+,\d+,\d+,,unanswered,,", line) for line in lines)


def test_a_log_that_cannot_be_written_is_told(tmp_path):
    done = load("--rate", "1/s", "--log", str(tmp_path / "none" / "log"), "http://127.0.0.1:9/")
    assert done.returncode == 1 and "--log" in done.stderr and "none/log" in done.stderr


def test_a_schedule_with_a_fault_names_its_line(tmp_path):
    schedule = tmp_path / "schedule"
    schedule.write_text("1ms\nsoon\n")
    done = load("--schedule", str(schedule), "http://127.0.0.1:9/")
    assert done.returncode == 2 and f"{schedule}:2: " in done.stderr


def test_the_time_line():
    with Server(reply()) as server:
        doc = load_json("--rate", "20/s", "--for", "1s", "--interval", "250ms", server.url)
    assert [s["t_ms"] for s in doc["intervals"]] == [0, 250, 500, 750]
    assert [s["started"] for s in doc["intervals"]] == [5, 5, 5, 5]
    assert all(0 < s["p50_ms"] <= s["p99_ms"] <= s["max_ms"] for s in doc["intervals"])


# ---- requests ------------------------------------------------------------------------------

def test_fields_and_host():
    with Server(reply()) as server:
        load_json("--rate", "10/s", "--for", "300ms", "--header", "X-One: 1", "--header",
                  "X-Two:two words", server.url)
        request = server.requests[0]
        assert request.field("host") == [server.url.split("/")[2]]
        assert request.field("x-one") == ["1"] and request.field("x-two") == ["two words"]
        assert request.field("content-length") == [] and request.field("connection") == []
        load_json("--rate", "10/s", "--for", "100ms", "--header", "Host: api.example", server.url)
        assert server.requests[-1].field("host") == ["api.example"]


@pytest.mark.parametrize("size,count", [("0B", 0), ("1B", 1), ("100KiB", 102400),
                                        ("3MiB", 3 << 20)])
def test_a_body_of_the_size_asked_for(size, count):
    with Server(reply()) as server:
        doc = load_json("--rate", "5/s", "--for", "400ms", "--method", "POST", "--body", size,
                        server.url)
        assert doc["good"] == 2
        assert [len(r.body) for r in server.requests] == [count, count]
        assert all(r.field("content-length") == [str(count)] for r in server.requests)


def test_a_get_with_a_body_keeps_its_connection():
    with Server(reply()) as server:
        doc = load_json("--rate", "20/s", "--for", "300ms", "--pool", "1", "--body", "10B",
                        server.url)
        assert [(r.line, len(r.body)) for r in server.requests] == [("GET / HTTP/1.1", 10)] * 6
        assert all(r.field("connection") == [] for r in server.requests)
    assert doc["good"] == 6 and doc["connections"]["opened"] == server.accepted == 1


def test_answers_of_every_framing():
    answers = {
        1: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        2: b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        3: b"HTTP/1.1 204 No Content\r\n\r\n",
        4: b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
        5: b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 1\r\n\r\nx",
        6: b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    }

    def answer(request, connection):
        connection.sendall(answers[len(server.requests)])
        return len(server.requests) != 6

    with Server(answer) as server:
        doc = load_json("--rate", "20/s", "--for", "300ms", "--pool", "1", server.url)
    assert doc["good"] == 6
    assert doc["statuses"] == {"200": 3, "204": 1, "302": 1, "304": 1}
    assert doc["connections"]["opened"] == 1
    assert doc["connections"]["closed_by_peer"] == 1


def test_head_answers_have_no_body():
    with Server(say(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nConnection: close\r\n\r\n")) as s:
        doc = load_json("--rate", "20/s", "--for", "200ms", "--method", "HEAD", s.url)
    assert doc["good"] == 4


# ---- manners -------------------------------------------------------------------------------

def test_pool_reuses_connections():
    with Server(reply(delay=0.002)) as server:
        doc = load_json("--rate", "100/s", "--for", "1s", server.url)
    c = doc["connections"]
    assert c["opened"] == server.accepted == c["open"] < 60
    assert c["reused"] == 100 - c["opened"]


def test_close_says_close_and_opens_one_each():
    with Server(reply(close=True)) as server:
        doc = load_json("--rate", "100/s", "--for", "500ms", "--connections", "close", server.url)
        assert all(r.field("connection") == ["close"] for r in server.requests)
        assert server.accepted == 50
    assert doc["connections"]["opened"] == 50 and doc["connections"]["reused"] == 0
    assert doc["connections"]["closed_by_us"] == 0


def test_pretend_says_keep_alive_and_closes_first():
    with Server(reply()) as server:
        doc = load_json("--rate", "100/s", "--for", "500ms", "--connections", "pretend", server.url)
        assert all(r.field("connection") == ["keep-alive"] for r in server.requests)
        server.wait(lambda s: s.open == 0)
        assert server.accepted == server.client_closed == 50
    assert doc["connections"]["opened"] == doc["connections"]["closed_by_us"] == 50


def test_a_pool_of_n_never_opens_more_and_waiting_counts():
    with Server(reply(delay=0.05)) as server:
        doc = load_json("--rate", "100/s", "--for", "500ms", "--pool", "2", server.url)
    assert server.peak <= 2 and doc["connections"]["opened"] <= 2
    assert doc["good"] == 50
    # 50 calls of 50 ms by twos take 1.25 s; the last was meant to start at 0.49 s
    assert doc["latency"]["max_ms"] > 600
    # but was sent when its turn came: what a tool sees that waits for its answers
    assert doc["latency_uncorrected"]["p50_ms"] < doc["latency"]["p50_ms"] - 150


def test_a_kept_connection_that_died_is_no_failure():
    """The server closes idle connections without a word; GET is asked once more."""
    def answer(request, connection):
        reply()(request, connection)
        return False  # closes, though it promised to keep

    with Server(answer) as server:
        doc = load_json("--rate", "50/s", "--for", "500ms", server.url)
        assert len(server.requests) >= 25
    assert doc["good"] == 25
    assert doc["connections"]["reused"] >= doc["connections"]["replayed"]


# ---- errors, in the server's own words -----------------------------------------------------

def test_error_answers_are_told_verbatim():
    body = "b\u00e4d \"thing\"\n<17>\n"
    with Server(reply(500, body.encode())) as server:
        doc = load_json("--rate", "50/s", "--for", "200ms", server.url)
        text = load("--rate", "50/s", "--for", "200ms", server.url).stdout
    assert doc["failed"] == 10 and doc["statuses"] == {"500": 10}
    (error,) = doc["errors"]
    assert error["kind"] == "status" and error["status"] == 500 and error["count"] == 10
    assert error["text"] == body and error["refusal"] is False
    assert 0 <= error["first_ms"] <= error["last_ms"]
    assert '"b\u00e4d "thing"\n' in text and "500 Internal Server Error" in text


def test_a_long_text_is_kept_up_to_a_kibibyte():
    with Server(reply(502, b"y" * 5000)) as server:
        doc = load_json("--rate", "10/s", "--for", "200ms", server.url)
    assert doc["errors"][0]["text"] == "y" * 1024


def test_texts_that_differ_in_numbers_only_are_one_error():
    def answer(request, connection):
        return reply(500, b"request %d failed" % len(server.requests))(request, connection)

    with Server(answer) as server:
        doc = load_json("--rate", "50/s", "--for", "400ms", server.url)
    assert [(e["count"], e["text"]) for e in doc["errors"]] == [(20, "request 1 failed")]


def test_refusals_are_recognised():
    with Server(reply(503, REFUSAL.encode(), close=True)) as server:
        doc = load_json("--rate", "50/s", "--for", "200ms", server.url)
        text = load("--rate", "50/s", "--for", "200ms", server.url).stdout
    assert doc["errors"][0]["refusal"] is True and doc["errors"][0]["text"] == REFUSAL
    assert REFUSAL in text and "no slot free" in text
    assert text.index(REFUSAL) < text.index("requests\n")


@pytest.mark.parametrize("raw,reset,kind,status", [
    (b"", False, "eof", None),
    (b"", True, "reset", None),
    (b"HTTP/1.1 200 OK\r\nContent-Le", False, "truncated", None),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", False, "truncated", 200),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", False,
     "bad-response-chunk", 200),
    (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", False, "bad-response", None),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40000 + b"\r\n\r\n", False, "response-head-too-large",
     None),
])
def test_no_answer_is_told_by_its_kind(raw, reset, kind, status):
    with Server(say(raw, reset)) as server:
        doc = load_json("--rate", "20/s", "--for", "200ms", server.url)
    assert doc["failed"] == 4 and doc["latency"]["count"] == 0
    assert [(e["kind"], e["status"], e["count"]) for e in doc["errors"]] == [(kind, status, 4)]


def test_words_that_came_before_a_reset_are_kept():
    raw = b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nsorry, all slots"
    with Server(say(raw)) as server:
        doc = load_json("--rate", "20/s", "--for", "200ms", server.url)
    (error,) = doc["errors"]
    assert (error["kind"], error["status"]) == ("truncated", 503)
    assert error["text"] == "sorry, all slots"


def test_a_refused_connect_is_counted_not_fatal():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: connects are refused
        port = nobody.getsockname()[1]
        doc = load_json("--rate", "50/s", "--for", "200ms", f"http://127.0.0.1:{port}/")
    assert doc["failed"] == 10
    assert doc["errors"][0]["kind"] == "connect-refused" and doc["errors"][0]["status"] is None
    assert doc["connections"]["opened"] == 0


# ---- time ----------------------------------------------------------------------------------

def test_patience_parts_good_from_late():
    def answer(request, connection):
        return reply(delay=1.0 if request.line.split()[1] == "/slow" else 0)(request, connection)

    with Server(answer) as server:
        slow = load_json("--rate", "20/s", "--for", "200ms", "--patience", "700ms",
                         server.url + "slow")
        quick = load_json("--rate", "20/s", "--for", "200ms", "--patience", "700ms", server.url)
    assert (slow["good"], slow["late"], slow["failed"]) == (0, 4, 0)
    assert slow["latency"]["count"] == 4 and slow["latency"]["min_ms"] >= 1000
    assert slow["latency_good"]["p50_ms"] is None
    assert (quick["good"], quick["late"]) == (4, 0)
    assert slow["patience_ms"] == 700


def test_timeout_gives_up_and_closes():
    gate = threading.Event()

    def answer(_request, connection):
        # the client has hung up when this becomes readable, and nothing but its end arrives
        readable, _, _ = select.select([connection], [], [], 20)
        gate.set()
        return None if readable and connection.recv(1) == b"" else False

    with Server(answer) as server:
        doc = load_json("--rate", "20/s", "--for", "200ms", "--timeout", "300ms", server.url)
        assert gate.wait(20)
        server.wait(lambda s: s.open == 0)
        assert server.client_closed == 4
    assert doc["failed"] == 4 and doc["latency"]["count"] == 0
    assert [(e["kind"], e["count"]) for e in doc["errors"]] == [("deadline", 4)]
    assert doc["connections"]["closed_by_us"] == 4
    assert 300 <= doc["errors"][0]["first_ms"]


def test_what_never_ends_is_unanswered():
    release = threading.Event()

    def answer(_request, _connection):
        release.wait(60)
        return False

    with Server(answer) as server:
        try:
            doc = load_json("--rate", "20/s", "--for", "200ms", "--wait-for", "200ms", server.url)
        finally:
            release.set()
    assert doc["unanswered"] == 4 and doc["latency"]["count"] == 0
    assert doc["connections"]["open"] == 4


# ---- ending, and what is shown -------------------------------------------------------------

def test_interrupted_it_reports_what_there_is():
    with Server(reply()) as server:
        process = subprocess.Popen([WEIR, "load", "--json", "--rate", "50/s", "--for", "1h",
                                    server.url], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        server.wait(lambda s: len(s.requests) >= 20)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        doc = parse(subprocess.CompletedProcess([], process.returncode, stdout, stderr))
        assert doc["interrupted"] is True
        assert 20 <= doc["started"] <= len(server.requests) + 50
        assert 0 < doc["ran_for_ms"] < 3600_000


def test_the_page_has_units_and_no_noise():
    with Server(reply()) as server:
        done = load("--rate", "50/s", "--for", "200ms", "--patience", "5s", server.url)
    assert done.returncode == 0 and done.stderr == ""
    for words in ("50/s constant for 200 ms", "100.0 %", "p99.9", "own lateness", "opened",
                  "sent ", "patience 5 s"):
        assert words in done.stdout, done.stdout
    assert "NaN" not in done.stdout and "\x1b" not in done.stdout
    assert all(len(line) <= 100 for line in done.stdout.splitlines() if "NOT VALID" not in line)


def on_terminal(*argv):
    """What it shows on a terminal's standard error."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([WEIR, "load", *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 4096):
                shown += data
        except OSError:  # the terminal's other side is gone
            pass
        process.stdout.read()
    os.close(ours)
    assert process.returncode == 0
    return shown.decode()


def test_a_terminal_sees_progress_unless_quiet():
    with Server(reply()) as server:
        shown = on_terminal("--rate", "50/s", "--for", "1300ms", server.url)
        quiet = on_terminal("--quiet", "--rate", "50/s", "--for", "1300ms", server.url)
    assert re.search(r"\r1 s of 1\.3 s: \d+ started, \d+ good.* sockets", shown), shown
    assert shown.endswith("\r\x1b[K")
    assert quiet == ""


def test_a_full_disk_is_not_success():
    with Server(reply()) as server, open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([WEIR, "load", "--rate", "10/s", "--for", "100ms", server.url],
                              stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
                              check=False)
    assert done.returncode == 1 and "standard output" in done.stderr


# ---- addresses -----------------------------------------------------------------------------

def test_a_unix_socket(tmp_path):
    path = str(tmp_path / "s")
    with Server(reply(), listen=path, family=socket.AF_UNIX) as server:
        doc = load_json("--rate", "50/s", "--for", "200ms", f"unix:{path}")
        assert server.requests[0].field("host") == ["localhost"]
    assert doc["good"] == 10


def test_a_name_with_two_families_uses_the_one_that_answers():
    with Server(reply()) as server:
        port = server.socket.getsockname()[1]
        doc = load_json("--rate", "50/s", "--for", "200ms", f"http://localhost:{port}/")
        assert server.requests[0].field("host") == [f"localhost:{port}"]
    assert doc["good"] == 10


# ---- misuse --------------------------------------------------------------------------------

URL = "http://127.0.0.1:1/"


@pytest.mark.parametrize("argv,says", [
    (("--rate", "1/s"), "no URL"),
    ((URL,), "--rate"),
    (("--rate", "0/s", URL), "--rate"),
    (("--rate", "100", URL), "100/s"),
    (("--rate", "-1/s", URL), "negative"),
    (("--rate", "ramp(1/s, 2)", URL), "--rate: column 11: '2' has no unit"),
    (("--rate", "stesp(1/s, 2/s)", URL), "did you mean steps?"),
    (("--rate", "steps(0/s, 0/s)", URL), "--rate is zero"),
    (("--rate", "fast", URL), "fast"),
    (("--rate", "1/s", "--for", "10", URL), "10s"),
    (("--rate", "1/s", "--for", "none", URL), "--for"),
    (("--rate", "1/s", "--patience", "0s", URL), "--patience"),
    (("--rate", "1/s", "--timeout", "0ms", URL), "--timeout"),
    (("--rate", "1/s", "--body", "10", URL), "10B"),
    (("--rate", "1/s", "--pool", "0", URL), "--pool"),
    (("--rate", "1/s", "--interval", "1ms", URL), "--interval"),
    (("--rate", "1/s", "--arrivals", "poison", URL), "poisson"),
    (("--rate", "1/s", "--connections", "keep", URL), "pool"),
    (("--rate", "1/s", "--method", "get", URL), "GET"),
    (("--rate", "1/s", "--header", "nothing", URL), "Name: value"),
    (("--rate", "1/s", "--header", "Connection: close", URL), "--connections"),
    (("--rate", "1/s", "http://127.0.0.1:99999/"), "port"),
    (("--rate", "1/s", "127.0.0.1"), "port"),
    (("--rate", "1/s", URL, URL), "one URL"),
    (("--rate", "1/s", URL + "#top"), "# part, which is never sent"),
    (("--rate", "1/s", "--schedule", "/dev/null", URL), "--rate"),
    (("--schedule", "/nonexistent/file", URL), "/nonexistent/file"),
])
def test_misuse_is_exit_2_with_a_message(argv, says):
    done = load(*argv)
    assert done.returncode == 2, done.stdout
    assert done.stdout == ""
    assert done.stderr.startswith("weir load: ") and says in done.stderr


def test_a_name_that_does_not_resolve_is_exit_1():
    done = load("--rate", "1/s", "http://no-such-host.invalid/")
    assert done.returncode == 1 and "no-such-host.invalid" in done.stderr


def test_too_few_descriptors_for_the_pool_says_what_fits():
    done = subprocess.run(["bash", "-c", 'ulimit -n 100; exec "$0" load --rate 1/s --pool 5000 ' + URL,
                           WEIR], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "5064" in done.stderr and "36 connections fit" in done.stderr


def test_running_out_of_descriptors_is_told():
    release = threading.Event()

    def answer(request, connection):
        release.wait(60)
        return reply()(request, connection)

    with Server(answer) as server:
        done = subprocess.run(["bash", "-c", 'ulimit -n 60; exec "$0" load --json --rate 200/s '
                               f"--for 500ms --wait-for 100ms {server.url}", WEIR],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        release.set()
    doc = parse(done)
    assert "no-fds" in [e["kind"] for e in doc["errors"]]
    assert not doc["valid"] and "ulimit -Hn" in doc["invalid_why"] and \
        "fs.file-max" in doc["invalid_why"] and "NOT VALID" in done.stderr
    assert doc["unanswered"] >= 30


# ---- against weir origin -------------------------------------------------------------------

@pytest.fixture(name="origin")
def start_origin():
    if "origin" not in subprocess.run([WEIR, "--version"], stdout=subprocess.PIPE, text=True,
                                      check=True).stdout:
        pytest.skip("origin is not built in")
    running = []

    def start(*argv):
        process = subprocess.Popen([WEIR, "origin", "--listen", "127.0.0.1:0", *argv],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        running.append(process)
        return re.search(r"127\.0\.0\.1:\d+", process.stderr.readline()).group(0)

    yield start
    for process in running:
        process.terminate()
        process.communicate(timeout=30)


def test_refusals_of_an_origin_keep_their_words(origin):
    at = origin("--limit", "5", "--latency", "200ms")
    doc = load_json("--rate", "100/s", "--for", "1s", "--connections", "close", f"http://{at}/")
    (error,) = doc["errors"]
    assert error["text"] == REFUSAL and error["refusal"] is True and error["kind"] == "status"
    assert doc["good"] + error["count"] == 100 and doc["good"] >= 20
    assert doc["statuses"] == {"200": doc["good"], "503": error["count"]}


def test_a_large_post_loses_no_refusal(origin):
    """Refused before its body is read: the write fails, the words are still read."""
    at = origin("--limit", "2", "--latency", "300ms")
    doc = load_json("--rate", "50/s", "--for", "1s", "--connections", "close", "--method", "POST",
                    "--body", "300KiB", f"http://{at}/")
    told = sum(e["count"] for e in doc["errors"] if e["text"] == REFUSAL)
    assert doc["failed"] == told > 20, doc["errors"]
