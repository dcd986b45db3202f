"""Pictures: well-formed, bounded, deterministic, and harmless whatever the numbers and words."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup, escape

from grader.pictures import Chart, Role, Series, Strip, Strips, agreement, curve, dots
from grader.reports.drawing import HEIGHT, MOST_CELLS, MOST_POINTS, WIDTH, chart, strips
from grader.text import display_safe

FLOATS = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30)


def words(text: str) -> Markup:
    return escape(display_safe(text))


def drawn(*series: Series, label: str = "epoch") -> ET.Element:
    made = Chart(series=series, x_label=label, y_label=label, caption="")
    return ET.fromstring(str(chart(made, words)))  # noqa: S314  our own text, or the test fails


def numbers(element: ET.Element) -> list[float]:
    """All coordinates of lines and marks."""
    text = " ".join(e.get("points") or e.get("d") or "" for e in element.iter())
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", text)]


EXPECTED = curve("expected", np.array([0.0, 1.0, 4.0]), role=Role.EXPECTED)


def test_a_chart_has_a_line_a_mark_and_a_name_for_each_series() -> None:
    svg = drawn(EXPECTED, dots("yours", np.array([0.0, 1.0, 2.0])))
    assert 1 == len(svg.findall(".//polyline[@class='expected']"))
    assert 2 == len(svg.findall(".//path[@class='dots yours']"))  # the dots, and their name's
    assert {"expected", "yours", "epoch"} <= {e.text for e in svg.iter("text")}


def test_expected_and_yours_are_told_apart_without_colour() -> None:
    classes = [e.get("class") for e in drawn(EXPECTED, dots("yours", np.ones(3))).iter()]
    assert "expected" in classes
    assert "dots yours" in classes


def test_the_values_stand_where_they_belong() -> None:
    line = drawn(EXPECTED).find(".//polyline")
    assert line is not None
    points = [tuple(map(float, pair.split(","))) for pair in (line.get("points") or "").split()]
    (x0, y0), (x1, y1), (x2, y2) = points
    assert pytest.approx(x1 - x0, abs=0.11) == x2 - x1
    assert pytest.approx(4 * (y0 - y1), abs=0.3) == y0 - y2  # 4 lies four times as high as 1


@given(FLOATS, FLOATS, FLOATS)
def test_any_floats_can_be_drawn(x: list[float], y: list[float], want: list[float]) -> None:
    expected = curve("expected", np.array(want), role=Role.EXPECTED)
    svg = drawn(expected, Series(label="yours", x=np.array(x), y=np.array(y)))
    assert all(math.isfinite(n) and abs(n) <= 1e6 for n in numbers(svg))


def test_what_is_far_from_the_expected_does_not_flatten_it() -> None:
    svg = drawn(EXPECTED, curve("yours", np.array([0.0, 1e3, 1e9])))
    line = svg.find(".//polyline[@class='expected']")
    assert line is not None
    ys = [float(pair.split(",")[1]) for pair in (line.get("points") or "").split()]
    assert max(ys) - min(ys) > HEIGHT / 20


def test_wrong_values_are_seen_where_the_expected_are_close_together() -> None:
    chart_of = agreement(np.array([0.1, 0.2]), np.array([40.2, 40.5]), what="y", caption="")
    svg = ET.fromstring(str(chart(chart_of, words)))  # noqa: S314  our own text
    marks = [e.get("d") or "" for e in svg.findall("./svg/path")]
    heights = [float(y) for mark in marks for y in re.findall(r"M[\d.]+ ([\d.-]+)h0", mark)]
    assert 2 == len(heights)
    assert all(0 < height < HEIGHT for height in heights)


def test_a_long_series_is_thinned_out() -> None:
    line = drawn(curve("yours", np.arange(1e6))).find(".//polyline")
    assert line is not None
    assert MOST_POINTS == len((line.get("points") or "").split())


def test_the_same_picture_gives_the_same_bytes() -> None:
    made = agreement(np.arange(9.0), np.arange(9.0), what="output", caption="")
    assert chart(made, words) == chart(made, words)
    assert len(chart(made, words)) < 4_000


def test_hostile_words_are_only_words(hostile: str) -> None:
    svg = drawn(curve(hostile, np.arange(3.0)), label=hostile)
    cells = Strips(strips=(Strip(label=hostile, cells=(hostile, "t")),), key={"t": ""}, caption="")
    rows = ET.fromstring(str(strips(cells, words)))  # noqa: S314  our own text, or the test fails
    allowed = {"svg", "path", "polyline", "text", "rect"}
    assert allowed >= {element.tag for root in (svg, rows) for element in root.iter()}


def test_strips_are_cut_short_and_wrapped() -> None:
    cells = tuple("V" for _ in range(10_000))
    made = Strips(strips=(Strip(label="yours", cells=cells),), key={"V": ""}, caption="")
    svg = ET.fromstring(str(strips(made, words)))  # noqa: S314  our own text
    boxes = list(svg.iter("rect"))
    assert MOST_CELLS == len(boxes)
    assert all(float(box.get("x") or 0) + 20 < WIDTH for box in boxes)


def test_cells_to_point_at_are_framed() -> None:
    made = Strips(
        strips=(Strip(label="yours", cells=("V", "t"), off=frozenset({1})),),
        key={"V": "validation", "t": "training"},
        caption="",
    )
    svg = ET.fromstring(str(strips(made, words)))  # noqa: S314  our own text
    assert ["tone0", "tone1 off"] == [box.get("class") for box in svg.iter("rect")]
