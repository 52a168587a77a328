"""weir lab: real namespaces, real programs, scaled down to a few seconds."""

import json
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from browser import chromium
from conftest import cannot_make_namespaces
from verbs import ROOT, WEIR, eventually
from labs import (figures_of, lab, links, medians, namespaces, place,  # noqa: F401
                  rows_of, start_lab)

pytestmark = pytest.mark.usefixtures("weir")

SMALL = ("--act", "1", "--for", "3s", "--scale", "10%")
REFUSAL = "The connection cannot be served because Server.Concurrency limit exceeded"
SS_NAMES = {"ESTAB": "ESTABLISHED", "TIME-WAIT": "TIME_WAIT", "FIN-WAIT-1": "FIN_WAIT1",
            "FIN-WAIT-2": "FIN_WAIT2", "CLOSE-WAIT": "CLOSE_WAIT", "LAST-ACK": "LAST_ACK",
            "CLOSING": "CLOSING", "SYN-SENT": "SYN_SENT", "SYN-RECV": "SYN_RECV"}


# ---- what a run says --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """One scaled run of act 1, naive beside weir: its text and its samples.json."""
    why = cannot_make_namespaces()
    if why:
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("lab")
    (folder / "tmp").mkdir()
    done = lab(folder, "run", "incident", *SMALL, "--only", "naive,weir", "--quiet")
    assert done.returncode == 0, done.stderr
    assert not list((folder / "tmp").iterdir())
    done.folder = folder / "report"
    return done, json.loads((folder / "report" / "samples.json").read_text()), \
        (folder / "report" / "report.md").read_text()


def test_table_and_words(small):
    done, doc, markdown = small
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    words = next(i for i, line in enumerate(lines) if REFUSAL in line)
    rows = [i for i, line in enumerate(lines) if re.match(r"(naive|weir)( \(!\))?  ", line)]
    assert len(rows) == 2 and words < rows[0]
    naive = figures_of(doc)["naive"]
    assert f"{naive['refused']:,}" in lines[rows[0]]
    assert f"/ {naive['time_wait']:,}" in lines[rows[0]]
    assert any(line.startswith("naive: ") for line in lines)
    assert any(line.startswith("weir: ") for line in lines)
    assert "expected: 4 of 4 lines hold" in lines
    assert REFUSAL in markdown and "naive" in markdown and "weir" in markdown


def test_the_page_of_a_run(small, tmp_path):
    """As one opens it from the folder: it draws itself, and its table has the run's figures."""
    done, doc, _ = small
    with chromium(tmp_path) as driver:
        driver.get((done.folder / "report.html").as_uri())
        assert driver.execute_script("return document.documentElement.dataset.ready") == "yes"
        assert driver.get_log("browser") == []
        row = driver.execute_script("""
            const rows = [...document.querySelector('section[aria-labelledby=act-0] tbody').rows];
            return [...rows.find(r => r.cells[0].textContent === 'naive').cells]
                .map(c => c.textContent);""")
        assert row[3] == f"{figures_of(doc)['naive']['refused']:,}"
        assert REFUSAL in driver.find_element("css selector", ".verdict").text
        plots = driver.find_elements("css selector", ".plot canvas")
        assert len(plots) > 20


def test_the_incident_and_the_cure_in_figures(small):
    _, doc, _ = small
    naive, weir = (figures_of(doc)[n] for n in ("naive", "weir"))
    assert naive["started"] == weir["started"] == 48  # 16/s for 3 s: the same arrivals
    for row in naive, weir:
        assert row["started"] == sum(row[k] for k in ("good", "late", "failed", "unanswered"))
        assert row["slots_limit"] == 100 and row["slots_over"] == 0
        assert row["in"] == 16 and row["good_share"] == pytest.approx(row["good"] / 48, abs=1e-5)
    assert naive["refused"] > 0 and naive["slots_peak"] == 100
    assert naive["time_wait"] > 50 and naive["in_time_wait"] == 0
    # Those that were answered, it closed itself; refusals end in resets.
    assert naive["ended"] == 144 and naive["closed_server"] == 0
    assert naive["closed_middleware"] > 0.3 and naive["closed_reset"] > 0.1
    assert sum(v for k, v in naive.items() if k.startswith("closed_")) == \
        pytest.approx(1, abs=1e-4)
    assert naive["ports_left"] < 28232 - 50 / 2
    assert weir["refused"] == 0
    assert weir["time_wait"] == weir["fin_wait2"] == 0
    assert weir["slots_peak"] <= 100
    assert 0 < naive["cpu_middleware"] < 2
    assert naive["loop_delay_ms"] > 0
    rows = rows_of(doc)
    assert rows["naive"]["words"][0]["text"] == REFUSAL
    assert rows["naive"]["words"][0]["status"] == 503
    assert rows["weir"]["words"] == []
    assert doc["passed"] and all(e["held"] for e in doc["acts"][0]["expect"])


