"""What changed between two judgements, and why. Pure.

Of each student a short record is kept: points by item and check, lateness, state. Two records
differ for a reason, which is looked for in what the judgements went by (see grader.grading.keys).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from grader.grading.keys import CHECKS_BY_ITEM, LATE_POLICY, digest
from grader.model import Grade, Outcome, Student
from grader.store import ResultRow
from grader.text import plain

Record: TypeAlias = dict[str, Any]  # plain values for json
Facets: TypeAlias = Mapping[str, Any]  # check id -> piece -> digest

FINAL, PENALTY = "final", "late penalty"
UNKNOWN, NOT_THERE = "?", "-"
NEW_SUBMISSION, RUN_AGAIN, MARK = "new submission", "run again", "mark"
OTHER_ITEM, TIMES = "another item", "times or deadline"
NEW_ITEM, ITEM_GONE, NEW_CHECK, CHECK_GONE = (
    "new item",
    "item is gone",
    "new check",
    "check is gone",
)
_INSTEAD = (("probe", ("seeds", "reference")), ("seeds", ("reference",)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of the table of changes. `words_only`: no points changed, only what is said."""

    student: Student
    key: str
    item: str
    before: str
    after: str
    why: str
    words_only: bool = False


def person_key(student: Student) -> str:
    """Return what a student's rows in the store are found by: the surest of what is known."""
    known = ["id", student.canvas_id] if student.canvas_id else [student.login, student.name]
    return digest(*known)[:32]


def record_of(grade: Grade) -> Record:
    """Return what later judgements of a grade are compared with."""
    score = grade.score
    return {
        "file": grade.file,
        "final": _points(score.final),
        "state": str(score.state),
        "late": [score.late.days, plain(score.late.penalty), _words(score.late.note)],
        "items": {item.item_id: _points(item.points) for item in score.items},
        "checks": {
            check.check_id: _of_check(check.outcome, check.earned, check.message)
            for item in score.items
            for check in item.checks
        },
        "asks": digest(grade.attention)[:12],
    }


@lru_cache(maxsize=4096)  # most of a class have the same, and then it is the same list
def _of_check(outcome: Outcome, earned: Decimal, message: str) -> list[str]:
    return [str(outcome), plain(earned), _words(message)]


@lru_cache(maxsize=4096)  # most of a class read the same
def _words(text: str) -> str:
    return digest(text)[:12]


def _points(points: Decimal | None) -> str | None:
    return None if points is None else plain(points)


def _shown(points: str | None) -> str:
    return UNKNOWN if points is None else points


def _in(items: Mapping[str, str | None], item: str) -> str:
    return _shown(items[item]) if item in items else NOT_THERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two judgements of a class: what they went by, and item -> check ids, then and now."""

    before: Facets
    after: Facets
    had: Mapping[str, Sequence[str]]
    has: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, before: Facets, after: Facets) -> Comparison:
        """Compare what two judgements went by: the one that is kept, and the one of now."""
        has = after[CHECKS_BY_ITEM]
        return cls(before=before, after=after, had=before.get(CHECKS_BY_ITEM, has), has=has)

    def changes(self, old: ResultRow, new: ResultRow) -> Iterator[Change]:
        """Yield what is different for one student, item by item, then the final grade."""
        was, now = old.record, new.record
        for item in [*now["items"], *(i for i in was["items"] if i not in now["items"])]:
            points = [_in(record["items"], item) for record in (was, now)]
            differ = self._differ(item, was["checks"], now["checks"])
            if points[0] != points[1]:
                yield _change(new, item, points, self._why(old, new, item, differ))
            elif differ:
                why = self._why(old, new, item, differ, words=True)
                yield _change(new, item, points, why, words_only=True)
        yield from self._late(new, was, now)

    def _differ(self, item: str, was: Record, now: Record) -> list[str]:
        """Return the checks of an item that went otherwise, came to it or left it."""
        had, has = self.had.get(item, ()), self.has.get(item, ())
        stay = [c for c in has if c not in had or was.get(c) != now.get(c)]
        return stay + [c for c in had if c not in has]

    def _late(self, new: ResultRow, was: Record, now: Record) -> Iterator[Change]:
        if was["late"][1] != now["late"][1]:
            policy = self.before.get(LATE_POLICY) != self.after.get(LATE_POLICY)
            why = LATE_POLICY if policy else TIMES
            yield _change(new, PENALTY, [was["late"][1], now["late"][1]], why)
        grades = [_shown(r["final"]) if r["final"] else r["state"] for r in (was, now)]
        if grades[0] != grades[1]:
            yield _change(new, FINAL, grades, "" if was["asks"] == now["asks"] else "attention")

    def _why(
        self,
        old: ResultRow,
        new: ResultRow,
        item: str,
        checks: Sequence[str],
        *,
        words: bool = False,
    ) -> str:
        """Return the reasons for which an item has other points, or only other words."""
        there = [item in row.record["items"] for row in (old, new)]
        if not all(there):
            return ITEM_GONE if there[0] else NEW_ITEM
        if old.sha256 != new.sha256:
            return NEW_SUBMISSION
        if not checks:
            return MARK
        reasons: list[str] = []
        for check in checks:
            reasons += self._reasons(item, check, old.record, new.record, words=words)
        if not reasons:
            return RUN_AGAIN if old.evidence != new.evidence else OTHER_ITEM
        return ", ".join(dict.fromkeys(reasons))

    def _reasons(
        self, item: str, check: str, was: Record, now: Record, *, words: bool
    ) -> list[str]:
        if check not in self.has.get(item, ()):
            return [CHECK_GONE]
        before, after = self.before.get(check), self.after[check]
        if before is None or check not in self.had.get(item, ()):
            return [NEW_CHECK]
        found = [piece for piece in after if before.get(piece) != after[piece]]
        for piece, others in _INSTEAD:
            if piece in found:
                found = [each for each in found if each not in others]
        outcome = [record["checks"].get(check, [""])[0] for record in (was, now)]
        if not words:
            found = [each for each in found if each != "text"]
            if outcome[0] == outcome[1]:
                found = [each for each in found if each == "points"]
            elif len(found) > 1:
                found = [each for each in found if each != "points"]
        return ["hidden seed" if each == "seeds" else each for each in found]


def _change(
    row: ResultRow, item: str, points: Sequence[str], why: str, *, words_only: bool = False
) -> Change:
    name, canvas_id, login = row.name
    return Change(
        student=Student(name=name, canvas_id=canvas_id, login=login),
        key=row.student,
        item=item,
        before=points[0],
        after=points[1],
        why=why,
        words_only=words_only,
    )
