"""Class statistics as a table, a page and JSON: nobody's name, no script, no crash."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from grader.class_statistics import ClassStatistics, class_statistics
from grader.grading.stats import class_report
from grader.model import Grade, Late, Student
from grader.reports.plots import check_bars
from grader.reports.results import result_of, write_results
from grader.reports.stats import statistics_of, stats_object
from grader.reports.stats_page import stats_page
from grader.reports.stats_table import stats_report

MakeGrade = Callable[..., Grade]


@pytest.fixture(scope="module")
def statistics(class_of_15: list[Grade]) -> ClassStatistics:
    return statistics_of(result_of(grade) for grade in class_of_15)


@pytest.fixture(scope="module")
def page(statistics: ClassStatistics) -> str:
    return stats_page(statistics)


def test_equal_files_of_two_people_are_two_notebooks(make_grade: MakeGrade) -> None:
    alone = [make_grade(name=name) for name in ("Lee, Ana", "Ng, Bo")]
    assert 2 == statistics_of(map(result_of, alone)).notebooks


def test_a_pairs_notebook_is_one(make_grade: MakeGrade) -> None:
    people = [Student(name=name, canvas_id=name, login="alee") for name in ("A", "B")]
    pair = [
        make_grade(name=one.name, canvas_id=one.name, partners=(other,))
        for one, other in (people, people[::-1])
    ]
    found = statistics_of(map(result_of, pair))
    assert (2, 1) == (found.students, found.notebooks)


def test_nobody_is_named(statistics: ClassStatistics, page: str) -> None:
    told = "".join([page, stats_report(statistics), json.dumps(stats_object(statistics))])
    for words in ("Surname", "Lee", "Ng,", "alee", ".ipynb"):
        assert words not in told


def test_the_page_loads_and_runs_nothing(page: str) -> None:
    assert "script" not in page
    assert "default-src 'none'; img-src data:;" in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert {"data:image/svg+xml;base64", "#statistics"} == {s.partition(",")[0] for s in sources}


def test_every_plot_is_told_in_words(page: str) -> None:
    told = re.findall(r'<img src="[^"]*" alt="([^"]*)"', page)
    assert 5 == len(told) == page.count("<img ")
    assert "Final grades of 14 students" in told[0]
    assert "Optimizers.adam: 15 of 15 with all points" in told[2]
    assert "relu_values by" in told[3]
    assert "Students: on time 14, 2 days late 1." == told[4]


def test_how_a_check_separates_is_shown_where_it_can_be_said(
    statistics: ClassStatistics, page: str
) -> None:
    assert statistics.separates
    silent = tuple(replace(check, separation=None) for check in statistics.checks)
    few = replace(statistics, checks=silent)
    assert [2, 0] == [text.count("Separates") for text in (page, stats_page(few))]  # head, note
    assert [True, False] == ["separates" in stats_report(each) for each in (statistics, few)]


def test_the_same_numbers_give_the_same_page(statistics: ClassStatistics, page: str) -> None:
    assert page == stats_page(statistics)


@pytest.mark.parametrize("few", [0, 1])
def test_an_empty_class_and_one_student_are_shown(make_grade: MakeGrade, few: int) -> None:
    found = statistics_of(result_of(make_grade(marks={}, late=Late())) for _ in range(few))
    assert f"{few} student" in stats_page(found)
    assert f"{few} student" in stats_report(found)


def test_hostile_ids_are_drawn_and_escaped(statistics: ClassStatistics) -> None:
    words = "<script>alert(1)</script>\x1b[31m\u202e{{ 7*7 }}[bold]$x^{$王"
    bad = replace(statistics, checks=tuple(replace(c, check=words) for c in statistics.checks))
    assert "<script>alert" not in stats_page(bad)
    assert "\x1b" not in stats_report(bad)


def test_the_terminal_shows_no_more_than_80_columns(statistics: ClassStatistics) -> None:
    lines = stats_report(statistics).splitlines()
    assert max(map(len, lines)) <= 80
    assert "15 students, 14 notebooks" in lines[0]


def test_a_terminal_without_blocks_gets_signs_that_it_has(statistics: ClassStatistics) -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    told = stats_report(statistics, to=ascii_only)
    assert told.isascii()
    assert "##" in told


def test_the_report_is_made_from_a_folder_of_results(
    class_of_15: list[Grade], tmp_path: Path
) -> None:
    write_results(tmp_path / "results.json", class_of_15)
    statistics, path = class_report(tmp_path)
    assert statistics == statistics_of(map(result_of, class_of_15))
    assert path.read_text(encoding="utf-8") == stats_page(statistics)


def test_the_json_has_whole_numbers_where_they_are(statistics: ClassStatistics) -> None:
    told = json.loads(json.dumps(stats_object(statistics)))
    assert {"final": 14, "needs-marks": 1, "needs-attention": 0} == told["states"]
    assert "70" == str(told["code"]["possible"])
    assert json.loads(json.dumps(stats_object(class_statistics([]))))["final"] is None


def test_a_plot_is_an_svg_of_paths(statistics: ClassStatistics) -> None:
    tags = set(re.findall(r"<([\w:]+)", check_bars(statistics.most_lost).svg))
    assert "path" in tags
    assert tags.isdisjoint({"script", "image", "foreignObject", "text", "a"})
