"""docs/http.md: each number names tests, and each of these is there; each script is named."""

import re

import pytest

from verbs import ROOT

PLACES = ("tests/cli/test_http_{}.py", "tests/cli/test_{}.py", "tests/net/test_{}.py")
PAGE = (ROOT / "docs" / "http.md").read_text()
ITEMS = re.findall(r"(?ms)^(\d+)\. (.*?)(?=^\d+\. |^#|\Z)", PAGE)


def test_the_list_is_numbered_without_gaps():
    assert [int(n) for n, _ in ITEMS] == list(range(1, len(ITEMS) + 1))


@pytest.mark.parametrize("number, text", ITEMS, ids=[n for n, _ in ITEMS])
def test_each_number_names_tests_that_are_there(number, text):
    _, dash, tests = text.rpartition("—")
    names = re.findall(r"`([^`]+)`", tests)
    assert dash and names, "names no test"
    for name in names:
        if name.endswith(".vtc"):
            assert (ROOT / "tests" / "vtc" / name).exists(), name
            continue
        file, _, what = name.partition(":")
        found = [path for place in PLACES if (path := ROOT / place.format(file)).exists()]
        assert found, name
        source = found[0].read_text()
        assert f'"{what}"' in source or f"def {what}(" in source, name


def test_each_script_is_named():
    for path in (ROOT / "tests" / "vtc").glob("*.vtc"):
        assert f"`{path.name}`" in PAGE, path.name
