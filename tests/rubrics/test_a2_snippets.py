"""Every snippet says right of the reference, and shows each mistake that costs its check."""

from __future__ import annotations

import contextlib
import io
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from grader.packs import Pack, load_pack
from tests.rubrics.conftest import varied
from tests.rubrics.test_a2_faults import RIGHT, WRONG

Paste = Callable[[str], str]
# The handout's `use` may be read in two ways; the snippet shows the one that the handout means.
OTHER_READING = {"X taken as standardized by use": {"use"}}
# A snippet of few lines knows the assignment's own names.
OTHER_NAMES = {"drelu in place of grad_relu": {"grad_relu", "grad_relu_untouched"}}
SINGLE = {"adam_parabola"}  # to the last digit, which single precision does not have


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack("a2", [Path("rubrics")])


@contextlib.contextmanager
def notebook(*changes: tuple[str, str]) -> Iterator[Paste]:
    """Yield a function that runs code at the end of a notebook and returns what it prints."""
    main = ModuleType("__main__")
    exec(compile(varied(*changes), "<notebook>", "exec"), vars(main))  # noqa: S102  our own text
    kept = sys.modules["__main__"]

    def paste(code: str) -> str:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            try:
                exec(compile(code, "<snippet>", "exec"), vars(main))  # noqa: S102  our own text
            except Exception:  # noqa: BLE001  the student's error is what the snippet shows
                print(traceback.format_exc())  # noqa: T201  into `said`
        return said.getvalue()

    sys.modules["__main__"] = main
    try:
        yield paste
    finally:
        sys.modules["__main__"] = kept


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_notebook_is_told_so(name: str, pack: Pack) -> None:
    spared = OTHER_READING.get(name, set()) | OTHER_NAMES.get(name, set())
    with notebook(*RIGHT[name]) as paste:
        said = {key: paste(code) for key, code in pack.snippets.items() if key not in spared}
    last = {key: text.splitlines()[-1] for key, text in said.items()}
    assert dict.fromkeys(last, "right") == last


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_shown_by_the_snippet_of_each_check_that_it_costs(
    name: str, pack: Pack
) -> None:
    changes, lost = WRONG[name]
    chosen = {rule.id: rule.snippet for rule in pack.rubric.checks if rule.id in lost}
    with notebook(*changes) as paste:
        said = {check: paste(pack.snippets[key]) for check, key in chosen.items()}
    for check, text in said.items():
        last = text.strip().splitlines()[-1]
        assert last == "not right yet" or "Error" in last, (check, text)


def test_every_check_has_a_snippet_and_no_snippet_leaves_a_stand_in_behind(pack: Pack) -> None:
    assert all(rule.snippet for rule in pack.rubric.checks)
    with notebook() as paste:
        before = paste("print(NeuralNetwork.__name__, partition.__name__)")
        for code in pack.snippets.values():
            paste(code)
        assert before == paste("print(NeuralNetwork.__name__, partition.__name__)")
