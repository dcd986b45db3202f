"""What changed between two judgements, and why. Pure.

Of each student a short record is kept: points by item and check, lateness, state. Two records
differ for a reason, which is looked for in what the judgements went by (see grader.grading.keys).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from grader.grading.keys import LATE_POLICY, digest
from grader.model import Grade, Outcome, Student
from grader.rubric import Rubric
from grader.store import ResultRow
from grader.text import plain

Record: TypeAlias = dict[str, Any]  # plain values for json
Facets: TypeAlias = Mapping[str, Any]  # check id -> piece -> digest

FINAL, PENALTY = "final", "late penalty"
UNKNOWN = "?"
NEW_SUBMISSION, RUN_AGAIN, MARK = "new submission", "run again", "mark"
OTHER_ITEM, TIMES = "another item", "times or deadline"
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


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two judgements of a class: what they went by."""

    rubric: Rubric
    before: Facets
    after: Facets

    def changes(self, old: ResultRow, new: ResultRow) -> Iterator[Change]:
        """Yield what is different for one student, item by item, then the final grade."""
        was, now = old.record, new.record
        checks = {item.id: [rule.id for rule in item.check] for item in self.rubric.item}
        earlier, later = was["checks"], now["checks"]
        for item in [*now["items"], *(i for i in was["items"] if i not in now["items"])]:
            points = [_shown(record["items"].get(item)) for record in (was, now)]
            differ = [c for c in checks.get(item, ()) if earlier.get(c) != later.get(c)]
            if points[0] != points[1]:
                yield _change(new, item, points, self._why(old, new, differ))
            elif differ:
                why = self._why(old, new, differ, words=True)
                yield _change(new, item, points, why, words_only=True)
        yield from self._late(new, was, now)

    def _late(self, new: ResultRow, was: Record, now: Record) -> Iterator[Change]:
        if was["late"][1] != now["late"][1]:
            policy = self.before.get(LATE_POLICY) != self.after.get(LATE_POLICY)
            why = LATE_POLICY if policy else TIMES
            yield _change(new, PENALTY, [was["late"][1], now["late"][1]], why)
        grades = [_shown(r["final"]) if r["final"] else r["state"] for r in (was, now)]
        if grades[0] != grades[1]:
            yield _change(new, FINAL, grades, "" if was["asks"] == now["asks"] else "attention")

    def _why(
        self, old: ResultRow, new: ResultRow, checks: Iterable[str], *, words: bool = False
    ) -> str:
        """Return the reasons for which an item has other points, or only other words."""
        if old.sha256 != new.sha256:
            return NEW_SUBMISSION
        checks = list(checks)
        if not checks:
            return MARK
        reasons: list[str] = []
        for check in checks:
            reasons += self._reasons(check, old.record, new.record, words=words)
        if not reasons:
            return RUN_AGAIN if old.evidence != new.evidence else OTHER_ITEM
        return ", ".join(dict.fromkeys(reasons))

    def _reasons(self, check: str, was: Record, now: Record, *, words: bool) -> list[str]:
        before, after = self.before.get(check), self.after.get(check)
        if before is None or after is None:
            return ["new check" if before is None else "check is gone"]
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
