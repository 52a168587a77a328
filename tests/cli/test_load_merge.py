"""weir load --merge: what several runs wrote, as one. The runs are real ones against one server;
what must come of them is made from their logs, call by call."""

import json
import math
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from test_load import REFUSAL, SCHEMA, Server, check_sums, jsonschema, load, reply, say


def run(folder, name, *argv):
    """One run: its document, where that lies, and the calls of its log."""
    log, file = folder / f"{name}.log", folder / f"{name}.json"
    done = load("--json", "--quiet", "--log", str(log), *argv)
    assert done.returncode == 0, done.stderr
    file.write_text(done.stdout)
    calls = [line.split(",") for line in log.read_text().splitlines()[1:]]
    return json.loads(done.stdout), str(file), calls


def merge(*files):
    done = load("--merge", "--json", *files)
    assert done.returncode == 0, done.stderr
    doc = json.loads(done.stdout)
    jsonschema.validate(doc, SCHEMA)
    return doc


def runs(folder, server, *options, seeds=(1, 2, 3)):
    with ThreadPoolExecutor(len(seeds)) as pool:
        return list(pool.map(lambda seed: run(
            folder, f"run{seed}", "--rate", "100/s", "--for", "1s", "--arrivals", "poisson",
            "--seed", str(seed), *options, server.url), seeds))


@pytest.fixture(name="mixed")
def make_mixed():
    """Quick answers, slow ones, refusals, and a text that is no UTF-8."""
    def answer(request, connection):
        if request.nth % 7 == 3:
            return reply(503, REFUSAL.encode())(request, connection)
        if request.nth % 7 == 5:
            return reply(500, b"\xff\xfe broken")(request, connection)
        return reply(delay=0.02 * (request.nth % 3))(request, connection)
    with Server(answer) as server:
        yield server


