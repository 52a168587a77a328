"""weir's verbs as processes, for tests: started, read by their start-up line, ended by PID."""

import contextlib
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
# seconds until a condition must hold: generous, a sanitized build is slow
PATIENCE = int(os.environ.get("WEIR_PATIENCE", "30"))
GOPATH = Path("/usr/share/gocode")  # Debian's Go packages
FASTHTTP_SOURCE = ROOT / "lab" / "servers" / "fasthttp" / "main.go"


def eventually(truth, within=PATIENCE):
    """Waits until truth() is true and returns its value."""
    until = time.monotonic() + within
    while True:
        value = truth()
        if value:
            return value
        assert time.monotonic() < until, f"still not so after {within} s: {truth.__doc__ or ''}"
        time.sleep(0.01)


def needs(*programs):
    """Skips the test where one of them is missing."""
    import pytest  # benches use this module without it
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


def free_port():
    """For a program that cannot say which one the kernel chose."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def read_all(sock):
    """All that comes until the other side's end."""
    data = b""
    while chunk := sock.recv(65536):
        data += chunk
    return data


def ask(path, target="/", method="GET"):
    """One request to a unix: admin address; its JSON."""
    return json.loads(ask_raw(path, target, method)[1])


def ask_raw(path, target="/", method="GET"):
    """The same: the answer's head, as text, and its body."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(PATIENCE)
        s.connect(str(path))
        s.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                  "Content-Length: 0\r\n\r\n".encode())
        data = read_all(s)
    head, body = data.split(b"\r\n\r\n", 1)
    if b"transfer-encoding: chunked" in head.lower():
        whole = b""
        while body:
            size, body = body.split(b"\r\n", 1)
            n = int(size, 16)
            whole, body = whole + body[:n], body[n + 2:]
            if n == 0:
                break
        body = whole
    return head.decode(), body


def get(proxy, path="/", **fields):
    """The answer of a proxy, with its body; `fields` are those of the request, _ for -."""
    c = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
    c.request("GET", path, headers={k.replace("_", "-"): v for k, v in fields.items()})
    r = c.getresponse()
    r.body = r.read()
    c.close()
    return r


class Verb:
    """A running verb with an admin endpoint: `with Verb("proxy", tmp, "--upstream", url) as p:`."""

    def __init__(self, name, folder, *options, weir=WEIR, listen="127.0.0.1:0", program=None):
        self.name = name
        self.admin = Path(folder) / f"{name}-{time.monotonic_ns()}.sock"
        argv = [*(program or [weir, name]), *(["--listen", listen] if listen else []),
                "--admin", f"unix:{self.admin}", *map(str, options)]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL)
        self.line = self._first_line()
        found = re.search(r"127\.0\.0\.1:(\d+)", self.line)
        self.port = int(found.group(1)) if found else 0
        self.url = f"http://127.0.0.1:{self.port}"

    def _first_line(self):
        ready, _, _ = select.select([self.process.stderr], [], [], PATIENCE)
        line = self.process.stderr.readline().decode() if ready else ""
        if "listening on" not in line:
            self.process.kill()
            line += self.process.communicate()[1].decode()
            raise AssertionError(f"{self.name} did not start: {line}")
        return line.rstrip("\n")

    def status(self):
        return ask(self.admin)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.said = self.process.communicate(timeout=PATIENCE)[1].decode()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        if kind is None:
            assert self.process.returncode in (0, -signal.SIGTERM), self.said


@contextlib.contextmanager
def forward_proxy(folder, *options, to="localhost@127.0.0.0/8:*"):
    """A proxy that goes wherever its callers want as long as it is `to`; its own address for them
    is `forward`."""
    with Verb("proxy", folder, "--upstream", "http://127.0.0.1:9", "--forward-listen",
              "127.0.0.1:0", "--forward-allow", to, *options) as p:
        p.forward = "http://" + re.search(r"(127\.0\.0\.1:\d+) \(forward\)", p.line)[1]
        yield p


@contextlib.contextmanager
def calling(proxy, rate, *options):
    """Callers who come whatever happens, until the end of the block."""
    load = subprocess.Popen([WEIR, "load", "--rate", rate, "--for", "300s", *options, proxy.url],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        load.terminate()
        load.wait()


def gauges_at_zero(proxy):
    """Every gauge of the proxy that counts work under way."""
    s = proxy.status()
    return (s["exchanges"]["now"] == 0 and s["queue"]["waiting"] == 0 and
            s["tunnels"]["now"] == 0 and
            all(s["slots"][k] == 0 for k in ("connecting", "busy", "draining", "ghost",
                                             "settling")) and s["sockets"]["client"] == 0)


@contextlib.contextmanager
def benches(folder):
    """start(server, options...) -> the proxy before it; all are ended, and held to leave nothing."""
    with contextlib.ExitStack() as stack:
        started = []

        def start(server, *options, **more):
            stack.enter_context(server)
            proxy = stack.enter_context(
                Verb("proxy", folder, "--upstream", server.url, *options, **more))
            started.append(proxy)
            return proxy

        yield start
        for proxy in started:
            if proxy.process.poll() is None:
                eventually(lambda p=proxy: gauges_at_zero(p))


def build_go(source, folder):
    """(program's path, None), or (None, why it cannot be built here)."""
    if not shutil.which("go"):
        return None, "no Go compiler (Debian: golang-go)"
    fasthttp = "github.com/valyala/fasthttp"
    if fasthttp in Path(source).read_text() and not (GOPATH / "src" / fasthttp).exists():
        return None, "no golang-github-valyala-fasthttp-dev"
    program = Path(folder) / f"{Path(source).parent.name}-{Path(source).stem}"
    env = dict(os.environ, GOPATH=str(GOPATH), GO111MODULE="off", GOFLAGS="", CGO_ENABLED="0")
    if not any(os.environ.get(where) for where in ("GOCACHE", "XDG_CACHE_HOME", "HOME")):
        env["GOCACHE"] = str(Path(folder) / "go-cache")
    subprocess.run(["go", "build", "-o", str(program), str(source)], env=env, check=True)
    return str(program), None
