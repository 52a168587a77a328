"""weir watch against real sockets: each test makes states it knows, and compares what watch says
with that, and with what `ss` counts."""

import errno
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
from pathlib import Path

import pytest

from verbs import ROOT, WEIR, eventually
from watched import Pair, Watching, check_agrees_with_ss, close_in_order, reset, settle

pytestmark = pytest.mark.usefixtures("weir")


def state(report, name):
    return next(s for s in report["states"] if s["state"] == name)


def warning_ids(report):
    return [w["id"] for w in report["warnings"]]


# ---- states --------------------------------------------------------------------------------

@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_established_by_side_destination_and_listener(pair, family):
    p = Pair(pair, family)
    for _ in range(3):
        p.exchange()
    settle(p.client, {"ESTAB": 3})
    client, server = p.client.watch(), p.server.watch()
    check_agrees_with_ss(p.client, client)
    check_agrees_with_ss(p.server, server)
    assert client["sides"]["out"]["states"]["ESTABLISHED"] == 3
    assert client["sides"]["in"]["total"] == client["sides"]["unsure"]["total"] == 0
    assert server["sides"]["in"]["states"]["ESTABLISHED"] == 3
    to = f"{p.address[0]}:{p.port}" if family == socket.AF_INET else f"[{p.address[0]}]:{p.port}"
    assert [d["to"] for d in client["destinations"]] == [to]
    assert client["destinations"][0]["ports_used"] == 3
    assert client["destinations"][0]["ports_left"] == client["port_range"]["usable"] - 3
    assert server["destinations"] == []
    assert server["listeners"][0]["total"] == 3
    assert server["listeners"][0]["backlog"] == 512
    # no program lives in these namespaces: the sockets are held by this process, outside
    assert client["schema"] == "weir.watch/1"
    assert client["namespace"]["inode"] == os.stat(f"/proc/{p.client.pid}/ns/net").st_ino
    assert client["warnings"] == []


def test_time_wait_stands_on_the_side_that_closed_first(pair):
    p = Pair(pair)
    for _ in range(4):
        close_in_order(*p.exchange())
    for _ in range(2):
        c, s = p.exchange()
        close_in_order(s, c)
    settle(p.client, {"TIME-WAIT": 4})
    settle(p.server, {"TIME-WAIT": 2})
    client, server = p.client.watch(), p.server.watch()
    check_agrees_with_ss(p.client, client)
    check_agrees_with_ss(p.server, server)
    assert client["sides"]["out"]["closed_first"]["local_or_both"] == 4
    assert server["sides"]["in"]["closed_first"]["local_or_both"] == 2
    dest = client["destinations"][0]
    assert dest["states"]["TIME_WAIT"] == 4
    assert dest["time_wait_closes_per_s"] == pytest.approx(4 / 60, abs=1e-5)
    assert dest["time_wait_closes_per_s_10s"] == pytest.approx(0.4)
    assert server["listeners"][0]["states"]["TIME_WAIT"] == 2


def test_ipv4_through_a_dual_stack_listener_is_ipv4(pair):
    client, server = pair
    listener = server.listen(family=socket.AF_INET6)
    port = listener.getsockname()[1]
    c = client.new_socket()
    c.connect((server.address, port))
    s = server.accept(listener)
    assert s.getpeername()[0].startswith("::ffff:")
    report = server.watch()
    check_agrees_with_ss(server, report)
    assert report["listeners"][0]["at"] == f"[::]:{port}"
    assert report["listeners"][0]["states"]["ESTABLISHED"] == 1
    close_in_order(c, s)
    settle(client, {"TIME-WAIT": 1})
    assert client.watch()["destinations"][0]["to"] == f"{server.address}:{port}"


def test_both_at_once_is_told_where_both_ends_are_in_sight(pair):
    """Over loopback both ends are in one dump. With the link down for the time of both close()
    calls, each FIN leaves before the other arrives."""
    _, server = pair
    listener = server.listen("127.0.0.1")
    c = server.new_socket()
    c.connect(listener.getsockname())
    s = server.accept(listener)
    server.run("ip", "link", "set", "lo", "down")
    c.close()
    s.close()
    settle(server, {"FIN-WAIT-1": 2})
    server.run("ip", "link", "set", "lo", "up")
    c, s = server.new_socket(), None
    c.connect(listener.getsockname())
    s = server.accept(listener)
    close_in_order(c, s)
    settle(server, {"TIME-WAIT": 3})
    report = server.watch()
    check_agrees_with_ss(server, report)
    assert report["sides"]["out"]["closed_first"] == {
        "open": 0, "local": 1, "local_or_both": 0, "peer": 0, "both": 1}
    assert report["sides"]["in"]["closed_first"]["both"] == 1


