"""weir origin beside the server it imitates: the same probes against both, over a veth link, and
the same bytes, ends and left sockets must come of them.

The other server is lab/servers/fasthttp, a real valyala/fasthttp from Debian's Go package.
"""

import collections
import errno
import json
import os
import re
import signal
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from verbs import WEIR, eventually

PROBES = 20

GET = b"GET / HTTP/1.1\r\nHost: api\r\n\r\n"
GET_CLOSE = b"GET / HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: api\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000

pytestmark = pytest.mark.usefixtures("weir")


class Server:
    """One of the two, on the server's host. Its gauges are those of docs/json/origin.md."""

    def __init__(self, pair, program, port, admin, *options):
        self.client, self.host = pair
        self.port, self.admin = port, admin
        self.process = subprocess.Popen(
            self.host.command(*program, "--listen", f"{self.host.address}:{port}",
                              "--admin", f"unix:{admin}", *options),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(lambda: f":{port} " in self.host.run("ss", "-Htln"))

    def close(self):
        self.go_on()
        self.process.terminate()
        self.process.wait(20)

    def stop(self):
        """Returns when every thread stands still."""
        tasks = f"/proc/{self.process.pid}/task"
        self.process.send_signal(signal.SIGSTOP)
        eventually(lambda: all(
            (Path(tasks) / task / "stat").read_text().rpartition(") ")[2][0] == "T"
            for task in os.listdir(tasks)))

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def gauges(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.admin)
            s.sendall(b"GET / HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")
            return json.loads(read_to_end(s)[0].partition(b"\r\n\r\n")[2])

    def until(self, holds):
        return eventually(lambda: holds(self.gauges()))

    def connect(self):
        s = self.client.new_socket()
        s.connect((self.host.address, self.port))
        return s

    def sockets(self, host):
        """{state: how many} on that host of the sockets that belong to this server."""
        end = f"( sport = :{self.port} or dport = :{self.port} )"
        lines = host.run("ss", "-Htan", end).splitlines()
        states = collections.Counter(line.split()[0] for line in lines)
        del states["LISTEN"]
        return dict(states)

    def left(self):
        """What stands on (client, server) once nothing is on its way any more."""
        passing = {"FIN-WAIT-1", "LAST-ACK", "CLOSING", "SYN-SENT", "SYN-RECV"}

        def settled():
            found = self.sockets(self.client), self.sockets(self.host)
            return None if passing & (set(found[0]) | set(found[1])) else found
        return eventually(settled)


@pytest.fixture
def both(pair, fasthttp, tmp_path):
    """start(*options) gives (real, ours), the same options for both."""
    started = []

    def start(*options):
        for port, program in ((8081, [fasthttp]), (8082, [WEIR, "origin"])):
            started.append(Server(pair, program, port, str(tmp_path / str(port)), *options))
        return started[0], started[1]

    yield start
    for server in started:
        server.close()


def read_to_end(s):
    """(bytes, how it ended): "EOF" or an error's name."""
    got = b""
    while True:
        try:
            more = s.recv(65536)
        except OSError as e:
            return got, errno.errorcode.get(e.errno, str(e))
        if not more:
            return got, "EOF"
        got += more


def dateless(answer):
    return re.sub(rb"Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT",
                  b"Date: *", answer)


def fill(server, n):
    """Takes n slots with kept-alive connections and returns them."""
    held = [server.connect() for _ in range(n)]
    for s in held:
        s.sendall(GET)
        assert s.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
    return held


# ---- what a refused caller reads, and how it ends ------------------------------------------

def refuse_never_asked(server):
    """The caller sends nothing."""
    s = server.connect()
    seen = read_to_end(s)
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    segments = struct.unpack_from("I", info, 152)[0]  # tcpi_data_segs_in
    s.close()
    return dateless(seen[0]), seen[1], segments


def send_until_refused(s, request):
    """Sends on a socket whose peer has closed; tells whether it was told."""
    try:
        s.sendall(request)
        s.sendall(request)
    except (BrokenPipeError, ConnectionResetError):  # which one depends on the RST's arrival
        return "lost"
    return "sent"


def refuse_asked_late(request):
    """The request leaves when the refusal has been read to its end."""
    def probe(server):
        s = server.connect()
        seen = read_to_end(s)
        said = send_until_refused(s, request)
        s.close()
        # one small write passes; whether the second meets the RST is a race on the link
        return dateless(seen[0]), seen[1], said if len(request) > 100000 else ""
    return probe


def refuse_asked_early(request):
    """The request is there when the server accepts: it is stopped meanwhile."""
    def probe(server):
        server.stop()
        try:
            s = server.connect()
            s.setblocking(False)
            sent = s.send(request)
            unread = eventually(lambda: receive_queue(server, s))
            assert sent > 0 and unread > 0
        finally:
            server.go_on()
        s.settimeout(10)
        seen = read_to_end(s)
        s.close()
        return dateless(seen[0]), seen[1]
    return probe


def receive_queue(server, s):
    """Bytes that wait unread at the server's end of s. A connection nobody has accepted is one
    all the same."""
    port = s.getsockname()[1]
    lines = server.host.run("ss", "-Htan", f"sport = :{server.port} and dport = :{port}")
    return sum(int(line.split()[1]) for line in lines.splitlines())


REFUSALS = {
    "never asked": (refuse_never_asked, "EOF"),
    "GET late": (refuse_asked_late(GET), "EOF"),
    "POST of 300 KB late": (refuse_asked_late(POST), "EOF"),
    "GET early": (refuse_asked_early(GET), "ECONNRESET"),
    "POST of 300 KB early": (refuse_asked_early(POST), "ECONNRESET"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_are_alike(both, name):
    probe, end = REFUSALS[name]
    seen, left = [], []
    for server in both("--limit", "2"):
        held = fill(server, 2)
        seen.append([probe(server) for _ in range(PROBES)])
        assert server.gauges()["refused"] == PROBES
        left.append(server.left())
        for s in held:
            s.close()
    real, ours = seen
    assert ours == real
    assert set(x[1] for x in ours) == {end}
    assert len(ours[0][0]) == 229 - len("Sun, 22 Nov 2026 10:00:00 GMT") + 1
    # the two held connections stand; a refusal leaves TIME_WAIT only if it was never asked
    waits = {"TIME-WAIT": PROBES} if name == "never asked" else {}
    assert left[1] == left[0] == ({"ESTAB": 2}, {"ESTAB": 2, **waits})


def test_refusal_is_two_segments(both):
    for server in both("--limit", "1"):
        fill(server, 1)
        assert refuse_never_asked(server)[2] == 2


# ---- closes that are no refusals -----------------------------------------------------------

def test_keep_alive_off_leaves_time_wait_on_the_server(both):
    left = []
    for server in both():
        for _ in range(PROBES):
            s = server.connect()
            s.sendall(GET_CLOSE)
            answer, end = read_to_end(s)
            assert b"\r\nConnection: close\r\n" in answer and end == "EOF"
            s.close()
        left.append(server.left())
    assert left[1] == left[0] == ({}, {"TIME-WAIT": PROBES})


def test_caller_that_closes_an_idle_connection_keeps_the_time_wait(both):
    left = []
    for server in both():
        for s in fill(server, PROBES):
            s.close()
        server.until(lambda g: g["slots"]["used"] == 0)
        left.append(server.left())
    assert left[1] == left[0] == ({"TIME-WAIT": PROBES}, {})


def test_timeout_leaves_fin_wait2_then_nothing(both):
    for server in both("--latency", "1s", "--limit", str(PROBES)):
        calls = [server.connect() for _ in range(PROBES)]
        for s in calls:
            s.sendall(GET)
        server.until(lambda g: g["slots"]["running"] == PROBES)
        for s in calls:
            s.close()
        # the handlers go on: nobody has noticed, and every slot stays taken
        g = server.until(lambda g: g["slots"]["abandoned"] == PROBES and g)
        assert g["slots"]["used"] == PROBES
        assert server.left() == ({"FIN-WAIT-2": PROBES}, {"CLOSE-WAIT": PROBES})
        assert refuse_never_asked(server)[0].startswith(b"HTTP/1.1 503 ")
        # the late answers meet FIN_WAIT2 and draw RST: nothing is left of the calls
        server.until(lambda g: g["slots"]["used"] == 0)
        assert server.left() == ({}, {"TIME-WAIT": 1})  # of the one refusal above


def test_mute_and_idle_connections_hold_slots(both):
    for server in both("--limit", "3"):
        idle = fill(server, 2)
        # a connection that says nothing counts too; the kernel may hand them over in any order
        mute = server.connect()
        server.until(lambda g: g["slots"]["used"] == 3)
        assert refuse_never_asked(server)[0].startswith(b"HTTP/1.1 503 ")
        g = server.gauges()
        assert g["slots"]["running"] == 0 and g["refused"] == 1
        for s in idle + [mute]:
            s.close()


# ---- answers -------------------------------------------------------------------------------

def head_of(answer):
    return answer.partition(b"\r\n\r\n")[0].split(b"\r\n")


def test_answers_are_alike(both):
    heads = []
    for server in both("--body", "3B"):
        s = server.connect()
        s.sendall(GET)
        answer = s.recv(65536)
        heads.append((head_of(dateless(answer)), len(answer)))
        s.close()
    assert heads[1] == heads[0]


def test_answers_before_a_close_say_the_same(both):
    heads = []
    for server in both("--body", "3B"):
        s = server.connect()
        s.sendall(GET_CLOSE)
        answer, _ = read_to_end(s)
        heads.append((sorted(head_of(dateless(answer))), len(answer)))
        s.close()
    assert heads[1] == heads[0]
