"""Pictures as SVG within a page: small, without scripts, the same bytes each time.

What is drawn are numbers out of a student's answers, and words: numbers are bounded, words are
escaped by the template's own rule. Colours come from the page's style sheet, so that a picture
follows the reader's scheme; whose a series is can be told without colour as well, by its line and
marks. Knows nothing of assignments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

from grader.pictures import Chart, Role, Series, Strip, Strips
from grader.text import clipped

Floats: TypeAlias = npt.NDArray[np.float64]
Words: TypeAlias = Callable[[str], Markup]
Interval: TypeAlias = tuple[float, float]

WIDTH = 320  # units: those of a phone's column, so that text keeps its size there
HEIGHT = 210
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 22, 36
MOST_POINTS = 300  # of a series; longer ones are thinned out
MOST_SERIES = 6
MOST_LABEL = 40
FAR = 1e6  # units outside of which nothing is seen anyway
MOST_NUMBERS = 5  # along an axis
ROOM = 5.0  # how far beyond the expected values the frame may reach, in their sizes
PER_LINE = 14  # cells of a strip
MOST_CELLS = 84
CELL, GAP, HEAD = 21, 2, 18


# ------------------------------------------------------------------------------- charts
@dataclass(frozen=True, slots=True)
class _Scale:
    """Data to units, for both axes."""

    x: Interval
    y: Interval

    def across(self, values: Floats) -> Floats:
        return _scaled(values, self.x, LEFT, WIDTH - RIGHT)

    def up(self, values: Floats) -> Floats:
        return _scaled(values, self.y, HEIGHT - BOTTOM, TOP)


def chart(drawn: Chart, words: Words) -> Markup:
    """Return a chart as SVG.

    Args:
        words: makes a text safe to be put into the page.
    """
    series = [_thinned(each) for each in drawn.series[:MOST_SERIES]]
    scale = _Scale(_interval(series, "x"), _interval(series, "y"))
    parts = [
        *_grid(scale),
        Markup('<svg x="{}" y="{}" width="{}" height="{}" viewBox="{} {} {} {}">').format(
            *(LEFT - 4, TOP - 4, WIDTH - LEFT - RIGHT + 8, HEIGHT - TOP - BOTTOM + 8) * 2
        ),
        *(_series(each, scale) for each in series),
        Markup("</svg>"),
        *_legend(series, words),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, words(_short(drawn.x_label)), "middle"),
        Markup('<text x="{}" y="{}" text-anchor="middle" transform="rotate(-90)">{}</text>').format(
            -(TOP + HEIGHT - BOTTOM) / 2, 10, words(_short(drawn.y_label))
        ),
    ]
    return _svg(HEIGHT, parts)


def _thinned(series: Series) -> Series:
    """Return what can be drawn of a series: finite pairs, and not too many."""
    n = min(series.x.size, series.y.size)
    x, y = series.x[:n], series.y[:n]
    if n > MOST_POINTS:
        some = np.linspace(0, n - 1, MOST_POINTS).astype(int)
        x, y = x[some], y[some]
    whole = np.isfinite(x) & np.isfinite(y)
    return Series(
        label=series.label, x=x[whole], y=y[whole], role=series.role, joined=series.joined
    )


def _interval(series: Sequence[Series], axis: str) -> Interval:
    """Return what an axis shows: all that is expected, and of the student's what is near it."""

    def ends(chosen: Sequence[Series]) -> Interval | None:
        values = [getattr(each, axis) for each in chosen if each.x.size]
        if not values:
            return None
        return min(float(v.min()) for v in values), max(float(v.max()) for v in values)

    expected = ends([s for s in series if s.role is not Role.YOURS])
    everything = ends(series)
    if everything is None:
        return 0.0, 1.0
    low, high = everything
    if expected is not None:
        reach = ROOM * max(expected[1] - expected[0], abs(expected[0]), abs(expected[1]), 1e-12)
        low, high = max(low, expected[0] - reach), min(high, expected[1] + reach)
    low, high = max(low, -1e300), min(high, 1e300)
    margin = 0.04 * (high - low) or max(abs(high), 1.0) / 2
    return low - margin, high + margin


def _scaled(values: Floats, interval: Interval, start: float, end: float) -> Floats:
    low, high = interval
    with np.errstate(all="ignore"):  # what is far too large is cut off below
        share = (values - low) / (high - low)
        units = start + share * (end - start)
    return np.clip(np.nan_to_num(units, nan=FAR, posinf=FAR, neginf=-FAR), -FAR, FAR)


