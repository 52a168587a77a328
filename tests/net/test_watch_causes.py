"""What weir watch makes of closes: the cause, whose it is, the cure for the program at hand, and
what it is not. Clients are real programs of known manners; the server is `weir origin`."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest

from verbs import WEIR, eventually
from watched import Pair, Watching, close_in_order, halt, status_of

pytestmark = pytest.mark.usefixtures("weir")

CLIENT = """
import http.client, socket, ssl, sys
host, port, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def connect(timeout=30):
    return http.client.HTTPConnection(host, port, timeout=timeout)
def call(c):
    c.request("GET", "/")
    return c.getresponse().read()
"""

EACH_ANEW = CLIENT + """
for i in range(times):
    c = connect()
    call(c)
    c.close()
"""

POOL_OF_ONE = CLIENT + """
kept = connect()
for i in range(times):
    call(kept)
    c = connect()
    call(c)
    c.close()
sys.stdin.read()
"""

KEEPS_ALIVE = CLIENT + """
kept = connect()
for i in range(times):
    call(kept)
print("done", flush=True)
sys.stdin.read()
"""

GIVES_UP = CLIENT + """
for i in range(times):
    c = connect(timeout=0.3)
    try:
        call(c)
    except TimeoutError:
        pass
    c.close()
"""

HOLDS_ONE_AND_ASKS = CLIENT + """
kept = connect()
call(kept)
for i in range(times):
    c = connect()
    try:
        call(c)
    except OSError:
        pass
    c.close()
