"""The front page, the verbs' help, and how misuse is told."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
VERBS = ("proxy", "check", "origin", "load", "watch", "lab")


def weir(*argv, **more):
    return subprocess.run([WEIR, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False, **more)


def built():
    line = weir("--version").stdout.splitlines()[1]
    return line.split()[1:]


def test_alone_it_lists_the_verbs_with_an_example_each():
    done = weir()
    assert done.returncode == 0 and done.stderr == ""
    listed = {line.split()[0]: line for line in done.stdout.splitlines()
              if line.startswith("  ") and not line.startswith("  weir")}
    for verb in built():
        assert len(listed[verb].split()) > 3, f"{verb} is not explained"
        assert re.search(rf"^  weir {verb} ", done.stdout, re.M), f"no example of {verb}"
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


@pytest.mark.parametrize("argv", [("--help",), ("-h",), ("help",)])
def test_help_is_the_front_page(argv):
    assert weir(*argv).stdout == weir().stdout


def test_version():
    for argv in (("--version",), ("-V",), ("version",)):
        done = weir(*argv)
        assert done.returncode == 0
        assert re.fullmatch(r"weir \d+\.\d+\.\d+\nverbs:( \w+)+\n", done.stdout)
    assert set(built()) <= set(VERBS)


@pytest.mark.parametrize("verb", built())
def test_a_verb_tells_all_its_options(verb):
    done = weir(verb, "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith(f"usage: weir {verb}")
    assert re.search(rf"^ *weir {verb}\b", done.stdout, re.M), "no line to paste"
    table = ROOT / "src" / verb / "options.def"
    rows = table.read_text() if table.exists() else ""
    for name in re.findall(r'^OPT(?:_\w+)?\(\w+, \w+, "([^"]+)"', rows, re.M):
        assert re.search(rf"^  --(\[?no-\]?)?{name}\b", done.stdout, re.M), name
    assert weir("help", verb).stdout == done.stdout
    assert weir(verb, "-h").stdout == done.stdout


@pytest.mark.parametrize("argv,says", [
    (("laod",), "did you mean load"),
    (("frobnicate",), "frobnicate"),
    (("help", "orign"), "did you mean origin"),
    (("--frobnicate",), "--frobnicate"),
    (("",), "unknown verb"),
    (("load", "--raet", "1/s"), "did you mean --rate"),
    (("load", "--frobnicate", "1"), "--frobnicate"),
    (("load", "--rate"), "--rate needs a value"),
    (("load", "--json=yes"), "takes no value"),
    (("load", "-x"), "-x"),
    (("load", "--rate", "1/s", "--log", "", "http://127.0.0.1:9/"), "--log: empty: write FILE"),
    (("proxy", "--upstream-ca="), "--upstream-ca: empty"),
    (("proxy", "--upstream", "http://127.0.0.1:9", "--limit", "1,000"), "such as 1000"),
    (("proxy", "--listen", ":0", "--upstream", "http://127.0.0.1:9", "--connect-timeout",
      "0"), "every connect would be too late"),
    (("proxy", "--listen", ":0", "--upstream", "http://127.0.0.1:9", "--client-head-for",
      "0ms"), "every request would be too late"),
    (("lab", "show", "incident", "--rate", "0/s"), "--rate 0/s: nothing would run"),
    (("lab", "show", "incident", "--rate", "2M/s"), "--rate"),
    (("lab", "show", "incident", "--rate", "2000000/s"), "--rate: at most 1,000,000/s"),
    (("lab", "show", "incident", "--for", "48h"), "--for: a day at most"),
    (("lab", "show", "incident", "--parallel", "0"), "--parallel 0: nothing would run"),
])
def test_misuse_is_exit_2_with_a_message(argv, says):
    done = weir(*argv)
    assert done.returncode == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert len(done.stderr.splitlines()) <= 3


# what no option of a kind can be; how values are read has its unit test
WRONG = {
    "flag": ("maybe",),
    "text": ("",),
    "texts": ("",),
    "duration": ("", "5", "1,5s"),
    "size": ("", "1XB"),
    "count": ("", "1.5", "1,000"),
    "limit": ("", "0"),
    "rate": ("", "5", "0/s"),
    "share": ("", "101%"),
    "choice": ("", "frobnicate"),
}
NEEDED = {
    "proxy": {"listen": "127.0.0.1:0", "upstream": "http://127.0.0.1:9"},
    "origin": {"listen": "127.0.0.1:0"},
    "load": {"rate": "1/s"},
    "watch": {},
    "lab": {},
}
WORDS = {"load": ("http://127.0.0.1:9/",), "watch": ("--once",), "lab": ("show", "incident")}
ROW = re.compile(r'^OPT\w*\((\w+), \w+, "([\w-]+)"', re.M)


@pytest.mark.parametrize("verb", NEEDED)
def test_every_option_refuses_what_it_cannot_be(verb):
    rows = ROW.findall((ROOT / "src" / verb / "options.def").read_text())
    assert len(rows) > 5
    for kind, name in rows:
        others = [f"--{k}={v}" for k, v in NEEDED[verb].items() if k != name]
        for value in WRONG[kind]:
            done = weir(verb, *WORDS.get(verb, ()), *others, f"--{name}={value}")
            assert done.returncode == 2, (name, value, done.stdout, done.stderr)
            assert f"--{name}" in done.stderr and done.stdout == "", (name, value, done.stderr)


def test_a_program_that_is_not_installed_is_no_misuse(tmp_path):
    argv = ("incident", "--act", "1", "--only", "node")
    done = weir("lab", "run", *argv, cwd=tmp_path, env={"PATH": str(tmp_path)})
    assert done.returncode == 1
    assert done.stderr == \
        "weir lab: nothing can run here: `node` is not installed (apt install nodejs)\n"
    done = weir("lab", "show", *argv, cwd=tmp_path, env={"PATH": str(tmp_path)})
    assert done.returncode == 0 and "node lab/middlewares/node.js" in done.stdout


def test_a_full_disk_is_not_success():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([WEIR, "--help"], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
    assert done.returncode == 1
    assert "standard output" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_noise():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        done = subprocess.run([WEIR, "--help"], stdout=pipe, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == ""
