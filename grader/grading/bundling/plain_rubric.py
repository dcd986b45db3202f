"""A rubric as a student's machine has it: the same attributes, read from plain data.

Stands in for grader.rubric, which checks what an author wrote with pydantic. Here nothing is
checked: the grader wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from grader.model import Section


class CheckRule(SimpleNamespace):
    """One check; see grader.rubric."""


class Item(SimpleNamespace):
    """One rubric item; see grader.rubric."""


class Rubric(SimpleNamespace):
    """What counts; see grader.rubric."""

    @property
    def checks(self) -> tuple[CheckRule, ...]:
        return tuple(rule for item in self.item for rule in item.check)

    @property
    def marked_items(self) -> dict[str, Decimal]:
        return {i.id: i.marked.points for i in self.item if i.marked is not None}


def rubric_of(plain: Mapping[str, Any]) -> Rubric:
    """Return the rubric whose parts are `plain`, with points as texts."""
    return Rubric(
        title=plain["title"],
        perfect=plain["perfect"],
        item=tuple(_item(item) for item in plain["item"]),
    )


def _item(plain: Mapping[str, Any]) -> Item:
    kept = dict(plain)
    kept["section"] = Section(plain["section"])
    kept["points"] = Decimal(plain["points"])
    kept["check"] = tuple(_rule(rule) for rule in plain["check"])
    kept["marked"] = _with_points(plain["marked"]) if plain["marked"] else None
    return Item(**kept)


def _rule(plain: Mapping[str, Any]) -> CheckRule:
    kept = dict(plain)
    kept["points"] = Decimal(plain["points"])
    kept["if_lost"] = SimpleNamespace(**plain["if_lost"]) if plain["if_lost"] else None
    return CheckRule(**kept)


def _with_points(plain: Mapping[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(**{**plain, "points": Decimal(plain["points"])})
