"""Statistics of a graded class: distributions, items, checks, mistakes, runs, lateness.

Pure numbers: no I/O, no names. Who counts how often: points, grades, states and lateness are each
student's own, so the two of a pair count twice; checks, mistakes and runs are a notebook's, so
theirs counts once. What could not be judged or is not marked yet counts nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import atanh, ceil, sqrt, tanh
from statistics import correlation, fmean, quantiles, stdev

from grader.model import Outcome, RunOutcome, Section, State

MOST_BINS = 22
FEWEST_EACH = 5  # notebooks that passed a check, and that lost it, before it is said to separate
NORMAL_95 = 1.96  # standard deviations that hold 95 % of a normal distribution


# ------------------------------------------------------------------------------- what goes in
@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One check of one notebook."""

    check: str
    item: str
    section: Section
    outcome: Outcome
    earned: float
    possible: float
    mistake: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One item of one student; `points` is None while it is not known."""

    item: str
    title: str
    section: Section
    points: float | None
    possible: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One student's result without the student. `notebook` is the same for both of a pair."""

    notebook: str
    state: State
    final: float | None
    final_possible: float
    code: float | None
    code_possible: float
    late_days: int | None
    run: RunOutcome
    items: tuple[Scored, ...] = ()
    checks: tuple[Judged, ...] = ()


