"""The points that people give: what they see beside each notebook, and the table to fill in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

from grader.canvas import ByStudent, MarkRow, read_marks, write_marks_template
from grader.errors import UsageError
from grader.facts import Fact, Work, find_facts, read_cells, surveyed
from grader.files import write_whole
from grader.model import (
    Mark,
    ProbeKey,
    Reply,
    RunOutcome,
    Seed,
    Source,
    Student,
    Visibility,
)
from grader.packs import Pack
from grader.reports.results import Result, json_text, read_results
from grader.text import display_safe

FACTS = "facts.json"
TEMPLATE = "marks-template.csv"
_SIGN = {True: "ok: ", False: "look: ", None: ""}


def gather_facts(
    pack: Pack, notebook: Path, replies: Mapping[ProbeKey, Reply], executed: str
) -> tuple[Fact, ...]:
    """Return what the pack's facts.py finds in one notebook and its run."""
    if not pack.facts or not executed:
        return ()
    survey = replies.get((pack.rubric.survey or "", Seed(Visibility.PUBLIC, 0)))
    starter = pack.rubric.starter and pack.file(pack.rubric.starter).read_text(encoding="utf-8")
    work = Work(
        handed_in=read_cells(notebook.read_text(encoding="utf-8-sig")),
        executed=read_cells(executed),
        starter=read_cells(starter),
        survey=surveyed(survey),
    )
    return find_facts(pack.facts, work)


def write_facts(out: Path, facts: Mapping[str, Sequence[Fact]]) -> None:
    """Keep the facts for whoever marks, by the notebooks' sha256; staff only."""
    content = {key: [asdict(fact) for fact in found] for key, found in sorted(facts.items())}
    write_whole(out / FACTS, json_text(content).encode())


def template(out: Path, pack: Pack, marks: Path | None = None) -> tuple[Path, int]:
    """Write the table of marks to give; return where, and how many rows are not filled in.

    Args:
        marks: a table of marks so far; its rows are taken over, so that one file goes on.

    Raises:
        UsageError: there are no results in `out`, or the template there has marks in it.
    """
    if not (out / "results.json").is_file():
        raise UsageError(f"There are no results in {out}: run `grader grade … --out {out}` first.")
    possible = pack.rubric.marked_items
    path = out / TEMPLATE
    if path.is_file() and path != marks and read_marks(path, possible, roster=None).values:
        raise UsageError(f"{path} has marks in it: go on with them by --marks {path}.")
    given = read_marks(marks, possible, roster=None) if marks else ByStudent(values={})
    rows = list(_rows(read_results(out / "results.json"), possible, given, _hints(out)))
    write_marks_template(path, rows)
    return path, sum(row.mark is None for row in rows)


def _rows(
    results: Iterable[Result],
    possible: Mapping[str, Decimal],
    given: ByStudent[Mapping[str, Mark]],
    hints: Mapping[str, str],
) -> Iterable[MarkRow]:
    for result in results:
        if result.run.outcome == RunOutcome.UNREADABLE:
            continue  # there is nothing to look at yet
        who = result.student
        student = Student(name=who.name, canvas_id=who.canvas_id, login=who.login)
        marks = given.of(student) or {}
        for item in result.items:
            if item.id in marks or (item.source == Source.UNMARKED and item.id in possible):
                yield MarkRow(
                    student=student,
                    item=item.id,
                    possible=possible[item.id],
                    mark=marks.get(item.id),
                    hints=hints.get(result.sha256, ""),
                )


def _hints(out: Path) -> dict[str, str]:
    if not (out / FACTS).is_file():
        return {}
    kept = json.loads((out / FACTS).read_text(encoding="utf-8"))
    return {
        key: "; ".join(_sentence(Fact(**fact)) for fact in facts) for key, facts in kept.items()
    }


def _sentence(fact: Fact) -> str:
    return display_safe(f"{_SIGN[fact.well]}{fact.label}: {fact.finding}")
