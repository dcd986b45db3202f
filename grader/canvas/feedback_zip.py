"""Packs feedback pages for Canvas's upload of feedback files.

Canvas finds the submission by the name of a file alone: it drops `LATE`, and the first two tokens
between underscores that are all digits are the user's ID and the attachment's (after `anon`: the
next two tokens, whatever they are). What else is in a name must not get in the way of that. Each
upload adds a comment: uploading twice says everything twice.
"""

from __future__ import annotations

import re
import shutil
import unicodedata
import zipfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.canvas.tables import shown
from grader.errors import UsageError
from grader.files import whole_file

_ID = r"[1-9][0-9]{0,18}"
_UPLOAD = re.compile(rf"_(?=(?P<user>{_ID})_(?P<attachment>{_ID})_(?P<display>.+))", re.DOTALL)
_ANONYMOUS = re.compile(
    rf"(?:LATE_)?anon_(?!LATE_)(?P<user>[0-9A-Za-z]+)_(?P<attachment>{_ID})_(?P<display>.+)",
    re.DOTALL,
)
_NOT_IN_A_NAME = re.compile(r"[^\w]|[A-Z]")  # Canvas writes a name in lower case, words only
_LATE = "_LATE"
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the zero of zip files: the same feedback gives the same bytes
_READABLE = 0o100644 << 16
_UNIX = 3
_LONGEST_PART = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackZip:
    """What was packed; `left_out` names those that Canvas could not give to anybody."""

    names: tuple[str, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Address:
    """The parts of a download's file name that find their way back."""

    name: str
    user: str
    attachment: str
    display: str
    anonymous: bool


def write_feedback_zip(
    path: Path, files: Iterable[tuple[str, Path]], *, user_ids: Collection[str] = ()
) -> FeedbackZip:
    """Write the zip, whole or not at all.

    Args:
        files: the name under which Canvas gave a submission, and the feedback page for it. Names
            that are not of a Canvas upload (typed texts, links, single notebooks) are left out.
        user_ids: who may be meant, from the roster: this decides between two readings of a name.
    """
    pages: dict[str, Path] = {}
    left_out: list[str] = []
    for original, page in files:
        name = feedback_name(original, user_ids=user_ids)
        if name is None:
            left_out.append(original)
        elif name in pages:
            raise UsageError(f"There are two feedback pages for {shown(original)}.")
        else:
            pages[name] = page
    with (
        whole_file(path) as stream,
        zipfile.ZipFile(stream, "w", compression=zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, page in sorted(pages.items()):
            _add(archive, name, page)
    return FeedbackZip(names=tuple(sorted(pages)), left_out=tuple(left_out))


def feedback_name(original: str, *, user_ids: Collection[str] = ()) -> str | None:
    """The name by which Canvas finds the submission `original`; None if it has no attachment."""
    readings = list(_addresses(original))
    if not readings:
        return None
    known = (one for one in readings if one.user in user_ids and not one.anonymous)
    address = next(known, readings[0])
    page = _token(PurePosixPath(address.display).stem) or "notebook"
    if page.lower().startswith("link"):  # Canvas passes over files that end in `_link…`
        page = f"feedback-{page}"
    name = "anon" if address.anonymous else _name_token(address.name)
    return f"{name}_{address.user}_{address.attachment}_{page}.html"


def _addresses(original: str) -> Iterator[_Address]:
    """Every reading of the name, the leftmost numbers first, where Canvas itself has put them."""
    if match := _ANONYMOUS.fullmatch(original):
        yield _address(match, name="", anonymous=True)
    for match in _UPLOAD.finditer(original):
        name = original[: match.start()].removesuffix(_LATE)
        if _NOT_IN_A_NAME.search(name):
            return
        yield _address(match, name=name, anonymous=False)


def _address(match: re.Match[str], *, name: str, anonymous: bool) -> _Address:
    return _Address(
        name=name,
        user=match["user"],
        attachment=match["attachment"],
        display=match["display"],
        anonymous=anonymous,
    )


def _name_token(name: str) -> str:
    """A first token that is neither a number, nor `anon`, nor `LATE`, nor hidden."""
    token = _token(name).replace("-", "")
    return f"student{token}" if token in {"", "anon"} or token.isdecimal() else token


def _token(text: str) -> str:
    """Text without underscores, so that Canvas sees one token; no controls, no separators."""
    kept = "".join(
        char if char.isalnum() or char in " .()" or _is_mark(char) else "-" for char in text
    )
    return kept.strip(" .-")[:_LONGEST_PART].strip(" .-")


def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"


def _add(archive: zipfile.ZipFile, name: str, page: Path) -> None:
    info = zipfile.ZipInfo(name, date_time=_EARLIEST)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = _UNIX
    info.external_attr = _READABLE
    try:
        source = page.open("rb")
    except OSError as error:
        raise UsageError(f"{page} could not be read: {error.strerror or error}.") from error
    with source:
        info.file_size = page.stat().st_size  # tells zipfile whether it needs the large format
        with archive.open(info, "w") as target:
            shutil.copyfileobj(source, target)
