"""Name the mistake: which of the known mistakes answers as the student's code does.

A mistake is named where the student's answers are its answers in all that it costs. An answer is
compared by what the check has to do with it:

- the check read the same out of both, within its tolerance; or
- the check accepts the student's answer when the mistaken one is taken for the reference's, so
  that freedoms of the right answer (a factor 2, a second reading) are freedoms of the wrong one
  too. This counts only where the check would see a difference: one that looks at a shape accepts
  any numbers, and so proves nothing.

Never a guess: what answers otherwise, even in one number, has no name. Pure: no I/O, no clock;
the same replies get the same names at any later time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from grader.checks import Answer, Check, Failed, Floats, Judge
from grader.mistakes import Mistake
from grader.model import (
    CheckResult,
    Outcome,
    ProbeKey,
    Reply,
    ReplyKind,
    Seed,
    Table,
    Value,
    Visibility,
)
from grader.rubric import CheckRule, Item, Rubric

Replies: TypeAlias = Mapping[ProbeKey, Reply]
Path: TypeAlias = tuple[str, ...]
Way: TypeAlias = tuple[str, int]  # a mistake, and which of its ways
Looks: TypeAlias = "dict[tuple[Way, str, ProbeKey], _Look | None]"  # by way, check and question
SAID = frozenset({ReplyKind.RAISED, ReplyKind.UNUSABLE, ReplyKind.UNDEFINED})
PLACE = " (in `"  # where an exception came from, which differs from one notebook to the next
FIXED = Seed(Visibility.PUBLIC, 0)  # the one that a check which does not vary is asked with


def items_to_diagnose(rubric: Rubric, results: Sequence[CheckResult]) -> tuple[str, ...]:
    """Return the ids of the items that lost a check, in the rubric's order."""
    lost = _lost(results)
    return tuple(item.id for item in rubric.item if any(rule.id in lost for rule in item.check))


def named(
    rubric: Rubric,
    checks: Mapping[str, Check],
    mistakes: Mapping[str, Mistake],
    results: Sequence[CheckResult],
    *,
    replies: Replies,
    expected: Replies,
    known: Mapping[str, Sequence[Replies]],
    looks: Looks,
    items: Collection[str],
) -> dict[str, list[str]]:
    """Return check id -> the ids of the mistakes that it may have been lost to.

    Args:
        results: what grader.judging made of `replies`.
        replies, expected: what the student's code and the reference answered.
        known: mistake -> what each way of making it answers to the questions of its item. Those
            that are not there are not looked for.
        looks: what checks made of `known` so far; it is added to. It belongs to these checks,
            this reference and these mistakes: whoever has another of them begins a new one.
        items: the ids of the items to look at.
    """
    lost = _lost(results)
    names: dict[str, list[str]] = {}
    for item in rubric.item:
        if item.id not in items:
            continue
        case = _Case(item, checks, replies, expected, lost, looks)
        fitting = {
            name: max((case.explained((name, n), w) for n, w in enumerate(known[name])), key=len)
            for name, each in mistakes.items()
            if each.item == item.id and name in known
        }
        for name in _most_specific(fitting):
            for check_id in fitting[name]:
                names.setdefault(check_id, []).append(name)
    return names


def look_over(
    rubric: Rubric,
    checks: Mapping[str, Check],
    mistakes: Mapping[str, Mistake],
    *,
    expected: Replies,
    known: Mapping[str, Sequence[Replies]],
    looks: Looks,
) -> None:
    """Add to `looks` all that checks make of what is `known`, before many are compared with it."""
    for item in rubric.item:
        case = _Case(item, checks, {}, expected, {rule.id for rule in item.check}, looks)
        for name, each in mistakes.items():
            for number, way in enumerate(known.get(name, ()) if each.item == item.id else ()):
                for rule in item.check:
                    for probe in rule.probes:
                        case.compared(rule, probe, (name, number), way)


def told(
    results: Iterable[CheckResult],
    names: Mapping[str, Sequence[str]],
    mistakes: Mapping[str, Mistake],
) -> tuple[CheckResult, ...]:
    """Return the results, those of a known mistake with its id and led by its sentence."""
    return tuple(_told(result, names.get(result.check_id, ()), mistakes) for result in results)


def _lost(results: Sequence[CheckResult]) -> set[str]:
    return {result.check_id for result in results if result.outcome is Outcome.FAILED}


def _most_specific(fitting: Mapping[str, frozenset[str]]) -> list[str]:
    """Drop what explains nothing, and what explains only a part of what another explains."""
    return [
        name
        for name, mine in fitting.items()
        if mine and not any(mine < o for o in fitting.values())
    ]


