"""What breaks the lines that scenarios expect (tests/breaks): every broken scenario can run, and the
check sees what is missing. That the lines fail is seen in tests/net, of some, and by
`./dev scenarios --break`, of all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
sys.path.insert(0, str(ROOT / "scripts"))

import scenario_breaks  # noqa: E402


@pytest.mark.parametrize("name", scenario_breaks.names(ROOT, scenario_breaks.BREAKS))
def test_broken_scenarios_can_run(name, tmp_path):
    for one in scenario_breaks.breaks_of(ROOT, name):
        documents = [document for _, document, _ in one.forms()]
        assert len(set(documents)) == len(documents), f"{one.label} changes nothing"
        for document in documents:
            (tmp_path / "broken.yaml").write_text(document)
            done = subprocess.run([WEIR, "lab", "show", tmp_path / "broken.yaml"], text=True,
                                  capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, f"{one.label}: {done.stderr}"
            for line in one.fails:
                assert f"expected: {line}\n" in done.stdout


SCENARIO = """callers: { rate: 10/s }
variants: { a: { weir: { timeout: 1s } }, b: { weir: {} } }
expect:
  - a.failed == 0
  - b.failed == 0
"""
GOOD = """- change: { callers: { rate: 20/s } }
  fails: [a.failed == 0, b.failed == 0]
"""
A_ALONE = GOOD.replace(", b.failed == 0", "")


def check(tmp_path, **breaks):
    for folder, files in ("lab/scenarios", {"x": SCENARIO}), ("tests/breaks", breaks):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (tmp_path / folder / f"{name}.yaml").write_text(text)
    done = subprocess.run(["/usr/bin/python3", ROOT / "scripts" / "check-breaks", tmp_path],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == "" and done.returncode == (done.stdout != "")
    return done.stdout


def test_the_check_passes_what_is_whole(tmp_path):
    assert check(tmp_path, x=GOOD) == ""


@pytest.mark.parametrize("breaks, words", [
    ({}, "x.yaml:1: is missing"),
    ({"x": GOOD, "y": GOOD}, "y.yaml:1: there is no scenario y"),
    ({"x": A_ALONE}, "b.failed == 0: what breaks it is not listed"),
    ({"x": GOOD + GOOD}, "a.failed == 0: what breaks it is listed more than once"),
    ({"x": GOOD.replace("b.failed == 0", "b.failed < 1")}, "nobody expects b.failed < 1"),
    ({"x": GOOD.replace("- ch", "- act: one\n  ch")}, "there is no act one"),
    ({"x": GOOD.replace("callers: { rate: 20/s }", "variants: { c: { weir: {} } }")},
     "no line of it speaks of c"),
    ({"x": GOOD.replace("change:", "chnage:")}, "a break has change and fails"),
])
def test_the_check_tells_what_is_wrong(tmp_path, breaks, words):
    assert words in check(tmp_path, **breaks)


def test_what_is_put_over_a_scenario():
    assert scenario_breaks.merged({"a": {"b": "1", "c": "2"}, "d": ["3"]},
                                  {"a": {"b": "~", "e": "4"}, "d": "5"}) == \
        {"a": {"c": "2", "e": "4"}, "d": "5"}
