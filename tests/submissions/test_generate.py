"""The samples are what their sources make of them, and the manifest agrees with itself."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from runpy import run_path
from typing import Any
from zoneinfo import ZoneInfo

import nbformat
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SUBMISSIONS = ROOT / "submissions"
STARTER = ROOT / "rubrics" / "a2" / "starter" / "A2.ipynb"
SOURCES = {"README.md", "generate.py", "solution.py", "variants.toml", "samples.toml"}
ZIP = "a2-canvas-export.zip"

GENERATE = run_path(str(SUBMISSIONS / "generate.py"))
MANIFEST = json.loads((SUBMISSIONS / "manifest.json").read_text(encoding="utf-8"))
STUDENTS = MANIFEST["students"]
CODE_ITEMS = MANIFEST["checks"]
POINTS = {check: points for item in CODE_ITEMS.values() for check, points in item.items()}


def files_under(folder: Path) -> set[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = {path.as_posix() for path in paths if "__pycache__" not in path.parts}
    return names - SOURCES


def zip_listing(path: Path) -> list[tuple[object, ...]]:
    """All of a zip but its packing, which differs between builds of zlib."""
    with zipfile.ZipFile(path) as archive:
        return [
            (e.filename, e.date_time, e.compress_type, e.external_attr, archive.read(e))
            for e in archive.infolist()
        ]


def rows(name: str) -> list[dict[str, str]]:
    text = (SUBMISSIONS / name).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def roster() -> list[dict[str, str]]:
    """The students of the gradebook, without Canvas's own two rows and the Test Student."""
    return rows("a2-gradebook.csv")[2:-1]


def canvas_name(cell: str) -> str:
    """A name as it was before Canvas made it harmless for spreadsheets."""
    return cell[2:-1] if cell.startswith('="') else cell


def known(student: dict[str, Any]) -> set[str]:
    """What the CSV files may call a student."""
    person = student["student"]
    return {str(person["canvas_id"]), person["login"], person["name"]}


def one_row(name: str, student: dict[str, Any]) -> dict[str, str] | None:
    found = [row for row in rows(name) if row["student"] in known(student)]
    assert len(found) <= 1
    return found[0] if found else None


def student_id(student: dict[str, Any]) -> str:
    return str(student["student"]["login"])


each_student = pytest.mark.parametrize("student", STUDENTS, ids=student_id)


# ------------------------------------------------------------------ the files


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    GENERATE["generate"](folder)
    return folder


def test_the_committed_files_are_the_generated_ones(again: Path) -> None:
    assert files_under(again) == files_under(SUBMISSIONS)
    for name in files_under(again) - {ZIP}:
        assert (again / name).read_bytes() == (SUBMISSIONS / name).read_bytes(), name
    assert zip_listing(again / ZIP) == zip_listing(SUBMISSIONS / ZIP)


def test_the_zip_is_the_same_byte_for_byte_when_it_is_made_twice(
    again: Path, tmp_path: Path
) -> None:
    GENERATE["generate"](tmp_path)
    assert (again / ZIP).read_bytes() == (tmp_path / ZIP).read_bytes()


def test_a_notebook_that_is_no_longer_a_sample_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "old.ipynb").touch()
    GENERATE["generate"](tmp_path)
    assert files_under(tmp_path) == files_under(SUBMISSIONS)


def test_the_zip_is_small_enough_to_commit() -> None:
    assert (SUBMISSIONS / ZIP).stat().st_size < 1_000_000


def notebooks() -> Iterator[tuple[str, str]]:
    yield "starter", STARTER.read_text(encoding="utf-8")
    for path in sorted((SUBMISSIONS / "notebooks").iterdir()):
        yield path.stem, path.read_text(encoding="utf-8")
    with zipfile.ZipFile(SUBMISSIONS / ZIP) as archive:
        for name in archive.namelist():
            if name.endswith(".ipynb") and not name.startswith("moreauluc"):
                yield ascii(name), archive.read(name).decode()


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in notebooks()])
def test_every_notebook_is_valid_and_has_never_been_run(text: str) -> None:
    notebook = json.loads(text)
    nbformat.validate(notebook)  # of the JSON itself: reading would mend it first
    assert (4, 5) == (notebook["nbformat"], notebook["nbformat_minor"])
    assert "python3" == notebook["metadata"]["kernelspec"]["name"]
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    assert re.search(r"run.*-i A2grader\.py", "".join(code[-1]["source"]))


def test_the_broken_notebook_is_broken() -> None:
    (entry,) = [name for name in zipfile.ZipFile(SUBMISSIONS / ZIP).namelist() if "Moreau" in name]
    with pytest.raises(json.JSONDecodeError):
        json.loads(zipfile.ZipFile(SUBMISSIONS / ZIP).read(entry))


