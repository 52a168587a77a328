"""weir lab's scenario files: for every wrong one in samples/scenario, all that is wrong with it, word
for word; and what show, list and new print."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
SAMPLES = Path(__file__).resolve().parent / "samples" / "scenario"
RESULT = Path(__file__).resolve().parent / "samples" / "lab"


def lab(*words, cwd=None):
    return subprocess.run([WEIR, "lab", *map(str, words)], stdin=subprocess.DEVNULL, cwd=cwd,
                          capture_output=True, text=True, timeout=60, check=False)


def test_there_are_enough_samples():
    assert len(list(SAMPLES.glob("*.yaml"))) >= 20
    assert ({f.stem for f in SAMPLES.glob("*.yaml")} == {f.stem for f in SAMPLES.glob("*.txt")})


@pytest.mark.parametrize("name", sorted(f.stem for f in SAMPLES.glob("*.yaml")))
def test_a_wrong_file(name):
    done = lab("show", f"./{name}.yaml", cwd=SAMPLES)
    assert done.stderr == (SAMPLES / f"{name}.txt").read_text()
    assert done.returncode == 2 and done.stdout == ""
    # nothing runs either
    run = lab("run", f"./{name}.yaml", "--out", "/nonexistent", cwd=SAMPLES)
    assert run.stderr == done.stderr and run.returncode == 2


def test_new_is_a_scenario(tmp_path):
    printed = lab("new")
    assert printed.returncode == 0
    done = lab("new", tmp_path / "mine.yaml")
    assert done.returncode == 0 and "weir lab run" in done.stdout
    assert (tmp_path / "mine.yaml").read_text() == printed.stdout
    shown = lab("show", tmp_path / "mine.yaml")
    assert shown.returncode == 0, shown.stderr
    for text in ("timeout timeout=300ms", "timeout timeout=1s", "haproxy -db -f",
                 "expected: weir.refused == 0"):
        assert text in shown.stdout
    again = lab("new", tmp_path / "mine.yaml")
    assert again.returncode == 1 and "File exists" in again.stderr


def test_list_names_what_run_takes():
    done = lab("list")
    names = [line.split(":")[0] for line in done.stdout.splitlines() if line[0] != " "]
    assert names == sorted(names) and "incident" in names
    assert names == sorted(f.stem for f in (ROOT / "lab" / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("name", sorted(
    f.stem for f in (ROOT / "lab" / "scenarios").glob("*.yaml")))
@pytest.mark.parametrize("form", ("--no-full", "--full"))
def test_what_comes_with_weir_can_run_and_expects_something(name, form):
    done = lab("show", name, form)
    assert done.returncode == 0, done.stderr
    assert "\n    expected: " in done.stdout


def test_compare(tmp_path):
    same = lab("compare", RESULT, RESULT / "samples.json")
    assert same.returncode == 0, same.stderr
    assert "overload: naive" in same.stdout and "\n0 figures lie apart" in same.stdout
    text = (RESULT / "samples.json").read_text()
    (tmp_path / "samples.json").write_text(
        text.replace('"good":{"median":', '"good":{"median":9').replace('"low":', '"low":9')
        .replace('"high":', '"high":9'))
    other = lab("compare", RESULT, tmp_path)
    assert other.returncode == 1 and "\n  * good" in other.stdout
    assert "One run does not show what is chance" in other.stdout  # one act was run once
    assert "One run" not in same.stdout
    (tmp_path / "samples.json").write_text('{"schema": "weir.load/1"}')
    for words in ((RESULT, tmp_path), (RESULT, tmp_path / "nowhere")):
        done = lab("compare", *words)
        assert done.returncode == 2 and done.stdout == ""
        assert str(tmp_path) in done.stderr
