"""What servers, clients and kernels do to a proxy, on real sockets: each fault costs the request it
hits, at most, and nothing stays behind."""

import os
import random
import re
import resource
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections import Counter

import pytest

from conftest import Host, cannot_make_namespaces
from rawhttp import Client, Scripted
from verbs import PATIENCE, ROOT, WEIR, Verb, eventually, gauges_at_zero

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def get(port, target=b"/"):
    """The whole answer to one GET on a connection of its own, broken or not."""
    with Client(port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") % target) as c:
        c.to_end()
        return c


def is_sanitized():
    with open(WEIR, "rb") as f:
        return b"__asan_init" in f.read()


# ---- the server closes idle connections --------------------------------------------------

class Held(dict):
    """A dict that can be in a set."""
    __hash__ = object.__hash__
    __eq__ = object.__eq__


class Closer(threading.Thread):
    """A server that closes each connection 0 to 3 ms after an answer, if nothing has come by then.
    `fin`: it says FIN, reads on for a moment and writes down the requests that came too late, which
    it never answers; else it just closes."""

    def __init__(self, fin):
        super().__init__()
        self.fin, self.stop = fin, False
        self.answered, self.late = Counter(), Counter()
        self.random = random.Random(7)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.chosen = selectors.DefaultSelector()
        self.chosen.register(self.listener, selectors.EVENT_READ, None)
        self.conns = set()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        self.join()
        for conn in self.conns:
            conn["sock"].close()
        self.listener.close()

    def run(self):
        while not self.stop:
            for key, _ in self.chosen.select(0.001):
                if key.data is None:
                    sock, _ = self.listener.accept()
                    sock.setblocking(False)
                    conn = Held(sock=sock, data=b"", close_at=None, said_fin=False)
                    self.conns.add(conn)
                    self.chosen.register(sock, selectors.EVENT_READ, conn)
                else:
                    self.read(key.data)
            now = time.monotonic()
            for conn in [c for c in self.conns if c["close_at"] and c["close_at"] <= now]:
                self.close(conn)

    def close(self, conn):
        if self.fin and not conn["said_fin"]:
            conn["said_fin"] = True
            conn["close_at"] = time.monotonic() + 0.2
            try:
                conn["sock"].shutdown(socket.SHUT_WR)
                return
            except OSError:
                pass
        self.chosen.unregister(conn["sock"])
        conn["sock"].close()
        self.conns.remove(conn)

    def read(self, conn):
        try:
            data = conn["sock"].recv(65536)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            conn["said_fin"] = True
            self.close(conn)
            return
        conn["data"] += data
        if conn["said_fin"]:
            self.late.update(re.findall(rb"id=(\d+)", data))
            return
        conn["close_at"] = None
        head, end, rest = conn["data"].partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        if not end or length and len(rest) < int(length[1]):
            return
        conn["data"] = b""
        self.answered[re.search(rb"id=(\d+)", head)[1]] += 1
        conn["sock"].sendall(OK)
        conn["close_at"] = time.monotonic() + self.random.uniform(0, 0.003)


class Caller(threading.Thread):
    """Keep-alive requests one after another, each by its own number; what became of them."""

    def __init__(self, port, numbers, post):
        super().__init__()
        self.port, self.numbers, self.post = port, numbers, post
        self.status = {}

    def request(self, number):
        if self.post:
            return (b"POST /?id=%d HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" % number)
        return GET % b"/?id=%d" % number

    def run(self):
        client = Client(self.port)
        for number in self.numbers:
            client.got = b""
            client.send(self.request(number))
            self.status[number] = client.answer().status
            if b"Connection: close" in client.got:
                client.sock.close()
                client = Client(self.port)
        client.sock.close()


@pytest.mark.parametrize("fin", [False, True], ids=["close", "fin-then-read"])
def test_server_that_closes_its_idle_connections(fin, tmp_path):
    with Closer(fin) as server, \
            Verb("proxy", tmp_path, "--upstream", f"http://127.0.0.1:{server.port}") as p:
        gets = [Caller(p.port, range(at, 3500, 7), False) for at in range(7)]
        posts = [Caller(p.port, range(10_000 + at, 10_700, 2), True) for at in range(2)]
        for c in gets + posts:
            c.start()
        for c in gets + posts:
            c.join()
        got = Counter(s for c in gets for s in c.status.values())
        assert got == {200: 3500}
        posted = {n: s for c in posts for n, s in c.status.items()}
        assert len(posted) == 700
        for number, status in posted.items():
            key = b"%d" % number
            assert status in (200, 502)
            assert server.answered[key] + server.late[key] <= 1, "a POST was sent twice"
            assert (status == 200) == (server.answered[key] == 1)
            if fin and status != 200:
                assert server.late[key] == 1, "a POST failed of which nothing was sent"
        assert sum(s != 200 for s in posted.values()) <= 70
        assert p.status()["calls"]["replayed"] > 0, "the fault did not happen"
        eventually(lambda: gauges_at_zero(p))


# ---- servers that misbehave --------------------------------------------------------------

def ends(how):
    """A script: reads the request, says something, ends it in some manner."""
    def decorate(say):
        def script(peer, _):
            while peer.request() is not None:
                for piece in say():
                    if isinstance(piece, bytes):
                        peer.send(piece)
                    else:
                        time.sleep(piece)
                if how == "reset":
                    return peer.reset()
                if how == "close":
                    return None
                if how == "half":
                    peer.sock.shutdown(socket.SHUT_WR)
                if how in ("stall", "half"):
                    peer.wait_end()
                    return None
            return None
        return script
    return decorate


def endless():
    yield b"HTTP/1.1 200 OK\r\n"
    for i in range(3000):
        yield b"X-%d: %s\r\n" % (i, b"y" * 50)


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
HALF_CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
BROKEN = "broken"  # the answer began, and its caller must see that it did not end
SERVERS = {
    "resets-at-once": (ends("reset")(lambda: []), 502),
    "closes-at-once": (ends("close")(lambda: []), 502),
    "half-closes-at-once": (ends("half")(lambda: []), 502),
    "stalls": (ends("stall")(lambda: []), 504),
    "stalls-in-the-head": (ends("stall")(lambda: [b"HTTP/1.1 200 OK\r\nCont"]), 504),
    "closes-in-the-head": (ends("close")(lambda: [b"HTTP/1.1 200 OK\r\nCont"]), 502),
    "resets-in-the-head": (ends("reset")(lambda: [b"HTTP/1.1 200 OK\r\nCont"]), 502),
    "stalls-in-the-body": (ends("stall")(lambda: [HALF]), BROKEN),
    "closes-in-the-body": (ends("close")(lambda: [HALF]), BROKEN),
    "half-closes-in-the-body": (ends("half")(lambda: [HALF]), BROKEN),
    "resets-in-the-body": (ends("reset")(lambda: [HALF]), BROKEN),
    "stalls-in-a-chunk": (ends("stall")(lambda: [HALF_CHUNK]), BROKEN),
    "closes-between-chunks": (ends("close")(lambda: [HALF_CHUNK]), BROKEN),
    "half-closes-after-a-whole-answer": (ends("half")(lambda: [OK]), 200),
    "trickles": (ends("next")(lambda: (x for b in OK for x in (bytes([b]), 0.002))), 200),
    "garbage": (ends("stall")(lambda: [bytes(range(256)) * 8]), 502),
    "speaks-tls": (ends("stall")(lambda: [b"\x15\x03\x01\x00\x02\x02\x28"]), 502),
    "endless-head": (ends("stall")(endless), 502),
    "endless-status-line": (ends("stall")(lambda: [b"HTTP/1.1 200 " + b"x" * 100_000]), 502),
    "more-than-it-said": (ends("stall")(lambda: [OK + b"HTTP/1.1 200 OK\r\n" * 9]), 200),
}


@pytest.mark.parametrize("name", SERVERS)
def test_server_that_misbehaves(name, tmp_path):
    script, expected = SERVERS[name]
    with Scripted(script) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url, "--first-byte-timeout", "400ms",
                 "--idle-timeout", "400ms", "--drain-for", "200ms", "--ghost-for", "50ms") as p:
        for _ in range(3):
            c = get(p.port)
            if expected == BROKEN:
                assert c.how == "reset" and c.got.startswith(b"HTTP/1.1 200 OK\r\n")
            else:
                assert c.how == "eof"
                assert c.answer().status == expected, c.got
        eventually(lambda: gauges_at_zero(p))
        assert p.status()["exchanges"]["total"] == 3


