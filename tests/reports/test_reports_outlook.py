"""What a checked notebook still has before it: told alike in the text and in Markdown."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest

from grader.facts import Fact
from grader.model import Grade, Late
from grader.reports.feedback import feedback
from grader.reports.forms import as_file, on_stream
from grader.reports.outlook import TITLE, outlook
from grader.reports.subject import Subject
from grader.rubric import LimitRule, Rubric, Seeds

MakeGrade = Callable[..., Grade]
FACTS = (
    Fact("Rows read", "391 of 392", well=False),
    Fact("Plots", "3", well=True),
    Fact("Words", "250"),
)


def shown(form: str, grade: Grade, rubric: Rubric, facts: Sequence[Fact] = ()) -> str:
    """A form's words: what breaks lines, sets off and escapes is not looked at."""
    subject = Subject(grade=grade, rubric=rubric, facts=facts)
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    text = on_stream(form, subject, stream).decode()
    assert "\n\n\n\n" not in text
    return " ".join(re.sub(r"[\\*|]|^#+ |^ *- ", "", text, flags=re.MULTILINE).split())


both = pytest.mark.parametrize("form", ["text", "markdown"])


@both
def test_people_look_at_what_the_rubric_says(
    form: str, make_grade: MakeGrade, rubric: Rubric
) -> None:
    """Each item that a person marks, what it may give, and every criterion, in that order."""
    said = shown(form, make_grade(marks={}), rubric)
    _, _, rest = said.partition(TITLE)
    told = [TITLE]
    for item in rubric.item:
        if item.marked and item.section != "extra_credit":  # which nobody attempted here
            told += [f"{item.title}, up to {item.marked.points} points", *item.marked.criteria]
    assert len(told) > 4
    assert rest.startswith(" " + " ".join(" ".join(told[1:]).split()))
    swish = next(item for item in rubric.item if item.section == "extra_credit")
    assert swish.marked
    assert f"{swish.title}, up to" not in said
    attempted = shown(form, make_grade(marks={}, swish=True), rubric)
    assert f"{swish.title}, up to {swish.marked.points} points {swish.marked.criteria[0]}" in (
        attempted
    )


@both
def test_what_was_found_is_a_hint_on_where_to_look(
    form: str, make_grade: MakeGrade, rubric: Rubric
) -> None:
    said = shown(form, make_grade(marks={}), rubric, FACTS)
    _, _, rest = said.partition("Found in this notebook:")
    colon = ":" if form == "text" else ""
    words = f"look Rows read{colon} 391 of 392 ok Plots{colon} 3 Words{colon} 250"
    assert words in rest.replace("what found --- --- --- ", "")
    assert "Found in this notebook" not in shown(form, make_grade(marks={}), rubric)


@both
def test_what_was_found_is_harmless_whatever_it_is(
    form: str, make_grade: MakeGrade, rubric: Rubric, hostile: str
) -> None:
    subject = Subject(
        grade=make_grade(marks={}), rubric=rubric, facts=[Fact(hostile, hostile, well=True)]
    )
    text = as_file(form, subject).decode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2066\U000e0041]", text)
    if form == "markdown":
        assert not re.search(r"(?<!\\)<(?!br>)", text.replace("<br>", ""))


@both
@pytest.mark.parametrize(
    "note",
    ["Handed in now, it is in time.", "Each day late costs 10 points; how late this is, --due"],
)
def test_how_late_it_is_now_is_said(
    form: str, note: str, make_grade: MakeGrade, rubric: Rubric
) -> None:
    assert note in shown(form, make_grade(marks={}, late=Late(note=note)), rubric)


@both
def test_what_lateness_costs_stands_among_the_points(
    form: str, make_grade: MakeGrade, rubric: Rubric
) -> None:
    note = "Handed in now, it is 2 days late: handed in 2026-11-02 00:00:00, due 2026-10-31."
    late = Late(days=2, penalty=Decimal(20), note=note)
    said = shown(form, make_grade(marks={}, late=late), rubric)
    assert note in said
    assert "Late -20" in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "asks hidden questions too"),
        ({"seeds": Seeds(hidden=0)}, "asks the same questions"),
        ({"files": {"b.csv": "b", "a.csv": "a"}}, "with only a.csv and b.csv beside it"),
        ({"files": {}}, "with no file beside it"),
        ({"limits": LimitRule(cell_seconds=2.5)}, "at most 2.5 s for a cell and 600 s for all."),
    ],
)
def test_what_the_final_grading_does_differently_is_what_the_rubric_says(
    changed: dict[str, object], said: str, make_grade: MakeGrade, rubric: Rubric
) -> None:
    other = rubric.model_copy(update=changed)
    assert said in outlook(feedback(make_grade(), rubric), other, ()).final
    for form in ("text", "markdown"):
        assert outlook(feedback(make_grade(), rubric), rubric, ()).final in shown(
            form, make_grade(marks={}), rubric
        )
