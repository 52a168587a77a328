"""TLS as a user meets it: certificates of an authority made for the test, real peers on both sides."""

import contextlib
import json
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from pki import LOCAL, Authority, openssl
from verbs import PATIENCE, WEIR, Verb, eventually, gauges_at_zero, read_all

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command")


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def good(ca):
    return ca.issue(*LOCAL)


def weir(*argv, timeout=PATIENCE):
    return subprocess.run([WEIR, *map(str, argv)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=timeout, check=False)


def load(*argv, rate="100/s", run_for="500ms"):
    done = weir("load", "--json", "--quiet", "--rate", rate, "--for", run_for, *argv)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def secure(verb):
    return f"https://127.0.0.1:{verb.port}"


def client_context(ca, **more):
    context = ssl.create_default_context(cafile=str(ca.root))
    for name, value in more.items():
        setattr(context, name, value)
    return context


@contextlib.contextmanager
def connected(port, context, name="localhost"):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw:
        with context.wrap_socket(raw, server_hostname=name) as tls:
            yield tls


def curl(*argv, check=True):
    done = subprocess.run(["curl", "-sS", "--max-time", str(PATIENCE), *map(str, argv)],
                          stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


# ---- origin --------------------------------------------------------------------------------

def test_origin_speaks_tls(ca, good, tmp_path):
    with Verb("origin", tmp_path, *good.options(), "--body", "300kB") as o:
        assert ", TLS, " in o.line
        answer = curl("--cacert", ca.root, "--http1.1", secure(o)).stdout
        assert answer == b"ok\n" * 100_000
        with connected(o.port, client_context(ca)) as s:
            assert s.version() == "TLSv1.3" and s.selected_alpn_protocol() is None
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = client_context(ca, maximum_version=version, minimum_version=version)
            context.set_alpn_protocols(["h2", "http/1.1"])
            with connected(o.port, context) as s:
                assert s.selected_alpn_protocol() == "http/1.1"
        # what is older is refused by us, not by the client's own settings
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{o.port}", "-tls1_1",
                               "-cipher", "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode != 0 and "alert protocol version" in done.stderr


def test_a_client_that_speaks_only_http2_is_refused(ca, good, tmp_path):
    with Verb("origin", tmp_path, *good.options()) as o:
        context = client_context(ca)
        context.set_alpn_protocols(["h2"])
        with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
            with connected(o.port, context):
                pass


def test_the_refusal_comes_after_the_handshake(ca, good, tmp_path):
    """fasthttp shakes hands within its accept loop, says its 503, and closes."""
    with Verb("origin", tmp_path, *good.options(), "--limit", 1) as o:
        context = client_context(ca)
        with connected(o.port, context):
            eventually(lambda: o.status()["slots"]["used"] == 1)
            with connected(o.port, context) as refused:
                text = read_all(refused)
            assert text.startswith(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n")
            assert text.endswith(b"Server.Concurrency limit exceeded")
            assert o.status()["refused"] == 1 and o.status()["slots"]["peak"] == 1
        eventually(lambda: o.status()["slots"]["used"] == 0)


def test_a_mute_connection_holds_a_slot(ca, good, tmp_path):
    with Verb("origin", tmp_path, *good.options(), "--limit", 1) as o:
        with socket.create_connection(("127.0.0.1", o.port)):
            eventually(lambda: o.status()["slots"]["used"] == 1)
            doc = load("--ca", ca.root, secure(o), rate="20/s", run_for="300ms")
            assert doc["statuses"] == {"503": 6}
        eventually(lambda: o.status()["slots"]["used"] == 0)


@pytest.mark.parametrize("options, says, status", [
    (("--cert", "x.pem"), "--cert and --key go together", 2),
    (("--key", "x.pem"), "--cert and --key go together", 2),
    (("--cert", "/no/such.pem", "--key", "x.pem"), "/no/such.pem: No such file", 1),
])
def test_origin_misuse(options, says, status):
    done = weir("origin", "--listen", "127.0.0.1:0", *options)
    assert done.returncode == status and says in done.stderr


# ---- load ----------------------------------------------------------------------------------

def test_load_over_tls(ca, good, tmp_path):
    with Verb("origin", tmp_path, *good.options(), "--body", "100kB") as o:
        doc = load("--ca", ca.root, secure(o))
        assert doc["good"] == 50 and doc["tls"]["failed"] == 0
        assert doc["tls"]["handshakes"] == doc["connections"]["opened"]
        assert doc["bytes"]["received"] > 50 * 100_000
        # one connection a request: each but the first goes on with the session before it
        doc = load("--ca", ca.root, "--connections", "close", "--pool", 1, secure(o))
        assert doc["good"] == doc["tls"]["handshakes"] == 50
        assert doc["tls"]["resumed"] == 49
        doc = load("--ca", ca.root, "--method", "POST", "--body", "1MB", secure(o), rate="20/s")
        assert doc["good"] == 10
    assert load("--timeout", "1s", "http://127.0.0.1:9/", rate="2/s")["tls"] is None


def failing(cert, *argv, host="127.0.0.1", folder=None):
    with Verb("origin", folder, *cert.options()) as o:
        doc = load(*argv, f"https://{host}:{o.port}/", rate="20/s", run_for="200ms")
        assert doc["good"] == 0 and o.status()["requests"] == 0
        assert {e["kind"] for e in doc["errors"]} == {"tls-verify"}
        assert load("--insecure", f"https://{host}:{o.port}/")["good"] == 50
        return doc["errors"][0]["text"]


def test_certificates_that_do_not_verify(ca, tmp_path):
    trust = ("--ca", ca.root)
    assert failing(ca.issue(*LOCAL, expired=True), *trust, folder=tmp_path) == \
        "certificate of 127.0.0.1: certificate has expired"
    assert failing(ca.issue("www.example.com"), *trust, folder=tmp_path) == \
        "certificate of 127.0.0.1: IP address mismatch"
    assert failing(ca.issue("www.example.com"), *trust, host="localhost", folder=tmp_path) == \
        "certificate of localhost: hostname mismatch"
    assert failing(ca.issue(*LOCAL, by_itself=True), *trust, folder=tmp_path) == \
        "certificate of 127.0.0.1: self-signed certificate"
    stranger = Authority(tmp_path, "stranger")
    for argv in (trust, ()):  # a CA of the user's, and the system's
        assert failing(stranger.issue(*LOCAL), *argv, folder=tmp_path) == \
            "certificate of 127.0.0.1: unable to get local issuer certificate"


def test_a_ca_file_that_is_none():
    done = weir("load", "--rate", "1/s", "--ca", "/no/such.pem", "https://127.0.0.1:9/")
    assert done.returncode == 1 and "--ca /no/such.pem: No such file" in done.stderr


def test_a_server_without_tls_is_named(tmp_path):
    with Verb("origin", tmp_path) as o:
        doc = load("--insecure", secure(o), rate="10/s", run_for="200ms")
        assert doc["errors"][0]["kind"] == "tls-handshake"
        assert "is it TLS at all" in doc["errors"][0]["text"]


# ---- proxy, toward the API -----------------------------------------------------------------

def proxied(port, target="/", method="GET", body=None, context=None):
    """(status, reason, body) of one request to the proxy."""
    import http.client
    if context:
        c = http.client.HTTPSConnection("localhost", port, timeout=PATIENCE, context=context)
    else:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        c.request(method, target, body=body)
        answer = c.getresponse()
        return answer.status, answer.getheader("Weir-Reason"), answer.read()
    finally:
        c.close()


def upstream_tls(p):
    return p.status()["upstreams"][0]["tls"]


def test_proxy_calls_over_tls(ca, good, tmp_path):
    with Verb("origin", tmp_path, *good.options(), "--body", "1MB") as o, \
            Verb("proxy", tmp_path, "--upstream", secure(o), "--upstream-ca", ca.root) as p:
        for _ in range(5):
            assert proxied(p.port) == (200, None, b"ok\n" * 333_333 + b"o")
        assert proxied(p.port, method="POST", body=b"x" * 3_000_000)[0] == 200
        assert upstream_tls(p) == {"handshakes": 1, "resumed": 0, "failed": 0}
        assert p.status()["client_tls"] is None
        eventually(lambda: gauges_at_zero(p))


def test_sessions_are_resumed_toward_the_api(ca, good, tmp_path):
    with Verb("origin", tmp_path, *good.options(), "--no-keep-alive") as o, \
            Verb("proxy", tmp_path, "--upstream", f"https://localhost:{o.port}",
                 "--upstream-ca", ca.root) as p:
        for i in range(5):
            assert proxied(p.port)[0] == 200
            assert upstream_tls(p) == {"handshakes": i + 1, "resumed": i, "failed": 0}


@pytest.mark.parametrize("made, says", [
    ({"names": LOCAL, "expired": True}, "certificate has expired"),
    ({"names": ("www.example.com",)}, "hostname mismatch"),
    ({"names": LOCAL, "by_itself": True}, "self-signed certificate"),
])
def test_the_reason_is_told(ca, tmp_path, made, says):
    cert = ca.issue(*made.pop("names"), **made)
    said = f"certificate of localhost: {says}"
    with Verb("origin", tmp_path, *cert.options()) as o:
        url = f"https://localhost:{o.port}"
        with Verb("proxy", tmp_path, "--upstream", url, "--upstream-ca", ca.root) as p:
            for _ in range(2):
                status, reason, body = proxied(p.port)
                assert (status, reason) == (502, "tls-verify")
                assert body.startswith(f"weir: {said} (tls-verify)\nto do: ".encode())
            s = p.status()
            assert s["reasons"] == {"tls-verify": 2}
            words, = s["words"]
            assert (words["kind"], words["text"], words["count"]) == ("tls-verify", said, 2)
            assert upstream_tls(p)["failed"] == 2
            eventually(lambda: gauges_at_zero(p))
        with Verb("proxy", tmp_path, "--upstream", url, "--upstream-ca", ca.root,
                  "--gather", 2) as p:
            status, reason, body = proxied(p.port)
            assert (status, reason) == (502, "tls-verify")
            assert [part["why"] for part in json.loads(body)["parts"]] == [said, said]
        with Verb("proxy", tmp_path, "--upstream", url, "--upstream-insecure") as p:
            assert proxied(p.port)[0] == 200
        assert o.status()["requests"] == 1


def test_the_systems_roots_are_the_default(ca, good, tmp_path):
    with Verb("origin", tmp_path, *good.options()) as o:
        with Verb("proxy", tmp_path, "--upstream", secure(o)) as p:
            assert b"unable to get local issuer certificate" in proxied(p.port)[2]


def test_an_api_that_does_not_shake_hands(ca, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as mute, \
            Verb("proxy", tmp_path, "--upstream", f"https://127.0.0.1:{mute.getsockname()[1]}",
                 "--tls-timeout", "300ms", "--limit", 3) as p:
        status, reason, body = proxied(p.port)
        assert (status, reason) == (504, "tls-timeout")
        assert body.startswith(b"weir: TLS with 127.0.0.1: no handshake within 300 ms (tls-timeout)\n")
        slots = p.status()["slots"]
        assert slots["used"] == slots["draining"] == 3, "it may count each try, and looks at nothing"
        mute.close()
        eventually(lambda: gauges_at_zero(p))


class TlsServer:
    """A server by the ssl module that is told what to say, and how to end."""

    def __init__(self, cert, script, **settings):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert.cert, cert.key)
        for name, value in settings.items():
            setattr(self.context, name, value)
        self.script, self.names, self.problems = script, [], []
        self.context.sni_callback = lambda s, name, c: self.names.append(name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            raw.settimeout(PATIENCE)
            with raw:
                try:
                    with self.context.wrap_socket(raw, server_side=True) as tls:
                        self.script(tls)
                except (OSError, ssl.SSLError) as e:
                    self.problems.append(str(e))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *why):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def read_head(tls):
    data = b""
    while b"\r\n\r\n" not in data:
        got = tls.recv(65536)
        if not got:
            return data
        data += got
    return data


def test_sni_and_host_are_the_urls(ca, good, tmp_path):
    heads = []

    def script(tls):
        heads.append(read_head(tls))
        assert tls.selected_alpn_protocol() == "http/1.1"
        tls.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    with TlsServer(good, script) as server:
        server.context.set_alpn_protocols(["h2", "http/1.1"])
        for host, sni in (("localhost", "localhost"), ("127.0.0.1", None)):
            url = f"https://{host}:{server.port}"
            with Verb("proxy", tmp_path, "--upstream", url, "--upstream-ca", ca.root) as p:
                assert proxied(p.port)[0] == 204
            assert server.names.pop() == sni
            assert f"\r\nHost: {host}:{server.port}\r\n".encode() in heads.pop()
        assert server.problems == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_api_that_asks_for_our_certificate(ca, good, tmp_path, version):
    ours = ca.issue("weir.example.com")

    def script(tls):
        read_head(tls)
        subject = dict(tls.getpeercert()["subjectAltName"])
        tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" %
                    (len(subject["DNS"]), subject["DNS"].encode()))

    with TlsServer(good, script, verify_mode=ssl.CERT_REQUIRED, maximum_version=version) as server:
        server.context.load_verify_locations(ca.root)
        url = ("--upstream", f"https://localhost:{server.port}", "--upstream-ca", ca.root)
        with Verb("proxy", tmp_path, *url, "--upstream-cert", ours.cert,
                  "--upstream-key", ours.key) as p:
            assert proxied(p.port) == (200, None, b"weir.example.com")
            assert proxied(p.port) == (200, None, b"weir.example.com")  # resumed, or not
        with Verb("proxy", tmp_path, *url) as p:
            status, reason, body = proxied(p.port)
            assert (status, reason) == (502, "tls-handshake")
            assert b"TLS with localhost: " in body and b"alert" in body


@pytest.mark.parametrize("head, broken", [
    (b"HTTP/1.1 200 OK\r\n\r\n", True),  # until the close: only close_notify ends it
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", False),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", True),
])
@pytest.mark.parametrize("notify", [True, False])
def test_an_end_without_close_notify(ca, good, tmp_path, head, broken, notify):
    def script(tls):
        read_head(tls)
        tls.sendall(head + b"hello")
        if notify:
            tls.unwrap()
        else:
            tls.shutdown(socket.SHUT_WR)  # the bare socket's
            tls.close()

    if notify and b"Length" not in head:
        broken = False
    with TlsServer(good, script, maximum_version=ssl.TLSVersion.TLSv1_2) as server, \
            Verb("proxy", tmp_path, "--upstream", f"https://localhost:{server.port}",
                 "--upstream-ca", ca.root) as p:
        done = curl("-i", f"http://127.0.0.1:{p.port}/", check=False)
        assert b" 200 OK" in done.stdout and done.stdout.endswith(b"hello")
        assert (done.returncode != 0) == broken, done.stderr
        assert p.status()["reasons"] == ({"truncated": 1} if broken else {})
        eventually(lambda: gauges_at_zero(p))


@pytest.mark.parametrize("options, says, status", [
    (("--upstream-cert", "x.pem"), "a certificate and its key go together", 2),
    (("--cert", "x.pem"), "a certificate and its key go together", 2),
    (("--tls-timeout", "0s"), "--tls-timeout 0: every handshake would be late", 2),
    (("--upstream", "http://127.0.0.1:9"), "all endpoints must be https, or none", 2),
    (("--upstream-ca", "/no/such.pem"), "--upstream-ca /no/such.pem: No such file", 1),
    (("--cert", "/no/such.pem", "--key", "/no/key.pem"), "--cert /no/such.pem: No such file", 1),
])
def test_proxy_misuse(options, says, status):
    done = weir("proxy", "--listen", "127.0.0.1:0", "--upstream", "https://127.0.0.1:9", *options)
    assert done.returncode == status and says in done.stderr, done.stderr


def test_the_file_at_fault_is_named(ca, good, tmp_path):
    listen = ("proxy", "--listen", "127.0.0.1:0", "--upstream", "https://127.0.0.1:9")
    other = ca.issue("x")
    done = weir(*listen, "--cert", good.cert, "--key", other.key)
    assert f"--key {other.key}: is not the key of the certificate" in done.stderr
    done = weir(*listen, "--upstream-cert", good.cert, "--upstream-key", good.cert)
    assert "holds no private key in PEM form" in done.stderr
    locked = tmp_path / "locked.key"
    openssl("ec", "-in", good.key, "-out", locked, "-aes128", "-passout", "pass:secret")
    done = weir(*listen, "--cert", good.cert, "--key", locked)
    assert f"--key {locked}: its key asks for a passphrase" in done.stderr
    config = tmp_path / "weir.yaml"
    config.write_text("listen: 127.0.0.1:0\nupstreams:\n  api:\n    url: https://127.0.0.1:9\n"
                      "    upstream-ca: /no/such.pem\n")
    done = weir("proxy", "--config", config)
    assert done.returncode == 1 and f"{config}:5:" in done.stderr and "/no/such.pem" in done.stderr


# ---- proxy, from clients -------------------------------------------------------------------

@pytest.fixture
def tls_proxy(ca, good, tmp_path):
    """TLS on both sides, with limits of its own."""
    with Verb("origin", tmp_path, *good.options(), "--body", "200kB") as o, \
            Verb("proxy", tmp_path, "--upstream", secure(o), "--upstream-ca", ca.root,
                 *good.options(), "--tls-timeout", "1s") as p:
        yield p
        eventually(lambda: gauges_at_zero(p))


def test_clients_come_in_by_tls(ca, tls_proxy):
    assert ", TLS, upstream " in tls_proxy.line
    body = b"ok\n" * 66_666 + b"ok"
    for http in ("--http1.1", "--http1.0", "--http2", "--tls-max 1.2"):
        assert curl("--cacert", ca.root, *http.split(), secure(tls_proxy)).stdout == body
    context = client_context(ca)
    assert proxied(tls_proxy.port, context=context) == (200, None, body)
    assert proxied(tls_proxy.port, method="POST", body=b"y" * 2_000_000, context=context)[0] == 200
    # one connection, many requests; then the client's session is resumed
    with connected(tls_proxy.port, context) as s:
        for _ in range(3):
            s.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_head(s).startswith(b"HTTP/1.1 200 OK\r\n")
        s.sendall(b"HEAD https://a/ HTTP/1.1\r\nHost: a\r\n\r\n")  # 421 without TLS
        assert read_head(s).startswith(b"HTTP/1.1 200 OK\r\n")
        session = s.session
    with socket.create_connection(("127.0.0.1", tls_proxy.port), timeout=PATIENCE) as raw:
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as s:
            assert s.session_reused
    assert tls_proxy.status()["client_tls"]["resumed"] >= 1
    doc = load("--ca", ca.root, "--connections", "close", "--pool", 1, secure(tls_proxy))
    assert doc["good"] == 50 and doc["tls"]["resumed"] == 49


def test_a_certificate_for_each_name(ca, good, tmp_path):
    other, third = ca.issue("other.test", "*.wild.test"), ca.issue("third.test")
    config = tmp_path / "weir.yaml"

    def configure(*certs):
        config.write_text("upstream: http://127.0.0.1:9\n"
                          f"cert: [{', '.join(str(c.cert) for c in certs)}]\n"
                          f"key: [{', '.join(str(c.key) for c in certs)}]\n")

    def shown(p, name):
        context = client_context(ca)
        context.check_hostname = False
        with socket.create_connection(("127.0.0.1", p.port), timeout=PATIENCE) as raw, \
                context.wrap_socket(raw, server_hostname=name) as s:
            return [value for _, value in s.getpeercert()["subjectAltName"]]

    configure(good, other)
    with Verb("proxy", tmp_path, "--config", config) as p:
        assert shown(p, "other.test") == shown(p, "x.wild.test") == ["other.test", "*.wild.test"]
        for name in ("localhost", "third.test", "x.y.wild.test", None):
            assert "localhost" in shown(p, name)
        configure(good, other, third)
        p.process.send_signal(signal.SIGHUP)
        eventually(lambda: shown(p, "third.test") == ["third.test"])
        # the second's key in the third's place: nothing changes, and the line at fault is told
        config.write_text(config.read_text().replace(f"{third.key}", f"{other.key}"))
        p.process.send_signal(signal.SIGHUP)
        eventually(lambda: p.status()["config"]["reloads_failed"] == 1)
        assert shown(p, "third.test") == ["third.test"]
        eventually(lambda: gauges_at_zero(p))
    assert f"{config}:3:" in p.said and "is not the key of the certificate" in p.said
    done = weir("proxy", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9",
                *good.options(), "--cert", other.cert)
    assert done.returncode == 2 and "a certificate and its key go together" in done.stderr


def test_a_key_update_by_the_client(ca, tls_proxy):
    """openssl s_client asks for new keys, both ways, amid its requests."""
    p = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{tls_proxy.port}",
                          "-CAfile", str(ca.root), "-quiet", "-no_ign_eof"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        for key in (b"K\n", b"k\n", b"K\n"):
            p.stdin.write(key)
            p.stdin.flush()
            while p.stderr.readline() != b"KEYUPDATE\n":
                assert p.poll() is None
            p.stdin.write(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            p.stdin.flush()
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                byte = p.stdout.read(1)
                assert byte, "the connection ended"
                head += byte
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    finally:
        p.kill()
        p.communicate()


@pytest.mark.parametrize("method", [b"GET", b"PATCH", b"CONNECT"])
def test_plain_http_at_a_tls_port(tls_proxy, method):
    with socket.create_connection(("127.0.0.1", tls_proxy.port), timeout=PATIENCE) as s:
        s.sendall(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n" + b"x" * 20000)
        head, _, text = read_all(s).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ") and b"\r\nConnection: close\r\n" in head, head
    assert text.startswith(b"weir: plain HTTP where TLS is spoken: ask by https (plain-http)\nto do: ")
    eventually(lambda: tls_proxy.status()["client_tls"]["failed"] == 1)
    assert tls_proxy.status()["reasons"] == {"plain-http": 1}


def test_mute_and_slow_clients_are_dropped_in_time(ca, tls_proxy):
    mute = [socket.create_connection(("127.0.0.1", tls_proxy.port), timeout=PATIENCE)
            for _ in range(50)]
    began = time.monotonic()
    for i, s in enumerate(mute):
        if i % 2:
            s.sendall(b"\x16\x03\x01\x02")  # a handshake record's beginning, and no more
    assert proxied(tls_proxy.port, context=client_context(ca))[0] == 200  # nobody is in the way
    for s in mute:
        assert read_all(s) == b""
        s.close()
    assert 0.5 < time.monotonic() - began < 10
    assert tls_proxy.status()["client_tls"]["failed"] == 50


def test_an_http_1_0_answer_ends_with_close_notify(ca, tls_proxy):
    """The answer lasts until the end, which is TLS's to say."""
    for argv in (("--http1.0",), ("--http1.1", "-H", "Connection: close")):
        done = curl("--cacert", ca.root, *argv, secure(tls_proxy))
        assert len(done.stdout) == 200_000
    with connected(tls_proxy.port, client_context(ca, maximum_version=ssl.TLSVersion.TLSv1_2)) as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert len(read_all(s)) > 200_000
        s.unwrap()  # an error if the other end has said no close_notify


def test_a_reload_changes_certificates_and_loses_no_request(ca, tmp_path):
    cert = ca.issue(*LOCAL)
    with Verb("origin", tmp_path, *cert.options(), "--latency", "2ms") as o, \
            Verb("proxy", tmp_path, "--upstream", secure(o), "--upstream-ca", ca.root,
                 *cert.options(), "--tls-timeout", "30s") as p:
        def serial():
            context = client_context(ca)
            with connected(p.port, context) as s:
                return s.getpeercert()["serialNumber"]

        with subprocess.Popen([WEIR, "load", "--json", "--quiet", "--rate", "300/s", "--for", "3s",
                               "--ca", str(ca.root), secure(p)], stdout=subprocess.PIPE) as calls, \
            subprocess.Popen([WEIR, "load", "--json", "--quiet", "--rate", "50/s", "--for", "3s",
                              "--connections", "close", "--ca", str(ca.root), secure(p)],
                             stdout=subprocess.PIPE) as fresh:
            seen = {serial()}
            for n in range(1, 6):
                ca.replace(cert, *LOCAL)
                p.process.send_signal(signal.SIGHUP)
                eventually(lambda: p.status()["config"]["reloads"] == n)
                seen.add(serial())
            assert len(seen) == 6
            # all or nothing: a key that is not the certificate's changes nothing
            kept = serial()
            cert.key.write_text("no key")
            p.process.send_signal(signal.SIGHUP)
            eventually(lambda: p.status()["config"]["reloads_failed"] == 1)
            assert serial() == kept
            for run, started in ((calls, 900), (fresh, 150)):
                doc = json.loads(run.communicate(timeout=PATIENCE)[0])
                assert doc["good"] == doc["started"] == started, doc["errors"]
        eventually(lambda: gauges_at_zero(p))
    assert f"--key {cert.key}: holds no private key" in p.said
    assert "it goes on with the configuration it has" in p.said


# ---- other peers ---------------------------------------------------------------------------

@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def nginx(good, tmp_path, request):
    """A TLS server with files of known bytes, and one that answers with what it was sent."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not shutil.which(program):
        pytest.skip("no nginx")
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "big").write_bytes(bytes(range(256)) * 40_000)
    (tmp_path / "nginx.conf").write_text(f"""
daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;
events {{ }}
http {{
  access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p;
  fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;
  server {{
    listen 127.0.0.1:{port} ssl; root {tmp_path}/www;
    ssl_certificate {good.cert}; ssl_certificate_key {good.key};
    ssl_protocols {request.param}; ssl_session_tickets on;
    location = /hello {{ return 200 "hello over $ssl_protocol, resumed $ssl_session_reused\\n"; }}
  }}
}}
""")
    process = subprocess.Popen([program, "-c", str(tmp_path / "nginx.conf"), "-e",
                                str(tmp_path / "error.log")], stdin=subprocess.DEVNULL)

    def is_up():
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        return False

    try:
        eventually(is_up)
        yield f"https://localhost:{port}", request.param
    finally:
        process.terminate()
        process.wait()


def test_nginx_as_the_api(ca, nginx, tmp_path):
    url, version = nginx
    with Verb("proxy", tmp_path, "--upstream", url, "--upstream-ca", ca.root,
              "--connections", "close") as p:
        for resumed in ".r":
            assert proxied(p.port, "/hello")[2] == \
                f"hello over {version}, resumed {resumed}\n".encode()
        status, _, body = proxied(p.port, "/big")
        assert status == 200 and body == bytes(range(256)) * 40_000
        assert upstream_tls(p)["resumed"] == 2
        eventually(lambda: gauges_at_zero(p))


NODE = """
const https = require('https'), fs = require('fs'), crypto = require('crypto');
const [ca, cert, key, port] = process.argv.slice(2);
const agent = new https.Agent({ca: fs.readFileSync(ca), keepAlive: true});
const sum = b => crypto.createHash('sha256').update(b).digest('hex');
if (port) {
  const body = Buffer.alloc(5e6, 'node');
  const ask = n => {
    const q = https.request({host: 'localhost', port, agent, method: 'POST', path: '/' + n}, r => {
      const parts = [];
      r.on('data', d => parts.push(d)).on('end', () => {
        const same = sum(Buffer.concat(parts)) === sum(body);
        console.log(r.statusCode, same);
        if (n < 2) setImmediate(ask, n + 1); else agent.destroy();
      });
    });
    q.end(body);
  };
  ask(0);
} else {
  https.createServer({cert: fs.readFileSync(cert), key: fs.readFileSync(key)}, (q, r) => {
    q.pipe(r);
  }).listen(0, '127.0.0.1', function () { console.log(this.address().port); });
}
"""


def test_node_on_both_sides(ca, good, tmp_path):
    """Bodies of 5 MB go there and come back, by what Node echoes, over TLS four times."""
    if not shutil.which("node"):
        pytest.skip("no node")
    script = tmp_path / "peer.js"
    script.write_text(NODE)
    argv = ["node", str(script), str(ca.root), str(good.cert), str(good.key)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(server.stdout.readline())
            with Verb("proxy", tmp_path, "--upstream", f"https://localhost:{port}",
                      "--upstream-ca", ca.root, *good.options()) as p:
                done = subprocess.run([*argv, str(p.port)], capture_output=True, text=True,
                                      timeout=PATIENCE, check=False)
                assert done.stdout == "200 true\n" * 3, done
                eventually(lambda: gauges_at_zero(p))
        finally:
            server.kill()
