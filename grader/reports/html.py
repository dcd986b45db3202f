"""One page of feedback for one student: a file on its own, without scripts, that loads nothing.

Every word that is not the template's own is taken for hostile: control and bidirectional marks are
removed where it is printed, then it is escaped. Markdown and HTML from students are never rendered.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from grader.model import CellOutcome, Grade, Outcome
from grader.reports.executed import Executed, read_executed
from grader.reports.feedback import MOST_SHOWN, failed_cells, feedback
from grader.rubric import Rubric
from grader.text import display_safe, plain

MOST_ERROR_CHARACTERS = 3000
MOST_CHARACTERS = 4000  # of any one text: a name may be as long as its owner likes
MINUS = "\N{MINUS SIGN}"
_VERDICTS = {
    Outcome.PASSED: ("✓", "passed"),
    Outcome.FAILED: ("✗", "lost"),
    Outcome.BROKEN: ("?", "not tested"),
}
_CELL_WORDS = {
    CellOutcome.ERROR: "stopped with an error",
    CellOutcome.TIMEOUT: "did not come to an end in time",
    CellOutcome.DIED: "ended the Python process",
    CellOutcome.FLOODED: "wrote more output than allowed",
}


def feedback_page(grade: Grade, rubric: Rubric, executed: str = "") -> str:
    """Return a student's page.

    Args:
        executed: the notebook as it ran, nbformat JSON; its figures are shown, and the first
            lines of its failed cells.
    """
    notebook = read_executed(executed)
    template = environment().get_template("feedback.html.j2")
    return template.render(
        feedback=feedback(grade, rubric),
        grade=grade,
        notebook=notebook,
        failed=_failed_cells(grade, notebook),
        more_failed=max(0, len(failed_cells(grade.run)) - MOST_SHOWN),
        not_run=sum(cell.outcome is CellOutcome.NOT_RUN for cell in grade.run.cells),
    )


def _failed_cells(grade: Grade, notebook: Executed) -> list[dict[str, str]]:
    """Return number, first line, what happened and error text of the first cells that failed."""
    return [
        {
            "number": str(cell.index + 1),
            "opening": notebook.opening(cell.index + 1),
            "what": _CELL_WORDS[cell.outcome],
            "error": _last_part(cell.error),
        }
        for cell in failed_cells(grade.run)[:MOST_SHOWN]
    ]


def _last_part(error: str) -> str:
    """Return the end of a traceback, where the error itself stands."""
    text = display_safe(error, lines=True).strip("\n")
    return text if len(text) <= MOST_ERROR_CHARACTERS else f"…{text[-MOST_ERROR_CHARACTERS:]}"


# ------------------------------------------------------------------------------- the template's own
@cache
def environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("grader.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printed,
    )
    environment.filters.update(code=_with_code, points=plain, minus=_minus)
    environment.globals.update(verdicts=_VERDICTS)
    return environment


def _printed(value: object) -> object:
    """Take the power out of whatever the template prints, and escape it."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        return escape(_safe(value))
    return value


def _safe(text: str) -> str:
    safe = display_safe(text, lines=True)
    return safe if len(safe) <= MOST_CHARACTERS else f"{safe[:MOST_CHARACTERS]}…"


def _with_code(text: str) -> Markup:
    """Set what stands between backticks as code; all the rest is text."""
    parts = re.split(r"`([^`\n]+)`", _safe(text))
    return Markup().join(
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part)
        for i, part in enumerate(parts)
    )


def _minus(points: Decimal) -> str:
    """Return points taken off, with a true minus sign; 0 has none."""
    return f"{MINUS}{plain(points)}" if points else "0"
