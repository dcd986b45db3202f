"""What was run is not run again; what changed is judged again, and said with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader.errors import KernelError, StoreError, UsageError
from grader.evidence import MAX_BYTES
from grader.grading.course import Tables
from grader.grading.night import grade_night
from grader.grading.watcher import Watcher
from grader.model import Evidence, Limits, ProbeCall, Reply, ReplyKind, State, Submission
from grader.reports.changes import HistoryRow, history_report
from grader.store import locked, open_store
from tests.grading.small_class import SayingExecutor, SmallClass, changed, class_in

HANDED_IN = Path("docs/examples/handed-in")
MARKS = "student,item,points,comment\n12,answer,2,Good.\n17,answer,3,\n23,answer,1,\n"


@pytest.fixture
def small(tmp_path: Path) -> SmallClass:
    return class_in(tmp_path)


def marks(small: SmallClass, text: str = MARKS) -> dict[str, Path]:
    path = small.folder / "marks.csv"
    path.write_text(text, encoding="utf-8")
    return {"marks": path}


# ------------------------------------------------------------------------------- resume
def test_an_unchanged_export_starts_no_kernel_and_gives_the_same_bytes(small: SmallClass) -> None:
    small.grade()
    before, times = small.outputs(), page_times(small)
    night = small.grade()
    assert 1 == small.opened
    assert 0 == night.executed
    assert () == night.changes
    assert before == small.outputs()
    assert times == page_times(small), "a page was written though nothing in it changed"


def page_times(small: SmallClass) -> dict[str, int]:
    paths = [*(small.out / "feedback").iterdir(), small.out / "feedback.zip"]
    return {path.name: path.stat().st_mtime_ns for path in paths}


def test_fresh_runs_everything_again(small: SmallClass) -> None:
    small.grade()
    assert 3 == small.grade(fresh=True).executed


def test_a_later_download_runs_what_is_new_or_changed_and_says_so(small: SmallClass) -> None:
    small.texts = {"12": "right", "17": "break predictions"}
    small.grade()
    small.texts = {"12": "right", "17": "right now", "23": "right"}
    small.attempt = 350
    small.asked.clear()
    night = small.grade()
    assert {"leeana_17_35017_A1.ipynb", "diazeva_23_35023_A1.ipynb"} == {f for f, _ in small.asked}
    assert [("17", "predict", "0", "2", "new submission")] == changed(night)


class _StoppedError(BaseException):
    """As a kill: nothing that the grader does about errors happens."""


def stopped(small: SmallClass, after: int, **options: Any) -> None:
    """Grade one at a time until so many were run, and then no more."""
    order = small.order(jobs=1, **options)

    @contextmanager
    def stopping() -> Iterator[SayingExecutor]:
        with small.executor(order) as executor:
            run = executor.run

            class Stopping(SayingExecutor):
                slots = 0

                async def run(self, submission: Submission, calls: Sequence[ProbeCall]) -> Evidence:
                    if len(self.asked) == after:
                        raise _StoppedError
                    return await run(submission, calls)

            yield Stopping(executor.exam, executor.asked)

    with pytest.raises(_StoppedError):
        grade_night(order, stopping, Watcher())


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_night_that_was_stopped_goes_on_where_it_was(small: SmallClass, after: int) -> None:
    stopped(small, after)
    assert after == len(small.asked)
    small.grade(jobs=1)
    files = [file for file, _ in small.asked]
    assert 3 == len(files) == len(set(files)), "a notebook ran twice, or not at all"
    twin = class_in(small.folder / "twin")
    twin.grade(jobs=1)
    assert twin.results() == small.results()


def test_what_was_never_run_is_told_apart_from_what_was_not_asked(small: SmallClass) -> None:
    stopped(small, 2)
    (told,) = (notice for notice in small.rejudge().notices if "notebooks" in notice)
    assert told.startswith("1 notebooks were not run yet: the command of `grader grade`")
    small.replace("probes.py", "rng.uniform(-3, 3, 7)", "rng.uniform(-3, 3, 9)")
    never, again = (notice for notice in small.rejudge().notices if "notebooks" in notice)
    assert never.startswith("1 notebooks were not run yet")
    assert again.startswith("2 notebooks must run again to be asked predictions, which are new")


def test_equal_notebooks_run_once_and_that_is_in_everybodys_story(small: SmallClass) -> None:
    for file in ("ngjennifer_12_34012_A1.ipynb", "leeana_17_34017_A1.ipynb"):
        (small.folder / file).write_bytes((HANDED_IN / "Ng-A0.ipynb").read_bytes())
    order = small.order(sources=tuple(small.folder.glob("*.ipynb")))
    totals: list[int] = []
    seen: list[bool] = []
    watcher = Watcher(began=totals.append, seen=seen.append)
    night = grade_night(order, lambda: small.executor(order), watcher)
    assert (1, 0) == (night.executed, night.reused)
    assert [len(seen)] == totals == [2]
    for student in ("12", "17"):
        assert ["handed-in", "ran", "graded"] == [row.what for row in small.story(student).rows]
    night = grade_night(order, lambda: small.executor(order), Watcher())
    assert (0, 1) == (night.executed, night.reused)


def test_a_fault_of_ours_is_never_kept_as_the_students(small: SmallClass) -> None:
    order = small.order()

    @contextmanager
    def broken() -> Iterator[SayingExecutor]:
        class Broken(SayingExecutor):
            slots = 0

            async def run(self, submission: Submission, calls: Sequence[ProbeCall]) -> Evidence:
                raise KernelError("The kernel did not start.")

        with small.executor(order) as executor:
            yield Broken(executor.exam)

    night = grade_night(order, broken, Watcher())
    assert {State.NEEDS_ATTENTION} == {grade.score.state for grade in night.grades}
    night = small.grade()
    assert 3 == night.executed
    assert {State.NEEDS_MARKS} == {grade.score.state for grade in night.grades}


def test_an_answer_too_large_to_be_kept_concerns_its_own_notebook_only(small: SmallClass) -> None:
    order = small.order()
    beyond = np.broadcast_to(np.zeros(1), (MAX_BYTES,))  # 16 GB for whoever copies it

    @contextmanager
    def with_one_too_large() -> Iterator[SayingExecutor]:
        class TooLarge(SayingExecutor):
            async def run(self, submission: Submission, calls: Sequence[ProbeCall]) -> Evidence:
                evidence = await SayingExecutor.run(self, submission, calls)
                if "_12_" not in submission.file:
                    return evidence
                reply = Reply(ReplyKind.VALUE, beyond)
                return replace(evidence, replies=dict.fromkeys(evidence.replies, reply))

        with small.executor(order) as executor:
            yield TooLarge(executor.exam)

    night = grade_night(order, with_one_too_large, Watcher())
    states = {grade.student.canvas_id: grade.score.state for grade in night.grades}
    marked, attention = State.NEEDS_MARKS, State.NEEDS_ATTENTION
    assert {"12": attention, "17": marked, "23": marked} == states
    assert 1 == small.grade().executed


def test_other_limits_run_again_only_what_they_could_change(small: SmallClass) -> None:
    small.grade()
    assert 0 == small.grade(limits=Limits(cell_seconds=999)).executed
    assert 3 == small.grade(limits=Limits(cell_seconds=1)).executed


def test_two_graders_in_one_folder_are_one_too_many(small: SmallClass) -> None:
    small.grade()
    with locked(small.out / "store"), pytest.raises(StoreError, match="Another grader is at work"):
        small.grade()


def test_somebody_who_is_not_there_any_more_is_left_out_with_their_page(small: SmallClass) -> None:
    small.grade()
    del small.texts["17"]
    night = small.grade()
    assert any("1 who were graded here before" in notice for notice in night.notices)
    assert 2 == len(list((small.out / "feedback").iterdir()))


def test_somebody_who_is_called_something_else_now_has_one_page(small: SmallClass) -> None:
    """Unless the old one is not as it was written: what others put there is theirs."""
    small.grade()
    feedback = small.out / "feedback"
    (feedback / "lee-ana-17.html").write_text("mine", encoding="utf-8")
    order = small.order()
    roster = order.tables.roster
    assert roster is not None
    text = roster.read_text(encoding="utf-8")
    text = text.replace("Ng, Jennifer", "Roe, Jennifer").replace("Lee, Ana", "Kim, Ana")
    roster.write_text(text, encoding="utf-8")
    grade_night(order, lambda: small.executor(order), Watcher())
    assert {
        "roe-jennifer-12.html",
        "kim-ana-17.html",
        "lee-ana-17.html",
        "diaz-eva-23.html",
    } == {path.name for path in feedback.iterdir()}


def test_a_page_that_somebody_changed_is_written_again(small: SmallClass) -> None:
    small.grade()
    before = small.outputs()
    for path in (small.out / "feedback").iterdir():
        path.write_text("mine")
    small.grade()
    assert before == small.outputs()


def test_a_damaged_part_asks_for_a_person_and_the_others_go_on(small: SmallClass) -> None:
    small.texts |= {"17": "break predictions", "23": "break fitted"}  # no two answer alike
    small.grade()
    store = open_store(small.out)
    (kept, *_), *_ = store.evidence().values()
    store.close()
    (path,) = small.out.rglob(f"{kept.replies}.replies")
    path.write_bytes(b"")
    small.replace("checks.py", "require(not squared", "require(squared is not True")
    night = small.grade()
    states = sorted(grade.score.state for grade in night.grades)
    assert [State.NEEDS_ATTENTION, State.NEEDS_MARKS, State.NEEDS_MARKS] == states
    assert any("damaged" in row.what for row in night.attention)
    assert 3 == small.grade(fresh=True).executed


# ------------------------------------------------------------------------------- rejudge
def test_editing_one_items_points_shows_exactly_the_students_concerned(small: SmallClass) -> None:
    """Ng lost the check, so nothing changes for her; the others get what it is worth now."""
    small.texts["12"] = "break predictions"
    small.grade()
    kernels = small.opened
    small.replace("rubric.toml", "points = 2\n\n  [[item.check]]", "points = 5\n\n  [[item.check]]")
    small.replace("rubric.toml", '  points = 2\n  probe = "pred', '  points = 5\n  probe = "pred')
    night = small.rejudge()
    assert [
        ("23", "predict", "2", "5", "points"),
        ("17", "predict", "2", "5", "points"),
    ] == changed(night)
    assert kernels == small.opened
    twin = class_in(small.folder / "twin")
    (twin.folder / "packs" / "line" / "rubric.toml").write_bytes(
        (small.folder / "packs" / "line" / "rubric.toml").read_bytes()
    )
    twin.texts = small.texts
    twin.grade()
    assert without_seconds(twin.results()) == without_seconds(small.results())


def without_seconds(results: bytes) -> list[object]:
    rows: list[dict[str, dict[str, object]]] = json.loads(results)
    for row in rows:
        del row["run"]["seconds"]
    return list(rows)


def test_a_dry_run_shows_the_same_and_writes_nothing(small: SmallClass) -> None:
    small.grade()
    before = {path: path.read_bytes() for path in small.out.rglob("*") if path.is_file()}
    small.replace("rubric.toml", "points_per_day = 2", "points_per_day = 3")
    small.replace("checks.py", "require(not squared", "require(squared")
    night = small.rejudge(write=False)
    assert {"check"} == {why for *_, why in changed(night)}
    after = {path: path.read_bytes() for path in small.out.rglob("*") if path.is_file()}
    lock = small.out / "store" / "lock"
    assert before | {lock: b""} == after | {lock: b""}
    assert changed(night) == changed(small.rejudge())


@pytest.mark.parametrize(
    ("file", "old", "new", "why"),
    [
        ("rubric.toml", "tolerance = 1e-6", "tolerance = 1e9", "tolerance"),
        ("checks.py", "require(not squared", "require(squared", "check"),
        ("reference.py", "return float(np.sqrt(", "return 1 + float(np.sqrt(", "reference"),
    ],
)
def test_a_change_says_which_part_of_the_pack_made_it(
    small: SmallClass, file: str, old: str, new: str, why: str
) -> None:
    small.grade()
    small.replace(file, old, new)
    assert {("rmse", "4", "0", why)} == {change[1:] for change in changed(small.rejudge())}
    assert [] == changed(small.rejudge())


def test_other_words_change_pages_and_no_points(small: SmallClass) -> None:
    small.texts["12"] = "break fitted"
    small.grade()
    times = page_times(small)
    small.replace("rubric.toml", "Is there a column of ones", "Is there no column of ones")
    night = small.rejudge()
    assert [] == changed(night)
    assert [("12", "fit_line", "text")] == [
        (c.student.canvas_id, c.item, c.why) for c in night.changes if c.words_only
    ]
    written = {name for name, time in page_times(small).items() if times[name] != time}
    assert {"ng-jennifer-12.html", "feedback.zip"} == written


DOUBLED = """from grader.mistakes import mistake