def test_series_are_two_looks_a_second_and_agree_with_the_peaks(small):
    _, doc, _ = small
    for variant in doc["acts"][0]["variants"]:
        run, = variant["runs"]
        series = run["series"]
        times = series["t_ms"]
        assert times == sorted(times)
        assert len(times) >= 2 * (times[-1] / 1000) * 0.5
        assert {len(column) for column in series.values()} == {len(times)}
        for side, prefix in ("in", "in_"), ("out", ""):
            for state in "established", "time_wait", "fin_wait2":
                seen = series.get(f"middleware.{side}.{state}", [0])
                assert max(seen) == run["figures"][prefix + state]
        assert max(series["server.used"]) <= 100
        assert run["server"]["slots"]["peak"] == run["figures"]["slots_peak"]
        assert run["load"]["schema"] == "weir.load/1"
        # one clock: the load's
        assert run["began_at_ms"] == run["load"]["started_at_ms"]
        for side in "in", "out":
            for first, count in variant["closes"][side]["first"].items():
                assert series[f"closes.{side}.{first}"][-1] == count
        # Nobody's first look finds what the last one does not: counters only grow.
        for name, column in series.items():
            if ".counters." in name or name.startswith("closes."):
                assert column == sorted(column)


# ---- the JSON and its page --------------------------------------------------------------------


def documented():
    """Paths that the first table of docs/json/lab.md names. `.name` stands beside the first of its
    row."""
    paths = set()
    text = (ROOT / "docs" / "json" / "lab.md").read_text()
    for line in text[:text.index("`CLOSES` is an object")].splitlines():
        if line.startswith("| `"):
            first, *more = re.findall(r"`([^`]+)`", line.split("|")[1])
            paths |= {first, *(first.rpartition(".")[0] + n if n.startswith(".") else n
                               for n in more)}
    return paths


# Documents of other verbs, and maps whose keys are told in words.
OPAQUE = {"machine.sysctls", "machine.programs", "acts[].expect[].point",
          "acts[].variants[].point", "acts[].variants[].closes.in", "acts[].variants[].closes.out",
          "acts[].variants[].runs[].files", "acts[].variants[].runs[].figures",
          "acts[].variants[].runs[].load", "acts[].variants[].runs[].server",
          "acts[].variants[].runs[].middleware"}


def paths_of(value, at=""):
    """Every leaf, array and opaque object of a document, as the page writes them."""
    if at.startswith("acts[].variants[].figures."):
        at = re.sub(r"figures\.\w+", "figures.KEY", at)
    if at in OPAQUE or value is None:
        return {at}
    if isinstance(value, dict):
        named = {at} if at.endswith((".figures", ".series")) else set()
        return named.union(*(paths_of(v, f"{at}.{k}".lstrip(".")) for k, v in value.items()))
    if isinstance(value, list):
        below = set().union(*(paths_of(v, at + "[]") for v in value)) if value else set()
        return {at} | {p for p in below if p != at + "[]"}
    return {at}


