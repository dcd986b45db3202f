"""Judge a large class again that was never run: what `grader rejudge` takes, and how it grows.

    python -m bench.rejudge
    python -m bench.rejudge --submissions 100,1000,10000 --evidence graded
    python -m bench.rejudge --without-pages

The evidence is real: that of the sample export, from a folder that `grader grade` filled
(`--evidence`; without it, the export is graded first). Each of 100 made-up students answers the
questions of each item as one of the sample does, drawn for each item anew, three in ten of them
from those who lost points in it; they are judged. In a
larger class each further one answers as one of these, but every number is off by a part in 10¹³,
so that no two submissions have an answer in common. They are put straight into a store, with what
was judged of the one whom they resemble. Only notebooks as they ran are shared.

Each line of the table is one `grader rejudge`, in a process of its own and on two cores, after one
change of the assignment. Where points change, whom it names is compared with whom it must name,
by the results of before. "Written" writes the page of every student, for all show other points.
Memory is the largest process's most (VmHWM). Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from sqlalchemy import Engine, event

from grader.grading.asked import asked_for
from grader.grading.changes import person_key
from grader.grading.course import Tables
from grader.grading.keys import environment, question
from grader.grading.night import notebooks, opened
from grader.grading.order import Order
from grader.grading.reporting import CanvasExport
from grader.model import Array, Evidence, ProbeKey, Reply, Student, Table, Value
from grader.packs import Pack, load_pack
from grader.store import Question, ResultRow, Store, open_store
from grader.store.database import FILE

SECRET = b"a secret of the bench, long enough"
OFF = 1e-13  # less than any tolerance
ITEM = "partition"  # whose points change
SAMPLE = Path("submissions")
EXPORT = SAMPLE / "a2-canvas-export.zip"
NEEDS_ATTENTION = 3
CORES = 2
WRONG = 0.3  # of the students are wrong somewhere in an item
BASE = 100  # students who are judged before the class is made larger


# ------------------------------------------------------------------------------- the evidence
@dataclass(frozen=True)
class Sample:
    """What was observed of the sample: evidence, the notebook as handed in, and as it ran."""

    evidence: tuple[Evidence, ...]
    notebooks: tuple[Path, ...]
    lost: Mapping[str, Sequence[int]]  # item -> whose evidence lost a check of it


def sample_of(out: Path) -> Sample:
    """Read the evidence of a folder that `grader grade` filled."""
    store = open_store(out)
    try:
        there = [(sha, kept) for sha, (kept, *_) in sorted(store.evidence().items())]
        read = [replace(store.observed(k), executed=store.executed(k)) for _, k in there]
    finally:
        store.close()
    number = {sha: n for n, (sha, _) in enumerate(there)}
    lost: dict[str, list[int]] = {}
    for row in json.loads((out / "results.json").read_bytes()):
        for item in row["items"]:
            outcomes = {check["outcome"] for check in item["checks"]}
            if "failed" in outcomes and row["sha256"] in number:
                lost.setdefault(item["id"], []).append(number[row["sha256"]])
    files = tuple(notebooks(out) / f"{sha}.ipynb" for sha, _ in there)
    return Sample(tuple(read), files, lost)


def mixed(sample: Sample, pack: Pack, number: int) -> tuple[Evidence, Path]:
    """Return the evidence of one made-up student, and the notebook that stands for theirs."""
    draw = random.Random(number % BASE)  # noqa: S311  the same class each time
    main = draw.randrange(len(sample.evidence))
    evidence = sample.evidence[main]
    replies: dict[ProbeKey, Reply] = dict(evidence.replies)
    for item in pack.rubric.item:
        probes = pack.rubric.probes_of(item.id)
        among = sample.lost.get(item.id) if draw.random() < WRONG else None
        other = sample.evidence[draw.choice(among or range(len(sample.evidence)))].replies
        replies |= {key: reply for key, reply in other.items() if key[0] in probes}
    noise = np.random.default_rng(number)
    off = {k: replace(r, value=_off(r.value, noise)) for k, r in replies.items()}
    return replace(evidence, replies=off), sample.notebooks[main]


def _off(value: Value, noise: np.random.Generator) -> Value:
    """Return an answer whose numbers are nearly the same."""
    match value:
        case float():
            return value * (1 + OFF * noise.standard_normal())
        case list():
            return [_off(part, noise) for part in value]
        case dict():
            return {key: _off(part, noise) for key, part in value.items()}
        case Table():
            return replace(value, data=tuple(_off(column, noise) for column in value.data))
        case np.ndarray() if value.dtype.kind == "f":
            return _array_off(value, noise)
    return value


def _array_off(array: Array, noise: np.random.Generator) -> Array:
    with np.errstate(all="ignore"):  # a student's numbers may be infinite
        factor = 1 + OFF * noise.standard_normal(array.shape)
        return np.asarray(array * factor.astype(array.dtype))


# ------------------------------------------------------------------------------- the store
@dataclass(frozen=True)
class Place:
    """A folder with an assignment of its own, which may be edited, and results in it."""

    folder: Path
    name: str = "base"

    @property
    def out(self) -> Path:
        return self.folder / self.name

    @property
    def rubric(self) -> Path:
        return self.folder / "rubrics" / "a2" / "rubric.toml"

    @property
    def secret(self) -> Path:
        return self.folder / "secret"

    def prepare(self) -> None:
        """Copy the assignment as it is here."""
        for name in ("rubrics", "reference"):
            shutil.copytree(Path(name) / "a2", self.folder / name / "a2", dirs_exist_ok=True)
        self.secret.write_bytes(SECRET)

    def pack(self) -> Pack:
        return load_pack("a2", [self.rubric.parent.parent])

    def grader(self, *words: str | Path) -> list[str | Path]:
        secret = ("--hidden-seed-file", self.secret, "--pack-dir", self.rubric.parent.parent)
        return [sys.executable, "-m", "grader", *words, *secret]


def graded_sample(place: Place, given: Path | None) -> Sample:
    """Return the sample's evidence; without a folder of it, grade the export."""
    if given is None:
        given = place.folder / "sample"
        command = place.grader("grade", EXPORT, "--cell-seconds", "15", "--out", given)
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)  # it needs attention: 3
    return sample_of(given)


