"""A nameserver on loopback, UDP and TCP on one port, for tests: what it says changes while it runs."""

import select
import socket
import struct
import threading

A, CNAME, SOA, AAAA = 1, 5, 6, 28
NXDOMAIN, SERVFAIL = 3, 2


def _name(text):
    parts = [p for p in text.split(".") if p]
    return b"".join(bytes([len(p)]) + p.encode() for p in parts) + b"\0"


def _record(name, kind, ttl, data):
    return _name(name) + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


class Nameserver:
    """names: {"api.test": (ttl, ["127.0.0.1", "::1"])}, or (ttl, "other.test") for an alias; a name
    that is not there is NXDOMAIN for `negative` seconds. `mood`: "well", "silent", "broken" (SERVFAIL)
    or "large" (truncated by UDP)."""

    def __init__(self, names=None, negative=2):
        self.names = dict(names or {})
        self.negative = negative
        self.mood = "well"
        self.asked = []  # (name, type, by TCP)
        while True:
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]
            try:
                self.tcp = socket.create_server(("127.0.0.1", self.port))
                break
            except OSError:
                self.udp.close()
        self.at = f"127.0.0.1:{self.port}"
        self.wake, self.woken = socket.socketpair()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def count(self, name):
        return sum(1 for asked in self.asked if asked[0] == name)

    def _records(self, name, kind):
        """(rcode, answers)"""
        answers = b"", 0
        while name in self.names:
            ttl, what = self.names[name]
            if isinstance(what, str):
                answers = answers[0] + _record(name, CNAME, ttl, _name(what)), answers[1] + 1
                name = what
                continue
            family = socket.AF_INET6 if kind == AAAA else socket.AF_INET
            for ip in what:
                if (":" in ip) == (kind == AAAA) and kind in (A, AAAA):
                    data = socket.inet_pton(family, ip)
                    answers = answers[0] + _record(name, kind, ttl, data), answers[1] + 1
            return 0, answers
        return NXDOMAIN, answers

    def _answer(self, question, by_tcp):
        at, labels = 12, []
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode().lower())
            at += 1 + question[at]
        kind, = struct.unpack("!H", question[at + 1:at + 3])
        name = ".".join(labels)
        self.asked.append((name, kind, by_tcp))
        if self.mood == "silent":
            return None
        rcode, (answers, n) = self._records(name, kind)
        if self.mood == "broken":
            rcode, answers, n = SERVFAIL, b"", 0
        cut = self.mood == "large" and not by_tcp
        if cut:
            answers, n = b"", 0
        soa = b""
        if n == 0 and not cut and self.mood != "broken":
            soa = _record("test", SOA, self.negative, _name("ns.test") + _name("me.test") +
                          struct.pack("!IIIII", 1, 0, 0, 0, self.negative))
        flags = 0x8480 | (0x0200 if cut else 0) | rcode
        head = question[:2] + struct.pack("!HHHHH", flags, 1, n, 1 if soa else 0, 0)
        return head + question[12:at + 5] + answers + soa

    def _serve_tcp(self, peer):
        head = peer.recv(2, socket.MSG_WAITALL)
        if len(head) < 2:
            return False
        question = peer.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
        answer = self._answer(question, True)
        if answer:
            peer.sendall(struct.pack("!H", len(answer)) + answer)
        return True

    def _serve(self):
        peers = []
        while True:
            ready, _, _ = select.select([self.udp, self.tcp, self.woken, *peers], [], [])
            if self.woken in ready:
                break
            for s in ready:
                if s is self.udp:
                    question, who = s.recvfrom(4096)
                    answer = self._answer(question, False)
                    if answer:
                        s.sendto(answer, who)
                elif s is self.tcp:
                    peers.append(s.accept()[0])
                elif not self._serve_tcp(s):
                    peers.remove(s)
                    s.close()
        for s in peers:
            s.close()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.wake.send(b"x")
        self.thread.join()
        for s in (self.udp, self.tcp, self.wake, self.woken):
            s.close()
