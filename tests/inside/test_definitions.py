"""Which parts of a notebook count as definitions."""

from __future__ import annotations

import ast

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from grader.inside.definitions import (
    MAX_CELL,
    MAX_MAGICS,
    MAX_STATEMENTS,
    MAX_TOTAL,
    definitions,
    readable,
)


def kept(*cells: str) -> list[str]:
    """Return the definitions in Python's own spelling, so that layout does not matter."""
    return [ast.unparse(ast.parse(source)) for source in definitions(cells)]


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np",
        "from math import sqrt, pi",
        "def relu(s):\n    return s",
        "async def f():\n    pass",
        "class NeuralNetwork:\n    x = 1",
        "learning_rate = 0.01",
        "n_hiddens = [10, 10]",
        "settings = {'tanh': (1, 2)}",
        "a, b = (1, 2)",
        "epsilon = 10 ** -8",
        "step = 0.1 / 3",
        "low = -1",
        "text = 'a discussion'",
        "square = lambda x: x * x",
        "drelu = grad_relu",
        "NeuralNetwork.relu = relu",
        "act = np.tanh",
        "rate: float = 0.1",
        "try:\n    import tqdm\nexcept ImportError:\n    tqdm = None",
        "try:\n    import tqdm\nexcept ImportError:\n    pass",
    ],
)
def test_it_is_a_definition(source: str) -> None:
    assert [ast.unparse(ast.parse(source))] == kept(source)


@pytest.mark.parametrize(
    "source",
    [
        "train()",
        "x = train()",
        "x = [train()]",
        "x = 10 ** 10 ** 10",
        "x = 2 ** 100000",
        "x = 'a' * 10 ** 9",
        "x[0] = 1",
        "x += 1",
        "x: float",
        "for i in range(10): pass",
        "while True: pass",
        "if x:\n    def f(): pass",
        "if __name__ == '__main__':\n    main()",
        "with open('x') as f: pass",
        "try:\n    train()\nexcept Exception:\n    pass",
        "'a discussion in a string'",
        "assert x",
        "del x",
        "np.random.seed(42)",
    ],
)
def test_it_is_not_a_definition(source: str) -> None:
    assert [] == kept(source)


def test_each_statement_stands_alone_and_in_order() -> None:
    cells = ("import numpy as np\nx = 1\ntrain()\ndef f():\n    return 1", "def f():\n    return 2")
    expected = ["import numpy as np", "x = 1", "def f():\n    return 1", "def f():\n    return 2"]
    assert expected == kept(*cells)


def test_the_text_is_as_it_was_written_with_its_comments() -> None:
    cell = "x = f(1)\n@decorated\ndef g(a):\n    # why\n    return a\n\ng(1)\n"
    assert ("@decorated\ndef g(a):\n    # why\n    return a\n",) == definitions([cell])


def test_statements_that_share_a_line_are_told_apart() -> None:
    assert ["a = 1", "b = 2", "def f():\n    pass"] == kept("a = 1; train(); b = 2\ndef f(): pass")


def test_non_ascii_text_before_a_statement_does_not_shift_it() -> None:
    assert ["δ = 1", "ε = 'ä'", "η = 2"] == kept("δ = 1; ε = 'ä'; train('ö'); η = 2")


@pytest.mark.parametrize(
    "cell",
    [
        "%matplotlib inline\ndef f():\n    pass",
        "!pip install x\ndef f():\n    pass",
        "def f():\n    pass\nf?",
        "%%time\ndef f():\n    pass",
        "%%capture out\n%%time\ndef f():\n    pass",
        "%load_ext autoreload\n%autoreload 2\n\ndef f():\n    pass",
        "files = !ls\ndef f():\n    pass",
        "? ? ?\ndef f():\n    pass",
    ],
)
def test_magics_hide_no_definition(cell: str) -> None:
    assert ["def f():\n    pass"] == kept(cell)


@pytest.mark.parametrize(
    "magic", ["%%bash", "%%writefile f.py", "%%javascript", "%%timeit", "%%html"]
)
def test_a_cell_in_another_language_or_scope_defines_nothing(magic: str) -> None:
    assert [] == kept(f"{magic}\ndef f(): pass")


@pytest.mark.parametrize(
    "cell",
    [
        "def f(:\n    pass",
        "x = (1",
        "\x00",
        "(" * 5000,
        "x = " + "-" * 50_000 + "1",
        "x = " + "[" * 500 + "]" * 500,
        "\ud800 = 1",
        "%" * 10_000,
        "!\n" * 600 + "x = (",
        "x = 1\n" * MAX_CELL,
    ],
)
def test_a_cell_that_is_not_python_is_left_out_and_the_next_counts(cell: str) -> None:
    assert ["def f():\n    pass"] == kept(cell, "def f(): pass")


def test_their_number_is_bounded() -> None:
    assert MAX_STATEMENTS == len(definitions(["x = 1\n" * 4000] * 3))


def test_invalid_escapes_are_no_warnings_of_ours() -> None:
    assert 1 == len(definitions(["path = 'C:\\data'"]))


@pytest.mark.parametrize(
    "line", ["%x", "!x", "a = !b", "a = %b", "a.b =  %c", "a?", ";f x", "/f x"]
)
def test_ipython_is_not_asked_about_a_cell_of_magics_without_end(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def transform_cell(_manager: TransformerManager, cell: str) -> str:
        asked.append(cell)
        return cell

    monkeypatch.setattr(TransformerManager, "transform_cell", transform_cell)
    for times in (MAX_MAGICS, MAX_MAGICS + 1):
        assert ["def f():\n    pass"] == kept(f"{line}\n" * times + "def f(): pass")
    assert 1 == len(asked)


def test_ipython_is_not_asked_about_what_is_plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TransformerManager, "transform_cell", None)
    assert ["x = 1", "y = 'a = %d'"] == kept("x = 1\nprint(x % 2)\ny = 'a = %d'")


def test_of_a_notebook_no_more_is_read_than_one_may_have() -> None:
    cells = [" " * MAX_CELL] * (MAX_TOTAL // MAX_CELL)
    assert len(cells) == len(list(readable([*cells, "def f(): pass"])))
    assert ["short"] == list(readable([" " * (MAX_CELL + 1), "short"]))
