"""Which of several files of one submitter is graded. Pure.

The newest notebook is. What it replaces is not worth a word where the names or Canvas's numbers say
that it was replaced; where they do not, the files may be parts of one attempt, and a person looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grader.intake.canvas_names import Form
from grader.intake.display import listed, shown
from grader.intake.entries import Problem
from grader.intake.file_names import is_archive, is_document, is_notebook, kind, unnumbered
from grader.intake.found import Found
from grader.intake.refusals import RefusedError, problem, remark
from grader.intake.submitters import Submitter


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """One file and whose it is."""

    found: Found
    by: Submitter

    @property
    def attachment(self) -> int:
        """Canvas counts these up, through all of its courses."""
        return int(self.by.canvas.attachment_id or 0) if self.by.canvas else 0

    @property
    def name(self) -> str:
        """Equal for a file and what was handed in again in its place."""
        return unnumbered(self.by.display)[0].casefold()

    @property
    def is_notebook(self) -> bool:
        return is_notebook(self.by.display)

    @property
    def age(self) -> tuple[int, int, int, str]:
        """Sorts the newest last, as far as names tell; a later SOURCE counts as newer."""
        return self.attachment, unnumbered(self.by.display)[1], self.found.source, self.found.path

    @property
    def is_meant_for_grading(self) -> bool:
        """Whether a file that is no notebook was handed in, and does not just lie about."""
        return self.found.asked_for or self.by.is_named or is_document(self.by.display)


def newest(files: Sequence[HandedIn]) -> tuple[HandedIn | None, tuple[Problem, ...]]:
    """The notebook to grade among all that one submitter handed in, and what to look at."""
    certain = [file for file in files if file.by.is_certain]
    files, doubtful = (certain, [f for f in files if f not in certain]) if certain else (files, [])
    problems = [problem(f.found.path, None, _FORGED) for f in doubtful]
    notebooks = sorted((file for file in files if file.is_notebook), key=lambda file: file.age)
    if not notebooks:
        return None, (*problems, *_without_a_notebook(files))
    taken = notebooks[-1]
    left = [file.found.path for file in notebooks[:-1] if not _is_replaced(file, taken)]
    left += [file.found.path for file in files if not file.is_notebook and _is_later(file, taken)]
    if left:
        who = shown(taken.by.student.name)
        said = (
            f"was taken as the newest notebook of {who}, and {listed(left)} left aside: "
            "look which of them is to be graded."
        )
        problems.append(remark(taken.found.path, taken.by.student, said))
    return taken, tuple(problems)


_FORGED = RefusedError(
    "has another student's number in its name, behind its own",
    advice="find out whose it is, and give it by itself as Lastname-A2.ipynb",
)


_ANOTHER_SOURCE = "if it is a download of Canvas's, give it as a SOURCE of its own"


def _is_replaced(old: HandedIn, new: HandedIn) -> bool:
    """Whether the names tell that `old` was handed in earlier, and `new` in its place."""
    same_name = old.name == new.name
    if old.attachment and new.attachment:
        # A download holds one attempt only: what two downloads hold are two attempts.
        return old.found.source != new.found.source or (
            same_name and old.attachment != new.attachment
        )
    return same_name and old.attachment == new.attachment and old.age[1] != new.age[1]


def _is_later(other: HandedIn, notebook: HandedIn) -> bool:
    """Whether a file that is no notebook is of a newer attempt than the notebook."""
    return other.found.source != notebook.found.source and other.attachment > notebook.attachment


def _without_a_notebook(files: Sequence[HandedIn]) -> tuple[Problem, ...]:
    meant = sorted(
        (file for file in files if file.is_meant_for_grading),
        key=lambda file: (not is_document(file.by.display), file.found.path),
    )
    if not meant:
        return ()
    first, others = meant[0], len(meant) - 1
    fault = _what_it_is(first)
    if others:
        fault += f", and neither is what was handed in with it ({others} more)"
    advice = "" if first.by.is_named or not is_archive(first.by.display) else _ANOTHER_SOURCE
    student = first.by.student if first.by.is_named else None  # "report" is nobody
    return (problem(first.found.path, student, RefusedError(fault, advice=advice)),)


def _what_it_is(file: HandedIn) -> str:
    form = file.by.canvas.form if file.by.canvas else Form.UPLOAD
    if form is Form.TEXT:
        return "is text that was typed into Canvas, not a notebook"
    if form is Form.LINK:
        return "is a link to a web page, not a notebook"
    return f"is {kind(file.by.display)}, not a notebook"
