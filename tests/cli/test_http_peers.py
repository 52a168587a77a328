"""Real clients and real servers on both sides of the proxy: curl, Node's fetch and http.Agent, Go's
net/http, Python's http.client; a careful Python server, nginx and haproxy behind it. What is not
installed is skipped with its reason. No server runs as a service: each is a child of its test."""

import contextlib
import hashlib
import http.client
import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from byteserver import Server, payload
from rawhttp import Client
from verbs import PATIENCE, Verb, eventually, gauges_at_zero, needs

PEERS = Path(__file__).parent / "peers"
SIZE = 20 << 20


@pytest.fixture(scope="module")
def server():
    with Server() as s:
        yield f"http://127.0.0.1:{s.server_port}"


@pytest.fixture
def proxy(server, tmp_path):
    with Verb("proxy", tmp_path, "--upstream", server) as p:
        yield p
        eventually(lambda: gauges_at_zero(p))


def run(*argv, **more):
    done = subprocess.run(argv, capture_output=True, timeout=120, check=False, **more)
    assert done.returncode == 0, (argv, done.returncode, done.stderr.decode())
    return done.stdout


def curl(*argv, **more):
    needs("curl")
    return run("curl", "-sS", "--fail", "--noproxy", "*", *argv, **more)


# ---- clients ------------------------------------------------------------------------------

@pytest.mark.parametrize("manner", [[], ["--http1.0"], ["-H", "Connection: close"],
                                    ["--limit-rate", "40M"]])
def test_curl_downloads(manner, proxy):
    got = curl(*manner, f"{proxy.url}/bytes/{SIZE}")
    assert len(got) == SIZE and got == payload(SIZE)


@pytest.mark.parametrize("manner", [
    ["-X", "POST", "--data-binary", "@-"], ["-X", "POST", "-H", "Expect:", "--data-binary", "@-"],
    ["-X", "POST", "-H", "Transfer-Encoding: chunked", "--data-binary", "@-"], ["-T", "-"],
    ["-T", ".", "-H", "Expect:"], ["--http1.0", "-X", "POST", "--data-binary", "@-"]])
def test_curl_uploads(manner, proxy):
    body = payload(SIZE)
    seen = json.loads(curl(*manner, f"{proxy.url}/echo", input=body))
    assert seen["length"] == SIZE and seen["sha256"] == hashlib.sha256(body).hexdigest()
    assert seen["chunked"] == ("-T" in manner or "Transfer-Encoding: chunked" in manner)


def test_curl_head_and_keep_alive(proxy):
    assert b"Content-Length: 123\r\n" in curl("-I", f"{proxy.url}/bytes/123")
    out = curl("-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null", "-w", "%{num_connects} ",
               *[f"{proxy.url}/bytes/{n}" for n in (1, 20_000, 300)])
    assert out == b"1 0 0 "


def test_curl_takes_it_for_a_forward_proxy(proxy):
    """Its absolute form is served by the upstream, whose Host it gets."""
    needs("curl")
    out = run("curl", "-sS", "--noproxy", "", "-x", proxy.url, "-d", "hi", "http://other.test/echo")
    seen = json.loads(out)
    assert seen["length"] == 2 and seen["host"].startswith("127.0.0.1:")


def test_http_client(proxy):
    c = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
    body = payload(SIZE)
    for n in (0, 1, 5000, SIZE):
        c.request("GET", f"/bytes/{n}")
        answer = c.getresponse()
        assert answer.status == 200 and answer.read() == body[:n]
    sock = c.sock
    c.request("POST", "/echo", body)
    assert json.loads(c.getresponse().read())["length"] == SIZE
    c.request("POST", "/echo", iter([body[:10], body[10:]]), encode_chunked=True)
    seen = json.loads(c.getresponse().read())
    assert seen["chunked"] and seen["sha256"] == hashlib.sha256(body).hexdigest()
    c.request("HEAD", "/bytes/9")
    answer = c.getresponse()
    assert answer.getheader("Content-Length") == "9" and answer.read() == b""
    assert c.sock is sock, "the connection was not kept"
    c.close()


def test_node(proxy):
    needs("node")
    version = run("node", "-p", "process.versions.node").decode()
    if int(version.split(".")[0]) < 18:
        pytest.skip(f"node {version.strip()} has no fetch")
    assert run("node", str(PEERS / "client.js"), proxy.url) == b"ok\n"


def test_go(proxy, go_program):
    assert run(go_program(PEERS / "client.go"), proxy.url) == b"ok\n"


# ---- servers ------------------------------------------------------------------------------

