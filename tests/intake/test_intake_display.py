"""Hostile text, shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.intake.display import counted, listed, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ng-A2.ipynb", "Ng-A2.ipynb"),
        ("a\x1b[2Jb", "ab"),
        ("a\r\nb\tc", "a b c"),
        ("Ng\u202efdp.ipynb", "Ngfdp.ipynb"),
        ("\u2066x\u2069\u200f\ufeff", "x"),
        ("a\u2028b\u2029c", "a b c"),
        ("\udcff", "\ufffd"),
        ("王小明 Ünal रवि محمد", "王小明 Ünal रवि محمد"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u200c\u062e\u0648"),  # Persian joiner
        ("=1+1", "=1+1"),  # whoever writes a spreadsheet defuses it
        ("x" * 500 + ".ipynb", "x" * 120 + "…" + "x" * 33 + ".ipynb"),
    ],
)
def test_shown(text: str, expected: str) -> None:
    assert expected == shown(text)


@settings(deadline=None)  # a loaded machine is no failure
@given(st.text(st.characters(), max_size=400))
def test_shown_is_one_short_line_that_can_be_encoded(text: str) -> None:
    safe = shown(text)
    assert len(safe) <= 160
    assert len(safe.splitlines()) <= 1
    assert {unicodedata.category(char) for char in safe}.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert {unicodedata.bidirectional(char) for char in safe}.isdisjoint(
        {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    )
    safe.encode("utf-8")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
    ],
)
def test_listed(names: list[str], expected: str) -> None:
    assert expected == listed(names)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(7, "7 bytes"), (2048, "2 KB"), (50 << 20, "50 MB"), (8 << 30, "8 GB")],
)
def test_counted(size: int, expected: str) -> None:
    assert expected == counted(size)