def _told(
    result: CheckResult, names: Sequence[str], mistakes: Mapping[str, Mistake]
) -> CheckResult:
    """Put the sentence before the message; where several fit, nobody can say which it is."""
    said = [mistakes[name].says for name in names]
    if not said:
        return result
    if len(said) == 1:
        return replace(result, mistake=names[0], message=f"{said[0]} {result.message}")
    either = f"Either: {' Or: '.join(said)}"
    return replace(result, message=f"{either} {result.message}")


# ------------------------------------------------------------------------------- one item
@dataclass(frozen=True, slots=True)
class _Case:
    """One item of one submission, to be compared with the item's known mistakes."""

    item: Item
    checks: Mapping[str, Check]
    replies: Replies
    expected: Replies
    lost: set[str]
    looks: Looks
    mine: dict[tuple[str, ProbeKey], _Look | None] = field(default_factory=dict)

    def explained(self, way: Way, known: Replies) -> frozenset[str]:
        """Return the checks that a mistake costs; none where it does not show in all of them.

        Further checks may be lost to something else.
        """
        costs = set[str]()
        for rule in self.item.check:
            comparisons = self.compared(rule, rule.probe, way, known)
            if all(c.costs_nothing for c in comparisons):
                continue
            shows = _shows(comparisons)
            if not shows and rule.if_lost:  # it may be hidden behind the part that is wrong too
                shows = _shows(self.compared(rule, rule.if_lost.probe, way, known))
            if not shows or rule.id not in self.lost:
                return frozenset()
            costs.add(rule.id)
        return frozenset(costs)

    def compared(self, rule: CheckRule, probe: str, way: Way, known: Replies) -> list[_Comparison]:
        return [
            self._comparison(rule, key, way, known.get(key))
            for key in self.expected
            if key[0] == probe and (rule.varies or key[1] == FIXED)
        ]

    def _comparison(
        self, rule: CheckRule, key: ProbeKey, way: Way, known: Reply | None
    ) -> _Comparison:
        """Look at each answer once: all mistakes meet the same student, all students the same."""
        judge, right = self.checks[rule.check].judge, self.expected[key]
        if (way, rule.id, key) not in self.looks:
            self.looks[way, rule.id, key] = _look(rule, judge, known, right)
        theirs = self.replies.get(key)
        if (rule.id, key) not in self.mine:
            self.mine[rule.id, key] = _look(rule, judge, theirs, right)
        return _Comparison.of(
            self.mine[rule.id, key],
            self.looks[way, rule.id, key],
            rule.tolerance,
            lambda: _stands_in(rule, judge, theirs, known),
        )


