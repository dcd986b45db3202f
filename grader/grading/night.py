"""Grading night: submissions in, every report out.

One call does the whole way of the data. What concerns one submission is a sentence in its
`attention`; only what makes the whole run senseless (a table that cannot be read, a pack that
contradicts itself, a folder that cannot be written) stops it, before anything has run.

What was observed is kept as soon as it is known, so the same call goes on where it was stopped,
and runs no notebook that was run before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from grader.errors import EvidenceError, UsageError
from grader.files import sweep
from grader.grading.asked import asked_for, entry_to_json
from grader.grading.batch import Exam, Executor, Ran, run_all
from grader.grading.cases import Case, cases_of, without_notebook
from grader.grading.changes import person_key
from grader.grading.concluding import Conclusion
from grader.grading.course import Course
from grader.grading.judgement import Seen
from grader.grading.keys import Keys, digest, environment, reference
from grader.grading.known import KnownMistakes
from grader.grading.order import Order
from grader.grading.reporting import Night
from grader.grading.watcher import Watcher
from grader.intake import Intake, take_in
from grader.model import Evidence, ProbeCall, ProbeKey, Reply
from grader.store import Happened, Kept, Question, Store, locked, open_store
from grader.text import display_safe

__all__ = ["Order", "grade_night"]

NO_NOTEBOOK = "What was handed in is not a notebook that can be run. Ask the staff what to do."
REFERENCE = "reference"
Asked: TypeAlias = Mapping[ProbeKey, str]  # question -> digest
_NOTHING: Asked = {}
OpenExecutor = Callable[[], AbstractContextManager[Executor]]


def grade_night(order: Order, open_executor: OpenExecutor, watcher: Watcher) -> Night:
    """Grade everything and write every report.

    Args:
        open_executor: what runs notebooks; opened only if there are any to run.

    Raises:
        UsageError, PackError, StoreError: the whole night is asked for wrongly, or cannot go on.
    """
    course = Course.read(order.tables, order.pack.rubric)
    make_folders(order.out)
    with opened(order.out, order.store) as store:
        store.begin(order.line)
        intake = take_in(order.sources, notebooks(order.out), roster=course.roster)
        exam = prepared(order, store)
        asked = asked_for(order, store, intake.problems)
        cases = cases_of(intake, course)
        store.set_submissions(_entries(intake, cases), asked)
        running = Running(order, exam, Keys.of(order.pack, exam.calls, exam.expected), store)
        seen = running.observe(cases, open_executor, watcher)
        seen += [Seen(case=case, why=NO_NOTEBOOK) for case in without_notebook(intake)]
        conclusion = Conclusion(
            order=order, course=course, problems=intake.problems, ready=running, asked=asked
        )
        return conclusion.of(seen)


@contextmanager
def opened(out: Path, url: str) -> Iterator[Store]:
    """Lock the folder of results and open its store."""
    with locked(out / "store"):
        for folder in (out, out / "feedback", out / "store", notebooks(out)):
            sweep(folder)
        store = open_store(out, url)
        store.parts.sweep()
        try:
            yield store
        finally:
            store.close()


def notebooks(out: Path) -> Path:
    """Return where the notebooks that were handed in are kept."""
    return out / "store" / "notebooks"


def make_folders(out: Path) -> None:
    """Make the folders of the results, for their owner only."""
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)  # grades are nobody else's business
        (out / "feedback").mkdir(exist_ok=True)
        (out / "store").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be used for the results: {error.strerror}.") from error


def prepared(order: Order, store: Store, *, keep: bool = True) -> Exam:
    """Return the exam; the reference's answers are those of before where nothing has changed."""
    pack = order.pack
    calls = pack.questions(order.secret)
    key = reference(pack, calls)
    expected = store.answers(REFERENCE, key)
    if expected is None:
        expected = pack.expected(calls)
        if keep:
            store.keep_answers(REFERENCE, key, expected)
    return Exam(pack, (*calls, *pack.survey()), expected, KnownMistakes(pack, calls))


