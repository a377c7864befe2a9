"""Charts as SVG text: drawn to be read at the width of a phone, so that two stand side by side on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log10

WIDTH = 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 6, 12, 20
_ROW = 22
_LABEL_WIDTH = 126
_MOST_LABEL_CHARS = 18


@dataclass(frozen=True)
class Series:
    """Values drawn in one colour (a CSS class), under one name."""

    name: str
    values: Sequence[float]
    css: str = "a"


def columns(title: str, labels: Sequence[str], series: Series, *, height: int = 150, every: int = 1) -> str:
    """Upright bars, one a label; every n-th label is written."""
    top = nice_top(max(series.values, default=0))
    plot = _Plot(len(labels), top, height)
    bars = []
    for index, value in enumerate(series.values):
        x, y, width, tall = plot.bar(index, value)
        bars.append(
            f'<rect class="{series.css}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{tall:.1f}">'
            f"<title>{escape(labels[index])}: {number(value)}</title></rect>"
        )
    return _svg(title, height, plot.grid() + "".join(bars) + plot.x_labels(labels, every))


def lines(
    title: str, labels: Sequence[str], series: Sequence[Series], *, height: int = 150, every: int = 1
) -> str:
    """Lines over time, one a series; NaN breaks a line."""
    top = nice_top(max((value for one in series for value in one.values if value == value), default=0))
    plot = _Plot(len(labels), top, height)
    drawn = []
    for one in series:
        stretches: list[list[str]] = [[]]
        for index, value in enumerate(one.values):
            if value == value:
                stretches[-1].append(f"{plot.x(index):.1f},{plot.y(value):.1f}")
            elif stretches[-1]:
                stretches.append([])
        # A point alone is drawn as a dot: a line from it to itself.
        drawn += [
            f'<polyline class="line {one.css}" points="{" ".join([*points, points[-1]])}"/>'
            for points in stretches
            if points
        ]
    return _svg(title, height, plot.grid() + "".join(drawn) + plot.x_labels(labels, every))


def bars(title: str, rows: Sequence[tuple[str, float]], css: str = "a") -> str:
    """Lying bars with their label before and their value after them."""
    height = max(1, len(rows)) * _ROW + 4
    top = max((value for _, value in rows), default=0) or 1
    room = WIDTH - _LABEL_WIDTH - 48
    drawn = []
    for index, (label, value) in enumerate(rows):
        y, width = index * _ROW + 4, room * value / top
        drawn.append(
            f'<text class="label" x="{_LABEL_WIDTH - 6}" y="{y + 12}">{escape(_short(label))}'
            f"<title>{escape(label)}</title></text>"
            f'<rect class="{css}" x="{_LABEL_WIDTH}" y="{y}" width="{max(width, 1):.1f}" height="15" rx="2"/>'
            f'<text class="value" x="{_LABEL_WIDTH + width + 5:.1f}" y="{y + 12}">{number(value)}</text>'
        )
    return _svg(title, height, "".join(drawn))


def nice_top(most: float) -> float:
    """The end of an axis: not far above the most, with a round half (a whole one for small counts)."""
    if most <= 2:
        return 2
    power = 10.0 ** int(log10(most))
    steps = (2, 4, 6, 8, 10) if power == 1 else (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10)
    return next(step * power for step in steps if step * power >= most)


def number(value: float) -> str:
    """Short, for an axis: 1.2k, 3M."""
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            divisor = 1e3 if suffix == "k" else limit
            return f"{value / divisor:.3g}{suffix}"
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


class _Plot:
    """Where a value stands on the page."""

    def __init__(self, count: int, top: float, height: int) -> None:
        self._count, self._top, self._height = max(count, 1), top, height
        self._step = (WIDTH - _LEFT - _RIGHT) / self._count

    def x(self, index: int) -> float:
        return _LEFT + (index + 0.5) * self._step

    def y(self, value: float) -> float:
        return _TOP + (self._height - _TOP - _BOTTOM) * (1 - value / self._top)

    def bar(self, index: int, value: float) -> tuple[float, float, float, float]:
        """x, y, width and height."""
        width = self._step * 0.72
        return self.x(index) - width / 2, self.y(value), width, self.y(0) - self.y(value)

    def grid(self) -> str:
        return "".join(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{self.y(value):.1f}" '
            f'y2="{self.y(value):.1f}"/>'
            f'<text class="axis" x="{_LEFT - 4}" y="{self.y(value) + 3.5:.1f}">{number(value)}</text>'
            for value in (0, self._top / 2, self._top)
        )

    def x_labels(self, labels: Sequence[str], every: int) -> str:
        y = self._height - 5
        return "".join(
            f'<text class="tick" x="{self.x(index):.1f}" y="{y}">{escape(label)}</text>'
            for index, label in enumerate(labels)
            if index % every == 0
        )


def _svg(title: str, height: int, content: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}" '
        f'xmlns="http://www.w3.org/2000/svg">{content}</svg>'
    )


def _short(label: str) -> str:
    return label if len(label) <= _MOST_LABEL_CHARS else label[: _MOST_LABEL_CHARS - 1] + "…"
