"""The tables of the store, the same on SQLite and PostgreSQL, and how older ones become newer.

Words of students (names, file names, messages) are kept as JSON in plain ASCII: a database takes
neither lone surrogates nor NUL, and both may be in the name of a file. Comparing such columns for
equality works; so does everything else, after they are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator

VERSION = 3


class Json(TypeDecorator[Any]):
    """Any JSON value, hostile texts too."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To the database: ASCII, the same for the same value."""
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """From the database."""
        return None if value is None else json.loads(value)


metadata = MetaData()

version = Table("version", metadata, Column("version", Integer, nullable=False))

# One folder of results. Several may share a database.
gradings = Table(
    "gradings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("identity", String(64), nullable=False, unique=True),
    Column("asked", Json),  # what the last `grade` was asked for
    Column("judged_by", Json),  # what the last judgement went by
    Column("outputs", Json),  # what was written, to write nothing twice
    Column("expected", Json),  # answers of the pack's own: whose -> what they depend on, and a part
)

commands = Table(
    "commands",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("grading", ForeignKey("gradings.id"), nullable=False, index=True),
    Column("at", String(32), nullable=False),  # ISO 8601, UTC
    Column("who", Json, nullable=False),
    Column("host", Json, nullable=False),
    Column("line", Json, nullable=False),
    Column("ended", String(32)),  # empty: it was stopped
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("grading", ForeignKey("gradings.id"), nullable=False),
    Column("command", ForeignKey("commands.id"), nullable=False),
    Column("sha256", String(64), nullable=False),  # of the notebook
    Column("environment", String(64), nullable=False),
    Column("limits", Json, nullable=False),
    Column("run", Json, nullable=False),  # how it went
    Column("questions", String(64), nullable=False),  # a part: what was asked
    Column("replies", String(64), nullable=False),  # a part
    Column("executed", String(64), nullable=False),  # a part
    Column("in_time", Boolean, nullable=False),  # nothing was stopped for its time
    Index("evidence_of", "grading", "sha256"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("evidence", ForeignKey("evidence.id"), primary_key=True),
    Column("verdicts", Json, nullable=False),  # key of a judgement -> verdict
    Column("facts_key", String(64)),
    Column("facts", Json),
)

submissions = Table(
    "submissions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("grading", ForeignKey("gradings.id"), nullable=False),
    Column("command", ForeignKey("commands.id"), nullable=False),
    Column("student", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("entry", Json, nullable=False),  # as the intake found it
    Column("current", Boolean, nullable=False),
    Index("submissions_of", "grading", "current"),
)

results = Table(
    "results",
    metadata,
    Column("grading", ForeignKey("gradings.id"), primary_key=True),
    Column("student", String(64), primary_key=True),
    Column("name", Json, nullable=False),  # [name, Canvas id, login]
    Column("sha256", String(64), nullable=False),
    Column("evidence", Integer),  # None: there was none
    Column("record", Json, nullable=False),  # points, penalty, messages: what changes are told by
    Column("page", Json),  # the feedback page: name, what it shows, its file's size and time
)

marks = Table(
    "marks",
    metadata,
    Column("grading", ForeignKey("gradings.id"), primary_key=True),
    Column("student", String(64), primary_key=True),
    Column("item", String(100), primary_key=True),
    Column("points", String(32), nullable=False),
    Column("comment", Json, nullable=False),
    Column("command", ForeignKey("commands.id"), nullable=False),
)

log = Table(
    "log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("grading", ForeignKey("gradings.id"), nullable=False),
    Column("command", ForeignKey("commands.id"), nullable=False),
    Column("student", String(64), nullable=False),
    Column("what", String(32), nullable=False),
    Column("item", Json, nullable=False),
    Column("before", Json, nullable=False),
    Column("after", Json, nullable=False),
    Column("why", Json, nullable=False),
    Index("log_of", "grading", "student"),
)


# ------------------------------------------------------------------------------- migrations
def append_only(connection: Connection) -> None:
    """From version 1 to 2: the database itself refuses to change or delete rows of the log."""
    for statement in _APPEND_ONLY[connection.dialect.name]:
        connection.execute(text(statement))


def never_replaced(connection: Connection) -> None:
    """From version 2 to 3: also where rows go without being deleted, which no trigger on that sees.

    SQLite: `INSERT OR REPLACE` with the number of a row. PostgreSQL: `TRUNCATE`.
    """
    connection.execute(text(_NEVER_REPLACED[connection.dialect.name]))


_APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER log_no_{verb.lower()} BEFORE {verb} ON log "
        "BEGIN SELECT RAISE(ABORT, 'the log is only ever added to'); END"
        for verb in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        (
            "CREATE FUNCTION log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the log is only ever added to'; END $$"
        ),
        (
            "CREATE TRIGGER log_append_only BEFORE UPDATE OR DELETE ON log "
            "FOR EACH ROW EXECUTE FUNCTION log_is_append_only()"
        ),
    ],
}

_NEVER_REPLACED = {
    "sqlite": (
        "CREATE TRIGGER log_no_replace BEFORE INSERT ON log "
        "WHEN EXISTS (SELECT 1 FROM log WHERE id = NEW.id) "
        "BEGIN SELECT RAISE(ABORT, 'the log is only ever added to'); END"
    ),
    "postgresql": (
        "CREATE TRIGGER log_no_truncate BEFORE TRUNCATE ON log "
        "FOR EACH STATEMENT EXECUTE FUNCTION log_is_append_only()"
    ),
}

Step: TypeAlias = Callable[[Connection], None]
# What tables do not say: a new store is made by `metadata` and these.
GUARDS: tuple[Step, ...] = (append_only, never_replaced)
# The n-th takes a store from version n to n + 1.
MIGRATIONS: tuple[Step, ...] = (append_only, never_replaced)
