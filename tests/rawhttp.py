"""HTTP/1.1 by the byte, for tests: a strict parser that owes nothing to weir's, clients on bare
sockets, a server that writes down what reaches it, and one that says what a script tells it to."""

import re
import selectors
import socket
import struct
import threading
import time

from verbs import PATIENCE

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) HTTP/1\.1\Z")
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)\Z")
VALUE = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?\Z")
CHUNK_SIZE = re.compile(rb"[0-9a-f]{1,16}\Z")
HOP_BY_HOP = (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade",
              b"proxy-authenticate", b"proxy-authorization")


class Unclear(Exception):
    """Bytes that two readers might read differently, or that no reader should accept."""


class Message:
    def __init__(self, start, fields):
        self.start, self.fields = start, fields
        self.body, self.whole, self.framing = b"", False, "none"
        self.chunks = []

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def one(self, name):
        values = self.all(name)
        assert len(values) == 1, f"{name!r} stands {len(values)} times in {self.fields}"
        return values[0]

    @property
    def method(self):
        return self.start.split(b" ")[0]

    @property
    def target(self):
        return self.start.split(b" ")[1]

    @property
    def status(self):
        return int(self.start[9:12])


def parse_fields(lines):
    fields = []
    for line in lines:
        name, colon, value = line.partition(b": ")
        if not colon or not TOKEN.match(name) or not VALUE.match(value):
            raise Unclear(f"field line {line!r}")
        fields.append((name, value))
    return fields


def parse_head(data):
    """(message, rest), or (None, data) while it is incomplete."""
    head, end, rest = data.partition(b"\r\n\r\n")
    for at, byte in enumerate(head if end else data[:-1]):
        if byte == 10 and data[at - 1:at] != b"\r":
            raise Unclear("bare LF in a head")
        if byte == 13 and data[at + 1:at + 2] != b"\n":
            raise Unclear("bare CR in a head")
    if not end:
        return None, data
    start, *lines = head.split(b"\r\n")
    return Message(start, parse_fields(lines)), rest


def take_chunks(m, data):
    """The rest behind a chunked body; m.whole stays False while more must come."""
    while True:
        line, end, rest = data.partition(b"\r\n")
        if not end:
            if len(line) > 18:
                raise Unclear(f"chunk size {line[:40]!r}")
            return data
        if not CHUNK_SIZE.match(line):
            raise Unclear(f"chunk size {line!r}")
        size = int(line, 16)
        if size == 0:
            if len(rest) < 2:
                return data
            if rest[:2] != b"\r\n":
                raise Unclear("trailers")
            m.whole = True
            return rest[2:]
        if len(rest) < size + 2:
            return data
        if rest[size:size + 2] != b"\r\n":
            raise Unclear("chunk without its CRLF")
        m.chunks.append(rest[:size])
        m.body += rest[:size]
        data = rest[size + 2:]


