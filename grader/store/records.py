"""Keep evidence, and tell what is known: the way into the store.

Evidence is only ever added. What is kept of a judgement may be thrown away at any time: it can be
worked out again. Every change is one transaction, and large parts are on the disk before it.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, Row, Table, delete, insert, inspect, select, update

from grader.errors import EvidenceError, StoreError, UsageError
from grader.evidence import decode, encode, run_from_json, run_to_json
from grader.files import make_folder, write_durable
from grader.model import (
    CellOutcome,
    Evidence,
    Limits,
    ProbeKey,
    Reply,
    ReplyKind,
    RunOutcome,
    RunRecord,
    Seed,
    Visibility,
)
from grader.store import schema
from grader.store.database import FILE, bring_up_to_date, engine_of, same_place, translated
from grader.store.parts import Parts
from grader.store.whereabouts import another, remember, remembered

IDENTITY = "identity"
CHUNK = 500  # rows at a time
REPLIES, EXECUTED, QUESTIONS, TABLE = "replies", "executed", "questions", "table"
STOPPED_CELLS = frozenset({CellOutcome.TIMEOUT, CellOutcome.NOT_RUN, CellOutcome.DIED})
STOPPED_REPLIES = frozenset({ReplyKind.TIMEOUT, ReplyKind.DIED})

LEFT_OUT = "left-out"  # what happened to somebody who is not in the submissions any more

JsonValue: TypeAlias = Any  # what json reads


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: the digest of a probe's text and number, and where its reply stands."""

    key: ProbeKey
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Evidence that is there; its parts are read when they are wanted."""

    id: int
    command: int
    sha256: str
    environment: str
    limits: Limits
    run: RunRecord
    in_time: bool
    asked: Mapping[ProbeKey, str]  # -> the question's digest
    replies: str
    executed: str

    def serves(self, environment: str, limits: Limits) -> bool:
        """Whether a run within `limits` would have seen the same.

        More time changes nothing for what came to its end in less.
        """
        if self.environment != environment:
            return False
        mine, wanted = asdict(self.limits), asdict(limits)
        if any(mine[name] != wanted[name] for name in mine.keys() - {*TIMES, "startup_seconds"}):
            return False
        if all(mine[name] == wanted[name] for name in TIMES):
            return True
        return self.in_time and all(mine[name] <= wanted[name] for name in TIMES)


TIMES = ("cell_seconds", "notebook_seconds", "probe_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTable:
    """A table of people's, as it was: its name, and its content as a part."""

    file: str
    part: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What an earlier judgement found of one evidence."""

    verdicts: Mapping[str, JsonValue]
    facts_key: str = ""
    facts: JsonValue = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """What is known of one student: see grader.grading.changes for the record."""

    student: str
    name: tuple[str, str, str]  # name, Canvas id, login
    sha256: str
    evidence: int | None
    record: JsonValue
    page: JsonValue = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One line of the log, to be written. Texts may be hostile."""

    student: str
    what: str
    item: str = ""
    before: str = ""
    after: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Somebody ran the grader."""

    id: int
    at: str
    who: str
    host: str
    line: str
    ended: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow(Happened):
    """One line of the log, and by whose command it came."""

    command: Command


def who_am_i() -> str:
    """Return the name of the account that runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return f"uid {os.getuid()}"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def open_store(out: Path, url: str = "") -> Store:
    """Open the store of the results in `out`, and make it where there is none.

    Raises:
        StoreError: it cannot be used, or is not where the rows of `out` are; the sentence says why.
    """
    folder = out / "store"
    try:
        make_folder(folder)
        folder.chmod(0o700)  # what is in it is nobody else's business
        make_folder(folder / "evidence")
    except UsageError as error:
        raise StoreError(str(error)) from error
    except OSError as error:
        raise StoreError(f"{folder} cannot be used for the store: {error.strerror}.") from error
    identity, known = _identity(folder), remembered(folder)
    if known and not url and not (folder / FILE).exists():
        raise another(folder, known)  # before that file is made
    engine = engine_of(folder, url)
    with translated(), engine.begin() as connection:
        is_another = known is not None and not same_place(known, url)
        if is_another and not _knows(connection, identity):  # what moved is known where it is now
            raise another(folder, known or "")
        bring_up_to_date(connection)
        grading = _grading(connection, identity)
        remember(folder, url)
    return Store(engine, grading, Parts(folder / "evidence"))


