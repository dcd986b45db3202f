"""The page, the terminal and Markdown are three forms of the same words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

import pytest

from grader.exhibits import Exhibit
from grader.model import Grade, Late, Mark
from grader.pictures import Listing
from grader.reports import console
from grader.reports.feedback import SEE_IT, Feedback, Loss, feedback, listed
from grader.reports.html import feedback_page
from grader.reports.markdown import markdown_report
from grader.rubric import Rubric
from tests.reports.test_reports_html import parsed
from tests.reports.test_reports_markdown import read

MakeGrade = Callable[..., Grade]


def words_of(said: Feedback) -> Iterator[str]:
    """Everything that a student should read, wherever it is read."""
    yield from (said.title, said.headline, said.praise, said.further, said.late, *said.missing)
    yield from (said.grade.file, *said.run, *said.notes)
    for section in said.sections:
        yield from (section.title, section.points)
    for loss in said.foremost:
        yield loss.headline
    for view in said.items:
        yield from (view.item.title, view.points, view.item.comment)
        if not view.attempted:
            continue
        for check in view.others:
            yield from (check.title, check.message)
        for loss in view.tests:
            yield from words_of_loss(loss)


def words_of_loss(loss: Loss) -> Iterator[str]:
    yield from (loss.reason, loss.more)
    for check in loss.checks:
        yield from (check.title, check.points, check.words, check.share)
        for row in check.rows:
            yield from (row.label, row.expected, row.yours)
    if loss.picture:
        yield loss.picture.caption
    if isinstance(loss.picture, Listing):
        for expected, yours, _ in listed(loss.picture):
            yield from (expected, yours)
    if loss.snippet:
        yield from (SEE_IT, *loss.snippet.splitlines())


def flat(text: str) -> str:
    return "".join(text.replace("`", "").split())


def test_three_forms_have_the_same_words(
    make_grade: MakeGrade,
    make_exhibits: Callable[[str], dict[str, Exhibit]],
    shown_losses: Mapping[str, str],
    rubric: Rubric,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(console, "WIDTH", 400)  # so that no sentence is folded around its points
    grade = make_grade(
        {**shown_losses, "use_values": "Wrong.", "relu_values": "`relu` is *wrong*. Look <there>."},
        marks={"discussion": Mark(points=Decimal(12), comment="Only two observations.")},
        late=Late(days=1, penalty=Decimal(10), note="1 day late: due Friday."),
        swish=True,
    )
    exhibits = make_exhibits("something")
    said = feedback(grade, rubric, exhibits)
    forms = {
        "page": parsed(feedback_page(grade, rubric, "", exhibits)).text,
        "text": console.check_report(grade, rubric, exhibits),
        "markdown": read(markdown_report(grade, rubric, exhibits)),
    }
    words = [flat(each) for each in words_of(said) if each]
    assert len(words) > 100
    for form, text in forms.items():
        there = flat(text)
        assert [] == [each for each in words if each not in there], form


def test_a_perfect_notebook_is_praised_in_all_forms(make_grade: MakeGrade, rubric: Rubric) -> None:
    grade = make_grade()
    for text in (
        feedback_page(grade, rubric),
        console.check_report(grade, rubric),
        markdown_report(grade, rubric),
    ):
        assert "Great job!" in text
        assert "cost" not in parsed(text).text if text.startswith("<") else "cost" not in text
