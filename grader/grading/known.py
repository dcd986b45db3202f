"""What the known mistakes of a pack answer, worked out when it is first needed.

They are the reference with a few words changed, so they are run here, each question in a fork.
Most classes make few of them: only the mistakes of items that somebody lost points in are run,
once for all submissions of a grading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from grader.errors import PackError
from grader.mistakes import Change, Mistake
from grader.model import ProbeCall, ProbeKey, Reply
from grader.packs import Pack

Answers = tuple[Mapping[ProbeKey, Reply], ...]  # of each way to make a mistake


@dataclass(frozen=True, slots=True, eq=False)
class KnownMistakes:
    """The answers of a pack's mistakes to the questions of one grading."""

    pack: Pack
    calls: Sequence[ProbeCall]
    found: dict[str, Answers] = field(default_factory=dict)  # by mistake, as far as known

    def of(self, items: Iterable[str]) -> Mapping[str, Answers]:
        """Return mistake -> answers, at least for the mistakes of these items."""
        asked = set(items)
        for name, each in self.pack.mistakes.items():
            if each.item in asked and name not in self.found:
                self.found[name] = self._answers(each)
        return self.found

    def _answers(self, known: Mistake) -> Answers:
        """Ask each way what its own item is asked."""
        probes = self.pack.rubric.probes_of(known.item)
        calls = [call for call in self.calls if call.probe_id in probes]
        return tuple(self._answers_of_way(way, calls) for way in known.ways)

    def _answers_of_way(
        self, way: Sequence[Change], calls: Sequence[ProbeCall]
    ) -> Mapping[ProbeKey, Reply]:
        """Ask one way; one that no longer runs has no answers, and `grader pack test` says so.

        For a student it costs no more than a name.
        """
        try:
            return self.pack.answers_if(way, calls)
        except PackError:
            return {}
