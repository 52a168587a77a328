"""One run: a server with slots, a proxy before it, callers on a schedule, and eyes on all three."""

import contextlib
import csv
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from verbs import WEIR, Verb, ask  # noqa: E402

from cases import DEADLINE_S, LIMIT, MIX_S, latency  # noqa: E402
from sockets import Left  # noqa: E402

START_WITHIN_S = 10
SAMPLE_EVERY_S = 0.05
COUNT_EVERY = 5  # samples
DRAIN_WITHIN_S = 10  # longer than the longest call
CALLER_FIELD = "X-Caller"


def ahead_of_others():
    """Where that is allowed, all that is measured runs ahead of whatever else the machine does:
    the words before a command."""
    words = ["chrt", "--rr", "1"]
    able = shutil.which("chrt") and subprocess.run(
        [*words, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    return words if able else []


AHEAD = ahead_of_others()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """fasthttp or weir origin; its counts outlive a restart."""

    def __init__(self, case, folder, fasthttp):
        self.folder = folder
        self.program = [*AHEAD, *([fasthttp] if case.server == "fasthttp" else [WEIR, "origin"])]
        self.before = {"accepted": 0, "refused": 0, "requests": 0, "answered": 0, "peak": 0}
        self.options = case.options
        self.latency, self.limit = latency(MIX_S), LIMIT
        self.verb = self.start("127.0.0.1:0")
        self.port = self.verb.port

    def start(self, listen):
        return Verb("origin", self.folder, "--limit", self.limit, "--latency", self.latency,
                    *self.options, listen=listen, program=self.program)

    def counts(self):
        """Since the start of the run; None while it is down."""
        if not self.verb:
            return None
        s = self.verb.status()
        counts = {k: s[k] + self.before[k] for k in ("accepted", "refused", "requests", "answered")}
        counts["peak"] = max(s["slots"]["peak"], self.before["peak"])
        counts["running"] = s["slots"]["running"] + s["slots"]["abandoned"]
        counts["used"] = s["slots"]["used"]
        return counts

    def do(self, what, value):
        if what == "down":
            self.before = self.counts()
            verb, self.verb = self.verb, None
            verb.process.kill()
            verb.process.communicate()
        elif what == "up":
            self.verb = self.start(f"127.0.0.1:{self.port}")
        else:
            setattr(self, what, value)
            ask(self.verb.admin, f"/set?{what}={quote(str(value))}", "POST")

    def end(self):
        if self.verb:
            self.verb.__exit__(None, None, None)


class Peer:
    def __init__(self, system, folder, server_port):
        self.port = free_port()
        words = {"PORT": self.port, "SERVER": server_port, "CAP": system.cap, "DIR": folder,
                 "USER": subprocess.check_output(["id", "-un"], text=True).strip()}
        ending = "cfg" if system.kind == "haproxy" else "conf"
        name = f"{system.kind}-{system.manner}.conf"
        text = (HERE / name).read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(f"@{word}@", str(value))
        if os.geteuid() != 0:  # nginx takes `user` from root alone
            text = re.sub(r"^user .*\n", "", text, flags=re.M)
        path = Path(folder) / f"peer.{ending}"
        path.write_text(text, encoding="utf-8")
        argv = {"haproxy": ["haproxy", "-db", "-f", str(path)],
                "nginx": ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(path)]}
        self.process = subprocess.Popen([*AHEAD, *argv[system.kind]], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + START_WITHIN_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    self.process.kill()
                    raise RuntimeError(
                        f"{system.name} does not start: {self.process.stderr.read()}") from None
                time.sleep(0.02)

    def status(self):
        return None

    def end(self):
        self.process.terminate()
        self.process.communicate()


class Weir:
    def __init__(self, system, folder, server_port):
        self.verb = Verb("proxy", folder, "--upstream", f"http://127.0.0.1:{server_port}",
                         "--timeout", f"{DEADLINE_S}s", "--limit", system.cap,
                         "--fair-by", CALLER_FIELD, program=[*AHEAD, WEIR, "proxy"])
        self.port = self.verb.port

    def status(self):
        return self.verb.status()

    def end(self):
        self.verb.__exit__(None, None, None)


class Eyes(threading.Thread):
    """Samples, while the run lasts, what is left of connections and what the server counts."""

    def __init__(self, server):
        super().__init__()
        self.server = server
        self.over = threading.Event()
        self.samples = []  # (time, sockets left, the server's counts or None)
        self.left = Left(server.port)  # before anybody connects
        self.start()

    def run(self):
        while not self.over.wait(SAMPLE_EVERY_S):
            counts = self.counts() if len(self.samples) % COUNT_EVERY == 0 else None
            self.samples.append((time.monotonic(), self.left.count(), counts))
        self.left.close()

    def counts(self):
        try:
            return self.server.counts()
        except (OSError, ValueError, IndexError):  # it is being killed
            return None

    def close(self):
        self.over.set()
        self.join()


class Callers:
    """weir load, once a caller."""

    def __init__(self, system, folder, port, starts):
        self.folder = Path(folder)
        self.processes = []
        for nth, of_one in enumerate(starts):
            schedule = self.folder / f"schedule-{nth}"
            schedule.write_text("".join(f"{at * 1e6:.0f}us\n" for at in of_one),
                                encoding="ascii")
            patience = f"{DEADLINE_S}s"
            self.processes.append(subprocess.Popen(
                [*AHEAD, WEIR, "load", "--json", "--quiet", "--schedule", str(schedule), "--log",
                 str(self.folder / f"log-{nth}"), "--header", f"{CALLER_FIELD}: {nth}",
                 "--patience", patience, "--timeout",
                 patience if system.callers_give_up else "5s", f"http://127.0.0.1:{port}/"],
                stdout=subprocess.PIPE, text=True))

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def wait(self):
        """A list of (report, log) of each."""
        found = []
        for nth, process in enumerate(self.processes):
            report = json.loads(process.communicate()[0])
            with open(self.folder / f"log-{nth}", encoding="ascii", newline="") as f:
                found.append((report, list(csv.DictReader(f))))
        return found


def wait_drained(server):
    until = time.monotonic() + DRAIN_WITHIN_S
    while server.counts()["running"] and time.monotonic() < until:
        time.sleep(0.05)


def run_once(system, case, starts, folder, fasthttp):
    """What was seen, raw: figures.py makes figures of it."""
    with contextlib.ExitStack() as ends:
        server = Server(case, folder, fasthttp)
        ends.callback(server.end)
        proxy = (Weir if system.kind == "weir" else Peer)(system, folder, server.port)
        ends.callback(proxy.end)
        eyes = Eyes(server)
        ends.callback(eyes.close)
        began = time.monotonic()
        callers = Callers(system, folder, proxy.port, starts)
        ends.callback(callers.end)
        for at, what, value in case.events:
            time.sleep(max(0, began + at - time.monotonic()))
            server.do(what, value)
        of_callers = callers.wait()
        ended = time.monotonic()
        wait_drained(server)
        return {"began": began, "ended": ended, "callers": of_callers,
                "server": server.counts(), "proxy": proxy.status(),
                "samples": list(eyes.samples)}
