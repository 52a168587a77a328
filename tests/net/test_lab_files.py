"""weir lab on scenario files of one's own: every kind of program in every place, what is expected, and
nothing that stays behind."""

import csv
import json
import os
import random
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from verbs import WEIR, eventually
from labs import (figures_of, lab, links, namespaces, place,  # noqa: F401
                  rows_of, start_lab)

pytestmark = pytest.mark.usefixtures("weir")


def run(place, text, *more, status=0):
    (place / "mine.yaml").write_text(text)
    done = lab(place, "run", "mine.yaml", "--quiet", "--json", *more)
    assert done.returncode == status, done.stderr + done.stdout[-2000:]
    return json.loads(done.stdout)


def needs(*programs):
    for program in programs:
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
            pytest.skip(f"{program} is not installed")


# ---- what stands in the middle ----------------------------------------------------------------


def test_four_in_the_middle_from_one_file(place):
    needs("nginx", "haproxy", "node")
    doc = run(place, """
callers: { rate: 40/s, arrivals: poisson, for: 2s, wait-for: 2s }
server: { limit: 6, latency: "mix(90%: 20ms, 10%: 600ms)" }
variants:
  nginx: { nginx: { deadline: 300ms, slots: $limit } }
  nginx-held: { nginx: { manner: held, deadline: 300ms, slots: 6 } }
  haproxy: { haproxy: { deadline: 300ms, slots: 6 } }
  haproxy-held: { haproxy: { manner: held, deadline: 300ms, slots: 6 } }
  node: { program: node, env: { TIMEOUT_MS: 300, FORWARD: no } }
  weir: { weir: { limit: $limit, timeout: 300ms } }
expect:
  - weir.refused == 0
  - nginx-held.refused + haproxy-held.refused == 0
""")
    rows = figures_of(doc)
    # Poisson, but the same for each of them
    assert len({row["started"] for row in rows.values()}) == 1
    assert all(row["good"] > 20 for row in rows.values())
    # Who gives up at the deadline leaves the server with a call that nobody waits for.
    assert rows["nginx"]["abandoned"] + rows["haproxy"]["abandoned"] > 0
    runs = {label: v["runs"][0] for label, v in rows_of(doc).items()}
    assert "proxy_ignore_client_abort on;" in runs["nginx-held"]["files"]["nginx.conf"]
    assert "timeout server 300ms" in runs["haproxy"]["files"]["haproxy.conf"]
    assert "--timeout" in runs["haproxy-held"]["commands"]["client"]
    assert {"nginx", "haproxy", "node"} <= set(doc["machine"]["programs"])


def test_sweeps_repetitions_and_warm_up(place):
    doc = run(place, """
callers: { rate: 20/s, for: 1s, wait-for: 1s }
server: { limit: 50, latency: 10ms }
warm-up: 500ms
repeat: 3
variants:
  plain: { weir: { connections: [pool, pretend] } }
expect:
  - plain[connections=pretend].time_wait > plain[connections=pool].time_wait
  - plain.good == plain.started
""")
    act, = doc["acts"]
    assert act["sweep"] == [{"name": "connections", "values": ["pool", "pretend"],
                             "variants": ["plain"]}]
    for variant in act["variants"]:
        assert [r["repetition"] for r in variant["runs"]] == [1, 2, 3]
        assert variant["figures"]["started"]["values"] == [10, 10, 10]  # 10 more were the warm-up
        low, median, high = (variant["figures"]["p99_ms"][k] for k in ("low", "median", "high"))
        assert low <= median <= high
        assert sum(n for _, n in variant["histogram"]) == 30
    # interleaved: every first run began before any second one
    began = [[v["runs"][k]["began_at_ms"] for v in act["variants"]] for k in range(3)]
    assert max(began[0]) < min(began[1]) and max(began[1]) < min(began[2])
    assert [e["held"] for e in act["expect"]] == [True, True]


# ---- servers, callers, hosts --------------------------------------------------------------------


