"""Plain lines: what the terminal says of the items, without rich."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from grader.exhibits import Exhibit
from grader.model import Grade
from grader.reports import lines
from grader.reports.console import check_report
from grader.reports.feedback import feedback
from grader.reports.lines import feedback_lines, row, sentence_lines
from grader.rubric import Rubric
from tests.reports.test_reports_same_words import flat, words_of_loss

MakeGrade = Callable[..., Grade]


def test_it_has_the_words_that_the_terminal_shows(
    make_grade: MakeGrade,
    make_exhibits: Callable[[str], dict[str, Exhibit]],
    shown_losses: Mapping[str, str],
    rubric: Rubric,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "WIDTH", 400)  # so that no sentence is folded around its points
    said = feedback(make_grade(shown_losses, swish=True), rubric, make_exhibits("something"))
    words = [said.title, said.headline, *(loss.headline for loss in said.foremost)]
    for view in said.items:
        words += [view.item.title, view.points, *(check.title for check in view.others)]
        words += [word for loss in view.tests for word in words_of_loss(loss)]
    there = flat("".join(feedback_lines(said)))
    assert [] == [each for each in words if flat(each) not in there]


def test_the_items_look_as_in_the_terminal(
    make_grade: MakeGrade, shown_losses: Mapping[str, str], rubric: Rubric
) -> None:
    grade = make_grade(shown_losses)
    shown = feedback_lines(feedback(grade, rubric))
    items = shown[shown.index("What cost the most points") :]
    assert "\n".join(items) in check_report(grade, rubric)


def test_no_line_is_wider_than_a_terminal(
    make_grade: MakeGrade,
    make_exhibits: Callable[[str], dict[str, Exhibit]],
    shown_losses: Mapping[str, str],
    rubric: Rubric,
) -> None:
    long = {**shown_losses, "use_values": "word " * 40 + "x" * 200}
    said = feedback(make_grade(long), rubric, make_exhibits("something"))
    assert [] == [line for line in feedback_lines(said) if len(line) > lines.WIDTH]


def test_signs_are_letters_where_an_encoding_has_no_others(
    make_grade: MakeGrade, shown_losses: Mapping[str, str], rubric: Rubric
) -> None:
    said = feedback(make_grade(shown_losses), rubric)
    text = "\n".join(feedback_lines(said, plain_signs=True))
    assert "✓" not in text
    assert "  x " in text
    assert "  + " in text


def test_words_that_take_several_lines_hang_below_their_beginning() -> None:
    assert [
        f"  ✓ {'a ' * 34}a 2 of 2",
        f"    {'a ' * 4}a",
    ] == row("a " * 40, "2 of 2", sign="✓", indent=2)
    assert ["- a", "  b"] == [line[:3] for line in sentence_lines("- a " + "x" * 74 + " b")]
