"""What every form of one notebook's report is made from, and what several of them share.

A form is a module of its own that turns a Subject into text: `junit`, `github`, `gradescope`,
`codequality`, `badge`, and the older ones. `forms` has them all by name. Nothing here decides.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from grader.exhibits import Exhibit
from grader.facts import Fact
from grader.model import CheckResult, Grade, ItemResult, Outcome, Section, State, Total
from grader.reports.feedback import Feedback, ItemView, feedback
from grader.reports.places import Place, Places, places
from grader.rubric import CheckRule, Rubric
from grader.text import display_safe, plain


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """One notebook and its grade.

    Attributes:
        assignment: its short name, such as "a2".
        path: the notebook's, from the top of the repository where there is one.
        notebook: what stands in that file.
        questions: probe id -> the Python that asks it.
        facts: what was found in it for whoever marks by hand.
    """

    grade: Grade
    rubric: Rubric
    exhibits: Mapping[str, Exhibit] = field(default_factory=dict)
    assignment: str = ""
    path: str = ""
    notebook: str = ""
    questions: Mapping[str, str] = field(default_factory=dict)
    facts: Sequence[Fact] = ()

    @cached_property
    def said(self) -> Feedback:
        """What the student is told."""
        return feedback(self.grade, self.rubric, self.exhibits)

    @cached_property
    def places(self) -> Places:
        """Where in the notebook's file things stand."""
        return places(self.notebook)

    def place(self, item: ItemResult, message: str = "") -> Place | None:
        """Return the line that an item is about: its own definition, else one that it is asked of.

        So a function that is missing from a class is looked for in that class.
        """
        if place := self.places.of(item.item_id, item.title, message):
            return place
        probes = [probe for rule in self._rules(item) for probe in rule.probes]
        asked = (name for probe in probes for name in asked_for(self.questions.get(probe, "")))
        known = self.places.definitions
        return next((known[name] for name in asked if name in known), None)

    def _rules(self, item: ItemResult) -> tuple[CheckRule, ...]:
        return next((each.check for each in self.rubric.item if each.id == item.item_id), ())

    @property
    def code(self) -> Total:
        """The points that tests gave for the code, without extra credit."""
        return self.grade.score.sections[Section.CODE]

    @property
    def score(self) -> str:
        """The points for the code in words: "65 of 70"."""
        points = "?" if self.code.points is None else plain(self.code.points)
        return f"{points} of {plain(self.code.possible)}"

    @property
    def unjudged(self) -> bool:
        """Whether a person has to look: points that are not there say nothing then."""
        return self.grade.score.state is State.NEEDS_ATTENTION

    def checks(self) -> Iterator[tuple[ItemView, CheckResult]]:
        """Yield every check in the rubric's order, each with its item."""
        for view in self.said.items:
            for check in view.item.checks:
                yield view, check


def asked_for(question: str) -> Iterator[str]:
    """Yield what a question takes from the notebook: attributes of `names`, and names in quotes."""
    for node in ast.walk(ast.parse(question)):
        match node:
            case ast.Attribute(value=ast.Name(id="names"), attr=name):
                yield name
            case ast.Constant(value=str(name)):
                yield name


def is_lost(view: ItemView, check: CheckResult) -> bool:
    """Whether a check counts as lost: extra credit that nobody attempted is not."""
    return check.outcome is Outcome.FAILED and view.attempted


def words(text: str) -> str:
    """Return a student's text on one line, without anything that is not to be seen."""
    return display_safe(text).strip()


def number(points: Decimal) -> int | float:
    """Return points as JSON has them: 70, 2.5."""
    return int(points) if points == points.to_integral_value() else float(points)
