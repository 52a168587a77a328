"""What weir's connections to the API leave behind in the kernel, and what it does when local ports
run short: on hosts of their own, over a wire."""

import contextlib
import re
import ssl
import threading

import pytest

from pki import Authority
from rawhttp import Client
from verbs import WEIR, Verb, eventually, gauges_at_zero

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
RANGE = 100


def proxy(client, folder, url, *options):
    """On the client's host; clients come in by p.at, so that its TCP is all upstream."""
    at = folder / "proxy.sock"
    p = Verb("proxy", folder, "--upstream", url, *options, listen=f"unix:{at}",
             program=client.command(WEIR, "proxy"))
    p.at = at
    return p


def origin(server, folder, *options):
    o = Verb("origin", folder, *options, listen=f"{server.address}:0",
             program=server.command(WEIR, "origin"))
    o.url = "http://" + re.search(r"listening on (\S+:\d+)", o.line)[1]
    return o


def ask(p, target=b"/"):
    c = Client(p.at, GET % target)
    m = c.answer()
    c.sock.close()
    return m


class Closed:
    """The most TIME_WAIT and FIN_WAIT2 that a host has at any one look, while in the block."""

    def __init__(self, host):
        self.host, self.most, self.looks, self.stop = host, 0, 0, False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop:
            by = self.host.states()
            self.most = max(self.most, by.get("TIME-WAIT", 0) + by.get("FIN-WAIT-2", 0))
            self.looks += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        self.thread.join()


@pytest.mark.parametrize("options, server_options", [
    (["--idle-for", "20ms"], []),
    (["--connection-requests", "2"], []),
    (["--connection-age", "50ms"], []),
    # Ghosts shorter than a handler would be refusals within the limit, and FINs from then on.
    (["--timeout", "60ms", "--drain-for", "100ms", "--ghost-for", "1s"],
     ["--latency", "mix(70%: 1ms, 30%: 400ms)"]),
    (["--timeout", "60ms", "--abandon", "reset", "--ghost-for", "100ms"],
     ["--latency", "mix(70%: 1ms, 30%: 400ms)"]),
    (["--connections", "close"], []),
    ([], ["--idle-for", "30ms"]),
    (["--preconnect", "5", "--idle-for", "50ms"], []),
], ids=["yield", "requests", "age", "drain", "reset", "close", "reap", "ready"])
def test_no_close_leaves_time_wait(options, server_options, pair, tmp_path):
    client, server = pair
    with origin(server, tmp_path, "--limit", "40", *server_options) as o, \
            proxy(client, tmp_path, o.url, "--limit", "40", "--queue-for", "5s", *options) as p:
        with Closed(client) as closed:
            def run():
                for n in range(40):
                    assert ask(p).status in (200, 503, 504)
                    if n % 5 == 0:  # what is idle meanwhile is the matter
                        threading.Event().wait(0.1)
            callers = [threading.Thread(target=run) for _ in range(10)]
            for c in callers:
                c.start()
            for c in callers:
                c.join()
            eventually(lambda: gauges_at_zero(p))
        connects = p.status()["connects"]
    after = client.states()
    assert closed.most <= 10, (closed.most, closed.looks)
    assert after.get("TIME-WAIT", 0) + after.get("FIN-WAIT-2", 0) <= 10
    assert connects >= 10  # there were closes to speak of


def takes_leave(sock):
    """Two requests; then it says close_notify, and closes when it has been answered by another."""
    with contextlib.suppress(OSError), sock:
        for _ in range(2):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += sock.recv(4096) or b"\r\n\r\n"
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        sock.unwrap()


