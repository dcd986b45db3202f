"""The name of a mistake: told where the answers are its answers, never guessed, found again later.

Here is one small assignment, of which all answers are written down; nothing is ever run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from grader.checks import Answer, Check, catalogue, check, require
from grader.diagnosis import alike, items_to_diagnose, named, shaken, told
from grader.judging import judge
from grader.mistakes import Mistake, mistake
from grader.model import (
    CheckResult,
    Outcome,
    ProbeKey,
    Reply,
    ReplyKind,
    Seed,
    Table,
    Value,
    Visibility,
)
from grader.rubric import parse_rubric

PUBLIC, HIDDEN = Seed(Visibility.PUBLIC, 0), Seed(Visibility.HIDDEN, 0)
SEEDS = (PUBLIC, HIDDEN)
RUBRIC = parse_rubric(
    """
title = "T"
reference = "r.py"
[[item]]
id = "mean"
title = "mean"
section = "code"
points = 4
[[item.check]]
id = "mean_again"
title = "of something else"
points = 1
probe = "again"
[[item.check]]
id = "mean_values"
title = "values"
points = 2
probe = "mean"
[[item.check]]
id = "mean_shape"
title = "shape"
points = 1
probe = "mean"
check = "shape"
[[item]]
id = "slope"
title = "slope"
section = "code"
points = 4
[[item.check]]
id = "slope_direction"
title = "direction"
points = 4
probe = "slope"
check = "direction"
if_lost = {items = ["mean"], probe = "slope_right_mean"}
"""
)


@check
def shape(got: Answer, want: Answer, _tolerance: float) -> None:
    require(got.array().shape == want.array().shape, "It has another shape.")


@check
def direction(got: Answer, want: Answer, tolerance: float) -> None:
    """Any positive multiple of the right answer is right."""
    yours, right = got.array(), want.array()
    cosine = yours @ right / (np.linalg.norm(yours) * np.linalg.norm(right))
    require(bool(cosine > 1 - tolerance), "It points elsewhere.")


CHECKS: Mapping[str, Check] = catalogue({"shape": shape, "direction": direction})
# Every answer is that to the public question; the hidden one's is one more in each number.
MEAN = np.array([1.0, 2.0])
ANSWERS = {
    "sum_for_mean": {"mean": 7 * MEAN},
    "sums_everywhere": {"mean": 7 * MEAN, "again": 3 * MEAN},
    "flat_mean": {"mean": MEAN.sum()},
    "uphill": {"slope": np.array([-3.0, -4.0]), "slope_right_mean": np.array([-3.0, -4.0])},
    "no_factor": {"slope": np.array([3.0, 0.0]), "slope_right_mean": np.array([3.0, 0.0])},
}
REFERENCE = {
    "mean": MEAN,
    "again": 2 * MEAN,
    "slope": np.array([3.0, 4.0]),
    "slope_right_mean": np.array([3.0, 4.0]),
}
MISTAKES = {
    "sum_for_mean": mistake("mean", "That is the sum.", [("a", "b")]),
    "sums_everywhere": mistake("mean", "All are sums.", [("a", "b")]),
    "flat_mean": mistake("mean", "That is one number for all.", [("a", "b")]),
    "uphill": mistake("slope", "That walks uphill.", [("a", "b")]),
    "no_factor": mistake("slope", "A factor is missing.", [("a", "b")]),
}


def replies(answers: Mapping[str, Value]) -> dict[ProbeKey, Reply]:
    return {
        (probe, seed): Reply(ReplyKind.VALUE, np.asarray(value) + (seed is HIDDEN))
        for probe, value in answers.items()
        for seed in SEEDS
    }


RIGHT = replies(REFERENCE)
WRONG = {name: replies(answers) for name, answers in ANSWERS.items()}
KNOWN = {name: (RIGHT | wrong,) for name, wrong in WRONG.items()}


def diagnosed(
    evidence: Mapping[ProbeKey, Reply],
    *,
    mistakes: Mapping[str, Mistake] = MISTAKES,
    known: Mapping[str, tuple[Mapping[ProbeKey, Reply], ...]] = KNOWN,
) -> dict[str, CheckResult]:
    """Judge answers, those not given being right; return the lost checks, with their names."""
    given = {**RIGHT, **evidence}
    results = judge(RUBRIC, CHECKS, given, RIGHT)
    names = named(
        RUBRIC,
        CHECKS,
        mistakes,
        results,
        replies=given,
        expected=RIGHT,
        known=known,
        looks={},
        items=items_to_diagnose(RUBRIC, results),
    )
    said = told(results, names, mistakes)
    return {r.check_id: r for r in said if r.outcome is Outcome.FAILED}


def names(found: Mapping[str, CheckResult]) -> dict[str, str | None]:
    return {check_id: result.mistake for check_id, result in found.items()}


# ------------------------------------------------------------------------------- named
def test_an_answer_that_a_mistake_gives_is_named_and_led_by_its_sentence() -> None:
    found = diagnosed(WRONG["sum_for_mean"])
    assert {"mean_values": "sum_for_mean"} == names(found)
    assert found["mean_values"].message.startswith("That is the sum. ")
    assert "Expected" in found["mean_values"].message


def test_a_right_answer_has_no_name_and_nothing_to_look_for() -> None:
    assert {} == diagnosed({})
    assert () == items_to_diagnose(RUBRIC, judge(RUBRIC, CHECKS, RIGHT, RIGHT))


def test_two_mistakes_in_different_items_are_both_named() -> None:
    found = diagnosed(WRONG["sum_for_mean"] | WRONG["uphill"])
    assert {"mean_values": "sum_for_mean", "slope_direction": "uphill"} == names(found)
    lost = judge(RUBRIC, CHECKS, RIGHT | WRONG["sum_for_mean"] | WRONG["uphill"], RIGHT)
    assert ("mean", "slope") == items_to_diagnose(RUBRIC, lost)


def test_a_mistake_that_the_other_parts_mistake_hides_is_found_behind_it() -> None:
    """What the student's own mean does to the slope is no mistake's; with a right mean it is."""
    hidden = replies({"slope": np.array([0.5, 8.0])})
    behind = {k: r for k, r in WRONG["uphill"].items() if k[0] == "slope_right_mean"}
    found = diagnosed(WRONG["sum_for_mean"] | hidden | behind)
    assert {"mean_values": "sum_for_mean", "slope_direction": "uphill"} == names(found)


def test_what_a_check_lets_the_right_answer_do_a_wrong_one_may_do_too() -> None:
    """Uphill twice as far is uphill."""
    doubled = {
        key: replace(reply, value=2 * np.asarray(reply.value))
        for key, reply in WRONG["uphill"].items()
    }
    assert {"slope_direction": "uphill"} == names(diagnosed(doubled))


def test_of_several_ways_to_make_a_mistake_any_will_do() -> None:
    other = replies({"mean": np.array([5.0, 5.0])})
    known = {**KNOWN, "sum_for_mean": (*KNOWN["sum_for_mean"], RIGHT | other)}
    assert {"mean_values": "sum_for_mean"} == names(diagnosed(other, known=known))


def test_the_mistake_that_explains_more_is_the_one_that_is_named() -> None:
    """The sum explains one of the two checks; what explains both is the better account."""
    found = names(diagnosed(WRONG["sums_everywhere"]))
    assert {"mean_again": "sums_everywhere", "mean_values": "sums_everywhere"} == found


def test_what_is_lost_besides_has_no_name_and_takes_none_away() -> None:
    """The second check is lost to something that nobody knows."""
    found = names(diagnosed(WRONG["sum_for_mean"] | replies({"again": 9 * MEAN})))
    assert {"mean_again": None, "mean_values": "sum_for_mean"} == found


# ------------------------------------------------------------------------------- not guessed
def test_where_two_mistakes_answer_alike_both_are_told_and_none_is_named() -> None:
    either = {**MISTAKES, "total": mistake("mean", "Nothing divides.", [("a", "b")])}
    known = {**KNOWN, "total": KNOWN["sum_for_mean"]}
    found = diagnosed(WRONG["sum_for_mean"], mistakes=either, known=known)
    assert {"mean_values": None} == names(found)
    assert found["mean_values"].message.startswith("Either: That is the sum. Or: Nothing divides. ")


@pytest.mark.parametrize(
    "answers",
    [
        {"mean": 7.1 * MEAN},  # close to the sum, but not the sum
        {"mean": np.array([7.0, 2.0])},  # the sum in one number, right in the other
        {"mean": np.append(7 * MEAN, 0.0)},  # the sum and one number more
    ],
)
def test_what_answers_otherwise_even_in_one_number_has_no_name(answers: dict[str, Value]) -> None:
    assert {None} == set(names(diagnosed(replies(answers))).values())


def test_a_mistake_of_the_public_answers_only_has_no_name() -> None:
    half = {key: reply for key, reply in WRONG["sum_for_mean"].items() if key[1] is PUBLIC}
    assert {"mean_values": None} == names(diagnosed(half))


@pytest.mark.parametrize("kind", [ReplyKind.TIMEOUT, ReplyKind.DIED, ReplyKind.MALFORMED])
def test_no_answer_is_nobodys_mistake(kind: ReplyKind) -> None:
    """Though the mistake gives none either."""
    silence = {("mean", seed): Reply(kind) for seed in SEEDS}
    known = {**KNOWN, "sum_for_mean": (RIGHT | silence,)}
    assert {None} == set(names(diagnosed(silence, known=known)).values())


def test_an_exception_is_named_by_its_kind_and_words_wherever_it_came_from() -> None:
    def stopped(place: str) -> dict[ProbeKey, Reply]:
        said = f"division by zero (in `{place}`)"
        return {
            ("mean", seed): Reply(ReplyKind.RAISED, detail=said, error_type="ZeroDivisionError")
            for seed in SEEDS
        }

    known = {**KNOWN, "sum_for_mean": (RIGHT | stopped("mean"),)}
    found = names(diagnosed(stopped("my_mean"), known=known))
    assert {"mean_values": "sum_for_mean", "mean_shape": "sum_for_mean"} == found


# ------------------------------------------------------------------------------- later
def test_a_longer_catalogue_names_what_an_older_one_could_not() -> None:
    """From the same evidence: nothing is run to find out."""
    evidence = WRONG["sum_for_mean"]
    older = {name: each for name, each in MISTAKES.items() if name != "sum_for_mean"}
    before, after = diagnosed(evidence, mistakes=older), diagnosed(evidence)
    assert ({"mean_values": None}, {"mean_values": "sum_for_mean"}) == (names(before), names(after))
    assert before["mean_values"].earned == after["mean_values"].earned


def test_a_mistake_whose_answers_are_not_known_is_not_looked_for() -> None:
    assert {"mean_values": None} == names(diagnosed(WRONG["sum_for_mean"], known={}))


# ------------------------------------------------------------------------------- values
TABLE = Table(("a",), (np.array([1.0, 2.0]),), 2)


@pytest.mark.parametrize(
    "value", [1.5, 3, np.array([[1.0, np.nan]]), [1.0, [2.0]], {"w": 2.0}, TABLE]
)
def test_every_answer_is_like_itself_and_not_like_itself_shaken(value: Value) -> None:
    assert alike(value, value, 1e-6)
    assert not alike(value, shaken(value), 1e-3)


@pytest.mark.parametrize(
    ("a", "b"), [(True, 1.0), (None, 0.0), ("1", 1.0), ([1.0], [1.0, 2.0]), ({"a": 1.0}, [1.0])]
)
def test_what_is_of_another_kind_is_not_alike(a: Value, b: Value) -> None:
    assert not alike(a, b, 1e-6)
    assert not alike(b, a, 1e-6)