def _identity(folder: Path) -> str:
    """Return what tells this folder's rows from others in one database; made once."""
    path = folder / IDENTITY
    try:
        if not path.is_file():
            write_durable(path, secrets.token_hex(16).encode())
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: put it back from a backup.") from error


def _knows(connection: Connection, identity: str) -> bool:
    table = schema.gradings
    if not inspect(connection).has_table(table.name):
        return False
    query = select(table.c.id).where(table.c.identity == identity)
    return connection.execute(query).scalar() is not None


def _grading(connection: Connection, identity: str) -> int:
    query = select(schema.gradings.c.id).where(schema.gradings.c.identity == identity)
    found = connection.execute(query).scalar()
    if found is None:
        made = connection.execute(insert(schema.gradings).values(identity=identity))
        found = made.inserted_primary_key[0] if made.inserted_primary_key else 0
    return int(found)


class Store:
    """The rows of one folder of results."""

    def __init__(self, engine: Engine, grading: int, parts: Parts) -> None:
        self._engine = engine
        self._grading = grading
        self._command = 0
        self._questions: dict[str, Mapping[ProbeKey, str]] = {}
        self.parts = parts

    def close(self) -> None:
        self._engine.dispose()

    def begin(self, line: str) -> None:
        """Note that somebody runs a command; what follows is its doing."""
        row = {
            "grading": self._grading,
            "at": now(),
            "who": who_am_i(),
            "line": line,
            "host": socket.gethostname(),
        }
        with self._transaction() as connection:
            made = connection.execute(insert(schema.commands).values(row))
            self._command = int((made.inserted_primary_key or (0,))[0])

    def begun(self, line: str) -> int:
        """Return the first of the commands, all the same and all stopped, that this one goes on."""
        first = self._command
        for command in reversed(self.commands()):
            if command.id != self._command and (command.ended or command.line != line):
                break
            first = command.id
        return first

    # ---------------------------------------------------------------------------- the grading
    def asked(self) -> JsonValue:
        """Return what the last grading was asked for; None: nothing was graded here."""
        return self._of_grading(schema.gradings.c.asked)

    def judged_by(self) -> JsonValue:
        return self._of_grading(schema.gradings.c.judged_by)

    def outputs(self) -> JsonValue:
        return self._of_grading(schema.gradings.c.outputs)

    def answers(self, whose: str, key: str) -> Mapping[ProbeKey, Reply] | None:
        """Return the reference's or the known mistakes' answers if they were kept under `key`."""
        kept = (self._of_grading(schema.gradings.c.expected) or {}).get(whose)
        if kept is None or kept["key"] != key:
            return None
        try:
            return decode(self.parts.read(kept["part"], REPLIES)).replies
        except EvidenceError:
            return None  # they are worked out again

    def keep_answers(self, whose: str, key: str, answers: Mapping[ProbeKey, Reply]) -> None:
        """Keep answers of the pack's own under what they depend on."""
        run = RunRecord(outcome=RunOutcome.COMPLETE)
        part = self.parts.keep(encode(Evidence(run=run, replies=answers)), REPLIES)
        others = self._of_grading(schema.gradings.c.expected) or {}
        self._set({"expected": {**others, whose: {"key": key, "part": part}}})

    def _set(self, values: Mapping[str, JsonValue]) -> None:
        mine = schema.gradings.c.id == self._grading
        with self._transaction() as connection:
            connection.execute(update(schema.gradings).where(mine).values(**values))

    def _of_grading(self, column: Any) -> JsonValue:
        query = select(column).where(schema.gradings.c.id == self._grading)
        with self._transaction() as connection:
            return connection.execute(query).scalar()

    def keep_table(self, path: Path) -> KeptTable:
        """Keep a copy of a table that somebody wrote."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}.") from error
        return KeptTable(file=path.name, part=self.parts.keep(content, TABLE))

    def table(self, kept: KeptTable) -> bytes:
        return self.parts.read(kept.part, TABLE)

    # ---------------------------------------------------------------------------- submissions
    def submissions(self, *, earlier: bool = False) -> list[JsonValue]:
        """Return what the intake found at the last grading; with `earlier`, at all of them."""
        table = schema.submissions
        query = select(table.c.entry).where(table.c.grading == self._grading)
        if not earlier:
            query = query.where(table.c.current.is_(True))
        with self._transaction() as connection:
            return list(connection.execute(query.order_by(table.c.id)).scalars())

    def set_submissions(
        self,
        entries: Sequence[tuple[tuple[str, ...], str, JsonValue]],
        asked: JsonValue,
    ) -> None:
        """Put (students, sha256, entry) in the place of those of before; log what is new.

        Args:
            asked: what the grading was asked for.
        """
        table = schema.submissions
        mine = table.c.grading == self._grading
        with self._transaction() as connection:
            query = select(table.c.id, table.c.student, table.c.sha256, table.c.entry)
            known = {
                (row.student, row.sha256, json.dumps(row.entry)): row.id
                for row in connection.execute(query.where(mine))
            }
            keys = [(who[0], sha256, json.dumps(entry)) for who, sha256, entry in entries]
            stay = [known[key] for key in keys if key in known]
            connection.execute(update(table).where(mine).values(current=False))
            for some in _chunks(stay):
                these = table.c.id.in_(some)
                connection.execute(update(table).where(these).values(current=True))
            of = {"grading": self._grading, "command": self._command, "current": True}
            new = [each for each, key in zip(entries, keys, strict=True) if key not in known]
            rows = [{"student": w[0], "sha256": sha, "entry": entry, **of} for w, sha, entry in new]
            _insert(connection, table, rows)
            seen = {(student, sha256) for student, sha256, _ in known}
            handed_in = [
                Happened(student=student, what="handed-in", after=entry["file"])
                for students, sha256, entry in new
                for student in students
                if (students[0], sha256) not in seen
            ]
            self._log(connection, handed_in)
            connection.execute(
                update(schema.gradings)
                .where(schema.gradings.c.id == self._grading)
                .values(asked=asked)
            )

    # ---------------------------------------------------------------------------- evidence
    def keep_evidence(
        self,
        evidence: Evidence,
        questions: Sequence[Question],
        *,
        sha256: str,
        environment: str,
        limits: Limits,
        events: Sequence[Happened] = (),
    ) -> Kept:
        """Keep what was observed of the notebook `sha256`; it is on the disk on return."""
        replies = {k: r for k, r in evidence.replies.items() if r.kind is not ReplyKind.NOT_RUN}
        bare = replace(evidence, executed="", replies=replies)
        answered = [question for question in questions if question.key in replies]
        row = {
            "grading": self._grading,
            "command": self._command,
            "sha256": sha256,
            "environment": environment,
            "limits": asdict(limits),
            "run": run_to_json(evidence.run),
            "questions": self._keep_questions(answered),
            "replies": self.parts.keep(encode(bare), REPLIES),
            "executed": self.parts.keep_text(evidence.executed, EXECUTED),
            "in_time": _in_time(evidence),
        }
        with self._transaction() as connection:
            made = connection.execute(insert(schema.evidence).values(row))
            self._log(connection, events)
        return Kept(
            id=int((made.inserted_primary_key or (0,))[0]),
            command=self._command,
            sha256=sha256,
            environment=environment,
            limits=limits,
            run=evidence.run,
            in_time=bool(row["in_time"]),
            asked=self._same(
                str(row["questions"]), {question.key: question.digest for question in answered}
            ),
            replies=str(row["replies"]),
            executed=str(row["executed"]),
        )

    def evidence(self) -> dict[str, list[Kept]]:
        """Return all that is kept: sha256 of a notebook -> its evidence, the newest first."""
        table = schema.evidence
        query = select(table).where(table.c.grading == self._grading).order_by(table.c.id.desc())
        found: dict[str, list[Kept]] = {}
        with self._transaction() as connection:
            for row in connection.execute(query):
                found.setdefault(row.sha256, []).append(self._kept(row))
        return found

    def observed(self, kept: Kept) -> Evidence:
        """Return evidence without the executed notebook. Raises EvidenceError."""
        return decode(self.parts.read(kept.replies, REPLIES))

    def executed(self, kept: Kept) -> str:
        """Return the notebook as it ran. Raises EvidenceError."""
        return self.parts.read_text(kept.executed, EXECUTED)

    def _kept(self, row: Row[Any]) -> Kept:
        known = {field.name for field in fields(Limits)}
        return Kept(
            id=row.id,
            command=row.command,
            sha256=row.sha256,
            environment=row.environment,
            limits=Limits(**{k: v for k, v in row.limits.items() if k in known}),
            run=run_from_json(row.run),
            in_time=row.in_time,
            asked=self._read_questions(row.questions),
            replies=row.replies,
            executed=row.executed,
        )

    def _keep_questions(self, questions: Sequence[Question]) -> str:
        rows = [[q.key[0], q.key[1].visibility, q.key[1].index, q.digest] for q in questions]
        return self.parts.keep(json.dumps(rows).encode(), QUESTIONS)

    def _same(self, part: str, asked: Mapping[ProbeKey, str]) -> Mapping[ProbeKey, str]:
        """Return what was asked as the one object that all have who were asked the same."""
        if self._questions.get(part) != asked:
            self._questions[part] = asked
        return self._questions[part]

    def _read_questions(self, part: str) -> Mapping[ProbeKey, str]:
        if part not in self._questions:
            try:
                rows = json.loads(self.parts.read(part, QUESTIONS))
                self._questions[part] = {
                    (probe, Seed(Visibility(visibility), index)): digest
                    for probe, visibility, index, digest in rows
                }
            except EvidenceError:
                self._questions[part] = {}  # it is not known what was asked, so ask it again
        return self._questions[part]

    # ---------------------------------------------------------------------------- judgements
    def judged(self, evidence: Sequence[int]) -> dict[int, Before]:
        """Return what was judged of each evidence before."""
        table = schema.verdicts
        found: dict[int, Before] = {}
        with self._transaction() as connection:
            for some in _chunks(evidence):
                for row in connection.execute(select(table).where(table.c.evidence.in_(some))):
                    found[row.evidence] = Before(
                        verdicts=row.verdicts, facts_key=row.facts_key or "", facts=row.facts
                    )
        return found

    def keep_judged(self, judged: Mapping[int, Before]) -> None:
        """Keep judgements, in the place of those of before."""
        table = schema.verdicts
        rows = [
            {
                "evidence": id,
                "verdicts": dict(each.verdicts),
                "facts_key": each.facts_key,
                "facts": each.facts,
            }
            for id, each in judged.items()  # noqa: A001  it is one
        ]
        with self._transaction() as connection:
            for some in _chunks(list(judged)):
                connection.execute(delete(table).where(table.c.evidence.in_(some)))
            _insert(connection, table, rows)

    # ---------------------------------------------------------------------------- results
    def results(self) -> dict[str, ResultRow]:
        """Return what is known of each student."""
        table = schema.results
        query = select(table).where(table.c.grading == self._grading)
        known: dict[tuple[JsonValue, ...], JsonValue] = {}
        with self._transaction() as connection:
            return {
                row.student: ResultRow(
                    student=row.student,
                    name=(row.name[0], row.name[1], row.name[2]),
                    sha256=row.sha256,
                    evidence=row.evidence,
                    record=_shared(row.record, known),
                    page=row.page,
                )
                for row in connection.execute(query)
            }

    def judged_last(self) -> set[int]:
        """Return the evidence that the results come from."""
        table = schema.results
        query = select(table.c.evidence).where(table.c.grading == self._grading).distinct()
        with self._transaction() as connection:
            return {number for (number,) in connection.execute(query) if number is not None}

    def finish(
        self,
        results: Iterable[ResultRow],
        gone: Sequence[str],
        happened: Iterable[Happened],
        marks: Mapping[tuple[str, str], tuple[str, str]],
        *,
        judged_by: JsonValue,
        outputs: JsonValue,
        asked: JsonValue,
    ) -> None:
        """Take in the end of a command, all of it or nothing.

        Args:
            results: those that are new or differ from what is known.
            gone: students of whom there is no result any more.
            marks: (student, item) -> points and comment; all that count now.
        """
        grading = {"grading": self._grading}
        with self._transaction() as connection:
            rows = [asdict(each) | grading for each in results]
            _delete_students(connection, self._grading, [*gone, *(r["student"] for r in rows)])
            _insert(connection, schema.results, rows)
            self._set_marks(connection, marks)
            self._log(connection, happened)
            values = {"judged_by": judged_by, "outputs": outputs, "asked": asked}
            mine = schema.gradings.c.id == self._grading
            connection.execute(update(schema.gradings).where(mine).values(values))
            this = schema.commands.c.id == self._command
            connection.execute(update(schema.commands).where(this).values(ended=now()))

    def marks(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Return (student, item) -> points and comment, as they count now."""
        table = schema.marks
        query = select(table).where(table.c.grading == self._grading)
        with self._transaction() as connection:
            return {
                (row.student, row.item): (row.points, row.comment)
                for row in connection.execute(query)
            }

    def _set_marks(
        self, connection: Connection, marks: Mapping[tuple[str, str], tuple[str, str]]
    ) -> None:
        """Put `marks` in the place of the known ones; those that stay keep who gave them."""
        table = schema.marks
        mine = table.c.grading == self._grading
        query = select(table.c.student, table.c.item, table.c.points, table.c.comment).where(mine)
        known = {(r.student, r.item): (r.points, r.comment) for r in connection.execute(query)}
        for student, item in [key for key, mark in known.items() if marks.get(key) != mark]:
            this = (table.c.student == student) & (table.c.item == item)
            connection.execute(delete(table).where(mine, this))
        rows = [
            {
                "grading": self._grading,
                "command": self._command,
                "student": student,
                "item": item,
                "points": points,
                "comment": comment,
            }
            for (student, item), (points, comment) in marks.items()
            if known.get((student, item)) != (points, comment)
        ]
        _insert(connection, table, rows)

    # ---------------------------------------------------------------------------- the log
    def _log(self, connection: Connection, happened: Iterable[Happened]) -> None:
        of = {"grading": self._grading, "command": self._command}
        _insert(connection, schema.log, [asdict(each) | of for each in happened])

    def history(self, student: str) -> list[LogRow]:
        """Return all that happened to one student, the oldest first."""
        table = schema.log
        query = select(table).where(table.c.grading == self._grading, table.c.student == student)
        commands = {command.id: command for command in self.commands()}
        with self._transaction() as connection:
            return [
                LogRow(
                    student=row.student,
                    what=row.what,
                    item=row.item,
                    before=row.before,
                    after=row.after,
                    why=row.why,
                    command=commands[row.command],
                )
                for row in connection.execute(query.order_by(table.c.id))
            ]

    def left_out(self) -> dict[str, str]:
        """Return what the log says of students who were left out, the newest of each."""
        table = schema.log
        mine = (table.c.grading == self._grading) & (table.c.what == LEFT_OUT)
        query = select(table.c.student, table.c.after).where(mine).order_by(table.c.id)
        with self._transaction() as connection:
            return {row.student: row.after for row in connection.execute(query)}

    def commands(self) -> list[Command]:
        """Return who ran what in this folder, the oldest first."""
        table = schema.commands
        query = select(table).where(table.c.grading == self._grading).order_by(table.c.id)
        with self._transaction() as connection:
            return [
                Command(id=r.id, at=r.at, who=r.who, host=r.host, line=r.line, ended=r.ended)
                for r in connection.execute(query)
            ]

    # ---------------------------------------------------------------------------- transactions
    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Give a transaction: all of it or nothing; what goes wrong is a StoreError."""
        with translated(), self._engine.begin() as connection:
            yield connection


def _shared(node: JsonValue, known: dict[tuple[JsonValue, ...], JsonValue]) -> JsonValue:
    """Return a record in which names and lists are those of other records, if they are equal.

    A large class is in memory at once, and most of it is alike.
    """
    if isinstance(node, dict):
        return {sys.intern(key): _shared(value, known) for key, value in node.items()}
    if isinstance(node, list):
        try:
            return known.setdefault(tuple(node), node)
        except TypeError:  # there is something in it that is no text or number
            return node
    return node


# ------------------------------------------------------------------------------- rows
def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (values[at : at + CHUNK] for at in range(0, len(values), CHUNK))


def _insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    for some in _chunks(rows):
        connection.execute(insert(table), list(some))


def _delete_students(connection: Connection, grading: int, students: Sequence[str]) -> None:
    table = schema.results
    for some in _chunks(students):
        this = table.c.student.in_(some)
        connection.execute(delete(table).where(table.c.grading == grading, this))


def _in_time(evidence: Evidence) -> bool:
    """Whether nothing of a run was stopped for its time, or might have been."""
    if evidence.run.outcome not in (RunOutcome.COMPLETE, RunOutcome.ERRORS):
        return evidence.run.outcome is RunOutcome.UNREADABLE
    cells = {cell.outcome for cell in evidence.run.cells}
    kinds = {reply.kind for reply in evidence.replies.values()}
    return not (cells & STOPPED_CELLS or kinds & STOPPED_REPLIES)
