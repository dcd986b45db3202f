"""Open the database of a store: SQLite by default, PostgreSQL by its address.

SQLite keeps a rollback journal and not a write-ahead log: the latter wants memory that all of its
users share, which a network drive does not have, and one grader at a time writes here anyway.
Every commit is on the disk before it returns. A killed grader leaves a journal behind that the
next one rolls back by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import NoSuchModuleError as NoSuchDialectError
from sqlalchemy.pool import NullPool

from grader.errors import StoreError
from grader.store.schema import GUARDS, MIGRATIONS, VERSION, metadata, version

FILE = "grader.sqlite"
ALONE = 0x67726164  # held by whoever makes tables, or brings them up to date; any number would do
_EXTRA = "pip install 'grader[postgres]'"


def open_database(folder: Path, url: str = "") -> Engine:
    """Open the store's database, and make it or bring it up to date where that is needed.

    Args:
        folder: where SQLite's file is; must be there.
        url: another database, such as postgresql://user@host/name; empty: SQLite.

    Raises:
        StoreError: it cannot be opened, is damaged, or a newer grader made it.
    """
    engine = _postgres(_address(url)) if url else _sqlite(folder / FILE)
    with translated(), engine.begin() as connection:
        bring_up_to_date(connection)
    return engine


@contextmanager
def translated() -> Iterator[None]:
    """Turn what a database raises into one sentence of ours."""
    try:
        yield
    except DBAPIError as error:
        raise StoreError(_sentence(str(error.orig))) from error
    except SQLAlchemyError as error:
        raise StoreError(_sentence(str(error))) from error


def _sentence(said: str) -> str:
    said = " ".join(said.split()).rstrip(".")
    if "disk is full" in said or "No space left" in said:
        return (
            f"The store could not be written ({said}): make room on its disk; the same command "
            "then goes on where it was."
        )
    if "disk I/O error" in said:
        return (
            f"The store could not be read or written ({said}): see that its disk is there, has "
            "room and is sound; the same command then goes on where it was."
        )
    if "not a database" in said or "malformed" in said:
        return f"The store is damaged ({said}): put its folder back from a backup."
    if "locked" in said:
        return f"The store is in use by another program ({said}): try again in a moment."
    return f"The store's database says: {said}."


# ------------------------------------------------------------------------------- which database
def _sqlite(path: Path) -> Engine:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite's own would be readable
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}.") from error
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)

    def settings(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver's own way leaves tables out of transactions
        cursor = connection.cursor()
        for pragma in ("journal_mode=DELETE", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", settings)
    event.listen(engine, "begin", begin)
    return engine


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise StoreError(
            "--store is no address of a database: write it like postgresql://user@host/name."
        ) from error
    if address.drivername in ("postgres", "postgresql"):
        address = address.set(drivername="postgresql+psycopg")
    if address.drivername != "postgresql+psycopg":
        raise StoreError(
            f"--store takes PostgreSQL (postgresql://user@host/name), not {address.drivername}; "
            "without it, SQLite is used."
        )
    return address


def _postgres(address: URL) -> Engine:
    try:
        return create_engine(address, poolclass=NullPool)
    except (ImportError, NoSuchDialectError) as error:
        raise StoreError(f"PostgreSQL's driver is not installed: {_EXTRA}.") from error


# ------------------------------------------------------------------------------- its version
def bring_up_to_date(connection: Connection) -> None:
    """Make the tables where there are none, else migrate them; the second of two waits here."""
    if connection.dialect.name == "postgresql":  # SQLite's transactions are alone anyway
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ALONE})
    if not inspect(connection).has_table(version.name):
        metadata.create_all(connection)
        for guard in GUARDS:
            guard(connection)
        connection.execute(version.insert().values(version=VERSION))
        return
    found = connection.execute(select(version.c.version)).scalar()
    if type(found) is not int or found < 1:
        raise StoreError("The store does not say of what version it is: it is damaged.")
    if found > VERSION:
        raise StoreError(
            f"The store was made by a newer grader (version {found}; this one knows {VERSION}): "
            "install that one, or name another folder with --out."
        )
    for migrate in MIGRATIONS[found - 1 :]:
        migrate(connection)
    if found < VERSION:
        connection.execute(text("UPDATE version SET version = :new"), {"new": VERSION})
