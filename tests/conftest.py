"""Lets tests of every folder import tests/verbs.py."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def go_program(tmp_path_factory):
    """Builds a Go program from its source, once; its path."""
    from verbs import build_go
    built = {}

    def build(source):
        if source not in built:
            built[source] = build_go(source, tmp_path_factory.mktemp("go"))
        program, why = built[source]
        if not program:
            pytest.skip(why)
        return program
    return build


@pytest.fixture(scope="session")
def fasthttp(go_program):
    """A real fasthttp as the API: the program's path."""
    from verbs import FASTHTTP_SOURCE
    return go_program(FASTHTTP_SOURCE)