# ---- out of descriptors, out of ports ----------------------------------------------------

def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_out_of_descriptors_at_accept(tmp_path):
    def script(peer, _):
        while peer.request() is not None:
            peer.send(OK)

    with Scripted(script) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url, "--limit", 1,
                 "--idle-for", "10m", "--queue-for", "20s") as p:
        assert get(p.port).answer().status == 200  # the one upstream connection stands
        pid = p.process.pid
        eventually(lambda: p.status()["sockets"]["client"] == 0)
        eventually(lambda: open_fds(pid) == (n := open_fds(pid)) and n)
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        room = 5
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_fds(pid) + room, hard))
        clients = [Client(p.port) for _ in range(30)]
        eventually(lambda: open_fds(pid) >= resource.prlimit(pid, resource.RLIMIT_NOFILE)[0])
        before, began = cpu_s(pid), time.monotonic()
        # what is measured is a span of time itself: how busy it is while nothing can be done
        threading.Event().wait(1.0)
        busy = (cpu_s(pid) - before) / (time.monotonic() - began)
        assert busy < 0.25, f"it spins: {busy:.0%} of a core"
        # nobody is dropped: as those who are in leave, the others come in and are served
        for c in clients:
            c.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") % b"/")
        for c in clients:
            assert c.answer().status == 200
            c.to_end()
            c.sock.close()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        assert get(p.port).answer().status == 200
        eventually(lambda: gauges_at_zero(p))


