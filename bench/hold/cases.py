"""What is compared with what, and on what: the systems, the mixes, and the best there can be."""

import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "optimum"))
from optimum import Server, optimum  # noqa: E402

LIMIT = 50  # slots of the server
DEADLINE_S = 0.5
MIX_S = (0.05, 0.05, 0.05, 0.05, 4.0)  # of the n-th call that is let in: every fifth is slow
CAPACITY = LIMIT / (sum(MIX_S) / len(MIX_S))  # calls a second: 59.5
LOADS = (0.5, 1, 1.3, 2, 3, 10)
MODEST = 0.7 * CAPACITY / 4  # of a fair share of four callers
FLOOD = 5 * CAPACITY


def latency(durations):
    return "turns(" + ", ".join(f"{d * 1e3:g}ms" for d in durations) + ")"


@dataclass(frozen=True)
class System:
    name: str
    kind: str  # weir, haproxy, nginx
    manner: str = ""  # of a peer: deadline or held
    cap: str = ""  # of weir: --limit
    is_peer: bool = field(default=True)

    @property
    def callers_give_up(self):
        return self.manner == "held"


SYSTEMS = (
    System(f"weir --limit {LIMIT}", "weir", cap=str(LIMIT), is_peer=False),
    System("weir --limit auto", "weir", cap="auto", is_peer=False),
    *(System(f"{peer}, {manner}, {cap}", peer, manner, cap)
      for peer in ("haproxy", "nginx") for manner in ("deadline", "held")
      for cap in ("45", "50")),
)


@dataclass(frozen=True)
class Case:
    """Arrivals, and what the server does meanwhile."""
    name: str
    about: str
    server: str  # fasthttp or origin
    rates: tuple  # calls a second of each caller
    seconds: float
    events: tuple = ()  # (second, what, value): latency, limit, down, up
    best: Server = Server(MIX_S, ((0, LIMIT),))  # the same for bench/optimum; None: not told
    options: tuple = ()  # of the server
    load: float = 0  # of the capacity; 0: it is not one of a row of loads
    starts: tuple = ()  # at which second each caller comes; none: all at once
    calm: str = ""  # the case that is the same without the last caller's flood


def arrivals(case, repetition):
    """A list of starts, in seconds, for each caller: a function of rates and repetition alone."""
    found = []
    for nth, rate in enumerate(case.rates):
        r = random.Random(f"{rate:.3f} {repetition} {nth}")
        at, starts = r.expovariate(rate), []
        at += case.starts[nth] if case.starts else 0
        while at < case.seconds:
            starts.append(at)
            at += r.expovariate(rate)
        found.append(starts)
    return found


def best_of(case, repetition):
    """Good answers of the best schedule, or None."""
    if not case.best:
        return None
    every = [at for starts in arrivals(case, repetition) for at in starts]
    return optimum(every, DEADLINE_S, case.best).good


def load_cases(server, seconds):
    return [Case(f"{server} {load:g}x",
                 f"{server}, calls for {load:g} of its capacity, every fifth takes 4 s",
                 server, (load * CAPACITY,), seconds, load=load) for load in LOADS]


def other_cases(seconds):
    slow, back, over = 8, 18, 18 + max(seconds, 12)
    modest = (MODEST,) * 3
    later, long = (0, 0, 0, 8), 4 * seconds
    whole = ((0, LIMIT),)
    return [
        Case("spell", "fasthttp at 0.8 of its capacity, all calls slow from 8 s to 18 s",
             "fasthttp", (0.8 * CAPACITY,), over,
             ((slow, "latency", latency((4,))), (back, "latency", latency(MIX_S))),
             Server(MIX_S, whole, closed=((slow, back),))),
        Case("restart", "fasthttp at its capacity, killed at 8 s and back at 9 s", "fasthttp",
             (CAPACITY,), seconds, ((8, "down", None), (9, "up", None)),
             Server(MIX_S, whole, closed=((8, 9),), killed=(8,))),
        # a limit that falls takes no connection back: it is met as these end and are opened anew
        Case("halved", "origin at its capacity, its limit halved at 8 s, ten calls a connection",
             "origin", (CAPACITY,), seconds, ((8, "limit", LIMIT // 2),), None,
             ("--max-requests", "10")),
        Case("modest", "fasthttp, four callers that ask for 0.7 of a fair share each", "fasthttp",
             (*modest, MODEST), seconds),
        Case("flood", "fasthttp, the same but the fourth asks for 5 x the capacity", "fasthttp",
             (*modest, FLOOD), seconds, calm="modest"),
        Case("calm", "fasthttp, three callers that ask for 0.7 of a quarter each, from 8 s on four",
             "fasthttp", (*modest, MODEST), long, starts=later),
        Case("outbreak", "fasthttp, the same but the fourth, when it comes, asks for 5 x the capacity",
             "fasthttp", (*modest, FLOOD), long, starts=later, calm="calm"),
    ]


def all_cases(seconds):
    return load_cases("fasthttp", seconds) + other_cases(seconds) + load_cases("origin", seconds)