def test_json_is_as_its_page_says(small):
    _, doc, _ = small
    here = {p for p in paths_of(doc) if not p.startswith("acts[].variants[].runs[].series.") or
            p.endswith(".t_ms")}
    here = {re.sub(r"\[\]$", "", p) for p in here if not p.endswith("histogram[][]")}
    page = documented()
    here -= {"acts[].variants[].figures.KEY"}  # null where unknown
    # what this run has nothing of
    page -= {p for p in page if p.startswith("acts[].sweep[].")}
    assert here - page == set()
    assert page - here <= {"acts[].variants[].runs[].files"}


def test_columns_of_the_series_are_as_the_page_says(small):
    _, doc, _ = small
    text = (ROOT / "docs" / "json" / "lab.md").read_text()
    for name in doc["acts"][0]["variants"][0]["runs"][0]["series"]:
        host, *rest = name.split(".")
        if rest[:1] in (["in"], ["out"]):
            assert host == "closes" or f"`{rest[1]}`" in text or rest[1] == "orphan_fin_wait2"
        elif rest[:1] == ["counters"]:
            assert f"`{rest[1]}`" in text
        elif rest[:1] == ["first"]:
            assert rest[1] in ("open", "local", "local-or-both", "peer", "both")
        elif host in ("server", "middleware") and rest[0] not in ("ports_left", "cpu_ms",
                                                                  "cpu_wait_ms"):
            assert f"`{rest[0]}`" in text


# ---- nothing is left --------------------------------------------------------------------------


def processes():
    """{pid: (parent, inode of its network namespace, command)} of all that can be seen."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if fields[0] == "Z":
                continue
            net = os.stat(entry / "ns" / "net").st_ino
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it has just ended
        found[int(entry.name)] = (int(fields[1]), net, command)
    return found


def tree_below(pid):
    """Its descendants."""
    all_now, below, grown = processes(), {pid}, True
    while grown:
        more = {p for p, (parent, _, _) in all_now.items() if parent in below} - below
        below |= more
        grown = bool(more)
    return {p: all_now[p] for p in below - {pid} if p in all_now}


def running(process):
    """Waits until the callers of both variants are at work; the lab's tree."""
    def both():
        tree = tree_below(process.pid)
        return tree if sum(" load " in c for _, _, c in tree.values()) == 2 else None
    return eventually(both, within=60)


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_lab_leaves_nothing(place, sig):
    home, before = os.stat("/proc/self/ns/net").st_ino, links()
    process = start_lab(place, "run", "incident", *SMALL, "--for", "60s", "--only", "naive,weir")
    tree = running(process)
    nets = {net for _, net, _ in tree.values()} - {home}
    assert len(nets) == 1 + 2 * 3  # the cage's own, and three hosts for each variant
    process.send_signal(sig)
    assert process.wait(timeout=30) == -sig

    def all_gone():
        """no process of the lab, nobody in its namespaces"""
        now = processes()
        return not any(p in now and now[p][2] == c for p, (_, _, c) in tree.items()) and \
            not any(net in nets for _, net, _ in now.values())
    eventually(all_gone)
    assert links() == before
    left = list((place / "tmp").iterdir())
    if sig == signal.SIGKILL:  # nobody was left to remove it; the next start does
        assert len(left) == 1 and re.fullmatch(rf"weir-lab-{process.pid}-\d+", left[0].name)
        assert lab(place, "run", "incident", *SMALL, "--for", "1s", "--only", "weir",
                   "--quiet").returncode == 0
    assert not list((place / "tmp").iterdir())


def test_a_living_labs_folder_is_left_alone(place):
    process = start_lab(place, "run", "incident", *SMALL, "--for", "60s", "--only", "naive,weir")
    try:
        running(process)
        folder, = (place / "tmp").iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert lab(place, "run", "incident", *SMALL, "--for", "1s", "--only", "weir", "--out",
                   "other", "--quiet").returncode == 0
        assert folder.exists()
    finally:
        process.terminate()
        process.wait(timeout=30)


# ---- independent readings ---------------------------------------------------------------------