def fill(place: Place, sample: Sample, count: int) -> None:
    """Put the submissions of a class of `count` into a store; nothing is judged."""
    pack = place.pack()
    order = Order(
        sources=(),
        out=place.out,
        pack=pack,
        secret=SECRET,
        tables=Tables(),
        jobs=CORES,
        export=CanvasExport(title=pack.rubric.title),
        limits=pack.rubric.limits.limits(),
        pack_folders=(place.rubric.parent.parent,),
        secret_file=place.secret,
    )
    notebooks(order.out).mkdir(parents=True, exist_ok=True)
    with hasty(), opened(order.out, "") as store:
        store.begin("python -m bench.rejudge")
        base = store.results()
        entries = [_handed_in(number) for number in range(count)]
        calls = (*pack.questions(SECRET), *pack.survey())
        questions = [Question(call.key, question(call)) for call in calls]
        where = environment(pack)
        for number in range(len(base), count):
            evidence, notebook = mixed(sample, pack, number)
            sha256 = entries[number][1]
            os.link(notebook, notebooks(order.out) / f"{sha256}.ipynb")
            store.keep_evidence(
                evidence, questions, sha256=sha256, environment=where, limits=order.limits
            )
        store.set_submissions(entries, asked_for(order, store, ()))
        if base:
            _judge_as_the_base(store, base, entries)


Entry = tuple[tuple[str, ...], str, dict[str, object]]  # students, sha256, what the intake says


@contextmanager
def hasty() -> Iterator[None]:
    """Wait for no disk while a store is filled: it need not outlast a power cut."""

    def unsynced(connection: Any, _: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", unsynced)
    try:
        with patch("os.fsync"):
            yield
    finally:
        event.remove(Engine, "connect", unsynced)


def _handed_in(number: int) -> Entry:
    student = Student(name=f"Student {number:05}", canvas_id=str(100_000 + number))
    sha256 = f"{number:064x}"
    entry: dict[str, object] = {
        "late_flag": False,
        "partner_names": [],
        "is_group": False,
        "anonymous_id": "",
        "attachment_id": "",
        "student": [student.name, student.canvas_id, student.login],
        "file": f"student{number:05}_A2.ipynb",
        "sha256": sha256,
    }
    return (person_key(student),), sha256, entry


def _judge_as_the_base(
    store: Store, base: Mapping[str, ResultRow], entries: Sequence[Entry]
) -> None:
    """Let those who are new have what was judged of those whom they resemble."""
    newest = {sha: kept.id for sha, (kept, *_) in store.evidence().items()}
    models = [base[key] for (key,), _, _ in entries[:BASE]]
    judged = store.judged([row.evidence or 0 for row in models])
    new, verdicts = [], {}
    for number, ((key,), sha256, entry) in enumerate(entries[BASE:], BASE):
        model = models[number % BASE]
        verdicts[newest[sha256]] = judged[model.evidence or 0]
        name = (f"Student {number:05}", str(100_000 + number), "")
        record = {**model.record, "file": entry["file"]}
        new.append(
            ResultRow(
                student=key,
                name=name,
                sha256=sha256,
                evidence=newest[sha256],
                record=record,
            )
        )
    store.keep_judged(verdicts)
    store.finish(
        new,
        (),
        (),
        {},
        judged_by=store.judged_by(),
        outputs=store.outputs(),
        asked=store.asked(),
    )


# ------------------------------------------------------------------------------- measuring
@dataclass(frozen=True)
class Took:
    """One command: seconds, the largest process's megabytes, and what it said."""

    seconds: float
    memory: float
    said: str


def timed(command: Sequence[str | Path]) -> Took:
    """Run a command; it may end with what asks for attention."""
    with tempfile.TemporaryFile("w+") as said:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, env={**os.environ, "COLUMNS": "200"})
        memory = 0.0
        while process.poll() is None:
            memory = max(memory, *map(_most, [process.pid, *_children(process.pid)]))
            time.sleep(0.02)
        seconds = time.perf_counter() - begun
        said.seek(0)
        expect(process.returncode in (0, NEEDS_ATTENTION), said.read())
        said.seek(0)
        return Took(seconds, memory, said.read())


