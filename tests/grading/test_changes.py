"""Why a grade is another one: each reason is told where it is the reason, and only there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from grader.grading.changes import Comparison
from grader.grading.course import Tables
from grader.grading.keys import CHECKS_BY_ITEM, LATE_POLICY
from grader.model import ProbeCall, Reply, ReplyKind
from grader.store import ResultRow
from tests.grading.small_class import SayingExecutor, SmallClass, changed, class_in

PIECES = ("points", "tolerance", "check", "text", "probe", "seeds", "reference")
ITEMS = {"relu": ["relu_values", "relu_shape"], "grid": ["grid_values"]}


def facets(items: Mapping[str, list[str]] = ITEMS, **pieces: Mapping[str, str]) -> dict[str, Any]:
    """What a judgement went by: every piece is "as it was", but for those of `pieces` by check."""
    checks = [check for of in items.values() for check in of]
    judged = {c: {**dict.fromkeys(PIECES, "as it was"), **pieces.get(c, {})} for c in checks}
    return {**judged, LATE_POLICY: "as it was", CHECKS_BY_ITEM: items}


def row(
    points: Mapping[str, str | None],
    checks: Mapping[str, tuple[str, str]],
    *,
    evidence: int = 1,
    sha256: str = "a",
) -> ResultRow:
    record = {
        "final": None,
        "state": "needs-marks",
        "late": [0, "0", "none"],
        "items": dict(points),
        "checks": {check: [*of, "words"] for check, of in checks.items()},
        "asks": "nothing",
    }
    name = ("Ng, Jennifer", "12", "jng")
    return ResultRow(student="s", name=name, sha256=sha256, evidence=evidence, record=record)


PASSED = {
    "relu_values": ("passed", "2"),
    "relu_shape": ("passed", "1"),
    "grid_values": ("passed", "4"),
}
LOST = {**PASSED, "relu_values": ("failed", "0")}
ALL, LESS = {"relu": "3", "grid": "4"}, {"relu": "1", "grid": "4"}


def why(
    before: Mapping[str, Any], after: Mapping[str, Any], old: ResultRow, new: ResultRow
) -> list[tuple[str, str, str, str]]:
    told = Comparison.of(before, after).changes(old, new)
    return [(change.item, change.before, change.after, change.why) for change in told]


@pytest.mark.parametrize(
    ("pieces", "evidence", "told"),
    [
        ({"tolerance": "new"}, 1, "tolerance"),
        ({"tolerance": "new", "text": "new"}, 1, "tolerance"),
        ({"seeds": "new", "reference": "new"}, 2, "hidden seed"),
        ({"probe": "new", "seeds": "new", "reference": "new"}, 2, "probe"),
        ({}, 2, "run again"),
        ({}, 1, "another item"),
    ],
)
def test_a_check_that_went_otherwise(pieces: Mapping[str, str], evidence: int, told: str) -> None:
    found = why(
        facets(),
        facets(relu_values=pieces),
        row(ALL, PASSED),
        row(LESS, LOST, evidence=evidence),
    )
    assert [("relu", "3", "1", told)] == found


def test_another_notebook_and_a_mark() -> None:
    assert [("relu", "3", "1", "new submission")] == why(
        facets(), facets(), row(ALL, PASSED), row(LESS, LOST, sha256="b")
    )
    assert [("grid", "4", "3", "mark")] == why(
        facets(), facets(), row(ALL, PASSED), row({**ALL, "grid": "3"}, PASSED)
    )


def test_a_check_that_is_gone_a_new_one_and_one_that_moved() -> None:
    before = {"relu": ["relu_values", "relu_shape"], "grid": ["grid_values"]}
    moved = {"relu": ["relu_values"], "grid": ["grid_values", "relu_shape"]}
    old, new = row(ALL, PASSED), row({"relu": "2", "grid": "5"}, PASSED)
    assert [("relu", "3", "2", "check is gone"), ("grid", "4", "5", "new check")] == why(
        facets(before), facets(moved), old, new
    )
    fewer = {check: of for check, of in PASSED.items() if check != "relu_shape"}
    less = {"relu": ["relu_values"], "grid": ["grid_values"]}
    gone = row({"relu": "2", "grid": "4"}, fewer)
    assert [("relu", "3", "2", "check is gone")] == why(facets(before), facets(less), old, gone)
    assert [("relu", "2", "3", "new check")] == why(facets(less), facets(before), gone, old)


def test_an_item_that_is_gone_and_a_new_one_whatever_was_handed_in() -> None:
    less = {"relu": ITEMS["relu"]}
    fewer = {check: of for check, of in PASSED.items() if check != "grid_values"}
    old, new = row(ALL, PASSED), row({"relu": "3"}, fewer, sha256="b")
    assert [("grid", "4", "-", "item is gone")] == why(facets(), facets(less), old, new)
    assert [("grid", "-", "4", "new item")] == why(facets(less), facets(), new, old)


# ------------------------------------------------------------------------------- in a class
@pytest.fixture
def small(tmp_path: Path) -> SmallClass:
    return class_in(tmp_path)


GONE = """  [[item.check]]
  id = "fit_untouched"
  title = "x and t are left as they were"
  points = 2
  probe = "fitted"
  check = "left_alone"

"""


def test_a_rubric_without_a_check_says_that_it_is_gone(small: SmallClass) -> None:
    small.texts = {"12": "right"}
    (small.folder / "packs" / "line" / "mistakes.py").unlink()  # one of them loses that check
    small.grade()
    small.replace("rubric.toml", GONE, "")
    small.replace("rubric.toml", "points = 6", "points = 4")
    assert [("12", "fit_line", "6", "4", "check is gone")] == changed(small.rejudge())


def test_another_deadline_and_a_time_that_is_missing(small: SmallClass) -> None:
    """The points are what they were; what is taken off, and what is asked, is not."""
    marks, times = small.folder / "marks.csv", small.folder / "times.csv"
    marks.write_text("student,item,points\n12,answer,3\n", encoding="utf-8")
    times.write_text("student,submitted_at\n12,2026-10-08T20:00\n", encoding="utf-8")
    small.texts = {"12": "right"}
    small.grade(tables={"due": "2026-10-08T23:59", "submitted": times, "marks": marks})
    assert [
        ("12", "late penalty", "0", "2", "times or deadline"),
        ("12", "final", "15", "13", ""),
    ] == changed(small.rejudge(tables=Tables(due="2026-10-07T23:59")))
    times.write_text("student,submitted_at\n", encoding="utf-8")
    assert [
        ("12", "late penalty", "2", "0", "times or deadline"),
        ("12", "final", "13", "needs-attention", "attention"),
    ] == changed(small.rejudge(tables=Tables(submitted=times)))


def test_answers_that_came_out_otherwise_when_it_ran_again(
    small: SmallClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.texts = {"12": "right"}
    small.grade()

    def undefined(_: SayingExecutor, call: ProbeCall, __: str) -> Reply:
        return Reply(ReplyKind.UNDEFINED, detail=call.probe_id)

    monkeypatch.setattr(SayingExecutor, "_reply", undefined)
    night = small.grade(fresh=True)
    assert {"run again"} == {why for *_, why in changed(night)}
