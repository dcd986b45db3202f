"""A line in a notebook's file is the line on which the definition really stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grader.reports.places import Place, Places, places
from grader.rubric import Rubric

WRONG = Path("submissions/notebooks/adam-without-bias-correction.ipynb")


def notebook(*sources: str | list[str]) -> str:
    cells = [{"cell_type": "code", "source": source, "outputs": []} for source in sources]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": "# A2"}, *cells]}, indent=1)


def line_of(text: str, part: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), 1) if part in line)


@pytest.mark.parametrize("path", sorted(WRONG.parent.glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_item_of_the_samples_is_found_on_the_line_that_defines_it(
    path: Path, rubric: Rubric
) -> None:
    text = path.read_text(encoding="utf-8")
    found = places(text)
    lines = text.splitlines()
    for item, name in (("adam", "def adam"), ("use", "def use"), ("partition", "def partition")):
        title = next(each.title for each in rubric.item if each.id == item)
        place = found.of(item, title)
        assert place is not None
        assert name in lines[place.line - 1]
        cell = json.loads(text)["cells"][place.cell - 1]
        assert name in "".join(cell["source"])


def test_the_last_definition_counts() -> None:
    text = notebook(["def f():\n", "    return 1"], ["x = 1\n", "\n", "def f():\n", "    pass"])
    assert Place(3, text[: text.rindex("def f")].count("\n") + 1) == places(text).of("f", "f")


def test_a_source_in_one_string_is_on_one_line() -> None:
    text = notebook("import numpy\n\nclass A:\n    def f(self):\n        pass")
    line = line_of(text, "class A")
    assert Place(2, line) == places(text).definitions["A.f"] == places(text).cells[2]


def test_a_method_is_told_from_a_function_of_the_same_name() -> None:
    text = notebook(
        ["class A:\n", "    def use(self):\n", "        pass"], ["def use():\n", " pass"]
    )
    assert (2, 3) == (places(text).definitions["A.use"].cell, places(text).definitions["use"].cell)
    assert 2 == getattr(places(text).of("use", "A.use"), "cell", None)


def test_what_a_function_defines_for_itself_is_not_meant() -> None:
    found = places(notebook(["def outer():\n", "    def inner():\n", "        pass"])).definitions
    assert {"outer"} == set(found)


def test_names_of_any_length_and_depth_take_no_room() -> None:
    long = "a" * 1000
    deep = [f"{' ' * i}class C{i}:\n" for i in range(50)]
    found = places(notebook([f"class {long}:\n", f"    def {long}(self): pass\n"], deep))
    assert max(map(len, found.definitions)) < 10
    first, last = found.definitions["C0"], found.definitions["C48.C49"]
    assert (first.cell, last.cell, 49) == (3, 3, last.line - first.line)


def test_an_assignment_defines_and_a_comparison_does_not() -> None:
    found = places(notebook(["relu = lambda s: s\n", "x == 3\n", "f(y=2)"])).definitions
    assert {"relu"} == set(found)


def test_a_name_that_only_the_message_has_is_found() -> None:
    found = places(notebook("def drelu(s): return s"))
    assert found.of("grad", "the gradient") is None
    assert found.of("grad", "the gradient", "Look at `drelu` again.")


def test_a_cell_with_a_syntax_error_has_its_place() -> None:
    assert places(notebook(["def adam(:\n", "   ] oops"])).of("adam", "adam")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", '{"cells": 3}', '{"cells": [3, null, {"cell_type": []}]}'),
        '{"cells": [{"cell_type": "code", "source": 7}]}',
        '{"cells": [{"cell_type": "code", "source": [1, null, {"a": "def f"}]}]}',
        "[" * 100_000,
        '{"worksheets": [{"cells": []}]}',
        '{"cells": [{"cell_type": "code", "source": "\\ud800 def f"}]}',
        "NaN" * 10,
    ],
    ids=range(12),
)
def test_whatever_the_text_is_nothing_is_raised(text: str) -> None:
    assert {} == places(text).definitions


def test_a_key_that_stands_twice_counts_as_json_counts_it() -> None:
    text = '{"cells": [{"cell_type": "code",\n"source": "def f(): 1",\n"source": "def g(): 1"}]}'
    assert Places({"g": Place(1, 3)}, {1: Place(1, 3)}) == places(text)
