"""What the terminal shows: the whole class after a grading, one notebook after a check.

Every text is made safe to display and handed to rich as Text, so that nothing in a name or an
error message is taken for markup. Colour is left out where the stream is no terminal or NO_COLOR
is set (rich sees to it), and signs that the stream's encoding does not have are replaced.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from grader.exhibits import Exhibit
from grader.facts import Fact
from grader.model import CheckResult, Grade, Outcome, Section, State
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
from grader.reports.lines import PLAIN_SIGNS, SIGNS, encoding_of, has_signs, writable
from grader.reports.outlook import TITLE, Outlook, outlook
from grader.reports.results import in_order
from grader.reports.tables import Attention
from grader.rubric import Rubric
from grader.text import clipped, display_safe, plain

WIDTH = 80
NAME_WIDTH = 26  # leaves room for all other columns in 80
MOST_ATTENTION = 10
_STYLES = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.BROKEN: "yellow"}
_STATES = {
    State.FINAL: ("final", "green"),
    State.NEEDS_MARKS: ("needs marks", "yellow"),
    State.NEEDS_ATTENTION: ("needs attention", "red"),
}


def _text(words: str, style: str = "") -> Text:
    return Text(display_safe(words), style=style, overflow="fold")


# ------------------------------------------------------------------------------- a class
def results_table(grades: Iterable[Grade]) -> Table:
    """Return a line for each student: points by section, lateness, the grade and its state."""
    ordered = in_order(grades)
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("Student", overflow="ellipsis", no_wrap=True, max_width=NAME_WIDTH)
    for title in _section_heads(ordered):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Late", justify="right", no_wrap=True)
    table.add_column("Final", justify="right", no_wrap=True)
    table.add_column("State", no_wrap=True)
    for grade in ordered:
        table.add_row(*_line(grade))
    return table


def _section_heads(grades: Sequence[Grade]) -> list[str]:
    heads = {Section.CODE: "Code", Section.DISCUSSION: "Marks", Section.EXTRA_CREDIT: "Extra"}
    if not grades:
        return list(heads.values())
    totals = grades[0].score.sections
    return [f"{head}/{plain(totals[section].possible)}" for section, head in heads.items()]


def _line(grade: Grade) -> list[Text]:
    score = grade.score
    points = [score.sections[section].points for section in Section]
    word, style = _STATES[score.state]
    late = "?" if score.late.days is None else f"-{plain(score.late.penalty)}"
    return [
        _text(grade.student.name or "?"),
        *(_text("-" if each is None else plain(each)) for each in points),
        _text("" if score.late.days == 0 else late),
        _text("-" if score.final is None else plain(score.final), "bold"),
        _text(word, style),
    ]


def summary_panel(grades: Iterable[Grade], out: Path) -> Panel:
    """Return how many are done, whose turn the others are, and where the files lie."""
    states = Counter(grade.score.state for grade in grades)
    lines = Table.grid(padding=(0, 2))
    lines.add_column(justify="right", no_wrap=True)
    lines.add_column(overflow="fold")
    rows = (
        (State.FINAL, "are final", ""),
        (State.NEEDS_MARKS, "need a person's marks", "give them with --marks"),
        (State.NEEDS_ATTENTION, "need attention", "attention.csv says what for"),
    )
    for state, words, mend in rows:
        count = states[state]
        said = f"{words}: {mend}" if mend and count else words
        lines.add_row(_text(str(count), f"bold {_STATES[state][1]}" if count else ""), _text(said))
    lines.add_row("", "")
    for name, what in _files(out):
        lines.add_row(_text(what, "dim"), _text(str(out / name)))
    return Panel(lines, title=_text(f"{states.total()} graded", "bold"), title_align="left")


def _files(out: Path) -> list[tuple[str, str]]:
    named = (
        ("feedback", "pages"),
        ("grades.csv", "grades"),
        ("attention.csv", "attention"),
        ("results.json", "results"),
        ("canvas-import.csv", "for Canvas"),
        ("feedback.zip", "for Canvas"),
    )
    return [(name, what) for name, what in named if (out / name).exists()]


def night_report(grades: Iterable[Grade], attention: Sequence[Attention], out: Path) -> Group:
    """Return all that is shown after a grading: the students, what asks for a person, the sum."""
    ordered = in_order(grades)
    parts: list[RenderableType] = [results_table(ordered), ""]
    if attention:
        parts += [_attention_list(attention), ""]
    return Group(*parts, summary_panel(ordered, out))


def _attention_list(rows: Sequence[Attention]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, max_width=NAME_WIDTH, overflow="ellipsis")
    table.add_column(overflow="fold")
    table.add_row(_text("Needs attention", "bold"), "")
    for row in rows[:MOST_ATTENTION]:
        table.add_row(_text(row.student.name or row.file), _text(row.what))
    if len(rows) > MOST_ATTENTION:
        table.add_row("", _text(f"and {len(rows) - MOST_ATTENTION} more: see attention.csv", "dim"))
    return table


def doctor_table(findings: Iterable[tuple[str, bool, str, str]]) -> Table:
    """Return what `grader doctor` found: (what, whether it is well, what was seen, the mend)."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for what, well, seen, mend in findings:
        said = Group(_text(seen), _text(mend, "yellow")) if mend and not well else _text(seen)
        table.add_row(_text("ok" if well else "!!", "green" if well else "red"), _text(what), said)
    return table


