"""What a pack's own code answers is kept between checks, and no hidden question ever is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from grader.evidence import encode
from grader.grading.batch import Exam
from grader.grading.cache import KEPT_SECONDS, AnswerCache
from grader.model import Evidence, ProbeKey, Reply, RunOutcome, RunRecord
from grader.packs import Pack, load_pack

SECRET = b"a secret of the tests"


@pytest.fixture
def pack() -> Pack:
    return load_pack("line", [Path("docs/examples")])


@pytest.fixture
def cache(tmp_path: Path) -> AnswerCache:
    return AnswerCache.of_this_user({"XDG_CACHE_HOME": str(tmp_path), "HOME": "/nowhere"})


def answers(exam: Exam) -> list[bytes]:
    """The reference's answers, and those of every known mistake."""
    known = exam.known.of(item.id for item in exam.pack.rubric.item)
    assert known.keys() == exam.pack.mistakes.keys() != set()
    return [written(exam.expected), *(written(way) for ways in known.values() for way in ways)]


def written(replies: Mapping[ProbeKey, Reply]) -> bytes:
    return encode(Evidence(run=RunRecord(outcome=RunOutcome.COMPLETE), replies=replies))


def files(cache: AnswerCache) -> list[Path]:
    assert cache.folder is not None
    return sorted(cache.folder.glob("*"))


def test_a_second_check_asks_neither_the_reference_nor_the_mistakes(
    pack: Pack, cache: AnswerCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = answers(Exam.of(pack, None, cache))
    assert files(cache)
    with monkeypatch.context() as patch:
        for asking in ("expected", "answers_if"):
            patch.setattr(Pack, asking, lambda *_: pytest.fail("it was asked again"))
        assert first == answers(Exam.of(pack, None, cache))
    assert first == answers(Exam.of(pack, None))


def test_what_is_damaged_is_worked_out_and_kept_again(pack: Pack, cache: AnswerCache) -> None:
    first = answers(Exam.of(pack, None, cache))
    before = {path: path.read_bytes() for path in files(cache)}
    for path, damaged in zip(before, (b"", b"{}", b"\0" * 100, b"GREVID1\n"), strict=False):
        path.write_bytes(damaged)
    assert first == answers(Exam.of(pack, None, cache))
    assert before == {path: path.read_bytes() for path in files(cache)}


def test_another_text_of_the_reference_is_another_answer(
    pack: Pack, cache: AnswerCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    Exam.of(pack, None, cache)
    monkeypatch.setattr("grader.grading.keys._solution", lambda _: "another text")
    monkeypatch.setattr(Pack, "expected", lambda *_: {})
    assert {} == Exam.of(pack, None, cache).expected


def test_hidden_questions_are_never_kept(pack: Pack, cache: AnswerCache) -> None:
    answers(Exam.of(pack, SECRET, cache))
    assert [] == files(cache)


def test_where_nothing_can_be_kept_all_is_worked_out(pack: Pack, tmp_path: Path) -> None:
    (tmp_path / "grader").write_text("a file is in the way")
    closed = AnswerCache.of_this_user({"XDG_CACHE_HOME": str(tmp_path)})
    nowhere = AnswerCache.of_this_user({})
    assert nowhere.folder is None
    assert answers(Exam.of(pack, None, closed)) == answers(Exam.of(pack, None, nowhere))


def test_only_the_owner_can_read_it_and_what_is_old_goes(pack: Pack, cache: AnswerCache) -> None:
    Exam.of(pack, None, cache)
    (only,) = files(cache)
    assert 0o700 == only.parent.stat().st_mode & 0o777
    old = only.with_name("line-reference-of-last-year.answers")
    old.write_bytes(b"")
    os.utime(old, (0, old.stat().st_mtime - 2 * KEPT_SECONDS))
    answers(Exam.of(pack, None, cache))
    assert not old.exists()
    assert only.exists()
