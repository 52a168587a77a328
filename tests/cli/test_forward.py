"""weir proxy as http_proxy: where programs may go through it, and where not; names come from a
nameserver of the test's own. What is public elsewhere is opened here by --forward-allow: there is
nothing but loopback."""

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.request

import pytest

from answering import Answering
from nameserver import Nameserver
from pki import Authority
from rawhttp import Client, Scripted
from verbs import PATIENCE, WEIR, Verb, eventually, gauges_at_zero

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command")


class Api(Answering):
    """Says what it was asked."""

    def __init__(self, at="127.0.0.1", cert=None):
        self.at = at
        super().__init__(at, cert=cert)

    def answer(self, request, body):
        return 200, {}, json.dumps({"at": self.at, "path": request.path,
                                    "host": request.headers["Host"], "body": body.decode(),
                                    "fields": [k.lower() for k in request.headers]}).encode()


@pytest.fixture
def api():
    with Api() as one:
        yield one


@pytest.fixture
def ns():
    with Nameserver({"api.test": (60, ["127.0.0.1"])}) as server:
        yield server


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@contextlib.contextmanager
def forward(tmp_path, *options):
    """A forward proxy and nothing else; in the end nothing is left in it."""
    with Verb("proxy", tmp_path, "--forward-listen", "127.0.0.1:0", *options, listen=None) as p:
        yield p
        eventually(lambda: gauges_at_zero(p))


def send(p, data, method=b"GET"):
    with Client(p.port, data) as c:
        return c.answer(method)


def get(p, url, *fields):
    lines = "".join(f + "\r\n" for f in ("Host: ignored.test", *fields))
    return send(p, f"GET {url} HTTP/1.1\r\n{lines}\r\n".encode())


def reason(m):
    return m.status, m.one(b"Weir-Reason").decode()


def connect(p, authority, rest=b""):
    return send(p, f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode() + rest,
                b"CONNECT")


def curl(p, *argv, **env):
    proxy = f"http://127.0.0.1:{p.port}"
    done = subprocess.run(["curl", "-sS", "--max-time", str(PATIENCE), *map(str, argv)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          env={**os.environ, "http_proxy": proxy, "https_proxy": proxy,
                               "no_proxy": "", **env})
    return done.returncode, done.stdout, done.stderr


# --- what goes through ---


def test_curl_and_http(tmp_path, ns, api):
    log = tmp_path / "log"
    with forward(tmp_path, "--dns", ns.at, "--forward-allow", f"127.0.0.1:{api.port}",
                 "--access-log", log) as p:
        assert "(forward)" in p.line
        code, out, err = curl(p, f"http://API.test:{api.port}/a?b=c", "-d", "body",
                              "-H", "Proxy-Authorization: Basic eDp5", "-X", "POST")
        assert code == 0, err
        asked = json.loads(out)
        assert asked["path"] == "/a?b=c" and asked["body"] == "body"
        assert asked["host"] == f"api.test:{api.port}"
        assert not {"proxy-connection", "proxy-authorization"} & set(asked["fields"])
        assert curl(p, f"http://127.0.0.1:{api.port}/")[0] == 0
        s = p.status()
        assert {u["name"] for u in s["upstreams"]} == {f"http://api.test:{api.port}",
                                                       f"http://127.0.0.1:{api.port}"}
        assert s["forward"]["hosts"] == 2 and s["answers"] == {"200": 2}
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[0]["upstream"] == f"http://api.test:{api.port}"
    assert lines[0]["host"] == f"API.test:{api.port}" and lines[0]["bytes_in"] == 4


def test_no_connection_of_http_1_0_is_kept(tmp_path, api):
    """The keep-alive may be of a client behind an older proxy, which passed it on and waits for the
    end."""
    with forward(tmp_path, "--forward-allow", f"127.0.0.1:{api.port}") as p:
        for target, status in ((api.url + "/", 200), ("/", 400)):
            raw = f"GET {target} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".encode()
            with Client(p.port, raw) as c:
                m = c.answer()
                assert m.status == status and m.one(b"connection") == b"close"
                c.send(raw).to_end()
                assert c.how == "eof" and c.got.count(b"HTTP/1.1 ") == 1


@needs_openssl
def test_curl_and_https(tmp_path, ns, ca):
    with Api(cert=ca.issue("api.test")) as api:
        with forward(tmp_path, "--dns", ns.at, "--forward-allow",
                     f"api.test@127.0.0.0/8:{api.port}") as p:
            url = f"https://api.test:{api.port}/s"
            code, out, err = curl(p, "--cacert", ca.root, url)
            assert code == 0, err
            assert json.loads(out)["path"] == "/s"
            s = p.status()
            assert s["tunnels"]["total"] == 1 and s["answers"] == {"200": 1}
            assert s["upstreams"][0]["name"] == f"api.test:{api.port}"
            assert curl(p, url)[0] != 0  # weir has no say in whom the client trusts


@needs_openssl
def test_weir_speaks_the_tls_of_an_https_target(tmp_path, ns, ca):
    with Api(cert=ca.issue("api.test")) as api:
        url = f"https://api.test:{api.port}/s"
        allow = "--forward-allow", f"127.0.0.1:{api.port}"
        with forward(tmp_path, "--dns", ns.at, *allow, "--upstream-ca", ca.root) as p:
            m = get(p, url)
            assert m.status == 200
            assert json.loads(m.body)["host"] == f"api.test:{api.port}"
            assert p.status()["upstreams"][0]["tls"]["handshakes"] == 1
        with forward(tmp_path, "--dns", ns.at, *allow) as p:
            assert reason(get(p, url)) == (502, "tls-verify")


@needs_openssl
def test_python(tmp_path, ns, ca):
    with Api() as plain, Api(cert=ca.issue("api.test")) as secure:
        with forward(tmp_path, "--dns", ns.at,
                     "--forward-allow", f"127.0.0.1:{plain.port}, 127.0.0.1:{secure.port}") as p:
            here = f"http://127.0.0.1:{p.port}"
            context = ssl.create_default_context(cafile=str(ca.root))
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({"http": here, "https": here}),
                urllib.request.HTTPSHandler(context=context))
            for url in (f"http://api.test:{plain.port}/x", f"https://api.test:{secure.port}/x"):
                with opener.open(url, timeout=PATIENCE) as r:
                    assert json.load(r)["path"] == "/x"


