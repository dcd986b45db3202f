"""Replies in, verdicts out: whose fault it is, what is said, and that one mistake costs once."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from grader.checks import Answer, Check, Failed, agrees, catalogue, check, require
from grader.errors import PackError
from grader.judging import COULD_NOT_JUDGE, judge
from grader.model import (
    CheckResult,
    Other,
    Outcome,
    ProbeKey,
    Reply,
    ReplyKind,
    Seed,
    Table,
    Value,
    Visibility,
)
from grader.rubric import Rubric, parse_rubric

PUBLIC, HIDDEN = Seed(Visibility.PUBLIC, 0), Seed(Visibility.HIDDEN, 0)
RUBRIC = parse_rubric(
    """
title = "T"
reference = "r.py"
[[item]]
id = "part"
title = "Part"
section = "code"
points = 3
check = [{id = "part_values", title = "values", points = 3, probe = "part", hint = "Look again."}]
[[item]]
id = "whole"
title = "Whole"
section = "code"
points = 4
[[item.check]]
id = "whole_values"
title = "values"
points = 4
probe = "whole"
if_lost = {items = ["part"], probe = "whole_right_part"}
"""
)


def value(content: Value) -> Reply:
    return Reply(ReplyKind.VALUE, content)


RIGHT: dict[ProbeKey, Reply] = {
    (probe, seed): value(np.array([1.0, 2.0]) + (seed is HIDDEN))
    for probe in ("part", "whole", "whole_right_part")
    for seed in (PUBLIC, HIDDEN)
}
WRONG = value(np.array([1.0, 99.0]))


def judged(
    *, rubric: Rubric = RUBRIC, own: dict[str, Check] | None = None, **changed: Reply
) -> dict[str, CheckResult]:
    """Judge right replies but for those given as `probe_public` or `probe_hidden`."""
    replies = dict(RIGHT)
    for key, reply in changed.items():
        probe, _, seed = key.rpartition("_")
        replies[probe, PUBLIC if seed == "public" else HIDDEN] = reply
    return {r.check_id: r for r in judge(rubric, catalogue(own or {}), replies, RIGHT)}


def test_right_answers_pass_and_earn() -> None:
    results = judged()
    assert [Decimal(3), Decimal(4)] == [r.earned for r in results.values()]
    assert {Outcome.PASSED} == {r.outcome for r in results.values()}


def test_a_public_check_tells_the_numbers() -> None:
    result = judged(part_public=WRONG)["part_values"]
    assert Outcome.FAILED is result.outcome
    assert Visibility.PUBLIC is result.visibility
    assert (
        "The result has wrong values. Expected 2 at index [1], yours is 99 "
        "(1 of 2 values differ). Look again." == result.message
    )


def test_a_hidden_check_tells_no_number() -> None:
    """Who answers only the public questions right is told so, but not what was asked."""
    result = judged(part_hidden=WRONG)["part_values"]
    assert (Outcome.FAILED, Visibility.HIDDEN) == (result.outcome, result.visibility)
    assert "99" not in result.message
    assert "2" not in result.message
    assert "other inputs than the public ones" in result.message
    assert "Expected 2" in result.staff_note


def test_what_a_students_code_says_of_hidden_inputs_is_not_told() -> None:
    raised = Reply(ReplyKind.RAISED, detail="the input was 42.5", error_type="ValueError")
    result = judged(part_hidden=raised)["part_values"]
    assert "42.5" not in result.message
    assert "ValueError" in result.message


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(ReplyKind.UNDEFINED, detail="relu"), "`relu` is not defined in the notebook."),
        (Reply(ReplyKind.RAISED, detail="oh", error_type="ValueError"), "stopped with ValueError"),
        (Reply(ReplyKind.UNUSABLE, error_type="TypeError"), "could not be used"),
        (Reply(ReplyKind.TIMEOUT), "did not come to an end"),
        (Reply(ReplyKind.DIED), "ended the Python process"),
        (Reply(ReplyKind.MALFORMED, detail="it is nested too deeply"), "nested too deeply"),
    ],
)
def test_without_a_value_the_check_is_lost_and_says_why(reply: Reply, said: str) -> None:
    result = judged(part_public=reply)["part_values"]
    assert (Outcome.FAILED, Decimal(0)) == (result.outcome, result.earned)
    assert said in result.message


def test_a_question_that_was_not_put_is_our_fault() -> None:
    result = judged(part_public=Reply(ReplyKind.NOT_RUN))["part_values"]
    assert (Outcome.BROKEN, COULD_NOT_JUDGE) == (result.outcome, result.message)


def test_a_check_that_crashes_is_our_fault_and_tells_the_student_nothing() -> None:
    def crash(*_: object) -> None:
        raise KeyError("secret")

    rubric = parse_rubric(
        'title = "T"\nreference = "r"\n[[item]]\nid = "i"\ntitle = ""\nsection = "code"\n'
        'points = 1\ncheck = [{id="c", title="", points=1, probe="part", check="crash"}]'
    )
    result = judged(rubric=rubric, own={"crash": check(crash)})["c"]
    assert Outcome.BROKEN is result.outcome
    assert "secret" not in result.message
    assert "secret" in result.staff_note


def test_one_mistake_costs_once() -> None:
    """The whole fails because the part does; with a right part it stands, and says so."""
    results = judged(part_public=WRONG, whole_public=WRONG)
    assert Outcome.FAILED is results["part_values"].outcome
    assert Outcome.PASSED is results["whole_values"].outcome
    assert "right version of `part`" in results["whole_values"].message


def test_two_mistakes_cost_twice() -> None:
    results = judged(part_public=WRONG, whole_public=WRONG, whole_right_part_public=WRONG)
    assert {Outcome.FAILED} == {r.outcome for r in results.values()}


def test_stand_ins_excuse_nothing_where_the_part_is_right() -> None:
    """A whole that is wrong although its part has all its points is wrong by itself."""
    assert Outcome.FAILED is judged(whole_public=WRONG)["whole_values"].outcome


def test_each_check_is_lost_for_the_first_seed_that_it_fails() -> None:
    result = judged(part_public=WRONG, part_hidden=Reply(ReplyKind.DIED))["part_values"]
    assert Visibility.PUBLIC is result.visibility


# ------------------------------------------------------------------------------- agrees
@pytest.mark.parametrize(
    ("got", "complaint"),
    [
        pytest.param(None, "nothing was returned", id="nothing"),
        pytest.param("1 2", "should be numbers", id="text"),
        pytest.param(np.array(["1", "2"]), "should be numbers", id="array-of-text"),
        pytest.param(np.array([1 + 0j, 2]), "should be numbers", id="complex"),
        pytest.param(np.array([[1.0, 2.0]]), "should have shape", id="shape"),
        pytest.param(np.array([1.0, np.nan]), "wrong values", id="nan"),
        pytest.param(np.array([1.0, np.inf]), "wrong values", id="infinity"),
        pytest.param([1.0, [2.0]], "should be numbers", id="ragged"),
        pytest.param([10**30, 2], "wrong values", id="huge"),
        pytest.param({"a": 1}, "should be numbers", id="dict"),
        pytest.param(Other("Module"), "a Module", id="other"),
        pytest.param(Table((), (), 0), "a DataFrame", id="table"),
    ],
)
def test_no_value_can_make_agrees_crash(got: Value, complaint: str) -> None:
    with pytest.raises(Failed, match=complaint):
        agrees(Answer(got), Answer(np.array([1.0, 2.0]), theirs=False), 1e-6)


@pytest.mark.parametrize(
    ("got", "want"),
    [
        ([1, 2], np.array([1.0, 2.0])),
        (np.array([True, False]), np.array([1.0, 0.0])),
        (np.array([0.1], dtype=np.float32), np.array([0.1])),
        (np.array([[3.0]]), 3.0),
        ({"a": [1, "x"], "more": 0}, {"a": [1, "x"]}),
        (np.zeros((0, 3)), np.zeros((0, 3))),
    ],
)
def test_what_means_the_same_agrees(got: Value, want: Value) -> None:
    agrees(Answer(got), Answer(want, theirs=False), 1e-6)


@pytest.mark.parametrize(
    ("got", "want"),
    [([1], [1, 2]), ({}, {"a": 1}), (1, "1"), ("a", "b"), (1, True), (0, None), ([], 3.0)],
)
def test_what_differs_does_not_agree(got: Value, want: Value) -> None:
    with pytest.raises(Failed):
        agrees(Answer(got), Answer(want, theirs=False), 1e-6)


def test_a_reference_that_does_not_fit_is_the_authors_fault() -> None:
    with pytest.raises(PackError, match="reference's answer"):
        Answer("text", theirs=False).array()


def test_require_keeps_words_and_numbers_apart() -> None:
    with pytest.raises(Failed) as caught:
        require(condition=False, words="Too long.", numbers="7 for 5")
    assert ("Too long.", "7 for 5") == (caught.value.words, caught.value.numbers)
