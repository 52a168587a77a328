"""The best schedule before a server with slots, for one that knows all arrivals and the slots but
learns how long a call takes only as it ends: how many good answers in time there can be.

What is given: when calls arrive; the deadline D of each after its arrival; how many slots there are,
by time; how long the n-th call that is let in takes, whichever call that is. A call may be let in
while a slot is free, holds it to its end, and is good if it ends within D of its arrival.

The schedule: whenever a slot is free, the oldest call that waits is let in, as long as one as short
as the shortest of all durations, d, would still be good: W = D - d after its arrival. Nobody else
ever is, and no slot is left free for later.

Why no other lets in more. Let s(n) be when this schedule lets in its n-th call and t(n) when any
other does; then s(n) <= t(n) for as long as the other has an n-th. Say that this is so up to n - 1.
At t(n) this schedule has a slot free: its calls before the n-th began no later than the other's, take
as long (durations go by n), and so are over no later. If it has let in n - 1 and nobody waits who is
still within W, look at the last call that went past W in vain, at u (if none did, all who came have
been let in, and the other cannot have more). It waited at u with all who came later behind it, so
those let in by u came before u - W, and all who came after u - W up to t(n) have been let in since.
By u the other has let in no more than this one (by the induction), and what it lets in after u came
after u - W: it has no n-th either.

Why nobody has more good ones. How long a call will take is not known as it is let in, and does not
depend on which call it is: of those let in, good ones are the same share by expectation under every
schedule, so most calls let in are most good ones. Where durations come in two sizes, one of them
longer than D, this is the optimum: each short one let in within W is good. Where several sizes fit
into D, a call that fits D counts as good although it may have waited too long for its own size: then
the figure is a bound that no schedule exceeds. It is one too where what a call takes depends on the
time (a phase in which all are slow): nobody is let in then, as if the phase had been foretold. And
where the server was down: what ran then is lost and its slots are free at once.

The walk over events below is that schedule; times are in seconds.
"""

import heapq
from dataclasses import dataclass

FOREVER = float("inf")


@dataclass(frozen=True)
class Server:
    """What is known of it. `durations`: of the n-th call let in, over and over. `limits`: (from
    when, slots), the first from 0; a limit that falls takes no slot back. `closed`: (from, to)
    spans in which nobody is let in; `killed`: instants at which all that runs is lost."""
    durations: tuple
    limits: tuple
    closed: tuple = ()
    killed: tuple = ()


@dataclass(frozen=True)
class Found:
    let_in: int
    good: int
    is_bound: bool  # rather than the optimum itself


class Walk:
    def __init__(self, arrivals, deadline, server):
        self.arrivals, self.deadline, self.server = sorted(arrivals), deadline, server
        self.window = deadline - min(server.durations)
        self.running = []  # (end, is good)
        self.let_in = self.good = self.next = 0

    def slots(self, now):
        return [n for at, n in self.server.limits if at <= now][-1]

    def closed_until(self, now):
        return next((to for of, to in self.server.closed if of <= now < to), None)

    def changes_after(self, now):
        """When something else than an arrival or an end may let somebody in."""
        times = [at for at, _ in self.server.limits] + [to for _, to in self.server.closed]
        times += self.server.killed
        return min((t for t in times if t > now), default=FOREVER)

    def end_calls(self, now):
        while self.running and self.running[0][0] <= now:
            self.good += heapq.heappop(self.running)[1]
        if now in self.server.killed:
            self.running.clear()

    def admit(self, now):
        while self.next < len(self.arrivals) and self.arrivals[self.next] <= now:
            late = now > self.arrivals[self.next] + self.window + 1e-9
            if not late and (self.closed_until(now) or len(self.running) >= self.slots(now)):
                return
            if not late:
                takes = self.server.durations[self.let_in % len(self.server.durations)]
                heapq.heappush(self.running, (now + takes, takes <= self.deadline))
                self.let_in += 1
            self.next += 1

    def go(self):
        now = -1.0
        while True:
            arrival = self.arrivals[self.next] if self.next < len(self.arrivals) else FOREVER
            end = self.running[0][0] if self.running else FOREVER
            coming = end if arrival <= now else min(arrival, end)
            now = min(coming, self.changes_after(now))
            if now == FOREVER:
                return
            self.end_calls(now)
            self.admit(now)


def optimum(arrivals, deadline, server):
    walk = Walk(arrivals, deadline, server)
    walk.go()
    fitting = {d for d in server.durations if d <= deadline}
    exact = len(fitting) <= 1 and len(set(server.durations)) <= 2
    return Found(walk.let_in, walk.good,
                 not exact or bool(server.closed or server.killed or len(server.limits) > 1))
