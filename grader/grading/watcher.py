"""Who is told how far a grading is. It knows neither terminals nor what is graded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """What wants to know how far the night is."""

    began: Callable[[int], None] = lambda _: None
    seen: Callable[[bool], None] = lambda _: None  # whether it wants attention
