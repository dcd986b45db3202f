"""What files of people say about students, row by row; a bad row never stops the others.

Rows that contradict each other all go unheard, with a problem that says so: which of them is right
is not guessed. It knows how files name students, and not what they say of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from grader.canvas.roster import Gradebook, folded_name
from grader.canvas.tables import Sheet, SheetRow
from grader.errors import UsageError
from grader.model import Student
from grader.text import undefuse

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ByStudent(Generic[T]):
    """What a file says of each student.

    The keys are Canvas IDs where there was a roster (`by_id`); else what the file calls its
    students (an ID, a login or a name), folded.
    """

    values: Mapping[str, T]
    by_id: bool = False
    problems: tuple[str, ...] = ()  # of the whole file; a sentence each, naming file and row
    about: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # those about one student

    def of(self, student: Student) -> T | None:
        if not self.values:  # as of a table that nobody gave, for each of a large class
            return None
        return next((self.values[key] for key in self._keys(student) if key in self.values), None)

    def problems_of(self, student: Student) -> tuple[str, ...]:
        if not self.about:
            return ()
        return next((self.about[key] for key in self._keys(student) if key in self.about), ())

    def _keys(self, student: Student) -> tuple[str, ...]:
        # Somebody's login may be somebody else's ID.
        return (student.canvas_id,) if self.by_id else keys_of(student)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Generic[T]):
    """One row that could be read. `topic` tells apart what may be said of one student."""

    where: str
    student: str
    value: T
    topic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A row that could not be used, and the key of its student if that much was clear."""

    sentence: str
    student: str = ""


def keys_of(student: Student) -> tuple[str, ...]:
    """Under which keys a file may name this student, the surest first."""
    keys = (student.canvas_id, student.login, student.name)
    return tuple(folded for key in keys if (folded := folded_name(key)))


def student_key(text: str, roster: Gradebook | None) -> str:
    """The key for what a file calls a student; UsageError where nobody or several are meant."""
    folded = folded_name(undefuse(text))
    if not folded:
        raise UsageError("The student is missing: give a Canvas ID, login or name.")
    return roster.find(text).canvas_id if roster else folded


def rows_of_students(sheet: Sheet, roster: Gradebook | None) -> Iterable[SheetRow]:
    """The rows of a sheet with a column `student`, without Canvas's Test Student."""
    column = sheet.column("student")
    return (row for row in sheet.rows if not (roster and roster.is_test_student(row[column])))


def agreed(said: Iterable[Said[T]]) -> tuple[dict[tuple[str, str], T], list[Problem]]:
    """(student, topic) -> value where all rows agree; a problem wherever there is more than one."""
    groups: defaultdict[tuple[str, str], list[Said[T]]] = defaultdict(list)
    for one in said:
        groups[one.student, one.topic].append(one)
    values: dict[tuple[str, str], T] = {}
    problems: list[Problem] = []
    for key, group in groups.items():
        first, *others = group
        same = all(other.value == first.value for other in others)
        if same:
            values[key] = first.value
        for other in others:
            outcome = "both say the same" if same else "none of them is used"
            sentence = (
                f"{other.where}: this is a second row for the same student"
                f"{' and ' + key[1] if key[1] else ''} (the first: {first.where}); {outcome}. "
                "Delete one."
            )
            problems.append(Problem(sentence=sentence, student="" if same else key[0]))
    return values, problems


def by_student(
    values: Mapping[str, T], problems: Iterable[Problem], *, roster: Gradebook | None
) -> ByStudent[T]:
    """A bad row about two students is a problem of each, and one of the file."""
    listed = tuple(problems)
    about: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for problem in listed:
        if problem.student:
            about[problem.student] += (problem.sentence,)
    sentences = tuple(dict.fromkeys(problem.sentence for problem in listed))
    return ByStudent(values=values, by_id=roster is not None, problems=sentences, about=dict(about))