def test_both_at_once_between_hosts_leaves_time_wait_on_both(pair):
    p = Pair(pair)
    c, s = p.exchange()
    p.client.run("ip", "link", "set", "to1", "down")
    c.close()
    s.close()
    settle(p.client, {"FIN-WAIT-1": 1})
    settle(p.server, {"FIN-WAIT-1": 1})
    client = p.client.watch()
    assert state(client, "FIN_WAIT1")["closed_first"]["local"] == 1
    p.client.run("ip", "link", "set", "to1", "up")
    settle(p.client, {"TIME-WAIT": 1})
    settle(p.server, {"TIME-WAIT": 1})
    assert p.client.watch()["sides"]["out"]["closed_first"]["local_or_both"] == 1
    assert p.server.watch()["sides"]["in"]["closed_first"]["local_or_both"] == 1


def test_orphaned_fin_wait2_is_not_time_wait(pair):
    """The kernel keeps it as a TIME_WAIT bucket and counts it so; watch does not."""
    p = Pair(pair)
    given_up = [p.connect() for _ in range(3)]
    for c, _ in given_up:
        c.close()
    half_closed, _ = p.connect()
    half_closed.shutdown(socket.SHUT_WR)
    close_in_order(*p.exchange())
    settle(p.client, {"FIN-WAIT-2": 4, "TIME-WAIT": 1})
    client, server = p.client.watch(), p.server.watch()
    check_agrees_with_ss(p.client, client)
    check_agrees_with_ss(p.server, server)
    assert state(client, "FIN_WAIT2")["closed_first"]["local"] == 4
    assert client["sides"]["out"]["orphan_fin_wait2"] == 3
    assert client["destinations"][0]["orphan_fin_wait2"] == 3
    assert client["counters"]["sockstat_tw"] == 4  # 1 in truth
    note = next(w for w in client["warnings"] if w["id"] == "fin-wait2-counted-as-time-wait")
    assert "they say 4, in truth there are 1" in note["text"]
    assert state(server, "CLOSE_WAIT")["in"] == 4
    assert state(server, "CLOSE_WAIT")["closed_first"]["peer"] == 4


def test_a_reset_leaves_nothing(pair):
    p = Pair(pair)
    c, s = p.exchange()
    before = p.client.watch()["counters"]["estab_resets"]
    reset(c)
    with pytest.raises(ConnectionResetError):
        s.recv(1)
    s.close()
    settle(p.client, {})
    settle(p.server, {})
    client = p.client.watch()
    assert client["sides"]["out"]["total"] == 0
    assert client["counters"]["estab_resets"] == before + 1


# ---- ports ---------------------------------------------------------------------------------

def test_ports_left_the_cliff_and_the_end(pair):
    """Forty ports, of which connect() takes the even twenty first: the cliff. The kernel itself
    proves the figures, by EADDRNOTAVAIL one connect after watch says none is left."""
    p = Pair(pair)
    p.client.sysctl("ipv4.ip_local_port_range", "40000 40041")
    p.client.sysctl("ipv4.ip_local_reserved_ports", "40040-40041,80")
    assert p.client.watch()["port_range"] == {"low": 40000, "high": 40041, "reserved": 2,
                                              "listening": 0, "usable": 40, "cliff": 20}
    seen = []
    for used in range(1, 41):
        close_in_order(*p.connect())
        settle(p.client, {"TIME-WAIT": used})
        if used in (10, 17, 19, 20, 21, 39, 40):
            report = p.client.watch()
            dest = report["destinations"][0]
            seen.append((used, dest["ports_left"], dest["cliff_left"], dest["past_cliff"],
                         [w["id"] for w in report["warnings"]]))
            assert dest["ports_used"] == used
    assert seen == [
        (10, 30, 10, False, ["heading-for-cliff"]),
        (17, 23, 3, False, ["near-cliff"]),
        (19, 21, 1, False, ["near-cliff"]),
        (20, 20, 0, True, ["connect-cliff"]),
        (21, 19, 0, True, ["connect-cliff"]),
        (39, 1, 0, True, ["connect-cliff"]),
        (40, 0, 0, True, ["ports-exhausted"]),
    ]
    with pytest.raises(OSError) as raised:
        p.connect()
    assert raised.value.errno == errno.EADDRNOTAVAIL
    text = report["warnings"][0]["text"]
    assert text.startswith(f"40 of 40 ports to {p.server.address}:{p.port} are in use, none is")


