"""The rubric: what counts, for how much, and what is said of it. Reads text; opens nothing.

`rubric.toml` of a pack is parsed here once into frozen values. A mistake in it is told in one
sentence that names the key.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from grader.errors import PackError
from grader.model import Limits, Section

Points = Annotated[Decimal, Field(gt=0, decimal_places=2)]
_LIMITS = Limits()
Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class _Part(BaseModel):
    """What all parts of a rubric share: frozen, and no key that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class IfLost(_Part):
    """How a check is judged instead once other items have lost points.

    One mistake costs once: where relu is wrong and has lost its points, the network is judged
    with a right relu in its place.
    """

    items: tuple[Id, ...]
    probe: Id


class CheckRule(_Part):
    """One check: the probe that asks, the function that judges, the points."""

    id: Id
    title: str  # what is tested, in the student's words: "keeps its state over several calls"
    points: Points
    probe: Id
    check: Id = "agrees"
    answer: str = ""  # which part of the probe's answer; empty: all of it
    tolerance: Annotated[float, Field(ge=0)] = 1e-6
    varies: bool = True  # asked with every seed; else once, publicly
    hint: str = ""  # said to a student who lost the points
    picture: str = ""  # a function of pictures.py that shows what went wrong
    snippet: str = ""  # a key of snippets.toml: code that shows it in the student's notebook
    if_lost: IfLost | None = None

    @property
    def probes(self) -> tuple[str, ...]:
        """Ids of the probes that it may be judged by, the first one first."""
        return (self.probe, *((self.if_lost.probe,) if self.if_lost else ()))


class MarkedPart(_Part):
    """Points that a person gives."""

    points: Points
    criteria: tuple[str, ...]
    only_if_attempted: bool = False  # nothing to mark where the item's checks earned nothing


class Item(_Part):
    """One rubric item: checks, or a person's mark, or both."""

    id: Id
    title: str
    section: Section
    points: Points
    check: tuple[CheckRule, ...] = ()
    marked: MarkedPart | None = None

    @model_validator(mode="after")
    def _points_add_up(self) -> Self:
        total = sum((c.points for c in self.check), self.marked.points if self.marked else 0)
        if total != self.points:
            raise ValueError(f"item `{self.id}` has {self.points} points, but its parts {total}")
        return self


class LateRule(_Part):
    points_per_day: Annotated[Decimal, Field(ge=0, decimal_places=2)] = Decimal(0)
    grace_minutes: Annotated[int, Field(ge=0)] = 0
    timezone: str = "UTC"


class LimitRule(_Part):
    cell_seconds: Annotated[float, Field(gt=0)] = _LIMITS.cell_seconds
    notebook_seconds: Annotated[float, Field(gt=0)] = _LIMITS.notebook_seconds
    probe_seconds: Annotated[float, Field(gt=0)] = _LIMITS.probe_seconds
    memory_mb: Annotated[int, Field(ge=256)] = _LIMITS.memory_bytes >> 20
    output_mb: Annotated[int, Field(ge=1)] = _LIMITS.output_bytes >> 20

    def limits(self) -> Limits:
        return Limits(
            cell_seconds=self.cell_seconds,
            notebook_seconds=self.notebook_seconds,
            probe_seconds=self.probe_seconds,
            memory_bytes=self.memory_mb << 20,
            output_bytes=self.output_mb << 20,
        )


class Seeds(_Part):
    public: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)
    hidden: Annotated[int, Field(ge=0)] = 1  # how many, drawn from the course's secret


class Rubric(_Part):
    """A pack's rubric.toml."""

    title: str
    perfect: str = "Great job!"
    reference: str  # the package or module with the reference solution, relative to the pack
    self_check: str = ""  # the script that the handout's last cell runs
    starter: str = ""
    survey: Id | None = None  # the probe that gathers facts for whoever marks; nothing is judged
    seeds: Seeds = Seeds()
    late: LateRule = LateRule()
    limits: LimitRule = LimitRule()
    files: dict[str, str] = {}  # name in the student's working folder -> file of the pack
    offline: dict[str, str] = {}  # address -> name in the working folder
    item: Annotated[tuple[Item, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        _unique("item", [item.id for item in self.item])
        _unique("check", [rule.id for rule in self.checks])
        items = {item.id for item in self.item}
        for rule in self.checks:
            for other in rule.if_lost.items if rule.if_lost else ():
                if other not in items:
                    raise ValueError(f"check `{rule.id}`: if_lost names no item: `{other}`")
        for address, name in self.offline.items():
            if name not in self.files:
                raise ValueError(f"offline `{address}` names `{name}`, which is not in [files]")
        return self

    @cached_property  # asked for several times for each of a class
    def checks(self) -> tuple[CheckRule, ...]:
        return tuple(rule for item in self.item for rule in item.check)

    @cached_property
    def marked_items(self) -> dict[str, Decimal]:
        """Item id -> the most that a person can give for it."""
        return {i.id: i.marked.points for i in self.item if i.marked is not None}

    @property
    def probes(self) -> tuple[tuple[str, bool], ...]:
        """(probe id, whether any check asks it with every seed), each once, in rubric order."""
        varies: dict[str, bool] = {}
        for rule in self.checks:
            for probe in rule.probes:
                varies[probe] = varies.get(probe, False) or rule.varies
        return tuple(varies.items())

    def probes_of(self, item_id: str) -> frozenset[str]:
        """Ids of all probes that the checks of an item ask."""
        rules = [rule for item in self.item if item.id == item_id for rule in item.check]
        return frozenset(probe for rule in rules for probe in rule.probes)


def _unique(what: Literal["item", "check"], ids: list[str]) -> None:
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise ValueError(f"two {what}s are called `{twice[0]}`")


def parse_rubric(text: str, file: str = "rubric.toml") -> Rubric:
    """Read TOML, or say in one PackError what its author should change."""
    try:
        return Rubric.model_validate(tomllib.loads(text, parse_float=Decimal))
    except tomllib.TOMLDecodeError as error:
        raise PackError(f"{file} is not TOML: {error}.") from error
    except ValidationError as error:
        # A misspelt key is also a missing one; the misspelling is what to mend.
        first = max(error.errors(include_url=False), key=lambda e: e["type"] == "extra_forbidden")
        key = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise PackError(f"{file}{f', key `{key}`' if key else ''}: {what}.") from error
