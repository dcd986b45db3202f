"""The commands about a class, as typed: what they print, and with which status they end.

No kernel is started: notebooks say in their text how they answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from grader.grading.setting import Setting
from tests.grading.small_class import SayingExecutor, SmallClass, typed, typed_class


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallClass]:
    with typed_class(tmp_path, monkeypatch) as small:
        yield small


def test_grade_says_how_many_ran_and_how_many_were_known(
    small: SmallClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By kernels of its own, and on a cluster whose address it was given."""
    status, said = small.type_grade()
    assert (0, True, False) == (status, "Notebooks that ran: 3." in said, "already" in said)
    small.texts["17"] = "break predictions"
    status, said = small.type_grade("--jobs", 1)
    assert 0 == status
    assert "Lee, Ana predict 2 0 new submission" in said
    assert "Notebooks that ran: 1; 2 were known already, and did not run again." in said
    asked: list[str] = []

    @contextmanager
    def remote(address: str, setting: Setting, _: object) -> Iterator[SayingExecutor]:
        asked.append(address)
        with setting.executor(lambda _: None) as executor:
            yield executor  # type: ignore[misc]  # the one of the class

    monkeypatch.setattr("grader.cli.grade.remote_executor", remote)
    assert "Notebooks that ran: 0; 3 were" in small.type_grade("--dask", "tcp://10.0.0.5:8786")[1]
    assert [] == asked, "nothing had to run, and a cluster was asked for"
    status, said = small.type_grade("--fresh", "--dask", "tcp://10.0.0.5:8786")
    assert (0, ["tcp://10.0.0.5:8786"]) == (status, asked)
    assert "Notebooks that ran: 3. " in said


def test_rejudge_shows_what_would_change_and_then_does_it(small: SmallClass) -> None:
    small.texts = {"12": "right"}
    small.type_grade()
    before = small.results()
    rejudge = ("rejudge", small.out)
    assert (2, True) == _with(
        "--dry-run runs nothing: leave --run out.", *rejudge, "--dry-run", "--run"
    )
    small.replace("rubric.toml", "tolerance = 1e-6", "tolerance = 1e9")
    status, said = typed(*rejudge, "--dry-run")
    assert (0, before) == (status, small.results())
    assert "Ng, Jennifer rmse 4 0 tolerance" in said
    assert "Nothing was written: this was a dry run." in said
    status, said = typed(*rejudge)
    assert (0, True) == (status, f"Written to {small.out}." in said)
    assert before != small.results()
    small.replace("probes.py", "rng.uniform(-3, 3, 7)", "rng.uniform(-3, 3, 9)")
    status, said = typed(*rejudge)
    assert (3, True) == (status, "1 notebooks must run again to be asked predictions" in said)
    assert (0, 2) == (typed(*rejudge, "--run")[0], len(small.asked))


def _with(sentence: str, *words: object) -> tuple[int, bool]:
    status, said = typed(*words)
    return status, sentence in said


def test_history_and_stats_tell_of_what_was_graded(small: SmallClass) -> None:
    small.texts = {"12": "right"}
    small.type_grade()
    status, said = typed("history", small.out, "jennifer")
    assert 0 == status
    assert said.startswith("Ng, Jennifer · 12 · jng ")
    assert "handed in ngjennifer_12_34012_A1.ipynb the notebook ran: complete" in said
    nobody = "Nobody who handed in here is called “kim”: see grades.csv."
    assert (2, True) == _with(nobody, "history", small.out, "kim")
    status, said = typed("stats", small.out)
    assert (0, True) == (status, said.endswith(f"The same with plots: {small.out / 'stats.html'}"))
    assert (small.out / "stats.html").is_file()
    status, said = typed("stats", small.out, "--json")
    numbers: dict[str, Any] = json.loads(said)
    assert (0, 1) == (status, numbers["notebooks"])
    empty = small.folder / "empty"
    empty.mkdir()
    for command in (("stats", empty), ("history", empty, "kim"), ("rejudge", empty)):
        assert 2 == typed(*command)[0]


@pytest.mark.parametrize(
    ("url", "said"),
    [("mysql://u@h/d", "takes PostgreSQL"), ("postgresql://u:pw@127.0.0.1:1/d", "database says")],
)
def test_a_store_that_cannot_be_had_is_one_sentence(small: SmallClass, url: str, said: str) -> None:
    status, told = small.type_grade("--store", url)
    assert (2, True, False) == (status, said in told, "pw" in told)
