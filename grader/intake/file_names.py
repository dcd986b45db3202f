"""What the name of a handed-in file says by itself, once Canvas's own prefix is gone.

The kind of file, the resubmission that it is, and the words that may be names of people. Students
are asked for `Lastname-A2.ipynb` or `Lastname1-Lastname2-A2.ipynb` and do as they like. Pure text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

# Browsers and mail programs add an ending of their own to what they take for text.
_NOTEBOOK = re.compile(r"\.ipynb(?:\.txt|\.json)?\s*\Z", re.IGNORECASE)
_JUNK_FOLDERS = frozenset({"__MACOSX", ".ipynb_checkpoints"})
_JUNK_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})

# Canvas puts the number before the first thing that looks like an ending, and a UUID after 7 tries.
_ENDINGS = re.compile(r"(?:\.[A-Za-z][A-Za-z0-9]*)*\.[A-Za-z0-9]*\Z")
_CANVAS_NUMBER = re.compile(r"-(?:([0-9]{1,2})|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\Z")
_BROWSER_NUMBER = re.compile(r"\s*\(([0-9]{1,2})\)\Z")
_AFTER_ALL_NUMBERS = 100  # what a UUID counts as

_SEPARATORS = re.compile("[-_\\s.,+&()\N{EN DASH}\N{EM DASH}]+")
_GLUED = re.compile(r"(?<=[a-z])((?:A|HW|Assignment|Homework)[0-9]{1,3})(?![A-Za-z0-9])")
_ASSIGNMENT = re.compile(
    r"(?:a|as|asg|asgn|assign|assignment|ex|exercise|hw|homework|lab|p|proj|project|ps|pset)"
    r"[0-9]{1,3}[a-z]?",
    re.IGNORECASE,
)
_ASSIGNMENT_WORDS = frozenset({"assignment", "assign", "homework", "hw", "lab", "project"})
_NOT_NAMES = _ASSIGNMENT_WORDS | {
    *("and", "of", "copy", "final", "draft", "version", "new", "old", "updated", "fixed", "late"),
    *("notebook", "notebooks", "untitled", "submission", "submissions", "submitted", "solution"),
    *("solutions", "assignments", "homeworks", "downloads", "desktop", "documents", "data"),
    *("checkpoint", "grader", "test", "starter", "template", "readme", "resubmission", "ipynb"),
}
_PARTICLES = frozenset(
    {
        *("al", "bin", "da", "de", "del", "den", "der", "di", "dos", "du", "el", "ibn", "la", "le"),
        *("mac", "mc", "san", "st", "ten", "ter", "van", "von", "zu"),
    }
)
_LONGEST_NAME = 6  # words


def is_notebook(display: str) -> bool:
    """Whether the name is that of a notebook. What is in the file is another matter."""
    return _NOTEBOOK.search(display) is not None


def is_junk(parts: tuple[str, ...]) -> bool:
    """Whether an operating system or Jupyter left this behind, and nobody handed it in."""
    return (
        not _JUNK_FOLDERS.isdisjoint(parts[:-1])
        or parts[-1] in _JUNK_FILES
        or parts[-1].startswith("._")
    )


def unnumbered(display: str) -> tuple[str, int]:
    """The name without the mark of a resubmission (`-1`, `-2`, ` (1)`), and that number or 0."""
    match = _ENDINGS.search(display)
    stem, endings = (display[: match.start()], match[0]) if match else (display, "")
    numbers = []
    while found := _CANVAS_NUMBER.search(stem) or _BROWSER_NUMBER.search(stem):
        numbers.append(int(found[1]) if found[1] else _AFTER_ALL_NUMBERS)
        stem = stem[: found.start()]
    return f"{stem}{endings}", (numbers or [0])[0]


def stem(display: str) -> str:
    """The name of a notebook without its ending and its number."""
    return _NOTEBOOK.sub("", unnumbered(display)[0])


@dataclass(frozen=True, slots=True)
class NameWords:
    """The words of a file name that may be of people's names."""

    words: tuple[str, ...]
    has_assignment: bool  # it says A2, hw2 or the like
    is_as_asked: bool  # and the words stand before that


def name_words(display: str) -> NameWords:
    """The words before the assignment's name, or after it where it stands first."""
    text = _NOTEBOOK.sub("", display)
    if has_known_kind(text):
        text = text.rpartition(".")[0]
    words = [word for word in _SEPARATORS.split(_GLUED.sub(r"-\1", text)) if word]
    marks = [index for index in range(len(words)) if _is_assignment(words, index)]
    before = tuple(filter(_may_be_a_name, words[: marks[0]])) if marks else ()
    return NameWords(
        before or tuple(filter(_may_be_a_name, words)),
        has_assignment=bool(marks),
        is_as_asked=bool(before),
    )


def _is_assignment(words: list[str], index: int) -> bool:
    following = words[index + 1 : index + 2]
    return _ASSIGNMENT.fullmatch(words[index]) is not None or (
        words[index].casefold() in _ASSIGNMENT_WORDS and bool(following) and following[0].isdigit()
    )


def _may_be_a_name(word: str) -> bool:
    if word.casefold() in _NOT_NAMES or any(char.isdigit() for char in word):
        return False
    return len(word) > 1 or not word.isascii()


def people(words: tuple[str, ...], is_known: Callable[[str], bool]) -> tuple[str, ...]:
    """The words put together into names: the longest run that is known, else one word a name.

    `is_known` is asked for runs of words with spaces between. "van", "de" and their kin go
    with the word after them.
    """
    names: list[str] = []
    start = 0
    while start < len(words):
        longest = min(len(words), start + _LONGEST_NAME)
        ends = (e for e in range(longest, start, -1) if is_known(" ".join(words[start:e])))
        end = next(ends, None) or _end_of_name(words, start)
        names.append(" ".join(words[start:end]))
        start = end
    return tuple(names)


def _end_of_name(words: tuple[str, ...], start: int) -> int:
    end = start
    while end < len(words) - 1 and words[end].casefold() in _PARTICLES:
        end += 1
    return end + 1


_KINDS = {
    "a PDF": "pdf",
    "a Word document": "doc docx",
    "a document": "odt pages rtf tex",
    "an archive (which is not opened)": "zip 7z rar tar gz tgz bz2 xz",
    "a web page": "html htm mhtml",
    "a Python script": "py",
    "a text file": "txt md rst",
    "a picture": "png jpg jpeg gif heic svg webp",
    "a table": "csv tsv xls xlsx numbers",
}
_KIND_OF_ENDING = {ending: kind for kind, endings in _KINDS.items() for ending in endings.split()}
# Nobody keeps these beside notebooks unless somebody handed them in.
_DOCUMENTS = frozenset({"pdf", "doc", "docx", "odt", "pages", "rtf", "zip", "7z", "rar"})


def kind(display: str) -> str:
    """What a file that is no notebook is, going by its ending: "a PDF"."""
    ending = _ending(display)
    if not ending:
        return "a file without an ending"
    return _KIND_OF_ENDING.get(ending, f"a .{ending} file")


def is_document(display: str) -> bool:
    """Whether a file is of a kind that people hand in by mistake for a notebook."""
    return _ending(display) in _DOCUMENTS


def is_archive(display: str) -> bool:
    return _ending(display) == "zip"


def has_known_kind(display: str) -> bool:
    return _ending(display) in _KIND_OF_ENDING


def _ending(display: str) -> str:
    ending = display.rpartition(".")[2] if "." in display.strip(".") else ""
    return ending.strip().casefold() if len(ending) <= _LONGEST_ENDING else ""


_LONGEST_ENDING = 12
