"""Other people's words lose their power, and nothing else."""

from __future__ import annotations

import sys
import unicodedata
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.errors import UsageError
from grader.files import write_whole
from grader.text import clipped, defuse, display_safe, encodable, plain, undefuse

# Joiners that spelling needs, and marks for numbers and verses that are seen.
KEPT_FORMATS = {"\u200c", "\u200d"}
SEEN_FORMATS = "ARABIC|SYRIAC ABBREVIATION|KAITHI"


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07name", "name"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]unfinished name", "unfinished name"),
        ("\x9b31mred", "red"),
        ("abc\u202egpj.exe", "abcgpj.exe"),
        ("one\r\ntwo\tthree\u2028four", "one two three four"),
        ("José Ångström 王伟", "José Ångström 王伟"),
        ("می‌خواهم", "می‌خواهم"),
        ("👩‍🔬", "👩‍🔬"),
    ],
)
def test_words_stay_and_controls_go(hostile: str, shown: str) -> None:
    assert shown == display_safe(hostile)


def test_lines_are_kept_where_they_are_asked_for() -> None:
    assert "a\n\tb\nc" == display_safe("a\r\n\tb\u2028c\x00", lines=True)


def test_no_control_or_invisible_format_character_is_left() -> None:
    every = (chr(code) for code in range(sys.maxunicode + 1))
    left = {
        char
        for char in every
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        and display_safe(f"a{char}b") == f"a{char}b"
    }
    seen = {c for c in left if any(w in unicodedata.name(c, "") for w in SEEN_FORMATS.split("|"))}
    hieroglyphs = {c for c in left if 0x13430 <= ord(c) <= 0x1343F}  # these place visible signs
    assert KEPT_FORMATS == left - seen - hieroglyphs


@settings(deadline=None)
@given(st.text())
def test_safe_text_stays_as_it_is(text: str) -> None:
    safe = display_safe(text)
    assert safe == display_safe(safe)


@settings(deadline=None)
@given(st.text())
def test_safe_text_can_be_written(text: str) -> None:
    display_safe(text).encode()  # would raise


def test_undecodable_bytes_become_a_sign() -> None:
    assert "bad\N{REPLACEMENT CHARACTER}" == encodable("bad\udcff")


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1", " =1", "\uff1d1", "'=1", "x;=1", "\x1b[0m=1"]
)
def test_formulas_are_defused(text: str) -> None:
    cell = defuse(text)
    assert cell.startswith("'") or ";'=" in cell


@pytest.mark.parametrize("text", ["Lee, Ana", "O'Neil", "a = b", "3-4", "", "x; y"])
def test_names_are_left_alone(text: str) -> None:
    assert text == defuse(text)


@settings(deadline=None)
@given(st.text(alphabet="=+-@' ;\t\"ab\uff1d"))
def test_what_is_defused_can_be_told_from_all_else(text: str) -> None:
    assert display_safe(text) == undefuse(defuse(text))


def test_clipped_text_says_that_it_is() -> None:
    assert ("abc", "ab…") == (clipped("abc", 3), clipped("abcd", 3))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("87.50", "87.5"),
        ("90", "90"),
        ("1E+2", "100"),
        ("0.00", "0"),
        ("-0", "0"),
        ("12.25", "12.25"),
    ],
)
def test_numbers_are_written_as_people_do(number: str, text: str) -> None:
    assert text == plain(Decimal(number))


# ------------------------------------------------------------------------------- files
def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert (b"new", [path]) == (path.read_bytes(), list(tmp_path.iterdir()))


def test_a_failed_write_leaves_the_old_file_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    write_whole(path, b"old")

    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", disk_full)
    with pytest.raises(UsageError, match=r"a\.csv could not be written: No space left on device\."):
        write_whole(path, b"new")
    assert (b"old", [path]) == (path.read_bytes(), list(tmp_path.iterdir()))


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="could not be written"):
        write_whole(tmp_path / "nowhere" / "a.csv", b"")