def pack_table(trials: Iterable[tuple[str, str, str, bool]]) -> Table:
    """Return the fault table: (mistake, item, points lost, whether it is named) a row."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("Mistake", overflow="fold")
    table.add_column("Item", overflow="fold")
    table.add_column("Points lost", justify="right")
    table.add_column("Named")
    for mistake, item, points, named in trials:
        said = _text("yes" if named else "no", "green" if named else "red")
        table.add_row(_text(mistake), _text(item), _text(points), said)
    return table


# ------------------------------------------------------------------------------- one notebook
def check_report(
    grade: Grade,
    rubric: Rubric,
    exhibits: Mapping[str, Exhibit] = NOTHING,
    facts: Sequence[Fact] = (),
    *,
    to: TextIO | None = None,
) -> str:
    """Return what `grader check` says of a notebook, item by item, at most 80 columns wide.

    Args:
        exhibits: what there is to show of lost checks, by check id.
        facts: what was found in it for whoever marks by hand.
        to: the stream that this will be written to. It decides on colour and signs; without one,
            the text is plain and in UTF-8, as for a file.
    """
    said = feedback(grade, rubric, exhibits)
    ahead = outlook(said, rubric, facts)
    return printed(_Report(said, ahead, plain_signs=not can_write("✓✗", to)).whole(), to)


def printed(what: RenderableType, to: TextIO | None) -> str:
    """Return what `to` would show, at most 80 columns wide; without a stream, plain text."""
    console = _console(to)
    with console.capture() as captured:
        console.print(what)
    text = "\n".join(line.rstrip() for line in captured.get().splitlines())
    return writable(text, encoding_of(to))


def _console(to: TextIO | None) -> Console:
    if to is None:  # neither colour nor width comes from the environment
        console = Console(file=io.StringIO(), width=WIDTH, color_system=None, force_terminal=False)
    else:
        console = Console(file=to, highlight=False)
        console.width = min(WIDTH, console.width)
    return console


def can_write(signs: str, to: TextIO | None) -> bool:
    """Whether a stream's encoding has these signs."""
    return has_signs(signs, encoding_of(to))


