"""Of an executed notebook only right PNGs are taken, and never too many bytes of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.reports.executed import MOST_BYTES, MOST_FIGURES, Executed, read_executed

MakePng = Callable[..., bytes]
MakeNotebook = Callable[..., str]
SVG = "<svg onload='alert(1)'/>"


def encoded(png: bytes) -> str:
    return base64.encodebytes(png).decode()  # with line breaks, as kernels write it


def test_a_figure_keeps_its_bytes_and_its_cell(
    make_png: MakePng, make_notebook: MakeNotebook
) -> None:
    png = make_png(3, 2)
    (figure,) = read_executed(make_notebook({"image/png": encoded(png)})).figures
    assert (2, png, 3, 2) == (figure.cell, figure.png, figure.width, figure.height)
    assert base64.b64decode(figure.address.removeprefix("data:image/png;base64,")) == png


def test_a_figure_may_be_kept_in_lines(make_png: MakePng, make_notebook: MakeNotebook) -> None:
    lines = encoded(make_png()).splitlines(keepends=True)
    assert 1 == len(read_executed(make_notebook({"image/png": lines})).figures)


@pytest.mark.parametrize(
    "data",
    [
        "not base64 at all!",
        "é" * 40,
        encoded(b"GIF89a" + bytes(40)),
        encoded(b"\x89PNG\r\n\x1a\n<script>alert(1)</script>"),
        encoded(b"\x89PNG\r\n\x1a\nIEND\xaeB`\x82"),
        encoded(SVG.encode()),
    ],
)
def test_what_is_no_png_is_left_out(make_notebook: MakeNotebook, data: str) -> None:
    found = read_executed(make_notebook({"image/png": data}))
    assert ((), 1) == (found.figures, found.left_out)


def test_bytes_behind_a_png_are_refused(make_png: MakePng, make_notebook: MakeNotebook) -> None:
    data = encoded(make_png() + b"<script>alert(1)</script>")
    assert () == read_executed(make_notebook({"image/png": data})).figures


def test_a_picture_that_unpacks_to_gigabytes_is_left_out(
    make_png: MakePng, make_notebook: MakeNotebook
) -> None:
    data = encoded(make_png(claim=2**31 - 1))
    assert () == read_executed(make_notebook({"image/png": data})).figures


@pytest.mark.parametrize("kind", ["image/svg+xml", "text/html", "image/jpeg", "text/plain"])
def test_other_kinds_are_not_looked_at(make_notebook: MakeNotebook, kind: str) -> None:
    found = read_executed(make_notebook({kind: SVG}))
    assert ((), 0) == (found.figures, found.left_out)


def test_twelve_figures_at_most(make_png: MakePng, make_notebook: MakeNotebook) -> None:
    found = read_executed(make_notebook(*({"image/png": encoded(make_png())},) * 15))
    assert (MOST_FIGURES, 3) == (len(found.figures), found.left_out)


def test_four_megabytes_at_most(make_png: MakePng, make_notebook: MakeNotebook) -> None:
    large, small = (encoded(make_png(padding=size)) for size in (3 << 20, 10))
    found = read_executed(make_notebook(*({"image/png": data} for data in (large, large, small))))
    assert (2, 1) == (len(found.figures), found.left_out)
    assert sum(len(figure.png) for figure in found.figures) <= MOST_BYTES


def test_a_cell_is_known_by_its_first_line(make_notebook: MakeNotebook) -> None:
    found = read_executed(make_notebook(source="\n\n  \x1b[31mx = 1\u202e\ny = 2"))
    assert ("x = 1", "") == (found.opening(2), found.opening(1))


@pytest.mark.parametrize(
    "text",
    [
        *("", "no JSON", "[]", "null", '{"cells": 3}', '{"cells": [null, 3, "x", [], {}]}'),
        *("[" * 100_000, '{"cells": [{"cell_type": "code", "source": {"a": 1}, "outputs": 3}]}'),
        '{"cells": [{"cell_type": "code", "outputs": [{"output_type": ["x"], "data": "y"}]}]}',
        '{"cells": [{"cell_type": ["code"], "outputs": [{"output_type": "display_data"}]}]}',
    ],
)
def test_a_notebook_of_any_form_is_read(text: str) -> None:
    assert Executed() == read_executed(text)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["data", "source"]), inner),
    )
)
def test_any_output_is_read(value: object) -> None:
    cell = {"cell_type": "code", "source": value, "outputs": [value, {"data": value}]}
    assert () == read_executed(json.dumps({"cells": [cell]})).figures
