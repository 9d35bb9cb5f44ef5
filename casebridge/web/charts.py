"""Charts as values: places and lengths worked out, for templates to write as SVG."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

HEIGHT = 190
FOOT = 24
GUTTER = 7.0
"""Per cent of the width that is left for numbers."""
_ROUND = (1, 2, 3, 5)


class Bar(msgspec.Struct, frozen=True):
    """One bar; across in per cent of the width, upright in pixels."""

    kind: str
    x: float
    width: float
    y: float
    height: float
    title: str


class Chart(msgspec.Struct, frozen=True):
    """Bars side by side over steps of time; `lines` are heights with their numbers, `marks` places with their words."""

    bars: list[Bar]
    lines: list[tuple[float, int]]
    marks: list[tuple[float, str]]


def ceiling(most: int) -> int:
    """The round number at or above, for the top of a chart.

    >>> ceiling(0), ceiling(3), ceiling(7), ceiling(41), ceiling(900)
    (4, 4, 8, 80, 1200)
    """
    size = 1
    while True:
        for each in _ROUND:
            if 4 * each * size >= most:
                return 4 * each * size
        size *= 10


def over_time(steps: Sequence[str], series: Sequence[tuple[str, str, Sequence[int]]], marks_wanted: int = 5) -> Chart:
    """`series` are kind, name and a number for each step."""
    top = ceiling(max((value for _, _, values in series for value in values), default=0))
    plot = HEIGHT - FOOT
    slot = (100 - GUTTER) / max(len(steps), 1)
    width = slot * 0.8 / max(len(series), 1)
    bars = []
    for place, step in enumerate(steps):
        for number, (kind, name, values) in enumerate(series):
            height = plot * values[place] / top
            x = GUTTER + slot * (place + 0.1) + width * number
            title = f"{step}: {values[place]:,} {name}"
            bars.append(Bar(kind, round(x, 3), round(width, 3), round(plot - height, 2), round(height, 2), title))
    lines = [(round(plot - plot * part / 4, 2), top * part // 4) for part in range(5)]
    every = max(1, -(-len(steps) // marks_wanted))
    marks = [(round(GUTTER + slot * place, 3), steps[place]) for place in range(0, len(steps), every)]
    return Chart(bars, lines, marks)


def shares(values: Sequence[float | None]) -> list[float]:
    """Lengths in per cent of the longest.

    >>> shares([5, 10, None])
    [50.0, 100.0, 0.0]
    """
    most = max((each for each in values if each), default=0)
    return [round(100 * (each or 0) / most, 2) if most else 0.0 for each in values]
