"""Pictures as SVG, written by hand: no library. A Picture is rows of panels, one panel or several
beside each other; it carries its colours for a light and for a dark page.

    picture = Picture("what it shows")
    picture.row(Curves("Sockets", [("naive", [(0.0, 3), (0.5, 7)])]))
    picture.row(Bars([Row("naive", "fault")], [Column("good", "count", [Spread(9, 9, 9)])]))
    picture.svg()
"""

import html
import math
from typing import NamedTuple

WIDTH, GAP, EDGE = 760, 28, 12
LEFT, PLOT, LEGEND, TITLE, BELOW, ROW = 58, 150, 18, 24, 40, 19
CHARACTER = 7.0     # of 12 px text, the mean
# Told apart by people who see few colours, too (after Okabe and Ito); lines also differ in dashes.
# Each on light, and on dark.
SERIES = [("#d55e00", "#ff9248"), ("#0072b2", "#58b2f2"), ("#009e73", "#35cf9f"),
          ("#b6568f", "#e9a0cb"), ("#b58100", "#f2c14e"), ("#3b8ec2", "#93d5ff"),
          ("#737373", "#a6a6a6"), ("#111111", "#ffffff")]
DASHES = ["", "7 3", "2 2", "9 3 2 3", "4 4", "12 3", "1 3", "5 2 1 2"]
ROLES = {"fault": ("#c2410c", "#fb8a4a"), "witness": ("#64748b", "#94a3b8"),
         "cure": ("#0e7490", "#2cb7d3"), "weir": ("#15803d", "#4ccf7c")}
INK = {"ink": ("#1e293b", "#e2e8f0"), "dim": ("#52606f", "#a3b1c2"), "paper": ("#ffffff", "#0f151d")}
RULES = {"grid": ("#e2e8f0", "#2b3644"), "axis": ("#94a3b8", "#64748b"), "span": ("#111111", "#ffffff")}


def said(value, unit):
    """A figure for the eye: three digits, with its unit."""
    if value is None:
        return "–"
    if unit == "share":
        return f"{value * 100:.3g} %"
    if unit == "ms":
        return f"{value / 1000:.3g} s" if value >= 1000 else f"{value:.3g} ms"
    plain = f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return plain + ("/s" if unit == "rate" else "")


def style():
    def colours(which):
        fills = {**INK, **ROLES, **{f"f{i}": pair for i, pair in enumerate(SERIES)}}
        strokes = {**RULES, **{f"s{i}": pair for i, pair in enumerate(SERIES)}}
        return "".join([f".{k}{{fill:{v[which]}}}" for k, v in fills.items()] +
                       [f".{k}{{stroke:{v[which]}}}" for k, v in strokes.items()])
    return ("<style>text{font:12px system-ui,sans-serif}.h{font-weight:600}"
            ".curve{fill:none;stroke-width:2;stroke-linejoin:round}\n" + colours(0) +
            "\n@media(prefers-color-scheme:dark){" + colours(1) + "}</style>")


class Canvas:
    def __init__(self):
        self.parts = []

    def add(self, tag, words=None, **attributes):
        told = "".join(f' {k.strip("_").replace("_", "-")}="{html.escape(str(v))}"'
                       for k, v in attributes.items() if v != "")
        end = "/>" if words is None else f">{html.escape(str(words))}</{tag}>"
        self.parts.append(f"<{tag}{told}{end}")

    def text(self, x, y, words, kind="ink", anchor=""):
        self.add("text", words, x=round(x, 1), y=round(y, 1), class_=kind, text_anchor=anchor)

    def line(self, x1, y1, x2, y2, kind="grid", dash=""):
        self.add("line", x1=round(x1, 1), y1=round(y1, 1), x2=round(x2, 1), y2=round(y2, 1),
                 class_=kind, stroke_dasharray=dash)

    def rect(self, x, y, width, height, kind):
        self.add("rect", x=round(x, 1), y=round(y, 1), width=round(width, 1), height=height,
                 class_=kind)


def step_of(top, steps=6):
    """A round step of which at most `steps` make the axis."""
    for power in range(-4, 12):
        for first in (1, 2, 5):
            if top / (first * 10.0 ** power) <= steps + 1e-9:
                return first * 10.0 ** power
    return top


