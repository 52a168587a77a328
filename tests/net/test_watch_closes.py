"""weir watch while it stays: every close is told, by whom and why."""

import errno
import select
import socket
import subprocess
import time

import pytest

from verbs import eventually
from watched import Pair, Watching, check_agrees_with_ss, close_in_order, reset, settle

pytestmark = pytest.mark.usefixtures("weir")


def close_before_goodbye(p):
    """What the server says after the client's close acknowledges that, and draws a reset."""
    c, s = p.exchange()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    c.close()
    assert s.recv(1) == b""
    s.sendall(b"goodbye")
    s.close()


def test_each_close_is_attributed_on_both_hosts(pair):
    p = Pair(pair)
    with Watching(p.client) as client, Watching(p.server) as server:
        for _ in range(5):
            close_in_order(*p.exchange())      # the client first
        for _ in range(3):
            c, s = p.exchange()
            close_in_order(s, c)               # the server first
        for _ in range(2):
            c, s = p.exchange()
            reset(c)                           # aborted
            with pytest.raises(ConnectionResetError):
                s.recv(1)
            s.close()
        for blocking in (True, False):         # never connected: no close of a connection
            nobody = p.client.new_socket()
            nobody.setblocking(blocking)
            refused = nobody.connect_ex((p.server.address, 1))
            if not blocking:
                assert refused == errno.EINPROGRESS
                select.select([], [nobody], [], 10)
                refused = nobody.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            assert refused == errno.ECONNREFUSED
            nobody.close()
        c, s = p.connect()                     # refused: answered, closed, request unread
        c.sendall(b"x" * 100)
        eventually(lambda: s.recv(1000, socket.MSG_PEEK))
        s.sendall(b"503" * 50)
        s.close()
        assert len(c.recv(1000)) == 150
        with pytest.raises(ConnectionResetError):
            c.recv(1)
        c.close()
        told = client.until({("out", "local-or-both", "after-answer"): 5,
                             ("out", "peer", "after-answer"): 3,
                             ("out", "reset", "abort"): 2,
                             ("out", "reset", "peer-reset"): 1})
        assert told["lost"] == told["unseen_local"] == 0
        told = server.until({("in", "peer", "after-answer"): 5,
                             ("in", "local-or-both", "after-answer"): 3,
                             ("in", "reset", "peer-reset"): 2,
                             ("in", "reset", "refused"): 1})
        assert told["lost"] == told["unseen_local"] == 0


def test_a_caller_that_leaves_by_reset_was_not_refused(pair):
    """The server has read the request and works on it; or it has answered, and nobody read that."""
    p = Pair(pair)
    with Watching(p.client) as client, Watching(p.server) as server:
        c, s = p.connect()
        c.sendall(b"x" * 100)
        assert len(s.recv(1000)) == 100
        reset(c)
        with pytest.raises(ConnectionResetError):
            s.recv(1)
        s.close()
        c, s = p.connect()
        c.sendall(b"x" * 100)
        assert len(s.recv(1000)) == 100
        s.sendall(b"y" * 300)
        assert len(c.recv(1000, socket.MSG_PEEK)) == 300
        c.close()
        with pytest.raises(ConnectionResetError):
            s.recv(1)
        s.close()
        client.until({("out", "reset", "abort"): 1, ("out", "reset", "unread-data"): 1})
        server.until({("in", "reset", "peer-reset"): 2})


def test_data_that_comes_after_the_close_does_not_make_the_peer_first(pair):
    """TLS's goodbye does it, or an answer that was under way: it leaves as little behind as a peer
    that closed first."""
    p = Pair(pair)
    with Watching(p.client) as client:
        for _ in range(5):
            close_before_goodbye(p)
        client.until({("out", "local", "after-answer"): 5})
        for _ in range(3):
            c, s = p.exchange()
            close_in_order(s, c)
        client.until({("out", "local", "after-answer"): 5, ("out", "peer", "after-answer"): 3})


def test_what_the_kernel_counted_before_the_start_explains_no_close(pair):
    p = Pair(pair)
    for _ in range(10):
        c, s = p.exchange()
        reset(c)                               # counted as data that came late, too
        s.close()
    assert p.client.watch()["counters"]["abort_on_data"] == 10
    with Watching(p.client, every="1s") as client:
        for _ in range(3):                     # before the second look
            c, s = p.exchange()
            close_in_order(s, c)
        client.until_total(3)
        assert client.closes() == {("out", "peer", "after-answer"): 3}