def test_a_server_that_waits_for_our_close_notify(pair, tmp_path):
    """Its FIN would come after ours."""
    client, server = pair
    cert = Authority(tmp_path).issue(f"IP:{server.address}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert.cert, cert.key)
    listener = server.listen(server.address)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                sock = context.wrap_socket(server.accept(listener), server_side=True)
                threading.Thread(target=takes_leave, args=(sock,)).start()

    threading.Thread(target=serve).start()
    url = f"https://{server.address}:{listener.getsockname()[1]}"
    try:
        with proxy(client, tmp_path, url, "--upstream-insecure", "--limit", "10") as p:
            for n in range(12):
                assert [ask(p).status for _ in range(2)] == [200, 200]
                eventually(lambda: p.status()["closes"]["peer"] == n + 1)  # noqa: B023
            eventually(lambda: gauges_at_zero(p))
            assert p.status()["connects"] == 12
            after = client.states()
            assert after.get("TIME-WAIT", 0) + after.get("FIN-WAIT-2", 0) == 0
    finally:
        listener.shutdown(2)
        listener.close()


def test_it_says_so_before_the_kernel_does(pair, tmp_path):
    """Its own closes, first on purpose, hold each port for a minute."""
    client, server = pair
    client.sysctl("ipv4.ip_local_port_range", f"20000 {20000 + RANGE + 9}")
    client.sysctl("ipv4.ip_local_reserved_ports", "20000-20009")
    with origin(server, tmp_path) as o, \
            proxy(client, tmp_path, o.url, "--connections", "pretend") as p:
        seen = [ask(p) for _ in range(RANGE + 20)]
        assert [m.status for m in seen] == [200] * RANGE + [503] * 20
        assert seen[-1].one(b"weir-reason") == b"no-ports"
        assert seen[-1].all(b"retry-after")
        text = seen[-1].body.decode()
        to = o.url.removeprefix("http://")
        assert f"no local port left to {to}: {RANGE} of {RANGE} taken" in text, text
        s = p.status()
        assert s["ports"] == [{"to": to, "open": 0, "lingering": RANGE, "range": RANGE}]
        eventually(lambda: p.status()["slots"]["used"] == 0)
        assert o.status()["accepted"] == RANGE
        eventually(lambda: gauges_at_zero(p))
    assert p.said.count("half of the local ports") == 1, p.said
    assert f"half of the local ports to {to} are taken" in p.said
    assert "connections: pool" in p.said and "odd-bodies: any" in p.said


def test_ports_that_other_programs_have(pair, tmp_path):
    client, server = pair
    client.sysctl("ipv4.ip_local_port_range", f"20000 {20000 + RANGE - 1}")
    listener = server.listen()
    at = (server.address, listener.getsockname()[1])
    for _ in range(RANGE):
        client.new_socket().connect(at)
    with proxy(client, tmp_path, f"http://{at[0]}:{at[1]}") as p:
        seen = [ask(p) for _ in range(5)]
        assert [m.status for m in seen] == [503] * 5
        assert b"no local port left" in seen[0].body
        assert b"by other programs" in seen[0].body
        for _ in range(RANGE):  # the server closes first, so that the ports are free at once
            server.accept(listener).close()
        for s in client.sockets:
            assert s.recv(1) == b""
            s.close()
        peer = threading.Thread(target=answer_one, args=(server, listener))
        peer.start()
        # weir believes the kernel for a second, then asks it again
        eventually(lambda: ask(p).status == 200)
        peer.join()
        eventually(lambda: gauges_at_zero(p))


def answer_one(server, listener):
    s = server.accept(listener)
    assert b"GET / " in s.recv(65536)
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def test_sources_have_ports_of_their_own(pair, tmp_path):
    """Of two addresses, each gives half; together they have ports for more than one has."""
    client, server = pair
    client.run("ip", "addr", "add", "10.77.1.9/24", "dev", "to1")
    client.sysctl("ipv4.ip_local_port_range", f"20000 {20000 + RANGE - 1}")
    calls = RANGE + RANGE // 2
    with origin(server, tmp_path, "--latency", "1500ms") as o, \
            proxy(client, tmp_path, o.url, "--source", f"{client.address},10.77.1.9") as p:
        clients = [Client(p.at, GET % b"/") for _ in range(calls)]
        assert all(c.answer().status == 200 for c in clients)
        ways = {w["to"].split(" ")[0]: w["open"] for w in p.status()["ports"]}
        assert set(ways) == {client.address, "10.77.1.9"}
        assert all(n == calls // 2 for n in ways.values()), ways
        for c in clients:
            c.sock.close()
        eventually(lambda: gauges_at_zero(p))



def test_connects_do_not_stop_at_one_parity(pair, tmp_path):
    """The kernel by itself gives out all ports of one parity before the first of the other: to
    look through them when they are taken costs it milliseconds."""
    client, server = pair
    with origin(server, tmp_path, "--latency", "500ms") as o, \
            proxy(client, tmp_path, o.url) as p:
        clients = [Client(p.at, GET % b"/") for _ in range(30)]
        assert all(c.answer().status == 200 for c in clients)
        lines = client.run("ss", "-Htan", "state", "established").splitlines()
        ports = [int(line.split()[2].rsplit(":", 1)[1]) for line in lines]
        release = tuple(int(n) for n in re.findall(r"\d+", open(
            "/proc/sys/kernel/osrelease", encoding="ascii").read())[:2])
        assert len(ports) == 30
        if release >= (6, 3):
            assert {port % 2 for port in ports} == {0, 1}, ports
        for c in clients:
            c.sock.close()
        eventually(lambda: gauges_at_zero(p))
