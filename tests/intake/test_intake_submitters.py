"""Whose a file is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grader.intake.file_names import is_notebook
from grader.intake.refusals import RefusedError
from grader.intake.roster import Roster
from grader.intake.submitters import partner_names, submitter
from grader.model import Student

NG = Student(name="Ng, Jennifer", canvas_id="12")
LEE = Student(name="Lee, Ana", canvas_id="17")
SMITH_JONES = Student(name="Smith-Jones, Ann", canvas_id="23")
MULLER = Student(name="Muller, Max", canvas_id="31")
MUELLER = Student(name="Müller, Eva", canvas_id="32")
BERG = Student(name="van der Berg, Jan", canvas_id="41")
ZHANG_1 = Student(name="Zhang, Wei", canvas_id="51")
ZHANG_2 = Student(name="Zhang, Li", canvas_id="52")
ROSTER = Roster.of((NG, LEE, SMITH_JONES, MULLER, MUELLER, BERG, ZHANG_1, ZHANG_2))
NOBODY = Roster.of(())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("ngjennifer_12_340_Ng-A2.ipynb", NG, id="named"),
        pytest.param("ngjennifer_LATE_12_340_Ng-A2.ipynb", NG, id="late"),
        pytest.param("team_1_12_340_A2.ipynb", NG, id="group-with-a-number"),
        pytest.param("team_12_17_340_A2.ipynb", None, id="two-on-the-roster-and-no-name"),
        pytest.param("ngjennifer_12_340_17_99_A2.ipynb", NG, id="numbers-in-the-file's-name"),
        pytest.param("downloads/ngjennifer_12_340_x.ipynb", NG, id="in-a-folder"),
        pytest.param("ngjennifer_12_text.html", NG, id="text"),
        pytest.param("leeana_17_link.html", LEE, id="link"),
        pytest.param("anon_12_340_A2.ipynb", Student(name="Anonymous 12"), id="anonymous-not-12"),
        pytest.param(
            "doejane_99_340_Ng-A2.ipynb",
            Student(name="doejane", canvas_id="99"),
            id="not-on-the-roster",
        ),
        pytest.param("Ng-A2.ipynb", NG, id="last-name"),
        pytest.param("ng_a2.ipynb", NG, id="any-case"),
        pytest.param("Ng-Lee-A2.ipynb", NG, id="the-first-of-a-pair"),
        pytest.param("Jennifer Ng A2.ipynb", NG, id="first-name-first"),
        pytest.param("Smith-Jones-A2.ipynb", SMITH_JONES, id="hyphenated"),
        pytest.param("smith_jones_a2.ipynb", SMITH_JONES, id="hyphenated-otherwise"),
        pytest.param("van der Berg-A2.ipynb", BERG, id="several-words"),
        pytest.param("Muller-A2.ipynb", MULLER, id="without-an-accent"),
        pytest.param("Müller-A2.ipynb", MUELLER, id="with-one"),
        pytest.param("Mu\u0308ller-A2.ipynb", MUELLER, id="composed-otherwise"),
        pytest.param("Zhang-A2.ipynb", Student(name="Zhang"), id="two-of-that-name"),
        pytest.param("Zhang-Wei-A2.ipynb", ZHANG_1, id="told-apart-by-the-first-name"),
        pytest.param("Doe-A2.ipynb", Student(name="Doe"), id="nobody-of-that-name"),
        pytest.param("Jennifer Ng/A2.ipynb", NG, id="by-folder"),
        pytest.param("A2-Ng.ipynb", NG, id="assignment-first"),
        pytest.param("Jennifer Ng.ipynb", NG, id="without-an-assignment"),
        pytest.param("x/Ng/submissions/A2.ipynb", NG, id="by-the-nearest-folder-with-a-name"),
    ],
)
def test_attribution_with_a_roster(path: str, expected: Student | None) -> None:
    if expected is None:
        with pytest.raises(RefusedError, match="fit several students"):
            submitter(path, ROSTER)
    else:
        assert expected == submitter(path, ROSTER).student


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("team_1_12_340_A2.ipynb", True),
        ("ngjennifer_12_340_A2.ipynb", False),
        ("doejane_99_340_A2.ipynb", False),
        ("anon_12_340_A2.ipynb", False),
        ("Ng-A2.ipynb", False),
    ],
)
def test_a_group_is_what_has_another_name_before_a_students_number(
    path: str, *, expected: bool
) -> None:
    assert expected == submitter(path, ROSTER).is_group


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("ngjennifer_12_340_Ng-A2.ipynb", Student(name="ngjennifer", canvas_id="12")),
        ("team_1_17_99_x.ipynb", Student(name="team", canvas_id="1")),
        ("ng_12_34_Ng_17_99_x.ipynb", Student(name="ng", canvas_id="12")),
        ("LATE_anon_x7Yz2_340_A2.ipynb", Student(name="Anonymous x7Yz2")),
        ("Ng-A2.ipynb", Student(name="Ng")),
        ("Ng.ipynb", Student(name="Ng")),
        ("mse-for-rmse.ipynb", Student(name="mse-for-rmse")),
        ("A2-Ng.ipynb", Student(name="A2-Ng")),
        ("Jennifer Ng/A2.ipynb", Student(name="Jennifer Ng")),
        ("lab/exits.ipynb", Student(name="exits")),
        ("Ng_2024_11_A2.ipynb", Student(name="Ng")),
        ("=SUM(A1)-A2.ipynb", Student(name="=SUM")),
    ],
)
def test_attribution_without_a_roster(path: str, expected: Student) -> None:
    assert expected == submitter(path, NOBODY).student


def test_a_name_that_names_nobody() -> None:
    """The student is the name of the file then, without its number."""
    for path in ("right-with-swish-1.ipynb", "notebooks/right-with-swish.ipynb"):
        by = submitter(path, ROSTER)
        assert (Student(name="right-with-swish"), False) == (by.student, by.is_named)
    assert Student(name="A2") == submitter("A2.ipynb", ROSTER).student


def test_files_of_one_student_have_one_key_and_different_students_do_not() -> None:
    by_number, by_name = submitter("ng_12_3_x.ipynb", ROSTER), submitter("Ng-A2.ipynb", ROSTER)
    assert by_number.key == by_name.key
    assert submitter("Muller-A2.ipynb", NOBODY).key != submitter("Müller-A2.ipynb", NOBODY).key


def test_a_reading_that_the_student_could_have_made_is_not_certain() -> None:
    """Somebody who left the course names a file so that Ng's number is in it."""
    forged = submitter("doejane_99_340_12_999_A2.ipynb", ROSTER)
    assert (NG, False) == (forged.student, forged.is_certain)
    assert submitter("ngjennifer_12_340_A2.ipynb", ROSTER).is_certain


