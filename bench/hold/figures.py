"""From what was seen of a run to its figures, and from those of all runs to a table's rows."""

import math
import statistics

from cases import DEADLINE_S

STEADY_AFTER_S = 5.0
SETTLE_S = 5.0  # after a change a limit that is found out may be wrong for so long
# Student's t, two-sided 90 %, by degrees of freedom
T90 = {1: 6.314, 2: 2.920, 3: 2.353, 4: 2.132, 5: 2.015, 6: 1.943, 7: 1.895, 8: 1.860, 9: 1.833,
       10: 1.812, 11: 1.796, 12: 1.782, 13: 1.771, 14: 1.761, 15: 1.753, 19: 1.729}


def quantile(values, q):
    """The smallest that a share q of all does not exceed; None of none."""
    values = sorted(values)
    return values[max(0, math.ceil(q * len(values)) - 1)] if values else None


def told_no(line):
    """Refused, by whomever."""
    return line["outcome"] == "failed" and line["status"] in ("429", "503")


def went_down(line):
    """Answered with an error that is neither a refusal nor the deadline's: the server was lost."""
    return line["outcome"] == "failed" and line["status"] not in ("", "429", "503", "504")


def latency_ms(line):
    return (int(line["ended_ns"]) - int(line["intended_ns"])) / 1e6


def of_caller(report, log):
    seen = sum(e["count"] for e in report["errors"]
               if e["text"] and "Server.Concurrency" in e["text"])
    no = [line for line in log if told_no(line)]
    good = sum(line["outcome"] == "good" for line in log)
    down = sum(map(went_down, log))
    return {"sent": len(log), "good": good, "refusals_seen": seen, "shed": len(no) - seen, "down": down,
            "late": len(log) - good - len(no) - down,
            "lost": sum(line["outcome"] == "unanswered" for line in log),
            "lateness_ms": report["lateness"].get("p999_ms") or 0, "valid": report["valid"]}


def steady(seen):
    """Connections opened and requests received, once the first calls have ended."""
    known = [(at - seen["began"], c) for at, _, c in seen["samples"] if c]
    first = next((c for at, c in known if at >= STEADY_AFTER_S), None)
    last = [c for at, c in known if at <= seen["ended"] - seen["began"]][-1]
    if not first or last["requests"] == first["requests"]:
        return None
    return 1000 * (last["accepted"] - first["accepted"]) / (last["requests"] - first["requests"])


def refused_settled(case, seen):
    """By the server, outside the 5 s after the start and after each change."""
    known = [(at - seen["began"], c["refused"]) for at, _, c in seen["samples"] if c]
    known.append((seen["ended"] + 60 - seen["began"], seen["server"]["refused"]))
    changes = [0.0] + [at for at, _, _ in case.events]
    count = 0
    for (_, before), (at, after) in zip(known, known[1:]):
        if all(not change <= at < change + SETTLE_S for change in changes):
            count += after - before
    return count


def by_second(lines):
    """Good answers by the second in which the call was meant to start."""
    seconds = [0] * (1 + max(int(line["intended_ns"]) for line in lines) // 10**9)
    for line in lines:
        seconds[int(line["intended_ns"]) // 10**9] += line["outcome"] == "good"
    return seconds


def figures(case, seen):
    callers = [of_caller(report, log) for report, log in seen["callers"]]
    lines = [line for _, log in seen["callers"] for line in log]
    f = {k: sum(c[k] for c in callers)
         for k in ("sent", "good", "refusals_seen", "shed", "down", "late", "lost")}
    server = seen["server"]
    answered = [latency_ms(line) for line in lines if line["ended_ns"]]
    no = [latency_ms(line) for line in lines if told_no(line)]
    admitted = max(1, f["sent"] - f["shed"])
    f["good_by_second"] = by_second(lines)
    f |= {"refused": server["refused"], "refused_settled": refused_settled(case, seen), "peak": server["peak"],
          "past_deadline_p999_ms": max(0.0, quantile(answered, 0.999) - DEADLINE_S * 1e3),
          "told_no_p99_ms": quantile(no, 0.99),
          "left_max": max(n for _, n, _ in seen["samples"]),
          "connects_per_1000": steady(seen),
          "amplification": (server["requests"] + server["refused"]) / admitted,
          "server_requests": server["requests"],
          "server_unanswered": server["requests"] - server["answered"],
          "lateness_ms": max(c["lateness_ms"] for c in callers),
          "valid": all(c["valid"] for c in callers), "good_of_callers": [c["good"] for c in callers],
          "sent_of_callers": [c["sent"] for c in callers]}
    return f


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def mean_interval(values):
    """Mean, and a two-sided 90 % confidence interval for it by Student's t."""
    n, mean = len(values), statistics.fmean(values)
    if n < 2:
        return mean, None, None
    t = T90.get(n - 1) or T90[max(k for k in T90 if k <= n - 1)]
    half = t * statistics.stdev(values) / math.sqrt(n)
    return mean, mean - half, mean + half


def summarise(runs):
    """Medians of one system on one case over its valid runs; the worst where a bound is at stake."""
    valid = [r for r in runs if r["valid"]]
    row = {"runs": len(runs), "valid": len(valid)}
    for key in ("sent", "good", "refused", "refused_settled", "shed", "down", "late", "past_deadline_p999_ms",
                "told_no_p99_ms", "connects_per_1000", "amplification", "lateness_ms"):
        row[key] = median(r[key] for r in valid)
    for key in ("refused", "left_max", "peak", "lost", "server_unanswered"):
        row[f"worst_{key}"] = max((r[key] for r in valid), default=None)
    row["of_best_percent"] = median(r["best"] and 100 * r["good"] / r["best"] for r in valid)
    return row


def kept(calm, flooded):
    """Of their good answers without a flood, what three modest callers keep in one, in percent."""
    return median(100 * sum(b["good_of_callers"][:-1]) / sum(a["good_of_callers"][:-1])
                  for a, b in zip(calm, flooded) if a["valid"] and b["valid"])


def over_time(runs):
    """Good answers a second, by the second, on average."""
    valid = [r["good_by_second"] for r in runs if r["valid"]]
    length = min(map(len, valid), default=0)
    return [statistics.fmean(r[i] for r in valid) for i in range(length)]


def compare(ours, theirs):
    """Differences of good answers, of those sent, in repetitions in which both were valid."""
    pairs = [(a, b) for a, b in zip(ours, theirs) if a["valid"] and b["valid"]]
    if not pairs:
        return None
    return mean_interval([100 * (a["good"] - b["good"]) / b["good"] if b["good"] else 0.0
                          for a, b in pairs])
