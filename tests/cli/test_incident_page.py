"""docs/incident.md: its commands are ones that weir takes, and its figures agree with each other."""

import re
import shlex
import subprocess

import pytest
from verbs import ROOT, WEIR

PAGE = (ROOT / "docs" / "incident.md").read_text()
COMMANDS = sorted(set(re.findall(r"^    (weir .*)$", PAGE, re.M)))


def weir(*words):
    return subprocess.run([WEIR, *words], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60, check=False)


def section(title):
    return PAGE.split(f"## {title}", 1)[1].split("\n## ", 1)[0]


def test_each_question_has_a_command():
    for title in re.findall(r"^## (.*)$", PAGE, re.M)[:-1]:
        assert re.search(r"^    weir ", section(title), re.M), title


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("weir lab run")])
def test_the_lab_takes_the_command(command):
    words = shlex.split(command)[3:]
    shown = weir("lab", "show", *words)
    assert shown.returncode == 0, shown.stderr
    # variants and acts of the text are those of the run
    for name in re.findall(r"--only (\S+)", command):
        for variant in name.split(","):
            assert re.search(rf"^ +{variant}: ", shown.stdout, re.M), variant


def test_the_named_variants_exist():
    shown = "".join(weir("lab", "show", *shlex.split(c)[3:]).stdout for c in COMMANDS
                    if c.startswith("weir lab run"))
    for name in ("naive", "node", "yours", "pool-50", "manner", "limit", "rate",
                 "slow-20", "slots-kept", "slots-freed", "attempt", "parts"):
        assert f"`{name}`" in PAGE
        assert re.search(rf"^ +(?:act )?{name}\b", shown, re.M), name


def test_what_is_not_the_labs_is_taken_too():
    done = weir("watch", "--once")
    assert done.returncode == 0, done.stderr
    helped = weir("proxy", "--help").stdout
    for option in set(re.findall(r"`(--[a-z-]+)", section("What does weir do about each?"))):
        assert f"  {option} " in helped, option


def test_the_arithmetic():
    assert "250 × 60 = 15,000" in PAGE and 1000 / 4 * 60 == 15_000
    assert "1,000 ÷ 3 × 60 = 20,000" in PAGE and round(1000 / 3 * 60) == 20_000
    refused, calls, share = re.search(r"refused ([\d,]+) of ([\d,]+) calls, which is (\d+) %",
                                      PAGE).groups()
    ratio = int(refused.replace(",", "")) / int(calls.replace(",", ""))
    assert round(100 * ratio) == int(share)
