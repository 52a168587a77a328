"""Every client does the same jobs through the proxy, however it comes to it and however the API is
reached; and the same jobs are done by every server. tests/byteserver.py says what there is to ask."""

import contextlib
import hashlib
import http.client
import itertools
import json
import os
import ssl
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from byteserver import Server, payload
from pki import LOCAL, Authority
from verbs import PATIENCE, Verb, eventually, forward_proxy, gauges_at_zero, needs

PEERS = Path(__file__).parent / "peers"
JOBS = ["get", "large", "post", "chunked", "stream", "reuse", "head", "none", "moved"]
LARGE = 8 << 20
BODY = payload(1 << 20)


def run(*argv, **more):
    done = subprocess.run([str(a) for a in argv], capture_output=True, timeout=6 * PATIENCE,
                          check=False, **more)
    assert done.returncode == 0, (argv, done.returncode, done.stdout, done.stderr.decode())
    return done.stdout


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def cert(ca):
    return ca.issue(*LOCAL)


# ---- the clients --------------------------------------------------------------------------

def checked(said, headers, n):
    assert len(said) == n and said == payload(n)
    assert headers["X-Sha256"] == hashlib.sha256(said).hexdigest()


def uploaded(said, chunked):
    seen = json.loads(said)
    assert seen["sha256"] == hashlib.sha256(BODY).hexdigest() and seen["chunked"] == chunked


class Python:
    """http.client"""
    ids = itertools.count()

    def __init__(self, url, ca, proxy=None):
        self.url, self.prefix = urlsplit(url), ""
        self.secure = self.url.scheme == "https"
        self.context = ssl.create_default_context(cafile=str(ca.root))
        self.proxy = urlsplit(proxy) if proxy else None
        if proxy and not self.secure:
            self.prefix = url

    def connect(self):
        to = self.proxy or self.url
        if not self.secure:
            return http.client.HTTPConnection(to.hostname, to.port, timeout=PATIENCE)
        c = http.client.HTTPSConnection(to.hostname, to.port, timeout=PATIENCE,
                                        context=self.context)
        if self.proxy:
            c.set_tunnel(self.url.hostname, self.url.port)
        return c

    def ask(self, c, path, method="GET", **more):
        c.request(method, self.prefix + path, **more)
        return c.getresponse()

    def get(self, c, n):
        r = self.ask(c, f"/bytes/{n}")
        checked(r.read(), r.headers, n)

    def stream(self, c):
        number = f"python{next(self.ids)}"
        r = self.ask(c, f"/stream/{number}")
        assert r.read(6) == b"first\n"
        with contextlib.closing(self.connect()) as other:
            self.ask(other, f"/go/{number}").read()
        assert r.read() == b"second\n"

    def reuse(self, c):
        sock = c.sock
        for i in range(20):
            self.get(c, i * 99)
            assert c.sock is sock, "the connection was not kept"

    def moved(self, c):
        r = self.ask(c, "/moved")
        r.read()
        assert (r.status, r.headers["Location"]) == (302, "/bytes/9")
        self.get(c, 9)

    def bodyless(self, c, path, method, status):
        r = self.ask(c, path, method)
        assert r.status == status and r.read() == b""
        return r.headers

    def do(self):
        with contextlib.closing(self.connect()) as c:
            self.get(c, 5000)
            self.get(c, LARGE)
            uploaded(self.ask(c, "/echo", "POST", body=BODY).read(), False)
            uploaded(self.ask(c, "/echo", "POST", body=iter([BODY[:77], BODY[77:]]),
                              encode_chunked=True).read(), True)
            self.stream(c)
            self.reuse(c)
            assert self.bodyless(c, "/bytes/77", "HEAD", 200)["Content-Length"] == "77"
            self.bodyless(c, "/none", "GET", 204)
            self.moved(c)
        return JOBS


