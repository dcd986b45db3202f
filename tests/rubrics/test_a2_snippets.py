"""Every snippet says right of the reference, and shows each mistake that costs its check."""

from __future__ import annotations

import pytest

from tests.rubrics.students import (
    changes_of,
    exam,
    handouts_solution,
    notebook,
    shows_a_mistake,
)

# The handout's `use` may be read in two ways; the snippet shows the one that the handout means.
OTHER_READING = {"use_takes_standardized_inputs": {"use"}}
# A snippet of few lines knows the assignment's own names.
OTHER_NAMES = {"derivative_called_drelu": {"grad_relu", "grad_relu_untouched"}}
PACK = exam().pack


@pytest.mark.parametrize("name", sorted(PACK.rights))
def test_a_right_notebook_is_told_so(name: str) -> None:
    spared = OTHER_READING.get(name, set()) | OTHER_NAMES.get(name, set())
    with notebook(*changes_of(name)) as paste:
        said = {key: paste(code) for key, code in PACK.snippets.items() if key not in spared}
    last = {key: text.splitlines()[-1] for key, text in said.items()}
    assert dict.fromkeys(last, "right") == last


@pytest.mark.parametrize("name", sorted(PACK.mistakes))
def test_a_mistake_is_shown_by_the_snippet_of_each_check_that_it_costs(name: str) -> None:
    lost = PACK.mistakes[name].loses
    assert lost
    chosen = {rule.id: rule.snippet for rule in PACK.rubric.checks if rule.id in lost}
    with notebook(*changes_of(name)) as paste:
        said = {check: paste(PACK.snippets[key]) for check, key in chosen.items()}
    assert {} == {check: text for check, text in said.items() if not shows_a_mistake(text)}


def test_every_check_has_a_snippet() -> None:
    assert all(rule.snippet for rule in PACK.rubric.checks)


def test_no_snippet_leaves_a_stand_in_behind() -> None:
    names = "print(NeuralNetwork.__name__, partition.__name__)"
    with notebook() as paste:
        for code in PACK.snippets.values():
            paste(code)
        assert "NeuralNetwork partition\n" == paste(names)


@pytest.mark.parametrize("name", sorted(n for n in PACK.snippets if "swish" not in n))
def test_a_solution_in_the_handouts_own_frame_is_told_so(name: str) -> None:
    """The made-up class's right solution, which was written without a look at the reference."""
    with notebook(code=handouts_solution()) as paste:
        assert "right" == paste(PACK.snippets[name]).splitlines()[-1]
