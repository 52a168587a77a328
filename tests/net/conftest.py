"""Hosts for the tests that cross a network: namespaces joined by veth, held by a process of their
own and gone with it, never named under /run/netns."""

import ctypes
import json
import os
import shutil
import socket
import subprocess
from contextlib import contextmanager

import pytest

from verbs import WEIR, eventually

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def cannot_make_namespaces():
    """Why not, or None."""
    for tool in ("unshare", "nsenter", "ip", "ss"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    done = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True,
                          check=False)
    return f"no right to make network namespaces: {done.stderr.strip()}" \
        if done.returncode else None


class Host:
    """A network namespace. Sockets are made in it by this very process, so that a test can close
    them in any order."""

    def __init__(self):
        # ends when its stdin does: with close(), or with this process
        self.holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL)
        self.pid = self.holder.pid
        home = os.stat("/proc/self/ns/net").st_ino
        eventually(lambda: os.stat(f"/proc/{self.pid}/ns/net").st_ino != home)
        self.run("ip", "link", "set", "lo", "up")
        self.sockets = []
        self.address = None

    def close(self):
        for s in self.sockets:
            s.close()
        self.holder.stdin.close()
        self.holder.wait()

    def command(self, *argv):
        return ["nsenter", "-t", str(self.pid), "-n", *argv]

    def run(self, *argv):
        return subprocess.run(self.command(*argv), check=True, capture_output=True, text=True,
                              timeout=60).stdout

    def sysctl(self, name, value):
        path = "/proc/sys/net/" + name.replace(".", "/")
        self.run("sh", "-c", f"echo '{value}' > {path}")

    @contextmanager
    def inside(self):
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            assert LIBC.setns(there, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            yield
        finally:
            assert LIBC.setns(home, CLONE_NEWNET) == 0
            os.close(there)
            os.close(home)

    def new_socket(self, family=socket.AF_INET):
        with self.inside():
            s = socket.socket(family)
        s.settimeout(10)
        self.sockets.append(s)
        return s

    def listen(self, address="", family=socket.AF_INET, backlog=512):
        """A listening socket on a port the kernel chose."""
        s = self.new_socket(family)
        s.bind((address, 0))
        s.listen(backlog)
        return s

    def accept(self, listener):
        s, _ = listener.accept()
        s.settimeout(10)
        self.sockets.append(s)
        return s

    def states(self):
        """What `ss` counts: {state: how many}, listeners left out."""
        by = {}
        for line in self.run("ss", "-Htan").splitlines():
            state = line.split()[0]
            if state != "LISTEN":
                by[state] = by.get(state, 0) + 1
        return by

    def watch(self, *more):
        """`weir watch --once --json` on this host."""
        done = subprocess.run([WEIR, "watch", "--once", "--json", "--netns", str(self.pid), *more],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return json.loads(done.stdout)


def join(a, b, number=1):
    """Hosts a and b become 10.77.N.1 and 10.77.N.2, fd77:N::1 and fd77:N::2."""
    a.run("ip", "link", "add", f"to{number}", "type", "veth", "peer", "name", f"to{number}",
          "netns", f"/proc/{b.pid}/ns/net")
    for host, last in ((a, 1), (b, 2)):
        host.address = f"10.77.{number}.{last}"
        host.address6 = f"fd77:{number}::{last}"
        host.run("ip", "addr", "add", f"{host.address}/24", "dev", f"to{number}")
        host.run("ip", "addr", "add", f"{host.address6}/64", "dev", f"to{number}", "nodad")
        host.run("ip", "link", "set", f"to{number}", "up")
    # a link needs a moment to pass packets
    eventually(lambda: "state UP" in a.run("ip", "link", "show", f"to{number}"))


@pytest.fixture
def own_loopback():
    """For tests that leave tens of thousands of sockets in TIME_WAIT: where others look for a free
    port meanwhile there would be none. Without the right to namespaces they share it all the same."""
    if cannot_make_namespaces():
        yield
        return
    host = Host()
    try:
        with host.inside():
            yield
    finally:
        host.close()


@pytest.fixture
def pair():
    """A client's host and a server's, joined by one link."""
    why = cannot_make_namespaces()
    if why:
        pytest.skip(why)
    client, server = Host(), Host()
    try:
        join(client, server)
        yield client, server
    finally:
        client.close()
        server.close()


@pytest.fixture(scope="session")
def weir():
    assert os.access(WEIR, os.X_OK), f"{WEIR} is not built: ./dev build, or name another by WEIR="
    return WEIR