"""


@contextmanager
def origin(host, *more):
    """`weir origin` on the host; its port."""
    child = subprocess.Popen(
        host.command(WEIR, "origin", "--listen", f"{host.address}:0", *more),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = ""
        while not (found := re.search(r"listening on \S+:(\d+)", said)):
            line = child.stdout.readline()
            assert line, said
            said += line
        yield int(found[1])
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=10)


@contextmanager
def client(host, program, to, times, *by):
    child = subprocess.Popen(
        host.command(*by, "/usr/bin/python3", "-c", program, *map(str, to), str(times)),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.stdin.close()
        child.wait(timeout=30)
        child.stdout.close()


def until_found(watching, name):
    until = time.monotonic() + 20
    while True:
        for cause in watching.last["diagnosis"]:
            if cause["id"] == name:
                return cause
        assert time.monotonic() < until, watching.last["diagnosis"]
        watching.next_look()


def found(watching):
    return [cause["id"] for cause in watching.last["diagnosis"]]


def ruled_out(watching):
    return {row["id"] for row in watching.last["not_the_cause"]}


def test_a_client_that_never_uses_a_connection_again(pair):
    near, far = pair
    with origin(far, "--latency", "30ms") as port:  # long enough to be seen
        with Watching(near) as watching, Watching(far) as there:
            with client(near, EACH_ANEW, (far.address, port), 60):
                until_found(watching, "no-keep-alive")
            watching.until_total(60)
            cause, = watching.last["diagnosis"]
            assert cause["id"] == "no-keep-alive"
            assert (cause["side"], cause["at"]) == ("out", f"{far.address}:{port}")
            assert [p["runtime"] for p in cause["programs"]] == ["python"]
            assert cause["programs"][0]["program"].startswith("python3")
            assert "requests.Session()" in cause["cures"][0]["text"]
            assert {"time-wait", "kernel-limits"} <= ruled_out(watching)
            place, = watching.last["closes"]["places"]
            assert (place["at"], place["total"]) == (cause["at"], 60)
            assert sum(row["count"] for row in place["closes"]) == 60
            # the other end of the same connections
            cause = until_found(there, "callers-close-each")
            assert cause["side"] == "in"
            assert [p["program"] for p in cause["programs"]] == ["weir"]


def test_a_pool_without_room_is_told_from_no_keep_alive(pair):
    near, far = pair
    with origin(far) as port:
        with Watching(near) as watching:
            with client(near, POOL_OF_ONE, (far.address, port), 60):
                cause = until_found(watching, "pool-overflow")
                assert "pool_maxsize" in cause["cures"][0]["text"]
                watching.until_total(60)
                assert found(watching) == ["pool-overflow"]


NAMED_STEADY = """
open("/proc/self/comm", "w").write("steady")
""" + KEEPS_ALIVE


def test_a_busy_program_beside_the_one_that_closes_is_not_named_for_it(pair):
    near, far = pair
    with origin(far, "--latency", "30ms") as port, Watching(near) as watching:
        with client(near, NAMED_STEADY, (far.address, port), 30) as steady:
            assert steady.stdout.readline() == "done\n"
            with client(near, EACH_ANEW, (far.address, port), 60):
                watching.until_total(60)
            cause = until_found(watching, "no-keep-alive")
    by = {p["program"]: p["seen_to_end"] for p in cause["programs"]}
    assert not by.pop("steady")
    (name, ended), = by.items()
    assert name.startswith("python3") and ended


def test_callers_that_are_hung_up_on_are_told(pair):
    _, far = pair
    p = Pair(pair)
    with Watching(far) as watching:
        ends = [p.connect() for _ in range(10)]
        for c, s in ends:
            c.sendall(b"GET / HT")
            assert s.recv(10)
        time.sleep(0.3)
        for c, s in ends:
            close_in_order(s, c)
        watching.until_total(10)
        cause = until_found(watching, "drops-callers")
        assert (cause["side"], cause["count"], cause["of"]) == ("in", 10, 10)


def test_a_client_that_keeps_alive_has_no_cause(pair):
    near, far = pair
    with origin(far) as port:
        with Watching(near) as watching, Watching(far) as there:
            with client(near, KEEPS_ALIVE, (far.address, port), 500) as child:
                assert child.stdout.readline() == "done\n"
                for _ in range(3):
                    watching.next_look()
                    there.next_look()
            watching.until_total(1)
            there.until_total(1)
            assert found(watching) == found(there) == []


def test_calls_given_up_are_told_with_their_time(pair):
    near, far = pair
    with origin(far, "--latency", "20s") as port:
        with Watching(near) as watching:
            with client(near, GIVES_UP, (far.address, port), 6):
                cause = until_found(watching, "given-up")
            told = re.search(r"after about (\d+)", cause["text"])
            assert 280 <= int(told[1]) <= 450, cause["text"]
            assert found(watching) == ["given-up"]


def test_callers_that_leave_are_told_where_they_called(pair):
    """By a server that writes its answer all the same, and is reset for it."""
    p = Pair(pair)
    with Watching(p.server) as watching:
        held = [p.connect() for _ in range(8)]
        for c, s in held:
            c.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert s.recv(100)
        wait(0.3)
        for c, _ in held:
            c.close()
        wait(0.3)
        for _, s in held:
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            with pytest.raises(ConnectionError):
                s.sendall(b"x")
                s.recv(1)
                s.sendall(b"x")
            s.close()
        cause = until_found(watching, "callers-give-up")
        assert (cause["side"], cause["count"]) == ("in", 8)
        assert "left by the caller without an answer after about" in cause["text"]


def test_what_a_program_leaves_unread_as_it_ends_is_no_manner(pair):
    near, far = pair
    asks = ("import socket, sys\n"
            "held = [socket.create_connection(sys.argv[1:3]) for _ in range(8)]\n"
            "for c in held: c.sendall(b'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')\n"
            "for c in held: c.recv(1)\n"
            "print('done', flush=True)\n"
            "sys.stdin.read()\n")
    with origin(far, "--body", "1kB") as port:
        with Watching(near) as watching:
            with client(near, asks, (far.address, port), 8) as child:
                assert child.stdout.readline() == "done\n"
                eventually(lambda: watching.next_look() or
                           [w["established_out"] for w in watching.last["processes"]] == [8])
            watching.until({("out", "reset", "unread-data"): 8})
            child.wait()
            for _ in range(4):
                watching.next_look()
            assert found(watching) == []


def test_a_full_server_is_told_at_both_ends(pair):
    near, far = pair
    with origin(far, "--limit", "1", "--full", "fasthttp") as port:
        with Watching(near) as watching, Watching(far) as there:
            with client(near, HOLDS_ONE_AND_ASKS, (far.address, port), 40):
                here = until_found(watching, "refused")
                cause = until_found(there, "refuses-callers")
            watching.until_total(41)
            assert here["level"] == "critical"
            if os.geteuid() == 0:
                said, = watching.last["words"]
                assert (said["at"], said["status"], said["text"], said["refusal"]) == (
                    f"{far.address}:{port}", 503, here["says"], "fasthttp")
                assert here["says"] == ("The connection cannot be served because "
                                        "Server.Concurrency limit exceeded")
                assert 35 <= said["count"] <= 40
                assert there.last["words"][0]["text"] == said["text"]
            assert found(watching)[0] == "refused"
            assert cause["side"] == "in" and "limit" in cause["cures"][0]["text"]


def test_who_fills_a_server_is_not_who_is_refused(pair):
    """The one's connections stay; the other's are gone before a look, and are not the one's."""
    near, far = pair
    holds = ("import http.client, sys\n"
             "held = [http.client.HTTPConnection(*sys.argv[1:3]) for _ in range(8)]\n"
             "for c in held: c.request('GET', '/'); c.getresponse().read()\n"
             "print('done', flush=True)\n"
             "sys.stdin.read()\n")
    with origin(far, "--limit", "8", "--full", "fasthttp") as port:
        watching = Watching(near)
        try:
            with client(near, holds, (far.address, port), 8) as child:
                assert child.stdout.readline() == "done\n"
                for _ in range(10):
                    near.run("curl", "-s", f"http://{far.address}:{port}/")
                cause = until_found(watching, "refused")
                assert cause["count"] == 10 or watching.until_total(10)
                for p in watching.last["diagnosis"][0]["programs"]:
                    assert p["seen_to_end"] == (p["program"] == "curl")
                assert [c["runtime"] for c in cause["cures"]] == [None]
        finally:
            assert watching.stop() == 0