def ss_by_side(pid, port):
    """What `ss` counts in the namespace of a process: {side: {state: n}}; in: local port."""
    out = subprocess.run(["nsenter", "-t", str(pid), "-n", "ss", "-Htan"], capture_output=True,
                         text=True, check=True).stdout
    sides = {"in": {}, "out": {}}
    for line in out.splitlines():
        state, _, _, local, _ = line.split()[:5]
        if state == "LISTEN":
            continue
        by = sides["in" if local.endswith(f":{port}") else "out"]
        by[SS_NAMES[state]] = by.get(SS_NAMES[state], 0) + 1
    return sides


def nstat(pid):
    """Of the namespace of a process, under our names."""
    names = {"TcpEstabResets": "estab_resets", "TcpExtTW": "tw",
             "TcpExtTCPAbortOnClose": "abort_on_close", "TcpExtTCPAbortOnData": "abort_on_data",
             "TcpExtListenOverflows": "listen_overflows", "TcpRetransSegs": "retrans_segs"}
    out = subprocess.run(["nsenter", "-t", str(pid), "-n", "nstat", "-asz", *names],
                         capture_output=True, text=True, check=True).stdout
    return {names[line.split()[0]]: int(line.split()[1]) for line in out.splitlines()
            if line.split()[0] in names}


def test_counts_agree_with_ss_and_nstat(place):
    """The callers are frozen; when all they asked for is answered nothing moves any more, and the
    lab's samples must be what ss says."""
    process = start_lab(place, "run", "incident", *SMALL, "--for", "40s", "--only", "naive,weir")
    tree = running(process)
    callers = [p for p, (_, _, c) in tree.items() if " load " in c]
    # of each variant: its folder is in the admin's path
    middle = {re.search(r"unix:(\S+)/middleware", c).group(1): p
              for p, (_, _, c) in tree.items() if " proxy " in c}
    assert len(middle) == 2
    eventually(lambda: all(ss_by_side(p, 9090)["out"].get("ESTABLISHED", 0) > 40
                           for p in middle.values()))
    for pid in callers:
        os.kill(pid, signal.SIGSTOP)
    still = {"since": 0.0, "what": None}

    def frozen():
        """the same for as long as three samples"""
        now = {d: ss_by_side(p, 9090) for d, p in middle.items()}
        if now != still["what"]:
            still.update(since=time.monotonic(), what=now)
        return time.monotonic() - still["since"] > 1.7
    eventually(frozen, within=40)
    counters = {d: nstat(p) for d, p in middle.items()}
    for pid in callers:
        os.kill(pid, signal.SIGKILL)
    assert process.wait(timeout=30) == 1  # the load gave no report, and it says so
    doc = json.loads((place / "report" / "samples.json").read_text())
    assert "the load gave no report" in (place / "out").read_text()
    runs = [v["runs"][0] for v in doc["acts"][0]["variants"]]
    by_folder = {re.search(r"unix:(\S+)/middleware", " ".join(r["commands"]["middleware"])).group(1):
                 r for r in runs}
    assert set(by_folder) == set(still["what"])
    for folder, counts in still["what"].items():
        # The last look is from after the callers' death, and the one before it may be.
        series = by_folder[folder]["series"]
        seen = {side: {} for side in ("in", "out")}
        for name, column in series.items():
            host, *rest = name.split(".")
            if host == "middleware" and rest[0] in seen and column[-3] and \
                    rest[1] != "orphan_fin_wait2":
                seen[rest[0]][rest[1].upper()] = column[-3]
        assert seen == counts
        # and the kernel's own counters are what nstat reads
        for name, value in counters[folder].items():
            assert series[f"middleware.counters.{name}"][-3] == value


# ---- the user's own program -------------------------------------------------------------------


def test_own_middleware_stands_in_the_table(place):
    command = f"exec {WEIR} proxy --listen $WEIR_LISTEN_HOST:$PORT --upstream $WEIR_UPSTREAM " \
              "--gather $WEIR_GATHER --connections pretend --limit none --timeout none " \
              "--queue-for none"
    done = lab(place, "run", "incident", *SMALL, "--middleware", command, "--only",
               "naive,yours", "--quiet", "--json")
    assert done.returncode == 0, done.stderr
    doc = json.loads(done.stdout)
    assert doc == json.loads((place / "report" / "samples.json").read_text())
    rows = rows_of(doc)
    assert list(rows) == ["naive", "yours"]
    assert rows["yours"]["runs"][0]["commands"]["middleware"] == ["sh", "-c", command]
    assert rows["yours"]["runs"][0]["middleware"] is None
    naive, yours = (medians(rows[n]) for n in ("naive", "yours"))
    assert yours["time_wait"] == pytest.approx(naive["time_wait"], rel=0.1)


