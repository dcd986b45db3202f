"""Judge evidence: replies in, one CheckResult for each check of the rubric out.

Pure: no I/O, no clock, no kernel. The same replies give the same results at any later time.
What the student's code did wrong is FAILED; what the grader or the pack did wrong is BROKEN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeAlias

from grader.checks import Answer, Check, Failed
from grader.model import CheckResult, Outcome, ProbeKey, Reply, ReplyKind, Seed, Visibility
from grader.rubric import CheckRule, Rubric

COULD_NOT_JUDGE = "This could not be tested for a reason that is not yours. Staff will look at it."


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check, judged: what depends on answers and tolerances, and on no points or texts."""

    outcome: Outcome
    words: str = ""  # of a passed check: a remark
    numbers: str = ""
    staff_note: str = ""
    seed: Seed | None = None  # the one that decided; None: nothing was asked

    def __hash__(self) -> int:
        return hash((self.words, self.numbers))  # texts know theirs; an enum works it out each time


Known: TypeAlias = "dict[tuple[str, Verdict], CheckResult]"
Verdicts: TypeAlias = Callable[[CheckRule, str], Verdict]  # of a check, by what a probe answered


def judge(
    rubric: Rubric,
    checks: Mapping[str, Check],
    replies: Mapping[ProbeKey, Reply],
    expected: Mapping[ProbeKey, Reply],
) -> tuple[CheckResult, ...]:
    """Judge every check of the rubric, each for itself, in the rubric's order.

    Args:
        checks: the judging functions by name (see grader.checks.catalogue).
        replies: what the student's code answered.
        expected: what the reference answered to the same questions; these say what was asked.
    """
    return results(rubric, Case(checks, replies, expected).verdict)


def results(
    rubric: Rubric, verdict: Verdicts, known: Known | None = None
) -> tuple[CheckResult, ...]:
    """Give every check of the rubric its points and its words, by verdicts of now or earlier.

    Args:
        known: what came of a check and a verdict before, by the same rubric; it is added to. In a
            large class most results are equal, and then they are the same object.
    """
    known = {} if known is None else known
    first: dict[str, CheckResult] = {}
    for rule in rubric.checks:
        of = verdict(rule, rule.probe)
        key = (rule.id, of)
        if key not in known:
            known[key] = _result(rule, of)
        first[rule.id] = known[key]
    lost = {
        item.id
        for item in rubric.item
        if any(first[rule.id].outcome is Outcome.FAILED for rule in item.check)
    }
    return tuple(_once(rule, first[rule.id], lost, verdict) for rule in rubric.checks)


@dataclass(frozen=True, slots=True)
class Case:
    """All that the verdicts on one submission look at."""

    checks: Mapping[str, Check]
    replies: Mapping[ProbeKey, Reply]
    expected: Mapping[ProbeKey, Reply]

    def verdict(self, rule: CheckRule, probe: str) -> Verdict:
        """Judge one check on every seed that was asked; the first one lost decides."""
        seeds = asked(self.expected, probe, varies=rule.varies)
        remark = ""
        for seed in seeds:
            verdict = self._on(rule, (probe, seed))
            if verdict.outcome is not Outcome.PASSED:
                return replace(verdict, seed=seed)
            remark = remark or verdict.words
        if not seeds:
            note = f"No question `{probe}` was put to the reference."
            return Verdict(Outcome.BROKEN, staff_note=note)
        return Verdict(Outcome.PASSED, remark, seed=seeds[-1])

    def _on(self, rule: CheckRule, key: ProbeKey) -> Verdict:
        got, want = self.replies.get(key), self.expected[key]
        if got is None or got.kind is ReplyKind.NOT_RUN:
            return Verdict(Outcome.BROKEN, staff_note=f"Question {key[0]} {key[1]} was not put.")
        if got.kind is not ReplyKind.VALUE:
            return _without_value(got)
        try:
            theirs, ours = Answer(got.value), Answer(want.value, theirs=False)
            if rule.answer:
                theirs, ours = theirs[rule.answer], ours[rule.answer]
            remark = self.checks[rule.check].judge(theirs, ours, rule.tolerance)
        except Failed as failed:
            return Verdict(Outcome.FAILED, failed.words, failed.numbers)
        except Exception as crash:  # noqa: BLE001  a pack's code may raise anything
            note = f"Check {rule.id} crashed: {crash!r}"
            return Verdict(Outcome.BROKEN, staff_note=note)
        return Verdict(Outcome.PASSED, remark or "")


def asked(questions: Iterable[ProbeKey], probe: str, *, varies: bool) -> list[Seed]:
    """Return the seeds on which a check judges what `probe` answered, the public ones first."""
    seeds = [seed for probe_id, seed in questions if probe_id == probe]
    if not varies:
        seeds = [seed for seed in seeds if (seed.visibility, seed.index) == _FIXED]
    return sorted(seeds, key=_public_first)


_FIXED = (Visibility.PUBLIC, 0)


def _public_first(seed: Seed) -> tuple[bool, int]:
    return (seed.visibility is not Visibility.PUBLIC, seed.index)


def _without_value(reply: Reply) -> Verdict:
    """Say why there is no answer to judge. Details are the student's own words: public only."""
    numbers = ""
    if reply.kind is ReplyKind.UNDEFINED:
        words = f"`{reply.detail}` is not defined in the notebook."
    elif reply.kind is ReplyKind.RAISED:
        words = f"Your code stopped with {reply.error_type}."
        numbers = reply.detail
    elif reply.kind is ReplyKind.UNUSABLE:
        words = "Your code could not be used as the assignment says"
        words += f": {reply.error_type}." if reply.error_type else "."
        numbers = reply.detail
    elif reply.kind is ReplyKind.TIMEOUT:
        words = "Your code did not come to an end in the time that a test has."
    elif reply.kind is ReplyKind.DIED:
        words = "Your code ended the Python process (or ran out of memory)."
    else:
        words = f"What your code returned cannot be read: {reply.detail or 'it is too large'}."
    return Verdict(Outcome.FAILED, words, numbers)


def _result(rule: CheckRule, verdict: Verdict) -> CheckResult:
    passed = verdict.outcome is Outcome.PASSED
    public = verdict.seed is None or verdict.seed.visibility is Visibility.PUBLIC
    if passed:
        message = verdict.words
    elif verdict.outcome is Outcome.BROKEN:
        message = COULD_NOT_JUDGE
    else:
        numbers = verdict.numbers if public else "(With other inputs than the public ones.)"
        message = " ".join(filter(None, (verdict.words, numbers, rule.hint)))
    return CheckResult(
        check_id=rule.id,
        title=rule.title,
        outcome=verdict.outcome,
        earned=rule.points if passed else Decimal(0),
        possible=rule.points,
        message=message,
        visibility=Visibility.PUBLIC if public else Visibility.HIDDEN,
        staff_note=verdict.staff_note or ("" if public else verdict.numbers),
    )


def _once(rule: CheckRule, result: CheckResult, lost: set[str], verdict: Verdicts) -> CheckResult:
    """Charge a mistake once: judge again with stand-ins where the parts have lost their points."""
    if rule.if_lost is None or result.outcome is not Outcome.FAILED:
        return result
    blamed = [item for item in rule.if_lost.items if item in lost]
    if not blamed:
        return result
    again = _result(rule, verdict(rule, rule.if_lost.probe))
    if again.outcome is not Outcome.PASSED:
        return result
    names = " and ".join(f"`{item}`" for item in blamed)
    message = f"Tested with a right version of {names}, which lost points above already."
    return replace(again, message=message)
