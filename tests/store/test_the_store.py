"""The store: what is kept comes back, older ones become newer, and what is wrong is a sentence."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
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
from grader.store.database import translated
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
