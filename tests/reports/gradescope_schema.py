"""What may stand in Gradescope's results.json, as its "Autograder Specifications" have it:
https://gradescope-autograders.readthedocs.io/en/latest/specs/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

FORMATS = {"text", "html", "simple_format", "md", "ansi"}
VISIBILITIES = {"hidden", "after_due_date", "after_published", "visible"}
Rules = Mapping[str, Callable[[Any], bool]]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _points(value: Any) -> bool:
    """A number that is not negative, of at most two decimals; a yes or no is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        return False
    decimal = Decimal(str(value))
    return decimal == round(decimal, 2)


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _format(value: Any) -> bool:
    return value in FORMATS


def _visibility(value: Any) -> bool:
    return value in VISIBILITIES


def _status(value: Any) -> bool:
    return value in {"passed", "failed"}


def _words(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


TOP: Rules = {
    "score": _points,
    "execution_time": _whole,
    "output": _text,
    "output_format": _format,
    "test_output_format": _format,
    "test_name_format": _format,
    "visibility": _visibility,
    "stdout_visibility": _visibility,
    "tests": lambda value: isinstance(value, list),
}
TEST: Rules = {
    "score": _points,
    "max_score": _points,
    "status": _status,
    "name": _text,
    "name_format": _format,
    "number": _text,
    "output": _text,
    "output_format": _format,
    "tags": _words,
    "visibility": _visibility,
}


def breaches(report: Any) -> list[str]:
    """Return what is not as documented, in words; nothing is required but points somewhere."""
    if not isinstance(report, dict):
        return ["the report is no object"]
    tests = report.get("tests", [])
    found = [f"{key}: {report[key]!r}" for key in _wrong(report, TOP)]
    for i, test in enumerate(tests):
        found += [f"test {i}, {key}: {test[key]!r}" for key in _wrong(test, TEST)]
    if "score" not in report and not (tests and all("score" in test for test in tests)):
        found.append("there is neither a score nor one for each test")
    return found


def _wrong(given: Mapping[str, Any], rules: Rules) -> list[str]:
    return [key for key, value in given.items() if key not in rules or not rules[key](value)]
