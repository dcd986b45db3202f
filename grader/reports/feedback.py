"""What there is to say of one grade, in plain values and whole sentences.

The page, the terminal and Markdown show the same of it, each in its own way. Decides nothing and
adds up nothing that scoring has not: it sorts what is lost from what is open. Staff notes, and
sentences that ask the staff for something, are never read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import SequenceMatcher
from itertools import takewhile, zip_longest

from grader.differences import Difference, Place, Shape
from grader.exhibits import Exhibit
from grader.model import (
    CellOutcome,
    CellRun,
    CheckResult,
    Grade,
    ItemResult,
    Outcome,
    ProbedIn,
    RunOutcome,
    RunRecord,
    Section,
    Source,
    State,
)
from grader.pictures import Listing, Picture
from grader.rubric import Item, Rubric
from grader.text import clipped, display_safe, plain

MOST_SHOWN = 12  # failed cells, and notes about the run
MOST_FOREMOST = 3  # losses that are told before everything else
MOST_REASON = 240  # characters, where a loss is told in one line
MOST_LISTED = 30  # lines of a listing
NOT_EQUAL = "\N{NOT EQUAL TO}"
NO_LINE = "\N{EN DASH}"
NO_COMMENT = "Points taken off by the person who marked this."
NOTHING: Mapping[str, Exhibit] = {}
SEE_IT = "See it in your own notebook: put this into a new cell at its end and run it."
SECTION_TITLES = {
    Section.CODE: "Code",
    Section.DISCUSSION: "Experiments and discussion",
    Section.EXTRA_CREDIT: "Extra credit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a comparison: what is compared, the expected, the student's."""

    label: str
    expected: str
    yours: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LostCheck:
    """One test that was lost: what was tested, and what is to be said of it alone.

    Attributes:
        words: sentences that its loss does not have already.
        rows: expected and seen, of a public question.
        share: how many values differ; empty where there are no values to count.
    """

    title: str
    earned: Decimal
    possible: Decimal
    words: str = ""
    rows: tuple[Row, ...] = ()
    share: str = ""

    @property
    def points(self) -> str:
        return f"{plain(self.earned)} of {plain(self.possible)}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loss:
    """Points that are gone for one reason; without checks for a person's mark.

    Attributes:
        message: the sentences that all its checks share, the reason first.
        mistake: the id of the known mistake that it is, if it is one.
    """

    points: Decimal
    item: str
    message: str
    mistake: str = ""
    checks: tuple[LostCheck, ...] = ()
    picture: Picture | None = None
    snippet: str = ""

    @property
    def titles(self) -> tuple[str, ...]:
        return tuple(check.title for check in self.checks)

    @property
    def reason(self) -> str:
        """The first sentence: what matters most."""
        return next(iter(_sentences(self.message)), "")

    @property
    def brief(self) -> str:
        """The reason, short enough to be one of a few lines."""
        return clipped(self.reason, MOST_REASON)

    @property
    def headline(self) -> str:
        """What was lost and why, in one line."""
        return f"{self.item}: {self.brief}"

    @property
    def more(self) -> str:
        """What the message says after the reason."""
        return " ".join(_sentences(self.message)[1:])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ItemView:
    """One rubric item as a student reads it.

    Attributes:
        tested: points earned by tests; None where the item has no tests.
        by_hand: the most that a person can give.
        given: what a person gave, where that is known.
        to_mark: what a person has still to give.
        open: points that hang on tests which could not be made.
        attempted: False for extra credit of which the notebook defines nothing.
        losses: what was lost, by reason.
        others: the checks that were passed or could not be made.
    """

    item: ItemResult
    tested: Decimal | None
    by_hand: Decimal
    given: Decimal | None
    to_mark: Decimal
    open: Decimal
    attempted: bool
    criteria: tuple[str, ...]
    losses: tuple[Loss, ...]
    others: tuple[CheckResult, ...]

    @property
    def tests(self) -> tuple[Loss, ...]:
        """The losses by tests; what a person took off is told with the mark."""
        return tuple(loss for loss in self.losses if loss.checks)

    @property
    def extra(self) -> bool:
        return self.item.section is Section.EXTRA_CREDIT

    @property
    def untested(self) -> bool:
        """Whether there are tests and not one of them could be made."""
        return self.open > 0 and self.open == self.item.possible - self.by_hand

    @property
    def points(self) -> str:
        """The item's points in words: "13 of 15", "not marked yet"."""
        if not self.attempted:
            return "not attempted"
        if self.untested and self.given is None:
            return "not tested yet"
        if self.item.points is not None:
            return f"{plain(self.item.points)} of {plain(self.item.possible)}"
        if self.tested is None:
            return "not marked yet"
        return f"{plain(self.tested)} of {plain(self.item.possible)} so far"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SectionView:
    """One line of the account: a section's points, as far as they are known."""

    title: str
    points: str
    items: tuple[ItemView, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Feedback:
    """All that one student is told.

    Attributes:
        losses: every lost point but those of extra credit and lateness, each mistake once.
        foremost: the few that cost the most; `further` says what there is beside them.
    """

    grade: Grade
    title: str
    possible: Decimal
    headline: str
    missing: tuple[str, ...]
    praise: str
    sections: tuple[SectionView, ...]
    losses: tuple[Loss, ...]
    foremost: tuple[Loss, ...]
    further: str
    further_points: Decimal
    late: str
    run: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def foremost_title(self) -> str:
        return "What cost the most points" if self.further else "What cost points"

    @property
    def items(self) -> tuple[ItemView, ...]:
        return tuple(view for section in self.sections for view in section.items)


def feedback(grade: Grade, rubric: Rubric, exhibits: Mapping[str, Exhibit] = NOTHING) -> Feedback:
    """Say everything there is to say of a grade, in the rubric's order.

    Args:
        exhibits: what there is to show of lost checks, by check id (see grader.exhibits).
    """
    known = {item.id: item for item in rubric.item}
    views = [
        _item_view(result, known.get(result.item_id), exhibits) for result in grade.score.items
    ]
    possible = sum((v.item.possible for v in views if not v.extra), Decimal(0))
    losses = _once(loss for view in views if not view.extra for loss in view.losses)
    foremost = tuple(sorted(losses, key=lambda loss: -loss.points)[:MOST_FOREMOST])
    return Feedback(
        grade=grade,
        title=rubric.title,
        possible=possible,
        headline=_headline(grade, views, possible),
        missing=_missing(grade, views),
        praise=_praise(views, rubric.perfect),
        sections=_sections(grade, views),
        losses=losses,
        foremost=foremost,
        further=_further(len(losses) - len(foremost)),
        further_points=_sum(losses) - _sum(foremost),
        late=_late(grade),
        run=run_sentences(grade.run),
        notes=_notes(grade.run),
    )


# ------------------------------------------------------------------------------- items
def _item_view(result: ItemResult, rule: Item | None, exhibits: Mapping[str, Exhibit]) -> ItemView:
    marking = rule.marked if rule else None
    by_hand = marking.points if marking else Decimal(0)
    earned = sum((check.earned for check in result.checks), Decimal(0))
    marked = result.source is Source.MARKED and result.points is not None
    judged = {check.check_id for check in result.checks if check.outcome is not Outcome.BROKEN}
    rules = rule.check if rule else ()
    open_points = sum((check.points for check in rules if check.id not in judged), Decimal(0))
    lost = [check for check in result.checks if _is_lost(check)]
    return ItemView(
        item=result,
        tested=earned if rules or result.checks else None,
        by_hand=by_hand,
        given=result.points - earned if marked and result.points is not None else None,
        to_mark=by_hand if result.source is Source.UNMARKED else Decimal(0),
        open=open_points,
        attempted=_attempted(result, open_points),
        criteria=marking.criteria if marking else (),
        losses=(*_by_reason(result, lost, exhibits), *_taken_off(result, by_hand)),
        others=tuple(check for check in result.checks if not _is_lost(check)),
    )


def _is_lost(check: CheckResult) -> bool:
    return check.outcome is Outcome.FAILED and check.earned < check.possible


def _by_reason(
    item: ItemResult, lost: Sequence[CheckResult], exhibits: Mapping[str, Exhibit]
) -> list[Loss]:
    """Put together what was lost by one known mistake, or for one reason."""
    reasons: dict[str, list[CheckResult]] = {}
    for check in lost:
        reason = check.mistake or next(iter(_sentences(check.message)), "")
        reasons.setdefault(reason, []).append(check)
    losses = [_loss(item, checks, exhibits) for checks in reasons.values()]
    seen: set[str] = set()
    for i, loss in enumerate(losses):  # one snippet may show several losses: once is enough
        if loss.snippet in seen:
            losses[i] = replace(loss, snippet="")
        seen.add(loss.snippet)
    return losses


def _loss(item: ItemResult, checks: Sequence[CheckResult], exhibits: Mapping[str, Exhibit]) -> Loss:
    """Make one loss of checks that share a reason; one picture and one snippet are enough."""
    shown = [exhibits.get(check.check_id, Exhibit()) for check in checks]
    told = [_told(check, each.difference) for check, each in zip(checks, shown, strict=True)]
    shared = _shared(told)
    return Loss(
        points=sum((check.possible - check.earned for check in checks), Decimal(0)),
        item=item.title,
        message=" ".join(shared),
        mistake=checks[0].mistake or "",
        checks=tuple(
            _lost_check(check, words[len(shared) :], each.difference)
            for check, words, each in zip(checks, told, shown, strict=True)
        ),
        picture=next((each.picture for each in shown if each.picture is not None), None),
        snippet=next((each.snippet for each in shown if each.snippet), ""),
    )


def _told(check: CheckResult, difference: Difference | None) -> list[str]:
    """Return a message's sentences, without those that rows of a comparison say better.

    Where a mistake is named, "The result has wrong values." says nothing more.
    """
    message = check.message
    if difference and difference.sentence:
        message = message.replace(difference.sentence, "")
    if difference and difference.verdict and check.mistake:
        message = message.replace(difference.verdict, "")
    return _sentences(message)


def _shared(messages: Sequence[Sequence[str]]) -> list[str]:
    """Return the sentences that all messages begin with."""
    same = takewhile(lambda each: len(set(each)) == 1, zip(*messages, strict=False))
    return [sentences[0] for sentences in same]


def _sentences(text: str) -> list[str]:
    """Split a message into sentences; what is in backticks is never split."""
    covered = _CODE.sub(lambda code: _COVER * len(code[0]), text)
    ends = [(gap.start(), gap.end()) for gap in _GAP.finditer(covered)]
    starts = [0, *(end for _, end in ends)]
    stops = [*(start for start, _ in ends), len(text)]
    found = (text[start:stop].strip() for start, stop in zip(starts, stops, strict=True))
    return [sentence for sentence in found if sentence]


_COVER = "\N{FULL BLOCK}"
_CODE = re.compile(r"`[^`\n]*`")
_GAP = re.compile(rf"(?<=[.!?])\s+(?=[A-Z(“{_COVER}])")


def _taken_off(item: ItemResult, by_hand: Decimal) -> tuple[Loss, ...]:
    """Return what a person who marked an item did not give. Extra credit is given, never taken."""
    if item.section is Section.EXTRA_CREDIT or item.source is not Source.MARKED:
        return ()
    earned = sum((check.earned for check in item.checks), Decimal(0))
    off = by_hand - ((item.points or Decimal(0)) - earned)
    if item.points is None or off <= 0:
        return ()
    return (Loss(points=off, item=item.title, message=item.comment or NO_COMMENT),)


def _once(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Tell a mistake once that cost points in several items."""
    found: dict[object, Loss] = {}
    for loss in losses:
        key = loss.mistake or id(loss)
        first = found.get(key)
        if first is None:
            found[key] = loss
            continue
        found[key] = replace(
            first,
            points=first.points + loss.points,
            item=f"{first.item} and {loss.item}",
            checks=(*first.checks, *loss.checks),
        )
    return tuple(found.values())


def _further(others: int) -> str:
    """Say that more was lost than the foremost."""
    if not others:
        return ""
    return f"{'One more reason' if others == 1 else f'{others} more reasons'}, told below."


def _sum(losses: Sequence[Loss]) -> Decimal:
    return sum((loss.points for loss in losses), Decimal(0))


# ------------------------------------------------------------------------------- comparisons
def _lost_check(
    check: CheckResult, words: Sequence[str], difference: Difference | None
) -> LostCheck:
    return LostCheck(
        title=check.title,
        earned=check.earned,
        possible=check.possible,
        words=" ".join(words),
        rows=_rows(difference) if difference else (),
        share=_share(difference) if difference else "",
    )


def _rows(difference: Difference) -> tuple[Row, ...]:
    """Return what was expected and what was seen: kinds, shapes, the first and the largest."""
    rows = []
    if difference.kinds:
        rows.append(
            Row(label="What it is", expected=difference.kinds[0], yours=difference.kinds[1])
        )
    if difference.shapes:
        expected, seen = (_shape(shape) for shape in difference.shapes)
        rows.append(Row(label="Shape", expected=expected, yours=seen))
    if first := difference.first:
        only = "First difference" if difference.of > 1 else "Value"
        rows.append(_row(only, first))
    largest = difference.largest
    if largest and largest != difference.first:
        rows.append(_row(f"Largest difference, {difference.distance}", largest))
    return tuple(rows)


def _row(label: str, place: Place) -> Row:
    where = f", at {list(place.index)}" if place.index else ""
    return Row(label=f"{label}{where}", expected=place.expected, yours=place.seen)


def _shape(shape: Shape) -> str:
    return str(shape) if shape else "one number"


def _share(difference: Difference) -> str:
    if difference.of <= 1:
        return ""
    verb = "differs" if difference.differing == 1 else "differ"
    return f"{difference.differing} of {difference.of} values {verb}."


def _attempted(item: ItemResult, open_points: Decimal) -> bool:
    """Whether there is anything of an extra credit item, by what its checks found defined."""
    if item.section is not Section.EXTRA_CREDIT or item.source is not Source.AUTOMATIC:
        return True
    if item.points or open_points:
        return True
    return bool(item.checks) and not any(_says_undefined(check) for check in item.checks)


def _says_undefined(check: CheckResult) -> bool:
    """Whether grader.judging said that the notebook does not define what was asked for."""
    return " is not defined in the notebook." in check.message


def listed(listing: Listing) -> list[tuple[str, str, bool]]:
    """Return a listing's lines, (expected, yours, whether they differ), alike ones side by side."""
    expected, yours = listing.expected[:MOST_LISTED], listing.yours[:MOST_LISTED]
    lines: list[tuple[str, str]] = []
    matcher = SequenceMatcher(None, expected, yours, autojunk=False)
    for _, start, end, begin, stop in matcher.get_opcodes():
        lines += zip_longest(expected[start:end], yours[begin:stop], fillvalue=NO_LINE)
    return [(one, other, one != other) for one, other in lines]


def pointed(number: int, *, off: bool) -> str:
    """Return a line's number, with a sign where the two sides differ."""
    return f"{number} {NOT_EQUAL}" if off else str(number)


# ------------------------------------------------------------------------------- the account
def _sections(grade: Grade, views: Sequence[ItemView]) -> tuple[SectionView, ...]:
    found = []
    for section, total in grade.score.sections.items():
        mine = tuple(view for view in views if view.item.section is section)
        if mine:
            points = _section_points(section, total.points, total.possible, mine)
            found.append(SectionView(title=SECTION_TITLES[section], points=points, items=mine))
    return tuple(found)


def _section_points(
    section: Section, points: Decimal | None, possible: Decimal, views: Sequence[ItemView]
) -> str:
    if not any(view.attempted for view in views):
        return "not attempted"
    if all(view.untested for view in views):
        return "not tested yet"
    if points is None:
        known = sum((view.tested or Decimal(0)) + (view.given or Decimal(0)) for view in views)
        if all(view.to_mark == view.item.possible for view in views):
            return "not marked yet"
        return f"{plain(Decimal(known))} of {plain(possible)} so far"
    plus = "+" if section is Section.EXTRA_CREDIT and points else ""
    return f"{plus}{plain(points)} of {plain(possible)}"


def _headline(grade: Grade, views: Sequence[ItemView], possible: Decimal) -> str:
    """Return the grade, or what is known of it so far."""
    if grade.score.final is not None:
        return f"{plain(grade.score.final)} of {plain(possible)}"
    if grade.score.state is State.NEEDS_ATTENTION or any(view.open for view in views):
        return "No grade yet"
    code = [view for view in views if view.item.section is Section.CODE]
    earned = sum((view.item.points or Decimal(0) for view in code), Decimal(0))
    whole = sum((view.item.possible for view in code), Decimal(0))
    return f"{plain(earned)} of {plain(whole)} for the code"


def _missing(grade: Grade, views: Sequence[ItemView]) -> tuple[str, ...]:
    """Say what stands between this and a final grade, and whose turn it is."""
    if grade.score.state is State.FINAL:
        return ()
    said = []
    if grade.score.state is State.NEEDS_ATTENTION:
        said.append(
            "A person on the course staff has to look at this submission first. "
            "Unless they write to you, there is nothing that you have to do."
        )
    open_points = sum((view.open for view in views if not view.extra), Decimal(0))
    if open_points:
        said.append(f"{points_words(open_points)} could not be tested so far.")
    to_mark = sum((view.to_mark for view in views if not view.extra), Decimal(0))
    extra = sum((view.to_mark for view in views if view.extra), Decimal(0))
    if to_mark or extra:
        what = [points_words(to_mark)] if to_mark else []
        what += [f"up to {points_words(extra, 'extra ')}"] if extra else []
        verb = "is" if to_mark + extra == 1 else "are"
        said.append(f"{' and '.join(what)} {verb} still to be marked by a person.")
    return tuple(sentence[:1].upper() + sentence[1:] for sentence in said)


def _praise(views: Sequence[ItemView], perfect: str) -> str:
    """Return the rubric's words for a notebook that lost nothing; nothing while any is open."""
    whole = all(view.item.points == view.item.possible for view in views if not view.extra)
    return perfect if whole else ""


def _late(grade: Grade) -> str:
    """Say how late the work was; nothing where it was in time and nothing is to be explained.

    A note that is among the sentences for the staff asks them for something.
    """
    late = grade.score.late
    if late.days is None and late.note in grade.attention:
        return "Whether this was late is not known yet."
    if late.days and not late.note:
        return f"Handed in {late.days} {'day' if late.days == 1 else 'days'} late."
    return late.note


def points_words(points: Decimal, kind: str = "") -> str:
    """Return "1 point", "2.5 extra points"."""
    return f"{plain(points)} {kind}{'point' if points == 1 else 'points'}"


# ------------------------------------------------------------------------------- the run
def run_sentences(run: RunRecord) -> tuple[str, ...]:
    """Say how the notebook ran, and what the tests were put to."""
    said = [_how_it_ran(run)]
    if run.probed_in is ProbedIn.DEFINITIONS:
        said.append(
            "So the tests ran in a fresh kernel that was given this notebook's imports, "
            "definitions and literal assignments, and nothing else."
        )
    elif run.probed_in is ProbedIn.NOTEBOOK and run.outcome is not RunOutcome.COMPLETE:
        said.append("The tests ran with everything that it had defined by its end.")
    elif run.probed_in is None and run.outcome is not RunOutcome.UNREADABLE:
        said.append("No tests could be run.")
    return tuple(said)


def _notes(run: RunRecord) -> tuple[str, ...]:
    """Return the first notes: a notebook of thousands of cells may have one for each."""
    more = len(run.notes) - MOST_SHOWN
    return (*run.notes[:MOST_SHOWN], *((f"There are {more} more notes.",) if more > 0 else ()))


def failed_cells(run: RunRecord) -> list[CellRun]:
    """Return the cells that were run and did not end well."""
    well = (CellOutcome.OK, CellOutcome.NOT_RUN)
    return [cell for cell in run.cells if cell.outcome not in well]


def last_line(error: str) -> str:
    """Return the line of a traceback that names the error."""
    lines = display_safe(error, lines=True).strip().splitlines()
    return clipped(lines[-1].strip(), 200) if lines else ""


def _how_it_ran(run: RunRecord) -> str:
    if run.outcome is RunOutcome.COMPLETE:
        return _to_the_end(len(run.cells), run.seconds)
    if run.outcome is RunOutcome.ERRORS:
        return (
            f"{run.failed_cells} of {len(run.cells)} code cells stopped with an error. "
            "The cells after an error were run all the same."
        )
    return _CUT_SHORT[run.outcome]


def _to_the_end(cells: int, seconds: float) -> str:
    if cells == 0:
        return "The notebook has no code cells that could be run."
    which = "Its one code cell" if cells == 1 else f"All {cells} code cells"
    time = f"{seconds:.0f} s" if seconds >= 1 else "less than a second"
    return f"{which} ran without an error, in {time}."


_CUT_SHORT = {
    RunOutcome.TIMEOUT: "The notebook did not come to an end in the time that it has.",
    RunOutcome.DIED: "The Python process ended while the notebook ran, or ran out of memory.",
    RunOutcome.UNREADABLE: "The notebook was not run.",
}
