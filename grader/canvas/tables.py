"""Tables of text: reads whatever a person or a spreadsheet calls CSV, and writes safe ones.

It knows separators, quotes, encodings and rows; it must not know what a student or a grade is.
Row numbers are those that a spreadsheet shows: the header is row 1, and blank lines count.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.errors import UsageError
from grader.text import clipped, display_safe

MOST_BYTES = 32 << 20
MOST_ROWS = 200_000
MOST_COLUMNS = 5_000
SEPARATORS = (",", ";", "\t")

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"
_ZIP = b"PK\x03\x04"  # what .xlsx and .ods files begin with
_EXCEL_HINT = re.compile(r'"?sep=([,;\t|])"?\s*')
_NOTHING = " ,;\t\r\n"
_LONGEST_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a file is written, so that another can be written alike."""

    separator: str = ","
    line_end: str = "\n"
    bom: bool = False
    quote_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """One row; `cells` are as they came, and there are as many as the header has or fewer."""

    number: int
    cells: tuple[str, ...]

    def __getitem__(self, column: int | None) -> str:
        """The cell's text without the spaces around it; empty where there is no such cell."""
        return self.raw(column).strip()

    def raw(self, column: int | None) -> str:
        return self.cells[column] if column is not None and column < len(self.cells) else ""

    @property
    def is_blank(self) -> bool:
        return not any(cell.strip() for cell in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file read: its header, and the rows that are not blank."""

    path: Path
    dialect: Dialect
    header: SheetRow
    rows: tuple[SheetRow, ...] = field(repr=False)

    def column(self, name: str) -> int | None:
        """The first column with this name; upper case, spaces, `_` and `-` make no difference."""
        names = [_folded(cell) for cell in self.header.cells]
        return names.index(_folded(name)) if _folded(name) in names else None

    def require(self, *wanted: str) -> None:
        """Raise UsageError unless each of these columns is there, once."""
        names = [_folded(cell) for cell in self.header.cells]
        for name in wanted:
            if (count := names.count(_folded(name))) != 1:
                there = ", ".join(shown(cell) for cell in self.header.cells if cell.strip())
                raise UsageError(
                    f"{self.where(self.header)}: {count or 'no'} column{'s' if count > 1 else ''} "
                    f"called “{name}”; one is needed. The columns are: {there}."
                )

    def where(self, row: SheetRow) -> str:
        return f"{self.path.name}, row {row.number}"

    def overflow(self, row: SheetRow) -> str:
        """What is wrong with a row that has more cells than the header, else nothing."""
        if not any(cell.strip() for cell in row.cells[len(self.header.cells) :]):
            return ""
        return (
            f"{self.where(row)}: it has {len(row.cells)} cells and the header "
            f"{len(self.header.cells)}; a text with “{self.dialect.separator}” in it needs quotes "
            "around it."
        )


# ------------------------------------------------------------------------------- reading
def read_sheet(path: Path, *, known: Iterable[str] = ()) -> Sheet:
    """Read a table in any of the forms that Canvas and spreadsheets write.

    Args:
        known: names of columns that it may have; they settle which separator it uses.
    """
    text, bom = read_text(path)
    lines = list(io.StringIO(text, newline=""))  # str.splitlines splits at more than line ends
    hint = _EXCEL_HINT.fullmatch(lines[0]) if lines else None  # to spreadsheets it is no row
    body = lines[1:] if hint else lines
    separator = hint[1] if hint else _separator(body, {_folded(name) for name in known})
    rows = list(_rows(path, body, separator))
    first_line = next((line for line in body if line.strip(_NOTHING)), "")
    if not rows or not first_line:
        raise UsageError(f"{path.name} is empty: its first row must name the columns.")
    header, *others = rows
    if len(header.cells) > MOST_COLUMNS:
        raise UsageError(f"{path.name}, row {header.number}: more than {MOST_COLUMNS} columns.")
    dialect = Dialect(
        separator=separator,
        line_end=_line_end(first_line),
        bom=bom,
        quote_all=first_line.rstrip("\r\n") == rendered(header.cells, separator, quote_all=True),
    )
    return Sheet(path=path, dialect=dialect, header=header, rows=tuple(others))


def read_text(path: Path) -> tuple[str, bool]:
    """The text of a file and whether it began with a byte order mark. UTF-8, else Windows-1252."""
    data = _bytes(path)
    if data.startswith(_ZIP):
        raise UsageError(f"{path.name} is a spreadsheet or zip file: save the table as CSV.")
    bom = data.startswith(_UTF8_MARK)
    encodings = ("utf-16",) if data.startswith(_UTF16_MARKS) else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, bom
    raise UsageError(f"{path.name} is not a text file: save the table as CSV in UTF-8.")


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} could not be read: {error.strerror or error}.") from error
    if len(data) > MOST_BYTES:
        raise UsageError(f"{path.name} is larger than {MOST_BYTES >> 20} MiB.")
    return data


def _rows(path: Path, lines: Sequence[str], separator: str) -> Iterator[SheetRow]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if number > MOST_ROWS:
                raise UsageError(f"{path.name} has more than {MOST_ROWS} rows.")
            row = SheetRow(number=number, cells=tuple(cells))
            if not row.is_blank:
                yield row
    except csv.Error as error:
        raise UsageError(
            f"{path.name}, row {number + 1}: the quotes are not those of a CSV file ({error})."
        ) from error


def _separator(lines: Sequence[str], known: set[str]) -> str:
    """The one that finds most of the known columns, then most columns, in the first row."""

    def found(separator: str) -> tuple[int, int]:
        reader = csv.reader(lines, delimiter=separator, strict=True)
        try:
            cells = next((cells for cells in reader if "".join(cells).strip(_NOTHING)), [])
        except csv.Error:
            return (-1, 0)
        return (len(known & {_folded(cell) for cell in cells}), len(cells))

    return max(SEPARATORS, key=found)


def _line_end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :] or "\n"


def _folded(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name.strip())).casefold()


# ------------------------------------------------------------------------------- writing
def rendered(cells: Sequence[str], separator: str, *, quote_all: bool = False) -> str:
    """One row without its line end."""
    buffer = io.StringIO(newline="")
    # With this line end every cell that has a CR or LF in it is quoted, whatever ends the lines.
    writer = csv.writer(
        buffer,
        delimiter=separator,
        quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL,
        lineterminator="\r\n",
    )
    writer.writerow(cells)
    return buffer.getvalue().removesuffix("\r\n")


def shown(text: str) -> str:
    """Text of unknown origin as it may stand in a sentence: one line, visible, not too long."""
    return clipped(" ".join(display_safe(text).split()), _LONGEST_SHOWN)
