"""weir check: for every wrong file in samples/check, all that is wrong with it, word for word."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
SAMPLES = Path(__file__).resolve().parent / "samples" / "check"
GOOD = """
listen: [":8080"]
admin: 127.0.0.1:8081
upstreams:
  api: { url: [http://a, "http://b"], limit: 900, timeout: 800ms }
  other:
    url: http://c/base
    connections: close
routes:
  - { host: api.local, path: /v1/*, method: [GET, POST], upstream: api, gather: 3, timeout: 300ms }
  - host: "*.local"
    upstream: api
  - { upstream: other }
"""


def check(*files, cwd=None, env=None):
    return subprocess.run([WEIR, "check", *map(str, files)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                          check=False, cwd=cwd, env=dict(os.environ, **(env or {})))


def test_there_are_enough_samples():
    assert len(list(SAMPLES.glob("*.yaml"))) >= 20
    assert ({f.stem for f in SAMPLES.glob("*.yaml")} == {f.stem for f in SAMPLES.glob("*.txt")})


@pytest.mark.parametrize("name", sorted(f.stem for f in SAMPLES.glob("*.yaml")))
def test_a_wrong_file(name):
    done = check(f"{name}.yaml", cwd=SAMPLES)
    assert done.stderr == (SAMPLES / f"{name}.txt").read_text()
    assert done.returncode == 1 and done.stdout == ""
    # the proxy itself says the same
    proxy = subprocess.run([WEIR, "proxy", "--config", f"{name}.yaml"], cwd=SAMPLES, text=True,
                           stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60,
                           check=False)
    assert proxy.stderr == done.stderr and proxy.returncode == 2


def test_a_good_file(tmp_path):
    file = tmp_path / "weir.yaml"
    file.write_text(GOOD)
    done = check(file)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{file}: ok: 2 upstreams, 3 routes\n"
    file.write_text("listen: ':8080'\nupstream: http://name.that.nobody.has.invalid\n")
    done = check(file, env={"WEIR_PROXY_LIMIT": "nonsense", "WEIR_PROXY_UPSTREAM": "x"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{file}: ok: 1 upstream, 1 route\n"


def test_the_example_of_the_manual(tmp_path):
    """What the manual and the page about configuration show is a good file."""
    page = (ROOT / "docs" / "configuration.md").read_text()
    blocks = [b.split("\n```")[0] for b in page.split("```yaml\n")[1:]]
    assert blocks
    for n, block in enumerate(blocks):
        (tmp_path / f"{n}.yaml").write_text(block + "\n")
    done = check(*sorted(tmp_path.iterdir()))
    assert done.stderr == "" and done.returncode == 0


def test_misuse(tmp_path):
    assert check().returncode == 2
    done = check(tmp_path / "none.yaml")
    assert done.returncode == 2 and "none.yaml: No such file or directory" in done.stderr
    done = check(tmp_path)
    assert done.returncode == 2 and "Is a directory" in done.stderr
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text("x: 1\n")
    done = check(tmp_path / "bad.yaml", tmp_path / "good.yaml")
    assert done.returncode == 1 and "ok: 2 upstreams" in done.stdout
    assert "bad.yaml:1:1: unknown key 'x'" in done.stderr