def test_each_program_calls_a_server_that_speaks_tls(place):
    needs("node", "go", "python3", "curl")
    doc = run(place, """
callers: { rate: 10/s, for: 1s, wait-for: 2s }
calls: 2
server: { tls: yes }
variants:
  node: { program: node, env: { FORWARD: no } }
  fetch: { program: node, env: { FORWARD: no, LIBRARY: fetch } }
  go: { program: go }
  python: { program: python }
  python-pool: { program: python, env: { KEEP_ALIVE: yes } }
  curl: { program: python, env: { CLIENT: curl } }
  weir: { weir: {} }
""")
    for label, row in figures_of(doc).items():
        assert (row["good"], row["calls"]) == (10, 20), label
    rows = figures_of(doc)
    assert rows["weir"]["ended"] == rows["python-pool"]["ended"] == 0
    assert rows["curl"]["ended"] == 20


def test_why_connections_were_closed(place):
    (place / "trace").write_text("0ms\n1000ms\n")
    doc = run(place, """
callers: { replay: trace, for: 1500ms, wait-for: 1s }
server: { idle-for: 300ms }
variants:
  answered: { weir: { connections: pretend } }
  idle: { weir: {} }
expect:
  - answered.ended_answered + answered.closed_middleware == 2
  - answered.ended_idle == 0
  - idle.ended_idle + idle.closed_server == 2
  - idle.ended_answered == 0
""")
    assert doc["passed"], doc["acts"][0]["expect"]


@pytest.mark.parametrize("server, program, knows", [
    ('{ program: node, limit: 5, latency: "uniform(5ms, 20ms)", body: 100B }', "node", True),
    ("{ program: nginx, limit: 50 }", "nginx", False),
    ("{ command: exec python3 -m http.server --bind 0.0.0.0 $PORT }", "python3", False),
])
def test_servers(place, server, program, knows):
    needs(program)
    doc = run(place, f"""
callers: {{ rate: 20/s, for: 1s, wait-for: 2s }}
server: {server}
variants: {{ weir: {{ weir: {{}} }} }}
expect: [weir.good == 20]
""")
    row = figures_of(doc)["weir"]
    assert row["calls"] == (20 if knows else None)
    assert doc["acts"][0]["server"] in (program, "command")


def test_callers_of_ones_own(place):
    """Another program as the caller, on the recorded arrivals; and what it reports agrees with a log
    of each of its calls."""
    log = place / "calls.log"
    doc = run(place, f"""
callers:
  rate: 50/s
  for: 1s
  command: exec {WEIR} load --schedule $ARRIVALS --log {log} --json --quiet $TARGET
server: {{ limit: 50, latency: "uniform(5ms, 80ms)" }}
variants: {{ weir: {{ weir: {{}} }} }}
""")
    row = figures_of(doc)["weir"]
    assert row["started"] == row["good"] == row["calls"] == 50
    run_of = rows_of(doc)["weir"]["runs"][0]
    assert run_of["commands"]["client"][:2] == ["sh", "-c"]
    with open(log, encoding="ascii") as text:
        calls = list(csv.DictReader(text))
    assert len(calls) == 50 and {c["outcome"] for c in calls} == {"good"}
    took_ms = sorted((int(c["ended_ns"]) - int(c["intended_ns"])) / 1e6 for c in calls)
    for key, rank in ("p50_ms", 25), ("p90_ms", 45), ("max_ms", 50):
        # a bucket of the histogram is 0.1 % wide
        assert row[key] == pytest.approx(took_ms[rank - 1], rel=0.001, abs=0.002)


