"""Pairs: a grade goes to a partner only where it is certain who that is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from grader.canvas import (
    Gradebook,
    HandedIn,
    Shared,
    read_gradebook,
    read_partners,
    resolve_pairs,
)
from grader.model import Student

WriteFile = Callable[[str, str | bytes], Path]

IDS = {"jane": "101", "sam": "102", "kim": "103", "ana": "104", "jörg": "105", "stranger": "777"}


@pytest.fixture
def resolved(file: WriteFile, roster: Gradebook) -> Callable[..., dict[str, Shared]]:
    """Resolve what these people handed in, with these rows of partners.csv."""

    def resolve(*entries: HandedIn, partners: str = "") -> dict[str, Shared]:
        table = read_partners(file("partners.csv", f"student,partner\n{partners}"), roster=roster)
        shared = resolve_pairs(entries, roster=roster, partners=table)
        return {entry.file: one for entry, one in zip(entries, shared, strict=True)}

    return resolve


def handed(who: str, *names: str, group: bool = False) -> HandedIn:
    student = Student(name=f"as canvas shortens {who}", canvas_id=IDS[who])
    return HandedIn(file=who, student=student, partner_names=names, group=group)


def ids(shared: Shared) -> list[str]:
    return [student.canvas_id for student in shared.students]


@pytest.mark.parametrize(
    ("expected", "entry", "partners"),
    [
        # Alone.
        (["101"], handed("jane"), ""),
        (["101"], handed("jane", "Doe"), ""),  # the own name is no partner's
        (["101"], handed("jane", "doe", "DOE"), ""),
        (["101"], handed("jane", "12"), ""),
        (["101"], handed("jane"), "102,103\n"),
        # A hint that can mean one student.
        (["101", "105"], handed("jane", "Müller"), ""),
        (["101", "105"], handed("jane", "MULLER"), ""),  # without accents
        (["101", "105"], handed("jane", "Doe", "muller"), ""),
        (["101", "105"], handed("jane", "jm5"), ""),  # a login
        (["101", "102"], handed("jane", "SamLee"), ""),
        (["101", "102"], handed("jane", "lee sam"), ""),
        (["101", "104"], handed("jane", "GarciaLopez"), ""),
        (["101", "104"], handed("jane", "garcia"), ""),  # nobody else is called so
        (["101", "105"], handed("jane", "Muller", group=True), ""),
        # partners.csv decides, whichever way round and whatever the name hints at.
        (["101", "103"], handed("jane"), "101,103\n"),
        (["101", "103"], handed("jane"), "klee,jdoe\n"),
        (["101", "103"], handed("jane", "Muller"), "101,103\n"),
        (["101", "103"], handed("jane", "Lee"), "101,103\n"),
        (["101", "103"], handed("jane", group=True), "101,103\n"),
        (["101", "103"], handed("jane"), "101,103\n103,101\n101,103\n"),
        (["101"], handed("jane", "Muller"), "101,\n"),  # a blank partner: alone
        (["101"], handed("jane", "final", "Lee"), "101,\n"),
        (["101"], handed("jane", group=True), "101,\n"),
    ],
)
def test_what_is_certain_is_not_asked(
    resolved: Callable[..., dict[str, Shared]],
    expected: list[str],
    entry: HandedIn,
    partners: str,
) -> None:
    shared = resolved(entry, partners=partners)["jane"]
    assert (expected, ()) == (ids(shared), shared.problems)


@pytest.mark.parametrize(
    ("problem", "entry", "partners"),
    [
        ("Nobody on the roster is called “Turing”", handed("jane", "Turing"), ""),
        (
            "“Lee” in the file name can mean Lee, Sam (102) or Lee, Kim (103).",
            handed("jane", "Lee"),
            "",
        ),
        ("several partners: “Muller”, “Garcia”", handed("jane", "Muller", "Garcia"), ""),
        ("several partners: “Muller”, “final”", handed("jane", "Muller", "final"), ""),
        ("the work of a group", handed("jane", group=True), ""),
        ("the work of a group", handed("jane", "Doe", group=True), ""),
        ("gives Doe, Jane (101) 2 partners", handed("jane"), "101,102\n101,103\n"),
        ("gives Doe, Jane (101) 2 partners", handed("jane"), "102,101\n103,101\n"),
        ("partners.csv gives them another one", handed("jane"), "101,102\n102,103\n"),
        ("partners.csv gives them another one", handed("jane", "Muller"), "105,103\n"),
        ("says that they worked alone", handed("jane", "Muller"), "105,\n"),
        ("partners.csv, row 2: Nobody in roster.csv", handed("jane", "Muller"), "101,Turing\n"),
        ("partners.csv, row 2: Nobody in roster.csv", handed("jane", "Muller"), "105,Turing\n"),
        ("cannot be their own partner", handed("jane", "Muller"), "101,jdoe\n"),
        ("row 2: Nobody in roster.csv", handed("jane"), "101,Lee\n"),  # only whole names count
    ],
)
def test_what_is_not_certain_is_asked_and_the_submitter_keeps_their_own(
    resolved: Callable[..., dict[str, Shared]],
    problem: str,
    entry: HandedIn,
    partners: str,
) -> None:
    shared = resolved(entry, partners=partners)["jane"]
    assert ["101"] == ids(shared)
    assert [True] == [problem in told for told in shared.problems]


def test_a_name_shared_with_the_submitter_is_asked(
    resolved: Callable[..., dict[str, Shared]],
) -> None:
    shared = resolved(handed("sam", "Lee"))["sam"]
    assert ["102"] == ids(shared)
    assert "can mean Lee, Kim (103), or the submitter alone" in shared.problems[0]


@pytest.mark.parametrize(
    ("entries", "partners"),
    [
        ((handed("jane", "Muller"), handed("jörg", "Doe")), ""),
        ((handed("jane", "Muller"), handed("jörg")), ""),
        ((handed("jörg"), handed("jane", "Muller")), ""),
        ((handed("jane"), handed("jörg")), "101,105\n"),
    ],
)
def test_partners_who_both_handed_in_keep_their_own_and_are_asked(
    resolved: Callable[..., dict[str, Shared]], entries: tuple[HandedIn, ...], partners: str
) -> None:
    shared = resolved(*entries, partners=partners)
    assert (["101"], ["105"]) == (ids(shared["jane"]), ids(shared["jörg"]))
    for name, other in (("jane", "Müller, Jörg (105)"), ("jörg", "Doe, Jane (101)")):
        (told,) = shared[name].problems
        assert told.startswith(f"{name}: ")
        assert "handed in too" in told
        assert other in told


def test_both_alone_by_partners_csv_settles_it(
    resolved: Callable[..., dict[str, Shared]],
) -> None:
    entries = (handed("jane", "Muller"), handed("jörg", "Doe"))
    shared = resolved(*entries, partners="101,\n105,\n")
    assert [(["101"], ()), (["105"], ())] == [(ids(one), one.problems) for one in shared.values()]


def test_two_who_name_the_same_partner_are_both_asked(
    resolved: Callable[..., dict[str, Shared]],
) -> None:
    shared = resolved(handed("jane", "Muller"), handed("sam", "Muller"))
    assert (["101"], ["102"]) == (ids(shared["jane"]), ids(shared["sam"]))
    both = "Doe, Jane (101) and Lee, Sam (102) both name Müller, Jörg (105) as the partner."
    assert [1, 1] == [sum(both in told for told in one.problems) for one in shared.values()]


def test_a_chain_of_three_is_asked(resolved: Callable[..., dict[str, Shared]]) -> None:
    """Sam names Jane, and Jane names Jörg: nobody is given a grade of another's."""
    shared = resolved(handed("jane", "Muller"), handed("sam", "Doe"))
    assert (["101"], ["102"]) == (ids(shared["jane"]), ids(shared["sam"]))
    assert shared["jane"].problems
    assert shared["sam"].problems


