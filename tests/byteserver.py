"""An API of known bytes, for tests with real clients: what it sends has a checksum, and it tells the
checksum of what it was sent. Plain, or over TLS.

    GET  /bytes/N    N bytes, their SHA-256 in X-Sha256
    POST /echo       JSON: the SHA-256, the length and the framing of what came
    GET  /stream/ID  "first", and "second" only when GET /go/ID has come
    GET  /none       204
    GET  /moved      302 to /bytes/9
"""

import hashlib
import http.server
import json
import ssl
import threading

from verbs import PATIENCE

BLOCK = bytes(range(251)) * 4177  # 1 MiB less a bit: no power of two


def payload(n):
    return (BLOCK * (n // len(BLOCK) + 1))[:n]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def stream(self, gate):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"6\r\nfirst\n\r\n")
        assert gate.wait(PATIENCE)
        self.wfile.write(b"7\r\nsecond\n\r\n0\r\n\r\n")

    def do_GET(self):
        what, _, which = self.path[1:].partition("/")
        if what == "bytes":
            body = payload(int(which))
            self.answer(200, body, X_Sha256=hashlib.sha256(body).hexdigest())
        elif what == "stream":
            self.stream(self.server.gate(which))
        elif what == "go":
            self.server.gate(which).set()
            self.answer(200, b"gone")
        elif what == "none":
            self.answer(204)
        elif what == "moved":
            self.answer(302, b"there", Location="/bytes/9")
        else:
            self.answer(404, b"no such thing")

    do_HEAD = do_GET

    def parts(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            left = int(self.headers.get("Content-Length", 0))
            while left:
                part = self.rfile.read(min(left, 1 << 16))
                left -= len(part)
                yield part
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def do_POST(self):
        digest, length = hashlib.sha256(), 0
        for part in self.parts():
            digest.update(part)
            length += len(part)
        self.answer(200, json.dumps({
            "sha256": digest.hexdigest(), "length": length, "method": self.command,
            "chunked": "Transfer-Encoding" in self.headers, "host": self.headers["Host"]}).encode())

    do_PUT = do_POST


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True

    def __init__(self, cert=None, handler=Handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.gates, self.lock = {}, threading.Lock()
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert.cert, cert.key)
            # the handshake is done by the connection's own thread, at its first read
            self.socket = context.wrap_socket(self.socket, server_side=True,
                                              do_handshake_on_connect=False)
        self.url = f"http{'s' if cert else ''}://localhost:{self.server_port}"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,))

    def gate(self, which):
        with self.lock:
            return self.gates.setdefault(which, threading.Event())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()

    def handle_error(self, *_):
        pass  # an idle connection that was reset is no news
