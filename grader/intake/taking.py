"""The way of a batch: list the SOURCEs, tell whose each file is, read the newest of each, stage it.

Only here do the parts of the intake meet. One notebook is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from grader.errors import UsageError
from grader.intake.archives import archive
from grader.intake.attempts import HandedIn, newest
from grader.intake.display import shown
from grader.intake.entries import Entry, Intake, Problem
from grader.intake.file_names import has_known_kind, is_archive
from grader.intake.folders import folder, single
from grader.intake.found import Found, Listing
from grader.intake.limits import IntakeLimits
from grader.intake.notebooks import runnable
from grader.intake.refusals import RefusedError, problem
from grader.intake.roster import Roster
from grader.intake.staging import prepared, stage
from grader.intake.submitters import partner_names, submitter
from grader.model import Student, Submission

_ZIP_MARK = b"PK\x03\x04"


def take_in(
    sources: Sequence[Path],
    staging: Path,
    *,
    roster: Sequence[Student] = (),
    limits: IntakeLimits = IntakeLimits(),  # noqa: B008 - frozen: one value may serve all calls
) -> Intake:
    """Every notebook in `sources`, one for each submitter, copied into `staging`.

    A SOURCE is a Canvas download (a zip), a folder or a notebook. What cannot be taken in becomes
    a Problem and the rest goes on; a SOURCE that is missing or cannot be opened is a UsageError.
    """
    known = Roster.of(roster)
    entries: list[Entry] = []
    with ExitStack() as opened:
        listings = _listings(sources, prepared(staging), limits, opened)
        problems = [said for listing in listings for said in listing.problems]
        files = [found for listing in listings for found in listing.files]
        handed_in, refused = _attributed(files, known, limits)
        problems += refused
        for one in _by_submitter(handed_in):
            taken, doubts = newest(one)
            problems += doubts
            if taken is not None:
                try:
                    entries.append(_entry(taken, staging, known, limits))
                except RefusedError as refusal:
                    by = taken.by
                    problems.append(
                        problem(taken.found.path, by.student, refusal, is_named=by.is_named)
                    )
    return Intake(entries=tuple(sorted(entries, key=_order)), problems=_sorted(problems))


def _listings(
    sources: Sequence[Path], staging: Path, limits: IntakeLimits, opened: ExitStack
) -> list[Listing]:
    """What each SOURCE holds. All of them are looked at first: a wrong name costs no work."""
    kinds = [_is_zip(path) for path in _without_repetition(sources)]
    return [
        folder(path, number, limits, leave_out=staging)
        if path.is_dir()
        else archive(path, number, limits, opened)
        if is_zip
        else single(path, number, limits)
        for number, (path, is_zip) in enumerate(kinds)
    ]


def _without_repetition(sources: Sequence[Path]) -> list[Path]:
    return list({path.resolve(): path for path in sources}.values())


def _is_zip(path: Path) -> tuple[Path, bool]:
    """The SOURCE, and whether to open it as a zip: a .docx is one too, but not what is meant."""
    if not path.exists():
        raise UsageError(
            f"{shown(str(path))} does not exist: name a Canvas zip, folder or notebook."
        )
    if path.is_dir():
        return path, False
    if not path.is_file():
        raise UsageError(
            f"{shown(str(path))} is not a file: name a Canvas zip, folder or notebook."
        )
    try:
        with path.open("rb") as file:
            starts_as_zip = file.read(len(_ZIP_MARK)) == _ZIP_MARK
    except OSError as error:
        raise UsageError(
            f"{shown(str(path))} cannot be read ({error.strerror}): make it readable."
        ) from error
    return path, is_archive(path.name) or (starts_as_zip and not has_known_kind(path.name))


def _attributed(
    files: Sequence[Found], roster: Roster, limits: IntakeLimits
) -> tuple[list[HandedIn], list[Problem]]:
    """Each file with its submitter; and a problem for each that is not to be touched."""
    handed_in: list[HandedIn] = []
    problems: list[Problem] = []
    for found in files:
        # The name of a refused file is as long and as odd as it likes; it still may tell whose.
        path = (
            found.path.replace("\\", "/")[: limits.name_characters] if found.fault else found.path
        )
        student = None
        try:
            by = submitter(path, roster)
            student = by.student if by.is_named else None
            if found.fault:
                raise found.fault
        except RefusedError as refusal:
            problems.append(problem(found.path, student, refusal))
        else:
            handed_in.append(HandedIn(found=found, by=by))
    return handed_in, problems


def _by_submitter(handed_in: Sequence[HandedIn]) -> Iterator[list[HandedIn]]:
    groups: dict[tuple[str, str], list[HandedIn]] = {}
    for one in handed_in:
        groups.setdefault(one.by.key, []).append(one)
    for key in sorted(groups):
        yield groups[key]


def _entry(taken: HandedIn, staging: Path, roster: Roster, limits: IntakeLimits) -> Entry:
    """The notebook read, mended where needed and staged. Raises RefusedError."""
    path, sha256 = stage(runnable(taken.found.read(), limits), staging)
    by, canvas = taken.by, taken.by.canvas
    return Entry(
        submission=Submission(
            students=(by.student,),
            file=taken.found.path.rpartition("/")[2],
            path=path,
            sha256=sha256,
        ),
        late_flag=canvas is not None and canvas.late,
        partner_names=partner_names(by, roster),
        is_group=by.is_group,
        anonymous_id=canvas.anonymous_id if canvas else "",
        attachment_id=canvas.attachment_id if canvas else "",
    )


def _order(entry: Entry) -> tuple[str, ...]:
    student = entry.submission.students[0]
    return (student.name.casefold(), student.name, student.canvas_id, entry.submission.file)


def _sorted(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda said: (said.file, said.sentence)))
