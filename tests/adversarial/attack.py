"""What one attack is: a notebook that wants something, and how it shows that it got there.

Plain data. An attack prints a line `TRIED …` when it has been at work, so that a misspelt snippet
is not taken for a denied one, and a line `GOT …` when it has what it wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SHORT = 3.0  # a hundred times what all that is done before takes, on an idle machine


class Mode(StrEnum):
    """How kernels are held while the corpus runs."""

    ROOT = "root"  # all layers, ids of their own
    USER = "ordinary user"  # all layers, by user namespaces
    BARE = "namespaces refused"  # Landlock, seccomp and rlimits only, as an ordinary user
    ROOT_BARE = "namespaces refused to root"  # the same, and ids of their own: a default container


NAMESPACES_REFUSED = (Mode.BARE, Mode.ROOT_BARE)


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One hostile notebook. What it defines as `double` is wrong: it deserves no points.

    Args:
        cells: run after a cell that gives `attempt`, `call` and TARGETS (see `runner`).
        sign: what shows that the attack was at work, in outputs, notes or messages to the student.
        seconds: the limit of a cell: SHORT for what is never to end by itself.
        probe_seconds: the limit of a probe, likewise.
        open_in: mode -> why it cannot be denied there; docs/threat-model.md says the same.
        name, file: whose notebook it is, and what the file is called.
        alone: whether nothing but its neighbour may run beside it, because memory is measured.
    """

    cells: tuple[str, ...]
    sign: str = "TRIED"
    seconds: float = 30.0
    probe_seconds: float = 30.0
    open_in: Mapping[Mode, str] = field(default_factory=dict)
    name: str = "Mallory"
    file: str = "mallory.ipynb"
    alone: bool = False


def attack(*cells: str, **options: object) -> Attack:
    return Attack(cells=cells, **options)  # type: ignore[arg-type]  # checked when it is made


def tries(*acts: str) -> Attack:
    """Return an attack that attempts each of `acts`, expressions that are true if they succeed."""
    return Attack(cells=tuple(f"attempt({act!r}, lambda: {act})" for act in acts))
