"""What the intake hands on: the notebooks that can be run, and what a person must look at."""

from __future__ import annotations

from dataclasses import dataclass

from grader.model import Student, Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that a person must look at; the rest of the batch goes on without it.

    Both texts are safe to show: control and bidirectional characters of a hostile name are gone.
    """

    file: str  # the name as it came
    student: Student | None
    sentence: str  # what is wrong with which file, and who should do what


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One notebook that was handed in, and by whom it seems to have been.

    The names are as hostile as they came: whoever prints them escapes them.
    """

    submission: Submission
    late_flag: bool  # Canvas wrote LATE in the name; by how much it does not say
    partner_names: tuple[str, ...]  # other people whom `Lastname1-Lastname2-A2.ipynb` names
    is_group: bool  # Canvas has it as the work of a group, which the student handed in for
    anonymous_id: str  # of an anonymous export, else ""
    attachment_id: str  # Canvas's, else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """All of it, in an order that depends on nothing but the names."""

    entries: tuple[Entry, ...]  # one for each submitter: the newest attempt
    problems: tuple[Problem, ...]