def take_body(m, data, bodyless=False, until_close=False):
    lengths, codings = m.all(b"content-length"), m.all(b"transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise Unclear(f"framed twice: {m.fields}")
    if codings and codings != [b"chunked"]:
        raise Unclear(f"coding {codings}")
    if lengths and not re.match(rb"(?:0|[1-9][0-9]{0,18})\Z", lengths[0]):
        raise Unclear(f"length {lengths}")
    if lengths:
        m.framing, m.length = "length", int(lengths[0])
    elif codings:
        m.framing = "chunked"
    if bodyless or not lengths and not codings and not until_close:
        m.whole = True
        return data
    if codings:
        return take_chunks(m, data)
    if until_close and not lengths:
        m.framing, m.body = "close", data
        return b""
    m.body = data[:m.length]
    m.whole = len(data) >= m.length
    return data[m.length:]


def parse_requests(data):
    """All requests in the bytes, the last one perhaps not whole; Unclear when any byte is not
    as a careful sender would write it."""
    found = []
    while data:
        m, data = parse_head(data)
        if m is None:
            m = Message(data, [])
            return found + [m]
        if not REQUEST_LINE.match(m.start):
            raise Unclear(f"request line {m.start!r}")
        hosts = m.all(b"host")
        if len(hosts) != 1 or not hosts[0]:
            raise Unclear(f"Host {hosts}")
        data = take_body(m, data)
        found.append(m)
        if not m.whole:
            break
    return found


def parse_responses(data, methods=(b"GET",), ended=False):
    """All answers in the bytes, interim ones among them; one method for each final answer."""
    found, methods = [], list(methods)
    while data:
        m, data = parse_head(data)
        if m is None:
            raise Unclear(f"half a head: {data[:80]!r}")
        if not STATUS_LINE.match(m.start):
            raise Unclear(f"status line {m.start!r}")
        if m.status < 200:
            m.whole = True
        else:
            method = methods.pop(0) if methods else b"GET"
            bodyless = method == b"HEAD" or m.status in (204, 304)
            data = take_body(m, data, bodyless, until_close=True)
            if m.framing == "close":
                m.whole = ended
        found.append(m)
    return found


class Client:
    """A bare socket to the proxy. `how` says how the other side ended it: eof or reset."""

    def __init__(self, to, data=b""):
        """`to`: a port here, or the path of a Unix socket."""
        if isinstance(to, int):
            self.sock = socket.create_connection(("127.0.0.1", to), PATIENCE)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(PATIENCE)
            self.sock.connect(str(to))
        self.got, self.how = b"", None
        if data:
            self.send(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        """What the peer does not want any more may fail to be sent: its answer is read."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self

    def drip(self, data, size=1):
        for at in range(0, len(data), size):
            self.send(data[at:at + size])
        return self

    def more(self):
        """Reads once; False at the end."""
        try:
            chunk = self.sock.recv(65536)
        except ConnectionResetError:
            self.how = "reset"
            return False
        if not chunk:
            self.how = "eof"
        self.got += chunk
        return bool(chunk)

    def until(self, mark, count=1):
        while self.got.count(mark) < count:
            assert self.more(), f"ended by {self.how} before {mark!r}: {self.got[-2000:]!r}"
        return self

    def to_end(self):
        while self.more():
            pass
        return self.got

    def answers(self, n=1, methods=(b"GET",)):
        """Reads until n final answers are whole; all messages, interim ones too."""
        while True:
            try:
                found = parse_responses(self.got, methods, self.how == "eof")
            except Unclear:
                if self.how:
                    raise
                found = []
            if sum(m.whole and m.status >= 200 for m in found) >= n:
                return found
            assert self.how is None and self.more() or self.how == "eof" and found, \
                f"{n} answers expected, ended by {self.how}: {self.got[-2000:]!r}"

    def answer(self, method=b"GET"):
        return [m for m in self.answers(1, (method,)) if m.status >= 200][-1]

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Recorder:
    """Writes down every byte of every connection, and answers each request that is whole to a
    strict reader. What no strict reader accepts is left unanswered, and told by `faults`."""

    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.authority = f"127.0.0.1:{self.port}".encode()
        self.lock = threading.Lock()
        self.stop = False
        self.conns = []
        self.faults = []
        self.chosen = selectors.DefaultSelector()
        self.chosen.register(self.listener, selectors.EVENT_READ, None)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self.thread.join()
        for conn in self.conns:
            conn["sock"].close()
        self.listener.close()

    def run(self):
        while not self.stop:
            for key, _ in self.chosen.select():
                with self.lock:
                    if key.data is None:
                        self.accept()
                    else:
                        self.read(key.data)

    def accept(self):
        sock, _ = self.listener.accept()
        conn = {"sock": sock, "bytes": b"", "answered": 0, "end": None}
        self.conns.append(conn)
        self.chosen.register(sock, selectors.EVENT_READ, conn)

    def read(self, conn):
        try:
            data = conn["sock"].recv(1 << 20)
            end = None if data else "eof"
        except ConnectionResetError:
            data, end = b"", "reset"
        conn["bytes"] += data
        if end:
            conn["end"] = end
            self.chosen.unregister(conn["sock"])
            conn["sock"].close()
            return
        try:
            whole = [m for m in parse_requests(conn["bytes"]) if m.whole]
        except Unclear as why:
            self.faults.append(f"{why}: {conn['bytes'][-300:]!r}")
            return
        for m in whole[conn["answered"]:]:
            conn["answered"] += 1
            answer = self.ANSWER
            conn["sock"].sendall(answer[:-2] if m.method == b"HEAD" else answer)

    def forget(self):
        """Between tests: what has been read whole so far is no longer of interest."""
        with self.lock:
            self.faults.clear()
            self.conns = [c for c in self.conns if c["end"] is None]
            for conn in self.conns:
                conn["bytes"], conn["answered"] = b"", 0

    def requests(self):
        """Every request seen since `forget`, in order of connections."""
        with self.lock:
            assert not self.faults, self.faults
            return [m for c in self.conns for m in parse_requests(c["bytes"])]

    def seen(self):
        with self.lock:
            return b"".join(c["bytes"] for c in self.conns)

    def ends(self):
        with self.lock:
            return [(c["bytes"], c["end"]) for c in self.conns]


class Peer:
    """The server's side of one connection, in a script's hands."""

    def __init__(self, sock):
        self.sock, self.data = sock, b""
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, whole=True):
        """The next request (its head alone, if not whole), or None at the end."""
        while True:
            found = parse_requests(self.data)
            if found and (found[0].whole or not whole and b"\r\n\r\n" in self.data):
                if found[0].whole:
                    self.data = self.data[self.length_of(found[0]):]
                return found[0]
            try:
                chunk = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not chunk:
                return None
            self.data += chunk

    def length_of(self, m):
        size = self.data.index(b"\r\n\r\n") + 4
        if m.framing == "length":
            return size + m.length
        if m.framing == "chunked":
            return size + sum(len(b"%x" % len(c)) + 4 + len(c) for c in m.chunks) + 5
        return size

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def wait_end(self):
        """Reads until the proxy ends it: eof or reset."""
        try:
            while chunk := self.sock.recv(65536):
                self.data += chunk
            return "eof"
        except ConnectionResetError:
            return "reset"

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Scripted:
    """A server that runs script(peer, n) on its n-th connection, each in a thread; the socket is
    closed when the script returns. An exception in a script fails the test."""

    def __init__(self, script):
        self.script = script
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.threads, self.errors, self.count = [], [], 0
        self.stop = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            sock, _ = self.listener.accept()
            if self.stop:
                sock.close()
                return
            self.count += 1
            t = threading.Thread(target=self.one, args=(Peer(sock), self.count - 1))
            t.start()
            self.threads.append(t)

    def one(self, peer, n):
        try:
            self.script(peer, n)
        except Exception as why:  # told in the test's thread
            self.errors.append(why)
        finally:
            peer.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stop = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self.thread.join()
        for t in self.threads:
            t.join(PATIENCE)
        self.listener.close()
        if kind is None:
            assert not self.errors, self.errors


def eventually_ended(recorder, within=PATIENCE):
    """Waits until a connection of the recorder has ended; how."""
    until = time.monotonic() + within
    while True:
        ended = [(b, e) for b, e in recorder.ends() if e and b]
        if ended:
            return ended[-1]
        assert time.monotonic() < until, "the upstream connection stays open"
        time.sleep(0.005)