@needs_openssl
def test_clients_come_in_by_tls_if_they_are_told_to(tmp_path, ca, api):
    cert = ca.issue("localhost", "IP:127.0.0.1")
    allow = "--forward-allow", f"127.0.0.1:{api.port}"
    url = f"http://127.0.0.1:{api.port}/"
    with forward(tmp_path, *allow, *cert.options()) as p:
        assert get(p, url).status == 200
    with forward(tmp_path, *allow, *cert.options(), "--forward-tls") as p:
        code, _, err = curl(p, "--proxy", f"https://127.0.0.1:{p.port}", "--proxy-cacert",
                            ca.root, url)
        assert code == 0, err


def test_the_target_and_not_host_says_where_to(tmp_path, ns, api):
    with forward(tmp_path, "--dns", ns.at, "--forward-allow", f"127.0.0.1:{api.port}") as p:
        for target in (f"http://api.test:{api.port}/", f"HTTP://API.TEST.:{api.port}/",
                       f"http://api.test:{api.port}"):
            m = get(p, target)
            assert m.status == 200, target
            assert json.loads(m.body)["host"] == f"api.test:{api.port}"
        # one connection for all, as they are one host
        assert p.status()["connects"] == 1
        m = send(p, f"OPTIONS http://api.test:{api.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert m.status == 501  # Python's, which knows none: it got there


def test_a_limit_is_each_hosts(tmp_path, api):
    held = threading.Event()

    def script(peer, n):
        peer.request()
        held.wait(PATIENCE)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        peer.wait_end()

    with Scripted(script) as slow:
        with forward(tmp_path, "--forward-allow", "127.0.0.1:*", "--limit", "1",
                     "--queue", "0") as p:
            request = f"GET {slow.url}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            with Client(p.port, request) as first:
                eventually(lambda: p.status()["slots"]["busy"] == 1)
                assert reason(get(p, slow.url + "/")) == (503, "queue-full")
                assert get(p, f"http://127.0.0.1:{api.port}/").status == 200
                held.set()
                assert first.answer().status == 200


def test_a_configured_upstream_keeps_its_limit(tmp_path, ns, api):
    url = f"http://api.test:{api.port}"
    with Verb("proxy", tmp_path, "--dns", ns.at, "--upstream", url + "/base", "--limit", "1",
              "--forward-listen", "127.0.0.1:0", "--forward-allow",
              f"api.test@127.0.0.1:{api.port}") as p:
        p.port = int(p.line.split(" (forward)")[0].rsplit(":", 1)[1])
        m = get(p, url + "/x")
        assert m.status == 200
        assert json.loads(m.body)["path"] == "/x"  # the base is the reverse side's
        s = p.status()
        assert [u["name"] for u in s["upstreams"]] == ["default"] and s["slots"]["peak"] == 1
        eventually(lambda: gauges_at_zero(p))


def test_it_is_let_through_by_the_policy_too(tmp_path, ns, api):
    """Who may reach some paths of it may not reach all of it."""
    url = f"http://api.test:{api.port}"
    with Verb("proxy", tmp_path, "--dns", ns.at, "--upstream", url,
              "--forward-listen", "127.0.0.1:0") as p:
        p.port = int(p.line.split(" (forward)")[0].rsplit(":", 1)[1])
        assert reason(get(p, url + "/x")) == (403, "forward-address")


# --- what does not ---


@pytest.mark.parametrize("target, why", [
    ("http://169.254.169.254/latest/meta-data", "forward-address"),
    ("http://[fd00:ec2::254]/", "forward-address"),
    ("http://127.0.0.1/", "forward-address"),
    ("http://127.9.9.9:8080/", "forward-address"),
    ("http://0.0.0.0/", "forward-address"),
    ("http://[::1]/", "forward-address"),
    ("http://[::]/", "forward-address"),
    ("http://[::ffff:127.0.0.1]/", "forward-address"),
    ("http://[::ffff:a9fe:a9fe]/", "forward-address"),
    ("http://[64:ff9b::7f00:1]/", "forward-address"),
    ("http://10.1.2.3/", "forward-address"),
    ("http://172.20.0.1/", "forward-address"),
    ("http://192.168.1.1/", "forward-address"),
    ("http://100.64.0.1/", "forward-address"),
    ("http://224.0.0.1/", "forward-address"),
    ("http://255.255.255.255/", "forward-address"),
    ("https://127.0.0.1/", "forward-address"),
    ("http://localhost/", "forward-address"),
    ("http://a.localhost./", "forward-address"),
    ("http://inside.test/", "forward-address"),
    ("http://both.test/", "forward-address"),
    ("http://api.test:25/", "forward-port"),
    ("http://api.test:22/", "forward-port"),
])
def test_what_is_not_public_is_refused(tmp_path, ns, target, why):
    ns.names.update({"inside.test": (60, ["10.0.0.7"]), "both.test": (60, ["::1", "127.0.0.1"])})
    with forward(tmp_path, "--dns", ns.at) as p:
        m = get(p, target)
        assert reason(m) == (403, why)
        assert b"10.0.0.7" not in m.body  # no word about where names lead
        assert p.status()["connects"] == p.status()["connects_failed"] == 0


@pytest.mark.parametrize("authority, why", [
    ("127.0.0.1:443", "forward-address"),
    ("[::1]:443", "forward-address"),
    ("localhost:443", "forward-address"),
    ("169.254.169.254:443", "forward-address"),
    ("api.test:443", "forward-address"),
    ("api.test:22", "forward-port"),
    ("api.test:80", "forward-port"),
    ("api.test:8443", "forward-port"),
])
def test_no_tunnel_to_what_is_not_public(tmp_path, ns, authority, why):
    with forward(tmp_path, "--dns", ns.at) as p:
        assert reason(connect(p, authority)) == (403, why)


@pytest.mark.parametrize("allow, deny, target, why", [
    ("*.good.test", None, "http://bad.test/", "forward-not-allowed"),
    ("*.good.test", None, "http://x.good.test:25/", "forward-port"),
    (None, "bad.test", "http://BAD.test./", "forward-denied"),
    (None, ".bad.test, x.test", "http://a.bad.test/", "forward-denied"),
    ("127.0.0.0/8", "127.0.0.0/24", "http://api.test/", "forward-denied"),
    ("*, 0.0.0.0/0", None, "http://api.test/", "forward-address"),
    ("api.test", None, "http://api.test/", "forward-address"),
    ("127.0.0.2", None, "http://api.test/", "forward-not-allowed"),
    ("api.test@127.0.0.2", None, "http://api.test/", "forward-not-allowed"),
])
def test_lists(tmp_path, ns, allow, deny, target, why):
    with forward(tmp_path, "--dns", ns.at, *(["--forward-allow", allow] if allow else []),
                 *(["--forward-deny", deny] if deny else [])) as p:
        m = get(p, target)
        assert reason(m) == (403, why)
        assert target.split("/")[2].split(":")[0].lower().rstrip(".").encode() in m.body


def test_what_is_denied_by_its_name_is_not_even_looked_up(tmp_path, ns):
    with forward(tmp_path, "--dns", ns.at, "--forward-deny", "api.test") as p:
        assert reason(get(p, "http://api.test/")) == (403, "forward-denied")
        assert ns.asked == []


def test_where_weir_itself_listens(tmp_path, ns, api):
    file = tmp_path / "weir.yaml"
    text = (f"forward-listen: '127.0.0.1:0'\ndns: '{ns.at}'\nforward-allow: ['%s']\n"
            "idle-for: 50ms\n")
    file.write_text(text % "127.0.0.0/8:*")
    with Verb("proxy", tmp_path, "--config", file, listen=None) as p:
        for host in ("127.0.0.1", "api.test", "[::ffff:127.0.0.1]"):
            assert reason(get(p, f"http://{host}:{p.port}/")) == (403, "forward-own")
            assert reason(connect(p, f"{host}:{p.port}")) == (403, "forward-own")
        assert get(p, f"http://127.0.0.1:{api.port}/").status == 200
        file.write_text(text % f"127.0.0.1:{p.port}")
        p.process.send_signal(signal.SIGHUP)
        eventually(lambda: p.status()["config"]["reloads"] == 1)
        # it is wanted: then Via ends the circle
        assert reason(get(p, f"http://127.0.0.1:{p.port}/")) == (508, "loop")
        assert reason(get(p, f"http://127.0.0.1:{api.port}/")) == (403, "forward-port")
        eventually(lambda: gauges_at_zero(p))


def test_a_name_that_turns_inward(tmp_path, ns, api):
    """DNS rebinding: what was judged is what is connected to."""
    with Api("127.0.0.2") as outside:
        ns.names["re.test"] = 1, ["127.0.0.2"]
        url = f"http://re.test:{outside.port}/"
        with forward(tmp_path, "--dns", ns.at, "--forward-allow", "127.0.0.2:*") as p:
            assert json.loads(get(p, url).body)["at"] == "127.0.0.2"
            ns.names["re.test"] = 1, ["127.0.0.1"]
            eventually(lambda: get(p, url).status == 403)
            assert reason(get(p, url)) == (403, "forward-not-allowed")
            names, = p.status()["upstreams"][0]["names"]
            assert names["state"] == "barred"
            assert names["addresses"] == [f"127.0.0.2:{outside.port}"]
            # of several, those that may be used
            ns.names["re.test"] = 1, ["127.0.0.1", "::1", "127.0.0.2"]
            eventually(lambda: get(p, url).status == 200)
            for _ in range(4):
                assert json.loads(get(p, url, "Connection: close").body)["at"] == "127.0.0.2"


def test_who_may(tmp_path, api):
    url = f"http://127.0.0.1:{api.port}/"
    allow = "--forward-allow", f"127.0.0.1:{api.port}"
    with forward(tmp_path, *allow, "--forward-clients", "10.0.0.0/8") as p:
        assert reason(get(p, url)) == (403, "forward-client")
        assert reason(connect(p, f"127.0.0.1:{api.port}")) == (403, "forward-client")
    with forward(tmp_path, *allow, "--forward-clients", "10.0.0.0/8",
                 "--forward-clients", "127.0.0.1") as p:
        assert get(p, url).status == 200


def test_a_reverse_proxy_is_no_forward_proxy(tmp_path, api):
    """--listen never forwards, with a forward proxy beside it or without."""
    for more in ((), ("--forward-listen", "127.0.0.1:0", "--forward-allow", "127.0.0.0/8:*")):
        with Verb("proxy", tmp_path, "--upstream", f"http://127.0.0.1:{api.port}", *more) as p:
            m = get(p, "http://elsewhere.test/x")
            assert json.loads(m.body)["host"] == f"127.0.0.1:{api.port}"
            assert connect(p, f"127.0.0.1:{api.port}").status == 501
            eventually(lambda: gauges_at_zero(p))


# --- names ---


def test_names_that_are_not_there(tmp_path, ns):
    with forward(tmp_path, "--dns", ns.at) as p:
        m = get(p, "http://nobody.test/")
        assert reason(m) == (502, "resolve")
        assert b"nobody.test" in m.body and b"no such name" in m.body
        asked = ns.count("nobody.test")
        assert reason(connect(p, "nobody.test:443")) == (502, "resolve")
        assert reason(get(p, "http://nobody.test/")) == (502, "resolve")
        assert ns.count("nobody.test") <= 2 * asked  # the second was remembered
        assert p.status()["reasons"] == {"resolve": 3}


def test_a_nameserver_that_is_silent(tmp_path, ns):
    ns.mood = "silent"
    with forward(tmp_path, "--dns", ns.at, "--timeout", "300ms") as p:
        m = send(p, b"POST http://slow.test/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
        assert reason(m) == (504, "deadline")
        with Client(p.port, b"GET http://slow.test/ HTTP/1.1\r\nHost: x\r\n\r\n") as c:
            eventually(lambda: p.status()["exchanges"]["now"] == 1)
            c.reset()
        eventually(lambda: p.status()["exchanges"]["now"] == 0)
        assert p.status()["reasons"]["client-gone"] == 1


def test_many_wait_for_one_lookup(tmp_path, ns, api):
    ns.mood = "silent"
    with forward(tmp_path, "--dns", ns.at, "--forward-allow", f"127.0.0.1:{api.port}") as p:
        request = (f"POST http://api.test:{api.port}/ HTTP/1.1\r\nHost: x\r\n"
                   "Content-Length: 4\r\n\r\nbody").encode()
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Client(p.port, request)) for _ in range(8)]
            eventually(lambda: p.status()["exchanges"]["now"] == 8)
            ns.mood = "well"
            for c in clients:
                m = c.answer(b"POST")
                assert m.status == 200 and json.loads(m.body)["body"] == "body"
        assert p.status()["forward"]["hosts"] == 1