@pytest.fixture
def host():
    why = cannot_make_namespaces()
    if why:
        pytest.skip(why)
    h = Host()
    yield h
    h.close()


def test_out_of_ports(host, tmp_path):
    listener = host.listen("127.0.0.1")
    port = listener.getsockname()[1]
    # the listener's own is none of them, and of an odd number the kernel leaves one out
    host.sysctl("ipv4.ip_local_port_range", "20000 20003")
    listen = tmp_path / "proxy.sock"
    with Verb("proxy", tmp_path, "--upstream", f"http://127.0.0.1:{port}", "--limit", 50,
              "--connections", "close", listen=f"unix:{listen}",
              program=host.command(WEIR, "proxy")) as p:
        for _ in range(3):
            waiting = [Client(listen, GET % b"/w") for _ in range(4)]
            peers = [host.accept(listener) for _ in waiting]
            for _ in range(20):
                c = Client(listen, GET % b"/no")
                m = c.answer()
                assert (m.status, m.one(b"weir-reason")) == (503, b"no-ports")
                assert m.all(b"retry-after")
                c.sock.close()
            assert p.status()["slots"]["busy"] == 4
            for peer in peers:  # a reset leaves the port free at once
                assert b"GET /w " in peer.recv(65536)
                peer.sendall(OK)
            for c in waiting:
                assert c.answer().status == 200
                c.sock.close()
            for peer in peers:
                reset(peer)
            eventually(lambda: gauges_at_zero(p))
        s = p.status()
        assert s["reasons"] == {"no-ports": 60}
        assert s["calls"]["sent"] == 12
        assert s["slots"]["used"] == 0


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# ---- the kernel interrupts, and takes little at a time -----------------------------------

ECHO_BYTES = 300_000


def echo(peer, _):
    while (m := peer.request()) is not None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(m.body) + m.body)


def echo_once(port, number):
    """A body there and back; random, so that a byte lost or doubled shows."""
    body = random.Random(number).randbytes(ECHO_BYTES)
    with Client(port) as c:
        sender = threading.Thread(target=c.send, args=(
            b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            % len(body) + body,))
        sender.start()
        m = c.answer()
        sender.join()
        assert m.status == 200
        assert m.body == body


INJECTED = {
    "eintr-reads": "recvfrom,recvmsg,read,readv:error=EINTR:when=2+3",
    "eintr-writes": "sendto,sendmsg,write,writev:error=EINTR:when=2+3",
    "eagain-reads": "recvfrom,recvmsg:error=EAGAIN:when=2+3",
    "eagain-writes": "sendto,sendmsg:error=EAGAIN:when=2+3",
    "eintr-accept": "accept4:error=EINTR:when=1+2",
    "eagain-accept": "accept4:error=EAGAIN:when=1+2",
    "aborted-accept": "accept4:error=ECONNABORTED:when=1+2",
    "emfile-accept": "accept4:error=EMFILE:when=1+2",
    "eintr-epoll": "epoll_wait,epoll_pwait:error=EINTR:when=2+5",
}


def cannot_strace():
    if not shutil.which("strace"):
        return "strace is not installed"
    done = subprocess.run(["strace", "-e", "inject=getppid:error=EINTR", "true"],
                          capture_output=True, text=True, check=False)
    return f"strace may not trace here: {done.stderr.strip()[:200]}" if done.returncode else None


