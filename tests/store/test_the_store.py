"""The store: what is kept comes back, older ones become newer, and what is wrong is a sentence."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.exc import DBAPIError

from grader.errors import EvidenceError, StoreError
from grader.model import (
    CellOutcome,
    CellRun,
    Evidence,
    Limits,
    Reply,
    ReplyKind,
    RunOutcome,
    RunRecord,
    Seed,
    Visibility,
)
from grader.store import (
    Before,
    Happened,
    Kept,
    Parts,
    Question,
    ResultRow,
    Store,
    locked,
    open_store,
)
from grader.store.database import address_to_keep, engine_of, same_place, translated
from grader.store.schema import VERSION

LIMITS = Limits()
KEY = ("relu", Seed(Visibility.HIDDEN, 0))
HOSTILE = "a\x00\ud800\u202e<b>'; DROP TABLE log; --"
CHANGES = (
    "DELETE FROM log",
    "UPDATE log SET why = ''",
    "INSERT OR REPLACE INTO log SELECT * FROM log",
    "REPLACE INTO log SELECT * FROM log LIMIT 1",
    "UPDATE OR REPLACE log SET id = 1",
)
OLD = Path(__file__).parent / "version1.sql"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    opened.begin("grader grade x.zip")
    yield opened
    opened.close()


def evidence(**run: object) -> Evidence:
    record = replace(RunRecord(outcome=RunOutcome.COMPLETE, notes=(HOSTILE,)), **run)  # type: ignore[arg-type]  # its fields, by name
    return Evidence(
        run=record, replies={KEY: Reply(ReplyKind.VALUE, HOSTILE)}, executed=f"{{}}{HOSTILE}"
    )


def keep(store: Store, seen: Evidence, *, limits: Limits = LIMITS) -> Kept:
    return store.keep_evidence(
        seen, [Question(KEY, "q1")], sha256="a" * 64, environment="e" * 64, limits=limits
    )


# ------------------------------------------------------------------------------- what is kept
def test_evidence_comes_back_with_hostile_text_in_it(store: Store) -> None:
    keep(store, evidence())
    (kept,) = store.evidence()["a" * 64]
    assert {KEY: "q1"} == kept.asked
    assert (HOSTILE,) == kept.run.notes
    assert HOSTILE == store.observed(kept).replies[KEY].value
    assert f"{{}}{HOSTILE}" == store.executed(kept)


def test_what_was_not_asked_is_not_kept_as_an_answer(store: Store) -> None:
    seen = Evidence(
        run=RunRecord(outcome=RunOutcome.COMPLETE), replies={KEY: Reply(ReplyKind.NOT_RUN)}
    )
    kept = keep(store, seen)
    assert {} == kept.asked
    assert {} == store.observed(kept).replies


def test_a_damaged_part_is_told_and_never_judged(store: Store, tmp_path: Path) -> None:
    kept = keep(store, evidence())
    (path,) = tmp_path.rglob("*.replies")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(EvidenceError, match="damaged"):
        store.observed(kept)
    path.unlink()
    with pytest.raises(EvidenceError, match="--fresh"):
        store.observed(kept)


def test_everything_is_for_its_owner_only(store: Store, tmp_path: Path) -> None:
    keep(store, evidence())
    for path in [tmp_path / "store", *(tmp_path / "store").rglob("*")]:
        assert 0 == stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.parametrize(
    ("limits", "serves"),
    [
        (LIMITS, True),
        (replace(LIMITS, startup_seconds=1), True),
        (replace(LIMITS, cell_seconds=9999), True),
        (replace(LIMITS, cell_seconds=1), False),
        (replace(LIMITS, memory_bytes=1 << 40), False),
    ],
)
def test_more_time_changes_nothing_for_what_ended_in_less(
    store: Store, limits: Limits, *, serves: bool
) -> None:
    assert serves == keep(store, evidence()).serves("e" * 64, limits)


def test_what_was_stopped_runs_again_with_more_time(store: Store) -> None:
    cells = (CellRun(index=0, outcome=CellOutcome.TIMEOUT),)
    kept = keep(store, evidence(outcome=RunOutcome.TIMEOUT, cells=cells))
    assert kept.serves("e" * 64, LIMITS)
    assert not kept.serves("e" * 64, replace(LIMITS, cell_seconds=9999))


def test_other_packages_are_another_environment(store: Store) -> None:
    assert not keep(store, evidence()).serves("f" * 64, LIMITS)


# ------------------------------------------------------------------------------- the log
def finish(store: Store, *happened: Happened) -> None:
    row = ResultRow(student="s", name=(HOSTILE, "7", ""), sha256="", evidence=None, record={})
    store.finish(
        [row], [], happened, {("s", "i"): ("3", HOSTILE)}, judged_by={}, outputs={}, asked={}
    )


def test_the_log_says_who_did_what_and_is_only_ever_added_to(store: Store, tmp_path: Path) -> None:
    finish(store, Happened(student="s", what="mark", item="i", after=HOSTILE))
    (row,) = store.history("s")
    assert (HOSTILE, "grader grade x.zip") == (row.after, row.command.line)
    assert row.command.who
    assert {("s", "i"): ("3", HOSTILE)} == store.marks()
    assert {(HOSTILE, "7", "")} == {each.name for each in store.results().values()}
    with sqlite3.connect(tmp_path / "store" / "grader.sqlite") as connection:
        for statement in CHANGES:
            with pytest.raises(sqlite3.IntegrityError, match="only ever added to"):
                connection.execute(statement)
    connection.close()


def test_a_command_that_was_stopped_is_gone_on_with(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    numbers = []
    for line in ("other", "same", "same", "same"):
        store.begin(line)
        numbers.append(store.begun(line))
    first = numbers[1]
    assert [first, first, first] == numbers[1:]
    finish(store)
    store.begin("same")
    assert store.begun("same") > first
    store.close()


def test_verdicts_are_kept_in_the_place_of_those_of_before(store: Store) -> None:
    kept = keep(store, evidence())
    for words in ("old", "new"):
        store.keep_judged({kept.id: Before(verdicts={"k": [words]}, facts_key="f", facts=[])})
    assert {kept.id: Before(verdicts={"k": ["new"]}, facts_key="f", facts=[])} == store.judged(
        [kept.id, 99]
    )


# ------------------------------------------------------------------------------- versions
def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with sqlite3.connect(tmp_path / "store" / "grader.sqlite") as connection:
        connection.execute("UPDATE version SET version = 99")
    connection.close()
    with pytest.raises(StoreError, match="newer grader"):
        open_store(tmp_path)


def test_a_store_of_version_1_becomes_one_of_now(tmp_path: Path) -> None:
    """What was in it is there, and the log is closed to changes from now on."""
    (tmp_path / "store").mkdir()
    path = tmp_path / "store" / "grader.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(OLD.read_text(encoding="utf-8"))
    connection.close()
    (tmp_path / "store" / "identity").write_text("0123456789abcdef", encoding="ascii")
    store = open_store(tmp_path)
    (row,) = store.history("s1")
    assert ("final", "87.5", "ta") == (row.item, row.after, row.command.who)
    assert {("s1", "discussion"): ("12.5", "Well said.")} == store.marks()
    store.close()
    with sqlite3.connect(path) as connection:
        assert (VERSION,) == connection.execute("SELECT version FROM version").fetchone()
        for statement in CHANGES:
            with pytest.raises(sqlite3.IntegrityError, match="only ever added to"):
                connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 99, b"SQLite format 3\0" + b"x" * 99]
)
def test_a_file_that_is_no_store_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "grader.sqlite").write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        open_store(tmp_path)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://u@h/d", "takes PostgreSQL"),
        ("what", "no address"),
        ("postgresql://nobody:secret@127.0.0.1:1/none", "database says"),
    ],
)
def test_an_address_that_is_none_is_told(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as told:
        open_store(tmp_path, url)
    assert "secret" not in str(told.value)


# ------------------------------------------------------------------------------- the lock
HOLD = "import sys, pathlib; from grader.store import locked\n"
HOLD += "with locked(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()\n"


def test_a_second_grader_says_who_the_first_is_and_a_killed_one_holds_nothing(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(StoreError, match=f"process {holder.pid} on "), locked(tmp_path):
            pass
        holder.kill()
    with locked(tmp_path):
        pass


# ------------------------------------------------------------------------------- which database
@pytest.mark.parametrize("url", ["", "postgresql://ta@db.example.edu/another"])
def test_a_folder_whose_database_is_elsewhere_is_not_begun_anew(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite stands in for another server that knows nothing of the folder."""
    monkeypatch.setattr("grader.store.database._postgres", lambda _: create_engine("sqlite://"))
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "database").write_text("postgresql://ta@db.example.edu/grades")
    with pytest.raises(StoreError, match=r"--store 'postgresql://ta@db\.example\.edu/grades'"):
        open_store(tmp_path, url)
    assert not (tmp_path / "store" / "grader.sqlite").exists()


