"""./dev as a user types it, and the checks against trees with a planted fault.

A planted tree is small, correct but for one thing, and lies in the test's own directory.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from verbs import eventually

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"


def run(*argv, cwd=ROOT, **env):
    return subprocess.run(argv, cwd=cwd, env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120,
                          check=False)


# ---- ./dev ---------------------------------------------------------------------------------

def test_alone_it_lists_each_verb_with_one_line():
    done = run("./dev")
    assert done.returncode == 0
    listed = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith("  ")}
    for verb in ("build", "demo", "test", "bench", "fuzz", "lint", "fmt", "asan", "tsan", "clean",
                 "docs", "scenarios", "setup"):
        assert verb in listed, done.stdout
        assert len(listed[verb].split()) > 3, f"{verb} is not explained"
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


def test_every_listed_verb_exists_and_the_reverse():
    text = (ROOT / "dev").read_text()
    described = {line.split()[1] for line in text.splitlines() if line.startswith("#: ")}
    defined = {line.split("(")[0][len("verb_"):] for line in text.splitlines()
               if line.startswith("verb_") and line.endswith("() {")}
    assert described == defined


@pytest.mark.parametrize("argv", [("frobnicate",), ("setup", "moon"), ("bench", "no-such"),
                                  ("fuzz", "no-such"), ("docs", "no-such"), ("Build",), ("a;b",)])
def test_misuse_is_exit_2_with_a_message(argv):
    done = run("./dev", *argv)
    assert done.returncode == 2
    assert argv[-1] in done.stderr


def test_it_works_from_any_directory(tmp_path):
    assert run(str(ROOT / "dev"), cwd=tmp_path).returncode == 0


def stand_in_tools(tmp_path, installed):
    """A PATH with the plain tools and a dpkg-query that knows the packages given. Nothing on it
    can install anything."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "sed", "dirname", "basename", "cat", "mktemp", "rm", "grep"):
        (tools / name).symlink_to(shutil.which(name))
    query = tools / "dpkg-query"
    rows = "".join(f"{name} installed\\n" for name in installed)
    query.write_text(f"#!/bin/sh\nprintf '{rows}'\n")
    query.chmod(0o755)
    return tools


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become somebody without rights")
def test_without_rights_it_says_what_is_missing_and_the_line_to_run(tmp_path):
    tools = stand_in_tools(tmp_path, ["libc6-dev", "libuv1-dev", "libmnl-dev", "libc-ares-dev",
                                      "libyaml-dev", "gcc", "meson"])
    tmp_path.chmod(0o755)
    # a copy where an unprivileged user may read: the tree itself may be under a closed directory
    place = Path(subprocess.check_output(["mktemp", "-d", "/tmp/weir-front-XXXXXX"],
                                         text=True).strip())
    try:
        place.chmod(0o755)
        shutil.copy(ROOT / "dev", place / "dev")
        shutil.copytree(tools, place / "bin", symlinks=True)
        done = subprocess.run(
            ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
             str(place / "bin/bash"), str(place / "dev"), "build"],
            cwd="/", env={"PATH": str(place / "bin")}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    finally:
        shutil.rmtree(place)
    assert done.returncode == 1, done.stderr
    assert "missing for build: ninja-build pkgconf libjansson-dev" in done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert line.split()[1:3] == ["setup", "build"]
    assert "apt-get install --no-install-recommends ninja-build pkgconf libjansson-dev" in line


def test_the_runner_lists_its_suites():
    done = run(PYTHON, "scripts/run-tests", "--list")
    assert done.returncode == 0
    suites = [line.split()[0] for line in done.stdout.splitlines()]
    for suite in ("build", "checks", "unit", "cli", "asan-unit", "asan-cli"):
        assert suite in suites


# ---- the test runner, on a tree of its own -------------------------------------------------

RUNNER_DEV = "#!/bin/sh\nexit 0\n"


