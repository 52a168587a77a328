"""That lines of scenarios fail which should, of the quickest of tests/breaks. `./dev scenarios --break`
runs all of them."""

import subprocess

import pytest

from conftest import ROOT
from labs import namespaces  # noqa: F401

QUICKEST = ["brown-out:3", "incident:2", "noisy-neighbour:3"]


@pytest.mark.parametrize("label", QUICKEST)
def test_lines_can_fail(weir, tmp_path, label):
    done = subprocess.run(["/usr/bin/python3", ROOT / "scripts" / "run-breaks", "--out", tmp_path,
                           label], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    short, broken = done.stdout.splitlines()
    assert " short  ok " in short and " broken ok " in broken
