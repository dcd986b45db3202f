"""Feedback as Markdown, as GitHub shows it: for the summary of a job, or beside a notebook.

The same words as on the page, from the same place. Every word that is not this module's own is
made safe to display and then escaped, so that it is a word and nothing else: no markup, no HTML,
no link and no picture comes out of it. What stands between backticks is set as code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from grader.exhibits import Exhibit
from grader.facts import Fact
from grader.model import Grade, Outcome
from grader.pictures import Listing, Picture
from grader.reports.feedback import (
    MOST_SHOWN,
    NOTHING,
    SEE_IT,
    Feedback,
    ItemView,
    Loss,
    LostCheck,
    failed_cells,
    feedback,
    last_line,
    listed,
    pointed,
)
from grader.reports.outlook import TITLE, Outlook, outlook
from grader.rubric import Rubric
from grader.text import clipped, display_safe, plain

MOST_CHARACTERS = 4000  # of any one text
_SIGNS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.BROKEN: "?"}
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&$^])")
_LINK = re.compile(r"(?<=[A-Za-z])(:)(?=//)|(?<=\bwww)(\.)|(@)", re.IGNORECASE)
_BEGIN = re.compile(r"^(?:[-+](?=\s|$)|\d+[.)](?=\s|$)|-(?=[-\s]*$)|=(?==*$))")
_CODE = re.compile(r"`([^`\n]+)`")


def markdown_report(
    grade: Grade,
    rubric: Rubric,
    exhibits: Mapping[str, Exhibit] = NOTHING,
    facts: Sequence[Fact] = (),
) -> str:
    """Return all that there is to say of a grade.

    Args:
        exhibits: what there is to show of lost checks, by check id.
        facts: what was found in it for whoever marks by hand.
    """
    said = feedback(grade, rubric, exhibits)
    ahead = outlook(said, rubric, facts)
    blocks = [
        f"# {text(said.title)}",
        text(grade.file),
        f"**{text(said.headline)}**",
        *_foremost(said),
        *(text(sentence) for sentence in said.missing),
        _account(said),
        *(block for view in said.items for block in _item(view)),
        *_marked(ahead),
        *_run(said),
        text(ahead.final),
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


# ------------------------------------------------------------------------------- words
def text(words: str) -> str:
    """Return words that mean themselves, on one line; code between backticks stays code."""
    safe = clipped(display_safe(words).strip(), MOST_CHARACTERS)
    parts = _CODE.split(safe)
    return "".join(_code(part) if i % 2 else _escaped(part) for i, part in enumerate(parts))


def _escaped(words: str) -> str:
    escaped = _MARKUP.sub(r"\\\1", words)
    escaped = _LINK.sub(lambda sign: f"\\{sign[0]}", escaped)
    return _BEGIN.sub(lambda begin: f"{begin[0][:-1]}\\{begin[0][-1]}", escaped)


def _code(words: str) -> str:
    """Set code that has no backtick in it; a bar would end the cell of a table."""
    return f"`{words}`" if "|" not in words else _escaped(f"`{words}`")


def _fenced(code: str, language: str = "") -> str:
    """Return a block of code with a fence that nothing in it can close."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# ------------------------------------------------------------------------------- parts
def _marked(ahead: Outlook) -> list[str]:
    """What people will look at, as lists."""
    if not ahead.marked:
        return []
    blocks = [f"## {TITLE}"]
    for item in ahead.marked:
        criteria = "\n".join(f"- {text(each)}" for each in item.criteria)
        blocks += [f"**{text(item.head)}**", criteria]
    if ahead.found:
        rows = [(text(word), text(label), text(finding)) for word, label, finding in ahead.found]
        blocks += ["Found in this notebook:", _table(("", "what", "found"), rows)]
    return blocks


def _foremost(said: Feedback) -> list[str]:
    if not said.foremost:
        return [text(said.praise)]
    lines = [f"- **-{plain(loss.points)}** {text(loss.headline)}" for loss in said.foremost]
    if said.further:
        lines.append(f"- **-{plain(said.further_points)}** {text(said.further)}")
    return [text(said.praise), f"**{said.foremost_title}**", "\n".join(lines)]


def _account(said: Feedback) -> str:
    score = said.grade.score
    rows = [[text(section.title), section.points] for section in said.sections]
    if score.late.days:
        rows.append(["Late", f"-{plain(score.late.penalty)}"])
    if score.final is not None:
        rows.append(["Grade", said.headline])
    return "\n\n".join(filter(None, [_table(["", "Points"], rows), text(said.late)]))


def _item(view: ItemView) -> list[str]:
    blocks = [f"## {text(view.item.title)}: {view.points}"]
    if view.attempted and not view.untested:
        blocks += [block for loss in view.tests for block in _loss(loss, extra=view.extra)]
        lines = [
            f"- {_SIGNS[check.outcome]} {text(check.title)}"
            f" ({plain(check.earned)} of {plain(check.possible)})"
            + (f"<br>{text(check.message)}" if check.message else "")
            for check in view.others
        ]
        blocks.append("\n".join(lines))
    if view.to_mark and view.tested is not None:
        blocks.append(f"{plain(view.to_mark)} to be marked by a person")
    if view.item.comment:
        blocks.append(f"> {text(view.item.comment)}")
    return blocks


def _loss(loss: Loss, *, extra: bool) -> list[str]:
    cost = "" if extra else f"-{plain(loss.points)} "
    blocks = [f"**{cost}{text(loss.reason)}**", text(loss.more)]
    blocks += [block for check in loss.checks for block in _lost(check)]
    if loss.picture:
        blocks += _picture(loss.picture)
    if loss.snippet:
        blocks += [SEE_IT, _fenced(loss.snippet, "python")]
    return blocks


def _lost(check: LostCheck) -> list[str]:
    blocks = [f"✗ {text(check.title)} ({check.points})", text(check.words)]
    if check.rows:
        rows = ([text(row.label), text(row.expected), text(row.yours)] for row in check.rows)
        blocks.append(_table(["", "Expected", "Yours"], rows))
    return [*blocks, text(check.share)]


def _picture(picture: Picture) -> list[str]:
    if not isinstance(picture, Listing):
        return [text(picture.caption)]
    rows = (
        [pointed(i, off=off), text(expected), text(yours)]
        for i, (expected, yours, off) in enumerate(listed(picture), start=1)
    )
    return [_table(["", "Expected", "Yours"], rows), text(picture.caption)]


def _run(said: Feedback) -> list[str]:
    failed = failed_cells(said.grade.run)
    cells = [f"- Cell {c.index + 1}: {text(last_line(c.error))}" for c in failed[:MOST_SHOWN]]
    return [
        "## How the notebook ran",
        *(text(sentence) for sentence in (*said.run, *said.notes)),
        "\n".join(cells),
    ]
