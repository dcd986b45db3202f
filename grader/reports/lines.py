"""One notebook's feedback as lines of plain text, where there is nothing but Python to print with.

The words are those of grader.reports.feedback, laid out as grader.reports.console does with rich.
Pure: values in, lines out, none wider than a terminal of 80 columns.
"""

from __future__ import annotations

import codecs
import textwrap
from collections.abc import Iterable, Sequence

from grader.model import CheckResult, Outcome
from grader.pictures import Listing, Picture
from grader.reports.feedback import (
    SEE_IT,
    Feedback,
    ItemView,
    Loss,
    LostCheck,
    listed,
    pointed,
)
from grader.text import display_safe, plain

WIDTH = 80
GAP = 2  # between the columns of a comparison
SIGNS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.BROKEN: "?"}
PLAIN_SIGNS = {Outcome.PASSED: "+", Outcome.FAILED: "x", Outcome.BROKEN: "?"}
# Of the signs that the words use, those that Windows code pages lack.
STAND_INS = dict(zip("…≠–—−×·‘’“”²≤≥→", ".!---x.''\"\"2<>>", strict=True))  # noqa: RUF001  the signs meant


def encoding_of(stream: object) -> str:
    """Return the encoding that a stream writes in; UTF-8 where it names none that there is."""
    try:
        return codecs.lookup(str(getattr(stream, "encoding", None))).name
    except LookupError:
        return "utf-8"


def has_signs(signs: str, encoding: str) -> bool:
    """Say whether an encoding has all of these signs."""
    return all(sign.encode(encoding, "ignore") for sign in signs)


def writable(text: str, encoding: str) -> str:
    """Return `text` with signs that an encoding has: no fewer and no more of them."""
    missing = [sign for sign in set(text) if not has_signs(sign, encoding)]
    return text.translate({ord(sign): STAND_INS.get(sign, "?") for sign in missing})


def feedback_lines(said: Feedback, *, plain_signs: bool = False) -> list[str]:
    """Return title, headline, what matters most, and every item with its checks.

    Args:
        plain_signs: for a stream whose encoding has no check marks.
    """
    lines = [*_indented(said.title, 0), "", *_indented(said.headline, 0)]
    lines += _indented(said.praise, 0) if said.praise else []
    lines += _foremost(said)
    signs = PLAIN_SIGNS if plain_signs else SIGNS
    for view in said.items:
        lines += ["", *_item(view, signs)]
    return [line.rstrip() for line in lines]


def row(words: str, points: str, *, sign: str = "", indent: int = 0) -> list[str]:
    """Return words at the left and points at the right, the words in as many lines as they need."""
    before = " " * indent + (f"{sign} " if sign else "")
    head, *rest = _wrapped(words, WIDTH - len(before) - 1 - len(points))
    first = f"{before}{head}"
    hanging = " " * len(before)
    return [
        f"{first:<{WIDTH - len(points)}}{points}",
        *(f"{hanging}{line}" for line in rest),
    ]


def sentence_lines(words: str, *, indent: int = 0) -> list[str]:
    """Return words in as many lines as they need, a list's mark hanging out."""
    hang = 2 if words.startswith("- ") else 0
    head, *rest = _wrapped(words, WIDTH - indent - hang)
    return [f"{' ' * indent}{head}", *(f"{' ' * (indent + hang)}{line}" for line in rest)]


def _wrapped(words: str, width: int) -> list[str]:
    safe = display_safe(words)
    return textwrap.wrap(safe, max(width, 10), break_on_hyphens=False) or [""]


def _indented(words: str, by: int = 4) -> list[str]:
    return [f"{' ' * by}{line}" for line in _wrapped(words, WIDTH - by)]


def _foremost(said: Feedback) -> list[str]:
    rows = [(f"-{plain(loss.points)}", loss.headline) for loss in said.foremost]
    if not rows:
        return []
    if said.further:
        rows.append((f"-{plain(said.further_points)}", said.further))
    wide = max(len(cost) for cost, _ in rows)
    lines = ["", *_indented(said.foremost_title, 0)]
    for cost, words in rows:
        head, *rest = _wrapped(words, WIDTH - 4 - wide)
        lines += [f"  {cost:>{wide}}  {head}", *(f"{' ' * (wide + 4)}{line}" for line in rest)]
    return lines


def _item(view: ItemView, signs: dict[Outcome, str]) -> list[str]:
    lines = row(view.item.title, view.points)
    if view.attempted and not view.untested:
        for loss in view.tests:
            lines += _loss(loss, signs)
        for check in view.others:
            lines += _check(check, signs)
    if view.to_mark and view.tested is not None:
        lines += _indented(f"{plain(view.to_mark)} to be marked by a person")
    return lines


def _loss(loss: Loss, signs: dict[Outcome, str]) -> list[str]:
    """The checks of one loss; the reason stands below the first, for all of them."""
    lines: list[str] = []
    for i, check in enumerate(loss.checks):
        lines += row(check.title, check.points, sign=signs[Outcome.FAILED], indent=2)
        lines += _indented(loss.message) if i == 0 and loss.message else []
        lines += _evidence(check)
    if loss.picture:
        lines += _picture(loss.picture)
    if loss.snippet:
        code = [f"    {line}" for line in display_safe(loss.snippet, lines=True).splitlines()]
        lines += ["", *_indented(SEE_IT), "", *code, ""]
    return lines


def _evidence(check: LostCheck) -> list[str]:
    lines = _indented(check.words) if check.words else []
    if check.rows:
        lines += _comparison([(each.label, each.expected, each.yours) for each in check.rows])
    return [*lines, *(_indented(check.share) if check.share else [])]


def _picture(picture: Picture) -> list[str]:
    """A picture's caption; a listing is words already."""
    lines: list[str] = []
    if isinstance(picture, Listing):
        lines += _comparison(
            (pointed(i, off=off), expected, yours)
            for i, (expected, yours, off) in enumerate(listed(picture), start=1)
        )
    return [*lines, *_indented(picture.caption)]


def _check(check: CheckResult, signs: dict[Outcome, str]) -> list[str]:
    points = f"{plain(check.earned)} of {plain(check.possible)}"
    lines = row(check.title, points, sign=signs[check.outcome], indent=2)
    return [*lines, *(_indented(check.message) if check.message else [])]


def _comparison(rows: Iterable[tuple[str, str, str]]) -> list[str]:
    """Return expected and seen beside each other, each under its head."""
    cells = [("", "Expected", "Yours"), *rows]
    widths = _fitting([max(map(len, column)) for column in zip(*cells, strict=True)])
    lines = []
    for each in cells:
        columns = [_wrapped(cell, width) for cell, width in zip(each, widths, strict=True)]
        for i in range(max(map(len, columns))):
            parts = [
                f"{column[i] if i < len(column) else '':<{width}}"
                for column, width in zip(columns, widths, strict=True)
            ]
            lines.append(f"    {(' ' * GAP).join(parts)}")
    return lines


def _fitting(widths: Sequence[int]) -> list[int]:
    """Take from the widest column until all fit beside each other."""
    fitting = list(widths)
    while sum(fitting) > WIDTH - 4 - GAP * (len(fitting) - 1):
        fitting[fitting.index(max(fitting))] -= 1
    return fitting
