"""From what was observed to what people read: judge, score, compare with before, write.

Files are written first and the store last, in one transaction: whoever is stopped between the two
compares again with what was known before, and tells the changes then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from grader.facts import Fact
from grader.grading.asked import name_to_text
from grader.grading.batch import Exam
from grader.grading.changes import Change, Comparison, person_key, record_of
from grader.grading.course import Course
from grader.grading.judgement import Judge, Seen
from grader.grading.keys import Keys, digest
from grader.grading.making import Made, Out, Pages, Scoring
from grader.grading.order import Order
from grader.grading.reporting import Night, looked_over, pack_feedback, report
from grader.intake import Problem
from grader.reports.results import place, write_published
from grader.store import LEFT_OUT, Happened, ResultRow, Store
from grader.text import plain

COMMENT = "another comment"

Marks: TypeAlias = Mapping[tuple[str, str], tuple[str, str]]  # (student, item) -> points, comment


class Ready(Protocol):
    """What a judgement goes by, and how many notebooks were run for it, or had been before."""

    @property
    def exam(self) -> Exam: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def store(self) -> Store: ...
    @property
    def executed(self) -> int: ...
    @property
    def reused(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of the class from before."""

    results: Mapping[str, ResultRow]
    judged_by: Mapping[str, Any]
    outputs: Mapping[str, Any]
    marks: Marks

    @classmethod
    def of(cls, store: Store) -> Known:
        return cls(
            results=store.results(),
            judged_by=store.judged_by() or {},
            outputs=store.outputs() or {},
            marks=store.marks(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """The end of a grading or a judgement.

    `problems` is what the intake found, `asked` what the grading was asked for, to be kept.
    """

    order: Order
    course: Course
    problems: Sequence[Problem]
    ready: Ready
    asked: Any

    def of(self, seen: Sequence[Seen], *, write: bool = True) -> Night:
        """Judge everything that was seen, and write every report.

        Args:
            write: without it, nothing is written: what would change is told only.
        """
        known = Known.of(self.ready.store)
        made, facts = self._judged(seen, known, keep=write)
        rows = _rows(made)
        compared = Comparison.of(known.judged_by, self.ready.keys.facets)
        changes = [
            change
            for key, row in rows.items()
            if key in known.results
            for change in compared.changes(known.results[key], row)
        ]
        grades = [one.grade for one in made.values()]
        attention, missing = looked_over(self.course, self.problems, grades)
        night = Night(
            grades=tuple(grades),
            attention=attention,
            nothing_handed_in=missing,
            changes=tuple(changes),
            executed=self.ready.executed,
            reused=self.ready.reused,
            first=not known.results,
        )
        if not write:
            return night
        pages = Pages(
            folder=self.order.out / "feedback",
            exam=self.ready.exam,
            key=self.ready.keys.pages,
            store=self.ready.store,
        )
        shown = self._results(pages, made)
        canvas, notices = report(self.order.out, self.course, night, facts, self.order.export)
        outputs = {"zip": self._zip(pages, made, shown, known)}
        full = {key: replace(row, page=shown[key].page) for key, row in rows.items()}
        gone = _gone(pages, full, known)
        _remove_renamed(pages, full, known)
        self._finish(full, gone, night, _marks(made), known=known, outputs=outputs)
        left = f"{len(gone)} who were graded here before are not in these SOURCEs: left out."
        return replace(night, canvas=canvas, notices=(*notices, *([left] if gone else [])))

    def _judged(
        self, seen: Sequence[Seen], known: Known, *, keep: bool
    ) -> tuple[dict[str, Made], dict[str, Sequence[Fact]]]:
        """Return what was made of everybody, by key and in the order of every list; and facts."""
        ready, order = self.ready, self.order
        judge = Judge(ready.exam, ready.keys, ready.store, order.jobs)
        scoring = Scoring(
            rubric=order.pack.rubric,
            course=self.course,
            canvas_deducts=order.export.deducts_late,
        )
        everything: list[Made] = []
        facts: dict[str, Sequence[Fact]] = {}
        for looked in judge.judge(seen, keep=keep):
            facts[looked.seen.case.submission.sha256] = looked.facts
            everything += scoring.made(looked)
        made: dict[str, Made] = {}
        for one in sorted(everything, key=lambda one: place(one.grade)):
            key = person_key(one.grade.student)
            if key in made:  # two of the same name, and nothing else is known of them
                key = digest(key, one.grade.file)[:32]
            before = known.results.get(key)
            made[key] = replace(one, page=before.page if before else None)
        return made, facts

    def _results(self, pages: Pages, made: Mapping[str, Made]) -> dict[str, Out]:
        """Write results.json and the pages, as they come."""
        shown: dict[str, Out] = {}
        outs = pages.write(list(made.values()), self.order.jobs)

        def texts() -> Iterator[str]:
            for key, out in zip(made, outs, strict=True):
                shown[key] = replace(out, text="")
                yield out.text

        write_published(self.order.out / "results.json", texts())
        return shown

    def _zip(
        self, pages: Pages, made: Mapping[str, Made], shown: Mapping[str, Out], known: Known
    ) -> dict[str, Any]:
        """Write feedback.zip, unless the same is there; return by what it is known again."""
        own = {key: one.grade.file for key, one in made.items() if one.is_submitter}
        users = sorted(student.canvas_id for student in self.course.roster)
        holds = digest([(file, shown[key].page) for key, file in own.items()], users)
        path = self.order.out / "feedback.zip"
        packed = pages.known(path) | {"shows": holds}
        if packed == known.outputs.get("zip"):
            return packed
        files = [(file, pages.folder / shown[key].page["name"]) for key, file in own.items()]
        pack_feedback(self.order.out, self.course, files)
        return pages.known(path) | {"shows": holds}

    def _finish(
        self,
        rows: Mapping[str, ResultRow],
        gone: Sequence[str],
        night: Night,
        marks: Marks,
        *,
        known: Known,
        outputs: Any,
    ) -> None:
        """Write down what is known now, and what happened, in one transaction."""
        left_out = [
            Happened(student=key, what=LEFT_OUT, after=name_to_text(known.results[key].name))
            for key in gone
        ]
        self.ready.store.finish(
            [row for key, row in rows.items() if row != known.results.get(key)],
            gone,
            [*_first(rows, known), *_changed(night.changes), *_marked(marks, known), *left_out],
            marks,
            judged_by=self.ready.keys.facets,
            outputs=outputs,
            asked=self.asked,
        )


def _rows(made: Mapping[str, Made]) -> dict[str, ResultRow]:
    return {
        key: ResultRow(
            student=key,
            name=(one.grade.student.name, one.grade.student.canvas_id, one.grade.student.login),
            sha256=one.grade.sha256,
            evidence=one.kept.id if one.kept else None,
            record=record_of(one.grade),
        )
        for key, one in made.items()
    }


def _gone(pages: Pages, rows: Mapping[str, ResultRow], known: Known) -> list[str]:
    """Return who is no longer graded here, and remove their pages."""
    gone = [key for key in known.results if key not in rows]
    for key in gone:
        _remove_page(pages, known.results[key].page)
    return gone


def _remove_renamed(pages: Pages, rows: Mapping[str, ResultRow], known: Known) -> None:
    """Remove the pages of those who are called something else now, and have another one."""
    names = {row.page["name"] for row in rows.values()}
    for key in known.results.keys() & rows.keys():
        before = known.results[key].page
        if before is not None and before["name"] not in names:
            _remove_page(pages, before)


def _remove_page(pages: Pages, page: Mapping[str, Any] | None) -> None:
    """Remove a page that is nobody's any more, if it is the one that we wrote."""
    if page is None:
        return
    path = pages.folder / Path(page["name"]).name
    if pages.known(path) | {"shows": page["shows"]} == page:
        path.unlink(missing_ok=True)


# ------------------------------------------------------------------------------- the log
def _first(rows: Mapping[str, ResultRow], known: Known) -> list[Happened]:
    return [
        Happened(
            student=key,
            what="graded",
            item="final",
            after=row.record["final"] or row.record["state"],
        )
        for key, row in rows.items()
        if key not in known.results
    ]


def _changed(changes: Sequence[Change]) -> list[Happened]:
    return [
        Happened(
            student=change.key,
            what="words" if change.words_only else "changed",
            item=change.item,
            before=change.before,
            after=change.after,
            why=change.why,
        )
        for change in changes
    ]


def _marks(made: Mapping[str, Made]) -> Marks:
    """Return (student, item) -> points and comment of the marks that count."""
    return {
        (key, item): (plain(mark.points), mark.comment)
        for key, one in made.items()
        for item, mark in one.marks.items()
    }


def _marked(marks: Marks, known: Known) -> list[Happened]:
    return [
        _mark(each, known.marks.get(each), marks.get(each))
        for each in sorted(marks.keys() | known.marks.keys())
        if marks.get(each) != known.marks.get(each)
    ]


def _mark(
    of: tuple[str, str], before: tuple[str, str] | None, after: tuple[str, str] | None
) -> Happened:
    """Tell of a mark (points, comment) that is new, another one or taken back."""
    student, item = of
    other = before is not None and after is not None and before[1] != after[1]
    return Happened(
        student=student,
        what="mark",
        item=item,
        before=before[0] if before else "",
        after=after[0] if after else "",
        why=COMMENT if other else "",
    )