def test_a_folder_of_sqlites_is_not_begun_anew_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = create_engine("sqlite://")
    monkeypatch.setattr("grader.store.database._postgres", lambda _: elsewhere)
    open_store(tmp_path).close()
    with pytest.raises(StoreError, match="leave --store out"):
        open_store(tmp_path, "postgresql://ta@db.example.edu/grades")
    assert [] == inspect(elsewhere).get_table_names(), "nothing was made there"
    open_store(tmp_path).close()


def test_an_address_without_its_password_tells_what_is_one_place() -> None:
    url = "postgresql+psycopg://ta:no@db/grades?password=no&sslmode=verify-full&sslpassword=no"
    assert "postgresql://ta@db/grades?sslmode=verify-full" == address_to_keep(url)
    for other, same in (
        ("postgres://professor@db:5432/grades", True),
        ("postgresql://ta@db:5433/grades", False),
        ("postgresql://ta@db/other", False),
        ("postgresql://ta@other/grades", False),
        ("", False),
    ):
        assert same == same_place("postgresql://ta:secret@db/grades", other), other


def test_a_damaged_note_of_the_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "database").write_bytes(b"\xff")
    with pytest.raises(StoreError, match="does not say which database"):
        open_store(tmp_path)


# ------------------------------------------------------------------------------- a power cut
@dataclass
class Disk:
    """What of a folder is there after a power cut: files that were synced, by names that were."""

    root: Path
    content: set[int] = field(default_factory=set)  # inodes of files
    names: dict[int, dict[str, int]] = field(default_factory=dict)  # of a folder -> what is in it

    def sync(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            self.names[found.st_ino] = {e.name: e.inode() for e in os.scandir(descriptor)}
        else:
            self.content.add(found.st_ino)

    def has(self, path: Path) -> bool:
        chain = [path, *path.parents][: len(path.relative_to(self.root).parts)]
        named = all(
            each.stat().st_ino == self.names.get(each.parent.stat().st_ino, {}).get(each.name)
            for each in chain
        )
        return named and path.stat().st_ino in self.content


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    found = Disk(tmp_path)
    monkeypatch.setattr(os, "fsync", found.sync)
    return found


def test_a_part_and_its_folder_are_on_the_disk_before_a_row_names_it(
    tmp_path: Path, disk: Disk
) -> None:
    commits: list[dict[str, bool]] = []

    def at_commit(_: Connection) -> None:
        there = (tmp_path / "new" / "out" / "store" / "evidence").glob("*/*")
        commits.append({path.suffix: disk.has(path) for path in there})

    event.listen(Engine, "commit", at_commit)
    try:
        store = open_store(tmp_path / "new" / "out")
        store.begin("grader grade x.zip")
        keep(store, evidence())
        store.close()
    finally:
        event.remove(Engine, "commit", at_commit)
    assert [{}, {}, dict.fromkeys((".executed", ".questions", ".replies"), True)] == [
        dict(sorted(each.items())) for each in commits
    ]
    assert disk.has(tmp_path / "new" / "out" / "store" / "identity")


def test_a_part_of_somebody_who_was_killed_gets_its_name_on_the_disk(
    tmp_path: Path, disk: Disk
) -> None:
    """Killed between the move to its place and the sync of the folder."""
    sha256 = Parts(tmp_path).keep(b"content", "part")
    disk.names.clear()
    Parts(tmp_path).keep(b"content", "part")
    assert disk.has(tmp_path / sha256[:2] / f"{sha256}.part")


def test_sqlite_syncs_the_folder_of_its_journal(tmp_path: Path) -> None:
    engine = engine_of(tmp_path)
    with engine.connect() as connection:
        assert 3 == connection.exec_driver_sql("PRAGMA synchronous").scalar()  # 3 is EXTRA


# ------------------------------------------------------------------------------- no room
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("database or disk is full", r"could not be written .*: make room on its disk"),
        ("disk I/O error", r"read or written \(disk I/O error\): see that its disk is there"),
    ],
)
def test_a_disk_that_fails_is_not_told_as_a_full_one(said: str, told: str) -> None:
    with pytest.raises(StoreError, match=told), translated():
        raise DBAPIError("INSERT", None, sqlite3.OperationalError(said))


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="Make room there"):
        Parts(tmp_path).keep(b"x" * 99, "part")
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]
