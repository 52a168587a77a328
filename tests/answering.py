"""An HTTP server on threads of the test's own; what it answers is its subclass's."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answering:
    """At `url` from the start. A subclass's `answer(request, body)` gives (status, fields, body)
    to each request; `request` has its command, path and headers. It may wait: each connection has
    a thread."""

    def __init__(self, at="127.0.0.1", port=0, cert=None):
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self):
                asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, fields, body = api.answer(self, asked)
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = respond

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass  # a proxy that ends at once resets its calls

        self.server = Server((at, port), Handler)
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert.cert, cert.key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if cert else ''}://{at}:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()
