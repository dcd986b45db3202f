"""A student's whole story, as the store has it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.canvas import keys_of
from grader.canvas.roster import folded_name
from grader.errors import UsageError
from grader.grading.asked import student_of, students_of
from grader.grading.changes import person_key
from grader.model import Student
from grader.store import LogRow, ResultRow, Store, open_store
from grader.text import display_safe

MOST_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Whose it is, and what happened, the oldest first."""

    student: Student
    rows: tuple[LogRow, ...]


def story(out: Path, wanted: str, store: str = "") -> Story:
    """Return what happened to the student whom `wanted` names: Canvas ID, login or (part of) name.

    Raises:
        UsageError: nobody is called so, or several are.
    """
    if not (out / "store").is_dir():
        raise UsageError(f"There is no store in {out}: run `grader grade … --out` first.")
    opened = open_store(out, store)
    try:
        graded = opened.results()
        known = _everybody(opened, graded)
        key = _found(wanted, known, graded)
        return Story(student=known[key], rows=tuple(opened.history(key)))
    finally:
        opened.close()


def _everybody(store: Store, graded: Mapping[str, ResultRow]) -> dict[str, Student]:
    """Return all of whom anything is known, by key: under the newest name that each had.

    Who was left out has no result any more, and whose first night was stopped has none yet.
    """
    known = {key: who for key, text in store.left_out().items() if (who := student_of(text))}
    for entry in store.submissions(earlier=True):
        known |= {person_key(student): student for student in students_of(entry)}
    for key, row in graded.items():
        known[key] = Student(name=row.name[0], canvas_id=row.name[1], login=row.name[2])
    return known


def _found(wanted: str, known: Mapping[str, Student], graded: Collection[str]) -> str:
    """Return the key of the only student who can be meant: whoever is graded now goes first.

    The same person may have been known by less before, and so by another key.
    """
    now = {key: student for key, student in known.items() if key in graded}
    found = _meant(wanted, now) or _meant(wanted, known)
    if len(found) == 1:
        return found[0]
    shown = display_safe(wanted)
    if not found:
        raise UsageError(f"Nobody who handed in here is called “{shown}”: see grades.csv.")
    raise UsageError(
        f"“{shown}” means {len(found)} students: {_listed([known[k] for k in found])}. "
        "Give a Canvas ID or login."
    )


def _meant(wanted: str, known: Mapping[str, Student]) -> list[str]:
    """Return the keys of the students who may be meant: by a whole name, else by a part."""
    folded = folded_name(wanted)
    exact = [key for key, student in known.items() if folded in _names(student)]
    words = set(folded.replace(",", " ").split())
    loose = [key for key, student in known.items() if words and words <= _words(student)]
    found = exact or loose
    return found or [
        key for key, student in known.items() if folded and folded in folded_name(student.name)
    ]


def _names(student: Student) -> set[str]:
    family, _, first = student.name.partition(",")
    return {*keys_of(student), folded_name(f"{first} {family}")}


def _words(student: Student) -> set[str]:
    return set(folded_name(student.name).replace(",", " ").split())


def _listed(students: Sequence[Student]) -> str:
    named = [
        f"{display_safe(s.name)} ({s.canvas_id or s.login or 'no ID'})"
        for s in students[:MOST_NAMED]
    ]
    return ", ".join(named) + (", …" if len(students) > MOST_NAMED else "")
