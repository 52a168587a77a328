"""Lets tests of every folder import tests/verbs.py."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def fasthttp(tmp_path_factory):
    """A real fasthttp as the API: the program's path."""
    from verbs import build_fasthttp
    program, why = build_fasthttp(tmp_path_factory.mktemp("fasthttp"))
    if not program:
        pytest.skip(why)
    return program
