"""What the known mistakes of a pack answer, worked out when it is first needed.

They are the reference with a few words changed, so they are run here, each in a fork. For one
notebook only the mistakes of items that it lost points in are run, and a cache keeps what they
answer; for a class in several processes, and the store keeps that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from grader.diagnosis import Looks, Way
from grader.errors import PackError
from grader.evidence import decode, encode
from grader.grading.cache import AnswerCache
from grader.grading.keys import mistaken
from grader.grading.processes import in_processes
from grader.model import Evidence, ProbeCall, ProbeKey, Reply, RunOutcome, RunRecord
from grader.packs import Pack

Answers = tuple[Mapping[ProbeKey, Reply], ...]  # of each way to make a mistake
_RUN = RunRecord(outcome=RunOutcome.COMPLETE)


@dataclass(frozen=True, slots=True, eq=False)
class KnownMistakes:
    """The answers of a pack's mistakes to the questions of one grading."""

    pack: Pack
    calls: tuple[ProbeCall, ...]
    found: dict[str, Answers] = field(default_factory=dict)  # by mistake, as far as known
    looks: Looks = field(default_factory=dict)  # what checks made of them, as far as looked at
    cache: AnswerCache = field(default_factory=AnswerCache)

    def of(self, items: Iterable[str]) -> Mapping[str, Answers]:
        """Return mistake -> answers, at least for the mistakes of these items."""
        asked = set(items)
        missing = [
            name
            for name, each in self.pack.mistakes.items()
            if each.item in asked and name not in self.found
        ]
        depends_on = mistaken(self.pack, self.calls)[:32] if missing else ""
        for name in missing:
            self.found[name] = tuple(
                self.cache.answers(
                    f"{self.pack.slug}-{name}-{number}-{depends_on}",
                    partial(self._answers, (name, number)),
                )
                for number in range(len(self.pack.mistakes[name].ways))
            )
        return self.found

    def work_out(self, items: Collection[str], jobs: int) -> None:
        """Ask all mistakes of these items whose answers are not known, in several processes."""
        missing = [way for way in self._ways(items) if way[0] not in self.found]
        for way, data in zip(missing, in_processes(missing, self._encoded, jobs), strict=True):
            self._add(way, decode(data).replies)

    def kept(self, items: Collection[str]) -> dict[ProbeKey, Reply]:
        """Return the answers of these items' mistakes, each under a key "mistake way probe"."""
        return {
            (f"{name} {number} {probe}", seed): reply
            for name, number in self._ways(items)
            for (probe, seed), reply in self.found[name][number].items()
        }

    def take(self, items: Collection[str], kept: Mapping[ProbeKey, Reply]) -> None:
        """Take the answers of these items' mistakes as `kept` gave them at an earlier time."""
        ways: dict[Way, dict[ProbeKey, Reply]] = {way: {} for way in self._ways(items)}
        for (label, seed), reply in kept.items():
            name, number, probe = label.split()
            ways[name, int(number)][probe, seed] = reply
        for way, answers in ways.items():
            self._add(way, answers)

    def _ways(self, items: Collection[str]) -> list[Way]:
        mistakes = [(n, each) for n, each in self.pack.mistakes.items() if each.item in items]
        return [(name, way) for name, each in mistakes for way in range(len(each.ways))]

    def _add(self, way: Way, answers: Mapping[ProbeKey, Reply]) -> None:
        """Add the answers of one way; the ways of a mistake come one after the other."""
        name, number = way
        self.found[name] = (*(self.found[name] if number else ()), answers)

    def _encoded(self, way: Way) -> bytes:
        return encode(Evidence(run=_RUN, replies=self._answers(way)))

    def _answers(self, way: Way) -> Mapping[ProbeKey, Reply]:
        """Ask one way what its own item is asked.

        One that no longer runs has no answers, and `grader pack test` says so: for a student it
        costs no more than a name.
        """
        name, number = way
        known = self.pack.mistakes[name]
        probes = self.pack.rubric.probes_of(known.item)
        calls = [call for call in self.calls if call.probe_id in probes]
        try:
            return self.pack.answers_if(known.ways[number], calls)
        except PackError:
            return {}