def test_quantiles_are_of_all_calls(tmp_path, mixed):
    parts = runs(tmp_path, mixed, "--patience", "30ms")
    doc = merge(*(file for _, file, _ in parts))
    took = sorted((int(c[3]) - int(c[0])) / 1e6 for _, _, calls in parts for c in calls)
    assert doc["latency"]["count"] == len(took) == len(mixed.requests)
    for key, share in (("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99), ("p999_ms", 0.999)):
        true = took[math.ceil(share * len(took)) - 1]
        assert true * 0.999 - 0.002 <= doc["latency"][key] <= true * 1.001 + 0.002, key
    assert abs(doc["latency"]["max_ms"] - took[-1]) < 0.002
    assert abs(doc["latency"]["min_ms"] - took[0]) < 0.002
    assert abs(doc["latency"]["mean_ms"] - sum(took) / len(took)) < 0.002
    late = [c for _, _, calls in parts for c in calls if c[4] == "late"]
    assert late and doc["late"] == len(late)
    if all(part["valid"] for part, _, _ in parts):
        check_sums(doc)


def test_manners_are_told_where_they_are_alike(tmp_path, mixed):
    _, go, _ = run(tmp_path, "go", "--rate", "50/s", "--for", "200ms", "--as", "go-default", mixed.url)
    _, curl, _ = run(tmp_path, "curl", "--rate", "50/s", "--for", "200ms", "--as", "curl", mixed.url)
    asked = ("as", "manner", "pool", "idle", "idle_for_ms")
    again = tmp_path / "again.json"
    again.write_text(Path(go).read_text())
    doc = merge(go, str(again))
    assert [doc[name] for name in asked] == ["go-default", "pool", None, 4, 90000]
    doc = merge(go, curl)
    assert [doc[name] for name in asked] == [None, "pool pretend", None, None, None]
    older = json.loads(Path(go).read_text())
    for name in ("as", "idle", "idle_for_ms"):
        del older[name]
    again.write_text(json.dumps(older))
    assert [merge(go, str(again))[name] for name in asked] == [None, "pool", None, None, None]


def test_counts_are_sums(tmp_path, mixed):
    parts = [doc for doc, _, _ in runs(tmp_path, mixed)]
    doc = merge(*(str(tmp_path / f"run{seed}.json") for seed in (1, 2, 3)))
    for key in ("started", "good", "late", "failed", "unanswered", "rate", "errors_dropped", "runs"):
        assert doc[key] == sum(part[key] for part in parts), key
    for key in ("connections", "bytes", "statuses"):
        assert doc[key] == {name: sum(part[key][name] for part in parts) for name in doc[key]}
    for nth, step in enumerate(doc["intervals"]):
        assert step["started"] == sum(part["intervals"][nth]["started"] for part in parts)
        assert step["max_ms"] == max(part["intervals"][nth]["max_ms"] for part in parts)
        assert step["p50_ms"] is None and step["p99_ms"] is None
    begun = [part["started_at_ms"] for part in parts]
    assert doc["started_at_ms"] == min(begun)
    assert doc["begun_within_ms"] == max(begun) - min(begun)
    refused = [e for e in doc["errors"] if e["refusal"]]
    assert [(e["text"], e["count"]) for e in refused] == [
        (REFUSAL, sum(part["statuses"]["503"] for part in parts))]
    # counted from the first start of all, whoever began it
    assert refused[0]["first_ms"] == pytest.approx(min(
        e["first_ms"] + part["started_at_ms"] - min(begun)
        for part in parts for e in part["errors"] if e["refusal"]), abs=0.002)
    assert [e["base64"] for e in doc["errors"] if e["status"] == 500] == ["//4gYnJva2Vu"]


def test_one_run_alone_is_itself(tmp_path, mixed):
    part, file, _ = run(tmp_path, "a", "--rate", "steps(50/s, 150/s)", "--for", "400ms",
                        "--warm-up", "50ms", "--timeout", "15ms", "--pool", "3", mixed.url)
    assert merge(file) == part


def test_merged_is_merged_again_in_any_order(tmp_path, mixed):
    files = [file for _, file, _ in runs(tmp_path, mixed)]
    pair = tmp_path / "pair.json"
    pair.write_text(json.dumps(merge(files[1], files[0])))
    all_at_once, by_turns = merge(*files), merge(files[2], str(pair))
    means = []
    for doc in (all_at_once, by_turns):
        del doc["invalid_why"]           # names files, if there is one
        means.append([doc[key].pop("mean_ms") for key in
                      ("latency", "latency_good", "latency_uncorrected", "lateness")])
    assert by_turns == all_at_once
    # means of means are rounded more than once
    assert means[0] == pytest.approx(means[1], abs=0.01)


def test_the_page_says_of_how_many(tmp_path, mixed):
    files = [file for _, file, _ in runs(tmp_path, mixed, seeds=(1, 2))]
    done = load("--merge", *files)
    assert done.returncode == 0 and REFUSAL in done.stdout
    head = done.stdout.splitlines()
    assert head[0] == f"weir load {mixed.url}"
    assert head[1].startswith("  2 runs as one, begun within ")
    assert head[2] == "  200/s poisson for 1 s, connections: pool"


def changed(tmp_path, name, of, **members):
    file = tmp_path / f"{name}.json"
    file.write_text(json.dumps({**json.loads((tmp_path / f"{of}.json").read_text()), **members}))
    return str(file)


@pytest.fixture(name="a_run")
def make_a_run(tmp_path):
    with Server(say(b"")) as server:
        return run(tmp_path, "a", "--rate", "50/s", "--for", "200ms", server.url)


def test_runs_that_do_not_overlap_are_not_valid(tmp_path, a_run):
    part, file, _ = a_run
    later = changed(tmp_path, "b", "a", valid=True, invalid_why=None,
                    started_at_ms=part["started_at_ms"] + 200)
    first = changed(tmp_path, "c", "a", valid=True, invalid_why=None)
    assert file and "was over as another began" in merge(first, later)["invalid_why"]
    sooner = changed(tmp_path, "d", "a", valid=True, invalid_why=None,
                     started_at_ms=part["started_at_ms"] + 199)
    doc = merge(first, sooner)
    assert doc["valid"] and doc["overlap_ms"] == 1


def test_one_that_was_over_early_overlaps_no_longer(tmp_path, a_run):
    at = a_run[0]["started_at_ms"]
    good = {"valid": True, "invalid_why": None}
    cut = changed(tmp_path, "b", "a", **good, interrupted=True, ran_for_ms=20, overlap_ms=20)
    first = changed(tmp_path, "c", "a", **good, started_at_ms=at + 10)
    second = changed(tmp_path, "d", "a", **good, started_at_ms=at + 20)
    pair = merge(cut, first)
    assert pair["valid"] and (pair["ran_for_ms"], pair["overlap_ms"]) == (200, 10)
    file = tmp_path / "pair.json"
    file.write_text(json.dumps(pair))
    # told by the pair as by the runs themselves, in any order
    for files in ((cut, first, second), (second, str(file)), (str(file), second)):
        doc = merge(*files)
        assert "was over as another began" in doc["invalid_why"] and doc["overlap_ms"] == 0
        assert doc["ran_for_ms"] == 200


def test_one_that_is_not_valid_spoils_all(tmp_path, a_run):
    assert a_run
    good = changed(tmp_path, "b", "a", valid=True, invalid_why=None)
    bad = changed(tmp_path, "c", "a", valid=False, invalid_why="it was late")
    doc = merge(good, bad)
    assert not doc["valid"]
    assert doc["invalid_why"] == f"1 of 2 files is of a run that is not valid; {bad}: it was late"
    done = load("--merge", good, bad)
    assert done.returncode == 0 and "NOT VALID: 1 of 2 files" in done.stdout


@pytest.mark.parametrize("members,says", [
    ({"schema": "weir.lab/2"}, "is not a document of `weir load --json`"),
    ({"patience_ms": 5}, "'patience_ms' is 5 ms here and none in the file before"),
    ({"for_ms": 1000}, "'for_ms' is 1 s here and 200 ms in the file before"),
    ({"good": -1}, "'good' is missing or wrong"),
    ({"good": 1}, "'started' is missing or wrong"),
    ({"url": ""}, "'url' is missing or wrong"),
    ({"url": "http://a\x1b[31m/"}, "'url' is missing or wrong"),
    ({"url": "http://a\u009b31m/"}, "'url' is missing or wrong"),
    ({"manner": "pool\u202e"}, "'manner' is missing or wrong"),
    ({"pace": "steps(1/s,\t2/s)"}, "'pace' is missing or wrong"),
    ({"patience_ms": -1}, "'patience_ms' is missing or wrong"),
    ({"runs": 0}, "'runs' is missing or wrong"),
    ({"runs": 2**32 - 1}, "'runs' is missing or wrong"),
    ({"overlap_ms": -1}, "'overlap_ms' is missing or wrong"),
    ({"started_at_ms": 2**53}, "'started_at_ms' is missing or wrong"),
    ({"begun_within_ms": None}, "'begun_within_ms' is missing or wrong"),
    ({"valid": False, "invalid_why": None}, "'invalid_why' is missing or wrong"),
    ({"histogram": None}, "'histogram' is missing or wrong"),
    ({"histogram": [[1, 1]]}, "'latency.count' is missing or wrong"),
    ({"histogram_lateness": [["x", 10]]}, "'histogram_lateness[0][0]' is missing or wrong"),
    ({"histogram_lateness": [[3600000001, 10]]}, "'histogram_lateness[0][0]' is missing or wrong"),
    ({"lateness": {"count": 10, "min_ms": 5, "mean_ms": 2, "max_ms": 9}}, "'lateness' is missing"),
    ({"errors": [{"kind": "nothing"}]}, "'errors[0].kind' is missing or wrong"),
    ({"errors": [{"kind": "status", "status": 65736}]}, "'errors[0].status' is missing or wrong"),
    ({"statuses": {"2000": 1}}, "'statuses' is missing or wrong"),
    ({"connections": {}}, "'connections.opened' is missing or wrong"),
    ({"intervals": [{}]}, "'intervals[0].started' is missing or wrong"),
])
def test_what_cannot_be_merged_is_told_with_its_place(tmp_path, a_run, members, says):
    other = changed(tmp_path, "b", "a", **members)
    done = load("--merge", a_run[1], other)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"weir load: {other}: ") and says in done.stderr, done.stderr


@pytest.mark.parametrize("width, steps", [(0, 1), (None, 1), (4e12, 3)])
def test_a_time_line_without_end_is_refused(tmp_path, a_run, width, steps):
    step = a_run[0]["intervals"][0]
    file = changed(tmp_path, "b", "a", interval_ms=width, intervals=[step] * steps)
    done = load("--merge", "--json", file)
    assert done.returncode == 2 and "'interval_ms' is missing or wrong" in done.stderr, done.stderr


def test_misuse_is_exit_2(tmp_path, a_run):
    for argv, says in (((), "no files"), ((a_run[1], a_run[1]), "is given twice"),
                       (("--rate", "1/s", a_run[1]), "leave --rate out"),
                       ((str(tmp_path / "none.json"),), "none.json: No such file")):
        done = load("--merge", *argv)
        assert done.returncode == 2 and says in done.stderr, done.stderr
    (tmp_path / "broken.json").write_text('{"schema": ')
    done = load("--merge", str(tmp_path / "broken.json"))
    assert done.returncode == 2 and "broken.json:1:" in done.stderr


def test_a_full_disk_is_not_success(a_run):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([load("--version").args[0], "load", "--merge", a_run[1]], stdout=full,
                              stderr=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == 1
