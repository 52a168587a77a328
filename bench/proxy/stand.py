"""The stand on which proxies are compared: the rig (client and server), each proxy pinned to one
core, and what the kernel says of them. `run` and `idle` stand on it."""

import math
import os
import re
import shutil
import socket
import statistics
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
BOTH_CORES = f"{PROXY_CORE},{OTHER_CORE}"
PROXIES = ("weir", "nginx", "haproxy", "uv", "epoll")
RELAYS = ("uv", "epoll")
PEERS = ("nginx", "haproxy")
CAPS = {"nginx": "max_conns={}", "haproxy": "maxconn {}"}
NEEDS = {"nginx": "nginx", "haproxy": "haproxy", "uv": "cc", "epoll": "cc"}
PLAIN, TLS_TO, TLS_FROM = "plain", "to", "from"  # TLS to the server, or from the client
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


def spread(values):
    """Median, and the bounds of the middle 90 %."""
    ordered = sorted(values)
    cut = math.floor(0.05 * len(ordered))
    return {"median": statistics.median(ordered), "low": ordered[cut], "high": ordered[-1 - cut]}


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
    def __init__(self, name, mode, argv, port=None):
        """Without a port, it tells its own on standard output."""
        self.name, self.mode = name, mode
        self.process = subprocess.Popen(
            argv, stdout=subprocess.DEVNULL if port else subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.port = port or int(self.process.stdout.readline())
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

    def end(self):
        self.process.terminate()
        self.process.wait()


class Rig:
    """The process that is client and server: rig.c."""

    def __init__(self, stand):
        self.process = subprocess.Popen(
            ["taskset", "-c", stand.rig_cores, stand.path("rig"), stand.path("cert"),
             stand.path("key")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.pid, self.name, self.mode = self.process.pid, "direct", PLAIN
        self.port, self.tls_port = int(self.tell()), int(self.tell())

    def tell(self):
        line = self.process.stdout.readline()
        if not line or line.startswith("failed"):
            die(f"the rig gave up: {line}")
        return line

    def run(self, proxy, job, conns, seconds, rate=0):
        """What a proxy does for so long; a rate of 0: as fast as it can."""
        tls = int(proxy.mode == TLS_FROM)
        self.process.stdin.write(f"run {proxy.port} {conns} {job} {tls} {seconds} {rate}\n")
        if self.tell() != "ready\n":
            die("the rig is out of step")
        before, mine = Usage(proxy.pid), Usage(self.pid)
        self.process.stdin.write("go\n")
        self.process.stdout.read(4)  # "done"
        cpu, busy = Usage(proxy.pid).since(before)
        _, rig_busy = Usage(self.pid).since(mine)
        requests, took, p50, p99, late, refused = map(float, self.tell().split())
        return {"requests": int(requests), "cpu_us": cpu * 1e6 / requests,
                "rate": requests / took, "p50_us": p50, "p99_us": p99, "busy": busy,
                "rig_busy": rig_busy, "late_us": late, "refused": refused / requests}

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Stand:
    """`with Stand() as stand:` a rig runs; stand.start(name) starts a proxy before it."""

    def __init__(self, rig_cores=OTHER_CORE):
        self.rig_cores = rig_cores
        if len(os.sched_getaffinity(0)) < 2:
            die("needs two cores")
        need("cc", "taskset", "openssl")
        self.folder = tempfile.mkdtemp(prefix="weir-bench-")
        os.chmod(self.folder, 0o755)
        self.proxies, self.rigs = [], []

    def __enter__(self):
        try:
            self.build()
            self.certify()
            self.rig = self.another_rig()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.proxies + self.rigs:
            process.end()
        shutil.rmtree(self.folder)

    def another_rig(self):
        self.rigs.append(Rig(self))
        return self.rigs[-1]

    def path(self, name):
        return os.path.join(self.folder, name)

    def build(self):
        src = ROOT / "src"
        uv = subprocess.check_output(["pkg-config", "--cflags", "--libs", "libuv"], text=True)
        parts = [src / "io" / n for n in ("addr.c", "gather.c", "turn.c", "uv/loop.c", "uv/sock.c",
                                          "uv/listen.c")]
        parts += [src / "base" / f"{n}.c" for n in ("base", "err", "quota", "slab", "slice",
                                                    "text", "wheel")]
        for name, sources, libs in (
                ("rig", sorted(HERE.glob("rig*.c")), ["-lssl", "-lcrypto"]),
                ("epoll", [RELAY / "relay_epoll.c"], []),
                ("uv", [RELAY / "relay_weir.c", *parts], uv.split())):
            subprocess.run(["cc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-fno-strict-aliasing",
                            f"-I{src}", f"-I{RELAY}", "-o", self.path(name), *sources, *libs],
                           check=True)

    def certify(self):
        """One key type for all; the rig settles cipher and curve (rig_link.c)."""
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", self.path("key"), "-out", self.path("cert"), "-days", "30",
             "-subj", "/CN=bench.test", "-addext",
             "subjectAltName=DNS:bench.test,IP:127.0.0.1"],
            check=True, stderr=subprocess.DEVNULL)
        both = Path(self.path("cert")).read_text(encoding="ascii")
        both += Path(self.path("key")).read_text(encoding="ascii")
        Path(self.path("both")).write_text(both, encoding="ascii")

    def backend_port(self, mode):
        return self.rig.tls_port if mode == TLS_TO else self.rig.port

    def configure(self, name, mode, port, threads, cap):
        """A peer's file, with the words between @ filled in; `#from` and `#to` begin lines
        that are there with TLS on that side alone."""
        words = {"CAP": CAPS[name].format(cap) if cap else "",
                 "PORT": str(port), "THREADS": str(threads), "BACKEND": str(self.backend_port(mode)),
                 "DIR": self.folder, "MODE": mode, "CERT": self.path("cert"),
                 "KEY": self.path("key"), "BOTH": self.path("both"),
                 "USER": subprocess.check_output(["id", "-un"], text=True).strip()}
        text = (HERE / f"{name}.conf").read_text(encoding="utf-8")
        text = re.sub(rf"#{mode} ", "", text)
        text = re.sub(rf"^\s*(\S.*)#not-{mode}\n", "", text, flags=re.M)
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        if os.geteuid() != 0:  # nginx takes `user` from root alone
            text = re.sub(r"^user .*\n", "", text, flags=re.M)
        path = self.path(f"{name}-{mode}-{threads}-{port}.conf")
        Path(path).write_text(text, encoding="utf-8")
        return path

    def weir_argv(self, mode, port, threads, options):
        scheme = "https" if mode == TLS_TO else "http"
        argv = [WEIR, "proxy", "--listen", f"127.0.0.1:{port}", "--listen", f"127.0.0.2:{port}",
                *WEIR_OPTIONS, *options]
        if "--config" not in options:
            argv += ["--upstream", f"{scheme}://127.0.0.1:{self.backend_port(mode)}"]
        if mode == TLS_TO:
            argv += ["--upstream-ca", self.path("cert")]
        if mode == TLS_FROM:
            argv += ["--cert", self.path("cert"), "--key", self.path("key")]
        if threads > 1:
            argv += ["--threads", str(threads)]
        return argv

    def start(self, name, mode=PLAIN, threads=1, before=(), cores=None, options=(), cap=0):
        """`before`: a command under which it runs, strace for one. Without cores, one thread has
        its own and two have both. `options`: weir's; `cap`: a peer's, on the server's connections."""
        need(NEEDS.get(name, WEIR))
        cores = cores or (PROXY_CORE if threads == 1 else BOTH_CORES)
        port = None if name in RELAYS else free_port()
        argv = {
            "weir": lambda: self.weir_argv(mode, port, threads, options),
            "nginx": lambda: ["nginx", "-e", "stderr", "-p", self.folder, "-c",
                              self.configure(name, mode, port, threads, cap)],
            "haproxy": lambda: ["haproxy", "-db", "-f",
                                self.configure(name, mode, port, threads, cap)],
        }.get(name, lambda: [self.path(name), str(self.rig.port)])()
        said = name if threads == 1 else f"{name}, {threads} threads"
        proxy = Proxy(said, mode, ["taskset", "-c", cores, *before, *argv], port)
        self.proxies.append(proxy)
        return proxy

    def end(self, proxy):
        self.proxies.remove(proxy)
        proxy.end()


def weir_has(option):
    told = subprocess.run([WEIR, "proxy", "--help"], stdout=subprocess.PIPE, text=True,
                          check=False)
    return option in told.stdout


def versions():
    said = {}
    for name, argv in (("weir", [WEIR, "--version"]), ("nginx", ["nginx", "-v"]),
                       ("haproxy", ["haproxy", "-v"]), ("kernel", ["uname", "-r"])):
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        said[name] = done.stdout.splitlines()[0].split(" - ")[0] if done.stdout else ""
    return said
