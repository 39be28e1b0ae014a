"""Curves as SVG, written by hand: readable on light and on dark paper, and by whoever hears them read."""

import math
from html import escape

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 110, 44, 52
NAME_HEIGHT = 18
STYLE = """
  text { font: 14px system-ui, sans-serif; fill: #333a45 }
  .title { font-weight: 600 }
  .grid { stroke: #d5d9e0 }
  .curve { fill: none; stroke-width: 2.5 }
  .first { stroke: #0b6e4f } .second { stroke: #b5541c; stroke-dasharray: 7 4 }
  .first-name { fill: #0b6e4f } .second-name { fill: #b5541c }
  .paper { fill: #fff }
  @media (prefers-color-scheme: dark) {
    text { fill: #d8dde6 }
    .grid { stroke: #3b424e }
    .first { stroke: #5fd6a8 } .second { stroke: #f0a06a }
    .first-name { fill: #5fd6a8 } .second-name { fill: #f0a06a }
    .paper { fill: #14171c }
  }
"""


def chart(title, below, series):
    """`series` is {name: {x: y}}, all with the same few xs, which stand at equal distances."""
    paper = Paper(series)
    parts = [f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>', *paper.grid(below)]
    for (_, points), style in styled(series):
        parts += paper.curve(points, style)
    parts += paper.names(series)
    said = "; ".join(f"{name}: {spoken(points)}" for name, points in series.items())
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(said)}</desc>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
            *parts,
            "</svg>\n",
        ]
    )


def styled(series):
    return zip(series.items(), ("first", "second"), strict=False)


def spoken(points):
    return ", ".join(f"{x:,} → {y:.1f}" for x, y in points.items())


class Paper:
    """Where a point of the chart is, and what is drawn there."""

    def __init__(self, series):
        self.xs = list(next(iter(series.values())))
        highest = max(y for points in series.values() for y in points.values())
        sizes = (digit * 10**power for power in range(-3, 9) for digit in (1, 2, 5))
        self.step = next(size for size in sizes if highest <= 7 * size)
        self.lines = max(math.ceil(highest / self.step), 1)

    def across(self, x):
        return round(LEFT + (WIDTH - LEFT - RIGHT) * self.xs.index(x) / max(len(self.xs) - 1, 1), 1)

    def up(self, y):
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / (self.lines * self.step), 1)

    def grid(self, below):
        for n in range(self.lines + 1):
            y = self.up(n * self.step)
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
            yield f'<text x="{LEFT - 10}" y="{y + 5}" text-anchor="end">{n * self.step:g}</text>'
        for x in self.xs:
            yield f'<text x="{self.across(x)}" y="{HEIGHT - BOTTOM + 22}" text-anchor="middle">{x:,}</text>'
        yield f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{escape(below)}</text>'

    def curve(self, points, style):
        corners = " ".join(f"{self.across(x)},{self.up(y)}" for x, y in points.items())
        yield f'<polyline class="curve {style}" points="{corners}"/>'

    def names(self, series):
        """Each beside the end of its curve, and none over another."""
        ends = [(self.up(points[self.xs[-1]]) + 5, name, style) for (name, points), style in styled(series)]
        lowest = 0
        for y, name, style in sorted(ends):
            lowest = max(y, lowest + NAME_HEIGHT)
            last = series[name][self.xs[-1]]
            text = f"{escape(name)} {last:.1f}"
            yield f'<text class="{style}-name" x="{WIDTH - RIGHT + 10}" y="{lowest}">{text}</text>'
