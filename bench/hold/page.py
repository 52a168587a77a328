"""What the runs showed: as text, Markdown, JSON and a plot each."""

import json
import sys
from pathlib import Path

from figures import compare, kept, over_time, summarise

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from plots import Curves, Picture  # noqa: E402

COLUMNS = (  # of a row: heading, figure, form
    ("good", "good", "{:.0f}"), ("of optimum", "of_best_percent", "{:.1f} %"), ("refused", "refused", "{:.0f}"),
    ("settled", "refused_settled", "{:.0f}"), ("late", "late", "{:.0f}"),
    ("shed", "shed", "{:.0f}"), ("down", "down", "{:.0f}"), ("past deadline p99.9", "past_deadline_p999_ms", "{:.1f} ms"),
    ("told no p99", "told_no_p99_ms", "{:.1f} ms"), ("left", "worst_left_max", "{}"),
    ("connects", "connects_per_1000", "{:.1f}"), ("amplif.", "amplification", "{:.2f}"),
    ("peak", "worst_peak", "{}"), ("runs", "valid", "{}"),
)


def runs_of(case, system, runs):
    """In the order of their repetitions."""
    return sorted((r for r in runs if (r["case"], r["system"]) == (case, system.name)),
                  key=lambda r: r["repetition"])


def rows_of(case, systems, runs):
    found = []
    for system in systems:
        of_it = runs_of(case.name, system, runs)
        if of_it:
            found.append((system, of_it, summarise(of_it)))
    return found


def best_peer(rows):
    peers = [r for r in rows if r[0].is_peer and r[2]["good"] is not None]
    return max(peers, key=lambda r: r[2]["good"], default=None)


def add_kept(found, cases, systems, runs):
    """To the rows of a flood, what the modest callers keep."""
    for result, case in zip(found, cases):
        for row, system in zip(result["systems"], systems):
            if case.calm:
                row["modest_keep_percent"] = kept(runs_of(case.calm, system, runs),
                                                  runs_of(case.name, system, runs))


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
    add_kept(found, cases, systems, runs)
    return found


def cells(columns, row):
    return [form.format(row[key]) if row[key] is not None else "-" for _, key, form in columns]


def difference(row):
    d = row.get("difference_percent")
    if not d:
        return ""
    if d[1] is None:
        return f"{d[0]:+.1f} %"
    return f"{d[0]:+.1f} % ({d[1]:+.1f} to {d[2]:+.1f})"


def table(result):
    """Lines of cells, the heading first."""
    columns = COLUMNS
    if any("modest_keep_percent" in row for row in result["systems"]):
        columns = (*COLUMNS, ("modest keep", "modest_keep_percent", "{:.0f} %"))
    lines = [[result["case"], *(name for name, _, _ in columns), "good against best peer"]]
    for row in result["systems"]:
        lines.append([row["system"], *cells(columns, row), difference(row)])
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


def chart(title, unit, series, **axis):
    """`series`: (name, values)."""
    picture = Picture(title)
    picture.row(Curves(title, [(name, list(enumerate(values))) for name, values in series], unit,
                       **axis))
    return picture


def by_load(server, cases, systems, found):
    """The two plots of a row of loads."""
    rows = [(c.load, r) for c, r in zip(cases, found) if c.load and c.server == server]
    if len(rows) < 2:
        return {}

    def series(figure):
        return [(s.name, [figure(r["systems"][i]) for _, r in rows])
                for i, s in enumerate(systems)]

    def of_best(row):
        return None if row["of_best_percent"] is None else row["of_best_percent"] / 100

    def refused(row):
        return None if row["refused"] is None else row["refused"] / row["sent"]

    axis = {"places": [f"{load:g}" for load, _ in rows],
            "below": "calls on offer, as multiples of what the server's slots can take"}
    return {
        f"{server}-good": chart(f"Good answers in time, of the optimum, {server}", "share",
                                series(of_best), **axis),
        f"{server}-refused": chart(f"Calls refused by the server, {server}", "share",
                                   series(refused), **axis),
    }


def by_time(case, systems, runs):
    lines = [(s.name, over_time(runs_of(case.name, s, runs))) for s in systems]
    return chart(f"{case.about}: good answers a second", "rate", lines)


def plots(cases, systems, runs, found):
    charts = {}
    for server in ("fasthttp", "origin"):
        charts |= by_load(server, cases, systems, found)
    for case in cases:
        if not case.load:
            charts[case.name] = by_time(case, systems, runs)
    return charts


def write_all(out, cases, systems, runs):
    found = results(cases, systems, runs)
    tables = [(r["about"], table(r)) for r in found]
    text = "\n\n".join(f"{about}\n{text_table(t)}" for about, t in tables)
    out = Path(out)
    for name, chart in plots(cases, systems, runs, found).items():
        (out / f"{name}.svg").write_text(chart.svg(), encoding="utf-8")
    (out / "hold.txt").write_text(text + "\n", encoding="utf-8")
    (out / "hold.md").write_text("\n\n".join(f"{about}\n\n{markdown_table(t)}" for about, t in tables) + "\n",
                                 encoding="utf-8")
    (out / "hold.json").write_text(
        json.dumps({"schema": "weir.bench.hold/1", "results": found, "runs": runs}),
        encoding="utf-8")
    return text