doubled = mistake(
    "predict",
    "You count everything twice.",
    [("return design(x) @ w", "return 2 * (design(x) @ w)")],
    loses=["predict_values"],
)
"""


def test_a_longer_catalogue_of_mistakes_names_old_evidence(small: SmallClass) -> None:
    small.texts |= {"17": "double predictions", "23": "break predictions"}
    small.grade()
    (small.folder / "packs" / "line" / "mistakes.py").write_text(DOUBLED, encoding="utf-8")
    night = small.rejudge()
    assert 1 == small.opened
    assert [] == changed(night)
    assert [("17", "predict", "mistake catalogue")] == [
        (change.student.canvas_id, change.item, change.why) for change in night.changes
    ]
    named = {
        row["student"]["canvas_id"]: check["mistake"]
        for row in json.loads(small.results())
        for item in row["items"]
        for check in item["checks"]
        if check["outcome"] == "failed"
    }
    assert {"17": "doubled", "23": None} == named


def test_the_late_policy_needs_no_notebook_to_run(small: SmallClass) -> None:
    times = small.folder / "times.csv"
    times.write_text(
        "student,submitted_at\n12,2026-10-09T01:00\n17,2026-10-08T20:00\n23,2026-10-08T20:00\n"
    )
    late = {"due": "2026-10-08T23:59", "submitted": times, **marks(small)}
    small.grade(tables=late)
    times.unlink()  # the store has a copy
    small.replace("rubric.toml", "points_per_day = 2", "points_per_day = 5")
    assert [
        ("12", "late penalty", "2", "5", "late policy"),
        ("12", "final", "12", "9", ""),
    ] == changed(small.rejudge())


def test_a_table_given_to_rejudge_takes_the_place_of_the_old_one(small: SmallClass) -> None:
    small.grade(tables=marks(small))
    new = marks(small, MARKS.replace("12,answer,2", "12,answer,3"))["marks"]
    night = small.rejudge(tables=Tables(marks=new))
    assert [("12", "answer", "2", "3", "mark"), ("12", "final", "14", "15", "")] == changed(night)
    assert [] == changed(small.rejudge())


def test_a_changed_probe_says_how_many_must_run_and_runs_only_that(small: SmallClass) -> None:
    small.grade()
    small.asked.clear()
    small.replace("probes.py", "rng.uniform(-3, 3, 7)", "rng.uniform(-3, 3, 9)")
    night = small.rejudge()
    assert [] == small.asked
    assert any(
        notice.startswith("3 notebooks must run again to be asked predictions,")
        for notice in night.notices
    )
    assert {State.NEEDS_ATTENTION} == {grade.score.state for grade in night.grades}
    night = small.rejudge(run=True)
    assert [("predictions",)] * 3 == [probes for _, probes in small.asked]
    assert {State.NEEDS_MARKS} == {grade.score.state for grade in night.grades}
    assert 0 == small.grade().executed, "what rejudge ran is known to grade"


def test_answers_of_two_environments_together_serve_neither(
    small: SmallClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.grade()
    small.replace("probes.py", "rng.uniform(-3, 3, 7)", "rng.uniform(-3, 3, 9)")
    with monkeypatch.context() as patch:
        patch.setattr("grader.grading.night.environment", lambda _: "f" * 64)  # another NumPy
        small.rejudge(run=True)
        assert {State.NEEDS_MARKS} == {grade.score.state for grade in small.rejudge().grades}
    assert 3 == small.grade().executed


def test_grade_too_runs_only_the_changed_probe(small: SmallClass) -> None:
    small.grade()
    small.asked.clear()
    small.replace("probes.py", "rng.uniform(-3, 3, 7)", "rng.uniform(-3, 3, 9)")
    small.grade()
    assert [("predictions",)] * 3 == [probes for _, probes in small.asked]


def test_another_hidden_seed_is_refused(small: SmallClass) -> None:
    small.grade(secret=b"another secret")
    with pytest.raises(UsageError, match="not the hidden seed"):
        small.rejudge()


def test_a_folder_without_a_grading_is_told(small: SmallClass) -> None:
    small.out.mkdir()
    with pytest.raises(UsageError, match="no store"):
        small.rejudge()


# ------------------------------------------------------------------------------- history
def test_a_students_whole_story(small: SmallClass) -> None:
    small.texts["17"] = "break predictions"
    small.grade(tables=marks(small))
    small.texts["17"] = "right"
    small.attempt = 350
    small.grade(tables=marks(small))
    small.replace("rubric.toml", "tolerance = 1e-6", "tolerance = 1e9")
    small.rejudge(line="grader rejudge out")
    told = [
        (row.command.line.split()[1], row.what, row.item, row.before, row.after, row.why)
        for row in small.story("lee").rows
    ]
    grade, again = "grade", "rejudge"
    assert [
        (grade, "handed-in", "", "", "leeana_17_34017_A1.ipynb", ""),
        (grade, "ran", "", "", "complete", "new notebook"),
        (grade, "graded", "final", "", "13", ""),
        (grade, "mark", "answer", "", "3", ""),
        (grade, "handed-in", "", "", "leeana_17_35017_A1.ipynb", ""),
        (grade, "ran", "", "", "complete", "new notebook"),
        (grade, "changed", "predict", "0", "2", "new submission"),
        (grade, "changed", "final", "13", "15", ""),
        (again, "changed", "rmse", "4", "0", "tolerance"),
        (again, "changed", "final", "15", "11", ""),
    ] == told


def test_a_changed_comment_is_told_as_such_and_a_mark_as_another(small: SmallClass) -> None:
    small.grade(tables=marks(small))
    other = MARKS.replace("2,Good.", "2,Well said.").replace("17,answer,3,", "17,answer,2,Why?")
    small.rejudge(tables=Tables(marks=marks(small, other)["marks"]))
    small.rejudge(tables=Tables(marks=marks(small, other.replace("23,answer,1,", ""))["marks"]))
    assert [
        "mark for answer: 2",
        "mark for answer: 2 as before, with another comment",
    ] == marked(small, "12")
    assert ["mark for answer: 3", "mark for answer: 3 → 2 (another comment)"] == marked(small, "17")
    assert ["mark for answer: 1", "mark for answer: 1 → taken back"] == marked(small, "23")


def marked(small: SmallClass, student: str) -> list[str]:
    """What the terminal says of a student's marks."""
    rows = [
        HistoryRow(
            at="",
            who="",
            line="",
            what=row.what,
            item=row.item,
            before=row.before,
            after=row.after,
            why=row.why,
        )
        for row in small.story(student).rows
        if row.what == "mark"
    ]
    return [line.strip() for line in history_report("", rows).splitlines() if "mark" in line]