def test_two_files_of_one_submitter_do_not_rival(
    resolved: Callable[..., dict[str, Shared]],
) -> None:
    first, second = handed("jane", "Muller"), handed("jane", "Muller")
    again = HandedIn(file="again", student=second.student, partner_names=("Muller",))
    shared = resolved(first, again)
    assert [["101", "105"], ["101", "105"]] == [ids(one) for one in shared.values()]


def test_somebody_who_is_not_on_the_roster_stays_who_they_are(
    resolved: Callable[..., dict[str, Shared]],
) -> None:
    shared = resolved(handed("stranger"), handed("jane"))
    assert ["777"] == ids(shared["stranger"])


def test_a_canvas_id_is_nobodys_sis_id(file: WriteFile) -> None:
    text = 'Student,ID,SIS User ID,SIS Login ID,Section\n"Doe, Jane",101,777,777,s\n'
    roster = read_gradebook(file("roster.csv", text))
    (shared,) = resolve_pairs([handed("stranger")], roster=roster)
    assert ["777"] == ids(shared)


def test_the_roster_names_who_handed_in(roster: Gradebook) -> None:
    by_name = HandedIn(file="f", student=Student(name="jane doe"))
    (shared,) = resolve_pairs([by_name], roster=roster)
    assert (Student(name="Doe, Jane", canvas_id="101", login="jdoe"),) == shared.students


