"""A real browser: Chromium loads a page and all that it asks for through the proxy."""

import base64
import contextlib
import hashlib
import json
import ssl
import struct
import zlib
from pathlib import Path

import pytest

import byteserver
import websocket
from browser import chromium
from pki import LOCAL, Authority, openssl
from verbs import PATIENCE, Verb, eventually, forward_proxy, gauges_at_zero

PEERS = Path(__file__).parent / "peers"
SAID = {"images": " ".join(str(n + 1) for n in range(24)), "download": True, "upload": True,
        "form": True, "stream": "first\nsecond\n", "events": "0 1 2 3 last", "socket": True,
        "moved": 9}


def png(width):
    """An image that can be told by its width."""
    def part(name, data):
        return struct.pack(">I", len(data)) + name + data + \
            struct.pack(">I", zlib.crc32(name + data))
    rows = (b"\0" + b"\x20\x60\xa0" * width) * 20
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">2I5B", width, 20, 8, 2, 0, 0, 0)) + \
        part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")


class Handler(byteserver.Handler):
    """The page, and what it asks for."""

    FILES = {"": ("page.html", "text/html"), "page.js": ("page.js", "text/javascript")}

    def do_GET(self):
        what, _, which = self.path[1:].partition("/")
        if what in self.FILES:
            name, kind = self.FILES[what]
            self.answer(200, (PEERS / name).read_bytes(), Content_Type=kind)
        elif what == "page.css":
            self.answer(200, b"h1 { color: #2060a0; }", Content_Type="text/css")
        elif what == "image":
            self.answer(200, png(int(which) + 1), Content_Type="image/png")
        elif what == "events":
            self.events()
        elif what == "socket":
            self.socket()
        else:
            super().do_GET()

    def events(self):
        """Until the end of the connection, as they do that know no length."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for data in (*range(4), "last"):
            self.wfile.write(f"data: {data}\n\n".encode())
        if isinstance(self.connection, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                self.connection.unwrap()  # without close_notify nobody could tell it is the end

    def socket(self):
        """Sends every message back."""
        self.close_connection = True
        if self.headers.get("Upgrade", "").lower() != "websocket":
            self.answer(426, b"no WebSocket asked for")
            return
        accept = websocket.accept_of(self.headers["Sec-WebSocket-Key"].encode()).decode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        websocket.echo_server(self.connection)


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def trusted(cert):
    """The switch that makes Chromium take this key, and no other that it does not know."""
    public = openssl("x509", "-in", cert.cert, "-pubkey", "-noout").stdout
    der = openssl("pkey", "-pubin", "-outform", "der", input=public).stdout
    return "--ignore-certificate-errors-spki-list=" + \
        base64.b64encode(hashlib.sha256(der).digest()).decode()


def visit(driver, url, folder):
    """The page says that all of it went well, and so does the console."""
    driver.get(url)
    try:
        eventually(lambda: driver.title == "done", 4 * PATIENCE)
    finally:
        driver.save_screenshot(str(folder / "page.png"))
    assert json.loads(driver.find_element("id", "said").text) == SAID
    assert [e for e in driver.get_log("browser") if e["level"] in ("SEVERE", "WARNING")] == []


@pytest.mark.parametrize("come, to", [("http", "http"), ("https", "http"), ("https", "https")])
def test_a_page_with_all_its_parts(come, to, ca, tmp_path):
    cert = ca.issue(*LOCAL)
    options = ["--upstream-ca", ca.root, *(cert.options() if come == "https" else ())]
    with byteserver.Server(cert if to == "https" else None, Handler) as site, \
            Verb("proxy", tmp_path, "--upstream", site.url, *options) as p:
        with chromium(tmp_path, trusted(cert)) as driver:
            visit(driver, f"{come}://localhost:{p.port}/", tmp_path)
        eventually(lambda: gauges_at_zero(p))


@pytest.mark.parametrize("to", ["http", "https"])
def test_a_page_by_way_of_a_forward_proxy(to, ca, tmp_path):
    """The site keeps its own address; of it, WebSockets and all that is under TLS go by CONNECT."""
    cert = ca.issue(*LOCAL)
    with byteserver.Server(cert if to == "https" else None, Handler) as site, \
            forward_proxy(tmp_path) as p:
        with chromium(tmp_path, trusted(cert), f"--proxy-server={p.forward}",
                      "--proxy-bypass-list=<-loopback>") as driver:
            visit(driver, f"{site.url}/", tmp_path)
            assert p.status()["exchanges"]["total"] > 2
        eventually(lambda: gauges_at_zero(p))
