"""Facts: hostile notebooks and stumbling finders cost a hint at most."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grader.checks import Answer
from grader.facts import Cell, Fact, Work, fact, find_facts, read_cells, surveyed
from grader.model import Reply, ReplyKind

NOTHING = Work(handed_in=(), executed=(), starter=(), survey=surveyed(None))


@fact
def the_rows(work: Work) -> Fact | None:
    rows = work.survey["rows"].number()
    return Fact("Rows", f"{rows:.0f}", well=rows == 392)


@fact
def silent(_: Work) -> Fact | None:
    return None


@fact
def stumbling(_: Work) -> Fact | None:
    raise ZeroDivisionError


@fact
def wordy(_: Work) -> Fact | None:
    return Fact("label " * 100, "finding " * 1_000)


def with_survey(value: Any) -> Work:
    return Work(handed_in=(), executed=(), starter=(), survey=Answer(value, "the survey"))


# ------------------------------------------------------------------------------- finding
def test_facts_come_in_the_order_of_their_finders() -> None:
    facts = find_facts([wordy, silent, the_rows], with_survey({"rows": 392}))
    assert ["label", "Rows"] == [fact.label.split()[0] for fact in facts]
    assert Fact("Rows", "392", well=True) == facts[1]


@pytest.mark.parametrize("value", [None, {}, [], "392", {"rows": "392"}, {"rows": [1, 2]}])
def test_what_the_survey_does_not_say_gives_no_fact(value: Any) -> None:
    assert () == find_facts([the_rows], with_survey(value))


def test_a_finder_that_crashes_says_so_and_the_others_go_on() -> None:
    facts = find_facts([stumbling, the_rows], with_survey({"rows": 398}))
    assert "could not be found out (ZeroDivisionError)" == facts[0].finding
    assert Fact("Rows", "398", well=False) == facts[1]


def test_no_fact_is_longer_than_a_sentence() -> None:
    (found,) = find_facts([wordy], NOTHING)
    assert (30, 300) == (len(found.label), len(found.finding))


@pytest.mark.parametrize(
    "reply",
    [None, Reply(ReplyKind.TIMEOUT), Reply(ReplyKind.RAISED, value={"rows": 392})],
)
def test_a_survey_that_did_not_come_back_answers_nothing(reply: Reply | None) -> None:
    assert surveyed(reply).value is None


def test_a_survey_that_came_back_is_read() -> None:
    assert 392 == surveyed(Reply(ReplyKind.VALUE, value={"rows": 392}))["rows"].number()


# ------------------------------------------------------------------------------- cells
def test_cells_are_read_with_their_outputs_and_numbers() -> None:
    output = {"output_type": "stream", "name": "stdout", "text": ["4\n"]}
    cell = {"cell_type": "code", "source": ["2 +\n", " 2"], "outputs": [output]}
    text = json.dumps({"cells": [cell | {"execution_count": 7}]})
    assert (Cell("code", "2 +\n 2", (output,), 7),) == read_cells(text)
    assert read_cells(text) == read_cells("\ufeff" + text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "no json", "null", "7", "[]", '{"cells": 7}', '{"cells": {"a": {}}}'),
        *('{"cells": [1, []]}', "[" * 200_000, '{"cells": [' + "[" * 900 + "]" * 900 + "]}"),
        *("\udc80", "9" * 5_000),
    ],
)
def test_what_is_no_notebook_has_no_cells(text: str) -> None:
    assert () == read_cells(text)


@pytest.mark.parametrize("junk", [None, 7, True, 0.5, "x", [], [7, None], {}, {"a": []}, [[[]]]])
@pytest.mark.parametrize("key", ["cell_type", "source", "outputs", "execution_count"])
def test_a_cell_of_junk_is_still_a_cell(key: str, junk: Any) -> None:
    (cell,) = read_cells(json.dumps({"cells": [{key: junk}]}))
    assert isinstance(cell.kind, str)
    assert isinstance(cell.source, str)
    assert all(isinstance(output, dict) for output in cell.outputs)
    assert cell.count is None or type(cell.count) is int