def test_a_whole_name_of_two_students_is_nobodys(file: WriteFile) -> None:
    text = 'Student,ID,Section\n"Lee, Sam",1,s\n"Lee, Sam",2,s\n"Doe, Jo",3,s\n'
    roster = read_gradebook(file("roster.csv", text))
    partners = read_partners(file("partners.csv", 'student,partner\n3,"Lee, Sam"\n'), roster=roster)
    entries = [
        HandedIn(file="jo", student=Student(name="", canvas_id="3")),
        HandedIn(file="sam", student=Student(name="Lee, Sam")),
    ]
    jo, sam = resolve_pairs(entries, roster=roster, partners=partners)
    assert ["3"] == ids(jo)
    assert "“Lee, Sam” means 2 students in roster.csv" in jo.problems[0]
    assert (Student(name="Lee, Sam"),) == sam.students


# ------------------------------------------------------------------------------- without a roster
def test_without_a_roster_a_hint_is_asked_about() -> None:
    (shared,) = resolve_pairs([handed("jane", "Muller")], roster=None)
    assert ["101"] == ids(shared)
    assert "There is no roster to find “Muller” of the file name in." in shared.problems[0]


def test_without_a_roster_partners_csv_is_taken_at_its_word(file: WriteFile) -> None:
    rows = "student,partner\n101,Jo Lee\nother,103\n"
    partners = read_partners(file("partners.csv", rows), roster=None)
    other = HandedIn(file="other", student=Student(name="x", login="Other"))
    jane, also = resolve_pairs([handed("jane", "Muller"), other], roster=None, partners=partners)
    assert ["Jo Lee"] == [student.name for student in jane.students[1:]]
    assert ["103"] == [student.name for student in also.students[1:]]
    assert ((), ()) == (jane.problems, also.problems)


def test_without_a_roster_those_who_handed_in_are_known(file: WriteFile) -> None:
    partners = read_partners(file("p.csv", "student,partner\n101,102\n"), roster=None)
    shared = resolve_pairs([handed("jane"), handed("sam")], roster=None, partners=partners)
    assert [["101"], ["102"]] == [ids(one) for one in shared]
    assert all("handed in too" in one.problems[0] for one in shared)


def test_anonymous_submitters_are_nobodys_rivals() -> None:
    entries = [HandedIn(file=str(number), student=Student(name="")) for number in range(2)]
    assert all(one.problems == () for one in resolve_pairs(entries, roster=None))