def runner_tree(tmp_path, tests):
    """A tree whose suite `unit` runs the shell commands given, {name: command}."""
    import json
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/run-tests", tmp_path / "scripts/run-tests")
    (tmp_path / "tests/unit").mkdir(parents=True)
    (tmp_path / "tests/unit/meson.build").write_text("")
    (tmp_path / "dev").write_text(RUNNER_DEV)
    (tmp_path / "dev").chmod(0o755)
    info = tmp_path / "build/meson-info"
    info.mkdir(parents=True)
    rows = [{"name": name, "cmd": ["/bin/sh", "-c", command], "env": {}, "suite": ["weir:unit"],
             "timeout": 5, "workdir": None, "is_parallel": True}
            for name, command in tests.items()]
    (info / "intro-tests.json").write_text(json.dumps(rows))
    return tmp_path


def closing_line(done):
    return done.stdout.strip().splitlines()[-1]


def run_suite(tree, *words):
    return run(PYTHON, "scripts/run-tests", *(words or ("unit",)), cwd=tree)


def test_the_runner_takes_every_word(tmp_path):
    ok = "printf '1..1\\nok 1 - a\\n'"
    tree = runner_tree(tmp_path, {"one": ok, "two": ok, "three": ok})
    (tree / "tests/cli").mkdir()
    (tree / "tests/cli/test_it.py").write_text("".join(
        f"def test_{name}():\n    pass\n" for name in ("one", "two", "four")))
    done = run_suite(tree, "one", "three", "four")
    assert done.returncode == 0, done.stdout
    assert closing_line(done) == "5 passed, 0 failed"  # with the build
    done = run_suite(tree, "one", "unit")
    assert closing_line(done) == "5 passed, 0 failed"  # all of unit, and one of cli


def test_the_runner_counts_what_tap_reports(tmp_path):
    done = run_suite(runner_tree(tmp_path, {
        "good": "printf '1..2\\nok 1 - a\\nok 2 - b\\n'",
        "mixed": "printf '1..3\\nok 1 - c\\nnot ok 2 - d\\n# why d\\nnot ok 3 # SKIP e\\n'; exit 1",
    }))
    assert done.returncode == 1
    assert closing_line(done) == "4 passed, 1 failed, 1 skipped"  # with the build
    assert "mixed: d" in done.stdout and "why d" in done.stdout


@pytest.mark.parametrize("command, said", [
    ("printf '1..2\\nok 1 - a\\n'", "1 of 2 tests ran"),
    ("printf '1..1\\nok 1 - a\\n'; kill -SEGV $$", "SIGSEGV"),
    ("printf '1..1\\nok 1 - a\\n'; exit 3", "exit status 3"),
    ("exec sleep 60", "no end within 5 s"),
])
def test_the_runner_counts_a_bad_end_as_a_failure(tmp_path, command, said):
    done = run_suite(runner_tree(tmp_path, {"bad": command}))
    assert done.returncode == 1
    assert ", 1 failed" in closing_line(done)
    assert said in done.stdout


def test_a_process_left_behind_is_a_failure_and_is_ended(tmp_path):
    done = run_suite(runner_tree(tmp_path, {
        "leaves": "setsid sleep 61.5 >/dev/null 2>&1 & printf '1..1\\nok 1 - a\\n'"}))
    assert done.returncode == 1
    assert "was left behind" in done.stdout and "sleep 61.5" in done.stdout
    assert closing_line(done) == "2 passed, 1 failed"
    pid = done.stdout.split("process ")[1].split()[0]
    command = Path(f"/proc/{pid}/cmdline")  # empty once it is dead and waits for its parent

    def is_dead():
        try:
            return command.read_text() == ""
        except (FileNotFoundError, ProcessLookupError):
            return True
    eventually(is_dead)


MEETS = """
import time
from pathlib import Path


def test_meets():
    Path(__file__).with_suffix(".here").touch()
    until = time.monotonic() + 60
    while len(list(Path(__file__).parent.glob("*.here"))) < 2:
        assert time.monotonic() < until, "the other one does not run"
        time.sleep(0.01)
"""


def test_files_of_pytest_run_at_once(tmp_path):
    """Each waits for the other, and each is counted."""
    tree = runner_tree(tmp_path, {})
    (tree / "tests/cli").mkdir()
    for name in ("one", "other"):
        (tree / f"tests/cli/test_{name}.py").write_text(MEETS)
    done = run_suite(tree, "cli")
    assert done.returncode == 0, done.stdout
    assert closing_line(done) == "3 passed, 0 failed"  # with the build


