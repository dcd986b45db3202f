"""What Python 3.9 lacks of what the shared modules are written with; else the real thing.

The self-check's parts import from here what they would import from `dataclasses`, `enum` and
`typing`, and get this `zip`. Knows nothing of grading.
"""

from __future__ import annotations

import builtins
import dataclasses
import enum
import itertools
import sys
import typing
from collections.abc import Iterable, Iterator
from typing import Any

if sys.version_info >= (3, 10):
    dataclass = dataclasses.dataclass
    zip = builtins.zip  # noqa: A001  it stands in for the real one
else:

    def dataclass(cls=None, *, slots=False, kw_only=False, **options):
        """Make a data class; without slots and keyword-only fields, which only refuse things."""
        return dataclasses.dataclass(cls, **options) if cls else dataclasses.dataclass(**options)

    def zip(*parts: Iterable[Any], strict: bool = False) -> Iterator[tuple[Any, ...]]:  # noqa: A001  as above
        """Yield what stands at the same place; with `strict`, refuse parts of unequal length."""
        if not strict:
            yield from builtins.zip(*parts)
            return
        nothing = object()
        for each in itertools.zip_longest(*parts, fillvalue=nothing):
            if any(part is nothing for part in each):
                raise ValueError("zip() has arguments of different lengths")
            yield each


if sys.version_info >= (3, 11):
    StrEnum = enum.StrEnum
else:

    class StrEnum(str, enum.Enum):
        """Words that are texts too."""

        __str__ = str.__str__
        __format__ = str.__format__


def __getattr__(name: str) -> Any:
    """Return anything else of the three modules; of a name for types only, something."""
    for module in (dataclasses, enum, typing):
        if hasattr(module, name):
            return getattr(module, name)
    if name in {"Self", "TypeAlias"}:
        return Any
    raise AttributeError(name)