# --- odd and hostile ---


@pytest.mark.parametrize("line, status, why", [
    ("GET / HTTP/1.1", 400, "no-target"),
    ("GET /http://api.test/ HTTP/1.1", 400, "no-target"),
    ("OPTIONS * HTTP/1.1", 400, "no-target"),
    ("GET http://user@127.0.0.1/ HTTP/1.1", 400, "bad-request"),
    ("GET http://user:word@api.test/ HTTP/1.1", 400, "bad-request"),
    ("GET http:///x HTTP/1.1", 400, "bad-request"),
    ("GET http://:80/ HTTP/1.1", 400, "bad-request"),
    ("GET http://api.test:0/ HTTP/1.1", 400, "bad-target"),
    ("GET http://api.test:65536/ HTTP/1.1", 400, "bad-request"),
    ("GET http://[fe80::1%25eth0]/ HTTP/1.1", 400, "bad-request"),
    ("GET http://[::1/ HTTP/1.1", 400, "bad-request"),
    ("GET http://0x7f.0.0.1/ HTTP/1.1", 400, "bad-target"),
    ("GET http://0177.0.0.1/ HTTP/1.1", 400, "bad-target"),
    ("GET http://2130706433/ HTTP/1.1", 400, "bad-target"),
    ("GET http://127.1/ HTTP/1.1", 400, "bad-target"),
    ("GET http://api..test/ HTTP/1.1", 400, "bad-target"),
    ("GET http://api.test../ HTTP/1.1", 400, "bad-target"),
    ("GET http://127.0.0.1%2e/ HTTP/1.1", 400, "bad-target"),
    ("GET ftp://api.test/ HTTP/1.1", 400, "bad-request"),
    ("CONNECT api.test HTTP/1.1", 400, "bad-request"),
    ("CONNECT api.test: HTTP/1.1", 400, "bad-request"),
    ("CONNECT :443 HTTP/1.1", 400, "bad-request"),
    ("CONNECT api.test:0 HTTP/1.1", 400, "bad-request"),
    ("CONNECT api.test:65536 HTTP/1.1", 400, "bad-request"),
    ("CONNECT http://api.test:443 HTTP/1.1", 400, "bad-request"),
    ("CONNECT user@api.test:443 HTTP/1.1", 400, "bad-request"),
    ("CONNECT [::1%25lo]:443 HTTP/1.1", 400, "bad-request"),
    ("CONNECT 2130706433:443 HTTP/1.1", 400, "bad-target"),
])
def test_targets_that_are_none(tmp_path, ns, line, status, why):
    with forward(tmp_path, "--dns", ns.at, "--forward-allow", "127.0.0.0/8:*") as p:
        m = send(p, f"{line}\r\nHost: api.test\r\n\r\n".encode())
        assert reason(m) == (status, why)
        assert ns.asked == []


