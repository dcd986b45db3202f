"""What is shown of a lost check: public questions only, and never at the cost of a fault."""

from __future__ import annotations

import numpy as np
import pytest

from grader.checks import Answer, Check, Failed, catalogue, check
from grader.exhibits import Exhibit, Exhibition
from grader.judging import judge
from grader.model import Outcome, ProbeKey, Reply, ReplyKind, Seed, Value, Visibility
from grader.pictures import Chart, Painter, curve, picture
from grader.rubric import Rubric, parse_rubric

PUBLIC, SECOND = Seed(Visibility.PUBLIC, 0), Seed(Visibility.PUBLIC, 1)
HIDDEN = Seed(Visibility.HIDDEN, 0)
SNIPPET = "print('right')"
RUBRIC = """
title = "Doubling"
reference = "reference.py"
[[item]]
id = "double"
title = "double"
section = "code"
points = 2
  [[item.check]]
  id = "values"
  title = "values"
  points = 2
  probe = "doubled"
  picture = "both"
  snippet = "see"
"""


@picture
def both(got: Answer, want: Answer) -> Chart:
    series = (curve("expected", want.array()), curve("yours", got.array()))
    return Chart(series=series, x_label="x", y_label="y", caption="Both.")


@picture
def unlucky(got: Answer, want: Answer) -> Chart:  # noqa: ARG001  every picture has these arguments
    raise ZeroDivisionError


def shown(
    replies: dict[Seed, Reply],
    *,
    painter: Painter = both,
    checks: dict[str, Check] | None = None,
    rubric: Rubric | None = None,
) -> Exhibit | None:
    rubric = rubric or parse_rubric(RUBRIC)
    expected: dict[ProbeKey, Reply] = {("doubled", seed): value([0.0, 2.0]) for seed in replies}
    got: dict[ProbeKey, Reply] = {("doubled", seed): reply for seed, reply in replies.items()}
    judges = catalogue(checks or {})
    exhibition = Exhibition(
        rubric=rubric,
        checks=judges,
        painters={"both": painter},
        snippets={"see": SNIPPET},
        expected=expected,
    )
    results = judge(rubric, judges, got, expected)
    return exhibition.of(results, got).get("values")


def value(of: Value) -> Reply:
    return Reply(ReplyKind.VALUE, value=np.array(of))


RIGHT, WRONG = value([0.0, 2.0]), value([0.0, 3.0])


def test_a_lost_check_is_shown_by_numbers_picture_and_snippet() -> None:
    exhibit = shown({PUBLIC: WRONG})
    assert exhibit
    assert exhibit.difference
    assert exhibit.difference.first
    assert ("2", "3") == (exhibit.difference.first.expected, exhibit.difference.first.seen)
    assert isinstance(exhibit.picture, Chart)
    assert SNIPPET == exhibit.snippet


def test_a_passed_check_is_not_shown() -> None:
    assert shown({PUBLIC: RIGHT}) is None


def test_a_check_that_only_hidden_inputs_lose_is_not_shown() -> None:
    assert shown({PUBLIC: RIGHT, HIDDEN: WRONG}) is None


def test_the_first_public_question_that_was_lost_is_shown() -> None:
    exhibit = shown({PUBLIC: RIGHT, SECOND: value([1.0, 2.0]), HIDDEN: WRONG})
    assert exhibit
    assert exhibit.difference
    assert exhibit.difference.first
    assert (0,) == exhibit.difference.first.index


@pytest.mark.parametrize(
    ("kind", "snippet"),
    [
        (ReplyKind.RAISED, SNIPPET),
        (ReplyKind.UNUSABLE, SNIPPET),
        (ReplyKind.UNDEFINED, ""),
        (ReplyKind.TIMEOUT, ""),
        (ReplyKind.DIED, ""),
        (ReplyKind.MALFORMED, ""),
    ],
)
def test_without_a_value_there_is_at_most_the_snippet(kind: ReplyKind, snippet: str) -> None:
    exhibit = shown({PUBLIC: Reply(kind)})
    assert exhibit
    assert (None, None, snippet) == (exhibit.difference, exhibit.picture, exhibit.snippet)


def test_what_was_not_asked_is_no_loss_and_not_shown() -> None:
    assert shown({PUBLIC: Reply(ReplyKind.NOT_RUN)}) is None


def test_a_picture_that_crashes_is_left_out() -> None:
    exhibit = shown({PUBLIC: WRONG}, painter=unlucky)
    assert exhibit
    assert (None, SNIPPET) == (exhibit.picture, exhibit.snippet)


def test_an_answer_that_cannot_be_drawn_has_no_picture() -> None:
    exhibit = shown({PUBLIC: Reply(ReplyKind.VALUE, value="two")})
    assert exhibit
    assert exhibit.picture is None


@check
def wordy(got: Answer, want: Answer, tolerance: float) -> None:  # noqa: ARG001  every check has these arguments
    raise Failed("No.")


@check
def crashing(got: Answer, want: Answer, tolerance: float) -> None:  # noqa: ARG001  every check has these arguments
    raise ZeroDivisionError


@pytest.mark.parametrize(("judge_of", "outcome"), [(wordy, Outcome.FAILED), (crashing, None)])
def test_a_check_of_a_pack_may_find_out_no_numbers(
    judge_of: Check, outcome: Outcome | None
) -> None:
    rubric = parse_rubric(RUBRIC.replace('probe = "doubled"', 'probe = "doubled"\n  check = "own"'))
    exhibit = shown({PUBLIC: WRONG}, checks={"own": judge_of}, rubric=rubric)
    assert (outcome is None) == (exhibit is None)
    assert exhibit is None or exhibit.difference is None
