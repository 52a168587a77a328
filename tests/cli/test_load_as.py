"""weir load --as: it does with its connections what the client does whose name it takes.

Three waves of twenty calls at once, against a server that answers a wave when all of it has come.
How many connections it accepted is the client's manner; where that client is installed, it is
asked itself.
"""

import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from verbs import WEIR

PEERS = Path(__file__).parent / "peers"
WAVES, CALLS = 3, 20


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.wave.wait(60)
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.accepted, self.wave = 0, threading.Barrier(CALLS)
        self.url = f"http://127.0.0.1:{self.server_port}/"

    def process_request(self, request, client_address):
        self.accepted += 1
        super().process_request(request, client_address)

    def handle_error(self, request, client_address):
        pass  # a client that closes with a reset


@pytest.fixture
def server():
    s = Server()
    thread = threading.Thread(target=s.serve_forever, args=(0.05,))
    thread.start()
    yield s
    s.shutdown()
    thread.join()
    s.server_close()


def run(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def waves(tmp_path):
    at = tmp_path / "waves"
    at.write_text("".join(f"{wave * 1500}ms\n" * CALLS for wave in range(WAVES)))

    def run_as(server, *options):
        doc = json.loads(run(WEIR, "load", "--schedule", str(at), "--json", *options, server.url))
        assert doc["good"] == WAVES * CALLS
        assert doc["connections"]["opened"] == server.accepted
        return doc
    return run_as


# opened, closed by the client, still open
MANNERS = {
    "go-default": (56, 54, 2),
    "node20": (20, 0, 20),
    "requests-get": (60, 60, 0),
    "requests-session": (40, 30, 10),
    "java-url": (50, 45, 5),
    "okhttp": (50, 45, 5),
    "curl": (60, 60, 0),
}


@pytest.mark.parametrize("client", MANNERS)
def test_the_manner_of_a_client(client, server, waves):
    doc = waves(server, "--as", client)
    c = doc["connections"]
    assert (c["opened"], c["closed_by_us"], c["open"]) == MANNERS[client]
    assert doc["as"] == client


def test_one_that_says_close_lets_the_server_close(server, waves):
    doc = waves(server, "--as", "node14", "--wait-for", "10s")
    assert doc["manner"] == "close" and doc["connections"]["opened"] == 60
    assert doc["connections"]["closed_by_us"] == 0


def test_what_is_given_stands_over_the_clients_own(server, waves):
    doc = waves(server, "--as", "go-default", "--idle", "100")
    assert (doc["idle"], doc["idle_for_ms"], doc["pool"]) == (100, 90000, None)
    assert doc["connections"]["opened"] == 20


def test_none_that_is_given_stands_too(server, waves):
    doc = waves(server, "--as", "go-default", "--idle", "none", "--idle-for=none")
    assert (doc["idle"], doc["idle_for_ms"]) == (None, None)
    assert doc["connections"]["opened"] == 20


def test_one_that_has_no_more_waits(server, waves):
    server.wave = threading.Barrier(5)
    doc = waves(server, "--as", "apache5")
    assert doc["connections"]["opened"] == doc["pool"] == 5


def test_idle_for_closes_what_nobody_uses(server, waves):
    doc = waves(server, "--idle-for", "300ms")
    assert doc["connections"]["opened"] == 60 and doc["connections"]["closed_by_us"] == 40


@pytest.mark.parametrize("client,manner", [("node20", "agent"), ("node14", "closing"),
                                           ("undici", "fetch")])
def test_node_itself_opens_as_many(client, manner, server, waves):
    if not shutil.which("node"):
        pytest.skip("no node (Debian: nodejs)")
    run("node", str(PEERS / "waves.js"), manner, server.url)
    own, server.accepted = server.accepted, 0
    assert waves(server, "--as", client)["connections"]["opened"] == own


def test_go_itself_opens_as_many(server, waves, go_program):
    run(go_program(PEERS / "waves.go"), server.url)
    own, server.accepted = server.accepted, 0
    # a connection that is being put away as the next wave begins may serve once more, or not
    assert abs(waves(server, "--as", "go-default")["connections"]["opened"] - own) <= 2


@pytest.mark.parametrize("options,says", [
    (("--as", "go-defalt"), "did you mean go-default?"),
    (("--as", "netscape"), "go-default, node14, "),
    (("--as", "okhttp", "--connections", "close"), "leave --connections out"),
    (("--idle", "0"), "--idle"),
    (("--idle-for", "0s"), "--idle-for"),
])
def test_misuse_is_told(options, says):
    done = subprocess.run([WEIR, "load", "--rate", "1/s", *options, "http://127.0.0.1:9/"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2 and says in done.stderr, done.stderr
