"""PostgreSQL and SQLite give the same; the server is Debian's, on a socket in a folder of ours."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.exc import DBAPIError

from grader.errors import StoreError
from grader.grading.history import story
from grader.store import Happened, ResultRow, open_store, schema
from grader.store.database import bring_up_to_date
from tests.grading.small_class import SmallClass, changed, class_in, typed, typed_class

HOSTILE = "a\x00\ud800'; DROP TABLE log; --"


def programs() -> Path:
    """The folder of PostgreSQL's programs; Debian keeps them out of the way, by version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    there = shutil.which("initdb")
    assert there, "PostgreSQL is not installed: apt-get install postgresql"
    return Path(there).parent


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that nobody but this test can reach; it runs as an ordinary user."""
    folder = Path(tempfile.mkdtemp(prefix="grader-pg-"))  # a socket's path must be short
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        folder.chmod(0o755)
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    bin_folder, data = programs(), folder / "data"

    def run(*command: str) -> None:
        subprocess.run(
            command, user=user, check=True, capture_output=True, env={"LC_ALL": "C"}, cwd="/"
        )

    run(
        str(bin_folder / "initdb"),
        "-D",
        str(data),
        "-U",
        "grader",
        "-A",
        "trust",
        "-N",
        "-E",
        "UTF8",
    )
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    control = str(bin_folder / "pg_ctl")
    log = str(folder / "log")
    try:
        run(control, "-D", str(data), "-l", log, "-w", "-t", "120", "-o", options, "start")
        yield f"postgresql://grader@/postgres?host={folder}"
    finally:
        run(control, "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


def story_of(small: SmallClass, url: str) -> list[tuple[str, ...]]:
    rows = story(small.out, "lee", url).rows
    return [(row.what, row.item, row.before, row.after, row.why) for row in rows]


def test_both_databases_give_the_same(url: str, tmp_path: Path) -> None:
    """Grading, going on, judging again and the story; two folders share the server."""
    classes = []
    for name, address in (("sqlite", ""), ("postgres", url), ("other", url)):
        (tmp_path / name).mkdir()
        small = class_in(tmp_path / name)
        small.texts["17"] = "break predictions"
        small.grade(store=address)
        small.texts["17"] = "right"
        night = small.grade(store=address)
        assert 1 == night.executed
        small.replace("rubric.toml", "tolerance = 1e-6", "tolerance = 1e9")
        again = small.rejudge(store=address)
        classes.append((small.outputs(), changed(night), changed(again), story_of(small, address)))
    assert classes[0] == classes[1] == classes[2]


def test_hostile_text_comes_back_and_the_log_is_only_ever_added_to(
    url: str, tmp_path: Path
) -> None:
    store = open_store(tmp_path, url)
    store.begin(HOSTILE)
    row = ResultRow(student="s", name=(HOSTILE, "", ""), sha256="", evidence=None, record={})
    happened = Happened(student="s", what="mark", after=HOSTILE)
    store.finish([row], [], [happened], {}, judged_by={}, outputs={}, asked={})
    (told,) = store.history("s")
    assert (HOSTILE, HOSTILE) == (told.after, told.command.line)
    assert HOSTILE == store.results()["s"].name[0]
    store.close()
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    for statement in ("DELETE FROM log", "TRUNCATE log", "TRUNCATE gradings CASCADE"):
        with pytest.raises(DBAPIError, match="only ever added to"), engine.begin() as connection:
            connection.execute(text(statement))
    engine.dispose()


@contextmanager
def database(url: str, name: str) -> Iterator[tuple[str, Engine]]:
    """An empty database: its address, and a way in."""
    mine = url.replace("/postgres?", f"/{name}?")
    server = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    server.dispose()
    engine = create_engine(mine.replace("postgresql:", "postgresql+psycopg:"))
    try:
        yield mine, engine
    finally:
        engine.dispose()


def test_a_store_of_version_1_becomes_one_of_now(url: str, tmp_path: Path) -> None:
    """Its tables were those of now; what was not there yet is what guards the log."""
    with database(url, "old") as (mine, engine):
        with engine.begin() as connection:
            schema.metadata.create_all(connection)
            connection.execute(schema.version.insert().values(version=1))
        store = open_store(tmp_path, mine)
        store.begin("grader grade x.zip")
        happened = [Happened(student="s", what="mark")]
        store.finish([], [], happened, {}, judged_by={}, outputs={}, asked={})
        store.close()
        with engine.begin() as connection:
            assert schema.VERSION == connection.execute(select(schema.version.c.version)).scalar()
        for statement in ("DELETE FROM log", "TRUNCATE log"):
            with pytest.raises(DBAPIError, match="only ever added to"), engine.begin() as other:
                other.execute(text(statement))


WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def test_two_that_open_a_new_database_at_once_make_it_once(url: str, tmp_path: Path) -> None:
    """The second waits until the first is done, and then finds what it made."""
    with database(url, "new") as (mine, engine), ThreadPoolExecutor(1) as other:
        with engine.begin() as connection, engine.connect() as looking:
            bring_up_to_date(connection)
            second = other.submit(lambda: open_store(tmp_path, mine).close())
            while not looking.execute(text(WAITING)).scalar():
                assert not second.done(), "it did not wait"
                time.sleep(0.02)
        second.result()
        with engine.begin() as connection:
            assert [schema.VERSION] == list(
                connection.execute(select(schema.version.c.version)).scalars()
            )


def test_commands_keep_everything_in_the_database_that_they_are_given(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By option or by variable."""
    with typed_class(tmp_path, monkeypatch) as small:
        assert 0 == small.type_grade("--store", url)[0]
        status, said = typed("history", small.out, "jennifer", "--store", url)
        assert (0, True) == (status, "first graded here" in said)
        monkeypatch.setenv("GRADER_STORE", url)
        assert 0 == typed("rejudge", small.out)[0]
        assert not (small.out / "store" / "grader.sqlite").exists()


def test_a_newer_store_is_refused(url: str, tmp_path: Path) -> None:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    open_store(tmp_path, url).close()
    with engine.begin() as connection:
        connection.execute(text("UPDATE version SET version = version + 90"))
    with pytest.raises(StoreError, match="newer grader"):
        open_store(tmp_path, url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE version SET version = version - 90"))
    engine.dispose()