def test_ports_that_the_kernel_reuses_are_left(pair):
    """With tcp_tw_reuse = 1 connect() takes a TIME_WAIT that is a second old: ten ports serve
    eleven connections, and watch knows it."""
    p = Pair(pair)
    p.client.sysctl("ipv4.ip_local_port_range", "40000 40009")
    p.client.sysctl("ipv4.tcp_tw_reuse", "1")
    for _ in range(10):
        close_in_order(*p.connect())
    settle(p.client, {"TIME-WAIT": 10})

    def all_reusable():
        dest = p.client.watch()["destinations"][0]
        return dest["ports_reusable"] == 10
    eventually(all_reusable)
    report = p.client.watch()
    dest = report["destinations"][0]
    assert (dest["ports_used"], dest["ports_left"], dest["cliff_left"]) == (10, 10, 5)
    assert report["warnings"] == []
    p.connect()
    assert p.client.watch()["destinations"][0]["ports_used"] == 10
    p.client.sysctl("ipv4.tcp_tw_reuse", "2")  # over loopback alone
    assert p.client.watch()["destinations"][0]["ports_left"] == 0


def test_a_range_given_by_hand(pair):
    p = Pair(pair)
    c, _ = p.connect()
    port = c.getsockname()[1]
    report = p.client.watch("--port-range", f"{port}-{port}")
    assert report["port_range"]["usable"] == 1
    assert report["destinations"][0]["ports_left"] == 0
    assert warning_ids(report) == ["ports-exhausted"]
    assert p.client.watch("--port-range", "1-2")["sides"]["unsure"]["total"] == 1


def test_a_full_backlog_is_named(pair):
    client, server = pair
    listener = server.listen(backlog=0)
    address = (server.address, listener.getsockname()[1])
    waiting = client.new_socket()
    waiting.connect(address)
    more = client.new_socket()
    more.setblocking(False)
    assert more.connect_ex(address) == errno.EINPROGRESS

    def full():
        return server.watch()["listeners"][0]["to_accept"] == 1
    eventually(full)
    report = server.watch()
    assert report["listeners"][0]["backlog"] == 0
    assert "backlog-full" in warning_ids(report)

    def sent_again():
        return client.watch()["destinations"][0]["connects_unanswered"] == 1
    eventually(sent_again)
    report = client.watch()
    assert warning_ids(report) == ["connects-unanswered"]
    assert report["warnings"][0]["destination"] == f"{address[0]}:{address[1]}"


def test_a_crowd_in_close_wait_is_a_fault_only_when_it_stays(pair):
    p = Pair(pair)
    held = [p.connect() for _ in range(100)]
    for c, _ in held:
        c.close()
    settle(p.server, {"CLOSE-WAIT": 100})
    levels = []

    def stays():
        warnings = {w["id"]: w["level"] for w in p.server.watch()["warnings"]}
        levels.append(warnings["close-wait"])
        return levels[-1] == "warning"
    eventually(stays)
    assert set(levels[:-1]) <= {"note"}
    held.pop()[1].close()
    settle(p.server, {"CLOSE-WAIT": 99})
    few, = [w for w in p.server.watch()["warnings"] if w["id"] == "close-wait"]
    assert few["level"] == "note" and "99 have been so for a second" in few["text"]
    while len(held) > 9:
        held.pop()[1].close()
    settle(p.server, {"CLOSE-WAIT": 9})
    assert "close-wait" not in warning_ids(p.server.watch())


def test_who_does_not_read_is_told_at_both_ends(pair):
    p = Pair(pair)
    held = [p.connect() for _ in range(6)]
    for _, s in held:
        s.setblocking(False)
        try:
            while True:
                s.send(b"y" * 65536)
        except BlockingIOError:
            pass

    def told(host, of):
        return [w for w in host.watch()["warnings"] if w["id"] == of]

    assert told(p.server, "not-reading") == []
    eventually(lambda: told(p.client, "not-reading") and told(p.server, "window-closed"))
    reads, = told(p.client, "not-reading")
    assert reads["level"] == "warning" and "6 connections hold" in reads["text"]
    assert told(p.client, "window-closed") == []
    for c, _ in held:
        reset(c)


# ---- programs ------------------------------------------------------------------------------

