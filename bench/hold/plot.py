"""Line charts as SVG, written by hand: no library."""

from html import escape

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 190, 44, 46
COLOURS = ("#0b6", "#07c", "#d33", "#e80", "#93c", "#666", "#b58", "#385", "#c66", "#669", "#000")
DASHES = ("", "6 3", "2 3")
NAME_SPACING = 15


def ticks(most):
    """Round steps from 0 to at least `most`."""
    step = 1.0
    while most / step > 6:
        step *= 2.5 if str(step)[0] == "2" else 2
    return [i * step for i in range(int(-(-most // step)) + 1)]


class Chart:
    """`xs`: what stands below the axis, in order, evenly spaced. `series`: (name, values), a value
    None where there is none."""

    def __init__(self, title, x_title, y_title, xs, series):
        self.title, self.x_title, self.y_title, self.xs = title, x_title, y_title, xs
        self.series = series
        values = [v for _, ys in series for v in ys if v is not None]
        self.ticks = ticks(max(values, default=0) or 1)
        self.parts = []

    def x(self, i):
        return LEFT + (WIDTH - LEFT - RIGHT) * i / max(1, len(self.xs) - 1)

    def y(self, value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.ticks[-1]

    def text(self, x, y, words, anchor="middle", more=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>'
                          f"{escape(str(words))}</text>")

    def line(self, x1, y1, x2, y2):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          'stroke="#ddd"/>')

    def axes(self):
        self.text(LEFT, 20, self.title, "start", 'font-size="14" font-weight="bold"')
        self.text(LEFT, 36, self.y_title, "start", 'fill="#555"')
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, self.x_title, more='fill="#555"')
        for t in self.ticks:
            self.line(LEFT, self.y(t), WIDTH - RIGHT, self.y(t))
            self.text(LEFT - 6, self.y(t) + 4, f"{t:g}", "end")
        every = max(1, len(self.xs) // 12)
        for i, x in enumerate(self.xs):
            if i % every == 0:
                self.text(self.x(i), HEIGHT - BOTTOM + 16, x)

    def curve(self, nth, name, values):
        colour, dash = COLOURS[nth % len(COLOURS)], DASHES[nth // 4 % len(DASHES)]
        points = " ".join(f"{self.x(i):.1f},{self.y(v):.1f}"
                          for i, v in enumerate(values) if v is not None)
        self.parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" '
                          f'stroke-width="2" stroke-dasharray="{dash}"/>')
        y = TOP + 8 + nth * NAME_SPACING
        x = WIDTH - RIGHT + 12
        self.parts.append(f'<line x1="{x}" y1="{y - 4}" x2="{x + 22}" y2="{y - 4}" '
                          f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
        self.text(x + 28, y, name, "start")

    def svg(self):
        self.axes()
        for nth, (name, values) in enumerate(self.series):
            self.curve(nth, name, values)
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
                f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">\n'
                '<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(self.parts) +
                "\n</svg>\n")