def test_a_suite_without_tests_is_a_failure(tmp_path):
    done = run_suite(runner_tree(tmp_path, {}))
    assert done.returncode == 1
    assert "ran no test" in done.stdout
    assert closing_line(done) == "1 passed, 1 failed"


def test_all_good_is_exit_0(tmp_path):
    done = run_suite(runner_tree(tmp_path, {"good": "printf '1..1\\nok 1 - a\\n'"}))
    assert done.returncode == 0
    assert closing_line(done) == "2 passed, 0 failed"


# ---- the checks ----------------------------------------------------------------------------

GOOD = {
    "src/base/list.h": "#ifndef WEIR_BASE_LIST_H\n#define WEIR_BASE_LIST_H\nint list_len(void);\n"
                       "#endif\n",
    "src/base/list.c": '#include "base/list.h"\n\nstatic const int table[] = { 1, 2 };\n\n'
                       "int list_len(void)\n{\n\treturn table[0];\n}\n",
    "src/io/uv/loop.c": '#include <uv.h>\n\n#include "base/list.h"\n\n#if 1\n'
                        "int loop_run(void)\n{\n\treturn list_len();\n}\n#endif\n",
    "src/proxy/options.def": 'OPT(duration, timeout, "timeout", "DURATION", "30s", "budget")\n'
                             'OPT(flag, quiet, "quiet", "", "", "no progress")\n',
    "src/base/err.def": 'ERR(SHED, POLICY, SAFE, 503, "shed", "not in time")\n',
    "man/weir-proxy.1": ".TH WEIR-PROXY 1\n.SH OPTIONS\n.TP\n.BI \\-\\-timeout\\~ DURATION\n"
                        "The budget; default 30s.\n.TP\n.BR \\-\\-quiet , \\-\\-no\\-quiet\n"
                        "No progress.\n",
    "man/weir.1": ".TH WEIR 1\n.SH VERBS\n.BR weir\\-proxy (1)\n.SH REASONS\n.TP\n.B shed\nlate\n",
    "ARCHITECTURE.md": "# How\n\nA loop runs: `io/uv/loop.c:loop_run`, in `src/io/uv/loop.c`.\n",
    "README.md": "# Read\n\n[how](ARCHITECTURE.md#how)\n",
    "docs/page.md": "# Page\n\nTake 1,000 of `weir` at 0.5 s: [how](page.md).\n\n    weir watch\n",
    "docs/scenarios/one.md": "# One\n\n<!-- picture one.svg\npanel: Good = bars good, log:p99\n-->\n"
                             "![good](one.svg)\n\n<!-- table\nfigures: good\n-->\n<!-- end -->\n",
    "docs/scenarios/one.svg": "<svg/>\n",
    "lab/scenarios/one.yaml": "server: {}\n",
    "src/lab/figures.def": 'FIGURE(good, COUNT, "answers")\nFIGURE(p99, TIME, "latency")\n',
    "docs/page.ko.md": "# 쪽\n\n`weir` 1,000개를 0.5초에: [방법](page.ko.md).\n\n    weir watch\n",
}

FAST_CHECKS = ["layers", "limits", "man", "architecture", "links", "text", "translations",
               "pictures", "format"]


def plant(tmp_path, changes=None):
    for path, text in {**GOOD, **(changes or {})}.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    shutil.copy(ROOT / ".clang-format", tmp_path / ".clang-format")
    return tmp_path


def check(name, tree):
    return run(PYTHON, str(ROOT / f"scripts/check-{name}"), str(tree))


