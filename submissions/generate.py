"""Write the sample submissions: a class of invented students, and what each of them has earned.

    python submissions/generate.py [FOLDER]

Everything is made from four files: the handout (rubrics/a2/starter/A2.ipynb), a right solution
(solution.py), what students do otherwise (variants.toml) and who hands in what (samples.toml).
This file knows formats and the points of the checks. It must not know the grader: the manifest is
worked out by hand and by addition, so that the grader can be held against it.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
HANDOUT = HERE.parent / "rubrics" / "a2" / "starter" / "A2.ipynb"

Table = dict[str, Any]  # a table of a TOML file, or an object of a JSON file
Row = list[str]

DUE = datetime.fromisoformat("2026-10-31T23:59:00-06:00")
TIME_ZONE = "America/Denver"
POINTS_PER_DAY_LATE = 10

CHECKS: Mapping[str, Mapping[str, int]] = {
    "adam": {
        "adam_parabola": 4,
        "adam_one_step": 3,
        "adam_continued": 3,
        "adam_in_place": 2,
        "adam_several_weights": 2,
        "adam_trace": 1,
    },
    "use": {
        "use_shape": 2,
        "use_values": 4,
        "use_several_outputs": 2,
        "use_input_untouched": 2,
    },
    "relu": {"relu_values": 2, "relu_shape": 1, "relu_untouched": 2},
    "grad_relu": {"grad_relu_values": 2, "grad_relu_shape": 1, "grad_relu_untouched": 2},
    "relu_network": {
        "network_forward": 3,
        "network_gradient": 3,
        "network_inactive": 2,
        "network_two_steps": 2,
    },
    "partition": {
        "partition_shapes": 2,
        "partition_remainder": 2,
        "partition_order": 2,
        "partition_rows_together": 2,
        "partition_complete": 1,
        "partition_shuffling": 1,
    },
    "run_experiment": {
        "experiment_grid": 3,
        "experiment_no_hidden": 1,
        "experiment_one_partition": 2,
        "experiment_adam": 2,
        "experiment_rmse": 3,
        "experiment_sets": 2,
        "experiment_columns": 1,
        "experiment_table": 1,
    },
}
MARKED = {"experiments": 15, "discussion": 15}
SWISH_AUTOMATIC, SWISH_MARKED = 3, 2

A1_TITLE = "A1 Linear Regression by Gradient Descent (987611)"
A2_TITLE = "A2 Multilayer Neural Networks (987654)"
TOTALS = [
    f"{group}{total}"
    for group in ("Assignments ", "")
    for total in (
        "Current Points",
        "Final Points",
        "Current Score",
        "Unposted Current Score",
        "Final Score",
        "Unposted Final Score",
    )
]


class SampleError(ValueError):
    """The files that the samples are made from contradict each other."""


# ------------------------------------------------------------------ values


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a notebook."""

    id: str
    kind: str  # "code" or "markdown"
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What a student does otherwise than the right solution: a table of variants.toml."""

    story: str
    lost: Sequence[str] = ()
    either: Sequence[str] = ()
    run: Sequence[str] = ("complete",)
    swish: bool = False
    edit: Sequence[Table] = ()
    set: Sequence[Table] = ()
    insert: Sequence[Table] = ()
    copy: Sequence[Table] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """One line of the roster: a [[student]] of samples.toml, where every field is explained."""

    id: int
    name: str
    login: str
    story: str = ""
    variants: Sequence[str] = ()
    handed_in: str = "notebook"
    file: str = ""
    attachment: int = 0
    earlier: Sequence[Table] = ()
    submitted: str | None = None
    late: bool = False
    days_late: int = 0
    extension: Table | None = None
    partner: int = 0
    marks: Table = field(
        default_factory=lambda: {item: [points, ""] for item, points in MARKED.items()}
    )
    known_as: str = "id"
    section: str = "ML-001"
    a1: str = ""
    a2: str = ""

    @property
    def key(self) -> str:
        """What the CSV files of the course call this student."""
        return str(getattr(self, self.known_as))

    @property
    def author(self) -> str:
        """The name as its owner writes it."""
        return " ".join(reversed(self.name.split(", ")))


@dataclass(frozen=True, slots=True)
class Source:
    """Everything the samples are made from."""

    right: Sequence[Cell]
    variants: Mapping[str, Variant]
    students: Sequence[Student]
    notebooks: Sequence[Table]

    def of(self, names: Iterable[str]) -> list[Variant]:
        """The variants of these names."""
        return [self.variants[name] for name in names]

    def student(self, canvas_id: int) -> Student:
        """The student with this id."""
        return next(student for student in self.students if student.id == canvas_id)


def read_source() -> Source:
    """Read the four files."""
    variants = tomllib.loads((HERE / "variants.toml").read_text(encoding="utf-8"))
    samples = tomllib.loads((HERE / "samples.toml").read_text(encoding="utf-8"))
    handout = read_notebook(HANDOUT.read_text(encoding="utf-8"))
    solution = parse_percent((HERE / "solution.py").read_text(encoding="utf-8"))
    return Source(
        right=overlay(handout, solution),
        variants={name: Variant(**table) for name, table in variants.items()},
        students=[Student(**table) for table in samples["student"]],
        notebooks=samples["notebook"],
    )


# ------------------------------------------------------------------ cells and notebooks

CELL = re.compile(r'^# %% (?P<markdown>\[markdown\] )?id="(?P<id>[\w-]+)"$', re.MULTILINE)


def parse_percent(text: str) -> list[Cell]:
    """Read cells in the percent format. What stands before the first one is not in a cell."""
    starts = list(CELL.finditer(text))
    ends = [start.start() for start in starts[1:]] + [len(text)]
    cells = []
    for start, end in zip(starts, ends, strict=True):
        kind = "markdown" if start["markdown"] else "code"
        commented = r"^# ?" if kind == "markdown" else r"^# (?=[%!])"
        source = re.sub(commented, "", text[start.end() : end].strip("\n"), flags=re.MULTILINE)
        cells.append(Cell(start["id"], kind, source))
    return cells


def read_notebook(text: str) -> list[Cell]:
    """Read the cells of a notebook."""
    return [
        Cell(cell["id"], cell["cell_type"], "".join(cell["source"]))
        for cell in json.loads(text)["cells"]
    ]


def write_notebook(cells: Iterable[Cell]) -> str:
    """A notebook that has never been run, as Jupyter would save it."""
    notebook = {
        "cells": [_cell_as_json(cell) for cell in cells],
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _cell_as_json(cell: Cell) -> Table:
    common = {
        "cell_type": cell.kind,
        "id": cell.id,
        "metadata": {},
        "source": cell.source.splitlines(keepends=True),
    }
    return common | ({"execution_count": None, "outputs": []} if cell.kind == "code" else {})


def overlay(handout: Sequence[Cell], solution: Sequence[Cell]) -> list[Cell]:
    """The handout with the cells of the solution in place of its own."""
    written = {cell.id: cell for cell in solution}
    if strays := written.keys() - {cell.id for cell in handout}:
        raise SampleError(f"solution.py has cells that the handout has not: {sorted(strays)}")
    return [written.get(cell.id, cell) for cell in handout]


# ------------------------------------------------------------------ variants


def apply_variant(cells: Sequence[Cell], name: str, variants: Mapping[str, Variant]) -> list[Cell]:
    """Make the changes of a variant, each of which must fit exactly."""
    result, variant = list(cells), variants[name]
    for copy in variant.copy:
        at = _position(result, copy["cell"], name)
        edits = [e for e in variants[copy["variant"]].edit if e["cell"] == copy["cell"]]
        copied = _edited(result[at], edits, name)
        result.insert(at, replace(copied, id=copy["id"]))
    for edit in variant.edit:
        at = _position(result, edit["cell"], name)
        result[at] = _edited(result[at], [edit], name)
    for new in variant.set:
        at = _position(result, new["cell"], name)
        kind = new.get("kind", result[at].kind)
        result[at] = Cell(new["cell"], kind, new["source"].strip("\n"))
    for new in variant.insert:
        at = _position(result, new["after"], name) + 1
        result.insert(at, Cell(new["id"], new.get("kind", "code"), new["source"].strip("\n")))
    return result


def _position(cells: Sequence[Cell], cell_id: str, name: str) -> int:
    places = [place for place, cell in enumerate(cells) if cell.id == cell_id]
    if len(places) != 1:
        raise SampleError(f"{name}: there are {len(places)} cells called {cell_id!r}, not one")
    return places[0]


def _edited(cell: Cell, edits: Iterable[Table], name: str) -> Cell:
    source = cell.source + "\n"
    for edit in edits:
        if (times := source.count(edit["old"])) != 1:
            raise SampleError(
                f"{name}: this must be in the cell {cell.id!r} exactly once, "
                f"but is there {times} times:\n{edit['old']}"
            )
        source = source.replace(edit["old"], edit["new"])
    return replace(cell, source=source.strip("\n"))


def build_notebook(source: Source, names: Iterable[str], author: str = "A. Student") -> str:
    """The right notebook with these variants, signed by its author."""
    cells = list(source.right)
    for name in names:
        cells = apply_variant(cells, name, source.variants)
    at = _position(cells, "author", author)
    cells[at] = replace(cells[at], source=author)
    return write_notebook(cells)


# ------------------------------------------------------------------ what Canvas writes


def zip_entry_name(student: Student, attachment: int, uploaded: str) -> str:
    """The name that Canvas gives to a file in its zip of submissions."""
    display_name = re.sub(r'[/\\:*?"<>|]', "_", uploaded)
    return f"{_entry_prefix(student)}_{attachment}_{display_name}"


def _entry_prefix(student: Student) -> str:
    name = re.sub(r"\W", "", student.name.lower())
    return f"{name}{'_LATE' if student.late else ''}_{student.id}"


def counted_entry(student: Student) -> str | None:
    """The zip entry that counts for this student: the latest attempt."""
    if student.handed_in == "nothing":
        return None
    if student.handed_in == "text":
        return f"{_entry_prefix(student)}_text.html"
    attachment = student.attachment or 7_000_000 + 10 * student.id
    uploaded = student.file or f"{student.name.split(',')[0]}-A2.ipynb"
    return zip_entry_name(student, attachment, uploaded)


def zip_entries(source: Source) -> dict[str, str]:
    """All files of the export, by name."""
    entries = {}
    for student in source.students:
        name = counted_entry(student)
        if name is None or student.handed_in == "partner":
            continue
        entries[name] = _handed_in_text(source, student)
        for attempt in student.earlier:
            earlier = zip_entry_name(student, attempt["attachment"], attempt["file"])
            entries[earlier] = build_notebook(source, attempt["variants"], student.author)
    return entries


def _handed_in_text(source: Source, student: Student) -> str:
    if student.handed_in == "text":
        return (
            "<!DOCTYPE html>\n<html>\n<head><title>A2</title></head>\n<body>\n"
            "<p>The upload did not work. My notebook is on the server, in my home folder.</p>\n"
            "</body>\n</html>\n"
        )
    author = student.author
    if student.partner:
        author += f" and {source.student(student.partner).author}"
    text = build_notebook(source, student.variants, author)
    return text[: len(text) // 2] if student.handed_in == "cut" else text


def zip_bytes(entries: Mapping[str, str]) -> bytes:
    """A zip that is the same whenever and wherever it is made (with the same zlib)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, date_time=(2026, 11, 5, 9, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # Unix; the default is the machine's own
            info.external_attr = 0o644 << 16
            archive.writestr(info, entries[name], compresslevel=9)
    return buffer.getvalue()


def gradebook_rows(source: Source) -> Iterator[Row]:
    """The exported gradebook: two rows of Canvas's own, the students by name, Test Student last."""
    blank = [""] * 4
    yield ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", A1_TITLE, A2_TITLE, *TOTALS]
    yield ["", *blank, "", "Manual Posting", *[""] * len(TOTALS)]
    read_only = ["(read only)"] * len(TOTALS)
    yield ["    Points Possible", *blank, "100.00", "100.00", *read_only]
    for student in sorted(source.students, key=lambda student: student.name.casefold()):
        name = f'="{student.name}"' if student.name.startswith("=") else student.name
        ids = [str(student.id), str(83_000_000 + student.id), student.login]
        yield [name, *ids, student.section, *_scores(student)]
    login = "5f0c9d2be1a64e0db7c3518a92f6e47d03b8c1aa"
    yield ["Student, Test", "40999", "", login, "ML-001", "", "", *[""] * len(TOTALS)]


def _scores(student: Student) -> Row:
    """A1, A2 and the totals: of what is graded, and of everything with nothing for the rest."""
    if student.a1 in {"", "EX"}:
        return [student.a1, student.a2, *[""] * len(TOTALS)]
    a1 = float(student.a1)
    final = a1 if student.a2 == "EX" else a1 / 2
    totals = [f"{score:.2f}" for score in (a1, a1, a1, a1, final, final)]
    return [f"{a1:.2f}", student.a2, *totals, *totals]


# ------------------------------------------------------------------ what the course writes


def time_rows(source: Source) -> Iterator[Row]:
    """When each student handed in; those who had no reason to wait did so in the last two days."""
    yield ["student", "submitted_at"]
    for number, student in enumerate(source.students):
        usual = DUE - timedelta(days=1, hours=14, minutes=12) + timedelta(minutes=41 * number)
        submitted = usual.isoformat() if student.submitted is None else student.submitted
        if submitted and student.handed_in not in {"nothing", "partner"}:
            yield [student.key, submitted]


def extension_rows(source: Source) -> Iterator[Row]:
    """Who may hand in later."""
    yield ["student", "until", "reason"]
    for student in source.students:
        if student.extension:
            yield [student.key, student.extension["until"], student.extension["reason"]]


def partner_rows(source: Source) -> Iterator[Row]:
    """Who worked together; the one who handed in comes first."""
    yield ["student", "partner"]
    for student in source.students:
        if student.partner and student.handed_in != "partner":
            yield [student.key, source.student(student.partner).key]


def mark_rows(source: Source) -> Iterator[Row]:
    """What a person gave for experiments, discussion and swish."""
    yield ["student", "item", "points", "comment"]
    for student in source.students:
        if student.handed_in != "partner":
            for item, (points, comment) in student.marks.items():
                yield [student.key, item, str(points), comment]


def csv_text(rows: Iterable[Row]) -> str:
    """Rows as CSV."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


# ------------------------------------------------------------------ what each has earned


def code_points(lost: Sequence[str]) -> dict[str, int]:
    """The points of each code item when these checks are lost."""
    strays = set(lost) - {check for checks in CHECKS.values() for check in checks}
    if strays:
        raise SampleError(f"no item has the checks {sorted(strays)}")
    return {
        item: sum(points for check, points in checks.items() if check not in lost)
        for item, checks in CHECKS.items()
    }


def _lost(variants: Iterable[Variant]) -> list[str]:
    return sorted({check for variant in variants for check in variant.lost})


def student_outcome(source: Source, student: Student) -> Table:
    """What a fair grader finds about this student; a partner gets what the other one earned."""
    worker = source.student(student.partner) if student.handed_in == "partner" else student
    variants = source.of(worker.variants)
    readable = worker.handed_in == "notebook"
    lost = _lost(variants)
    return {
        "student": {"name": student.name, "canvas_id": student.id, "login": student.login},
        "story": " ".join([student.story, *(variant.story for variant in variants)]).strip(),
        "file": counted_entry(worker),
        "run": _run_outcomes(worker, variants),
        "lost": lost,
        **_points(worker, lost, swish=any(v.swish for v in variants), readable=readable),
    }


def _run_outcomes(student: Student, variants: Sequence[Variant]) -> list[str]:
    """Ways in which an honest run of the notebook may end."""
    if student.handed_in != "notebook":
        return [] if student.handed_in == "nothing" else ["unreadable"]
    troubled = [outcome for v in variants for outcome in v.run if list(v.run) != ["complete"]]
    return troubled or ["complete"]


def _points(student: Student, lost: Sequence[str], *, swish: bool, readable: bool) -> Table:
    marks = {item: student.marks.get(item, [None])[0] for item in [*MARKED, "swish"]}
    swish_points = 0 if not swish else _sum([SWISH_AUTOMATIC, marks["swish"]])
    marked = {item: marks[item] for item in MARKED} | {"swish": swish_points}
    items: dict[str, int | None] = {**code_points(lost), **marked}
    if not readable:
        items = dict.fromkeys(items)
    days = None if student.days_late < 0 or student.handed_in == "nothing" else student.days_late
    penalty = None if days is None else POINTS_PER_DAY_LATE * days
    total = _sum(items.values())
    final = None if total is None or penalty is None else max(0, total - penalty)
    return {
        "items": items,
        "code": _sum(items[item] for item in CHECKS),
        "discussion": _sum(items[item] for item in MARKED),
        "extra_credit": items["swish"],
        "late": {"days": days, "penalty": penalty},
        "final": final,
        "state": _state(student, known=readable and days is not None, final=final),
    }


def _sum(points: Iterable[int | None]) -> int | None:
    """The sum, or None where a part of it is not known."""
    known = list(points)
    return None if None in known else sum(part for part in known if part is not None)


def _state(student: Student, *, known: bool, final: int | None) -> str | None:
    if student.handed_in == "nothing":
        return None
    if not known:
        return "needs-attention"
    return "needs-marks" if final is None else "final"


def notebook_outcome(source: Source, notebook: Table) -> Table:
    """What a fair grader finds in one of the single notebooks."""
    variants = source.of(notebook.get("variants", []))
    lost = _lost(variants)
    items = code_points(lost)
    return {
        "file": f"notebooks/{notebook['file']}",
        "story": " ".join(variant.story for variant in variants) or "Everything is right.",
        "run": sorted({outcome for v in variants for outcome in v.run} or {"complete"}),
        "lost": lost,
        "either": sorted({check for variant in variants for check in variant.either}),
        "items": items,
        "code": sum(items.values()),
    }


def manifest(source: Source) -> Table:
    """The true outcome of every student, for the grader to be held against."""
    return {
        "assignment": "a2",
        "due": DUE.isoformat(),
        "time_zone": TIME_ZONE,
        "points_per_day_late": POINTS_PER_DAY_LATE,
        "checks": CHECKS,
        "students": [student_outcome(source, student) for student in source.students],
        "notebooks": [notebook_outcome(source, notebook) for notebook in source.notebooks],
    }


# ------------------------------------------------------------------ all of it


def samples(source: Source) -> dict[str, bytes]:
    """Every generated file, by its path in this folder."""
    text = {
        "a2-gradebook.csv": csv_text(gradebook_rows(source)),
        "a2-times.csv": csv_text(time_rows(source)),
        "a2-extensions.csv": csv_text(extension_rows(source)),
        "a2-partners.csv": csv_text(partner_rows(source)),
        "a2-marks.csv": csv_text(mark_rows(source)),
        "manifest.json": json.dumps(manifest(source), indent=2, ensure_ascii=False) + "\n",
    }
    for notebook in source.notebooks:
        content = build_notebook(source, notebook.get("variants", []))
        text[f"notebooks/{notebook['file']}"] = content
    files = {path: content.encode() for path, content in text.items()}
    return files | {"a2-canvas-export.zip": zip_bytes(zip_entries(source))}


def generate(folder: Path) -> None:
    """Write all samples into a folder, and take notebooks away that are not among them."""
    files = samples(read_source())
    for stale in (folder / "notebooks").glob("*.ipynb"):
        if f"notebooks/{stale.name}" not in files:
            stale.unlink()
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if sys.argv[1:] else HERE)