def _entries(
    intake: Intake, cases: Sequence[Case]
) -> list[tuple[tuple[str, ...], str, dict[str, object]]]:
    return [
        (
            tuple(person_key(student) for student in case.submission.students),
            entry.submission.sha256,
            entry_to_json(entry, case.submission.students[1:]),
        )
        for entry, case in zip(intake.entries, cases, strict=True)
    ]


# ------------------------------------------------------------------------------- running
@dataclass(frozen=True, slots=True)
class _Task:
    """A notebook that has to run: who handed it in, what is known of it, and why it runs."""

    cases: Sequence[Case]  # several where several handed in the same
    kept: Kept | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """What is not known because nothing may be run: how many notebooks, and of which probes."""

    never_run: int = 0
    not_asked: int = 0  # everything, though they were run
    probes: tuple[str, ...] = ()  # that these were not asked


@dataclass(slots=True)
class Running:
    """Runs what was not run before, and keeps what is seen."""

    order: Order
    exam: Exam
    keys: Keys
    store: Store
    executed: int = 0
    reused: int = 0  # notebooks that were not run, because all that they show is kept
    lacking: Lacking = Lacking()
    _unanswered: dict[int, tuple[Asked, list[ProbeCall]]] = field(default_factory=dict)

    def observe(
        self,
        cases: Sequence[Case],
        open_executor: OpenExecutor,
        watcher: Watcher,
        *,
        used: Collection[int] | None = None,
        run: bool = True,
    ) -> list[Seen]:
        """Return what is known of each case, once everything that has to run was run.

        Args:
            used: the evidence to take, whatever its limits and environment; None: what fits.
            run: whether notebooks may be run; else only what is there is taken.
        """
        place = environment(self.order.pack)
        there = self.store.evidence()
        kept: dict[str, Kept | None] = {}
        for case in cases:
            sha256 = case.submission.sha256
            found = there.get(sha256, ())
            kept[sha256] = self._best(found, place) if used is None else _used(found, used)
        cases_to_run: dict[str, list[Case]] = {}
        watcher.began(len(cases))
        for case in cases:
            if self._wanted(kept[_sha256(case)]):
                cases_to_run.setdefault(_sha256(case), []).append(case)
            else:
                watcher.seen(False)
        tasks = {
            sha: _Task(of, kept[sha], _why(there.get(sha), kept[sha], self.order))
            for sha, of in cases_to_run.items()
        }
        self.reused = len(kept) - len(tasks)
        faults: dict[str, str] = {}
        if not run:
            self.lacking = self._lacks(tasks.values())
        elif tasks:
            with open_executor() as executor:
                for sha256, ran in self._run(tasks, place, executor, watcher).items():
                    if isinstance(ran, Kept):
                        kept[sha256] = ran
                    else:
                        faults[sha256] = ran
        return [
            Seen(
                case=case,
                kept=kept[_sha256(case)],
                fault=faults.get(_sha256(case), "") or self._lacking(case, kept[_sha256(case)]),
            )
            for case in cases
        ]

    def _run(
        self, tasks: Mapping[str, _Task], place: str, executor: Executor, watcher: Watcher
    ) -> dict[str, Kept | str]:
        """Run notebooks; return what was kept of each, or what of ours went wrong."""
        came: dict[str, Kept | str] = {}

        def done(ran: Ran) -> None:
            sha256 = ran.submission.sha256
            if ran.evidence is None:
                came[sha256] = ran.fault
            else:
                came[sha256] = self._kept(tasks[sha256], ran.evidence, place)
                self.executed += 1
            for _ in tasks[sha256].cases:
                watcher.seen(ran.evidence is None)

        calls = [(task.cases[0].submission, self._wanted(task.kept)) for task in tasks.values()]
        asyncio.run(run_all(calls, executor, jobs=self.order.jobs, done=done))
        return came

    def _best(self, there: Sequence[Kept], place: str) -> Kept | None:
        since = self.store.begun(self.order.line) if self.order.fresh else 0
        fits = (k for k in there if k.command >= since and k.serves(place, self.order.limits))
        return next(fits, None)

    def _wanted(self, kept: Kept | None) -> list[ProbeCall]:
        """Return the questions that evidence does not answer: all, where there is none."""
        known = kept.asked if kept else _NOTHING
        of = id(known)  # most of a class were asked the same, and the store reads that once
        if of not in self._unanswered:
            questions = self.keys.questions
            lacking = [
                call for call in self.exam.calls if known.get(call.key) != questions[call.key]
            ]
            self._unanswered[of] = (known, lacking)
        return self._unanswered[of][1]

    def _lacks(self, tasks: Collection[_Task]) -> Lacking:
        before = [task.kept for task in tasks if task.kept is not None]
        probes = {call.probe_id for kept in before for call in self._wanted(kept)}
        return Lacking(
            never_run=len(tasks) - len(before),
            not_asked=len(before),
            probes=tuple(sorted(probes)),
        )

    def _lacking(self, case: Case, found: Kept | None) -> str:
        """Say what a notebook was not asked; empty: nothing that counts."""
        file = display_safe(case.submission.file)
        if found is None:
            return f"{file} was not run yet: give the command of `grader grade` again."
        missing = dict.fromkeys(
            call.probe_id for call in self._wanted(found) if call.key in self.exam.expected
        )
        if not missing:
            return ""
        asks = ", ".join(missing)
        return f"{file} was not asked {asks} as it is now: `grader rejudge --run` does that."

    def _kept(self, task: _Task, evidence: Evidence, place: str) -> Kept | str:
        """Keep what a run showed; where that has no room, say so: the others go on."""
        try:
            return self._keep(task, evidence, place)
        except (EvidenceError, MemoryError) as error:
            why = str(error) or "There is not enough memory."
            return f"What the notebook showed could not be kept. {why}"

    def _keep(self, task: _Task, evidence: Evidence, place: str) -> Kept:
        """Keep what a run showed, together with what is known already and was not asked again."""
        before = task.kept
        if before is not None:
            evidence = self._together(before, evidence)
            if not before.serves(place, self.order.limits):
                place = digest(before.environment, place)  # of both together: it serves neither
        submissions = [case.submission for case in task.cases]
        return self.store.keep_evidence(
            evidence,
            [Question(call.key, self.keys.questions[call.key]) for call in self.exam.calls],
            sha256=submissions[0].sha256,
            environment=place,
            limits=self.order.limits,
            events=[
                _ran(person_key(who), evidence, task.why)
                for submission in submissions
                for who in submission.students
            ],
        )

    def _together(self, before: Kept, evidence: Evidence) -> Evidence:
        """Add new replies to kept evidence. How the notebook ran stays as it was seen first."""
        was = self.store.observed(before)
        replies: dict[ProbeKey, Reply] = {
            key: reply
            for key, reply in was.replies.items()
            if before.asked.get(key) == self.keys.questions.get(key)
        }
        notes = tuple(dict.fromkeys((*was.run.notes, *evidence.run.notes)))
        return Evidence(
            run=replace(was.run, notes=notes),
            replies={**replies, **evidence.replies},
            executed=self.store.executed(before),
        )


def _used(there: Sequence[Kept], used: Collection[int]) -> Kept | None:
    """Return the evidence that was judged last, or the newest."""
    return next((kept for kept in there if kept.id in used), there[0] if there else None)


def _sha256(case: Case) -> str:
    return case.submission.sha256


def _ran(student: str, evidence: Evidence, why: str) -> Happened:
    return Happened(student=student, what="ran", after=str(evidence.run.outcome), why=why)


def _why(there: Sequence[Kept] | None, kept: Kept | None, order: Order) -> str:
    """Say why a notebook is run."""
    if kept is not None:
        return "new questions"
    if order.fresh:
        return "asked for with --fresh"
    return "other limits or packages" if there else "new notebook"