@pytest.mark.parametrize("name", FAST_CHECKS)
def test_the_good_tree_passes(tmp_path, name):
    done = check(name, plant(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def function(body, head="int long_one(void)"):
    return f"{head}\n{{\n{body}}}\n"


LIST_H = GOOD["src/base/list.h"]
LIST_C = GOOD["src/base/list.c"]
LOOP_C = GOOD["src/io/uv/loop.c"]
MAN = GOOD["man/weir-proxy.1"]
ONE_MD = GOOD["docs/scenarios/one.md"]

FAULTS = {
    # layers
    "upward include": ("layers", "src/base/list.c:2", "base/ may not include io/", {
        "src/base/list.c": '#include "base/list.h"\n#include "io/loop.h"\n',
        "src/io/loop.h": "#ifndef WEIR_IO_LOOP_H\n#define WEIR_IO_LOOP_H\n#endif\n"}),
    "one verb in another": ("layers", "src/proxy/a.c:1", "proxy/ may not include load/", {
        "src/proxy/a.c": '#include "load/b.h"\n',
        "src/load/b.h": "#ifndef WEIR_LOAD_B_H\n#define WEIR_LOAD_B_H\n#endif\n"}),
    "uv.h elsewhere": ("layers", "src/base/list.c:1", "<uv.h> does not belong", {
        "src/base/list.c": "#include <uv.h>\n"}),
    "a second jansson": ("layers", "src/base/list.c:1", "<jansson.h> does not belong", {
        "src/base/list.c": "#include <jansson.h>\n"}),
    "netlink outside io": ("layers", "src/attr/a.c:1", "<linux/netlink.h> does not belong", {
        "src/attr/a.c": "#include <linux/netlink.h>\n"}),
    "a descriptor in flow": ("layers", "src/flow/a.c:1", "flow/ is pure", {
        "src/flow/a.c": "#include <unistd.h>\n"}),
    "condition": ("layers", "src/base/list.c:1", "#ifdef outside", {
        "src/base/list.c": "#ifdef X\n#endif\n"}),
    "guard": ("layers", "src/base/list.h:1", "should be WEIR_BASE_LIST_H", {
        "src/base/list.h": LIST_H.replace("LIST_H", "OTHER_H")}),
    "no such header": ("layers", "src/base/list.c:1", "is not in src/", {
        "src/base/list.c": '#include "list.h"\n'}),
    "folder out of the table": ("layers", "src/util/a.c:1", "not in the layer table", {
        "src/util/a.c": "int a;\n"}),
    "private to the twin": ("layers", "src/http/a.c:1", "private to io/uv", {
        "src/http/a.c": '#include "io/uv/a.h"\n',
        "src/io/uv/a.h": "#ifndef WEIR_IO_UV_A_H\n#define WEIR_IO_UV_A_H\n#endif\n"}),
    # limits
    "81 lines": ("limits", "src/base/list.c:1", "has 81 lines", {
        "src/base/list.c": function("\tf();\n" * 78)}),
    "901 lines": ("limits", "src/base/list.c:901", "901 lines", {
        "src/base/list.c": "/* */\n" * 901}),
    "seven parameters": ("limits", "src/base/list.c:1", "has 7 parameters", {
        "src/base/list.c": function("", "int f(int a, int b, int c, int (*d)(int, int), int e, "
                                        "int g, int h)")}),
    "five deep": ("limits", "src/base/list.c:9", "nested 5 deep", {
        "src/base/list.c": function("\tif (a)\n\t\tfor (;;)\n\t\t\twhile (b)\n\t\t\t\tswitch (c) {"
                                    "\n\t\t\t\tcase 1:\n\t\t\t\t\tdo\n\t\t\t\t\t\tx();\n"
                                    "\t\t\t\t\twhile (d);\n\t\t\t\t}\n")}),
    "itself": ("limits", "src/base/list.c:1", "calls itself: f > f", {
        "src/base/list.c": function("\treturn f();\n", "int f(void)")}),
    "in a circle": ("limits", "src/base/list.c:1", "calls itself: f > g > f", {
        "src/base/list.c": function("\treturn g();\n", "int f(void)") +
        function("\treturn f();\n", "int g(void)")}),
    "banned": ("limits", "src/base/list.c:3", "strcpy is banned", {
        "src/base/list.c": function("\tstrcpy(a, b);\n")}),
    "mutable": ("limits", "src/base/list.c:1", "mutable data", {
        "src/base/list.c": "static int calls;\n"}),
    "mutable pointers": ("limits", "src/base/list.c:1", "mutable data", {
        "src/base/list.c": 'static const char *names[] = { "a" };\n'}),
    "mutable struct": ("limits", "src/base/list.c:1", "mutable data", {
        "src/base/list.c": "static struct { int a; } state = { 0 };\n"}),
    "unbalanced": ("limits", "src/base/list.c:1", "cannot be followed", {
        "src/base/list.c": "int f(void)\n{\n\tif (a) {\n}\n"}),
    # the manual
    "option without entry": ("man", "src/proxy/options.def:2", "--quiet is not an entry", {
        "man/weir-proxy.1": MAN[:MAN.rindex(".TP")]}),
    "entry without option": ("man", "man/weir-proxy.1:10", "no option --loud", {
        "man/weir-proxy.1": MAN + ".TP\n.B \\-\\-loud\nVery.\n"}),
    "no-NAME of what is no flag": ("man", "man/weir-proxy.1:10", "no option --no-timeout", {
        "man/weir-proxy.1": MAN + ".TP\n.B \\-\\-no\\-timeout\nWaits.\n"}),
    "another default": ("man", "man/weir-proxy.1:4", "does not say its default, 30s", {
        "man/weir-proxy.1": MAN.replace("30s", "130s")}),
    "verb without page": ("man", "man/weir-load.1:1", "is missing", {
        "src/load/options.def": 'OPT(flag, json, "json", "", "", "JSON")\n'}),
    "reason without name": ("man", "man/weir.1:1", "does not name eof", {
        "src/base/err.def": GOOD["src/base/err.def"] +
        'ERR(EOF, NOBODY, NO, 502, "eof", "closed")\n'}),
    # texts
    "no such function": ("architecture", "ARCHITECTURE.md:1", "no function loop_walk", {
        "ARCHITECTURE.md": "`io/uv/loop.c:loop_walk`\n"}),
    "no such file": ("architecture", "ARCHITECTURE.md:1", "there is no io/gone.c", {
        "ARCHITECTURE.md": "`io/gone.c:f`\n"}),
    "five pages": ("architecture", "ARCHITECTURE.md:260", "261 lines", {
        "ARCHITECTURE.md": "text\n" * 261}),
    "dead link": ("links", "README.md:1", "leads nowhere", {
        "README.md": "[x](docs/gone.md)\n"}),
    "dead anchor": ("links", "README.md:1", "no heading", {
        "README.md": "[x](ARCHITECTURE.md#what)\n"}),
    "machine path": ("text", "README.md:1", "a path of one machine", {
        "README.md": "see /ho" "me/me/x\n"}),
    "trailing blank": ("text", "README.md:2", "a blank", {
        "README.md": "a\nb \n"}),
    "no newline": ("text", "README.md:1", "no newline", {
        "README.md": "a"}),
    "heading lost": ("translations", "docs/page.ko.md:1", "1 headings, docs/page.md has 2", {
        "docs/page.md": GOOD["docs/page.md"] + "\n## More\n"}),
    "other level": ("translations", "docs/page.ko.md:1", "level 2, not 1", {
        "docs/scenarios/one.md": "# One\n\n<!-- picture one.svg\npanel: Good = bars good, log:p99\n-->\n"
                             "![good](one.svg)\n\n<!-- table\nfigures: good\n-->\n<!-- end -->\n",
    "docs/scenarios/one.svg": "<svg/>\n",
    "lab/scenarios/one.yaml": "server: {}\n",
    "src/lab/figures.def": 'FIGURE(good, COUNT, "answers")\nFIGURE(p99, TIME, "latency")\n',
    "docs/page.ko.md": "#" + GOOD["docs/page.ko.md"]}),
    "other figure": ("translations", "docs/page.ko.md:1", "figure 1,000 is missing", {
        "docs/page.ko.md": GOOD["docs/page.ko.md"].replace("1,000", "10,000")}),
    "other command": ("translations", "docs/page.ko.md:1", "lines of code", {
        "docs/page.ko.md": GOOD["docs/page.ko.md"].replace("watch", "load")}),
    "link lost": ("translations", "docs/page.ko.md:1", "link page.md is missing", {
        "docs/page.ko.md": GOOD["docs/page.ko.md"].replace("](page.ko.md)", "]")}),
    "no original": ("translations", "docs/other.ko.md:1", "there is no docs/other.md", {
        "docs/other.ko.md": "x\n"}),
    "nobody draws it": ("pictures", "docs/two.svg:1", "no page says how", {
        "docs/two.svg": "<svg/>\n"}),
    "two draw it": ("pictures", "docs/two.md:1", "docs/scenarios/one.md draws", {
        "docs/two.md": "<!-- picture scenarios/one.svg\nrun: one\npanel: bars good\n-->\n"}),
    "not drawn yet": ("pictures", "docs/two.md:1", "there is no docs/two.svg", {
        "docs/two.md": "<!-- picture two.svg\nrun: one\npanel: bars good\n-->\n"}),
    "no such scenario": ("pictures", "docs/scenarios/one.md:3", "no scenario two", {
        "docs/scenarios/one.md": ONE_MD.replace("panel:", "run: two --full\npanel:")}),
    "no such figure": ("pictures", "docs/scenarios/one.md:3", "no figure p42", {
        "docs/scenarios/one.md": ONE_MD.replace("p99", "p42")}),
    "no such panel": ("pictures", "docs/scenarios/one.md:3", "what panel is", {
        "docs/scenarios/one.md": ONE_MD.replace("bars", "pies")}),
    "no such key": ("pictures", "docs/scenarios/one.md:3", "what is 'colour: red'", {
        "docs/scenarios/one.md": ONE_MD.replace("panel:", "colour: red\npanel:")}),
    "no end": ("pictures", "docs/scenarios/one.md:8", "it has no <!-- end -->", {
        "docs/scenarios/one.md": ONE_MD.replace("<!-- end -->", "")}),
    "of no run": ("pictures", "docs/two.md:1", "of which run?", {
        "docs/two.md": "<!-- run -->\n<!-- end -->\n"}),
    "format": ("format", "src/base/list.c:2", "is not formatted", {
        "src/base/list.c": "int f(void)\n{\n  return 1;\n}\n"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(tmp_path, fault):
    name, place, said, changes = FAULTS[fault]
    done = check(name, plant(tmp_path, changes))
    assert done.returncode == 1, done.stdout + done.stderr
    found = [line for line in done.stdout.splitlines() if line.startswith(place + ": ")]
    assert any(said in line for line in found), done.stdout + done.stderr


WAIVED = {
    "layers": {"src/base/list.c": "/* rule zero: measured */\n#ifdef X\n#endif\n"},
    "limits": {"src/base/list.c": "/* rule zero: a signal handler has nothing else */\n"
                                  "static int caught;\n\n"
                                  "/* rule zero: a table in disguise */\n" +
                                  function("\tf();\n" * 90)},
}


@pytest.mark.parametrize("name", WAIVED)
def test_rule_zero_lets_a_reason_stand(tmp_path, name):
    done = check(name, plant(tmp_path, WAIVED[name]))
    assert (done.returncode, done.stdout) == (0, "")


SOUND = r'''
struct item {
	int a;
	struct { int b; } inner;
};
enum kind { KIND_A, KIND_B = 2 };
typedef int (*on_done)(void *ctx, int status);
extern const struct item items[];
static const char *const names[] = { "a{", "b}" };
static int (*const table[])(void) = { NULL };
struct item *item_new(int a, int (*each)(int, int), const char *text);
MUST_USE static inline int f(void);
_Static_assert(sizeof(int) == 4, "int");
#define MANY(x) \
	do {        \
		strcpy(x, x); \
	} while (0)

/* if (a) { strcpy(b, c); */
NORETURN __attribute__((noinline)) static void stop(const char *fmt, ...)
{
	for (;;)
		LIST_EACH(&list, node) {
			if (*fmt == '{')
				abort();
			else if (*fmt == '"')
				g((struct item){ .a = 1, .inner = { 2 } });
			else if (fmt[1])
				do {
					x->strcpy(1);
				} while (0);
			else
				h();
		}
out:
	switch (a ? b : c) {
	case KIND_A:
	case 'x': {
		return;
	}
	default:
		break;
	}
}
'''


def test_sound_c_is_followed(tmp_path):
    done = check("limits", plant(tmp_path, {"src/base/list.c": SOUND}))
    assert (done.returncode, done.stdout) == (0, "")


def test_shellcheck_finds_scripts_by_their_first_line(tmp_path):
    plant(tmp_path, {"run": "#!/bin/bash\necho $1\n"})
    done = check("shell", tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("run:2:")
