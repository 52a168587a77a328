"""The stand on which proxies are compared: the backend, each proxy pinned to one core, and what
the kernel says of them. `run` and `idle` stand on it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RELAY = HERE.parent / "relay"
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
PROXY_CORE, OTHER_CORE = "0", "1"
PROXIES = ("weir", "nginx", "haproxy", "uv", "epoll")
PEERS = ("nginx", "haproxy")
NEEDS = {"nginx": "nginx", "haproxy": "haproxy", "uv": "cc", "epoll": "cc"}
START_WITHIN = 10  # seconds
# Nothing ends by age during a run, as in the peers' configurations.
WEIR_OPTIONS = ("--client-idle-for", "600s", "--idle-for", "600s", "--clients", "16000")


def die(text):
    print(f"bench proxy: {text}", file=sys.stderr)
    sys.exit(1)


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            die(f"{tool} is missing")


def process_tree(pid):
    found = [pid]
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        for child in f.read().split():
            found += process_tree(int(child))
    return found


class Usage:
    """What a proxy's processes have used: seconds on the core, and seconds they waited for it."""

    def __init__(self, pid):
        self.at = time.monotonic()
        self.ran = self.waited = 0.0
        for process in process_tree(pid):
            for task in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{task}/schedstat", encoding="ascii") as f:
                    ran, waited, _ = map(int, f.read().split())
                self.ran += ran / 1e9
                self.waited += waited / 1e9

    def since(self, before):
        """CPU seconds used, and the share of the time in which it had or wanted the core."""
        ran, waited = self.ran - before.ran, self.waited - before.waited
        return ran, min(1.0, (ran + waited) / (self.at - before.at))


def pss_bytes(pid, kind="Pss"):
    """`Pss_Anon` leaves out the pages of files, whose share depends on who else maps them."""
    total = 0
    for process in process_tree(pid):
        with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as f:
            total += int(re.search(rf"^{kind}:\s+(\d+) kB", f.read(), re.M).group(1)) * 1024
    return total


def free_port():
    """One that is free at both addresses the proxies listen at."""
    while True:
        with socket.socket() as a, socket.socket() as b:
            a.bind(("127.0.0.1", 0))
            try:
                b.bind(("127.0.0.2", a.getsockname()[1]))
            except OSError:
                continue
            return a.getsockname()[1]


class Proxy:
    def __init__(self, name, argv, port=None, told_port=False):
        self.name = name
        self.process = subprocess.Popen(
            argv, stdout=subprocess.PIPE if told_port else subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.port = int(self.process.stdout.readline()) if told_port else port
        until = time.monotonic() + START_WITHIN
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    self.process.kill()
                    die(f"{name} does not start: {self.process.stderr.read()}")
                time.sleep(0.05)

    def url(self, path="/", host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    def end(self):
        self.process.terminate()
        self.process.wait()


class Stand:
    """`with Stand() as stand:` a backend runs; stand.start(name) starts a proxy before it."""

    def __init__(self):
        if len(os.sched_getaffinity(0)) < 2:
            die("needs two cores")
        need("cc", "wrk", "taskset")
        self.folder = tempfile.mkdtemp(prefix="weir-bench-")
        os.chmod(self.folder, 0o755)
        self.proxies, self.backend = [], None

    def __enter__(self):
        try:
            self.build()
            self.backend = subprocess.Popen(
                ["taskset", "-c", OTHER_CORE, self.path("backend")], stdout=subprocess.PIPE,
                text=True)
            self.backend_port = int(self.backend.stdout.readline())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for proxy in self.proxies:
            proxy.end()
        if self.backend:
            self.backend.terminate()
            self.backend.wait()
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def build(self):
        src = ROOT / "src"
        uv = subprocess.check_output(["pkg-config", "--cflags", "--libs", "libuv"], text=True)
        parts = [src / "io" / n for n in ("addr.c", "turn.c", "uv/loop.c", "uv/sock.c",
                                          "uv/listen.c")]
        parts += [src / "base" / f"{n}.c" for n in ("base", "err", "slab", "slice", "text",
                                                    "wheel")]
        for name, sources in (("backend", [HERE / "backend.c"]),
                              ("epoll", [RELAY / "relay_epoll.c"]),
                              ("uv", [RELAY / "relay_weir.c", *parts])):
            libs = uv.split() if name == "uv" else []
            subprocess.run(["cc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-fno-strict-aliasing",
                            f"-I{src}", f"-I{RELAY}", "-o", self.path(name), *sources, *libs],
                           check=True)

    def configure(self, name, port):
        words = {"PORT": str(port), "BACKEND": str(self.backend_port), "DIR": self.folder,
                 "USER": subprocess.check_output(["id", "-un"], text=True).strip()}
        text = (HERE / f"{name}.conf").read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        if os.geteuid() != 0:  # nginx takes `user` from root alone
            text = re.sub(r"^user .*\n", "", text, flags=re.M)
        path = self.path(f"{name}.conf")
        Path(path).write_text(text, encoding="utf-8")
        return path

    def start(self, name, before=()):
        """`before`: a command under which it runs, strace for one."""
        need(NEEDS.get(name, WEIR))
        pinned = [*before, "taskset", "-c", PROXY_CORE]
        if name in ("uv", "epoll"):
            proxy = Proxy(name, [*pinned, self.path(name), str(self.backend_port)],
                          told_port=True)
            self.proxies.append(proxy)
            return proxy
        port = free_port()
        argv = {
            "weir": [WEIR, "proxy", "--listen", f"127.0.0.1:{port}", "--listen",
                     f"127.0.0.2:{port}", "--upstream", f"http://127.0.0.1:{self.backend_port}",
                     *WEIR_OPTIONS],
            "nginx": ["nginx", "-e", "stderr", "-p", self.folder, "-c"],
            "haproxy": ["haproxy", "-db", "-f"],
        }[name]
        if name in PEERS:
            argv.append(self.configure(name, port))
        proxy = Proxy(name, [*pinned, *argv], port)
        self.proxies.append(proxy)
        return proxy

    def end(self, proxy):
        self.proxies.remove(proxy)
        proxy.end()


def versions():
    said = {}
    for name, argv in (("weir", [WEIR, "--version"]), ("nginx", ["nginx", "-v"]),
                       ("haproxy", ["haproxy", "-v"]), ("kernel", ["uname", "-r"])):
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        said[name] = done.stdout.splitlines()[0].split(" - ")[0] if done.stdout else ""
    return said
