"""Judge evidence: replies in, one CheckResult for each check of the rubric out.

Pure: no I/O, no clock, no kernel. The same replies give the same results at any later time.
What the student's code did wrong is FAILED; what the grader or the pack did wrong is BROKEN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from grader.checks import Answer, Check, Failed
from grader.model import CheckResult, Outcome, ProbeKey, Reply, ReplyKind, Seed, Visibility
from grader.rubric import CheckRule, Rubric

COULD_NOT_JUDGE = "This could not be tested for a reason that is not yours. Staff will look at it."


@dataclass(frozen=True, slots=True)
class _Verdict:
    """One check on one seed."""

    outcome: Outcome
    words: str = ""
    numbers: str = ""
    staff_note: str = ""


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
    context = _Case(checks, replies, expected)
    first = {rule.id: context.result(rule, rule.probe) for rule in rubric.checks}
    lost = {
        item.id
        for item in rubric.item
        if any(first[rule.id].outcome is Outcome.FAILED for rule in item.check)
    }
    return tuple(_once(rule, first[rule.id], lost, context) for rule in rubric.checks)


@dataclass(frozen=True, slots=True)
class _Case:
    """All that one judgement looks at."""

    checks: Mapping[str, Check]
    replies: Mapping[ProbeKey, Reply]
    expected: Mapping[ProbeKey, Reply]

    def result(self, rule: CheckRule, probe: str) -> CheckResult:
        """Judge one check on every seed that was asked; the first one lost decides."""
        seeds = sorted(_asked(self.expected, probe, varies=rule.varies), key=_public_first)
        remark = ""
        for seed in seeds:
            verdict = self.verdict(rule, (probe, seed))
            if verdict.outcome is not Outcome.PASSED:
                return _lost(rule, verdict, seed)
            remark = remark or verdict.words
        if not seeds:
            note = f"No question `{probe}` was put to the reference."
            return _lost(rule, _Verdict(Outcome.BROKEN, staff_note=note), None)
        return CheckResult(
            check_id=rule.id,
            title=rule.title,
            outcome=Outcome.PASSED,
            earned=rule.points,
            possible=rule.points,
            message=remark,
            visibility=seeds[-1].visibility,
        )

    def verdict(self, rule: CheckRule, key: ProbeKey) -> _Verdict:
        got, want = self.replies.get(key), self.expected[key]
        if got is None or got.kind is ReplyKind.NOT_RUN:
            return _Verdict(Outcome.BROKEN, staff_note=f"Question {key[0]} {key[1]} was not put.")
        if got.kind is not ReplyKind.VALUE:
            return _without_value(got)
        try:
            theirs, ours = Answer(got.value), Answer(want.value, theirs=False)
            if rule.answer:
                theirs, ours = theirs[rule.answer], ours[rule.answer]
            remark = self.checks[rule.check].judge(theirs, ours, rule.tolerance)
        except Failed as failed:
            return _Verdict(Outcome.FAILED, failed.words, failed.numbers)
        except Exception as crash:  # noqa: BLE001  a pack's code may raise anything
            note = f"Check {rule.id} crashed: {crash!r}"
            return _Verdict(Outcome.BROKEN, staff_note=note)
        return _Verdict(Outcome.PASSED, remark or "")


def _asked(expected: Mapping[ProbeKey, Reply], probe: str, *, varies: bool) -> list[Seed]:
    seeds = [seed for probe_id, seed in expected if probe_id == probe]
    return seeds if varies else [s for s in seeds if (s.visibility, s.index) == _FIXED]


_FIXED = (Visibility.PUBLIC, 0)


def _public_first(seed: Seed) -> tuple[bool, int]:
    return (seed.visibility is not Visibility.PUBLIC, seed.index)


def _without_value(reply: Reply) -> _Verdict:
    """Say why there is no answer to judge. Details are the student's own words: public only."""
    numbers = ""
    match reply.kind:
        case ReplyKind.UNDEFINED:
            words = f"`{reply.detail}` is not defined in the notebook."
        case ReplyKind.RAISED:
            words = f"Your code stopped with {reply.error_type}."
            numbers = reply.detail
        case ReplyKind.UNUSABLE:
            words = "Your code could not be used as the assignment says"
            words += f": {reply.error_type}." if reply.error_type else "."
            numbers = reply.detail
        case ReplyKind.TIMEOUT:
            words = "Your code did not come to an end in the time that a test has."
        case ReplyKind.DIED:
            words = "Your code ended the Python process (or ran out of memory)."
        case _:
            words = f"What your code returned cannot be read: {reply.detail or 'it is too large'}."
    return _Verdict(Outcome.FAILED, words, numbers)


def _lost(rule: CheckRule, verdict: _Verdict, seed: Seed | None) -> CheckResult:
    public = seed is None or seed.visibility is Visibility.PUBLIC
    if verdict.outcome is Outcome.BROKEN:
        message = COULD_NOT_JUDGE
    else:
        numbers = verdict.numbers if public else "(With other inputs than the public ones.)"
        message = " ".join(filter(None, (verdict.words, numbers, rule.hint)))
    return CheckResult(
        check_id=rule.id,
        title=rule.title,
        outcome=verdict.outcome,
        earned=Decimal(0),
        possible=rule.points,
        message=message,
        visibility=Visibility.PUBLIC if public else Visibility.HIDDEN,
        staff_note=verdict.staff_note or ("" if public else verdict.numbers),
    )


def _once(rule: CheckRule, result: CheckResult, lost: set[str], case: _Case) -> CheckResult:
    """Charge a mistake once: judge again with stand-ins where the parts have lost their points."""
    if rule.if_lost is None or result.outcome is not Outcome.FAILED:
        return result
    blamed = [item for item in rule.if_lost.items if item in lost]
    if not blamed:
        return result
    again = case.result(rule, rule.if_lost.probe)
    if again.outcome is not Outcome.PASSED:
        return result
    names = " and ".join(f"`{item}`" for item in blamed)
    message = f"Tested with a right version of {names}, which lost points above already."
    return CheckResult(
        check_id=again.check_id,
        title=again.title,
        outcome=again.outcome,
        earned=again.earned,
        possible=again.possible,
        message=message,
        visibility=again.visibility,
    )
