"""What a grading was asked for, as plain values, so that it can be judged again as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from grader.errors import StoreError
from grader.files import write_whole
from grader.grading.course import Tables
from grader.grading.keys import fingerprint
from grader.grading.order import Order
from grader.intake import Entry, Problem
from grader.model import Student, Submission
from grader.store import KeptTable, Store

DAMAGED = "The store's list of submissions is damaged: grade again."
FILES = ("roster", "submitted", "extensions", "partners", "marks")


def asked_for(order: Order, store: Store, problems: Sequence[Problem]) -> dict[str, Any]:
    """Return what is to be kept of `order`; people's tables are copied into the store."""
    paths = {name: getattr(order.tables, name) for name in FILES}
    return {
        "assignment": order.pack.slug,
        "pack_folders": [str(folder.absolute()) for folder in order.pack_folders],
        "secret": fingerprint(order.secret),
        "secret_file": str(order.secret_file.absolute()) if order.secret_file else "",
        "due": order.tables.due,
        "tables": {
            name: asdict(store.keep_table(path)) for name, path in paths.items() if path is not None
        },
        "export": {
            "assignment": order.export.assignment,
            "deducts_late": order.export.deducts_late,
        },
        "limits": asdict(order.limits),
        "problems": [
            [p.file, _student_out(p.student) if p.student else None, p.sentence] for p in problems
        ],
    }


def tables_of(asked: Mapping[str, Any], store: Store, folder: Path) -> Tables:
    """Lay the tables of an earlier grading out in `folder`, under the names that people know."""
    paths: dict[str, Path] = {}
    for name, kept in asked["tables"].items():
        place = folder / name
        place.mkdir()
        paths[name] = place / (Path(kept["file"]).name or name)
        write_whole(paths[name], store.table(KeptTable(**kept)))
    return Tables(due=asked["due"], **paths)


def problems_of(asked: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Return what the intake found at an earlier grading."""
    return tuple(
        Problem(file=file, student=_student_in(who) if who else None, sentence=sentence)
        for file, who, sentence in asked["problems"]
    )


# ------------------------------------------------------------------------------- entries
def entry_to_json(entry: Entry, partners: Sequence[Student] = ()) -> dict[str, Any]:
    """Return what the intake said of one notebook as plain values, and who shares it."""
    kept = {field.name: getattr(entry, field.name) for field in fields(entry)}
    submission = kept.pop("submission")
    kept |= {
        "student": _student_out(submission.students[0]),
        "file": submission.file,
        "sha256": submission.sha256,
        **({"partners": [_student_out(partner) for partner in partners]} if partners else {}),
    }
    plain: dict[str, Any] = json.loads(json.dumps(kept))
    return plain


def entry_of(kept: Mapping[str, Any], notebooks: Path) -> Entry:
    """Return what `entry_to_json` was given; the notebook is where the store has it."""
    try:
        rest = dict(kept)
        rest.pop("partners", None)  # people's tables may say otherwise now
        student, file, sha256 = (rest.pop(name) for name in ("student", "file", "sha256"))
        submission = Submission(
            students=(_student_in(student),),
            file=file,
            path=notebooks / f"{sha256}.ipynb",
            sha256=sha256,
        )
        rest["partner_names"] = tuple(rest["partner_names"])
        return Entry(submission=submission, **rest)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(DAMAGED) from error


def students_of(kept: Mapping[str, Any]) -> list[Student]:
    """Return whose notebook `entry_to_json` was given: the submitter, then who shared it."""
    try:
        return [_student_in(each) for each in (kept["student"], *kept.get("partners", ()))]
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(DAMAGED) from error


def name_to_text(name: Sequence[str]) -> str:
    """Return who it was (name, Canvas ID, login) as one text; `student_of` reads it."""
    return json.dumps(list(name))


def student_of(text: str) -> Student | None:
    """Return whom `name_to_text` was given; None: nobody."""
    try:
        return _student_in(json.loads(text))
    except (TypeError, ValueError):
        return None


def _student_out(student: Student) -> list[str]:
    return [student.name, student.canvas_id, student.login]


def _student_in(kept: Sequence[str]) -> Student:
    name, canvas_id, login = kept
    return Student(name=name, canvas_id=canvas_id, login=login)
