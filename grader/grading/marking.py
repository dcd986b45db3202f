"""The points that people give: what they see beside each notebook, and the table to fill in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

from grader.canvas import MarkRow, write_marks_template
from grader.errors import UsageError
from grader.facts import Fact, Work, find_facts, read_cells, surveyed
from grader.files import write_whole
from grader.grading.batch import Judged
from grader.model import Seed, Source, Student, Visibility
from grader.packs import Pack
from grader.reports.results import Result, json_text, read_results
from grader.text import display_safe

FACTS = "facts.json"
TEMPLATE = "marks-template.csv"
_SIGN = {True: "ok: ", False: "look: ", None: ""}


def gather_facts(pack: Pack, judged: Judged) -> tuple[Fact, ...]:
    """Return what the pack's facts.py finds in one notebook and its run."""
    survey = judged.evidence.replies.get((pack.rubric.survey or "", Seed(Visibility.PUBLIC, 0)))
    if not pack.facts or not judged.evidence.executed:
        return ()
    starter = pack.file(pack.rubric.starter).read_text(encoding="utf-8")
    work = Work(
        handed_in=read_cells(judged.submission.path.read_text(encoding="utf-8-sig")),
        executed=read_cells(judged.evidence.executed),
        starter=read_cells(starter),
        survey=surveyed(survey),
    )
    return find_facts(pack.facts, work)


def write_facts(out: Path, facts: Mapping[str, Sequence[Fact]]) -> None:
    """Keep the facts of each file for whoever marks; staff only."""
    content = {file: [asdict(fact) for fact in found] for file, found in sorted(facts.items())}
    write_whole(out / FACTS, json_text(content).encode())


def template(out: Path, pack: Pack) -> tuple[Path, int]:
    """Write the table of marks that are still missing; return where, and how many.

    Raises:
        UsageError: there are no results in `out`.
    """
    if not (out / "results.json").is_file():
        raise UsageError(f"There are no results in {out}: run `grader grade … --out {out}` first.")
    results = read_results(out / "results.json")
    hints = _hints(out)
    possible = pack.rubric.marked_items
    missing = list(_missing(results, possible, hints))
    write_marks_template(out / TEMPLATE, missing)
    return out / TEMPLATE, len(missing)


def _missing(
    results: Iterable[Result], possible: Mapping[str, Decimal], hints: Mapping[str, str]
) -> Iterable[MarkRow]:
    for result in results:
        who = result.student
        student = Student(name=who.name, canvas_id=who.canvas_id, login=who.login)
        for item in result.items:
            if item.source == Source.UNMARKED and item.id in possible:
                yield MarkRow(
                    student=student,
                    item=item.id,
                    possible=possible[item.id],
                    hints=hints.get(result.file, ""),
                )


def _hints(out: Path) -> dict[str, str]:
    if not (out / FACTS).is_file():
        return {}
    kept = json.loads((out / FACTS).read_text(encoding="utf-8"))
    return {
        file: "; ".join(_sentence(Fact(**fact)) for fact in facts) for file, facts in kept.items()
    }


def _sentence(fact: Fact) -> str:
    return display_safe(f"{_SIGN[fact.well]}{fact.label}: {fact.finding}")
