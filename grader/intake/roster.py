"""The roster, looked up by Canvas's number and by name. Pure; others know where it comes from.

Two spellings are the same name if they differ in case, in what stands between the words or in how
Unicode composes a letter. Only where no such name is found does one without accents count.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from grader.model import Student


@dataclass(frozen=True, slots=True)
class Roster:
    """Students by what a file name may call them."""

    by_id: Mapping[str, Student]
    by_name: Mapping[str, tuple[Student, ...]]
    by_plain_name: Mapping[str, tuple[Student, ...]]  # without accents

    @classmethod
    def of(cls, students: Sequence[Student]) -> Roster:
        return cls(
            by_id={student.canvas_id: student for student in students if student.canvas_id},
            by_name=_index((name_key(name), s) for s in students for name in _names(s.name)),
            by_plain_name=_index(
                (_plain_key(name), s) for s in students for name in _names(s.name)
            ),
        )

    def called(self, name: str) -> tuple[Student, ...]:
        """Everybody whose last name this is, or whose whole name, first name first or last."""
        return self.by_name.get(name_key(name)) or self.by_plain_name.get(_plain_key(name)) or ()

    def only(self, name: str) -> Student | None:
        """The one student called so, if it is one."""
        called = self.called(name)
        return called[0] if len(called) == 1 else None


def name_key(name: str) -> str:
    """Equal for two spellings of one name."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(char for char in folded if unicodedata.category(char)[0] in "LMN")


def goes_by(name: str, student: Student) -> bool:
    """Whether `name` is the student's last, first or whole name, or begins or ends a name that
    Canvas wrote as one word ("ngjennifer")."""
    key = name_key(name)
    if not key:
        return False
    whole = name_key(student.name)
    if len(student.name.split()) == 1:
        return whole.startswith(key) or whole.endswith(key)
    parts = {name_key(part) for part in (*_names(student.name), *student.name.split())}
    return key in parts


def _plain_key(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name).casefold()
    return "".join(char for char in folded if unicodedata.category(char)[0] in "LN")


def _index(named: Iterable[tuple[str, Student]]) -> dict[str, tuple[Student, ...]]:
    index: dict[str, dict[Student, None]] = {}
    for key, student in named:
        if key:
            index.setdefault(key, {})[student] = None
    return {key: tuple(students) for key, students in index.items()}


def _names(name: str) -> Iterator[str]:
    """The last name and the whole name, of "Ng, Jennifer Anne" and of "Jennifer Anne Ng"."""
    last, comma, first = name.partition(",")
    if not comma:
        first, _, last = name.strip().rpartition(" ")
    yield last
    for given in {first, *first.split()[:1]}:
        yield f"{last} {given}"
        yield f"{given} {last}"