def _shows(comparisons: Sequence[_Comparison]) -> bool:
    """Whether a mistake costs something here, and the student's answers are its answers."""
    return any(c.same for c in comparisons) and all(c.same or c.both_pass for c in comparisons)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A student's answer to one question beside a mistake's, as one check sees them."""

    costs_nothing: bool  # the mistake's answer passes
    both_pass: bool = False
    same: bool = False  # both are wrong, in the same way

    @classmethod
    def of(
        cls,
        mine: _Look | None,
        wrong: _Look | None,
        tolerance: float,
        stands_in: Callable[[], bool],
    ) -> _Comparison:
        """Compare; `stands_in` says whether the one answer is right where the other one is."""
        if wrong is None:
            return cls(costs_nothing=False)  # nobody knows what it costs
        if wrong.passed or mine is None or mine.passed:
            both = wrong.passed and mine is not None and mine.passed
            return cls(costs_nothing=wrong.passed, both_pass=both)
        same = wrong.saw.keys() == mine.saw.keys() and all(
            alike(mine.saw[path], wrong.saw[path], tolerance) for path in wrong.saw
        )
        return cls(costs_nothing=False, same=same or stands_in())


# ------------------------------------------------------------------------------- one answer
class _Watched(Answer):
    """An answer that writes down which of its parts are asked for."""

    __slots__ = ("_path", "_seen")
    _path: Path
    _seen: dict[Path, Value]

    def __init__(self, value: Value, name: str, path: Path, seen: dict[Path, Value]) -> None:
        super().__init__(value, name)
        object.__setattr__(self, "_path", path)
        object.__setattr__(self, "_seen", seen)
        seen[path] = value

    def _part(self, key: str, value: Value, name: str) -> Answer:
        return _Watched(value, name, (*self._path, key), self._seen)


@dataclass(frozen=True, slots=True)
class _Look:
    """What one check makes of one reply, and what it read to come to that."""

    passed: bool
    saw: Mapping[Path, Value]


def _look(rule: CheckRule, judge: Judge, reply: Reply | None, right: Reply) -> _Look | None:
    """Judge a reply; None where it cannot be judged, or says no more than that there is none."""
    if reply is None or reply.kind not in {ReplyKind.VALUE, *SAID}:
        return None
    if reply.kind is not ReplyKind.VALUE:
        said = reply.detail.split(PLACE)[0]
        return _Look(passed=False, saw={(reply.kind, reply.error_type): said})
    seen: dict[Path, Value] = {}
    try:
        _judge(rule, judge, _Watched(reply.value, "the result", (), seen), right)
    except Failed:
        return _Look(passed=False, saw=_leaves(seen))
    except Exception:  # noqa: BLE001  a pack's code may raise anything; the judge has told of it
        return None
    return _Look(passed=True, saw={})


def _judge(rule: CheckRule, judge: Judge, got: Answer, right: Reply) -> None:
    """Raise Failed unless the check accepts `got` where `right` is the right answer."""
    want = Answer(right.value, theirs=False)
    judge(*((got[rule.answer], want[rule.answer]) if rule.answer else (got, want)), rule.tolerance)


def _leaves(seen: Mapping[Path, Value]) -> dict[Path, Value]:
    """Keep the parts of which no smaller part was asked for."""
    inner = {path[:length] for path in seen for length in range(len(path))}
    return {path: value for path, value in seen.items() if path not in inner}


def _stands_in(rule: CheckRule, judge: Judge, theirs: Reply | None, known: Reply | None) -> bool:
    """Whether the check accepts the student's answer where the mistaken one is the right one.

    And would not accept any other: numbers moved a little have to be refused.
    """
    if theirs is None or known is None or {theirs.kind, known.kind} != {ReplyKind.VALUE}:
        return False
    try:
        _judge(rule, judge, Answer(theirs.value), known)
    except Exception:  # noqa: BLE001  Failed, or whatever a check raises where nothing fits
        return False
    try:
        _judge(rule, judge, Answer(shaken(known.value)), known)
    except Failed:
        return True
    except Exception:  # noqa: BLE001  as above
        return False
    return False


# ------------------------------------------------------------------------------- values
def alike(a: Value, b: Value, tolerance: float) -> bool:
    """Say whether two answers are the same in structure, and in numbers within the tolerance.

    As in grader.checks.agrees the tolerance is relative to the largest number of each array, and
    absolute below 1; but nothing is the right one of the two, and nan is like nan.
    """
    if isinstance(a, Table) and isinstance(b, Table):
        same = (a.columns, a.n_rows) == (b.columns, b.n_rows)
        return same and alike(list(a.data), list(b.data), tolerance)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key], tolerance) for key in a)
    if any(each is None or isinstance(each, (bool, str)) for each in (a, b)):
        return type(a) is type(b) and bool(a == b)
    x, y = _numbers(a), _numbers(b)
    if x is not None and y is not None:
        bound = tolerance * max(1.0, float(np.max(np.abs(y[np.isfinite(y)]), initial=0.0)))
        return x.shape == y.shape and bool(np.allclose(x, y, rtol=0, atol=bound, equal_nan=True))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(alike(p, q, tolerance) for p, q in zip(a, b, strict=True))
    return x is y is None and type(a) is type(b) and bool(np.all(a == b))


def _numbers(value: Value) -> Floats | None:
    try:
        return Answer(value).array()
    except Failed:
        return None


def shaken(value: Value) -> Value:
    """Return an answer with every number moved by far more than a tolerance, always alike."""
    if isinstance(value, dict):
        return {key: shaken(part) for key, part in value.items()}
    if isinstance(value, list):
        return [shaken(part) for part in value]
    if isinstance(value, Table):
        return Table(value.columns, tuple(map(shaken, value.data)), value.n_rows)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value + 3
    numbers = _numbers(value)
    return value if numbers is None else _moved(numbers)


def _moved(numbers: Floats) -> Floats:
    """Move each number by a part of the largest, another part each, but never by nothing."""
    size = max(1.0, float(np.max(np.abs(numbers[np.isfinite(numbers)]), initial=0.0)))
    steps = np.cos(1.7 * np.arange(1, numbers.size + 1)).reshape(numbers.shape)
    moved: Floats = numbers + size * np.where(steps < 0, steps - 0.3, steps + 0.3)
    return moved