@pytest.mark.parametrize(
    ("path", "roster", "expected"),
    [
        ("ngjennifer_12_340_Ng-Lee-A2.ipynb", ROSTER, ("Lee",)),
        ("ngjennifer_12_340_Lee-Ng-A2-1.ipynb", ROSTER, ("Lee",)),
        ("ngjennifer_12_340_ng_lee_a2.ipynb", ROSTER, ("lee",)),
        ("ngjennifer_12_340_NG LEE A2.ipynb", ROSTER, ("LEE",)),
        ("ngjennifer_12_340_Ng-Doe-A2.ipynb", ROSTER, ("Doe",)),
        ("ngjennifer_12_340_Jennifer-Ng-A2.ipynb", ROSTER, ()),
        ("ngjennifer_12_340_Ng-Jennifer-Lee-A2.ipynb", ROSTER, ("Lee",)),
        ("smithjonesann_23_340_Smith-Jones-A2.ipynb", ROSTER, ()),
        ("smithjonesann_23_340_Smith-Jones-Ng-A2.ipynb", ROSTER, ("Ng",)),
        ("ngjennifer_12_340_Ng-Smith-Jones-A2.ipynb", ROSTER, ("Smith Jones",)),
        ("zhangwei_51_340_Zhang-Zhang-A2.ipynb", ROSTER, ("Zhang",)),
        ("ngjennifer_12_340_multilayer-neural-networks.ipynb", ROSTER, ()),
        ("ngjennifer_12_340_A2.ipynb", ROSTER, ()),
        ("team7_12_340_Ng-Lee-A2.ipynb", ROSTER, ("Lee",)),
        ("Ng-Lee-A2.ipynb", ROSTER, ("Lee",)),
        ("Smith-Jones-A2.ipynb", ROSTER, ()),
        ("anon_x7Yz2_340_Ng-Lee-A2.ipynb", ROSTER, ()),
        ("A2.ipynb", ROSTER, ()),
        ("ngjennifer_12_340_Ng-Lee-A2.ipynb", NOBODY, ("Lee",)),
        ("smithjonesann_23_340_Smith-Jones-A2.ipynb", NOBODY, ()),
        ("team7_12_340_Ng-Lee-A2.ipynb", NOBODY, ("Ng", "Lee")),
        ("Ng-Lee-A2.ipynb", NOBODY, ("Lee",)),
        ("Ng-notes.ipynb", NOBODY, ()),
    ],
)
def test_partners_are_the_other_names(path: str, roster: Roster, expected: tuple[str, ...]) -> None:
    assert expected == partner_names(submitter(path, roster), roster)