SWALLOWS = """
const http = require('http');
http.createServer((q, s) => http.get(process.env.UPSTREAM, { agent: false }, r => {
  s.statusCode = r.statusCode;
  r.resume().on('end', () => s.end(r.statusCode < 400 ? 'ok' : 'oops'));
}).on('error', () => { s.statusCode = 502; s.end('oops'); })).listen(process.env.PORT);
"""


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_words_of_a_middleware_are_not_taken_for_the_servers(place):
    (place / "app.js").write_text(SWALLOWS)
    done = lab(place, "run", "incident", "--act", "1", "--for", "3s", "--scale", "5%",
               "--rate", "900/s", "--middleware", f"node {place}/app.js", "--only", "yours",
               "--quiet")
    refused = re.search(r"The server refused ([\d,]+) calls of yours, and its words reached no "
                        r"caller\. What callers were told \(50[23], [\d,]+ times by yours\): "
                        r'"oops"', done.stdout)
    assert refused, done.stdout + done.stderr
    assert "own words" not in done.stdout


@pytest.mark.parametrize("command, says", [
    ("echo cannot find app.js >&2; exit 3", ["yours", "exit status 3", "cannot find app.js"]),
    ("no-such-program-here", ["yours", "exit status 127", "no-such-program-here"]),
    ("kill -9 $$", ["killed by Killed"]),
])
def test_middleware_that_ends_at_once(place, command, says):
    done = lab(place, "run", "incident", *SMALL, "--middleware", command, "--only", "yours",
               "--quiet")
    assert done.returncode == 1
    for text in says:
        assert text in done.stderr
    assert done.stdout == ""


def test_middleware_that_listens_where_nobody_comes(place):
    command = f"exec {WEIR} origin --listen 127.0.0.1:$PORT"
    done = lab(place, "run", "incident", *SMALL, "--middleware", command, "--only", "yours",
               "--quiet")
    assert done.returncode == 1
    assert "does not listen where its callers come in, 10.77.1.1:9090" in done.stderr
    assert "WEIR_LISTEN_HOST" in done.stderr


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_node_shows_the_incident_as_naive_does(place):
    done = lab(place, "run", "incident", *SMALL, "--only", "naive,node", "--quiet", "--json")
    assert done.returncode == 0, done.stderr
    doc = json.loads(done.stdout)
    naive, node = (figures_of(doc)[n] for n in ("naive", "node"))
    assert node["time_wait"] == pytest.approx(naive["time_wait"], rel=0.1)
    assert node["closed_server"] == 0
    assert node["loop_delay_ms"] > 0
    assert rows_of(doc)["node"]["words"][0]["text"] == REFUSAL


def test_a_real_fasthttp_shows_the_same_shape(place, fasthttp):
    assert fasthttp  # it can be built here; the lab builds its own
    done = lab(place, "run", "incident", *SMALL, "--origin", "fasthttp", "--only", "naive,weir",
               "--quiet", "--json")
    assert done.returncode == 0, done.stderr
    doc = json.loads(done.stdout)
    assert doc["acts"][0]["server"] == "fasthttp"
    naive, weir = (figures_of(doc)[n] for n in ("naive", "weir"))
    assert naive["refused"] > 0 and naive["slots_peak"] == 100
    assert naive["time_wait"] > 50
    assert weir["refused"] == 0 and weir["slots_peak"] <= 100
    assert rows_of(doc)["naive"]["words"][0]["text"] == REFUSAL


# ---- who may, and what is said to who may not ---------------------------------------------------