def _series(series: Series, scale: _Scale) -> Markup:
    if series.x.size == 0:
        return Markup()
    points = list(zip(scale.across(series.x), scale.up(series.y), strict=True))
    if series.joined:
        path = Markup(" ").join(Markup("{:.1f},{:.1f}").format(x, y) for x, y in points)
        line = Markup('<polyline class="{}" points="{}"/>').format(series.role.value, path)
        if series.role is not Role.YOURS or len(points) > 1:
            return line
    marks = (Markup("M{:.1f} {:.1f}h0").format(x, y) for x, y in points)
    return Markup('<path class="dots {}" d="{}"/>').format(series.role.value, Markup().join(marks))


def _legend(series: Sequence[Series], words: Words) -> list[Markup]:
    """Name the series above the frame, each beside a piece of its line."""
    parts, x = [], float(LEFT)
    for each in series:
        label = _short(each.label)
        if each.joined:
            mark = Markup('<path class="{}" d="M{:.1f} 9h18"/>').format(each.role.value, x)
        else:
            mark = Markup('<path class="dots {}" d="M{:.1f} 9h0"/>').format(each.role.value, x + 9)
        parts += [mark, _text(x + 23, 13, words(label))]
        x += 23 + 6.2 * len(label) + 14
    return parts


def _grid(scale: _Scale) -> list[Markup]:
    """Draw round numbers along both axes, with a thin line at each of y."""
    parts = []
    for value in _round_numbers(scale.y):
        y = float(scale.up(np.array([value]))[0])
        parts.append(
            Markup('<path class="line" d="M{} {:.1f}H{}"/>').format(LEFT, y, WIDTH - RIGHT)
        )
        parts.append(_text(LEFT - 6, y + 4, _number(value), "end"))
    for value in _round_numbers(scale.x):
        x = float(scale.across(np.array([value]))[0])
        parts.append(_text(x, HEIGHT - BOTTOM + 15, _number(value), "middle"))
    return parts


def _round_numbers(interval: Interval) -> list[float]:
    """Return three to six numbers within an interval, at a distance of 1, 2 or 5 times a power."""
    low, high = interval
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return []
    power = 10.0 ** math.floor(math.log10(span / 3))
    step = next(
        (m * power for m in (1, 2, 5, 10) if span / (m * power) <= MOST_NUMBERS), 10 * power
    )
    first = math.ceil(low / step)
    return [i * step for i in range(first, first + 7) if i * step <= high]


def _number(value: float) -> Markup:
    return escape(f"{value:.4g}".replace("-", "\N{MINUS SIGN}").replace("e+", "e"))


# ------------------------------------------------------------------------------- strips
def strips(drawn: Strips, words: Words) -> Markup:
    """Return rows of cells as SVG; cells to point at have a thick frame."""
    tones = {word: i % 5 for i, word in enumerate(drawn.key)}
    parts: list[Markup] = []
    y = 0
    for strip in drawn.strips[:MOST_SERIES]:
        parts.append(_text(0, y + 12, words(_short(strip.label))))
        y += HEAD
        parts += _cells(strip, y, tones, words)
        lines = math.ceil(min(len(strip.cells), MOST_CELLS) / PER_LINE)
        y += max(lines, 1) * (CELL + GAP) + 6
    return _svg(y, parts)


def _cells(strip: Strip, top: int, tones: dict[str, int], words: Words) -> list[Markup]:
    parts = []
    for i, cell in enumerate(strip.cells[:MOST_CELLS]):
        x, y = i % PER_LINE * (CELL + 1), top + i // PER_LINE * (CELL + GAP)
        tone = f"tone{tones[cell]}" if cell in tones else "tone"
        kind = f"{tone} off" if i in strip.off else tone
        parts.append(
            Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="2"/>').format(
                kind, x + 1, y + 1, CELL - 2, CELL - 2
            )
        )
        parts.append(_text(x + CELL / 2, y + CELL / 2 + 4, words(clipped(cell, 3)), "middle"))
    return parts


# ------------------------------------------------------------------------------- both
def _text(x: float, y: float, inside: Markup, anchor: str = "start") -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        x, y, anchor, inside
    )


def _short(label: str) -> str:
    return clipped(label, MOST_LABEL)


def _svg(height: float, parts: Sequence[Markup]) -> Markup:
    """Return the drawing; whoever does not see it has the caption beneath."""
    whole = Markup('<svg class="drawn" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>')
    return whole.format(WIDTH, height, Markup("\n").join(parts))
