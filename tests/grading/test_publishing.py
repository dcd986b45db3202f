"""Where a report goes, and how CI calls the notebook that it is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.grading.publishing import path_in_repository
from grader.grading.setting import given_secret


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "work/a.ipynb"),
        ({"GITHUB_WORKSPACE": "{top}/work"}, "a.ipynb"),
        ({"CI_PROJECT_DIR": "{top}/work"}, "a.ipynb"),
        ({"GITHUB_WORKSPACE": "/somewhere/else"}, "work/a.ipynb"),
        ({"GITHUB_WORKSPACE": ""}, "work/a.ipynb"),
    ],
)
def test_a_path_begins_at_the_top_of_the_repository(
    variables: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {name: value.format(top=tmp_path) for name, value in variables.items()}
    assert expected == path_in_repository(Path("work/a.ipynb"), environment)
    assert expected == path_in_repository(tmp_path / "work" / "a.ipynb", environment)


def test_a_path_outside_stays_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    assert "../a.ipynb" == path_in_repository(Path("../a.ipynb"), {})


@pytest.mark.parametrize("value", ["", " ", "\n"])
def test_a_secret_that_a_job_may_not_have_is_none(value: str) -> None:
    """GitHub gives jobs for pull requests from forks an empty text for every secret."""
    assert given_secret(None, {"GRADER_HIDDEN_SEED": value}) is None
    assert given_secret(None, {}) is None
    assert b"long enough" == given_secret(None, {"GRADER_HIDDEN_SEED": "long enough\n"})