@pytest.mark.parametrize(
    "wanted", ["17", "alee", "LEE", "lee, ana", "Ana Lee", "ana", " Lee  Ana "]
)
def test_a_student_may_be_named_loosely(small: SmallClass, wanted: str) -> None:
    small.grade()
    assert "17" == small.story(wanted).student.canvas_id


def test_who_was_left_out_has_a_story_still(small: SmallClass) -> None:
    """A partner too, and somebody whose file was no notebook."""
    tables = partners(small)
    del small.texts["23"]
    small.grade(tables=tables)
    broken, other = (small.folder / name for name in ("diazeva_23_34023_A1.ipynb", "Kim-A1.ipynb"))
    broken.write_bytes(b"no notebook")
    other.write_bytes((HANDED_IN / "Ng-A0.ipynb").read_bytes())
    night = small.grade(sources=(broken,))
    assert any("2 who were graded" in notice for notice in night.notices)
    small.grade(sources=(other,))
    for wanted in ("lee", "jng", "Diaz"):
        assert "left-out" == small.story(wanted).rows[-1].what
    assert ["graded", "left-out"] == [row.what for row in small.story("23").rows]


def partners(small: SmallClass) -> dict[str, Path]:
    """Ng's notebook is Lee's too, who handed in nothing."""
    del small.texts["17"]
    path = small.folder / "partners.csv"
    path.write_text("student,partner\n12,17\n", encoding="utf-8")
    return {"partners": path}