# ------------------------------------------------------------------------------- what comes out
@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """How many lie in [low, high); in the last bin, in [low, high]."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Points of `count` students. `deviation` is the sample's; None for one student alone."""

    count: int
    possible: float
    mean: float
    deviation: float | None
    lowest: float
    lower_quartile: float
    median: float
    upper_quartile: float
    highest: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemStatistics:
    """One rubric item over the `students` whose points for it are known."""

    item: str
    title: str
    section: Section
    possible: float
    students: int
    mean: float | None
    full: int  # students with all of its points
    none: int  # students with none of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """How a check goes with all the others: the correlation of passing it with their points.

    `low` and `high` bound it with 95 % confidence (Fisher's z), as far as `notebooks` are a
    sample of such classes.
    """

    correlation: float
    low: float
    high: float
    notebooks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStatistics:
    """One check over the notebooks in which it could be judged."""

    check: str
    item: str
    section: Section
    possible: float
    judged: int
    lost: int
    broken: int  # notebooks in which it could not be judged
    separation: Separation | None  # None: too few passed it, or lost it, to say

    @property
    def points_lost(self) -> float:
        """Points that it cost all notebooks together; extra credit is nobody's loss."""
        return 0.0 if self.section is Section.EXTRA_CREDIT else self.lost * self.possible

    @property
    def share_lost(self) -> float:
        return self.lost / self.judged if self.judged else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MistakeStatistics:
    """A mistake that was recognised: in how many notebooks, and by which checks."""

    mistake: str
    notebooks: int
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassStatistics:
    """Everything that is said of a class."""

    students: int
    notebooks: int
    states: Mapping[State, int]
    final: Distribution | None
    code: Distribution | None
    items: tuple[ItemStatistics, ...]
    checks: tuple[CheckStatistics, ...]  # in the rubric's order
    mistakes: tuple[MistakeStatistics, ...]  # the most frequent first
    runs: Mapping[RunOutcome, int]
    late_days: Mapping[int, int]  # days -> students, in order; only where the days are known
    days_unknown: int

    @property
    def separates(self) -> bool:
        """Whether of any check it can be said how it separates."""
        return any(check.separation for check in self.checks)

    @property
    def most_lost(self) -> tuple[CheckStatistics, ...]:
        """The checks that anybody lost, the most frequent first; extra credit is nobody's loss."""
        lost = [c for c in self.checks if c.lost and c.section is not Section.EXTRA_CREDIT]
        return tuple(sorted(lost, key=lambda check: -check.lost))


def class_statistics(records: Sequence[Record]) -> ClassStatistics:
    """Return the statistics of a class, which may be empty."""
    notebooks = list({record.notebook: record for record in records}.values())
    states, runs = Counter(r.state for r in records), Counter(r.run for r in notebooks)
    late = Counter(r.late_days for r in records if r.late_days is not None)
    finals = [r.final for r in records if r.final is not None]
    codes = [r.code for r in records if r.code is not None]
    return ClassStatistics(
        students=len(records),
        notebooks=len(notebooks),
        states={state: states[state] for state in State},
        final=distribution(finals, max((r.final_possible for r in records), default=0.0)),
        code=distribution(codes, max((r.code_possible for r in records), default=0.0)),
        items=_items(records),
        checks=_checks(notebooks),
        mistakes=_mistakes(notebooks),
        runs={outcome: runs[outcome] for outcome in RunOutcome},
        late_days=dict(sorted(late.items())),
        days_unknown=sum(r.late_days is None for r in records),
    )


# ------------------------------------------------------------------------------- distributions
def distribution(values: Sequence[float], possible: float) -> Distribution | None:
    """Return how points are distributed between 0 and `possible`; None without values.

    Quartiles are interpolated between the values (Hyndman and Fan's type 7, numpy's default).
    """
    if not values:
        return None
    more = len(values) > 1
    lower, median, upper = quantiles(values, n=4, method="inclusive") if more else [values[0]] * 3
    return Distribution(
        count=len(values),
        possible=possible,
        mean=fmean(values),
        deviation=stdev(values) if more else None,
        lowest=min(values),
        lower_quartile=lower,
        median=median,
        upper_quartile=upper,
        highest=max(values),
        bins=_bins(values, max(possible, *values)),
    )


def _bins(values: Sequence[float], top: float) -> tuple[Bin, ...]:
    """Cut [0, top] into at most `MOST_BINS` bins of a round width; the last may be narrower."""
    width = _round_width(top / MOST_BINS)
    edges = [width * i for i in range(max(1, ceil(top / width)))] + [max(top, width)]
    bins = [
        Bin(low=low, high=high, count=sum(low <= value < high for value in values))
        for low, high in pairwise(edges)
    ]
    last = bins[-1]
    within = sum(last.low <= value <= last.high for value in values)
    return (*bins[:-1], Bin(low=last.low, high=last.high, count=within))


def _round_width(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20, 50, … that is not below `least`."""
    scale = 1.0
    while True:
        for factor in (1.0, 2.0, 5.0):
            if factor * scale >= least:
                return factor * scale
        scale *= 10


# ------------------------------------------------------------------------------- items, checks
def _items(records: Iterable[Record]) -> tuple[ItemStatistics, ...]:
    scored: dict[str, list[Scored]] = {}
    for record in records:
        for item in record.items:
            scored.setdefault(item.item, []).append(item)
    return tuple(_item(item, each) for item, each in scored.items())


def _item(item: str, scored: Sequence[Scored]) -> ItemStatistics:
    known = [(each.points, each.possible) for each in scored if each.points is not None]
    return ItemStatistics(
        item=item,
        title=scored[0].title,
        section=scored[0].section,
        possible=scored[0].possible,
        students=len(known),
        mean=fmean(points for points, _ in known) if known else None,
        full=sum(points >= possible for points, possible in known),
        none=sum(points <= 0 for points, _ in known),
    )


def _checks(notebooks: Sequence[Record]) -> tuple[CheckStatistics, ...]:
    found: dict[str, list[Judged]] = {}
    for record in notebooks:
        for check in record.checks:
            found.setdefault(check.check, []).append(check)
    compared = [record.checks for record in notebooks if _comparable(record)]
    return tuple(
        CheckStatistics(
            check=name,
            item=each[0].item,
            section=each[0].section,
            possible=each[0].possible,
            judged=sum(check.outcome is not Outcome.BROKEN for check in each),
            lost=sum(check.outcome is Outcome.FAILED for check in each),
            broken=sum(check.outcome is Outcome.BROKEN for check in each),
            separation=separation(name, compared),
        )
        for name, each in found.items()
    )


def _comparable(record: Record) -> bool:
    """Whether every check was judged and anything right: an empty notebook compares nothing."""
    return all(check.outcome is not Outcome.BROKEN for check in record.checks) and any(
        check.earned for check in record.checks
    )


def separation(name: str, notebooks: Iterable[Sequence[Judged]]) -> Separation | None:
    """Return the correlation of passing the check `name` with the points of all other checks.

    None where fewer than `FEWEST_EACH` notebooks passed it or lost it, or the others do not vary.
    """
    passed, others = [], []
    for checks in notebooks:
        for check in checks:
            if check.check == name:
                passed.append(float(check.outcome is Outcome.PASSED))
                others.append(sum(other.earned for other in checks) - check.earned)
    count = len(passed)
    if min(sum(passed), count - sum(passed)) < FEWEST_EACH or len(set(others)) == 1:
        return None
    r = correlation(passed, others)
    z, half = atanh(max(-0.999999, min(0.999999, r))), NORMAL_95 / sqrt(count - 3)
    return Separation(correlation=r, low=tanh(z - half), high=tanh(z + half), notebooks=count)


def _mistakes(notebooks: Iterable[Record]) -> tuple[MistakeStatistics, ...]:
    seen: Counter[str] = Counter()
    checks: dict[str, dict[str, None]] = {}
    for record in notebooks:
        made = [(check.mistake, check.check) for check in record.checks if check.mistake]
        seen.update({mistake for mistake, _ in made})
        for mistake, check in made:
            checks.setdefault(mistake, {})[check] = None
    return tuple(
        MistakeStatistics(mistake=mistake, notebooks=count, checks=tuple(checks[mistake]))
        for mistake, count in sorted(seen.items(), key=lambda pair: (-pair[1], pair[0]))
    )
