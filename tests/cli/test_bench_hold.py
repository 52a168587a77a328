"""bench/hold: its figures, tables and plots, from runs that are made up."""

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "hold"))
import cases  # noqa: E402
import figures  # noqa: E402
from page import write_all  # noqa: E402

SYSTEMS = [s for s in cases.SYSTEMS if s.name in ("weir --limit 50", "haproxy, held, 50",
                                                  "nginx, deadline, 45")]


def line(intended_s, took_s, outcome="good", status="200"):
    intended = int(intended_s * 1e9)
    return {"intended_ns": str(intended), "started_ns": str(intended),
            "ended_ns": str(intended + int(took_s * 1e9)) if took_s else "",
            "outcome": outcome, "status": status, "error": ""}


def seen(log, refusals_seen=0, **server):
    counts = {"accepted": 50, "refused": 0, "requests": 4, "answered": 4, "peak": 50} | server
    report = {"valid": True, "lateness": {"p999_ms": 1.0}, "errors": [
        {"count": refusals_seen, "text": "Server.Concurrency limit exceeded"},
        {"count": 1, "text": None}]}
    first = {"accepted": 50, "refused": 0, "requests": 2, "answered": 2, "peak": 50}
    return {"began": 100.0, "ended": 120.0, "callers": [(report, log)], "server": counts,
            "proxy": None,
            "samples": [(100.5, 3, dict(first, refused=1)), (106.0, 2, dict(first, refused=2)),
                        (119.0, 0, dict(counts, refused=5))]}


def test_a_run():
    log = [line(0, 0.05), line(1, 0.52, "late"), line(2.5, 0.003, "failed", "503"),
           line(3, 0.1, "failed", "503"), line(3.1, 0.501, "failed", "504"),
           line(3.2, 0.01, "failed", "502"), line(4, None, "unanswered", "")]
    f = figures.figures(cases.all_cases(10)[0], seen(log, 1, refused=6))
    assert (f["sent"], f["good"], f["late"], f["shed"], f["refusals_seen"]) == (7, 1, 3, 1, 1)
    assert f["down"] == 1  # the server was lost, which is no refusal
    assert f["lost"] == 1 and f["refused"] == 6 and f["left_max"] == 3
    assert f["past_deadline_p999_ms"] == pytest.approx(20)
    assert f["told_no_p99_ms"] == pytest.approx(100)
    assert f["good_by_second"] == [1, 0, 0, 0, 0]
    assert f["amplification"] == (4 + 6) / 6
    assert f["connects_per_1000"] == 0
    assert f["refused_settled"] == 5  # all but the first: counted as they are seen


def test_refusals_after_a_change_are_apart():
    case = cases.Case("x", "", "origin", (1,), 20, events=((8, "limit", 25),))
    assert figures.refused_settled(case, seen([], refused=6)) == 5
    # the three that are seen at 19 s are the change's
    late = cases.Case("x", "", "origin", (1,), 20, events=((18, "limit", 25),))
    assert figures.refused_settled(late, seen([], refused=6)) == 2


def test_intervals_are_students():
    assert figures.mean_interval([1.0]) == (1.0, None, None)
    mean, low, high = figures.mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean == 3 and low == pytest.approx(3 - 2.132 * 1.5811 / 5 ** 0.5, abs=1e-3)
    assert high - mean == pytest.approx(mean - low)


def test_arrivals_are_of_their_repetition():
    flood, modest = (next(c for c in cases.all_cases(10) if c.name == n)
                     for n in ("flood", "modest"))
    assert cases.arrivals(flood, 1) == cases.arrivals(flood, 1) != cases.arrivals(flood, 2)
    assert cases.arrivals(flood, 1)[:3] == cases.arrivals(modest, 1)[:3]


def run(case, system, repetition, good, valid=True):
    return {"case": case.name, "system": system.name, "repetition": repetition, "good": good,
            "sent": 100, "best": 90, "refused": 0, "refused_settled": 0, "shed": 1, "down": 3,
            "late": 2, "lost": 0, "past_deadline_p999_ms": 1.0, "told_no_p99_ms": None, "left_max": 0,
            "connects_per_1000": 0.5, "amplification": 1.0, "server_unanswered": 0, "peak": 50,
            "lateness_ms": 1.0, "valid": valid, "good_by_second": [good, 0],
            "good_of_callers": [good, good, good, 0]}


def test_tables_and_plots(tmp_path):
    some = [c for c in cases.all_cases(10) if c.name in ("fasthttp 1x", "fasthttp 3x", "flood",
                                                        "modest")]
    runs = [run(case, system, n, 80 - 4 * nth + n, valid=(n != 2))
            for case in some for nth, system in enumerate(SYSTEMS) for n in range(4)]
    text = write_all(tmp_path, some, SYSTEMS, runs)
    for word in ("modest keep", "100 %", "+5.2 % (", "weir --limit 50"):
        assert word in text
    found = json.loads((tmp_path / "hold.json").read_text())["results"]
    row = found[0]["systems"][0]
    assert (row["runs"], row["valid"], row["good"], row["against"]) == (4, 3, 81,
                                                                       "haproxy, held, 50")
    assert row["of_best_percent"] == 90 and row["down"] == 3
    plots = sorted(p.name for p in tmp_path.glob("*.svg"))
    assert plots == ["fasthttp-good.svg", "fasthttp-refused.svg", "flood.svg", "modest.svg"]
    for name in plots:
        assert len(ET.parse(tmp_path / name).findall(".//{*}path")) == len(SYSTEMS)
