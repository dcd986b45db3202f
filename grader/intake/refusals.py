"""Why one file was not taken in: a fault, and what to ask of the person who handed it in."""

from __future__ import annotations

from grader.errors import SubmissionError
from grader.intake.display import shown
from grader.intake.entries import Problem
from grader.model import Student

FOR_THE_NOTEBOOK = "for the .ipynb file"


class RefusedError(SubmissionError):
    """One file is not taken in. It is complete only beside the file's name and its submitter.

    `fault` goes on after the name ("is empty"); `request` goes on after "ask Ng". Where the student
    can do nothing, `advice` is for whoever grades, and stands instead of the request.
    """

    def __init__(self, fault: str, request: str = FOR_THE_NOTEBOOK, *, advice: str = "") -> None:
        super().__init__(fault)
        self.fault = fault
        self.request = request
        self.advice = advice


def problem(
    file: str, student: Student | None, refusal: RefusedError, *, is_named: bool = True
) -> Problem:
    """The refusal as a sentence that names the file and who should do what.

    A student who is not `is_named` only stands for the file: nobody can ask "A2" for anything.
    """
    who = shown(student.name) if student and student.name and is_named else "whoever handed it in"
    name = shown(file)
    sentence = f"{name} {refusal.fault}: {refusal.advice or f'ask {who} {refusal.request}'}."
    return Problem(file=name, student=student, sentence=sentence)


def remark(file: str, student: Student | None, predicate: str) -> Problem:
    """A problem that is not for the student to mend. `predicate` goes on after the name."""
    name = shown(file)
    return Problem(file=name, student=student, sentence=f"{name} {predicate}")