def test_a_fault_is_no_way_in(tmp_path, ns):
    """What follows a refused CONNECT is nobody's request, nor is its body one."""
    with forward(tmp_path, "--dns", ns.at) as p:
        behind = b"GET http://api.test/ HTTP/1.1\r\nHost: x\r\n\r\n"
        with Client(p.port, b"CONNECT api.test:22 HTTP/1.1\r\nHost: x\r\n\r\n" + behind) as c:
            said = c.to_end()
        assert said.count(b"HTTP/1.1 ") == 1 and b" 403 " in said.split(b"\r\n")[0]
        for body in (b"Content-Length: 4\r\n\r\nabcd", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):
            m = send(p, b"CONNECT api.test:443 HTTP/1.1\r\nHost: x\r\n" + body, b"CONNECT")
            assert m.status == 400
        assert p.status()["exchanges"]["total"] == 1


def test_bytes_behind_a_connect_wait_for_the_tunnel(tmp_path, ns):
    seen = []

    def script(peer, n):
        peer.send(b"hello ")
        while len(b"".join(seen)) < 5:
            seen.append(peer.sock.recv(100))
        peer.send(b"got " + b"".join(seen))

    ns.mood = "silent"
    with Scripted(script) as s:
        with forward(tmp_path, "--dns", ns.at, "--forward-allow", f"127.0.0.1:{s.port}") as p:
            with Client(p.port, f"CONNECT api.test:{s.port} HTTP/1.1\r\nHost: x\r\n\r\n"
                                "early".encode()) as c:
                eventually(lambda: p.status()["exchanges"]["now"] == 1)
                assert s.count == 0 and not seen
                ns.mood = "well"
                said = c.to_end()
            head, body = said.split(b"\r\n\r\n", 1)
            assert head.startswith(b"HTTP/1.1 200 ") and body == b"hello got early"
            assert b"content-length" not in head.lower()
            assert b"transfer-encoding" not in head.lower()


