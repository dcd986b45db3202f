"""Judge kept evidence: what was judged before by the same rules is not judged again.

A verdict is found by its key (see grader.grading.keys). What has none is worked out from the
replies, in several processes where that pays; a class passes through in portions. What the known
mistakes of an item answer is worked out once somebody has lost points in it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from grader.diagnosis import told
from grader.errors import EvidenceError
from grader.facts import Fact
from grader.grading.batch import OUR_FAULT, Exam, unread, unseen
from grader.grading.cases import Case
from grader.grading.keys import Keys
from grader.grading.marking import gather_facts
from grader.grading.processes import in_processes
from grader.judging import Case as Judging
from grader.judging import Known, Verdict, results
from grader.model import (
    CheckResult,
    Evidence,
    Outcome,
    ProbeKey,
    Reply,
    RunRecord,
    Seed,
    Visibility,
)
from grader.rubric import CheckRule
from grader.store import Before, Kept, Store

PORTION = 500
MISTAKES = "mistakes"  # whose answers the store keeps
NAMED = "named"  # stands where a verdict has its outcome
NOTHING = Before(verdicts={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One case, and what was observed of it. `fault` says what of ours is in the way."""

    case: Case
    kept: Kept | None = None
    fault: str = ""
    why: str = OUR_FAULT  # what the student reads where nothing was observed

    @property
    def run(self) -> RunRecord:
        return self.kept.run if self.kept else unseen(self.why).run


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One case, judged."""

    seen: Seen
    results: tuple[CheckResult, ...]
    facts: tuple[Fact, ...] = ()


class _NotKnownError(LookupError):
    """There is no verdict with this key, or nobody has looked for names of mistakes."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges a class by the rules of one exam."""

    exam: Exam
    keys: Keys
    store: Store
    jobs: int
    known: Known = field(default_factory=dict)
    learnt: set[str] = field(default_factory=set)  # items whose known mistakes can be named

    def judge(self, seen: Sequence[Seen], *, keep: bool) -> Iterator[Looked]:
        """Yield every case judged, in order.

        Args:
            keep: whether new verdicts are written down.
        """
        nothing = self._results({}, Judging(self.exam.pack.checks, {}, self.exam.expected))
        for at in range(0, len(seen), PORTION):
            portion = seen[at : at + PORTION]
            known = self._portion(portion, keep=keep)
            for one in portion:
                if one.kept is None:
                    yield Looked(seen=one, results=nothing)
                    continue
                found = known[one.kept.id]
                if isinstance(found, str):
                    yield Looked(seen=replace(one, kept=None, fault=found), results=nothing)
                    continue
                fault = one.fault or unread(one.case.submission, one.run)
                facts = tuple(Fact(**fact) for fact in found[1])
                yield Looked(seen=replace(one, fault=fault), results=found[0], facts=facts)

    def _portion(
        self, portion: Sequence[Seen], *, keep: bool
    ) -> dict[int, tuple[tuple[CheckResult, ...], Any] | str]:
        """Return results and facts by evidence, or the sentence on why there are none."""
        there = {one.kept.id: (one.kept, one.case.submission.path) for one in portion if one.kept}
        before = self.store.judged(list(there))
        known: dict[int, tuple[tuple[CheckResult, ...], Any] | str] = {}
        for number in there:
            old = before.get(number, NOTHING)
            if old.facts_key == self.keys.facts:
                try:
                    known[number] = (self._results(old.verdicts), old.facts)
                except _NotKnownError:
                    continue
        lacking = [number for number in there if number not in known]
        fresh: dict[int, Before] = {}
        for number, judged in self._worked_out(lacking, there, before, keep=keep).items():
            if isinstance(judged, str):
                known[number] = judged
                continue
            known[number] = (self._results(judged.verdicts), judged.facts)
            sure = {k: v for k, v in judged.verdicts.items() if v[0] != Outcome.BROKEN}
            fresh[number] = replace(judged, verdicts=sure)
        if keep and fresh:
            self.store.keep_judged(fresh)
        return known

    def _worked_out(
        self,
        lacking: Sequence[int],
        there: Mapping[int, tuple[Kept, Path]],
        before: Mapping[int, Before],
        *,
        keep: bool,
    ) -> dict[int, Before | str]:
        """Judge evidence in several processes; then name mistakes in what lost points."""

        def work(number: int) -> bytes:
            return self._work(*there[number], before.get(number, NOTHING))

        judged: dict[int, Before | str] = {}
        unnamed: dict[int, Sequence[str]] = {}
        for number, said in zip(lacking, in_processes(lacking, work, self.jobs), strict=True):
            answer = json.loads(said)
            if isinstance(answer, str):
                judged[number] = answer
                continue
            unnamed |= {number: items} if (items := answer.pop("unnamed")) else {}
            judged[number] = Before(**answer)
        if unnamed:
            self._learn({item for items in unnamed.values() for item in items}, keep=keep)
            half = {n: one for n, one in judged.items() if isinstance(one, Before)}
            judged |= self._worked_out(list(unnamed), there, half, keep=keep)
        return judged

    def _learn(self, items: Collection[str], *, keep: bool) -> None:
        """Know what the known mistakes of items answer before the processes that ask begin."""
        mistakes, missing = self.exam.known, []
        for item in sorted(items):
            kept = self.store.answers(f"{MISTAKES} {item}", self.keys.mistaken)
            if kept is None:
                missing.append(item)
            else:
                mistakes.take([item], kept)
        mistakes.work_out(missing, self.jobs)
        if keep:
            for item in missing:
                answers = mistakes.kept([item])
                self.store.keep_answers(f"{MISTAKES} {item}", self.keys.mistaken, answers)
        self.exam.look_over_mistakes()
        self.learnt.update(items)

    def _results(
        self, verdicts: Mapping[str, Any], judging: Judging | None = None
    ) -> tuple[CheckResult, ...]:
        """Return the results by verdicts, and names of mistakes, that are known already."""

        def verdict(rule: CheckRule, probe: str) -> Verdict:
            known = verdicts.get(self.keys.verdicts[rule.id, probe])
            if known is not None:
                return _read(known)
            if judging is None:
                raise _NotKnownError
            return judging.verdict(rule, probe)

        found = results(self.exam.pack.rubric, verdict, self.known)
        if judging is not None:
            return found
        names: dict[str, list[str]] = {}
        for key in self._names_of(found).values():
            if key not in verdicts:
                raise _NotKnownError
            names |= verdicts[key][1]
        return told(found, names, self.exam.pack.mistakes) if names else found

    def _names_of(self, found: Sequence[CheckResult]) -> dict[str, str]:
        """Return item -> key of the names of its mistakes, for items that lost a check.

        Which of its checks an item lost may depend on other items, so it is in the key.
        """
        lost = {result.check_id for result in found if result.outcome is Outcome.FAILED}
        mine = {
            item.id: [str(n) for n, rule in enumerate(item.check) if rule.id in lost]
            for item in self.exam.pack.rubric.item
        }
        return {item: f"{self.keys.names[item]} {' '.join(of)}" for item, of in mine.items() if of}

    def _work(self, kept: Kept, notebook: Path, before: Before) -> bytes:
        """Judge what has no verdict yet; in a process of its own.

        What is `unnamed` then are the items that lost points and whose mistakes are not learnt.
        """
        try:
            evidence = self.store.observed(kept)
        except EvidenceError as error:
            return json.dumps(str(error)).encode()
        replies = self._answers(kept, evidence)
        judging = Judging(self.exam.pack.checks, replies, self.exam.expected)
        verdicts: dict[str, Any] = {}

        def verdict(rule: CheckRule, probe: str) -> Verdict:
            key = self.keys.verdicts[rule.id, probe]
            if key in before.verdicts:
                verdicts[key] = before.verdicts[key]
            if key not in verdicts:
                verdicts[key] = _written(judging.verdict(rule, probe))
            return _read(verdicts[key])

        found = results(self.exam.pack.rubric, verdict)
        unnamed: list[str] = []
        for item, key in self._names_of(found).items():
            if key in before.verdicts:
                verdicts[key] = before.verdicts[key]
            elif item in self.learnt:
                verdicts[key] = [NAMED, self.exam.names(found, replies, [item])]
            else:
                unnamed.append(item)
        facts, facts_key = before.facts, self.keys.facts
        if before.facts_key != facts_key:
            try:
                facts = self._facts(notebook, replies, self.store.executed(kept))
            except EvidenceError:
                facts, facts_key = [], ""  # it costs hints and no grade; they are looked for again
        judged = {"verdicts": verdicts, "facts": facts, "facts_key": facts_key, "unnamed": unnamed}
        return json.dumps(judged).encode()

    def _answers(self, kept: Kept, evidence: Evidence) -> dict[ProbeKey, Reply]:
        """Return the replies to the questions as they are now; others are answers to others."""
        return {
            key: reply
            for key, reply in evidence.replies.items()
            if kept.asked.get(key) == self.keys.questions.get(key)
        }

    def _facts(
        self, notebook: Path, replies: Mapping[ProbeKey, Reply], executed: str
    ) -> list[dict[str, Any]]:
        try:
            return [
                asdict(fact) for fact in gather_facts(self.exam.pack, notebook, replies, executed)
            ]
        except OSError:  # the notebook is gone from the store; a hint is worth no broken night
            return []


def _written(verdict: Verdict) -> list[Any]:
    seed = verdict.seed
    where = [seed.visibility, seed.index] if seed else None
    return [verdict.outcome, verdict.words, verdict.numbers, verdict.staff_note, where]


def _read(written: Sequence[Any]) -> Verdict:
    return _verdict(*written[:4], seed=tuple(written[4] or ()))


@lru_cache(maxsize=4096)  # most of a class have the same
def _verdict(
    outcome: str, words: str, numbers: str, note: str, *, seed: tuple[str, int] | tuple[()]
) -> Verdict:
    decided = Seed(Visibility(seed[0]), seed[1]) if seed else None
    return Verdict(Outcome(outcome), words, numbers, note, decided)