class Curves:
    """`curves`: (name, [(x, y)]), y None where nothing is known. x is in seconds; with
    `places`, names in order below the axis, it is an index into these. `numbers` are those of the
    curves' colours, where a curve is to have the colour it has in another panel."""

    def __init__(self, title, curves, unit="count", places=None, below="", numbers=None):
        self.title, self.curves, self.unit = title, curves, unit
        self.places, self.below = places, below
        self.numbers = numbers or range(len(curves))

    def most(self):
        return max((y for _, line in self.curves for _, y in line if y is not None), default=0)

    def columns(self, width):
        wide = max((40 + CHARACTER * len(name) for name, _ in self.curves), default=1)
        return max(1, int((width - EDGE) // wide))

    def height(self, width):
        keys = -(-len(self.curves) // self.columns(width))
        return TITLE + LEGEND * keys + 8 + PLOT + BELOW - (0 if self.below else 14)

    def draw(self, canvas, x, y, width, most):
        canvas.text(x + EDGE, y + 14, self.title, "ink h")
        self.legend(canvas, x + EDGE, y + TITLE, width)
        bottom = y + self.height(width) - BELOW + (0 if self.below else 14)
        left, right = x + LEFT, x + width - EDGE - 6
        most = most or 1
        top = math.ceil(most / step_of(most) - 1e-9) * step_of(most)
        self.scale(canvas, left, right, bottom, top)
        ends = [p[0] for _, line in self.curves for p in line]
        if self.places:
            inset = (right - left) / len(self.places) / 2
            at = [left + inset, (right - left - 2 * inset) / max(1, len(self.places) - 1)]
        else:
            at = [left, (right - left) / (max(ends, default=0) or 1)]
        self.below_axis(canvas, at, bottom, max(ends, default=0), (left + right) / 2)
        for nth, (_, line) in zip(self.numbers, self.curves):
            self.curve(canvas, nth, [(at[0] + at[1] * t, v if v is None else bottom - PLOT * v / top)
                                     for t, v in line if t >= 0])

    def legend(self, canvas, x, y, width):
        columns = self.columns(width)
        for i, (nth, (name, _)) in enumerate(zip(self.numbers, self.curves)):
            left = x + (width - EDGE) / columns * (i % columns)
            key = y + 12 + LEGEND * (i // columns)
            canvas.line(left, key - 4, left + 24, key - 4, f"curve s{nth % len(SERIES)}", dash(nth))
            canvas.text(left + 30, key, name)

    def scale(self, canvas, left, right, bottom, top):
        step = step_of(top)
        for i in range(int(top / step + 1e-9) + 1):
            at = bottom - PLOT * i * step / top
            canvas.line(left, at, right, at, "grid" if i else "axis")
            canvas.text(left - 6, at + 4, said(i * step, self.unit), "dim", "end")

    def below_axis(self, canvas, at, bottom, end, middle):
        if self.places:
            every = max(1, len(self.places) // 14)
            marks = [(i, str(p)) for i, p in enumerate(self.places) if i % every == 0]
        else:
            step = max(1, round(step_of(end or 1)))
            marks = [(t, f"{t} s") for t in range(0, int(end) + 1, step)]
        for t, words in marks:
            canvas.line(at[0] + at[1] * t, bottom, at[0] + at[1] * t, bottom + 4, "axis")
            canvas.text(at[0] + at[1] * t, bottom + 17, words, "dim", "middle")
        if self.below:
            canvas.text(middle, bottom + 33, self.below, "dim", "middle")

    def curve(self, canvas, nth, points):
        path, up = [], True
        for x, y in points:
            if y is not None:
                path.append(f'{"M" if up else "L"}{x:.1f} {y:.1f}')
                if self.places and len(self.places) <= 14:
                    canvas.add("circle", cx=round(x, 1), cy=round(y, 1), r=3,
                               class_=f"f{nth % len(SERIES)}")
            up = y is None
        canvas.add("path", d=" ".join(path), class_=f"curve s{nth % len(SERIES)}",
                   stroke_dasharray=dash(nth))


def dash(nth):
    return DASHES[(nth + nth // len(SERIES)) % len(DASHES)]


class Spread(NamedTuple):
    low: float
    median: float
    high: float


class Row(NamedTuple):
    """`kind`: a role, or the number of a colour. `heading` stands above it."""
    label: str
    kind: object
    heading: str = ""


class Column(NamedTuple):
    """`spreads`: one a row, None where nothing is known."""
    title: str
    unit: str
    spreads: list
    is_log: bool = False


class Bars:
    """A bar for each row in each column, with the spread of its runs."""

    def __init__(self, rows, columns, title=""):
        self.rows, self.columns, self.title = rows, columns, title

    def most(self):
        return 0

    def height(self, _):
        headings = sum(bool(row.heading) for row in self.rows)
        heads = bool(self.title) + self.has_heads()
        return TITLE * heads + ROW * len(self.rows) + 26 * headings + 10

    def has_heads(self):
        return any(column.title for column in self.columns)

    def roles(self):
        return {row.kind for row in self.rows if row.kind in ROLES}

    def draw(self, canvas, x, y, width, _):
        names = EDGE + 10 + CHARACTER * max(len(row.label) for row in self.rows)
        room = (width - names) / len(self.columns)
        if self.title:
            canvas.text(x + EDGE, y + 14, self.title, "ink h")
            y += TITLE
        if self.has_heads():
            for i, column in enumerate(self.columns):
                canvas.text(x + names + i * room, y + 14, column.title, "dim h")
            y += TITLE
        for nth, row in enumerate(self.rows):
            if row.heading:
                canvas.text(x + EDGE, y + 20, row.heading, "ink h")
                y += 26
            canvas.text(x + EDGE, y + 14, row.label)
            for i, column in enumerate(self.columns):
                self.bar(canvas, x + names + i * room, y, room - 76, column, nth)
            y += ROW

    def bar(self, canvas, x, y, room, column, nth):
        spread, kind = column.spreads[nth], self.rows[nth].kind
        if not spread:
            canvas.text(x + 2, y + 14, "–", "dim")
            return
        low, median, high = (room * share_of(column, value) for value in spread)
        canvas.rect(x, y + 4, max(median, 1), ROW - 6, kind if kind in ROLES else
                    f"f{kind % len(SERIES)}")
        if high - low > 1:
            canvas.line(x + low, y + 10.5, x + high, y + 10.5, "span")
        canvas.text(x + max(high, median) + 6, y + 14, said(spread.median, column.unit))


def share_of(column, value):
    """How long a bar is, 0 to 1; a logarithmic axis begins at half of the lowest."""
    known = [s for s in column.spreads if s]
    top = max((s.high for s in known), default=0)
    if not value or value <= 0 or not top:
        return 0.0
    if not column.is_log:
        return value / top
    low = min((s.low for s in known if s.low > 0), default=top) / 2
    return max(0.02, math.log(value / low) / math.log(top / low))


class Picture:
    def __init__(self, title):
        self.title, self.rows = title, []

    def row(self, *panels):
        """These stand beside each other; curves have one scale when they are of one unit."""
        self.rows.append(panels)

    def svg(self):
        canvas, y = Canvas(), 8
        for panels in self.rows:
            width = (WIDTH - GAP * (len(panels) - 1)) / len(panels)
            one = len({getattr(p, "unit", None) for p in panels}) == 1
            for i, panel in enumerate(panels):
                most = max(p.most() for p in panels) if one else panel.most()
                panel.draw(canvas, i * (width + GAP), y, width, most)
            y += max(p.height(width) for p in panels) + 6
        y = self.told_roles(canvas, y)
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" '
                f'width="{WIDTH}" role="img" aria-label="{html.escape(self.title)}">\n'
                f"<title>{html.escape(self.title)}</title>\n{style()}\n"
                f'<rect width="{WIDTH}" height="{y}" class="paper"/>\n'
                + "\n".join(canvas.parts) + "\n</svg>\n")

    def told_roles(self, canvas, y):
        used = set().union(*(p.roles() for row in self.rows for p in row if isinstance(p, Bars)))
        x = EDGE
        for role in ROLES:
            if role in used:
                canvas.rect(x, y + 3, 12, 12, role)
                canvas.text(x + 18, y + 13, role, "dim")
                x += 80
        return y + (24 if used else 0)
