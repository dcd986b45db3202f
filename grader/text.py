"""Hostile text made fit to be shown: on a terminal, on a page, in a spreadsheet's cell.

Names, file names and error texts are other people's words. Here they lose the power to do
anything but be read; what they say stays. Pure, and knows nothing of where the text goes.
"""

from __future__ import annotations

import re
from decimal import Decimal

# Escape sequences that are whole (ECMA-48): control sequences, then strings with their end (titles,
# links, device control), then the short ones. Of one that is cut off, the words stay.
_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]*(?:\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_BREAK = re.compile("\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Controls; format characters, the bidirectional ones among them, but for the joiners that Persian
# and the scripts of India spell with and the Arabic number signs, which are seen; noncharacters.
_UNSHOWABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u070f\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U0001343f-\U00013455\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
# What a spreadsheet takes for the beginning of a formula, wide forms included.
_FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_ARMED = re.compile(rf"'*[\s{_FORMULA}]")
# Where `;` separates cells (half of Europe), a formula may also begin behind one.
_ARMED_NEXT = re.compile(rf"(;[\s\"']*)(?=[{_FORMULA}])")
_DEFUSED_NEXT = re.compile(rf"(;[\s\"']*)'(?=[{_FORMULA}])")


def encodable(text: str) -> str:
    """`text` without lone surrogates (undecodable bytes of a file name): UTF-8 can hold it."""
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def display_safe(text: str, *, lines: bool = False) -> str:
    """`text` in its own script, unable to change how or where anything around it is read.

    Escape sequences, controls, bidirectional marks and invisible characters are removed. With
    `lines`, line breaks (as newlines) and tabs stay; else all is on one line.
    """
    kept = _BREAK.sub("\n", encodable(_ANSI.sub("", text)))
    kept = _UNSHOWABLE.sub("", kept)
    return kept if lines else kept.replace("\n", " ").replace("\t", " ")


def clipped(text: str, most: int) -> str:
    """`text`, or where it is longer its beginning and an ellipsis: `most` characters in all."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def defuse(text: str) -> str:
    """`text` as a spreadsheet's cell that is read as text: a formula gets a leading apostrophe.

    For text only; a number goes into a cell as a number. No two texts that are safe to display
    give the same cell.
    """
    cell = _ARMED_NEXT.sub(r"\1'", display_safe(text))
    return f"'{cell}" if _ARMED.match(cell) else cell


def undefuse(cell: str) -> str:
    """What `defuse` was given, but for the characters that are not safe to display."""
    text = cell[1:] if cell.startswith("'") and _ARMED.match(cell[1:]) else cell
    return _DEFUSED_NEXT.sub(r"\1", text)


def plain(number: Decimal) -> str:
    """A number as people write it: 87.5, 90, 0; no exponent, no separator of thousands."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
