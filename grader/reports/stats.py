"""Class statistics from `results.json` and as JSON: what the table and the page of them show.

Names, logins, file names and messages are left behind here, so that nothing after this can show
them: statistics may be put before a whole class.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from grader.class_statistics import ClassStatistics, Judged, Record, Scored, class_statistics
from grader.reports.results import PersonResult, Result

DIGITS = 4  # of a mean or a correlation in JSON


def statistics_of(results: Iterable[Result]) -> ClassStatistics:
    """Return the statistics of a class."""
    return class_statistics([_record(result) for result in results])


def stats_object(statistics: ClassStatistics) -> dict[str, Any]:
    """Return the statistics as plain values for `json`."""
    plain: dict[str, Any] = _rounded(asdict(statistics))
    return plain


def _record(result: Result) -> Record:
    return Record(
        notebook=_notebook(result),
        state=result.state,
        final=result.final,
        final_possible=sum(
            part.possible for part in (result.code, result.discussion, result.extra_credit)
        ),
        code=result.code.points,
        code_possible=result.code.possible,
        late_days=result.late.days,
        run=result.run.outcome,
        items=tuple(
            Scored(
                item=item.id,
                title=item.title,
                section=item.section,
                points=item.points,
                possible=item.possible,
            )
            for item in result.items
        ),
        checks=tuple(
            Judged(
                check=check.id,
                item=item.id,
                section=item.section,
                outcome=check.outcome,
                earned=check.points,
                possible=check.possible,
                mistake=check.mistake,
            )
            for item in result.items
            for check in item.checks
        ),
    )


def _notebook(result: Result) -> str:
    """Return the same for both of a pair, and for nobody else: equal files may be two people's."""
    people = sorted(map(_person, (result.student, *result.partners)))
    told = repr((result.file, result.sha256, people))
    return hashlib.sha256(told.encode()).hexdigest()


def _person(person: PersonResult) -> tuple[str, str, str]:
    return (person.name, person.canvas_id, person.login)


def _rounded(value: Any) -> Any:
    match value:
        case dict():
            return {str(key): _rounded(each) for key, each in value.items()}
        case list() | tuple():
            return [_rounded(each) for each in value]
        case float():
            return int(value) if value.is_integer() else round(value, DIGITS)
        case _:
            return value
