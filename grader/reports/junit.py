"""JUnit XML of one notebook: a suite for each item of the rubric, a test case for each check.

In the form of Jenkins's schema, which GitHub's and GitLab's readers take as well. That schema has
properties for suites only, so the points of a check stand there under its id, and in its message.
GitLab tells cases apart by class and name: where titles of an item are alike, ids stand behind.
There is no system-out: GitLab would take what a student wrote there for the name of a file.
"""

from __future__ import annotations

from junitparser import Error, Failure, JUnitXml, Skipped
from junitparser.xunit2 import TestCase, TestSuite

from grader.model import CheckResult, Outcome, Section
from grader.reports.feedback import ItemView
from grader.reports.subject import Subject, words
from grader.text import clipped, display_safe, plain

MOST_CHARACTERS = 4000  # of one message
NOT_ATTEMPTED = "Extra credit, not attempted."


def junit_report(subject: Subject) -> str:
    """Return the XML, its declaration first."""
    report = JUnitXml(f"grader {subject.assignment}".strip())
    suites = [_suite(subject, view) for view in subject.said.items if view.item.checks]
    for suite in suites:
        report.add_testsuite(suite)
    report.tests = sum(suite.tests for suite in suites)
    report.failures = sum(suite.failures for suite in suites)
    report.errors = sum(suite.errors for suite in suites)
    report.time = round(subject.grade.run.seconds, 3)
    body: str = report.tostring().decode("utf-8")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _suite(subject: Subject, view: ItemView) -> TestSuite:
    suite = TestSuite(words(view.item.title))
    suite.id = view.item.item_id
    suite.file = words(subject.path)
    for check in view.item.checks:
        suite.add_property(f"{check.check_id}.points", plain(check.earned))
        suite.add_property(f"{check.check_id}.possible", plain(check.possible))
        suite.add_property(f"{check.check_id}.visibility", check.visibility.value)
    for check in view.item.checks:
        suite.add_testcase(_case(subject, view, check))
    return suite


def _case(subject: Subject, view: ItemView, check: CheckResult) -> TestCase:
    item = view.item
    alike = sum(words(each.title) == words(check.title) for each in item.checks) > 1
    name = f"{words(check.title)} ({check.check_id})" if alike else words(check.title)
    case = TestCase(name, classname=f"{subject.assignment}.{item.item_id}", time=0)
    points = f"{plain(check.earned)} of {plain(check.possible)} points"
    message = clipped(words(check.message), MOST_CHARACTERS)
    if check.outcome is Outcome.BROKEN:
        case.result = [Error(message, "could not be tested")]
    elif check.outcome is Outcome.FAILED and not view.attempted:
        case.result = [Skipped(NOT_ATTEMPTED, "extra credit")]
    elif check.outcome is Outcome.FAILED and item.section is Section.EXTRA_CREDIT:
        case.result = [Skipped(f"Extra credit, {points}: {message}", "extra credit")]
    elif check.outcome is Outcome.FAILED:
        failure = Failure(f"{points}: {message}", check.mistake or "lost")
        failure.text = _where(subject, view, check)
        case.result = [failure]
    return case


def _where(subject: Subject, view: ItemView, check: CheckResult) -> str:
    """Return the message once more, and the line of the file that it is about."""
    text = clipped(display_safe(check.message, lines=True), MOST_CHARACTERS)
    place = subject.place(view.item, check.message)
    if place is None:
        return text
    return f"{text}\n{words(subject.path)}:{place.line} (cell {place.cell})"
