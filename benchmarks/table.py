"""What was measured, against what was to be reached."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

HEADS = ("point", "", "ours", "Node", "C", "ratio", "goal", "met", "busy: ours", "busy: Node")


@dataclass
class Goal:
    """Bounds of the ratio to the peer's figure, or of our own."""

    of: str  # "ratio" or "ours"
    most: float | None = None
    least: float | None = None

    def met_by(self, figure):
        return (self.most is None or figure <= self.most) and (self.least is None or figure >= self.least)

    def __str__(self):
        bound = f"≤ {self.most:,g}" if self.least is None else f"≥ {self.least:,g}"
        bound = f"= {self.most:,g}" if self.most == self.least else bound
        return f"{bound} ×" if self.of == "ratio" else bound


@dataclass
class Row:
    """One figure. Lists have one entry for each round; `takens` say how busy both sides were meanwhile."""

    point: str
    what: str
    ours: list
    node: list = field(default_factory=list)
    c: float | None = None
    goal: Goal | None = None
    pick: Callable | None = None  # of the rounds' figures; the median, where nothing is said
    takens: dict = field(default_factory=dict)  # "ours" or "Node" → what each round took

    @property
    def ratio(self):
        """Ours against the peer's in the same round, measured seconds before: noise of the machine hits both."""
        return median([ours / node for ours, node in zip(self.ours, self.node, strict=False) if node])

    @property
    def met(self):
        """None where there is no goal, or nothing to hold it to."""
        figure = None
        if self.goal:
            figure = self.ratio if self.goal.of == "ratio" else self.picked(self.ours)
        return None if figure is None else self.goal.met_by(figure)

    def picked(self, figures):
        return (self.pick or median)(figures) if figures else None

    def cells(self):
        return (
            self.point,
            self.what,
            written(self.picked(self.ours)),
            written(self.picked(self.node)),
            written(self.c),
            "" if self.ratio is None else f"{self.ratio:.2f}",
            "" if self.goal is None else str(self.goal),
            {True: "yes", False: "NO", None: ""}[self.met],
            busy(self.takens.get("ours")),
            busy(self.takens.get("Node")),
        )


def median(figures):
    return statistics.median(figures) if figures else None


def written(figure):
    """With as many digits as say something."""
    if figure is None:
        return ""
    whole = figure >= 100 or figure == int(figure)
    return f"{figure:,.0f}" if whole else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def busy(takens):
    """The processor shares of both sides, as `server / client`: a client near 100 % would have been the bound."""
    if not takens:
        return ""
    server = statistics.median(taken.server / taken.wall for taken in takens)
    client = statistics.median(taken.client / taken.wall for taken in takens)
    return f"{server * 100:.0f} / {client * 100:.0f} %"


def table(rows):
    """A Markdown table, aligned for whoever reads it in a terminal."""
    lines = [HEADS, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    aligned = ([cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in aligned)