# ------------------------------------------------------------------ the right solution


def cells(text: str) -> dict[str, str]:
    return {cell["id"]: "".join(cell["source"]) for cell in json.loads(text)["cells"]}


@pytest.fixture(scope="module")
def right() -> dict[str, Any]:
    """The names that the right notebook defines."""
    source = cells((SUBMISSIONS / "notebooks" / "right.ipynb").read_text(encoding="utf-8"))
    names: dict[str, Any] = {"np": np}
    for cell in ("optimizers", "network", "partition"):
        exec(source[cell], names)  # noqa: S102  our own sample
    return names


@pytest.mark.parametrize("cell", ["optimizers", "network"])
def test_the_solution_keeps_what_the_handout_gives(cell: str) -> None:
    """Else the two have drifted apart, and no student could have handed in the samples."""
    given = cells(STARTER.read_text(encoding="utf-8"))[cell].splitlines()
    solution = cells((SUBMISSIONS / "notebooks" / "right.ipynb").read_text(encoding="utf-8"))[cell]
    gaps = ("# your code", "raise NotImplementedError")
    kept = {line.strip() for line in given if not line.strip().startswith(gaps)}
    assert set() == kept - {line.strip() for line in solution.splitlines()}


@pytest.mark.parametrize(("method", "end"), [("sgd", 5.0), ("adam", 5.03900403)])
def test_the_solution_ends_on_the_parabola_as_published(
    right: dict[str, Any], method: str, end: float
) -> None:
    w = np.array([0.0])
    getattr(right["Optimizers"](w), method)(
        lambda w: ((w - 5) ** 2)[0], lambda w: 2 * (w - 5), [w], n_epochs=100, learning_rate=0.1
    )
    assert end == pytest.approx(w[0], abs=1e-8)


def test_the_solution_partitions_as_published(right: dict[str, Any]) -> None:
    np.random.seed(42)  # noqa: NPY002  the published numbers are of the old generator
    X = np.arange(40).reshape(20, 2)
    *_, Xtest, Ttest = right["partition"](X, X[:, 0:1] * X[:, 1:2], 3)
    assert [[22, 23], [6, 7], [36, 37], [32, 33], [26, 27], [4, 5]] == Xtest.tolist()
    assert [506, 42, 1332, 1056, 702, 20] == Ttest.ravel().tolist()


# ------------------------------------------------------------------ variants that do not fit

CELL = GENERATE["Cell"]("a", "code", "x = 1\ny = 1")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("x = 1", "x = 2", "x = 2\ny = 1", id="a-line"),
        pytest.param("y = 1\n", "y = 2\n", "x = 1\ny = 2", id="the-last-line-with-its-end"),
        pytest.param("x = 1\n", "", "y = 1", id="taken-away"),
    ],
)
def test_an_edit_that_fits_once_is_made(old: str, new: str, expected: str) -> None:
    variants = {"v": GENERATE["Variant"](story="", edit=[{"cell": "a", "old": old, "new": new}])}
    (cell,) = GENERATE["apply_variant"]([CELL], "v", variants)
    assert expected == cell.source


