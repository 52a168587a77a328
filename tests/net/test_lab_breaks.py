"""That lines of scenarios fail which should, of the quickest of tests/breaks. `./dev scenarios --break`
runs all of them."""

import shutil
import subprocess

import pytest

from verbs import ROOT
from labs import namespaces  # noqa: F401

QUICKEST = ["brown-out:3", "incident:2", "noisy-neighbour:3"]


def run_breaks(root, out, *words):
    return subprocess.run(["/usr/bin/python3", root / "scripts" / "run-breaks", "--out", out, *words],
                          capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("label", QUICKEST)
def test_lines_can_fail(weir, tmp_path, label):
    done = run_breaks(ROOT, tmp_path, label)
    assert done.returncode == 0, done.stdout + done.stderr
    short, broken = done.stdout.splitlines()
    assert " short  ok " in short and " broken ok " in broken


SCENARIO = """callers: { rate: 10/s, for: 1s }
server: { limit: 50 }
variants: { a: { weir: {} } }
expect: [a.failed == 0, a.good == 10]
"""


def test_what_does_not_break_is_told(weir, tmp_path):
    """In a tree of its own: a line that its break leaves whole, and one that the short run breaks."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for folder, text in ("lab/scenarios", SCENARIO), ("tests/breaks", """
- change: { callers: { rate: 20/s } }
  fails: [a.failed == 0]
- short: { callers: { rate: 5/s } }
  change: { callers: { rate: 20/s } }
  fails: [a.good == 10]
"""):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.yaml").write_text(text)
    done = run_breaks(tmp_path, tmp_path / "out")
    assert done.returncode == 1 and done.stderr == ""
    assert [line.split()[:3] for line in done.stdout.splitlines() if line[0] == "x"] == [
        ["x:1", "broken", "FAILED"], ["x:2", "short", "FAILED"], ["x:2", "broken", "ok"]]
    assert "    holds: a.failed == 0 (0 and 0)" in done.stdout
    assert "    fails: a.good == 10 (5 and 10)" in done.stdout