# ---------------------------------------------------------------------- Canvas, forwards
# A second derivation: what Canvas's Ruby does with the names, in its own order.
def _canvas_name(name: str) -> str:
    return re.sub("_([0-9]+)_", r"\1", name).lower()


def _words(text: str) -> str:
    """Ruby's [[:word:]]: letters, marks, numbers and connectors."""
    return "".join(
        char
        for char in text
        if unicodedata.category(char)[0] in "LMN" or unicodedata.category(char) == "Pc"
    )


def _canvas_display(display: str) -> str:
    return re.sub(r'[\x00/\\:*?"<>|]+', "_", display)


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
SIMPLE = st.text("abcXYZ _12,-'é", min_size=1, max_size=12)


@st.composite
def _rosters(draw: st.DrawFn) -> tuple[Student, ...]:
    names = draw(st.lists(NAMES | SIMPLE, min_size=1, max_size=6, unique=True))
    ids = draw(st.lists(st.integers(1, 10**12), min_size=len(names), max_size=6, unique=True))
    return tuple(
        Student(name=name, canvas_id=str(number)) for name, number in zip(names, ids, strict=False)
    )


@settings(deadline=None)  # a loaded machine is no failure
@given(
    students=_rosters(),
    which=st.integers(0, 5),
    attachment=st.integers(1, 10**12),
    display=(NAMES | SIMPLE).filter(lambda text: text not in {".", ".."}),
    late=st.booleans(),
)
@example(students=[NG, LEE], which=0, attachment=340, display="17_99_Ng-A2.ipynb", late=False)
@example(
    students=[Student(name="x_5 _6", canvas_id="7"), NG],
    which=0,
    attachment=8,
    display="_12_9_.ipynb",
    late=True,
)
@example(
    students=[Student(name="anon", canvas_id="7")],
    which=0,
    attachment=8,
    display="A2.ipynb",
    late=False,
)
@example(
    students=[Student(name="LATE", canvas_id="7")],
    which=0,
    attachment=8,
    display="A2.ipynb",
    late=False,
)
@example(
    students=[Student(name="İ_1_ß", canvas_id="7")],
    which=0,
    attachment=8,
    display="text.html",
    late=True,
)
def test_any_name_finds_its_way_back_from_canvas(
    students: Sequence[Student], which: int, attachment: int, display: str, *, late: bool
) -> None:
    """Whatever Canvas makes of a student's name and file, the file is that student's.

    No other student's number stands in these names by chance: where it does by design, see above.
    """
    student = students[which % len(students)]
    parts = [_canvas_name(student.name), *(["LATE"] if late else []), student.canvas_id]
    file = f"{_words('_'.join(parts))}_{attachment}_{_canvas_display(display)}"
    by = submitter(file, Roster.of(students))
    assert student == by.student
    assert by.canvas is not None
    assert (late, str(attachment)) == (by.canvas.late, by.canvas.attachment_id)
    assert _canvas_display(display) == by.display
    assert is_notebook(_canvas_display(display)) == is_notebook(by.display)
    assert by.is_certain


@settings(deadline=None)  # a loaded machine is no failure
@given(
    NAMES.filter(lambda name: "/" not in name),
    st.sampled_from([ROSTER, NOBODY]),
)
def test_no_name_at_all_is_too_much(file: str, roster: Roster) -> None:
    by = submitter(f"{file}.ipynb", roster)
    partner_names(by, roster)