class Curl:
    def __init__(self, url, ca, proxy=None):
        needs("curl")
        self.url = url
        self.argv = ["curl", "-sS", "--fail", "--cacert", ca.root]
        self.argv += ["-x", proxy, "--noproxy", ""] if proxy else ["--noproxy", "*"]

    def ask(self, *more, **how):
        return run(*self.argv, *more, **how)

    def stream(self):
        number = f"curl{os.getpid()}"
        with subprocess.Popen([*map(str, self.argv), "-N", f"{self.url}/stream/{number}"],
                              stdout=subprocess.PIPE) as c:
            assert c.stdout.readline() == b"first\n"
            self.ask(f"{self.url}/go/{number}")
            assert c.stdout.read() == b"second\n" and c.wait() == 0

    def do(self):
        for n in (5000, LARGE):
            assert self.ask(f"{self.url}/bytes/{n}") == payload(n)
        echo = f"{self.url}/echo"
        uploaded(self.ask("-H", "Content-Type: x", "--data-binary", "@-", echo, input=BODY), False)
        uploaded(self.ask("-T", "-", "-X", "POST", echo, input=BODY), True)
        self.stream()
        urls = [f"{self.url}/bytes/{i * 99}" for i in range(20)]
        out = self.ask(*["-o", "/dev/null"] * 20, "-w", "%{num_connects} ", *urls)
        assert out == b"1 " + b"0 " * 19
        assert b"content-length: 77\r\n" in self.ask("-I", f"{self.url}/bytes/77").lower()
        assert self.ask("-w", "%{http_code}", f"{self.url}/none") == b"204"
        assert self.ask("-L", f"{self.url}/moved") == payload(9)
        return JOBS


def program(*argv):
    """A client of tests/cli/peers: it names the jobs that went well."""
    class Program:
        def __init__(self, url, ca, proxy=None):
            self.argv = [*argv, url, ca.root, *([proxy] if proxy else [])]

        def do(self):
            env = dict(os.environ, NODE_PATH="/usr/share/nodejs")
            return run(*self.argv, env=env).decode().split()
    return Program


def node(kind):
    needs("node")
    found = subprocess.run(["node", "-e", "require('undici')"], check=False, capture_output=True,
                           env=dict(os.environ, NODE_PATH="/usr/share/nodejs"))
    if kind == "undici" and found.returncode:
        pytest.skip("node-undici is not installed")
    return program("node", PEERS / "matrix.js", kind)


CLIENTS = {"curl": lambda _: Curl, "python": lambda _: Python, "node": lambda _: node("core"),
           "undici": lambda _: node("undici"), "go": lambda build: program(build(PEERS / "matrix.go"))}


# ---- reverse ------------------------------------------------------------------------------

@pytest.mark.parametrize("to", ["http", "https"])
@pytest.mark.parametrize("come", ["http", "https"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_in_front_of_the_api(client, come, to, ca, cert, go_program, tmp_path):
    make = CLIENTS[client](go_program)
    options = ["--upstream-ca", ca.root, *(cert.options() if come == "https" else ())]
    with Server(cert if to == "https" else None) as api, \
            Verb("proxy", tmp_path, "--upstream", api.url, *options) as p:
        assert make(f"{come}://localhost:{p.port}", ca).do() == JOBS
        eventually(lambda: gauges_at_zero(p))


# ---- forward ------------------------------------------------------------------------------

@pytest.mark.parametrize("to", ["http", "https"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_by_way_of_a_forward_proxy(client, to, ca, cert, go_program, tmp_path):
    """Plain HTTP in absolute form, TLS through CONNECT; undici takes CONNECT for both."""
    make = CLIENTS[client](go_program)
    with Server(cert if to == "https" else None) as api, forward_proxy(tmp_path) as p:
        assert make(api.url, ca, p.forward).do() == JOBS
        assert p.status()["exchanges"]["total"] > 0, "it went another way"
        eventually(lambda: gauges_at_zero(p))


# ---- servers ------------------------------------------------------------------------------

@contextlib.contextmanager
def served_by(*argv):
    """A server of tests/cli/peers; its port."""
    with subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.parametrize("to", ["http", "https"])
@pytest.mark.parametrize("server", ["node", "go", "fasthttp"])
def test_a_server_as_the_api(server, to, ca, cert, go_program, tmp_path):
    if server == "node":
        needs("node")
        argv = ["node", PEERS / "server.js"]
    elif server == "go":
        argv = [go_program(PEERS / "server.go")]
    else:
        argv = [go_program(PEERS / "fast.go")]
    with served_by(*argv, *([cert.cert, cert.key] if to == "https" else [])) as port, \
            Verb("proxy", tmp_path, "--upstream", f"{to}://localhost:{port}",
                 "--upstream-ca", ca.root) as p:
        assert Python(p.url, ca).do() == JOBS
        eventually(lambda: gauges_at_zero(p))
