"""Try an assignment on itself: is every known mistake caught, in its own item, and named?

Each mistake of the pack is judged as if somebody had handed it in, and so is each right solution
that looks unusual; the starter notebook should earn next to nothing. No kernel is started: a pack
is its author's trusted text, and a fork for each question keeps mistakes apart.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from grader.diagnosis import alike
from grader.errors import PackError
from grader.facts import read_cells
from grader.grading.batch import Exam
from grader.inside import harness
from grader.inside.definitions import definitions
from grader.mistakes import Change
from grader.model import CheckResult, Outcome, ProbeCall, ProbeKey, Reply, Visibility
from grader.packs import Pack, ask, load_pack
from grader.text import plain

SECRET = b"what packs are tested with"  # a fixed one: the same pack is tested alike every time
GIVEN_AWAY = Decimal("0.1")  # of the points of all checks, that a starter may earn at the most


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One variation of the reference, judged as a submission. `item` is "" where it is right."""

    name: str
    item: str
    way: int
    lost: tuple[CheckResult, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def points(self) -> Decimal:
        return sum((check.possible for check in self.lost), Decimal(0))

    @property
    def named(self) -> bool:
        return {check.mistake for check in self.lost} == {self.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class PackTest:
    """What came of it. `starter` is what the starter earns; None where there is none."""

    trials: tuple[Trial, ...]
    starter: Decimal | None
    possible: Decimal
    problems: tuple[str, ...]


def try_pack(slug: str, folders: Sequence[Path], *, processes: int) -> PackTest:
    """Put every variation of the pack through, on several processes.

    Raises:
        PackError: there is no such pack, or it cannot even be loaded.
    """
    bench = Bench.of(load_pack(slug, folders))
    with ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_prepare,
        initargs=(slug, tuple(folders)),
    ) as pool:
        trials = tuple(t for part in pool.map(_try, bench.parts()) for t in part)
    starter, problems = bench.starter(), list(bench.problems_of_probes())
    possible = sum((rule.points for rule in bench.pack.rubric.checks), Decimal(0))
    if starter is not None and starter > GIVEN_AWAY * possible:
        problems.append(
            f"The starter notebook earns {plain(starter)} of {plain(possible)} points as it is."
        )
    problems += [problem for trial in trials for problem in trial.problems]
    once = tuple(dict.fromkeys(problems))  # two ways of one mistake may have the same
    return PackTest(trials=trials, starter=starter, possible=possible, problems=once)


# ------------------------------------------------------------------------------- in a worker
_worker: dict[str, Bench] = {}


def _prepare(slug: str, folders: Sequence[Path]) -> None:
    _worker["bench"] = Bench.of(load_pack(slug, folders))


def _try(names: Sequence[str]) -> list[Trial]:
    return [trial for name in names for trial in _worker["bench"].trials_of(name)]


# ------------------------------------------------------------------------------- one pack
@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """Where variations of one pack's reference are tried."""

    pack: Pack
    exam: Exam
    calls: tuple[ProbeCall, ...]

    @classmethod
    def of(cls, pack: Pack) -> Bench:
        return cls(pack, Exam.of(pack, SECRET), pack.questions(SECRET))

    def parts(self) -> list[tuple[str, ...]]:
        """Return the names of all variations in parts of much the same work, mistakes by item.

        What is known of an item's mistakes is worked out once for all of them.
        """
        items: dict[str, list[str]] = {item.id: [] for item in self.pack.rubric.item}
        for name, known in self.pack.mistakes.items():
            items[known.item].append(name)
        by_size = sorted(filter(None, items.values()), key=len, reverse=True)
        return [*map(tuple, by_size), *((name,) for name in ("", *self.pack.rights))]

    def trials_of(self, name: str) -> list[Trial]:
        """Try a mistake in all its ways, or a right solution; "" is the reference itself."""
        if name in self.pack.mistakes:
            ways = range(len(self.pack.mistakes[name].ways))
            return [self.of_mistake(name, way) for way in ways]
        return [self.of_right(name)]

    def of_mistake(self, name: str, way: int = 0) -> Trial:
        """Judge a mistake: by all questions in its own item, by the public ones elsewhere."""
        known = self.pack.mistakes[name]
        trial = Trial(name=name, item=known.item, way=way)
        own = self.pack.rubric.probes_of(known.item)
        others = [c for c in self.calls if c.probe_id not in own and _public(c)]
        try:
            replies = self.pack.answers_if(known.ways[way], others)
        except PackError as error:
            return replace(trial, problems=(f"The mistake `{name}`: {error}",))
        replies |= self.exam.known.of([known.item])[name][way]
        trial = replace(trial, lost=_lost(self.judged(replies)))
        return replace(trial, problems=tuple(self._problems(trial)))

    def of_right(self, name: str) -> Trial:
        """Judge a right solution, or the reference, by all questions."""
        changes = self.pack.rights[name].changes if name else ()
        what = f"The right solution `{name}`" if name else "The reference"
        trial = Trial(name=name or "the reference", item="", way=0)
        try:
            lost = _lost(self.judged(self.pack.answers_if(changes, self.calls)))
        except PackError as error:
            return replace(trial, problems=(f"{what}: {error}",))
        said = tuple(f"{what} loses `{c.check_id}`: {c.message or c.staff_note}" for c in lost)
        return replace(trial, lost=lost, problems=said)

    def of_changes(self, changes: Sequence[Change]) -> tuple[CheckResult, ...]:
        """Judge any variation by all questions."""
        return self.judged(self.pack.answers_if(changes, self.calls))

    def judged(self, replies: Mapping[ProbeKey, Reply]) -> tuple[CheckResult, ...]:
        """Judge replies by the questions that were asked."""
        asked = {key: reply for key, reply in self.exam.expected.items() if key in replies}
        return replace(self.exam, expected=asked).results(replies)

    def _problems(self, trial: Trial) -> Iterator[str]:
        """Say what the author has to mend about a mistake."""
        way = f"`{trial.name}`" + (f", made in way {trial.way + 1}," if trial.way else "")
        known = self.pack.mistakes[trial.name]
        own = {
            rule.id
            for item in self.pack.rubric.item
            if item.id == known.item
            for rule in item.check
        }
        lost = {check.check_id: check for check in trial.lost}
        if not lost.keys() & own:
            yield f"The mistake {way} costs nothing: no check of `{known.item}` sees it."
        for check_id in sorted(lost.keys() - own):
            yield f"The mistake {way} of `{known.item}` also costs `{check_id}`, of another item."
        if trial.way == 0 and known.loses is not None and known.loses != lost.keys() & own:
            should, does = (", ".join(sorted(ids)) for ids in (known.loses, lost.keys() & own))
            yield f"The mistake {way} should cost {should}; it costs {does or 'nothing'}."
        for check_id in sorted(lost.keys() & own):
            if lost[check_id].outcome is Outcome.BROKEN:
                note = lost[check_id].staff_note
                yield f"The mistake {way} cannot be judged by `{check_id}`: {note}"
            elif lost[check_id].mistake != trial.name:
                yield f"The mistake {way} is not named in `{check_id}`: {lost[check_id].message}"

    # --------------------------------------------------------------------------- the rest
    def problems_of_probes(self) -> Iterator[str]:
        """Ask the reference again, in the opposite order: every answer should be what it was."""
        again = self.pack.expected(self.calls[::-1])
        other = {
            key[0]: None
            for key, reply in self.exam.expected.items()
            if not alike(reply.value, again[key].value, 0.0)
        }
        for probe_id in other:
            yield (
                f"The probe `{probe_id}` has another answer when it is asked again, after others: "
                "it should draw everything from `rng` and leave nothing behind."
            )

    def starter(self) -> Decimal | None:
        """Return the points that the starter's definitions earn by the public questions."""
        if not self.pack.rubric.starter:
            return None
        cells = read_cells(self.pack.file(self.pack.rubric.starter).read_text(encoding="utf-8"))
        scope: dict[str, Any] = {"__name__": "__main__"}
        for source in definitions(cell.source for cell in cells if cell.kind == "code"):
            try:
                exec(compile(source, "<starter>", "exec"), scope)  # noqa: S102  the pack's own text
            except Exception:  # noqa: BLE001, S112  as in a notebook: the next cell runs all the same
                continue
        limits, names = self.pack.rubric.limits.limits(), harness.Names(scope)
        replies = {call.key: ask(call, names, limits) for call in self.calls if _public(call)}
        return sum((check.earned for check in self.judged(replies)), Decimal(0))


def _public(call: ProbeCall) -> bool:
    return call.seed.visibility is Visibility.PUBLIC


def _lost(results: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    return tuple(result for result in results if result.outcome is not Outcome.PASSED)
