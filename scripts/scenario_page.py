"""The page of a scenario: puts the table of a run and its picture into docs/scenarios/.

NAME.md holds `<!-- table: FIGURE FIGURE... -->`, `<!-- plot: FIGURE FIGURE... -->` or both; what
stands between such a mark and `<!-- end -->` is replaced. Figures are those of
weir-scenario(5). The plot is NAME.svg: a panel for each figure, a bar for each row; with
`log:` in front of a figure its axis is logarithmic.

A page may instead hold, fenced, the whole of what a run printed (it begins with "Act ") and the
command that drew its picture over time (scripts/plot-lab): both are made again, too.
"""

import html
import math
import os
import re
import shlex
import subprocess

MARK = re.compile(r"(<!-- (table|plot): ([^>]*?) -->\n).*?(<!-- end -->)", re.S)
PRINTED = re.compile(r"^```\nAct .*?^```$", re.S | re.M)
DRAWN = re.compile(r"^```\n(scripts/plot-lab .*?)^```$", re.S | re.M)
LEFT, PANEL, GAP, ROW, TOP = 190, 250, 70, 19, 46
COLOURS = {"fault": "#c2410c", "witness": "#64748b", "cure": "#0e7490", "weir": "#15803d"}


def said(value, unit):
    """A figure for the eye: three digits, with its unit."""
    if value is None:
        return "–"
    if unit == "share":
        return f"{value * 100:.3g} %"
    if unit == "ms":
        return f"{value / 1000:.3g} s" if value >= 1000 else f"{value:.3g} ms"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" + ("/s" if unit == "rate" else "")


def label_of(variant):
    return " ".join([variant["name"]] + [f"{k}={v}" for k, v in variant["point"].items()])


def figure_of(variant, key):
    found = variant["figures"].get(key) or variant["figures"].get(key + "_ms")
    return None if not found else found["median"]


def unit_of(result, key):
    for figure in result["figures"]:
        if figure["key"] in (key, key + "_ms"):
            return figure["unit"]
    raise SystemExit(f"there is no figure '{key}'")


def table(result, keys):
    lines = []
    for act in result["acts"]:
        if len(result["acts"]) > 1:
            lines += [f"**{act['name']}**: {act['title']}", ""]
        lines += ["| | " + " | ".join(k.replace("_", " ") for k in keys) + " |",
                  "|---|" + "---:|" * len(keys)]
        for v in act["variants"]:
            cells = [said(figure_of(v, k), unit_of(result, k)) for k in keys]
            lines.append(f"| {label_of(v)}{'' if v['valid'] else ' (!)'} | "
                         + " | ".join(cells) + " |")
        lines.append("")
    if not result["valid"]:
        lines += ["(!) A program waited for a processor in this run: its latencies are partly "
                  "the machine's.", ""]
    m = result["machine"]
    found = sorted(m["programs"].items())
    programs = ", ".join(f"{k} {v.removeprefix('go version ')}" for k, v in found)
    lines.append(f"Linux {m['kernel'].split('-')[0]}, {m['system']}, {m['cpus']} CPUs ({m['cpu']})"
                 + (f"; {programs}" if programs else ""))
    return "\n".join(lines) + "\n"


def share_of(value, top, low):
    """How long a bar is, 0 to 1; on a logarithmic axis `low` is its beginning."""
    if not value or value <= 0:
        return 0.0
    if low is None:
        return value / top
    return max(0.02, math.log(value / low) / math.log(top / low)) if top > low else 1.0


def panel(result, rows, key, x):
    log, key = key.startswith("log:"), key.removeprefix("log:")
    unit = unit_of(result, key)
    values = [figure_of(v, key) for v, _ in rows]
    top = max([v for v in values if v] or [1])
    low = min([v for v in values if v] or [1]) / 2 if log else None
    title = key.replace("_", " ") + (" (log)" if log else "")
    out = [f'<text x="{x}" y="28" class="h">{html.escape(title)}</text>']
    for (variant, y), value in zip(rows, values):
        width = share_of(value, top, low) * PANEL
        colour = COLOURS.get(variant["role"], COLOURS["witness"])
        out.append(f'<rect x="{x}" y="{y - 11}" width="{width:.1f}" height="13" '
                   f'fill="{colour}"/>')
        out.append(f'<text x="{x + width + 5:.1f}" y="{y}">{said(value, unit)}</text>')
    return out


def plot(result, keys):
    out, rows, y = [], [], TOP + 6
    for act in result["acts"]:
        if len(result["acts"]) > 1:
            out.append(f'<text x="8" y="{y}" class="h">{html.escape(act["title"])}</text>')
            y += ROW + 2
        for v in act["variants"]:
            out.append(f'<text x="8" y="{y}">{html.escape(label_of(v))}</text>')
            rows.append((v, y))
            y += ROW
        y += 10
    for i, key in enumerate(keys):
        out += panel(result, rows, key, LEFT + i * (PANEL + GAP))
    width, height = LEFT + len(keys) * (PANEL + GAP), y
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" role="img" aria-label="{html.escape(result["scenario"]["title"])}">'
            '<style>text{font:12px sans-serif;fill:#1e293b}.h{font-weight:bold}</style>'
            f'<rect width="{width}" height="{height}" fill="#fff"/>')
    return "\n".join([head] + out + ["</svg>"]) + "\n"


def renew(root, name, result):
    folder = os.path.join(root, "docs", "scenarios")
    path = os.path.join(folder, name + ".md")
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        text = file.read()

    def fill(mark):
        keys = mark[3].split()
        if mark[2] == "table":
            return mark[1] + "\n" + table(result, keys) + "\n" + mark[4]
        with open(os.path.join(folder, name + ".svg"), "w", encoding="utf-8") as file:
            file.write(plot(result, keys))
        return f"{mark[1]}\n![{' and '.join(keys).replace('log:', '')}]({name}.svg)\n\n{mark[4]}"

    with open(path, "w", encoding="utf-8") as file:
        file.write(MARK.sub(fill, text))


def renew_run(root, name, samples, printed):
    path = os.path.join(root, "docs", "scenarios", name + ".md")
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        text = file.read()
    block = "```\n" + printed.split("\nWritten: ")[0].strip() + "\n```"
    with open(path, "w", encoding="utf-8") as file:
        file.write(PRINTED.sub(lambda _: block, text))
    drawn = DRAWN.search(text)
    if drawn:
        words = shlex.split(drawn[1].replace("\\\n", " ")
                            .replace("report/samples.json", shlex.quote(samples)))
        subprocess.run(words, cwd=root, check=True)