def test_what_callers_start_keeps_their_schedule_too(place):
    """A shell that starts the load has real-time priority, as the lab's own has, and hands it on."""
    if subprocess.run(["chrt", "--rr", "1", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no right to real-time priority")
    stat = place / "stat"
    run(place, f"""
callers: {{ rate: 1/s, for: 1s, command: "cat /proc/self/stat >{stat}; true" }}
server: {{ limit: 50 }}
variants: {{ weir: {{ weir: {{}} }} }}
""")
    policy = int(stat.read_text().rpartition(")")[2].split()[41 - 3])  # proc(5) counts from 1
    assert policy == os.SCHED_RR


def test_callers_that_say_nothing_are_not_known(place):
    doc = run(place, """
callers: { rate: 1/s, for: 1s, command: "exec curl -s -o /dev/null $TARGET" }
server: { limit: 50 }
variants: { weir: { weir: {} } }
expect: [weir.good == 1]
""")
    row = figures_of(doc)["weir"]
    assert row["started"] is None and row["good"] is None and row["calls"] == 1
    line, = doc["acts"][0]["expect"]
    assert line["held"] is None and "weir.good is not known" in line["why"]
    assert doc["passed"] is None


def test_recorded_arrivals(place):
    (place / "trace").write_text("# of a bad minute\n0ms\n10ms\n20ms\n20ms\n500ms\n")
    doc = run(place, """
callers: { replay: trace, for: 600ms }
server: { limit: 50 }
variants: { weir: { weir: {} } }
""")
    load = rows_of(doc)["weir"]["runs"][0]["load"]
    assert load["arrivals"] == "recorded" and load["started"] == 5


def test_one_host_is_told_apart_by_ports(place):
    doc = run(place, """
hosts: one
links: { server: { delay: 5ms } }
callers: { rate: 20/s, for: 1s }
server: { limit: 50, latency: 5ms, addresses: 2 }
variants: { pretend: { weir: { connections: pretend } } }
expect:
  - pretend.time_wait == 20
  - pretend.ended == 20
  - pretend.closed_middleware == 1
  - pretend.server_time_wait == 0
""")
    assert doc["passed"]
    note, = doc["machine"]["notes"]
    assert "no delay" in note


# ---- what is expected --------------------------------------------------------------------------


def test_a_line_that_does_not_hold(place):
    (place / "mine.yaml").write_text("""
callers: { rate: 20/s, for: 1s }
server: { limit: 50 }
variants: { weir: { weir: {} } }
expect:
  - weir.good == 20
  - weir.good > 2 * 100
""")
    done = lab(place, "run", "mine.yaml", "--quiet")
    assert done.returncode == 1
    assert "expected: 1 of 2 lines hold" in done.stdout
    assert "FAILED line 7, weir.good > 2 * 100: weir.good is 20: 20 against 200" in done.stdout
    doc = json.loads((place / "report" / "samples.json").read_text())
    assert doc["passed"] is False
    held, failed = doc["acts"][0]["expect"]
    assert held["held"] and held["why"] is None
    assert (failed["left"], failed["right"], failed["unit"]) == (20, 200, "count")


# ---- nothing stays -----------------------------------------------------------------------------


def of_this_test(place):
    """Processes that have this place in their environment, wherever they are."""
    mark = f"TMPDIR={place / 'tmp'}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            pass  # it has just ended
    return found


def test_kill_9_at_ten_moments_leaves_nothing(place):
    before, moments = links(), random.Random(20)
    for _ in range(10):
        process = start_lab(place, "run", "incident", "--act", "1", "--scale", "10%", "--for", "60s",
                            "--only", "naive,weir", "--quiet")
        time.sleep(moments.uniform(0, 1.5))  # the moment, not a wait for something
        process.kill()
        process.wait(timeout=30)

        def gone():
            """every process of the killed lab"""
            return not of_this_test(place)
        eventually(gone)
    assert links() == before
    assert all(re.fullmatch(r"weir-lab-\d+-\d+", d.name) for d in (place / "tmp").iterdir())
    done = lab(place, "run", "incident", "--act", "1", "--scale", "10%", "--for", "1s", "--only",
               "weir", "--quiet")
    assert done.returncode == 0, done.stderr
    assert not list((place / "tmp").iterdir())
    assert not of_this_test(place)
    named = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False)
    assert "weir" not in named.stdout