def test_a_crowd_of_closes_is_judged_as_one(pair):
    """More records than one read takes have come before the count is looked at: what it says holds
    for the last of them as for the first."""
    p = Pair(pair)
    with Watching(p.client, every="1s") as client:
        with client.halted():
            for crowd in (600, 0):
                for _ in range(5):
                    close_before_goodbye(p)
                for _ in range(crowd):
                    c, s = p.exchange()
                    reset(c)
                    s.close()
        told = client.until_total(610)
        assert told["lost"] == 0
        assert client.closes() == {("out", "reset", "abort"): 600,
                                   ("out", "local", "after-answer"): 10}


def test_a_refusal_that_the_request_meets_late_is_one(pair):
    p = Pair(pair)
    with Watching(p.server) as server:
        c, s = p.connect()
        s.sendall(b"503" * 50)
        s.close()
        settle(p.client, {"CLOSE-WAIT": 1})
        c.sendall(b"x" * 100)
        server.until({("in", "local", "refused"): 1})


def test_idle_connections_of_a_program_that_ends_show_no_timeout(pair):
    client, server = pair
    listener = server.listen()
    program = ("import socket,sys\n"
               "held = [socket.create_connection(sys.argv[1:]) for _ in range(6)]\n"
               "for c in held: c.sendall(b'x')\n"
               "for c in held: c.recv(1)\n"
               "print('held', flush=True); sys.stdin.read()")
    child = subprocess.Popen(
        client.command("/usr/bin/python3", "-c", program, *map(str, (
            server.address, listener.getsockname()[1]))),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with Watching(client) as watching:
        try:
            accepted = [server.accept(listener) for _ in range(6)]
            for s in accepted:
                assert s.recv(1) == b"x"
                s.sendall(b"y")
            assert child.stdout.readline() == "held\n"
            until = time.monotonic() + 0.3         # idle, and seen by a look
            while (time.monotonic() < until
                   or [w["established_out"] for w in watching.last["processes"]] != [6]):
                watching.next_look()
            child.stdin.close()
            for s in accepted:
                assert s.recv(1) == b""
                s.close()
            watching.until({("out", "local-or-both", "idle"): 6})
            child.wait()
            watching.until_clusters([])
        finally:
            child.stdin.close()
            child.wait()
            child.stdout.close()


def test_a_timeout_shows_by_its_ages(pair):
    p = Pair(pair)
    with Watching(p.client) as client:
        asked = []
        for _ in range(10):
            c, s = p.connect()
            c.sendall(b"x" * 100)
            s.recv(1000)
            asked.append((time.monotonic(), c))
        for began, c in asked:                 # the program's own timeout: 400 ms
            select.select([], [], [], max(0.0, began + 0.4 - time.monotonic()))
            c.close()
        client.until({("out", "local", "no-answer"): 10})
        clusters = client.last["closes"]["clusters"]
        assert [(k["side"], k["why"], k["count"]) for k in clusters] == [("out", "no-answer", 10)]
        assert 390 <= clusters[0]["at_ms"] <= 500
        client.next_look()                     # the one that told may have been taken before
        assert client.last["sides"]["out"]["orphan_fin_wait2"] == 10


def test_both_at_once_while_it_stays(pair):
    _, host = pair
    listener = host.listen("127.0.0.1")
    c = host.new_socket()
    c.connect(listener.getsockname())
    s = host.accept(listener)
    with Watching(host) as watching:
        host.run("ip", "link", "set", "lo", "down")
        c.close()
        s.close()
        host.run("ip", "link", "set", "lo", "up")
        watching.until({("in", "both", "unused"): 1, ("out", "both", "unused"): 1})


def test_a_crowd_of_closes_is_counted_whole(pair):
    p = Pair(pair)
    with Watching(p.client) as watching:
        held = [p.exchange() for _ in range(1000)]
        for c, s in held:
            c.close()
            s.close()
        told = watching.until_total(1000)
        assert told["lost"] == told["unseen_local"] == 0
        # local: looked at before the server's FIN came
        assert {first for _, first, _ in watching.closes()} <= {"local", "local-or-both"}
        check_agrees_with_ss(p.client, p.client.watch())