class _Report:
    """Lays one notebook's feedback out as lines of words and points."""

    def __init__(self, said: Feedback, ahead: Outlook, *, plain_signs: bool) -> None:
        self.said, self.ahead = said, ahead
        self.sign = PLAIN_SIGNS if plain_signs else SIGNS

    def whole(self) -> Group:
        grade = self.said.grade
        parts: list[RenderableType] = [
            _text(self.said.title, "bold"),
            _text(clipped(grade.file, WIDTH), "dim"),
            "",
            _text(self.said.headline, "bold"),
        ]
        parts += self.foremost()
        for view in self.said.items:
            parts += ["", *self.item(view)]
        return Group(*parts, *self.marked(), "", *self.run(), "", *self.account())

    def foremost(self) -> list[RenderableType]:
        """What matters most: praise, or the few losses that cost the most."""
        said = self.said
        lines: list[RenderableType] = [_text(said.praise, "green")] if said.praise else []
        if not said.foremost:
            return lines
        rows = Table.grid(padding=(0, 2, 0, 0))
        rows.add_column(justify="right", no_wrap=True)
        rows.add_column(overflow="fold")
        for loss in said.foremost:
            cost = _text(f"-{plain(loss.points)}", "red")
            rows.add_row(cost, _text(loss.headline))
        if said.further:
            rows.add_row(_text(f"-{plain(said.further_points)}", "dim"), _text(said.further, "dim"))
        return [*lines, "", _text(said.foremost_title, "bold"), Padding(rows, (0, 0, 0, 2))]

    def item(self, view: ItemView) -> list[RenderableType]:
        lines: list[RenderableType] = [_row(view.item.title, view.points, "bold")]
        if view.attempted and not view.untested:
            lines += [part for loss in view.tests for part in self.loss(loss)]
            lines += [part for check in view.others for part in self.check(check)]
        if view.to_mark and view.tested is not None:
            lines.append(_indented(f"{plain(view.to_mark)} to be marked by a person", 4, "dim"))
        if view.item.comment:
            lines.append(_indented(view.item.comment, 4))
        return lines

    def loss(self, loss: Loss) -> list[RenderableType]:
        """The checks of one loss; the reason stands below the first, for all of them."""
        lines: list[RenderableType] = []
        for i, check in enumerate(loss.checks):
            lines.append(self.line(Outcome.FAILED, check.title, check.points))
            lines += [_indented(loss.message, 4)] if i == 0 and loss.message else []
            lines += self.evidence(check)
        if loss.picture:
            lines += self.picture(loss.picture)
        if loss.snippet:
            lines += ["", _indented(SEE_IT, 4, "dim"), ""]
            lines += [_indented(line, 4) for line in loss.snippet.splitlines()]
            lines.append("")
        return lines

    def evidence(self, check: LostCheck) -> list[RenderableType]:
        lines: list[RenderableType] = [_indented(check.words, 4)] if check.words else []
        if check.rows:
            rows = [(row.label, row.expected, row.yours) for row in check.rows]
            lines.append(Padding(_comparison(rows), (0, 0, 0, 4)))
        return [*lines, _indented(check.share, 4)] if check.share else lines

    def picture(self, picture: Picture) -> list[RenderableType]:
        """A picture's caption; a listing is words already."""
        lines: list[RenderableType] = []
        if isinstance(picture, Listing):
            rows = [
                (pointed(i, off=off), expected, yours)
                for i, (expected, yours, off) in enumerate(listed(picture), start=1)
            ]
            lines.append(Padding(_comparison(rows), (0, 0, 0, 4)))
        return [*lines, _indented(picture.caption, 4, "dim")]

    def check(self, check: CheckResult) -> list[RenderableType]:
        points = f"{plain(check.earned)} of {plain(check.possible)}"
        lines: list[RenderableType] = [self.line(check.outcome, check.title, points)]
        if check.message:
            style = "dim" if check.outcome is Outcome.PASSED else ""
            lines.append(_indented(check.message, 4, style))
        return lines

    def line(self, outcome: Outcome, title: str, points: str) -> Padding:
        row = _grid(2, 1)
        row.add_row(Text(self.sign[outcome], style=_STYLES[outcome]), _text(title), _text(points))
        return Padding(row, (0, 0, 0, 2))

    def marked(self) -> list[RenderableType]:
        """What people will look at, as a list to go through."""
        if not self.ahead.marked:
            return []
        lines: list[RenderableType] = ["", _text(TITLE, "bold")]
        for item in self.ahead.marked:
            lines += [_indented(item.head), *(_indented(f"- {each}", 4) for each in item.criteria)]
        if self.ahead.found:
            rows = Table.grid(padding=(0, 2, 0, 0))
            rows.add_column(no_wrap=True)
            rows.add_column(overflow="fold")
            for word, label, finding in self.ahead.found:
                style = {"ok": "green", "look": "yellow"}.get(word, "")
                rows.add_row(_text(word, style), _text(f"{label}: {finding}"))
            lines += [_indented("Found in this notebook:"), Padding(rows, (0, 0, 0, 4))]
        return lines

    def run(self) -> list[RenderableType]:
        run = self.said.grade.run
        isolation = ", ".join(run.isolation) or "none"
        return [
            _text("How the notebook ran", "bold"),
            *(_indented(sentence) for sentence in (*self.said.run, *self.said.notes)),
            *(_indented(line) for line in self.cells()),
            _indented(f"Isolation: {isolation}.", 2, "dim"),
            _indented(self.ahead.final, 2),
        ]

    def cells(self) -> list[str]:
        failed = [cell for cell in failed_cells(self.said.grade.run) if cell.error]
        lines = [f"Cell {c.index + 1}: {last_line(c.error)}" for c in failed[:MOST_SHOWN]]
        more = len(failed) - MOST_SHOWN
        return [*lines, f"{more} more cells failed."] if more > 0 else lines

    def account(self) -> list[RenderableType]:
        score = self.said.grade.score
        lines: list[RenderableType] = [Rule(style="dim", characters="-")]
        lines += [_row(section.title, section.points) for section in self.said.sections]
        if score.late.days:
            lines.append(_row("Late", f"-{plain(score.late.penalty)}"))
        if score.final is not None:
            lines.append(_row("Grade", self.said.headline, "bold"))
        sentences = (self.said.late, *self.said.missing)
        lines += [_text(sentence) for sentence in sentences if sentence]
        attention = self.said.grade.attention
        return lines + [_text(f"Needs attention: {sentence}", "yellow") for sentence in attention]


def _grid(*fixed: int) -> Table:
    """Return a grid of words and points; before them a column for each width in `fixed`."""
    grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
    for _ in fixed[1:]:
        grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    grid.add_column(justify="right", no_wrap=True)
    return grid


def _comparison(rows: Iterable[tuple[str, str, str]]) -> Table:
    """Return expected and seen beside each other, each under its head."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("", overflow="fold")
    table.add_column("Expected", overflow="fold")
    table.add_column("Yours", overflow="fold")
    for label, expected, yours in rows:
        table.add_row(_text(label, "dim"), _text(expected), _text(yours))
    return table


def _row(words: str, points: str, style: str = "") -> Table:
    row = _grid()
    row.add_row(_text(words, style), _text(points, style))
    return row


def _indented(words: str, by: int = 2, style: str = "") -> Padding:
    return Padding(_text(words, style), (0, 0, 0, by))