@pytest.mark.parametrize("name", INJECTED)
def test_interrupted_system_calls(name, tmp_path):
    why = cannot_strace()
    if why:
        pytest.skip(why)
    log = tmp_path / "strace"
    with Scripted(echo) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url) as p:
        tracer = subprocess.Popen(
            ["strace", "-f", "-p", str(p.process.pid), "-o", log,
             "-e", f"inject={INJECTED[name]}"], stderr=subprocess.PIPE)
        try:
            assert b"attached" in tracer.stderr.readline()
            for number in range(5):
                echo_once(p.port, number)
            eventually(lambda: gauges_at_zero(p))
        finally:
            tracer.send_signal(signal.SIGINT)  # it detaches
            tracer.communicate(timeout=PATIENCE)
    assert "(INJECTED)" in log.read_text(errors="replace"), "the fault did not happen"


def preload(folder, source):
    """What makes a program run with these functions in place of the C library's."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler or is_sanitized():
        pytest.skip("no C compiler" if not compiler else "the sanitizer wants to be loaded first")
    (folder / "shim.c").write_text(source)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", folder / "shim.so",
                    folder / "shim.c", "-ldl"], check=True)
    return ["env", f"LD_PRELOAD={folder / 'shim.so'}"]


SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Every write to a socket takes at most so many bytes: 1, 2, ... 1461, and from the start again. */
static size_t next_take(void)
{
	static size_t n;
	n = n % 1461 + 1 + n / 3;
	return n > 1461 ? n = 1 : n;
}

static int is_socket(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	static ssize_t (*real)(int, const void *, size_t, int);
	size_t take = next_take();
	if (!real)
		real = (ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
	for (size_t i = 0; i < m->msg_iovlen; i++)
		if (m->msg_iov[i].iov_len)
			return real(fd, m->msg_iov[i].iov_base,
				m->msg_iov[i].iov_len < take ? m->msg_iov[i].iov_len : take, flags);
	return 0;
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	static ssize_t (*real)(int, const void *, size_t, int);
	size_t take = next_take();
	if (!real)
		real = (ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
	return real(fd, buf, len < take ? len : take, flags);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	static ssize_t (*real)(int, const struct iovec *, int);
	struct msghdr m = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n };
	if (!real)
		real = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
	return is_socket(fd) ? sendmsg(fd, &m, MSG_NOSIGNAL) : real(fd, iov, n);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	static ssize_t (*real)(int, const void *, size_t);
	if (!real)
		real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
	return is_socket(fd) ? send(fd, buf, len, MSG_NOSIGNAL) : real(fd, buf, len);
}
"""


def test_short_writes(tmp_path):
    with Scripted(echo) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url,
                 program=[*preload(tmp_path, SHIM), WEIR, "proxy"]) as p:
        for number in range(5):
            echo_once(p.port, number)
        eventually(lambda: gauges_at_zero(p))


def test_tiny_socket_buffers(host, tmp_path):
    host.sysctl("ipv4.tcp_wmem", "4096 4096 4096")
    host.sysctl("ipv4.tcp_rmem", "4096 4096 4096")
    with host.inside():
        server = Scripted(echo)
    try:
        with Verb("proxy", tmp_path, "--upstream", server.url,
                  program=host.command(WEIR, "proxy")) as p:
            for number in range(3):
                with host.inside():
                    echo_once(p.port, number)
            eventually(lambda: gauges_at_zero(p))
    finally:
        with host.inside():
            server.__exit__(None, None, None)


# ---- connections killed from outside -----------------------------------------------------

def kill_sockets(*where):
    done = subprocess.run(["ss", "-HKtn", *where], capture_output=True, text=True, check=False)
    return len(done.stdout.splitlines())