@contextlib.contextmanager
def child(sock, *argv, **more):
    """A server as a child, until it listens on the Unix socket."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, **more)

    def listens():
        assert process.poll() is None, process.stdout.read().decode()
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(sock)) == 0
    try:
        eventually(listens)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


NGINX = """
daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
    keepalive_requests {each}; client_max_body_size 1m;
    server {{
        listen unix:{sock};
        root {dir}/www;
        location /ok {{ return 200 "ok"; }}
        location /host {{ return 200 $http_host; }}
        location /api/ {{ proxy_pass {server}/; proxy_http_version 1.1; proxy_buffering off;
                          client_max_body_size 0; proxy_request_buffering off; }}
    }}
}}
"""


@contextlib.contextmanager
def nginx(folder, server, each=1000):
    needs("nginx")
    # by the folder of the socket a path of a Unix address stays short
    folder.mkdir(exist_ok=True)
    (folder / "www").mkdir()
    (folder / "www" / "file").write_bytes(payload(SIZE))
    sock = folder / "n.sock"
    folder.chmod(0o755)
    (folder / "nginx.conf").write_text(NGINX.format(dir=folder, sock=sock, server=server, each=each))
    with child(sock, "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"),
               "-e", str(folder / "error.log")):
        yield f"unix:{sock}"


@contextlib.contextmanager
def haproxy(folder, server, idle="5s"):
    needs("haproxy")
    sock = folder / "h.sock"
    (folder / "haproxy.cfg").write_text(f"""
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
    timeout http-keep-alive {idle}
frontend f
    bind unix@{sock}
    http-request return status 200 content-type text/plain string ok if {{ path /ok }}
    default_backend b
backend b
    server s {server.removeprefix("http://")}
""")
    with child(sock, "haproxy", "-db", "-f", str(folder / "haproxy.cfg")):
        yield f"unix:{sock}"


@pytest.fixture
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("s")


def gets(proxy, path, n, pause=None):
    """n GETs on one connection: the statuses that came."""
    c = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
    found = {}
    for i in range(n):
        c.request("GET", path)
        answer = c.getresponse()
        answer.read()
        found[answer.status] = found.get(answer.status, 0) + 1
        if pause:
            pause(i)
    c.close()
    return found


def test_nginx_behind(server, folder, tmp_path):
    with nginx(folder, server) as url, Verb("proxy", tmp_path, "--upstream", url) as p:
        c = http.client.HTTPConnection("127.0.0.1", p.port, timeout=PATIENCE)
        body = payload(SIZE)
        c.request("GET", "/file")
        assert c.getresponse().read() == body
        c.request("GET", "/host")
        assert c.getresponse().read() == b"localhost"
        c.request("POST", "/api/echo", iter([body[:77], body[77:]]), encode_chunked=True)
        assert json.loads(c.getresponse().read())["sha256"] == hashlib.sha256(body).hexdigest()
        c.request("GET", "/file", headers={"Range": "bytes=5-9"})
        answer = c.getresponse()
        assert (answer.status, answer.read()) == (206, body[5:10])
        c.request("GET", "/none")
        answer = c.getresponse()
        assert answer.status == 404 and answer.read()
        c.close()
        with Client(p.port, b"POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n") as raw:
            assert raw.answer().status in (200, 413)
        eventually(lambda: gauges_at_zero(p))


def test_nginx_that_closes_after_each_third_answer(server, folder, tmp_path):
    with nginx(folder, server, each=3) as url, Verb("proxy", tmp_path, "--upstream", url) as p:
        assert gets(p, "/ok", 300) == {200: 300}
        assert p.status()["connects"] >= 100
        eventually(lambda: gauges_at_zero(p))


def test_haproxy_behind(server, folder, tmp_path):
    with haproxy(folder, server) as url, Verb("proxy", tmp_path, "--upstream", url) as p:
        c = http.client.HTTPConnection("127.0.0.1", p.port, timeout=PATIENCE)
        body = payload(SIZE)
        c.request("GET", f"/bytes/{SIZE}")
        assert c.getresponse().read() == body
        for more in ({"body": body}, {"body": iter([body]), "encode_chunked": True}):
            c.request("POST", "/echo", **more)
            assert json.loads(c.getresponse().read())["sha256"] == hashlib.sha256(body).hexdigest()
        c.close()
        assert gets(p, "/ok", 100) == {200: 100}
        eventually(lambda: gauges_at_zero(p))


def test_haproxy_that_closes_idle_connections(server, folder, tmp_path):
    """Its idle time is a millisecond: the connection often closes as the next request comes."""
    with haproxy(folder, server, idle="1ms") as url, \
            Verb("proxy", tmp_path, "--upstream", url) as p:
        assert gets(p, "/ok", 300, lambda i: sum(range(i * 200))) == {200: 300}
        eventually(lambda: gauges_at_zero(p))


@pytest.mark.parametrize("kind", [nginx, haproxy])
def test_a_proxy_before_it(kind, server, folder, tmp_path):
    """nginx and haproxy as clients of weir: a chain of three."""
    with Verb("proxy", tmp_path, "--upstream", server) as p, kind(folder, p.url) as front, \
            Verb("proxy", tmp_path, "--upstream", front) as outer:
        prefix = "/api" if kind is nginx else ""
        assert gets(outer, f"{prefix}/bytes/70000", 50) == {200: 50}
        body = payload(3 << 20)
        seen = json.loads(curl("-T", "-", f"{outer.url}{prefix}/echo", input=body))
        assert seen["sha256"] == hashlib.sha256(body).hexdigest()
        eventually(lambda: gauges_at_zero(outer))
