"""What a checked notebook still has before it: people who mark, and the final grading.

Told of one's own notebook only, before it is handed in. In plain values; the forms show them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grader.facts import Fact
from grader.reports.feedback import Feedback
from grader.rubric import Rubric
from grader.text import plain

TITLE = "What people will look at"
_FOUND = {True: "ok", False: "look", None: ""}


@dataclass(frozen=True, slots=True)
class Marked:
    """One item that a person gives points for: its head, and what they look for."""

    head: str  # "Experiments, up to 15 points"
    criteria: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What people will look at, what of it was found, and what the final grading does.

    `found` are (a word on whether it is well or not, what it is, what was found).
    """

    marked: tuple[Marked, ...]
    found: tuple[tuple[str, str, str], ...]
    final: str


def outlook(said: Feedback, rubric: Rubric, facts: Sequence[Fact]) -> Outlook:
    """Return what is to be told after the tests.

    Args:
        facts: what was found in the notebook for whoever marks; hostile.
    """
    marked = tuple(
        Marked(f"{view.item.title}, up to {plain(view.by_hand)} points", view.criteria)
        for view in said.items
        if view.criteria and view.attempted
    )
    found = tuple((_FOUND[fact.well], fact.label, fact.finding) for fact in facts)
    return Outlook(marked=marked, found=found, final=_final(rubric))


def _final(rubric: Rubric) -> str:
    limits = rubric.limits
    files = f"only {' and '.join(sorted(rubric.files))}" if rubric.files else "no file"
    hidden = "asks hidden questions too" if rubric.seeds.hidden else "asks the same questions"
    return (
        f"The final grading {hidden}, and runs the notebook from the top: without network, with "
        f"{files} beside it, at most {limits.cell_seconds:g} s for a cell and "
        f"{limits.notebook_seconds:g} s for all."
    )
