"""Bars for two policies as SVG, told apart by hatching and by their figures, not by colour alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sekisho.lab.whatif import Figure, Line, Section

WIDTH, NAME, VALUE, BAR, GAP, TOP = 900, 220, 110, 14, 12, 24
"""Pixels: the whole, the column of names, the room for figures, a bar, what is between two lines, the scale."""


class Bar(NamedTuple):
    """One bar."""

    y: int
    length: float
    told: str
    hatched: bool


class Group(NamedTuple):
    """The two bars of one line."""

    name: str
    y: int
    bars: tuple[Bar, ...]


class Plot(NamedTuple):
    """One section, drawn: a scale of powers of ten."""

    height: int
    groups: list[Group]
    ticks: list[tuple[float, str]]


def plot(section: Section, unbounded: str) -> Plot:
    """The bars of a section. `unbounded`: what is written at a bar without end."""
    low, high = _scale(section.lines)
    groups, y = [], TOP
    for line in section.lines:
        bars = tuple(_bars(line, y, low, high, unbounded))
        groups.append(Group(line.name, y, bars))
        y += len(bars) * BAR + GAP
    ticks = [(NAME + _length(10.0 ** power, low, high), told(10.0 ** power)) for power in range(low, high + 1, max(1, (high - low) // 6))]
    return Plot(y, groups, ticks)


def _scale(lines: Iterable[Line]) -> tuple[int, int]:
    """The powers of ten between which every figure lies."""
    values = [one.value for line in lines for one in (line.a, line.b) if one is not None and one.value]
    if not values:
        return 0, 1
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return max(low - 1, high - 12), max(high, low + 1)


def _bars(line: Line, y: int, low: int, high: int, unbounded: str) -> Iterator[Bar]:
    for number, figure in enumerate((line.a, line.b)):
        words = "-" if figure is None else unbounded if figure.value is None else told(figure.value)
        yield Bar(y + number * BAR, _of(figure, low, high), words, hatched=number == 1)


def _of(figure: Figure | None, low: int, high: int) -> float:
    if figure is None:
        return 0
    return _length(10.0 ** high if figure.value is None else figure.value, low, high)


def _length(value: float, low: int, high: int) -> float:
    if value <= 0:
        return 0
    part = (math.log10(value) - low) / (high - low)
    return round(min(1.0, max(0.0, part)) * (WIDTH - NAME - VALUE), 1)


def told(value: float) -> str:
    """A figure as it is read: whole where it is large, two places of it where it is small."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2g}"