def _most(pid: int) -> float:
    """Return the most that a process has held so far, in MB; 0: it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found.group(1)) / 1024 if found else 0.0


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]


# ------------------------------------------------------------------------------- the changes
@dataclass(frozen=True)
class Case:
    """One change of rubric.toml: (pattern, what takes its place), and how it is judged again."""

    what: str
    edits: tuple[tuple[str, str], ...] = ()
    options: tuple[str, ...] = ()
    check: str = ""  # whoever passed it gets other points, and nobody else

    def edit(self, rubric: Path) -> None:
        text = rubric.read_text(encoding="utf-8")
        for pattern, new in self.edits:
            text, count = re.subn(pattern, rf"\g<1>{new}", text, count=1, flags=re.DOTALL)
            expect(count == 1, f"{rubric} has no {pattern}")
        rubric.write_text(text, encoding="utf-8")


POINTS = (
    (rf'(id = "{ITEM}"\n.*?\npoints = )10', "11"),
    (rf'(id = "{ITEM}_remainder"\n.*?\n  points = )2', "3"),
)
TOLERANCE = ((r'(id = "adam_one_step"\n.*?\n  tolerance = )1e-3', "2e-3"),)
TEXT = ((r'(id = "adam_one_step"\n.*?\n  hint = ")In its first', "At its first"),)
CASES = (
    Case("nothing, `--dry-run`", (), ("--dry-run",)),
    Case("one item's points, `--dry-run`", POINTS, ("--dry-run",), check=f"{ITEM}_remainder"),
    Case("one tolerance, `--dry-run`", TOLERANCE, ("--dry-run",)),
)
WRITTEN = Case("one item's points, written", POINTS, check=f"{ITEM}_remainder")
HEAD = "| submissions | what changed | s | ms each | MB at most | students told of |"


def rejudged(place: Place, case: Case, count: int, passed: Mapping[tuple[int, str], bool]) -> str:
    """Judge again after one change; return a line of the table."""
    place.prepare()
    case.edit(place.rubric)
    took = timed(place.grader("rejudge", place.out, "--all", *case.options))
    told = set(re.findall(rf"^(Student \d+) +{ITEM} ", took.said, re.MULTILINE))
    if case.check:
        concerned = {f"Student {n:05}" for n in range(count) if passed[n % BASE, case.check]}
        expect(concerned == told, f"{len(told)} were told of, {len(concerned)} are concerned")
    students = re.findall(r"^(\d+) students have other points", took.said, re.MULTILINE)
    cells = (
        f"{count:,}",
        case.what,
        f"{took.seconds:.1f}",
        f"{1000 * took.seconds / count:.2f}",
        f"{took.memory:.0f}",
        students[0] if students else "0",
    )
    return f"| {' | '.join(cells)} |"


def expect(fact: object, otherwise: str) -> None:
    if not fact:
        sys.exit(otherwise)


def outcomes(place: Place) -> dict[tuple[int, str], bool]:
    """Return (number of a student of the base, check) -> whether it was passed."""
    return {
        (int(row["student"]["name"].split()[-1]), check["id"]): check["outcome"] == "passed"
        for row in json.loads((place.out / "results.json").read_bytes())
        for item in row["items"]
        for check in item["checks"]
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--submissions", default="100,1000,10000", help="several with commas")
    parser.add_argument("--evidence", type=Path, help="a folder with the sample's results")
    parser.add_argument("--without-pages", action="store_true", help="write nothing")
    given = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    print(f"{HEAD}\n|--:|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory(prefix="grader-bench-") as name:
        base = Place(Path(name))
        base.prepare()
        sample = graded_sample(base, given.evidence)
        fill(base, sample, BASE)
        timed(base.grader("rejudge", base.out))
        passed = outcomes(base)
        for count in map(int, given.submissions.split(",")):
            place = replace(base, name=str(count))
            base.prepare()
            but = shutil.ignore_patterns(FILE)
            shutil.copytree(base.out, place.out, copy_function=os.link, ignore=but)
            shutil.copy(base.out / "store" / FILE, place.out / "store" / FILE)
            fill(place, sample, count)
            for case in (*CASES, *(() if given.without_pages else (WRITTEN,))):
                print(rejudged(place, case, count, passed), flush=True)
            shutil.rmtree(place.out)
    print(f"\n{os.cpu_count()} cores here; load over 15 minutes: {os.getloadavg()[2]:.1f}.")


if __name__ == "__main__":
    main()
