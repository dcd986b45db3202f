"""How Canvas names the files of "Download Submissions", read backwards. Text in, text out.

    {name}[_LATE]_{user_id}_{attachment_id}_{display_name}
    {name}[_LATE]_{user_id}_text.html              (or _link.html)
    [LATE_]anon_{anonymous_id}_{attachment_id}_{display_name}

A name may hold `_digits_digits_` too, so there can be several readings of one file name. Which of
them is right is not decided here: that takes a roster.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    UPLOAD = "upload"
    TEXT = "text"  # typed into Canvas's own text box
    LINK = "link"  # the address of a web page


@dataclass(frozen=True, slots=True, kw_only=True)
class CanvasName:
    """One way to read a file name of a Canvas download."""

    name: str  # the student's or the group's, as Canvas shortens it
    late: bool
    display: str  # the name that the student's file had, almost
    form: Form = Form.UPLOAD
    user_id: str = ""
    anonymous_id: str = ""
    attachment_id: str = ""


# Identifiers are positive 64-bit numbers: no leading zero, at most 19 digits.
_ID = r"[1-9][0-9]{0,18}"
_UPLOAD = re.compile(rf"_(?=(?P<user>{_ID})_(?P<attachment>{_ID})_(?P<display>.+))", re.DOTALL)
_TYPED = re.compile(rf"(?P<name>.*)_(?P<user>{_ID})_(?P<form>text|link)\.html", re.DOTALL)
_ANONYMOUS = re.compile(
    rf"(?P<late>LATE_)?anon_(?P<id>[0-9A-Za-z]+)_"
    rf"(?:(?P<form>text|link)\.html|(?P<attachment>{_ID})_(?P<display>.+))",
    re.DOTALL,
)
_LATE = "_LATE"
# Canvas writes names in lower case and deletes what is not of a word.
_NOT_IN_A_NAME = re.compile(r"[\x00-/:-@A-Z\[-^`{-\x7f]")
_NUMBER_BETWEEN_UNDERSCORES = re.compile(r"_([0-9]+)_")


def readings(file: str) -> tuple[CanvasName, ...]:
    """Every way to read `file` as a name of Canvas's, the leftmost numbers first.

    An anonymous reading goes before all others.
    """
    return (*_anonymous(file), *_uploads(file), *_typed(file))


def _anonymous(file: str) -> Iterator[CanvasName]:
    if match := _ANONYMOUS.fullmatch(file):
        form = match["form"]
        yield CanvasName(
            name="",
            late=bool(match["late"]),
            anonymous_id=match["id"],
            attachment_id=match["attachment"] or "",
            display=match["display"] or f"{form}.html",
            form=Form(form or Form.UPLOAD),
        )


def _uploads(file: str) -> Iterator[CanvasName]:
    for match in _UPLOAD.finditer(file):
        before = file[: match.start()]
        name = before.removesuffix(_LATE)
        if _NOT_IN_A_NAME.search(name):
            return  # every later reading has this name in its own
        yield CanvasName(
            name=name,
            late=name != before,
            user_id=match["user"],
            attachment_id=match["attachment"],
            display=match["display"],
        )


def _typed(file: str) -> Iterator[CanvasName]:
    if match := _TYPED.fullmatch(file):
        name = match["name"].removesuffix(_LATE)
        if not _NOT_IN_A_NAME.search(name):
            yield CanvasName(
                name=name,
                late=name != match["name"],
                user_id=match["user"],
                display=f"{match['form']}.html",
                form=Form(match["form"]),
            )


def is_name_of(shortened: str, name: str) -> bool:
    """Whether Canvas may have made `shortened` of `name`, a student's sortable name."""
    unnumbered = _NUMBER_BETWEEN_UNDERSCORES.sub(r"\1", name)
    return _word_characters(shortened) == _word_characters(unnumbered)


def _word_characters(name: str) -> str:
    """What is left of a name whichever Unicode version told letters from the rest.

    Ruby keeps marks and some numbers that Python's `\\w` does not, and lower case is not one thing
    either: only letters, ASCII digits and `_` are compared, without case and accents.
    """
    folded = unicodedata.normalize("NFKD", _letters(name)).casefold()
    return _letters(unicodedata.normalize("NFKD", folded))


def _letters(name: str) -> str:
    return "".join(
        char for char in name if char in "_0123456789" or unicodedata.category(char)[0] == "L"
    )
