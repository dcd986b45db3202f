"""What is said of a grade: lost, open and still to be marked are three different things."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from grader.exhibits import Exhibit
from grader.judging import judge
from grader.model import (
    CellOutcome,
    CellRun,
    Grade,
    Late,
    Mark,
    ProbedIn,
    Reply,
    ReplyKind,
    RunOutcome,
    RunRecord,
    Seed,
    Student,
    Visibility,
)
from grader.pictures import Listing
from grader.reports.feedback import NO_LINE, ItemView, Row, feedback, listed, run_sentences
from grader.rubric import Rubric
from grader.scoring import score

MakeGrade = Callable[..., Grade]


def item(grade: Grade, rubric: Rubric, item_id: str) -> ItemView:
    (found,) = (v for v in feedback(grade, rubric).items if v.item.item_id == item_id)
    return found


def test_a_notebook_without_a_loss_is_praised(make_grade: MakeGrade, rubric: Rubric) -> None:
    said = feedback(make_grade(), rubric)
    assert ("100 of 100", "Great job!", (), ()) == (
        said.headline,
        said.praise,
        said.losses,
        said.missing,
    )


def test_late_work_without_a_loss_is_praised_too(make_grade: MakeGrade, rubric: Rubric) -> None:
    said = feedback(make_grade(late=Late(days=2, penalty=Decimal(20))), rubric)
    assert ("80 of 100", "Great job!", "Handed in 2 days late.") == (
        said.headline,
        said.praise,
        said.late,
    )


def test_every_lost_point_has_a_reason(make_grade: MakeGrade, rubric: Rubric) -> None:
    marks = {
        "experiments": Mark(points=Decimal(15)),
        "discussion": Mark(points=Decimal("12.5"), comment="Two observations only."),
    }
    grade = make_grade({"adam_trace": "One too many.", "use_shape": "A row."}, marks=marks)
    said = feedback(grade, rubric)
    assert [
        (Decimal(1), "Optimizers.adam", "One too many."),
        (Decimal(2), "NeuralNetwork.use", "A row."),
        (Decimal("2.5"), "Discussion", "Two observations only."),
    ] == [(loss.points, loss.item, loss.message) for loss in said.losses]
    assert ("94.5 of 100", "") == (said.headline, said.praise)


def test_checks_lost_for_one_reason_are_one_loss(make_grade: MakeGrade, rubric: Rubric) -> None:
    undefined = dict.fromkeys(("relu_values", "relu_shape"), "`relu` is not defined.")
    (first, second) = feedback(make_grade({**undefined, "relu_untouched": "No."}), rubric).losses
    assert (Decimal(3), 2, "`relu` is not defined.") == (
        first.points,
        len(first.titles),
        first.message,
    )
    assert (Decimal(2), "No.") == (second.points, second.message)


def test_losses_and_grade_add_up(make_grade: MakeGrade, rubric: Rubric) -> None:
    marks = {"experiments": Mark(points=Decimal(3)), "discussion": Mark(points=Decimal("0.25"))}
    grade = make_grade(dict.fromkeys(("adam_trace", "relu_values"), "No."), marks=marks)
    said = feedback(grade, rubric)
    assert said.possible == (grade.score.final or 0) + sum(loss.points for loss in said.losses)


def test_a_missing_mark_is_not_a_loss(make_grade: MakeGrade, rubric: Rubric) -> None:
    said = feedback(make_grade(marks={}), rubric)
    assert ("70 of 70 for the code", (), "") == (said.headline, said.losses, said.praise)
    assert ("30 points are still to be marked by a person.",) == said.missing
    assert ["70 of 70", "not marked yet", "not attempted"] == [s.points for s in said.sections]


def test_one_missing_mark_leaves_the_other(make_grade: MakeGrade, rubric: Rubric) -> None:
    said = feedback(make_grade(marks={"experiments": Mark(points=Decimal(14))}), rubric)
    assert "14 of 30 so far" == said.sections[1].points
    assert ("15 points are still to be marked by a person.",) == said.missing


def test_extra_credit_still_to_be_marked_is_told_apart(
    make_grade: MakeGrade, rubric: Rubric
) -> None:
    said = feedback(make_grade(marks={}, swish=True), rubric)
    assert (
        "30 points and up to 2 extra points are still to be marked by a person.",
    ) == said.missing
    assert "3 of 5 so far" == said.sections[2].points


def test_extra_credit_is_never_a_loss(make_grade: MakeGrade, rubric: Rubric) -> None:
    grade = make_grade({"swish_values": "Wrong values."}, swish=True)
    said = feedback(grade, rubric)
    assert ((), "Great job!") == (said.losses, said.praise)


def test_extra_credit_that_is_wrong_was_attempted(make_grade: MakeGrade, rubric: Rubric) -> None:
    wrong = dict.fromkeys(("swish_values", "swish_gradient", "swish_network"), "Wrong values.")
    assert "0 of 5" == item(make_grade(wrong, swish=True), rubric, "swish").points


def test_extra_credit_is_not_attempted_where_judging_finds_nothing_defined(rubric: Rubric) -> None:
    key = Seed(Visibility.PUBLIC, 0)
    probes = [probe for probe, _ in rubric.probes]
    expected = {(probe, key): Reply(ReplyKind.VALUE, value=1) for probe in probes}
    got = {(probe, key): Reply(ReplyKind.UNDEFINED, detail="swish") for probe in probes}
    results = judge(rubric, {}, got, expected)
    grade = Grade(
        student=Student(name="Kim"),
        file="",
        sha256="",
        run=RunRecord(outcome=RunOutcome.COMPLETE),
        score=score(rubric, results, {}),
    )
    assert "not attempted" == item(grade, rubric, "swish").points
    assert "0 of 15" == item(grade, rubric, "adam").points


def test_what_could_not_be_tested_is_open_and_not_lost(
    make_grade: MakeGrade, rubric: Rubric
) -> None:
    grade = make_grade(broken=("adam_trace", "relu_values"))
    said = feedback(grade, rubric)
    assert ("No grade yet", (), "") == (said.headline, said.losses, said.praise)
    assert "3 points could not be tested so far." in said.missing
    assert ["67 of 70 so far", "30 of 30", "not attempted"] == [s.points for s in said.sections]
    assert "14 of 15 so far" == item(grade, rubric, "adam").points


def test_nothing_is_zero_where_nothing_was_tested(make_grade: MakeGrade, rubric: Rubric) -> None:
    grade = make_grade(broken=tuple(rule.id for rule in rubric.checks), marks={})
    said = feedback(grade, rubric)
    assert ["not tested yet", "not marked yet", "not tested yet"] == [
        s.points for s in said.sections
    ]


def test_sentences_for_the_staff_are_not_told(make_grade: MakeGrade, rubric: Rubric) -> None:
    asks = "Canvas marked this as late: give the times with --submitted."
    grade = make_grade(attention=(asks,), late=Late(days=None, note=asks))
    said = feedback(grade, rubric)
    assert "Whether this was late is not known yet." == said.late
    assert not any("--submitted" in sentence for sentence in said.missing)


@pytest.mark.parametrize(
    ("late", "said"),
    [
        (Late(days=0), ""),
        (Late(days=0, note="In time: extended until Friday."), "In time: extended until Friday."),
        (Late(days=1, penalty=Decimal(10)), "Handed in 1 day late."),
        (
            Late(days=1, penalty=Decimal(10), note="1 day late: due Monday."),
            "1 day late: due Monday.",
        ),
        (Late(note="Days late are counted later."), "Days late are counted later."),
    ],
)
def test_lateness_is_said_with_its_reason(
    make_grade: MakeGrade, rubric: Rubric, late: Late, said: str
) -> None:
    assert said == feedback(make_grade(late=late), rubric).late


# ------------------------------------------------------------------------------- losses in detail
NO_BIAS = "Your Adam has no bias correction. Look at `mt / (1 - beta1t)`."


def with_mistake(grade: Grade, mistake: str, *checks: str) -> Grade:
    """The grade with a mistake named in some of its lost checks."""
    items = tuple(
        replace(
            item,
            checks=tuple(
                replace(c, mistake=mistake) if c.check_id in checks else c for c in item.checks
            ),
        )
        for item in grade.score.items
    )
    return replace(grade, score=replace(grade.score, items=items))


def test_a_mistake_that_costs_several_checks_is_told_once(
    make_grade: MakeGrade, rubric: Rubric
) -> None:
    lost = {
        "adam_parabola": f"{NO_BIAS} Expected 5, yours is 4.",
        "adam_one_step": f"{NO_BIAS} Expected 1, yours is 2. Mind the first step.",
    }
    (loss,) = feedback(with_mistake(make_grade(lost), "no_bias", *lost), rubric).losses
    assert (Decimal(7), "no_bias", NO_BIAS) == (loss.points, loss.mistake, loss.message)
    assert "Optimizers.adam: Your Adam has no bias correction." == loss.headline
    assert "Look at `mt / (1 - beta1t)`." == loss.more
    assert ["Expected 5, yours is 4.", "Expected 1, yours is 2. Mind the first step."] == [
        check.words for check in loss.checks
    ]


def test_a_mistake_in_two_items_is_told_once_before_all_and_in_each(
    make_grade: MakeGrade, rubric: Rubric
) -> None:
    lost = dict.fromkeys(("relu_values", "grad_relu_values"), "Both are inverted.")
    said = feedback(with_mistake(make_grade(lost), "inverted", *lost), rubric)
    (loss,) = said.losses
    assert (Decimal(4), "relu and grad_relu") == (loss.points, loss.item)
    parts = [part for view in said.items if not view.extra for part in view.losses]
    assert [Decimal(2), Decimal(2)] == [part.points for part in parts]


def test_the_foremost_losses_are_those_of_most_points(
    make_grade: MakeGrade, rubric: Rubric
) -> None:
    lost = {"adam_trace": "a", "relu_values": "b", "use_values": "c", "adam_parabola": "d"}
    said = feedback(make_grade(lost), rubric)
    assert ["d", "c", "b"] == [loss.message for loss in said.foremost]
    assert ("One more reason, told below.", Decimal(1)) == (said.further, said.further_points)


def test_rows_take_the_place_of_the_sentence_that_says_the_same(
    make_grade: MakeGrade,
    make_exhibits: Callable[[str], dict[str, Exhibit]],
    shown_losses: Mapping[str, str],
    rubric: Rubric,
) -> None:
    said = feedback(make_grade(shown_losses), rubric, make_exhibits("x"))
    adam = next(loss for loss in said.losses if loss.item == "Optimizers.adam")
    assert "The result has wrong values. Mind the epochs." == adam.message
    assert (
        Row(label="First difference, at [0, 1]", expected="2", yours="x"),
        Row(label="Largest difference, 36, at [1, 1]", expected="4", yours="40"),
    ) == adam.checks[0].rows
    assert "2 of 4 values differ." == adam.checks[0].share


def test_one_snippet_is_not_shown_twice_in_an_item(make_grade: MakeGrade, rubric: Rubric) -> None:
    lost = {"relu_values": "Wrong values.", "relu_shape": "Wrong shape."}
    exhibits = dict.fromkeys(lost, Exhibit(snippet="print(1)"))
    losses = feedback(make_grade(lost), rubric, exhibits).losses
    assert ["print(1)", ""] == [loss.snippet for loss in losses]


def test_wrong_extra_credit_is_shown_where_it_is_and_is_no_loss(
    make_grade: MakeGrade, rubric: Rubric
) -> None:
    grade = make_grade({"swish_values": "Wrong values."}, swish=True)
    (loss,) = item(grade, rubric, "swish").losses
    assert "Wrong values." == loss.message
    assert () == feedback(grade, rubric).foremost


def test_alike_lines_of_a_listing_stand_side_by_side() -> None:
    listing = Listing(expected=("a", "b", "c"), yours=("b", "c", "d"), caption="")
    assert [("a", NO_LINE, True), ("b", "b", False), ("c", "c", False), (NO_LINE, "d", True)] == (
        listed(listing)
    )


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("`a. B` is wrong. See there.", "`a. B` is wrong."),
        ("Expected 5.04, not 4. 2 more.", "Expected 5.04, not 4. 2 more."),
        ("One", "One"),
        ("What is `mt` for? Look.", "What is `mt` for?"),
        ("It is e.g. there. `x` is not.", "It is e.g. there."),
    ],
)
def test_the_reason_is_the_first_sentence(
    make_grade: MakeGrade, rubric: Rubric, message: str, reason: str
) -> None:
    (loss,) = feedback(make_grade({"relu_shape": message}), rubric).losses
    assert reason == loss.reason


# ------------------------------------------------------------------------------- the run
def ran(outcome: RunOutcome, probed_in: ProbedIn | None, *cells: CellOutcome) -> str:
    runs = tuple(CellRun(index=i, outcome=cell) for i, cell in enumerate(cells))
    run = RunRecord(outcome=outcome, probed_in=probed_in, cells=runs, seconds=2.0)
    return " ".join(run_sentences(run))


def test_a_run_to_the_end_is_said_in_one_sentence() -> None:
    cells = (CellOutcome.OK, CellOutcome.OK)
    said = ran(RunOutcome.COMPLETE, ProbedIn.NOTEBOOK, *cells)
    assert "All 2 code cells ran without an error, in 2 s." == said


def test_errors_are_counted() -> None:
    said = ran(RunOutcome.ERRORS, ProbedIn.NOTEBOOK, CellOutcome.OK, CellOutcome.ERROR)
    assert said.startswith("1 of 2 code cells stopped with an error.")


@pytest.mark.parametrize("outcome", [RunOutcome.DIED, RunOutcome.TIMEOUT])
def test_definitions_are_named_where_they_were_tested(outcome: RunOutcome) -> None:
    assert "fresh kernel" in ran(outcome, ProbedIn.DEFINITIONS, CellOutcome.DIED)


@pytest.mark.parametrize("outcome", list(RunOutcome))
@pytest.mark.parametrize("probed_in", [*ProbedIn, None])
def test_every_run_is_said(outcome: RunOutcome, probed_in: ProbedIn | None) -> None:
    assert ran(outcome, probed_in).endswith(".")


def test_a_grade_of_another_rubric_is_told_all_the_same(
    make_grade: MakeGrade, rubric: Rubric
) -> None:
    other = renamed(rubric)
    assert feedback(make_grade(), other).headline == "100 of 100"


def renamed(rubric: Rubric) -> Rubric:
    """The rubric as it is after its author renamed an item."""
    first = rubric.item[0].model_copy(update={"id": "renamed"})
    return rubric.model_copy(update={"item": (first, *rubric.item[1:])})
