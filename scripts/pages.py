"""What stands in the Markdown pages by machine: tables, printed runs and pictures of `weir lab`.

A page says in comments, its marks, what it shows, and of which run (the arguments of `weir lab
run`; on a page in docs/scenarios/ without `run:` its own scenario):

    <!-- picture the-knee.svg          a picture, beside the page; a link to it stands in the text
    panel: Good answers = lines overload/server.used
    beside: Refused = bars refused_share, log:p99
    -->
    <!-- table                         from here to the end a table, a row for each variant
    figures: good refused p99
    -->
    <!-- end -->
    <!-- run -->                       from here to the end what the run printed
    <!-- end -->

`run:`, `act:` (one alone) and `rows:` (variants or labels, with commas) may stand in each mark.
In a table `heads:` are the columns' heads, with commas, if not the figures' names, and `notes: no`
leaves out rows' marks and the machine. A panel stands below the last one, or `beside:` it; it is
TITLE = KIND WHAT, with words ACT/ in front of WHAT and KEY=VALUE behind it:

    lines ACT/COLUMN+COLUMN        over time: columns of `series`, added up, a line a variant
    rate ACT/FIELD                 over time: a field of the callers' intervals, per second
    sweep ACT/FIGURE over NAME     a figure against the values of a swept parameter
    bars ACT/FIGURE, FIGURE        a bar for each row and figure; log: for a logarithmic axis

KEY is rows (as above), or a swept parameter, of which this value alone is shown. docs/json/lab.md
tells of columns, fields and figures."""

import os
import re
import shlex
from typing import NamedTuple

from plots import Bars, Column, Curves, Picture, Row, Spread, said

MARK = re.compile(r"<!-- (picture|table|run)\b([^\n]*?)(?:\n(.*?))?-->\n", re.S)
END = "<!-- end -->"
PANEL = re.compile(r"(lines|rate|sweep|bars) (?:([\w-]+)/)?(.*)")


class Unreadable(ValueError):
    """A mark at this line of its page."""

    def __init__(self, line, what):
        super().__init__(f"line {line}: {what}")
        self.line, self.what = line, what


class Mark(NamedTuple):
    kind: str
    picture: str        # the file, of a picture
    run: tuple          # arguments of weir lab run; the first is the scenario
    told: list          # (key, value) in order
    start: int          # of what the mark fills: behind it
    line: int

    def get(self, key, default=""):
        return next((v for k, v in self.told if k == key), default)

    def rows(self):
        return [name.strip() for name in self.get("rows").split(",") if name.strip()]

    def panels(self):
        """Rows of panels, each as its text."""
        rows = []
        for key, value in self.told:
            if key == "panel":
                rows.append([value])
            elif key == "beside" and rows:
                rows[-1].append(value)
        return rows


def marks(path, text):
    """The marks of a page, in order."""
    found = []
    own = os.path.splitext(os.path.basename(path))[0]
    is_scenario = os.path.basename(os.path.dirname(path)) == "scenarios"
    for match in MARK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        told = []
        for words in (match[3] or "").splitlines():
            key, colon, value = words.partition(":")
            if not colon or key not in ("run", "act", "rows", "figures", "heads", "notes", "panel",
                                        "beside"):
                raise Unreadable(line, f"what is '{words}'?")
            told.append((key, value.strip()))
        run = dict(told).get("run") or (own if is_scenario else "")
        if not run:
            raise Unreadable(line, "of which run?")
        picture = match[2].strip() if match[1] == "picture" else ""
        if (match[1] == "picture") != bool(picture):
            raise Unreadable(line, "a picture, and nothing else, has a file's name")
        if match[1] != "picture" and text.find(END, match.end()) < 0:
            raise Unreadable(line, f"it has no {END}")
        found.append(Mark(match[1], picture, tuple(shlex.split(run)), told, match.end(), line))
    return found


# ---- a result ---------------------------------------------------------------------------------


class Result:
    """samples.json, by what a page asks of it."""

    def __init__(self, document):
        self.document = document
        self.figures = {f["name"]: f for f in document["figures"]}

    def acts(self, name=""):
        found = [a for a in self.document["acts"] if name in ("", a["name"])]
        if not found:
            raise ValueError(f"there is no act '{name}'")
        return found

    def figure(self, name):
        if name not in self.figures:
            raise ValueError(f"{name}: no such figure")
        return self.figures[name]

    def spread(self, variant, name):
        found = variant["figures"].get(self.figure(name)["key"])
        return Spread(found["low"], found["median"], found["high"]) if found else None


def chosen(act, rows, point=()):
    """(number, variant) of those asked for; the number is its place in the act."""
    found = [(i, v) for i, v in enumerate(act["variants"])
             if (not rows or v["name"] in rows or v["label"] in rows)
             and all(v["point"].get(k, value) == value for k, value in point)]
    if not found:
        raise ValueError(f"act {act['name']} has no rows of {', '.join(rows) or dict(point)}")
    return found


def label_of(act, variant):
    """Name and point, without parameters that have one value only."""
    constant = {s["name"] for s in act["sweep"] if len(s["values"]) == 1}
    return " ".join([variant["name"]] + [f"{k}={v}" for k, v in variant["point"].items()
                                         if k not in constant])


# ---- pictures ---------------------------------------------------------------------------------


def over_time(run, kind, source):
    """(x in seconds, y) of one run, y None where nothing is known."""
    if kind == "rate":
        return [(s["t_ms"] / 1000, s.get(source)) for s in (run["load"] or {}).get("intervals") or []]
    columns = [run["series"].get(c) for c in source.split("+")]
    columns = [c for c in columns if c]
    known = [None if None in row else sum(row) for row in zip(*columns)]
    times = [t / 1000 for t in run["series"]["t_ms"]]
    return list(zip(times, known or [0] * len(times)))


