"""Turn judged checks and marks into points. Pure: no I/O, no clock, no pandas.

Fails closed: only a passed check and a given mark earn points. Fails fair: where something of
ours is broken or open, there is no final grade but a request that a person looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TypeAlias

from grader.errors import PackError
from grader.model import (
    CheckResult,
    ItemResult,
    Late,
    Mark,
    Outcome,
    Score,
    Section,
    Source,
    State,
    Total,
)
from grader.rubric import Item, Rubric

NOT_LATE = Late(days=0)
Known: TypeAlias = "dict[tuple[str, tuple[int, ...]], ItemResult]"


def score(
    rubric: Rubric,
    results: Iterable[CheckResult],
    marks: Mapping[str, Mark],
    *,
    late: Late = NOT_LATE,
    open_question: bool = False,
    known: Known | None = None,
) -> Score:
    """Add up points by item and section, take the late penalty off, never below 0.

    Args:
        results: one for each check of the rubric; a missing one earns nothing.
        marks: item id -> what a person gave.
        open_question: something about this submission has to be decided by a person first.
        known: what came of an item's results before, by the same rubric; it is added to. In a large
            class most items are alike, and then they are the same object.

    Raises:
        PackError: a result or mark belongs to nothing in the rubric, or a check was judged twice.
    """
    by_check = _by_check(rubric, results)
    if strays := sorted(marks.keys() - rubric.marked_items.keys()):
        raise PackError(f"The rubric has no marked item `{strays[0]}`.")
    known = {} if known is None else known
    items = tuple(_known(item, by_check, marks.get(item.id), known) for item in rubric.item)
    broken = len(by_check) < len(rubric.checks) or any(
        result.outcome is Outcome.BROKEN for result in by_check.values()
    )
    sections = {section: _total(items, section) for section in Section}
    before = _sum(total.points for total in sections.values())
    if broken or open_question:
        state = State.NEEDS_ATTENTION
    else:
        state = State.NEEDS_MARKS if before is None else State.FINAL
    final = None
    if state is State.FINAL and before is not None:
        final = max(Decimal(0), before - late.penalty)
    return Score(
        items=items, sections=sections, late=late, before_penalty=before, final=final, state=state
    )


def _by_check(rubric: Rubric, results: Iterable[CheckResult]) -> dict[str, CheckResult]:
    known = {rule.id for rule in rubric.checks}
    found: dict[str, CheckResult] = {}
    for result in results:
        if result.check_id not in known:
            raise PackError(f"The rubric has no check `{result.check_id}`.")
        if result.check_id in found:
            raise PackError(f"Check `{result.check_id}` was judged twice.")
        found[result.check_id] = result
    return found


def _known(
    item: Item, results: Mapping[str, CheckResult], mark: Mark | None, known: Known
) -> ItemResult:
    checks = tuple(results[rule.id] for rule in item.check if rule.id in results)
    if mark is not None:
        return _item(item, checks, mark)
    key = (item.id, tuple(map(id, checks)))  # they live as long as what is known of them
    if key not in known:
        known[key] = _item(item, checks, None)
    return known[key]


def _item(item: Item, checks: tuple[CheckResult, ...], mark: Mark | None) -> ItemResult:
    earned = sum((result.earned for result in checks), Decimal(0))
    # What could not be judged is not known to be nothing.
    broken = len(checks) < len(item.check) or any(r.outcome is Outcome.BROKEN for r in checks)
    points: Decimal | None = None if broken else earned
    source = Source.AUTOMATIC
    if item.marked is not None:
        if mark is not None:
            by_hand = min(mark.points, item.marked.points)
            points, source = None if points is None else points + by_hand, Source.MARKED
        elif not (item.marked.only_if_attempted and earned == 0):
            points, source = None, Source.UNMARKED
    return ItemResult(
        item_id=item.id,
        title=item.title,
        section=item.section,
        points=points,
        possible=item.points,
        source=source,
        checks=checks,
        comment=mark.comment if mark else "",
    )


def _total(items: Iterable[ItemResult], section: Section) -> Total:
    mine = [item for item in items if item.section is section]
    return Total(
        points=_sum(item.points for item in mine),
        possible=sum((item.possible for item in mine), Decimal(0)),
    )


def _sum(points: Iterable[Decimal | None]) -> Decimal | None:
    """Add points up; one that is not known yet makes the sum unknown."""
    total = Decimal(0)
    for each in points:
        if each is None:
            return None
        total += each
    return total
