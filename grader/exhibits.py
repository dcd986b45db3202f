"""What there is to show of a lost check besides its sentence: numbers, a picture, a snippet.

Looked for again in the replies, so that nothing of it has to be kept with a result. Public
questions only: of a hidden one a student gets words. Whatever goes wrong here costs nothing; the
check is told without. Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grader.checks import Answer, Check, Failed
from grader.differences import Difference
from grader.model import (
    CheckResult,
    Outcome,
    ProbeKey,
    Reply,
    ReplyKind,
    Visibility,
)
from grader.pictures import Painter, Picture
from grader.rubric import CheckRule, Rubric


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exhibit:
    """What shows one lost check. `snippet` is Python for the student's own notebook."""

    difference: Difference | None = None
    picture: Picture | None = None
    snippet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exhibition:
    """All that exhibits of one assignment are made from."""

    rubric: Rubric
    checks: Mapping[str, Check]
    painters: Mapping[str, Painter]
    snippets: Mapping[str, str]
    expected: Mapping[ProbeKey, Reply]

    def of(
        self, results: Iterable[CheckResult], replies: Mapping[ProbeKey, Reply]
    ) -> dict[str, Exhibit]:
        """Return check id -> exhibit, for the checks that were lost on a public question."""
        rules = {rule.id: rule for rule in self.rubric.checks}
        return {
            result.check_id: self._exhibit(rules[result.check_id], replies)
            for result in results
            if result.check_id in rules
            and result.outcome is Outcome.FAILED
            and result.visibility is Visibility.PUBLIC
        }

    def _exhibit(self, rule: CheckRule, replies: Mapping[ProbeKey, Reply]) -> Exhibit:
        for key in self._public(rule):
            reply = replies.get(key)
            if reply is None or reply.kind is ReplyKind.NOT_RUN:
                continue
            if reply.kind in (ReplyKind.RAISED, ReplyKind.UNUSABLE):
                return Exhibit(snippet=self._snippet(rule))  # it shows where the error comes from
            if reply.kind is not ReplyKind.VALUE:
                return Exhibit()
            if failed := self._failed(rule, reply, self.expected[key]):
                return Exhibit(
                    difference=failed.difference,
                    picture=self._picture(rule, reply, self.expected[key]),
                    snippet=self._snippet(rule),
                )
        return Exhibit()

    def _public(self, rule: CheckRule) -> list[ProbeKey]:
        """Return the public questions of a check, in the order in which they are judged."""
        public = sorted(
            key
            for key in self.expected
            if key[0] == rule.probe and key[1].visibility is Visibility.PUBLIC
        )
        return public if rule.varies else public[:1]

    def _snippet(self, rule: CheckRule) -> str:
        return self.snippets.get(rule.snippet, "")

    def _failed(self, rule: CheckRule, got: Reply, want: Reply) -> Failed | None:
        try:
            theirs, ours = Answer(got.value), Answer(want.value, theirs=False)
            if rule.answer:
                theirs, ours = theirs[rule.answer], ours[rule.answer]
            self.checks[rule.check].judge(theirs, ours, rule.tolerance)
        except Failed as failed:
            return failed
        except Exception:  # noqa: BLE001  a pack's code may raise anything; judging has told it
            return None
        return None

    def _picture(self, rule: CheckRule, got: Reply, want: Reply) -> Picture | None:
        painter = self.painters.get(rule.picture)
        if painter is None:
            return None
        try:
            return painter.paint(Answer(got.value), Answer(want.value, theirs=False))
        except Exception:  # noqa: BLE001  an answer that cannot be drawn, or a pack's own fault
            return None