def test_programs_are_named(pair):
    """A child of the test lives in the server's namespace, listens, and lets callers hang. The name
    it gave itself is shown, and what would drive a terminal is not."""
    client, server = pair
    program = ("import socket,sys\n"
               "open('/proc/self/comm', 'wb').write(b'py\\xc2\\x9b2J\\xff')\n"
               "l = socket.create_server(('', 0)); print(l.getsockname()[1], flush=True)\n"
               "held = [l.accept()[0] for _ in range(3)]; print('held', flush=True)\n"
               "sys.stdin.read()")
    child = subprocess.Popen(server.command("/usr/bin/python3", "-c", program),
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = int(child.stdout.readline())
        callers = [client.new_socket() for _ in range(3)]
        for c in callers:
            c.connect((server.address, port))
        assert child.stdout.readline() == "held\n"
        callers[0].close()
        settle(server, {"ESTAB": 2, "CLOSE-WAIT": 1})
        report = server.watch()
        assert report["listeners"][0]["pid"] == child.pid
        held = report["processes"][0]
        assert held["pid"] == child.pid and held["program"] == "py?2J?"
        assert (held["established_in"], held["close_wait"], held["listening"]) == (2, 1, 1)
        assert report["sockets_unowned"] == 0
        assert server.watch("--no-processes")["processes"] is None
    finally:
        child.stdin.close()
        child.wait()
        child.stdout.close()


# ---- on a terminal, on a pipe --------------------------------------------------------------

def test_who_inherits_sockets_is_named_when_their_holder_has_ended(pair):
    """Nothing new is to be seen in the sockets: they are the same."""
    _, server = pair
    program = ("import os, socket, sys\n"
               "held = [socket.create_server(('', 0)) for _ in range(3)]\n"
               "child = os.fork()\n"
               "print(os.getpid(), child, flush=True) if child else None\n"
               "sys.stdin.read()\n")
    with subprocess.Popen(server.command("/usr/bin/python3", "-c", program),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        first, second = map(int, holder.stdout.readline().split())
        watching = Watching(server)
        try:
            def holders():
                watching.next_look()
                return {p["pid"]: p["listening"] for p in watching.last["processes"]}
            assert sum(holders().values()) == 3
            held, = holders()
            assert held in (first, second)
            holder.kill()
            holder.wait(timeout=10)
            eventually(lambda: holders() == {second: 3})
        finally:
            assert watching.stop() == 0


def test_text_for_people(pair, weir):
    p = Pair(pair)
    for _ in range(2):
        p.exchange()
    close_in_order(*p.exchange())
    settle(p.client, {"ESTAB": 2, "TIME-WAIT": 1})
    p.client.sysctl("ipv4.ip_local_port_range", "32768 60999")
    done = subprocess.run([weir, "watch", "--once", "--netns", str(p.client.pid)],
                          capture_output=True, text=True, timeout=60, check=True)
    text = done.stdout
    assert "\033" not in text
    assert "28,232 for each destination; the connect cliff stands at 14,116" in text
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.split()}
    assert rows["ESTABLISHED"][1:3] == ["-", "2"]
    assert rows["TIME_WAIT"][1:3] == ["-", "1"]
    assert "this side, or both at once" in text
    assert f"{p.server.address}:{p.port}" in text
    assert all(len(line) <= 120 for line in text.splitlines())


def run_on_terminal(argv, seconds_of_output, size=(50, 150), **env):
    """Output of a program on a terminal until it has shown something twice, and its status."""
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        os.execvpe(argv[0], argv, {**os.environ, "TERM": "xterm", **env})
    out = b""
    until = time.monotonic() + seconds_of_output
    try:
        while time.monotonic() < until and out.count(b"\033[H") < 3:
            if select.select([fd], [], [], 0.1)[0]:
                try:
                    out += os.read(fd, 65536)
                except OSError:
                    break
        if out.count(b"\033[H"):
            os.write(fd, b"\x03")              # Ctrl-C, as the terminal sends it
        while True:
            try:
                chunk = os.read(fd, 65536)
            except OSError:
                break
            if not chunk:
                break
            out += chunk
    finally:
        _, status = os.waitpid(pid, 0)
        os.close(fd)
    return out.decode(), os.waitstatus_to_exitcode(status)


def test_on_a_terminal_it_draws_in_place_until_ctrl_c(pair, weir):
    client, _ = pair
    argv = [weir, "watch", "--every", "100ms", "--netns", str(client.pid)]
    out, status = run_on_terminal(argv, 10)
    assert status == 0
    assert out.count("\033[2J") == 1 and out.count("\033[H") >= 3
    assert "\033[1m" in out
    plain, status = run_on_terminal(argv, 10, NO_COLOR="1")
    assert status == 0
    assert "\033[1m" not in plain and plain.count("\033[H") >= 3


@pytest.mark.parametrize("rows, columns", [(24, 80), (9, 80), (12, 40)])
def test_a_small_terminal_shows_what_matters_and_marks_what_it_cuts(pair, weir, rows, columns):
    p = Pair(pair)
    p.client.sysctl("ipv4.ip_local_port_range", "40000 40009")
    for _ in range(10):
        close_in_order(*p.connect())
    settle(p.client, {"TIME-WAIT": 10})
    out, status = run_on_terminal([weir, "watch", "--every", "100ms", "--netns",
                                   str(p.client.pid)], 10, (rows, columns), NO_COLOR="1")
    assert status == 0
    frame = out.split("\033[H")[1].replace("\033[K", "").replace("\033[J", "").split("\r\n")
    assert len(frame) <= rows and all(len(line) <= columns for line in frame)
    text = "\n".join(frame)
    assert "critical  10 of 10 ports to" in text
    if columns == 80:
        assert "…" not in text.split("… ")[0]      # nothing is cut across
        assert "10 for each destination; the cliff at 5\n" in text
    else:
        assert re.search(r"^ports 40000-40009: 10 for each .*…$", text, re.M)
    if rows == 24:
        assert re.search(r"10\.77\.1\.2:\d+ +- +10 +- +- +none left$", text, re.M)
    else:
        hidden = int(re.search(r"^… (\d+) more lines$", text, re.M)[1])
        assert hidden > 5 and frame[rows - 2].startswith("… ")


def test_one_look_on_a_small_terminal_is_whole_and_ends_with_its_warnings(pair, weir):
    p = Pair(pair)
    p.client.sysctl("ipv4.ip_local_port_range", "40000 40009")
    for _ in range(10):
        close_in_order(*p.connect())
    settle(p.client, {"TIME-WAIT": 10})
    out, status = run_on_terminal([weir, "watch", "--once", "--netns", str(p.client.pid)], 10,
                                  (9, 80), NO_COLOR="1")
    assert status == 0
    assert "\033" not in out and "…" not in out
    assert out.index("none left") < out.index("critical  10 of 10 ports to")


def test_on_a_pipe_one_block_each_interval_and_the_reader_may_leave(pair, weir):
    client, _ = pair
    child = subprocess.Popen([weir, "watch", "--every", "100ms", "--netns", str(client.pid)],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    blocks = 0
    while blocks < 3:
        line = child.stdout.readline()
        assert line and "\033" not in line
        blocks += line.startswith("sockets of network namespace")
    child.stdout.close()
    assert child.wait(timeout=10) == 0
    assert child.stderr.read() == ""
    child.stderr.close()


def test_it_ends_though_nobody_reads_what_it_writes(pair, weir):
    client, _ = pair
    child = subprocess.Popen([weir, "watch", "--json", "--every", "100ms", "--netns",
                              str(client.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        fcntl.fcntl(child.stdout, fcntl.F_SETPIPE_SZ, 4096)

        held = [0, time.monotonic()]           # bytes in the pipe, and since when

        def full():
            now = struct.unpack("i", fcntl.ioctl(child.stdout, termios.FIONREAD, bytes(4)))[0]
            if now != held[0]:
                held[:] = now, time.monotonic()
            return held[0] and time.monotonic() > held[1] + 0.5
        eventually(full)
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=10) == 0
        assert child.stderr.read() == b""
    finally:
        child.kill()
        child.communicate()


def test_json_line_by_line(pair):
    client, _ = pair
    with Watching(client) as watching:
        second = json.loads(watching.child.stdout.readline())
        assert watching.last["schema"] == second["schema"] == "weir.watch/1"
        assert second["time_unix_ms"] > watching.last["time_unix_ms"]
        assert second["closes"]["interval_ms"] == pytest.approx(100, abs=90)


def keys(value):
    """Every name in a JSON value."""
    if isinstance(value, dict):
        return set(value).union(*[keys(v) for v in value.values()])
    return set().union(*[keys(v) for v in value]) if isinstance(value, list) else set()


def test_the_manual_of_the_json_names_every_field_and_no_other(pair):
    page = (ROOT / "docs" / "json" / "watch.md").read_text()
    p = Pair(pair)
    with Watching(p.client) as watching:
        asked = [p.connect() for _ in range(5)]
        for c, s in asked:
            c.sendall(b"x")
            s.recv(1)
        time.sleep(0.1)  # a timeout, as ages show it
        for c, _ in asked:
            c.close()
        watching.until({("out", "local", "no-answer"): 5})
        written = keys(watching.last) | keys(p.server.watch())
    with p.server.inside():
        written |= keys(json.loads(subprocess.run(
            [WEIR, "watch", "--once", "--json"], capture_output=True, check=True).stdout))
    named = {part for word in re.findall(r"`([A-Za-z0-9_.]+)`", page)
             for part in word.split(".") if part}
    assert written - named == set()
    # sysctls; and what is written only where a program of the namespace holds a socket
    elsewhere = {"ip_local_port_range", "ip_local_reserved_ports", "tcp_tw_reuse", "established_in",
                 "established_out", "close_wait", "more_processes", "seen_to_end"}
    assert {word for word in named - written if "_" in word} - elsewhere == set()


def test_a_namespace_by_path_by_name_and_by_process(pair):
    p = Pair(pair)
    p.connect()
    inode = os.stat(f"/proc/{p.client.pid}/ns/net").st_ino
    path = f"/proc/{p.client.pid}/ns/net"
    name = f"weir-test-{os.getpid()}"
    names = [str(p.client.pid), path]
    named = subprocess.run(["ip", "netns", "attach", name, str(p.client.pid)],
                           capture_output=True, check=False).returncode == 0
    if named:
        names.append(name)
    try:
        for given in names:
            done = subprocess.run([WEIR, "watch", "--once", "--json", "--netns", given],
                                  capture_output=True, text=True, check=True)
            report = json.loads(done.stdout)
            assert report["namespace"] == {"name": given, "inode": inode}
            assert report["sides"]["out"]["total"] == 1
    finally:
        if named:
            subprocess.run(["ip", "netns", "delete", name], check=True)


def test_ten_rows_for_people_all_for_programs(pair, weir):
    client, server = pair
    for _ in range(12):
        listener = server.listen()
        c = client.new_socket()
        c.connect((server.address, listener.getsockname()[1]))
    assert len(client.watch()["destinations"]) == 12
    two = client.watch("--top", "2")
    assert (len(two["destinations"]), two["destinations_total"]) == (2, 12)
    text = subprocess.run([weir, "watch", "--once", "--netns", str(client.pid)],
                          capture_output=True, text=True, check=True).stdout
    assert sum(line.startswith(server.address) for line in text.splitlines()) == 10
    assert "and 2 more" in text


# ---- misuse --------------------------------------------------------------------------------

@pytest.mark.parametrize("argv, status, says", [
    (["--netns", "no-such-namespace"], 2, "no-such-namespace"),
    (["--netns", "999999999"], 2, "there is no process 999999999"),
    (["--netns", "/no/such/file"], 2, "/no/such/file"),
    (["--netns", "/dev/null"], 2, "not a network namespace"),
    (["--nets", "x"], 2, "--netns"),
    (["--every", "5"], 2, "unit"),
    (["--every", "1ms"], 2, "at least 100ms"),
    (["--every", "none"], 2, "--once"),
    (["--top", "0"], 2, "--top"),
    (["--port-range", "many"], 2, "32768-60999"),
    (["--port-range", "9-8"], 2, "32768-60999"),
    (["--port-range", "1-70000"], 2, "32768-60999"),
    (["stray"], 2, "stray"),
])
def test_misuse_says_what_and_what_to_do(weir, argv, status, says):
    done = subprocess.run([weir, "watch", "--once", *argv], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == status
    assert says in done.stderr
    assert done.stdout == ""


def test_without_the_right_to_enter_it_says_so_and_looks_at_its_own(pair, weir):
    if os.geteuid() != 0:
        pytest.skip("takes root to become somebody without rights")
    client, _ = pair
    place = Path(tempfile.mkdtemp(prefix="weir-watch-"))  # where everybody may read
    try:
        place.chmod(0o755)
        copy = shutil.copy(weir, place / "weir")
        as_nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        done = subprocess.run([copy, "watch", "--once", "--netns", str(client.pid)],
                              capture_output=True, text=True, check=False, **as_nobody)
        assert done.returncode == 1
        assert "root" in done.stderr and done.stdout == ""
        done = subprocess.run([copy, "watch", "--once", "--json"], capture_output=True, text=True,
                              check=False, **as_nobody)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["schema"] == "weir.watch/1"
    finally:
        shutil.rmtree(place)