@pytest.mark.parametrize(
    ("cell", "old", "complaint"),
    [
        pytest.param("a", "z", "exactly once, but is there 0 times", id="absent"),
        pytest.param("a", "= 1", "exactly once, but is there 2 times", id="ambiguous"),
        pytest.param("b", "x", "there are 0 cells called 'b'", id="no-such-cell"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(cell: str, old: str, complaint: str) -> None:
    variants = {"v": GENERATE["Variant"](story="", edit=[{"cell": cell, "old": old, "new": ""}])}
    with pytest.raises(GENERATE["SampleError"], match=f"v: .*{complaint}"):
        GENERATE["apply_variant"]([CELL], "v", variants)


# ------------------------------------------------------------------ the manifest


def test_the_checks_are_those_of_the_rubric() -> None:
    rubric = tomllib.loads((ROOT / "rubrics" / "a2" / "rubric.toml").read_text(encoding="utf-8"))
    expected = {
        item["id"]: {check["id"]: check["points"] for check in item["check"]}
        for item in rubric["item"]
        if item["section"] == "code"
    }
    assert expected == CODE_ITEMS
    assert 70 == sum(POINTS.values())


@each_student
def test_points_add_up(student: dict[str, Any]) -> None:
    items, late = student["items"], student["late"]
    if items["adam"] is None:
        assert (None, None) == (student["code"], student["final"])
        return
    assert 70 - sum(POINTS[check] for check in student["lost"]) == student["code"]
    assert student["code"] == sum(items[item] for item in CODE_ITEMS)
    if student["state"] == "final":
        assert items["experiments"] + items["discussion"] == student["discussion"]
        assert items["swish"] == student["extra_credit"]
        assert max(0, sum(items.values()) - late["penalty"]) == student["final"]


@each_student
def test_an_item_loses_the_points_of_its_own_checks(student: dict[str, Any]) -> None:
    for item, checks in CODE_ITEMS.items():
        if student["items"][item] is not None:
            lost = sum(points for check, points in checks.items() if check in student["lost"])
            assert sum(checks.values()) - lost == student["items"][item]


@each_student
def test_only_a_final_grade_has_a_number(student: dict[str, Any]) -> None:
    assert (student["state"] == "final") == (student["final"] is not None)


def test_every_student_of_the_gradebook_is_in_the_manifest() -> None:
    expected = {(canvas_name(row["Student"]), row["ID"], row["SIS Login ID"]) for row in roster()}
    people = [student["student"] for student in STUDENTS]
    assert expected == {(p["name"], str(p["canvas_id"]), p["login"]) for p in people}
    assert len(expected) == len(STUDENTS)


def test_the_gradebook_has_the_rows_that_canvas_adds() -> None:
    first, second, *_, last = rows("a2-gradebook.csv")
    assert "Manual Posting" == first["A2 Multilayer Neural Networks (987654)"]
    assert "    Points Possible" == second["Student"]
    assert "(read only)" == second["Final Score"]
    assert "Student, Test" == last["Student"]


@each_student
def test_marks_are_those_of_the_file(student: dict[str, Any]) -> None:
    partners = {row["partner"] for row in rows("a2-partners.csv")}
    if student["items"]["adam"] is None or partners & known(student):
        return
    given = {
        row["item"]: int(row["points"])
        for row in rows("a2-marks.csv")
        if row["student"] in known(student)
    }
    assert given.get("experiments") == student["items"]["experiments"]
    assert given.get("discussion") == student["items"]["discussion"]
    assert (3 + given["swish"] if "swish" in given else 0) == student["items"]["swish"]


def test_two_students_are_not_fully_marked() -> None:
    assert ["Jansen, Femke", "Larsen, Ida"] == [
        student["student"]["name"] for student in STUDENTS if student["state"] == "needs-marks"
    ]


def test_partners_have_the_same_grade() -> None:
    (pair,) = rows("a2-partners.csv")
    first, second = (
        next(s for s in STUDENTS if pair[column] in known(s)) for column in ("student", "partner")
    )
    same = ("file", "items", "late", "final", "state")
    assert {key: first[key] for key in same} == {key: second[key] for key in same}


# ------------------------------------------------------------------ late


def wall_days(due: datetime, submitted: datetime) -> int:
    """Days late on the wall clock: what is begun counts as a whole one."""
    zone = ZoneInfo(MANIFEST["time_zone"])
    on_the_wall = [moment.astimezone(zone).replace(tzinfo=None) for moment in (due, submitted)]
    return max(0, -((on_the_wall[0] - on_the_wall[1]) // timedelta(days=1)))


@each_student
def test_days_late_are_those_on_the_wall_clock(student: dict[str, Any]) -> None:
    """A second derivation: the manifest's own were counted by hand."""
    row, extension = (one_row(f"a2-{name}.csv", student) for name in ("times", "extensions"))
    if row is None:
        return
    due = datetime.fromisoformat(extension["until"] if extension else MANIFEST["due"])
    days = wall_days(due, datetime.fromisoformat(row["submitted_at"]))
    assert {"days": days, "penalty": 10 * days} == student["late"]


@each_student
def test_canvas_says_late_of_those_who_were(student: dict[str, Any]) -> None:
    """Canvas knows nothing of our extensions; of one student it says LATE and nobody knows when."""
    row = one_row("a2-times.csv", student)
    if row is not None:
        late = datetime.fromisoformat(row["submitted_at"]) > datetime.fromisoformat(MANIFEST["due"])
        assert late == ("_LATE_" in student["file"])
    elif student["file"] and "_LATE_" in student["file"]:
        assert (None, "needs-attention") == (student["late"]["days"], student["state"])


# ------------------------------------------------------------------ the names that Canvas gives


def test_every_file_is_named_as_canvas_names_it() -> None:
    ids = {row["ID"] for row in roster()}
    form = re.compile(r"[\w]+?(_LATE)?_(\d+)_(text\.html|\d+_[^/\\:*?\"<>|]+)")
    for name in zipfile.ZipFile(SUBMISSIONS / ZIP).namelist():
        match = form.fullmatch(name)
        assert match, ascii(name)
        assert match[2] in ids


def test_every_file_is_counted_or_an_earlier_attempt() -> None:
    counted = {student["file"] for student in STUDENTS if student["file"]}
    stored = set(zipfile.ZipFile(SUBMISSIONS / ZIP).namelist())
    assert {"ngweijie_40454_9999874_Ng-A2.ipynb"} == stored - counted
    assert counted <= stored
