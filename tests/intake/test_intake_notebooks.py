"""The bytes of notebooks: broken, old, foreign and hostile ones."""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Callable
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.intake import IntakeLimits
from grader.intake.notebooks import runnable
from grader.intake.refusals import RefusedError

Build = Callable[..., bytes]
LIMITS = IntakeLimits()


def read_as_the_grader_will(data: bytes) -> Any:
    """Read, validated and written by nbformat; any warning or logged error fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problems: dict[str, Exception] = {}
        notebook = nbformat.reads(  # type: ignore[no-untyped-call]  # theirs
            data.decode("utf-8"), as_version=4, capture_validation_error=problems
        )
        nbformat.writes(notebook)  # type: ignore[no-untyped-call]  # theirs
    for cell in notebook.cells:
        cell.source.encode("utf-8")
        assert isinstance(cell.metadata.get("tags", []), list)
    return notebook


@pytest.mark.parametrize("minor", [0, 2, 4, 5])
def test_a_right_notebook_stays_as_it_is(minor: int, notebook: Build) -> None:
    document = json.loads(notebook("x = 1", "# caf\u00e9 🎉", nbformat_minor=minor))
    if minor < 5:
        for cell in document["cells"]:
            del cell["id"]
    data = json.dumps(document, indent=3).encode() + b"\n\n"
    assert data == runnable(data, LIMITS)
    read_as_the_grader_will(data)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b" \n", "is empty", id="blank"),
        pytest.param(b"\xef\xbb\xbf", "is empty", id="only-a-byte-order-mark"),
        pytest.param(b"%PDF-1.7 ...", "is a PDF that was only named like", id="pdf"),
        pytest.param(b"PK\x03\x04...", "is a zip or an Office document", id="zip"),
        pytest.param(b"\n<!DOCTYPE html><html>", "is a web page", id="html"),
        pytest.param(b'{"nbformat": 4, "cells": [', "not valid JSON at line 1", id="cut"),
        pytest.param(b"<<<<<<< HEAD\n{}", "not valid JSON at line 1", id="merge-conflict"),
        pytest.param(b"{'nbformat': 4}", "not valid JSON", id="python-not-json"),
        pytest.param('{"nbformat": 4, "a": "é"}'.encode("latin-1"), "is not UTF-8", id="latin-1"),
        pytest.param('{"nbformat": 4}'.encode("utf-16"), "is not UTF-8", id="utf-16"),
        pytest.param(b"[1, 2]", "is JSON, but not a notebook", id="list"),
        pytest.param(b'"text"', "is JSON, but not a notebook", id="string"),
        pytest.param(b"{}", "is JSON, but not a notebook", id="object"),
        pytest.param(b'{"nbformat": "4"}', "is JSON, but not a notebook", id="format-as-text"),
        pytest.param(b'{"nbformat": true}', "is JSON, but not a notebook", id="format-as-bool"),
        pytest.param(b'{"nbformat": ' + b"9" * 5000 + b"}", "no notebook needs", id="huge-int"),
        pytest.param(b'{"nbformat": 4}', "cells are not a list", id="no-cells"),
        pytest.param(b'{"nbformat": 4, "cells": {}}', "cells are not a list", id="cells-object"),
        pytest.param(b'{"nbformat": 4, "cells": [1]}', "cell 1 is not a cell", id="cell-number"),
        pytest.param(b'{"nbformat": 4, "cells": [{}]}', "cell 1 is not a cell", id="typeless"),
        pytest.param(
            b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 5}]}',
            "source of its cell 1 is not text",
            id="source-number",
        ),
        pytest.param(
            b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["x", null]}]}',
            "source of its cell 1 is not text",
            id="source-list-with-null",
        ),
        pytest.param(b'{"nbformat": 5, "cells": []}', "is in notebook format 5", id="newer"),
        pytest.param(b'{"nbformat": 0, "cells": []}', "old format 0", id="format-0"),
        pytest.param(b'{"nbformat": -1, "cells": []}', "old format -1", id="format-minus-1"),
        pytest.param(b'{"nbformat": 3, "cells": []}', "old format 3", id="v3-without-sheets"),
        pytest.param(
            b'{"nbformat": 3, "worksheets": [{"cells": [{}]}]}', "old format 3", id="v3-broken"
        ),
        pytest.param(b'{"nbformat": 3, "worksheets": 7}', "old format 3", id="v3-sheets-number"),
        pytest.param(b"[" * 100_000, "more than 100 deep", id="deep-lists"),
        pytest.param(b'{"a":' * 100_000, "more than 100 deep", id="deep-objects"),
        pytest.param(
            b'{"nbformat": 4, "metadata": ' + b"[" * 900 + b"]" * 900 + b', "cells": []}',
            "more than 100 deep",
            id="deep-but-parsable",
        ),
        pytest.param(
            b'{"nbformat": 4, "cells": [' + b"[]," * 2_000_000 + b"]}",
            "more than 2,000,000 values",
            id="memory-bomb",
        ),
        pytest.param(b'"' + b'\\"' * 1_000_000, "not valid JSON", id="unclosed-string"),
    ],
)
def test_what_is_no_notebook_is_refused_in_words(data: bytes, fault: str) -> None:
    with pytest.raises(RefusedError) as caught:
        runnable(data, LIMITS)
    assert fault in caught.value.fault


def test_brackets_within_strings_are_not_nesting(notebook: Build) -> None:
    data = notebook('x = "' + "[{" * 5000 + '\\" "')
    assert data == runnable(data, LIMITS)


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"kernelspec": {"name": "ir", "language": "R"}}, "R"),
        ({"kernelspec": {"name": "ir"}}, "ir"),
        ({"kernelspec": {"name": "julia-1.9", "display_name": "Julia"}}, "julia-1.9"),
        ({"kernelspec": {"name": "xcpp17"}}, "xcpp17"),
        ({"kernelspec": {"name": ".net-csharp"}}, ".net-csharp"),
        ({"language_info": {"name": "javascript"}}, "javascript"),
        ({"kernelspec": {"language": "Ju\u202elia"}}, "Julia"),
    ],
)
def test_another_language_is_named(
    metadata: dict[str, Any], language: str, notebook: Build
) -> None:
    with pytest.raises(RefusedError, match="not for Python") as caught:
        runnable(notebook(metadata=metadata), LIMITS)
    assert f"is for {language}, not for Python" == caught.value.fault


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"kernelspec": {"name": "python3", "language": "python"}},
        {"kernelspec": {"name": "conda-env-ml-py", "display_name": "Python [conda env:ml]"}},
        {"kernelspec": {"name": "cs445"}},
        {"language_info": {"name": "python"}},
        {"language_info": {"name": "IPython"}},
        {"kernelspec": {"name": ["ir"], "language": 7}},
    ],
)
def test_python_by_any_name_is_right(metadata: dict[str, Any], notebook: Build) -> None:
    data = notebook(metadata=metadata)
    assert data == runnable(data, LIMITS)


def test_a_byte_order_mark_is_taken_off(notebook: Build) -> None:
    (cell,) = read_as_the_grader_will(runnable(b"\xef\xbb\xbf" + notebook("x = 1"), LIMITS)).cells
    assert "x = 1" == cell.source


def test_missing_ids_and_metadata_are_filled_in(notebook: Build) -> None:
    document = json.loads(notebook("x = 1", "x = 2", "x = 3"))
    first, second, third = document["cells"]
    for key in ("id", "metadata", "outputs", "execution_count"):
        del first[key]
    second["id"] = third["id"]  # twice
    del document["metadata"]
    fixed = runnable(json.dumps(document).encode(), LIMITS)
    assert fixed == runnable(json.dumps(document).encode(), LIMITS), "ids are not drawn at random"
    read = read_as_the_grader_will(fixed)
    assert ["cell-1", third["id"], "cell-3"] == [cell.id for cell in read.cells]
    nbformat.validate(read)


def test_an_id_that_is_taken_is_not_given_again(notebook: Build) -> None:
    document = json.loads(notebook("x = 1", "x = 2"))
    del document["cells"][0]["id"]
    document["cells"][1]["id"] = "cell-1"
    read = read_as_the_grader_will(runnable(json.dumps(document).encode(), LIMITS))
    assert ["cell-1-", "cell-1"] == [cell.id for cell in read.cells]


def test_half_of_an_emoji_can_be_sent_to_a_kernel(notebook: Build) -> None:
    data = notebook("s = 'half \ud83c'")
    assert rb"\ud83c" in data
    read = read_as_the_grader_will(runnable(data, LIMITS))
    assert "s = 'half ?'" == read.cells[0].source


def test_a_notebook_of_format_3_is_upgraded(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": "Ng-A2"},
        "worksheets": [
            {
                "metadata": {},
                "cells": [
                    {"cell_type": "heading", "level": 2, "metadata": {}, "source": ["Adam"]},
                    {
                        "cell_type": "code",
                        "collapsed": False,
                        "input": ["x = 1\n", "x"],
                        "language": "python",
                        "metadata": {},
                        "outputs": [
                            {
                                "output_type": "pyout",
                                "prompt_number": 1,
                                "metadata": {},
                                "text": ["1"],
                            }
                        ],
                        "prompt_number": 1,
                    },
                ],
            }
        ],
    }
    data = json.dumps(old).encode()
    with caplog.at_level(logging.DEBUG):
        new = runnable(data, LIMITS)
    assert ("", "") == tuple(capfd.readouterr())
    assert new == runnable(data, LIMITS), "an upgrade is always the same"
    read = read_as_the_grader_will(new)
    assert ["## Adam", "x = 1\nx"] == [cell.source for cell in read.cells]
    assert 4 == read.nbformat
    nbformat.validate(read)


def test_a_broken_old_notebook_says_nothing_on_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = b'{"nbformat": 3, "metadata": {}, "worksheets": [{"cells": [{"cell_type": "code"}]}]}'
    with pytest.raises(RefusedError):
        runnable(data, LIMITS)
    assert ("", "") == tuple(capfd.readouterr())


def test_the_first_format_is_upgraded() -> None:
    old = {"nbformat": 1, "cells": [{"cell_type": "code", "code": "x = 1", "prompt_number": 1}]}
    read = read_as_the_grader_will(runnable(json.dumps(old).encode(), LIMITS))
    assert ["x = 1"] == [cell.source for cell in read.cells]


# ------------------------------------------------------------------------------- property
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=True)
    | st.text(max_size=5)
    | st.sampled_from(["code", "stream", "display_data", "\ud800", "python", "text/plain"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
WHOLE: dict[str, Any] = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3"}, "language_info": {"name": "python"}},
    "cells": [
        {
            "cell_type": "code",
            "id": "a",
            "metadata": {"tags": ["x"]},
            "execution_count": 1,
            "source": ["x = 1\n", "x"],
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["hi"]},
                {
                    "output_type": "execute_result",
                    "data": {"text/plain": ["1"], "application/json": {"a": 1}},
                    "metadata": {},
                    "execution_count": 1,
                },
                {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["t"]},
            ],
        },
        {
            "cell_type": "markdown",
            "id": "b",
            "metadata": {},
            "source": "text",
            "attachments": {"a.png": {"image/png": "AAAA"}},
        },
    ],
}
OLD: dict[str, Any] = {
    "nbformat": 3,
    "nbformat_minor": 0,
    "metadata": {"name": "x"},
    "worksheets": [
        {
            "cells": [
                {
                    "cell_type": "code",
                    "input": ["x"],
                    "language": "python",
                    "outputs": [{"output_type": "pyout", "text": ["1"], "prompt_number": 1}],
                },
                {"cell_type": "heading", "level": 1, "source": ["a"]},
            ]
        }
    ],
}


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(value, dict | list):
        return []
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [place for key, item in inner for place in ((*path, key), *_places(item, (*path, key)))]


def _changed(document: dict[str, Any], place: tuple[Any, ...], new: Any) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    inner: Any = changed
    for key in place[:-1]:
        inner = inner[key]
    if new is _changed:  # a mark: leave it out
        del inner[place[-1]]
    else:
        inner[place[-1]] = new
    return changed


@settings(deadline=None)  # a loaded machine is no failure
@given(document=st.sampled_from([WHOLE, OLD]), data=st.data())
def test_whatever_is_accepted_can_be_read_by_nbformat(
    document: dict[str, Any], data: st.DataObject
) -> None:
    """One or two places of a right notebook are changed for anything at all, or left out."""
    for _ in range(data.draw(st.integers(1, 2))):
        places = _places(document)
        place = data.draw(st.sampled_from(places))
        document = _changed(document, place, data.draw(JUNK | st.just(_changed)))
    try:
        accepted = runnable(json.dumps(document).encode(), LIMITS)
    except RefusedError:
        return
    read_as_the_grader_will(accepted)
    assert accepted == runnable(accepted, LIMITS), "what is mended needs no mending"


@settings(deadline=None)  # a loaded machine is no failure
@given(st.binary(max_size=200))
def test_any_bytes_at_all_are_a_notebook_or_a_refusal(data: bytes) -> None:
    with pytest.raises(RefusedError):
        runnable(data, LIMITS)
