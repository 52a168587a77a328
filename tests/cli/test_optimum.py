"""bench/optimum: answers that are known, and every schedule there is for what is small."""

import functools
import itertools
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "optimum"))
from optimum import Server, optimum  # noqa: E402


def best(arrivals, deadline, durations, slots, **more):
    return optimum(arrivals, deadline, Server(durations, ((0, slots),), **more))


def test_with_room_all_short_ones_are_good():
    found = best([n * 0.1 for n in range(100)], 0.5, (0.05, 0.05, 0.05, 0.05, 4.0), 50)
    assert (found.let_in, found.good, found.is_bound) == (100, 80, False)


def test_one_slot_serves_as_many_as_fit_the_deadline():
    # ten at once, each takes 0.1: the fifth ends at the deadline
    assert best([0.0] * 10, 0.5, (0.1,), 1).good == 5


def test_a_long_call_holds_its_slot():
    found = best([0.0, 0.1, 0.2, 4.1], 0.5, (4.0, 0.05), 1)
    assert (found.let_in, found.good) == (2, 1)  # the one at 4.1


def test_nobody_is_let_in_too_late():
    assert best([0.0, 0.0], 0.5, (0.3,), 1).let_in == 1


def test_a_limit_that_falls_takes_nothing_back():
    server = Server((0.3,), ((0, 2), (0.1, 1)))
    found = optimum([0.0, 0.0, 0.15, 0.15], 0.5, server)
    assert (found.let_in, found.good, found.is_bound) == (3, 3, True)


def test_closed_and_killed():
    assert best([1.0, 2.0, 3.0], 0.5, (0.1,), 1, closed=((1.5, 2.9),)).good == 2
    found = best([1.0, 2.0], 0.5, (0.3,), 1, killed=(1.2,))
    assert (found.let_in, found.good) == (2, 1)


def most_let_in(arrivals, window, durations, slots, until):
    """Of every schedule in whole steps of time, by trying them all."""
    @functools.lru_cache(maxsize=None)
    def go(now, waiting, ends, count):
        if now > until:
            return count
        ends = tuple(e for e in ends if e > now)
        may = [a for a in waiting if a <= now <= a + window]
        most = count
        for n in range(min(slots - len(ends), len(may)) + 1):
            begun = tuple(now + durations[(count + i) % len(durations)] for i in range(n))
            for chosen in set(itertools.combinations(may, n)):
                left = list(waiting)
                for a in chosen:
                    left.remove(a)
                most = max(most, go(now + 1, tuple(left), tuple(sorted(ends + begun)), count + n))
        return most

    return go(0, tuple(arrivals), (), 0)


def test_no_schedule_lets_in_more():
    r = random.Random(7)
    for _ in range(150):
        arrivals = sorted(r.randrange(8) for _ in range(r.randrange(1, 7)))
        durations = tuple(r.choice((1, 1, 2, 6)) for _ in range(r.randrange(1, 4)))
        deadline, slots = r.randrange(2, 5), r.randrange(1, 3)
        window = deadline - min(durations)
        if window < 0:
            continue
        found = best(arrivals, deadline, durations, slots)
        assert found.let_in == most_let_in(arrivals, window, durations, slots, 14), \
            (arrivals, durations, deadline, slots)
