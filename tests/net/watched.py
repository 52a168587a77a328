"""Connections whose states and closes a test knows, and a `weir watch` that stays to see them."""

import json
import signal
import socket
import struct
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from verbs import WEIR, eventually

SS_NAMES = {"ESTAB": "ESTABLISHED", "TIME-WAIT": "TIME_WAIT", "FIN-WAIT-1": "FIN_WAIT1",
            "FIN-WAIT-2": "FIN_WAIT2", "CLOSE-WAIT": "CLOSE_WAIT", "LAST-ACK": "LAST_ACK",
            "CLOSING": "CLOSING", "SYN-SENT": "SYN_SENT", "SYN-RECV": "SYN_RECV"}


class Pair:
    """Connections from a client's host to a listener on a server's."""

    def __init__(self, pair, family=socket.AF_INET):
        self.client, self.server = pair
        self.family = family
        self.listener = self.server.listen(family=family)
        self.port = self.listener.getsockname()[1]
        self.address = (self.server.address if family == socket.AF_INET
                        else self.server.address6, self.port)

    def connect(self):
        c = self.client.new_socket(self.family)
        c.connect(self.address)
        return c, self.server.accept(self.listener)

    def exchange(self):
        c, s = self.connect()
        c.sendall(b"x" * 100)
        assert len(s.recv(1000)) == 100
        s.sendall(b"y" * 300)
        assert len(c.recv(1000)) == 300
        return c, s


def close_in_order(first, second):
    first.close()
    assert second.recv(1) == b""
    second.close()


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def settle(host, expected):
    """Waits until ss counts exactly these states on the host."""
    def so():
        return host.states() == expected
    so.__doc__ = f"{expected}, but {host.states()}"
    eventually(so)


def check_agrees_with_ss(host, report):
    by = {SS_NAMES[k]: v for k, v in host.states().items()}
    told = {s["state"]: s["total"] for s in report["states"] if s["total"]}
    assert told == by
    for row in report["states"]:
        assert row["in"] + row["out"] + row["unsure"] == row["total"]
        assert sum(row["closed_first"].values()) == row["total"]


def status_of(child):
    return Path(f"/proc/{child.pid}/status").read_text()


def halt(child):
    """It does nothing until SIGCONT: what happens meanwhile comes to it at once."""
    child.send_signal(signal.SIGSTOP)
    eventually(lambda: "State:\tT" in status_of(child))


class Watching:
    """A `weir watch --json` that stays on a host, and has looked once. As a context it ends well,
    with nothing to say on stderr."""

    def __init__(self, host, every="100ms"):
        self.child = subprocess.Popen(
            [WEIR, "watch", "--json", "--every", every, "--netns", str(host.pid)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.next_look()

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        assert self.stop() == 0 or failed

    @contextmanager
    def halted(self):
        halt(self.child)
        try:
            yield
        finally:
            self.child.send_signal(signal.SIGCONT)

    def next_look(self):
        self.last = json.loads(self.child.stdout.readline())

    def closes(self):
        rows = self.last["closes"]["since_start"]
        return {(r["side"], r["first"], r["why"]): r["count"] for r in rows}

    def until(self, expected):
        until = time.monotonic() + 10
        while self.closes() != expected:
            assert time.monotonic() < until, f"{self.closes()} is not {expected}"
            self.next_look()
        return self.last["closes"]

    def until_total(self, expected):
        until = time.monotonic() + 10
        while sum(self.closes().values()) != expected:
            assert time.monotonic() < until, f"{self.closes()} are not {expected}"
            self.next_look()
        return self.last["closes"]

    def until_clusters(self, expected):
        until = time.monotonic() + 10
        while self.last["closes"]["clusters"] != expected:
            assert time.monotonic() < until, f"{self.last['closes']['clusters']}"
            self.next_look()

    def stop(self):
        self.child.send_signal(signal.SIGINT)
        _, errors = self.child.communicate(timeout=10)
        assert errors == ""
        return self.child.returncode
