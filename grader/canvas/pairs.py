"""Who gets the grade of a submission: the one who handed it in, and at most one partner.

A file name only hints at a partner; a row of partners.csv decides. Where a grade could go to the
wrong person nobody is guessed: the submitter keeps their own, and a person is asked. Pure: no I/O.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from grader.canvas.by_student import ByStudent, keys_of
from grader.canvas.roster import Gradebook, family_and_first, folded_name
from grader.canvas.tables import shown
from grader.errors import UsageError
from grader.model import Student

Partners: TypeAlias = ByStudent[tuple[str, ...]]  # what `read_partners` gives

_NOBODY: Partners = ByStudent(values={})
_MEND = "Add a row student,partner to partners.csv (a blank partner means that they worked alone)."


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """One submission, as far as pairing looks at it."""

    file: str
    student: Student
    partner_names: tuple[str, ...] = ()  # other people whom the file name seems to name
    group: bool = False  # Canvas took it as the work of a group


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Who gets the grade of one submission, the submitter first, and what a person must decide."""

    students: tuple[Student, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """A submission and the partner it names; a problem means that none could be told."""

    entry: HandedIn
    submitter: Student
    partner: Student | None = None
    problems: tuple[str, ...] = ()


def resolve_pairs(
    entries: Sequence[HandedIn], *, roster: Gradebook | None, partners: Partners = _NOBODY
) -> tuple[Shared, ...]:
    """Say for each entry, in their order, who gets its grade."""
    claims = [_claim(entry, entries, roster, partners) for entry in entries]
    files: defaultdict[str, list[str]] = defaultdict(list)
    claimed_by: defaultdict[str, dict[str, Student]] = defaultdict(dict)
    for claim in claims:
        me = _identity(claim.submitter)
        files[me].append(claim.entry.file)
        if claim.partner:
            claimed_by[_identity(claim.partner)][me] = claim.submitter
    return tuple(_shared(claim, files, claimed_by) for claim in claims)


def _shared(
    claim: _Claim,
    files: Mapping[str, Sequence[str]],
    claimed_by: Mapping[str, Mapping[str, Student]],
) -> Shared:
    me, partner = claim.submitter, claim.partner
    here = shown(claim.entry.file)
    problems = list(claim.problems)
    if partner and (theirs := files.get(_identity(partner))):
        problems.append(
            f"{here}: names {_named(partner)} as the partner, who handed in too "
            f"({', '.join(shown(file) for file in theirs)}). Each keeps the results of their own. "
            f"{_MEND}"
        )
    elif partner and len(rivals := claimed_by[_identity(partner)]) > 1:
        names = " and ".join(_named(student) for student in rivals.values())
        problems.append(f"{here}: {names} both name {_named(partner)} as the partner. {_MEND}")
    for other in claimed_by.get(_identity(me), {}).values():
        mutual = partner is not None and _identity(other) == _identity(partner)
        if not mutual:
            problems.append(
                f"{here}: {_named(me)} is also named as the partner of {_named(other)}, who handed "
                f"in too. Each keeps the results of their own. {_MEND}"
            )
    students = (me, partner) if partner and not problems else (me,)
    return Shared(students=students, problems=tuple(problems))


# ------------------------------------------------------------------------------- one submission
def _claim(
    entry: HandedIn,
    entries: Sequence[HandedIn],
    roster: Gradebook | None,
    partners: Partners,
) -> _Claim:
    me = _enrolled(entry.student, roster)
    if wrong := partners.problems_of(me):
        return _Claim(entry=entry, submitter=me, problems=wrong)
    try:
        if (told := partners.of(me)) is not None:
            partner = _told(me, told, roster, [other.student for other in entries])
        else:
            partner = _hinted(entry, me, roster)
        if partner:
            _check_partner(me, partner, partners)
    except UsageError as error:
        sentence = f"{shown(entry.file)}: {error} {_MEND}"
        return _Claim(entry=entry, submitter=me, problems=(sentence,))
    return _Claim(entry=entry, submitter=me, partner=partner)


def _enrolled(student: Student, roster: Gradebook | None) -> Student:
    """As the roster knows the student; as given, where it does not."""
    if roster is None:
        return student
    if student.canvas_id:
        return roster.by_id(student.canvas_id) or student
    for key in keys_of(student):
        with suppress(UsageError):
            return roster.find(key)
    return student


def _told(
    me: Student,
    told: Sequence[str],
    roster: Gradebook | None,
    submitters: Sequence[Student],
) -> Student | None:
    """What partners.csv says. Without a roster its word is all there is, and it is taken."""
    if len(told) > 1:
        raise UsageError(
            f"partners.csv gives {_named(me)} {len(told)} partners; a pair is two people."
        )
    if not told:
        return None
    if roster:
        return roster.find(told[0])
    key = folded_name(told[0])
    return next((one for one in submitters if key in keys_of(one)), Student(name=told[0]))


def _check_partner(me: Student, partner: Student, partners: Partners) -> None:
    """Raise UsageError where partners.csv says something else of the partner than of `me`."""
    if wrong := partners.problems_of(partner):
        raise UsageError(f"{_named(partner)} seems to be the partner, but {wrong[0]}")
    said = partners.of(partner)
    if said and {folded_name(key) for key in said} - set(keys_of(me)):
        raise UsageError(
            f"{_named(partner)} seems to be the partner of {_named(me)}, and partners.csv gives "
            "them another one; a pair is two people."
        )
    if said == ():
        raise UsageError(
            f"{_named(partner)} seems to be the partner of {_named(me)}, and partners.csv says "
            "that they worked alone."
        )


def _hinted(entry: HandedIn, me: Student, roster: Gradebook | None) -> Student | None:
    """The one student on the roster whom the file name can mean."""
    names = tuple(dict.fromkeys(name for name in entry.partner_names if _letters(name)))
    if names and roster is None:
        raise UsageError(f"There is no roster to find {_listed(names)} of the file name in.")
    meant = {name: _others(name, me, roster) for name in names}
    own = {name for name in names if _can_mean(name, me)}
    foreign = [name for name in names if meant[name] or name not in own]
    if not foreign:
        if entry.group:
            raise UsageError("Canvas took it as the work of a group and does not name the others.")
        return None
    if len(foreign) > 1:
        raise UsageError(f"The file name seems to name several partners: {_listed(foreign)}.")
    (name,) = foreign
    if not meant[name]:
        raise UsageError(f"Nobody on the roster is called {_listed(foreign)}, as the file name is.")
    if len(meant[name]) > 1 or name in own:
        who = " or ".join(_named(student) for student in meant[name])
        unless = ", or the submitter alone" if name in own else ""
        raise UsageError(f"{_listed(foreign)} in the file name can mean {who}{unless}.")
    return meant[name][0]


# ------------------------------------------------------------------------------- names
def _others(name: str, me: Student, roster: Gradebook | None) -> tuple[Student, ...]:
    return tuple(
        student
        for student in (roster.students if roster else ())
        if _can_mean(name, student) and _identity(student) != _identity(me)
    )


def _can_mean(name: str, student: Student) -> bool:
    """Whether `name` is a student's login, family name, a word of it, or family and first name."""
    family, first = (_letters(part) for part in family_and_first(student.name))
    words = {_letters(word) for word in family_and_first(student.name)[0].split()}
    spelt = _letters(name)
    if folded_name(name) == folded_name(student.login):
        return True
    return bool(spelt) and spelt in {family, family + first, first + family} | words


def _letters(name: str) -> str:
    """Only the letters, without accents and case: file names keep little more."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    return "".join(char for char in apart if char.isalpha())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"“{shown(name)}”" for name in names)


def _named(student: Student) -> str:
    name = shown(student.name) or student.login or "somebody"
    return f"{name} ({student.canvas_id})" if student.canvas_id else name


def _identity(student: Student) -> str:
    return next(iter(keys_of(student)), "")
