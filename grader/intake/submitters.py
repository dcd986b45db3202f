"""Whose a file is, going by its name and the roster. Pure: it opens nothing.

A file of a Canvas download says so by number; any other file says so by the last name in it. Where
the numbers fit two students, nobody gets it: a grade must not go to somebody by guessing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grader.intake.canvas_names import CanvasName, is_name_of, readings
from grader.intake.display import shown
from grader.intake.file_names import name_words, people, stem
from grader.intake.refusals import RefusedError
from grader.intake.roster import Roster, goes_by, name_key
from grader.model import Student


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitter:
    """Who handed a file in, as far as its name tells."""

    student: Student
    key: tuple[str, str]  # equal for the files of one submitter
    display: str  # the file's name without what Canvas put before it
    canvas: CanvasName | None = None
    is_named: bool = True  # False: nothing in the name is a person's, so the whole of it stands in
    is_certain: bool = True  # False: the numbers fit, but stand where the student could put them
    is_group: bool = False  # Canvas put another name before the student's number: a group's


def submitter(path: str, roster: Roster) -> Submitter:
    """Who handed in the file of this path. Raises RefusedError where two may have."""
    *folders, file = path.split("/")
    possible = readings(file)
    if not possible:
        return _by_plain_name(folders, file, roster)
    leftmost = possible[0]
    likely = _likely(possible, roster)
    if len({reading.user_id for reading in likely}) > 1:
        names = " and ".join(shown(roster.by_id[r.user_id].name) for r in likely[:2])
        raise RefusedError(
            f"has numbers in its name that fit several students ({names})",
            advice="find out whose it is, and give it by itself as Lastname-A2.ipynb",
        )
    chosen = likely[0] if likely else leftmost
    is_named = _is_named(chosen, roster)
    return _by_canvas(
        chosen,
        roster,
        is_certain=chosen is leftmost or is_named,
        is_group=chosen.user_id in roster.by_id and not is_named,
    )


def _likely(possible: Sequence[CanvasName], roster: Roster) -> list[CanvasName]:
    """The readings that the roster speaks for: by number and name, or else by number alone."""
    on_roster = [reading for reading in possible if reading.user_id in roster.by_id]
    named = [reading for reading in on_roster if _is_named(reading, roster)]
    anonymous = [reading for reading in possible if reading.anonymous_id]
    return named or anonymous or on_roster


def _is_named(reading: CanvasName, roster: Roster) -> bool:
    student = roster.by_id.get(reading.user_id)
    return student is not None and is_name_of(reading.name, student.name)


def _by_canvas(
    reading: CanvasName, roster: Roster, *, is_certain: bool, is_group: bool
) -> Submitter:
    if reading.anonymous_id:
        student = Student(name=f"Anonymous {reading.anonymous_id}")
        key = ("anonymous", reading.anonymous_id)
    else:
        unknown = Student(name=reading.name, canvas_id=reading.user_id)
        student = roster.by_id.get(reading.user_id, unknown)
        key = ("id", reading.user_id)
    return Submitter(
        student=student,
        key=key,
        display=reading.display,
        canvas=reading,
        is_certain=is_certain,
        is_group=is_group,
    )


def _by_plain_name(folders: Sequence[str], file: str, roster: Roster) -> Submitter:
    """By the first name in the file's name; a file named only `A2.ipynb` has its folder's."""
    name = _name_in(folders, file, roster)
    whole = stem(file) or file
    student = (roster.only(name) if name else None) or Student(name=name or whole)
    key = ("id", student.canvas_id) if student.canvas_id else ("name", name_key(student.name))
    return Submitter(
        student=student,
        key=key if key[1] else ("name", student.name),
        display=file,
        is_named=bool(name),
    )


def _name_in(folders: Sequence[str], file: str, roster: Roster) -> str:
    found = name_words(file)
    names = people(found.words, lambda name: bool(roster.called(name)))
    if names:
        return names[0] if found.is_as_asked or roster.called(names[0]) else ""
    named = (folder for folder in reversed(folders) if name_words(folder).words)
    folder = next(named, "")
    return folder if found.has_assignment or roster.called(folder) else ""


def partner_names(by: Submitter, roster: Roster) -> tuple[str, ...]:
    """The names in the file's name that are not the submitter's.

    Words that nobody on the roster goes by count only in a name such as `Ng-Lee-A2.ipynb`, which
    somebody made as asked. An anonymous submitter's partners would not be anonymous: none.
    """
    if by.canvas and by.canvas.anonymous_id:
        return ()
    student = by.student
    found = name_words(by.display)
    names = people(found.words, lambda name: bool(roster.called(name)) or goes_by(name, student))
    own: set[str] = set()
    partners: dict[str, str] = {}
    for name in names:
        key = name_key(name)
        if goes_by(name, student) and key not in own:
            own.add(key)  # once: two partners may share a last name
        elif found.is_as_asked or roster.called(name):
            partners.setdefault(key, name)
    return tuple(partners.values())
