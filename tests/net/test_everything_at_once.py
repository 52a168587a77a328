"""Months in a few seconds: a server that is killed and comes back, reloads that change what is in
flight, callers who leave at any byte; afterwards nothing is left, and nobody was forgotten."""

import contextlib
import random
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from verbs import PATIENCE, Verb, eventually, free_port, gauges_at_zero

ROUNDS = 12  # reloads, half a second of load each; every third the server is killed
RESET = struct.pack("ii", 1, 0)
ASKS = (b"GET /l HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /l HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        b"PUT /l HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n" + b"x" * 9000,
        b"GET /l HTTP/1.1\r\nHo")


class Api:
    """A real fasthttp at a port that stays its own."""

    def __init__(self, program):
        self.program, self.port, self.process = program, free_port(), None
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.program, "--listen", f"127.0.0.1:{self.port}", "--limit", "12",
                                         "--latency", "mix(80%: 10ms, 20%: 200ms)"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()


def config(port, nth):
    """Another one each time: what is in flight began with the one before."""
    return (f"upstream: http://127.0.0.1:{port}\nthreads: 2\ntimeout: 1s\nretry-on: connect,reset,503\n"
            f"limit: {(12, 9, 3)[nth % 3]}\nretries: {(2, 0, 10)[nth % 3]}\nhedge-after: {('30ms', 'off')[nth % 2]}\n"
            f"abandon: {('auto', 'drain', 'reset')[nth % 3]}\npreconnect: {nth % 3}\n"
            f"pause-scope: {('caller', 'upstream')[nth % 2]}\ndrain-for: 1s\nghost-for: 500ms\n")


def leave(port, over, seed):
    """Callers that go away at any time, by FIN or by RST."""
    luck = random.Random(seed)
    while not over.is_set():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
            s.sendall(luck.choice(ASKS))
            over.wait(luck.random() * 0.1)
            if luck.random() < 0.5:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def stay(port, over, counts):
    """One that waits for each answer, and counts both."""
    while not over.is_set():
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
            counts["asked"] += 1
            s.sendall(b"GET /s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            data = b""
            while chunk := s.recv(65536):
                data += chunk
            counts["answered"] += data.startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("seed", (1,))
def test_everything_at_once(fasthttp, tmp_path, seed):
    api, over, counts = Api(fasthttp), threading.Event(), [{"asked": 0, "answered": 0} for _ in range(4)]
    file = tmp_path / "weir.yaml"
    file.write_text(config(api.port, 0))
    try:
        with Verb("proxy", tmp_path, "--config", file) as p:
            threads = [threading.Thread(target=leave, args=(p.port, over, seed * 10 + n)) for n in range(3)]
            threads += [threading.Thread(target=stay, args=(p.port, over, c)) for c in counts]
            for t in threads:
                t.start()
            for nth in range(1, ROUNDS + 1):
                time.sleep(0.5)  # of load, not for anything to happen
                if nth % 3 == 0:
                    api.kill()
                file.write_text(config(api.port, nth))
                p.process.send_signal(signal.SIGHUP)
                eventually(lambda: p.status()["config"]["reloads"] == nth)  # noqa: B023
                if nth % 3 == 0:
                    api.start()
            over.set()
            for t in threads:
                t.join()
            eventually(lambda: gauges_at_zero(p))
            s = p.status()
            assert s["config"]["reloads_failed"] == 0 and s["slots"]["peak"] <= 12
            assert s["calls"]["sent"] <= 1.2 * s["calls"]["admitted"] + 10
        for c in counts:
            assert c["asked"] == c["answered"] > 0
    finally:
        over.set()
        api.kill()
