"""Running weir lab in a place of a test's own, and reading its result."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from conftest import cannot_make_namespaces
from verbs import WEIR


@pytest.fixture(autouse=True)
def namespaces():
    why = cannot_make_namespaces()
    if why:
        pytest.skip(why)


@pytest.fixture
def place():
    """A TMPDIR and a current folder of the test's own; nothing may be left in the first."""
    folder = Path(tempfile.mkdtemp(prefix="weir-test-"))
    (folder / "tmp").mkdir()
    yield folder
    left = list((folder / "tmp").iterdir())
    shutil.rmtree(folder)
    assert not left


def lab(place, *words, program=WEIR, wrap=(), **more):
    env = dict(os.environ, TMPDIR=str(place / "tmp"))
    return subprocess.run([*wrap, program, "lab", *words], cwd=place, env=env, text=True,
                          capture_output=True, timeout=120, check=False, **more)


def start_lab(place, *words):
    env = dict(os.environ, TMPDIR=str(place / "tmp"))
    with open(place / "out", "wb") as out, open(place / "err", "wb") as err:
        return subprocess.Popen([WEIR, "lab", *words], cwd=place, env=env, stdout=out, stderr=err)


def rows_of(doc, act=0):
    return {v["label"]: v for v in doc["acts"][act]["variants"]}


def medians(variant):
    return {key: f and f["median"] for key, f in variant["figures"].items()}


def figures_of(doc, act=0):
    """{label: {key: median}}"""
    return {label: medians(v) for label, v in rows_of(doc, act).items()}


def links():
    return set(re.findall(r"^\d+: ([^:@]+)", subprocess.run(
        ["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout, re.M))