@pytest.fixture
def nobody(place):
    """A folder for an ordinary user, with weir in it, and how to become that user."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root can become somebody else, by setpriv")
    become = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    place.chmod(0o755)
    shutil.copy(WEIR, place / "weir")
    for path in place, place / "tmp":
        os.chown(path, 65534, 65534)
    return become, str(place / "weir")


def test_an_ordinary_user(place, nobody):
    become, weir = nobody
    probe = subprocess.run([*become, "unshare", "-Urn", "true"], capture_output=True, text=True,
                           check=False)
    if probe.returncode:
        pytest.skip(f"this kernel lets no ordinary user make namespaces: {probe.stderr.strip()}")
    done = lab(place, "run", "incident", *SMALL, "--only", "naive,weir", "--quiet", "--json",
               program=weir, wrap=become)
    assert done.returncode == 0, done.stderr
    doc = json.loads(done.stdout)
    rows = figures_of(doc)
    assert rows["naive"]["time_wait"] > 50
    assert rows["weir"]["refused"] == 0
    assert doc["machine"]["namespaces"] == "user"


def test_no_right_to_namespaces(place):
    if subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no user namespace to try it in")
    # In a user namespace of its own, where no more of them may be made and CAP_SYS_ADMIN is gone.
    script = "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv " \
             "--bounding-set=-sys_admin --inh-caps=-sys_admin \"$@\""
    done = lab(place, "run", "incident", *SMALL, "--only", "weir",
               wrap=["unshare", "-Ur", "sh", "-c", script, "sh"])
    assert done.returncode == 1
    assert "cannot make namespaces here" in done.stderr
    assert "as root" in done.stderr and "max_user_namespaces" in done.stderr
    assert done.stdout == ""


def test_too_few_descriptors(place):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 600))
    done = lab(place, "run", "incident", "--act", "1", preexec_fn=few)
    assert done.returncode == 1
    assert re.search(r"may need \d+ open files, and the hard limit is 600: .*--scale \d+%",
                     done.stderr)


def test_soft_limit_is_raised(place):
    def soft():
        resource.setrlimit(resource.RLIMIT_NOFILE,
                           (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    done = lab(place, "run", "incident", *SMALL, "--only", "weir", "--quiet", preexec_fn=soft)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words, says", [
    (["run", "incidnet"], "did you mean 'incident'?"),
    (["run"], "which scenario?"),
    ([], "say what: run NAME"),
    (["walk", "incident"], "there is no 'walk'"),
    (["run", "incident", "--only", "niave"], "did you mean 'naive'?"),
    (["run", "incident", "--only", "pool-50", "--act", "1"],
     "there is no variant 'pool-50'"),
    (["run", "incident", "--for", "30"], "'30' has no unit"),
    (["run", "incident", "--scale", "0%"], "--scale 0%"),
    (["run", "incident", "--act", "3"], "--act: there is no act '3'"),
    (["compare", "before"], "compare which?"),
    (["new", "a.yaml", "b.yaml"], "one file at most"),
    (["run", "./nowhere.yaml"], "./nowhere.yaml: No such file"),
])
def test_misuse(place, words, says):
    done = lab(place, *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""


def test_foreign_files_are_not_replaced(place):
    (place / "report").mkdir()
    (place / "report" / "report.md").write_text("my notes\n")
    done = lab(place, "run", "incident", *SMALL, "--only", "weir")
    assert done.returncode == 1
    assert "report.md is there and is not ours" in done.stderr
    assert (place / "report" / "report.md").read_text() == "my notes\n"


def test_list_and_show(place):
    done = lab(place, "list")
    assert done.returncode == 0
    assert "\nincident: " in "\n" + done.stdout
    done = lab(place, "show", "incident", "--act", "1", "--origin", "fasthttp", "--scale", "10%")
    assert done.returncode == 0
    for text in ("naive:", "weir:", "--limit 100", "--connections pretend",
                 "WEIR_LISTEN_PORT=9090", "./fasthttp"):
        assert text in done.stdout
    assert "act pool" not in done.stdout
    done = lab(place, "show", "incident", "--yaml")
    assert done.stdout == (ROOT / "lab" / "scenarios" / "incident.yaml").read_text()
