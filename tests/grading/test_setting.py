"""The course's secret: where it comes from, where it is kept, and what is no secret."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grader.errors import StoreError, UsageError
from grader.grading.setting import course_secret
from grader.store import locked


def test_one_is_made_and_kept_for_the_owner_alone(tmp_path: Path) -> None:
    """A second run judges alike, and says that it is the same."""
    first, said = course_secret(None, tmp_path / "out", {})
    again, said_again = course_secret(None, tmp_path / "out", {})
    assert first == again
    assert "one was made and kept" in said
    assert "from" in said_again
    kept = tmp_path / "out" / "hidden-seed"
    assert 0o600 == stat.S_IMODE(kept.stat().st_mode)
    assert first.decode() not in said + said_again


def test_what_another_made_meanwhile_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two first starts: the second waits for no lock, and writes over nothing."""

    @contextmanager
    def locked_late(folder: Path) -> Iterator[None]:
        with locked(folder):
            (folder.parent / "hidden-seed").write_bytes(b"another's secret")
            yield

    monkeypatch.setattr("grader.store.locked", locked_late)
    assert b"another's secret" == course_secret(None, tmp_path / "out", {})[0]


def test_no_seed_is_made_where_another_grader_is_at_work(tmp_path: Path) -> None:
    with locked(tmp_path / "store"), pytest.raises(StoreError, match="Another grader"):
        course_secret(None, tmp_path, {})
    assert not (tmp_path / "hidden-seed").exists()


def test_a_file_wins_over_the_environment_and_that_over_what_was_kept(tmp_path: Path) -> None:
    file = tmp_path / "seed"
    file.write_text("from the file\n")
    environment = {"GRADER_HIDDEN_SEED": "from the environment"}
    course_secret(None, tmp_path, {})
    assert b"from the file" == course_secret(file, tmp_path, environment)[0]
    assert b"from the environment" == course_secret(None, tmp_path, environment)[0]


@pytest.mark.parametrize("content", ["", "  \n", "1234567"])
def test_what_could_be_guessed_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "seed").write_text(content)
    with pytest.raises(UsageError, match="fewer than 8 characters"):
        course_secret(tmp_path / "seed", tmp_path, {})
