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
from verbs import PATIENCE, WEIR, Verb, eventually, gauges_at_zero

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


def read_all(sock):
    data = b""
    while chunk := sock.recv(65536):
        data += chunk
    return data


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