def test_a_tunnel_reset_while_an_answer_is_due_keeps_its_slot_for_as_long_as_one_took(tmp_path):
    asked = []

    def script(peer, n):
        with contextlib.suppress(ConnectionError):
            while peer.sock.recv(100):
                asked.append(n)
                time.sleep(0.3)  # what an answer takes this server
                peer.send(b"done")

    with Scripted(script) as s, forward(tmp_path, "--forward-allow", f"127.0.0.1:{s.port}", "--limit", "1",
                                        "--settle-for", "1ms") as p:
        head = f"CONNECT 127.0.0.1:{s.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        for due in (False, True):
            with Client(p.port, head) as c:
                c.until(b"\r\n\r\n")
                c.send(b"do").until(b"done")
                if due:
                    c.send(b"do")
                    eventually(lambda: len(asked) == 3)
                c.reset()
            eventually(lambda: p.status()["tunnels"]["now"] == 0)
            assert p.status()["slots"]["ghost"] == due
            eventually(lambda: p.status()["slots"]["used"] == 0)


def test_a_tunnel_that_cannot_be(tmp_path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with forward(tmp_path, "--forward-allow", "127.0.0.1:*") as p:
            assert reason(connect(p, f"127.0.0.1:{port}")) == (502, "connect-refused")


# --- configuration ---


def test_other_rules_by_a_reload(tmp_path, ns, api):
    file = tmp_path / "weir.yaml"
    text = f"forward-listen: 127.0.0.1:0\ndns: '{ns.at}'\nforward-allow: 127.0.0.1:{api.port}\n"
    file.write_text(text)
    url = f"http://api.test:{api.port}/"
    with Verb("proxy", tmp_path, "--config", file, listen=None) as p:

        def reload(to):
            file.write_text(to)
            before = p.status()["config"]["reloads"]
            p.process.send_signal(signal.SIGHUP)
            eventually(lambda: p.status()["config"]["reloads"] > before)

        request = f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        with Client(p.port, request) as c:

            def again(n):
                return c.send(request).answers(n, [b"GET"] * n)[-1]

            assert c.answer().status == 200
            reload(text)
            assert again(2).status == 200
            assert p.status()["connects"] == 1  # nothing new: its connections stay
            reload(text + "forward-deny: api.test\n")
            assert reason(again(3)) == (403, "forward-denied")
            reload(text)
            assert again(4).status == 200
            assert p.status()["forward"]["hosts"] == 1
        eventually(lambda: gauges_at_zero(p))


@pytest.mark.parametrize("options, said", [
    (("--forward-allow", "10.0.0.0/33"), "--forward-allow"),
    (("--forward-deny", "http://a.test/"), "the host alone"),
    (("--forward-clients", "everybody"), "--forward-clients"),
    (("--forward-tls",), "certificate"),
    (("--forward-listen", "8080"), "bare port"),
])
def test_what_is_wrong_is_told(options, said):
    done = subprocess.run([WEIR, "proxy", "--forward-listen", "127.0.0.1:0", *options],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    assert done.returncode == 2 and said in done.stderr


def test_threads_share_a_hosts_limit(tmp_path, ns):
    """Each thread looks its hosts up; what a host may have at once is one number."""
    open_now, most, lock = [], [], threading.Lock()

    def script(peer, n):
        while peer.request():
            with lock:
                open_now.append(n)
                most.append(len(open_now))
            held.wait(PATIENCE)
            with lock:
                open_now.remove(n)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    held = threading.Event()
    with Scripted(script) as slow:
        with forward(tmp_path, "--dns", ns.at, "--forward-allow", f"127.0.0.1:{slow.port}",
                     "--threads", "3", "--limit", "2", "--queue-for", "30s",
                     "--idle-for", "100ms") as p:
            request = f"GET http://api.test:{slow.port}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(Client(p.port, request)) for _ in range(16)]
                eventually(lambda: len(open_now) == 2 and p.status()["queue"]["waiting"] == 14)
                held.set()
                assert all(c.answer().status == 200 for c in clients)
            assert max(most) <= 2
            assert sum(t["exchanges"] for t in p.status()["threads"]) == 0
            host, = (u for u in p.status()["upstreams"] if not u["retired"])
            assert host["limit"] == 2 and host["slots"]["peak"] == 2
            eventually(lambda: p.status()["forward"]["sockets"] == 0)


def test_threads_go_over_to_other_rules(tmp_path, ns, api):
    file = tmp_path / "weir.yaml"
    text = (f"forward-listen: 127.0.0.1:0\nthreads: 3\ndns: '{ns.at}'\n"
            f"forward-allow: 127.0.0.1:{api.port}\n")
    file.write_text(text)
    url = f"http://api.test:{api.port}/"
    with Verb("proxy", tmp_path, "--config", file, listen=None) as p:
        assert {get(p, url).status for _ in range(12)} == {200}
        assert {reason(connect(p, f"127.0.0.1:{p.port}"))[1] for _ in range(6)} == {"forward-port"}
        file.write_text(text + "forward-deny: api.test\n")
        p.process.send_signal(signal.SIGHUP)
        eventually(lambda: p.status()["config"]["reloads"] == 1)
        assert {reason(get(p, url)) for _ in range(12)} == {(403, "forward-denied")}
        file.write_text(text)
        p.process.send_signal(signal.SIGHUP)
        eventually(lambda: p.status()["config"]["reloads"] == 2)
        assert {get(p, url).status for _ in range(12)} == {200}
        eventually(lambda: gauges_at_zero(p))