def time_panel(title, kind, act, what, rows):
    shown = [(i, v) for i, v in rows if v["runs"]]
    return Curves(title, [(label_of(act, v), over_time(v["runs"][0], kind, what)) for _, v in shown],
                  "rate" if kind == "rate" else "count", numbers=[i for i, _ in shown])


def sweep_panel(result, title, act, what, rows):
    figure, _, parameter = what.partition(" over ")
    values = next((s["values"] for s in act["sweep"] if s["name"] == parameter), None)
    if not values:
        raise ValueError(f"act {act['name']} sweeps no '{parameter}'")
    curves = {}
    for _, v in rows:
        if parameter in v["point"]:
            others = {k: p for k, p in v["point"].items() if k != parameter}
            spread = result.spread(v, figure)
            curves.setdefault(label_of(act, {"name": v["name"], "point": others}), []).append(
                (values.index(v["point"][parameter]), spread and spread.median))
    return Curves(title, [(name, sorted(line)) for name, line in curves.items()],
                  result.figure(figure)["unit"], places=values, below=parameter)


def bars_panel(result, title, acts, what, rows, by_number):
    shown, named = [], []
    for act in acts:
        heading = act["title"] if len(acts) > 1 else ""
        for i, v in chosen(act, *rows):
            shown.append(v)
            named.append(Row(label_of(act, v), i if by_number else v["role"], heading))
            heading = ""
    columns = []
    for word in re.split(r"[,\s]+", what):
        name = word.removeprefix("log:")
        columns.append(Column(name.replace("_", " ") + (" (log)" if word != name else ""),
                              result.figure(name)["unit"],
                              [result.spread(v, name) for v in shown], word != name))
    if title and len(columns) == 1:
        columns[0] = columns[0]._replace(title="")
    return Bars(named, columns, title)


def split_panel(text):
    """(title, kind, act, what, rows, point)"""
    title, _, source = text.rpartition(" = ")
    match = PANEL.fullmatch(source.strip())
    if not match:
        raise ValueError(f"what panel is '{text}'?")
    pairs = [w.partition("=")[::2] for w in match[3].split() if "=" in w]
    what = " ".join(w for w in match[3].split() if "=" not in w)
    rows = dict(pairs).get("rows", "")
    return (title.strip(), match[1], match[2] or "", what, [r for r in rows.split(",") if r],
            [(k, v) for k, v in pairs if k != "rows"])


def panel(result, text, by_number):
    title, kind, act, what, rows, point = split_panel(text)
    acts = result.acts(act)
    if kind == "bars":
        return bars_panel(result, title, acts, what, (rows, point), by_number)
    shown = chosen(acts[0], rows, point)
    if kind == "sweep":
        return sweep_panel(result, title, acts[0], what, shown)
    return time_panel(title, kind, acts[0], what, shown)


def picture(mark, document):
    """Where lines have a variant's colour, its bars have it, too; else bars have that of its role."""
    result = Result(document)
    made = Picture(document["scenario"]["title"])
    by_number = any(split_panel(text)[1] in ("lines", "rate") for row in mark.panels() for text in row)
    for row in mark.panels():
        made.row(*(panel(result, text, by_number) for text in row))
    return made.svg()


# ---- tables -----------------------------------------------------------------------------------


def machine(document):
    m = document["machine"]
    programs = ", ".join(f"{k} {v.removeprefix('go version ')}" for k, v in sorted(m["programs"].items()))
    return (f"Linux {m['kernel'].split('-')[0]}, {m['system']}, {m['cpus']} CPUs ({m['cpu']})"
            + (f"; {programs}" if programs else ""))


def table_of(result, act, mark, has_notes):
    keys = mark.get("figures").split()
    heads = [h.strip() for h in mark.get("heads").split(",")] if mark.get("heads") else \
        [k.replace("_", " ") for k in keys]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(keys)]
    for _, v in chosen(act, mark.rows()):
        cells = [said(s and s.median, result.figure(k)["unit"])
                 for k, s in ((k, result.spread(v, k)) for k in keys)]
        busy = " (!)" if has_notes and not v["valid"] else ""
        lines.append(f"| {label_of(act, v)}{busy} | " + " | ".join(cells) + " |")
    return lines + [""]


def table(mark, document):
    result, has_notes = Result(document), mark.get("notes") != "no"
    acts, lines = result.acts(mark.get("act")), []
    for act in acts:
        if len(acts) > 1:
            lines += [f"**{act['name']}**: {act['title']}", ""]
        lines += table_of(result, act, mark, has_notes)
    if has_notes:
        if not all(v["valid"] for act in acts for _, v in chosen(act, mark.rows())):
            lines += ["(!) A program waited for a processor in this run: its latencies are partly "
                      "the machine's.", ""]
        lines += [machine(document), ""]
    return "\n" + "\n".join(lines) + "\n"


def printed_of(text):
    return "```\n" + text.split("\nWritten: ")[0].strip() + "\n```\n"


# ---- a page -----------------------------------------------------------------------------------


def renew(path, runs):
    """Fills the marks of the page whose run is in `runs`: arguments -> (result, what was printed).
    Returns the files written."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    out, at, written = [], 0, []
    for mark in marks(path, text):
        document, printed = runs.get(mark.run, (None, None))
        if not document:
            continue
        if mark.kind == "picture":
            written.append(os.path.join(os.path.dirname(path), mark.picture))
            with open(written[-1], "w", encoding="utf-8") as file:
                file.write(picture(mark, document))
            continue
        out += [text[at:mark.start],
                table(mark, document) if mark.kind == "table" else printed_of(printed)]
        at = text.index(END, mark.start)
    out.append(text[at:])
    if "".join(out) != text:
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(out))
        written.append(path)
    return written
