"""Runs scenarios by `weir lab run`, and says in a line what came of it."""

import json
import os
import subprocess
import time
from typing import NamedTuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WEIR = os.environ.get("WEIR", os.path.join(ROOT, "build", "weir"))
PRINTED = "printed.txt"


class Run(NamedTuple):
    document: object    # samples.json; None: it failed
    printed: str
    held: bool          # whatever the scenario expects
    said: str           # a line, and one more for each line that does not hold


def names():
    """Of the scenarios that come with weir."""
    folder = os.path.join(ROOT, "lab", "scenarios")
    return sorted(f[:-5] for f in os.listdir(folder) if f.endswith(".yaml"))


def verdict(document):
    """In words: lines that hold, of all; those that do not, by themselves."""
    lines = [e for act in document["acts"] for e in act["expect"]]
    failed = [e for e in lines if e["held"] is False]
    untold = [e for e in lines if e["held"] is None]
    busy = sum(not v["valid"] for act in document["acts"] for v in act["variants"])
    words = f"{len(lines) - len(failed) - len(untold)} of {len(lines)} lines hold"
    if untold:
        words += f", {len(untold)} without figures"
    if busy:
        words += f", {busy} rows not valid"
    for e in failed:
        words += f"\n    line {e['line']}: {e['text']} ({e['left']} and {e['right']})"
    return words


def run(words, out):
    """`weir lab run WORDS`, with its files in the directory `out`, and what it printed."""
    os.makedirs(os.path.dirname(out), exist_ok=True)
    began = time.monotonic()
    done = subprocess.run([WEIR, "lab", "run", *words, "--quiet", "--out", out], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    took = time.monotonic() - began
    if done.returncode not in (0, 1) or not os.path.exists(os.path.join(out, "samples.json")):
        return Run(None, "", False, f"{words[0]:20} failed: {done.stderr.strip()}")
    with open(os.path.join(out, PRINTED), "w", encoding="utf-8") as file:
        file.write(done.stdout)
    document, printed = last(out)
    held = done.returncode == 0
    return Run(document, printed, held, f"{words[0]:20} {'ok' if held else 'FAILED':6} {took:4.0f} s  "
               f"{verdict(document)}")


def last(out):
    """(result, what was printed) of the last run that left its files in `out`."""
    with open(os.path.join(out, "samples.json"), encoding="utf-8") as file:
        document = json.load(file)
    try:
        with open(os.path.join(out, PRINTED), encoding="utf-8") as file:
            return document, file.read()
    except FileNotFoundError:
        return document, ""