def test_a_probe_that_leaves_the_greeting_unread_was_not_refused(pair):
    p = Pair(pair)
    with Watching(p.client) as watching:
        for _ in range(8):
            c, s = p.connect()
            s.sendall(b"220 mail.example ready\r\n")
            eventually(lambda c=c: c.recv(100, socket.MSG_PEEK))
            c.close()
            with pytest.raises(ConnectionResetError):
                s.recv(1)
            s.close()
        cause = until_found(watching, "greeting-unread")
        assert cause["level"] == "note"
        watching.until_total(8)
        assert found(watching) == ["greeting-unread"]


def test_one_long_exchange_is_no_second_use(pair):
    p = Pair(pair)

    def read(s, n):
        while n:
            n -= len(s.recv(n))

    with Watching(p.client) as watching:
        for _ in range(8):
            c, s = p.connect()
            for first, second in ((c, s), (s, c)):
                first.sendall(b"x" * 20000)
                read(second, 20000)
            close_in_order(c, s)
        cause = until_found(watching, "closed-after-answer")
        assert "one in pieces" in cause["text"]
        watching.until_total(8)
        assert found(watching) == ["closed-after-answer"]


def test_what_is_not_to_be_read_is_not(pair):
    p = Pair(pair)
    child = subprocess.Popen(
        [WEIR, "watch", "--json", "--for", "400ms", "--no-words", "--netns", str(p.client.pid)],
        stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        c, s = p.connect()
        s.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno")
        assert c.recv(100)
        close_in_order(s, c)
    out, _ = child.communicate(timeout=30)
    assert json.loads(out)["words"] is None


def test_words_over_loopback_and_ipv6_are_heard_once(pair):
    if os.geteuid() != 0:
        pytest.skip("takes CAP_NET_RAW")
    _, host = pair
    with Watching(host) as watching:
        for family, at in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            listener = host.listen(at, family)
            c = host.new_socket(family)
            c.connect(listener.getsockname()[:2])
            s = host.accept(listener)
            s.sendall(b"HTTP/1.1 429 Slow\r\nContent-Length: 4\r\n\r\nwait")
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
            assert c.recv(100)
        eventually(lambda: (watching.next_look(), len(watching.last["words"]) == 2)[1])
        assert [(w["status"], w["text"], w["count"]) for w in watching.last["words"]] == [
            (429, "wait", 1)] * 2


def behind_a_bridge(host):
    """All that comes to the host goes by on two devices."""
    if subprocess.run(host.command("ip", "link", "add", "br0", "type", "bridge"),
                      capture_output=True, check=False).returncode:
        pytest.skip("no bridges here")
    host.run("ip", "addr", "flush", "dev", "to1")
    host.run("ip", "link", "set", "to1", "master", "br0")
    host.run("ip", "addr", "add", f"{host.address}/24", "dev", "br0")
    host.run("ip", "link", "set", "br0", "up")


def test_words_that_go_by_on_two_devices_are_heard_once(pair):
    if os.geteuid() != 0:
        pytest.skip("takes CAP_NET_RAW")
    behind_a_bridge(pair[0])
    p = Pair(pair)
    with Watching(p.client) as watching:
        c, s = p.connect()
        for _ in range(3):
            c.sendall(b"x")
            assert s.recv(1) == b"x"
            s.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nfull")
            assert c.recv(100)
        eventually(lambda: (watching.next_look(), watching.last["words"])[1])
        watching.next_look()
        assert [(w["text"], w["count"]) for w in watching.last["words"]] == [("full", 3)]


def test_words_there_was_no_room_for_are_said_to_be_lost(pair):
    if os.geteuid() != 0:
        pytest.skip("takes CAP_NET_RAW")
    p = Pair(pair)
    with Watching(p.client) as watching:
        c, s = p.connect()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with watching.halted():
            sent = 0
            words = b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nfull"
            while sent < 30000:
                for _ in range(10):  # as many as go without waiting, so that each is a segment
                    s.sendall(words)
                got = 0
                while got < 10 * len(words):
                    got += len(c.recv(10 * len(words) - got))
                sent += 10
        eventually(lambda: (watching.next_look(), watching.last["words"])[1])
        eventually(lambda: (watching.next_look(), watching.last["words_lost"])[1])
        said, = watching.last["words"]
        assert said["text"] == "full"
        assert said["count"] < sent


def test_idle_connections_the_server_reaps(pair):
    p = Pair(pair)
    with Watching(p.client) as watching:
        held = [p.exchange() for _ in range(12)]
        began = time.monotonic()
        eventually(lambda: time.monotonic() - began > 0.4)
        for c, s in held:
            close_in_order(s, c)
        cause = until_found(watching, "server-reaps-idle")
        assert "while idle, noticed after about" in cause["text"]
        assert cause["level"] == "note"


def test_connects_that_fail_are_counted(pair):
    near, far = pair
    with Watching(near) as watching:
        for _ in range(7):
            nobody = near.new_socket()
            with pytest.raises(ConnectionRefusedError):
                nobody.connect((far.address, 1))
            nobody.close()
        told = set()
        eventually(lambda: (watching.next_look(), told.update(
            w["text"] for w in watching.last["warnings"] if w["id"] == "connects-failed"))
            and told)
        assert any("failed in this interval" in text for text in told)
        cause = until_found(watching, "connects-refused")
        assert (cause["at"], cause["count"], cause["of"]) == (f"{far.address}:1", 7, 7)
        place, = watching.last["closes"]["places"]
        assert (place["total"], place["connects_refused"]) == (0, 7)
        assert watching.last["closes"]["since_start"] == []


@contextmanager
def staying(host, *more):
    """`weir watch --for 1h --json` that has begun; what it told, once it was stopped."""
    child = subprocess.Popen(
        [WEIR, "watch", "--netns", str(host.pid), "--for", "1h", "--every", "100ms", "--json", *more],
        stdout=subprocess.PIPE, text=True)
    report = {"of": child}
    # it takes signals, now
    eventually(lambda: "SigBlk:\t0000000000004003" in status_of(child))
    try:
        yield report
    finally:
        child.send_signal(signal.SIGINT)
        child.send_signal(signal.SIGCONT)
        out, _ = child.communicate(timeout=30)
    assert child.returncode == 0
    report.update(json.loads(out))


def wait(seconds):
    until = time.monotonic() + seconds
    eventually(lambda: time.monotonic() > until)


def test_what_the_counters_say_of_a_while_is_of_all_of_it(pair):
    near, far = pair
    with staying(near) as report:
        until = time.monotonic() + 1
        while time.monotonic() < until:            # the first look is among these
            with pytest.raises(ConnectionRefusedError), near.new_socket() as nobody:
                nobody.connect((far.address, 1))
        wait(0.5)                                  # several looks, of which none sees any
    said, = [w["text"] for w in report["warnings"] if w["id"] == "connects-failed"]
    assert int(said.split()[0].replace(",", "")) >= 5


def test_the_last_words_and_deaths_are_in_the_report(pair):
    """What came just before the signal is read before the end is told; a status line whose answer
    does not go on is one of its reason."""
    p = Pair(pair)
    with staying(p.client) as report:
        wait(0.5)
        halt(report["of"])   # it will see all of this, and the signal, at once
        for _ in range(50):
            c, s = p.exchange()
            close_in_order(c, s)
        c, s = p.connect()
        s.sendall(b"HTTP/1.1 503 Full up\r\n")
        assert c.recv(100)
        wait(0.5)                                  # the kernel tells of deaths from a work queue
    assert report["closes"]["unseen_local"] == 0
    assert sum(r["count"] for r in report["closes"]["since_start"]) == 50
    if os.geteuid() == 0:
        assert [(w["status"], w["text"], w["count"]) for w in report["words"]] == [
            (503, "Full up", 1)]


def test_for_a_while_is_one_report(pair):
    p = Pair(pair)
    for argv in (["--for", "300ms", "--every", "100ms", "--json"], ["--for", "300ms"]):
        child = subprocess.Popen(
            [WEIR, "watch", "--netns", str(p.client.pid), *argv], stdout=subprocess.PIPE, text=True)
        out, _ = child.communicate(timeout=30)
        assert child.returncode == 0
        if "--json" in argv:
            report = json.loads(out)
            assert report["diagnosis"] == [] and report["closes"]["since_start_ms"] >= 300
        else:
            assert out.count("sockets of network namespace") == 1
    with staying(p.client) as report:              # it ends early with what it has seen
        pass
    assert report["schema"] == "weir.watch/1"


def test_who_stays_keeps_no_right_but_to_look(pair):
    near, far = pair
    other = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    with origin(far) as port:
        with Watching(near) as watching:
            status = dict(line.split(":\t", 1) for line in
                          status_of(watching.child).splitlines()
                          if ":\t" in line)
            look = 1 << 19 | 1 << 2  # CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH
            for held in ("CapEff", "CapPrm", "CapInh"):
                assert int(status[held], 16) & ~look == 0
            assert status["NoNewPrivs"] == "1"
            # and sees whose they are all the same, of other users too
            with client(near, KEEPS_ALIVE, (far.address, port), 1, *other) as child:
                assert child.stdout.readline() == "done\n"
                eventually(lambda: (watching.next_look(), watching.last["processes"])[1])
                process, = watching.last["processes"]
                assert process["program"].startswith("python3")


def test_one_look_makes_no_diagnosis(pair):
    client_host, _ = pair
    report = client_host.watch()
    assert report["diagnosis"] is None
    assert report["closes"] is None