def holding(release):
    """A server's script: /hold is answered once that is released, all else at once."""
    def script(peer, _):
        while (m := peer.request()) is not None:
            if m.target == b"/hold":
                release.wait(PATIENCE)
            peer.send(OK)
    return script


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_connections_killed_by_the_administrator(tmp_path, method):
    """One request is affected, and its slot comes back: a GET is sent once more, a POST, on
    which the server may have acted, is not."""
    again = method == b"GET"
    request = method + b" /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    release = threading.Event()
    with Scripted(holding(release)) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url, "--limit", 3) as p:
        holds = [Client(p.port, request) for _ in range(3)]
        eventually(lambda: p.status()["slots"]["busy"] == 3)
        rows = subprocess.run(["ss", "-Htn", f"dport = :{server.port}"], capture_output=True,
                              text=True, check=True).stdout.splitlines()
        local = rows[0].split()[3].rsplit(":", 1)[1]
        if not kill_sockets(f"sport = :{local}", "and", f"dport = :{server.port}"):
            release.set()
            pytest.skip("this kernel cannot destroy sockets (CONFIG_INET_DIAG_DESTROY)")
        if again:
            eventually(lambda: p.status()["calls"]["retried"] == 1)
            eventually(lambda: p.status()["slots"]["busy"] == 3)
        else:
            eventually(lambda: p.status()["answers"].get("502") == 1)
            eventually(lambda: p.status()["slots"]["used"] == 2)
            assert get(p.port).answer().status == 200
        # a client's connection: its exchange ends, the others do not
        mine = next(c for c in holds if not answered(c))
        kill_sockets(f"sport = :{mine.sock.getsockname()[1]}", "and", f"dport = :{p.port}")
        eventually(lambda: p.status()["exchanges"]["now"] == 1 + again)
        release.set()
        got = sorted(c.answer().status for c in holds if c is not mine)
        assert got == [200, 200 if again else 502]
        assert p.status()["calls"]["retried"] == again
        for c in holds:
            c.sock.close()
        eventually(lambda: gauges_at_zero(p))


def answered(c):
    c.sock.setblocking(False)
    try:
        return bool(c.sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        c.sock.settimeout(PATIENCE)


# ---- clocks ------------------------------------------------------------------------------

JUMPS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

/* The time of day is another year's each time it is asked for, and goes back every other time. */
static time_t jump(time_t t)
{
	static int n;
	n++;
	return t + (n & 1 ? -1 : 1) * (time_t)(n % 9) * 365 * 86400;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	int r = real(id, ts);
	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		ts->tv_sec = jump(ts->tv_sec);
	return r;
}

time_t time(time_t *out)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

int gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec ts;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
"""


def test_a_time_of_day_that_jumps(tmp_path):
    """Deadlines, pools and queues do not see it."""
    release = threading.Event()
    log = tmp_path / "log"
    with Scripted(holding(release)) as server, \
            Verb("proxy", tmp_path, "--upstream", server.url, "--access-log", log,
                 "--timeout", "2s", "--limit", 2,
                 program=[*preload(tmp_path, JUMPS), WEIR, "proxy"]) as p:
        years = set()
        with Client(p.port) as c:
            for _ in range(60):
                c.got = b""
                m = c.send(GET % b"/").answer()
                assert m.status == 200
                years.add(m.one(b"date").split()[3])
            c.got = b""
            before = time.monotonic()
            assert c.send(GET % b"/hold").answer().status == 504
            assert time.monotonic() - before >= 1.9
            release.set()
        assert p.status()["connects"] <= 2
        eventually(lambda: gauges_at_zero(p))
    said = {line.split('"time":"')[1][:4] for line in log.read_text().splitlines()}
    assert len(years | {y.encode() for y in said}) > 1, "the clock did not jump"


WALL = re.compile(r"CLOCK_REALTIME|\bgettimeofday\s*\(|[^\w.>]time\s*\(\s*(?:NULL|0|&)|"
                  r"\btimespec_get\s*\(|uv_gettimeofday|uv_clock_gettime")
WALL_ALLOWED = {
    "src/io/uv/loop.c": "io_wall_s: the Date field",
    "src/obs/accesslog.c": "the time of day in its lines",
    "src/lab/run.c": "when a run began",
    "src/lab/session.c": "when a report was made",
    "src/load/run.c": "when a run began",
    "src/proxy/plan.c": "a seed, where the kernel has no random bytes yet",
    "src/watch/watch.c": "the time of day in its reports",
}


def test_the_wall_clock_decides_nothing():
    """A clock that jumps has no effect: nothing but what shows, or is told, the time of day
    reads it."""
    found = {}
    for path in sorted((ROOT / "src").rglob("*.[ch]")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if WALL.search(line):
                found.setdefault(str(path.relative_to(ROOT)), []).append(f"{number}: {line}")
    assert {k: v for k, v in found.items() if k not in WALL_ALLOWED} == {}
    users = subprocess.run(["grep", "-rlE", r"\bio_wall_s\s*\(", str(ROOT / "src")],
                           capture_output=True, text=True, check=True).stdout.split()
    users = {os.path.relpath(u, ROOT) for u in users} - {
        "src/io/loop.h", "src/io/uv/loop.c", "src/io/sim/host.c"}
    # a server that asks for time may name a date, in an answer that has no Date of its own;
    # what it asks for is bounded
    assert users <= {"src/http/worker.c", "src/http/hold.c", "src/admin/alert.c"}
