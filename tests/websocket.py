"""WebSocket (RFC 6455) as far as tests need it: both handshakes, and frames, masked as each side has
to. Written from the RFC; it owes nothing to weir."""

import base64
import hashlib
import os
import struct

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def read_head(sock):
    """Byte by byte: what follows the head is not touched."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, f"ended within a head: {data!r}"
        data += byte
    start, *lines = data[:-4].split(b"\r\n")
    return start, {n.lower(): v for n, v in (line.split(b": ", 1) for line in lines)}


def shake_client(sock, host=b"api.test", path=b"/chat", more=b""):
    key = base64.b64encode(os.urandom(16))
    sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nUpgrade: websocket\r\n"
                 b"Connection: Upgrade\r\nSec-WebSocket-Key: " + key +
                 b"\r\nSec-WebSocket-Version: 13\r\n" + more + b"\r\n")
    start, fields = read_head(sock)
    assert start == b"HTTP/1.1 101 Switching Protocols", start
    assert fields[b"connection"].lower() == b"upgrade" and fields[b"upgrade"] == b"websocket"
    assert fields[b"sec-websocket-accept"] == accept_of(key)
    return fields


def shake_server(sock):
    """The request's head, when it has been answered by 101."""
    start, fields = read_head(sock)
    assert start.startswith(b"GET ") and start.endswith(b" HTTP/1.1"), start
    assert b"upgrade" in fields[b"connection"].lower()
    assert fields[b"upgrade"].lower() == b"websocket"
    assert fields[b"sec-websocket-version"] == b"13"
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 b"Connection: Upgrade\r\nSec-WebSocket-Accept: " +
                 accept_of(fields[b"sec-websocket-key"]) + b"\r\n\r\n")
    return start, fields


def masked(data, mask):
    whole = mask * (len(data) // 4 + 1)
    return (int.from_bytes(data, "big") ^
            int.from_bytes(whole[:len(data)], "big")).to_bytes(len(data), "big")


def frame(opcode, data, mask):
    """mask: a client's frames have one, a server's none."""
    n, bit = len(data), 0x80 if mask else 0
    head = bytes([0x80 | opcode])
    if n < 126:
        head += bytes([bit | n])
    elif n < 1 << 16:
        head += bytes([bit | 126]) + struct.pack(">H", n)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", n)
    if not mask:
        return head + data
    key = os.urandom(4)
    return head + key + masked(data, key)


def exactly(sock, n):
    data = bytearray()
    while len(data) < n:
        chunk = sock.recv(n - len(data))
        if not chunk:
            raise EOFError(bytes(data))
        data += chunk
    return bytes(data)


def read_part(sock, from_client):
    """Whether it is the last part, what it is, and its bytes."""
    first, second = exactly(sock, 2)
    assert first & 0x70 == 0 and bool(second & 0x80) == from_client
    n = second & 0x7f
    if n == 126:
        n, = struct.unpack(">H", exactly(sock, 2))
    elif n == 127:
        n, = struct.unpack(">Q", exactly(sock, 8))
    key = exactly(sock, 4) if from_client else None
    data = exactly(sock, n)
    return bool(first & 0x80), first & 0x0f, masked(data, key) if key else data


def read_frame(sock, from_client):
    """With the parts that a browser makes of a long message put together."""
    last, opcode, data = read_part(sock, from_client)
    while not last:
        last, again, more = read_part(sock, from_client)
        assert again == 0
        data += more
    return opcode, data


def echo_server(sock):
    """Says every message again, until the client's close is answered."""
    while True:
        opcode, data = read_frame(sock, from_client=True)
        if opcode == PING:
            opcode = PONG
        sock.sendall(frame(opcode, data, mask=False))
        if opcode == CLOSE:
            return
