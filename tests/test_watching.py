"""When a notebook is checked again."""

from __future__ import annotations

from pathlib import Path

from grader.cli.watching import saves


def test_each_save_is_seen_once(tmp_path: Path) -> None:
    """Written over, moved into place, and away for a while."""
    file, aside = tmp_path / "a.ipynb", tmp_path / "b"
    file.write_text("one")

    def rewrite() -> None:
        file.write_text("three!")

    def replace() -> None:
        aside.write_text("four")
        aside.replace(file)

    steps = [rewrite, lambda: None, lambda: None, replace, file.unlink, rewrite]
    happened = (step() for step in steps)
    seen = saves(file, lambda: next(happened))
    found = []
    for _ in range(4):
        next(seen)
        found.append(file.read_text())
    assert ["one", "three!", "four", "three!"] == found
