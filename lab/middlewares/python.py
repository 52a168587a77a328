"""A middleware in Python with what comes with it: for each call in, WEIR_GATHER calls out, side
by side, through http.client.

As requests.get does, it makes a connection for each call and closes it after the answer. Such a
call says nothing about its connection, which in HTTP/1.1 means that it is kept: so the server
keeps its end open, and Python closes first.

  WEIR_LISTEN_HOST, WEIR_LISTEN_PORT   where callers come in
  WEIR_UPSTREAMS                       base URLs of the API, by turns
  WEIR_GATHER                          calls out per call in (3)
  KEEP_ALIVE                           yes: each thread keeps its connection (no)
  CLIENT                               curl: a process of it for each call
  TIMEOUT_MS                           give up a call after so long and close it (none)
"""

import http.client
import http.server
import itertools
import json
import os
import socketserver
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

UPSTREAMS = [u.rstrip("/") for u in os.environ.get("WEIR_UPSTREAMS", "").split(",") if u]
GATHER = int(os.environ.get("WEIR_GATHER") or 3)
TIMEOUT = float(os.environ.get("TIMEOUT_MS") or 0) / 1000 or None
KEEP_ALIVE = os.environ.get("KEEP_ALIVE") == "yes"
BY_CURL = os.environ.get("CLIENT") == "curl"
TURNS = itertools.count()
THREADS = ThreadPoolExecutor(128)
KEPT = threading.local()  # connections of a thread, by URL


def connect(base):
    to = urlsplit(base)
    kind = http.client.HTTPSConnection if to.scheme == "https" else http.client.HTTPConnection
    return kind(to.hostname, to.port, timeout=TIMEOUT)


def by_library(base, path):
    connection = KEPT.__dict__.pop(base, None) or connect(base)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as e:
        connection.close()
        return 0, str(e) or type(e).__name__
    if KEEP_ALIVE:
        KEPT.__dict__[base] = connection
    else:
        connection.close()
    return answer.status, text


def by_curl(base, path):
    words = ["curl", "-sS", "-w", "\n%{http_code}", base + path]
    if TIMEOUT:
        words[1:1] = ["--max-time", str(TIMEOUT)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    text, _, status = done.stdout.rpartition("\n")
    return (int(status), text) if done.returncode == 0 else (0, done.stderr.strip())


def call_out(path):
    base = UPSTREAMS[next(TURNS) % len(UPSTREAMS)]
    return (by_curl if BY_CURL else by_library)(base, path)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        answers = list(THREADS.map(call_out, [self.path] * GATHER))
        bad = next((text for status, text in answers if status != 200), None)
        body = (json.dumps([text for _, text in answers]) if bad is None else bad).encode()
        self.send_response(200 if bad is None else 502)
        self.send_header("Content-Type", "application/json" if bad is None else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 4096


def main():
    if not UPSTREAMS:
        sys.exit("python.py: WEIR_UPSTREAMS is empty: give the base URL of the API")
    at = (os.environ.get("WEIR_LISTEN_HOST") or "127.0.0.1",
          int(os.environ.get("WEIR_LISTEN_PORT") or 9090))
    with Server(at, Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
