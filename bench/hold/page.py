"""What the runs showed: as text, Markdown, JSON and a plot each."""

import json
from pathlib import Path

from figures import compare, summarise

COLUMNS = (  # of a row: heading, figure, form
    ("good", "good", "{:.0f}"), ("of optimum", "of_best_percent", "{:.1f} %"), ("refused", "refused", "{:.0f}"), ("late", "late", "{:.0f}"),
    ("shed", "shed", "{:.0f}"), ("past deadline p99.9", "past_deadline_p999_ms", "{:.1f} ms"),
    ("told no p99", "told_no_p99_ms", "{:.1f} ms"), ("left", "worst_left_max", "{}"),
    ("connects", "connects_per_1000", "{:.1f}"), ("amplif.", "amplification", "{:.2f}"),
    ("peak", "worst_peak", "{}"), ("runs", "valid", "{}"),
)


def rows_of(case, systems, runs):
    found = []
    for system in systems:
        of_it = sorted((r for r in runs if (r["case"], r["system"]) == (case.name, system.name)),
                       key=lambda r: r["repetition"])
        if of_it:
            found.append((system, of_it, summarise(of_it)))
    return found


def best_peer(rows):
    peers = [r for r in rows if r[0].is_peer and r[2]["good"] is not None]
    return max(peers, key=lambda r: r[2]["good"], default=None)


def results(cases, systems, runs):
    found = []
    for case in cases:
        rows = rows_of(case, systems, runs)
        best = best_peer(rows)
        told = []
        for system, of_it, summary in rows:
            row = {"system": system.name, "is_peer": system.is_peer, **summary}
            if best and not system.is_peer:
                row["against"] = best[0].name
                row["difference_percent"] = compare(of_it, best[1])
            told.append(row)
        found.append({"case": case.name, "about": case.about, "rates": case.rates, "seconds": case.seconds,
                      "systems": told})
    return found


def cells(row):
    return [form.format(row[key]) if row[key] is not None else "-" for _, key, form in COLUMNS]


def difference(row):
    d = row.get("difference_percent")
    if not d:
        return ""
    if d[1] is None:
        return f"{d[0]:+.1f} %"
    return f"{d[0]:+.1f} % ({d[1]:+.1f} to {d[2]:+.1f})"


def table(result):
    """Lines of cells, the heading first."""
    lines = [[result["case"], *(name for name, _, _ in COLUMNS), "good against best peer"]]
    for row in result["systems"]:
        lines.append([row["system"], *cells(row), difference(row)])
    return lines


def text_table(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(
        cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths)))
        .rstrip() for line in lines)


def markdown_table(lines):
    head, *rest = lines
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head),
                      *("| " + " | ".join(line) + " |" for line in rest)])


def write_all(out, cases, systems, runs):
    found = results(cases, systems, runs)
    tables = [table(r) for r in found]
    text = "\n\n".join(text_table(t) for t in tables)
    out = Path(out)
    (out / "hold.txt").write_text(text + "\n", encoding="utf-8")
    (out / "hold.md").write_text("\n\n".join(markdown_table(t) for t in tables) + "\n",
                                 encoding="utf-8")
    (out / "hold.json").write_text(
        json.dumps({"schema": "weir.bench.hold/1", "results": found, "runs": runs}),
        encoding="utf-8")
    return text