def test_the_name_of_somebody_who_was_known_by_less_means_who_is_graded_now(
    small: SmallClass,
) -> None:
    order = small.order(sources=(HANDED_IN / "Lee-A0.ipynb",))
    for tables in (Tables(), order.tables):
        grade_night(replace(order, tables=tables), lambda: small.executor(order), Watcher())
    assert "Lee, Ana" == small.story("lee").student.name


def test_whoever_was_stopped_in_their_first_night_has_a_story(small: SmallClass) -> None:
    stopped(small, 0, tables=partners(small))
    assert ["handed-in"] == [row.what for row in small.story("alee").rows]


@pytest.mark.parametrize(
    ("wanted", "said"), [("zz\x1b[2J", "Nobody"), ("e", "means"), ("", "Nobody")]
)
def test_somebody_who_cannot_be_told_is_asked_about(
    small: SmallClass, wanted: str, said: str
) -> None:
    small.grade()
    with pytest.raises(UsageError, match=said) as told:
        small.story(wanted)
    assert "\x1b" not in str(told.value)


def test_hostile_text_in_a_story_can_do_nothing() -> None:
    bad = "x\x1b]0;owned\x07\u202e\ny"
    row = HistoryRow(
        at="2026-10-01T20:00:00+00:00",
        who=bad,
        line=bad,
        what="changed",
        item=bad,
        before=bad,
        after=bad,
        why=bad,
    )
    text = history_report(bad, [row])
    assert not set(text) & {"\x1b", "\x07", "\u202e"}
    assert 4 == len(text.splitlines())
