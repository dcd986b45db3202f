"""Where the report of one notebook goes: files, and the places that a CI job has for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from grader.errors import UsageError
from grader.files import write_whole
from grader.grading.check import Checked
from grader.intake import IntakeLimits
from grader.packs import Pack
from grader.reports.forms import REFUSALS, as_file, withheld
from grader.reports.github import job_summary
from grader.reports.subject import Subject

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
_TOPS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")  # where GitHub and GitLab check a repository out


def subject_of(
    checked: Checked, pack: Pack, notebook: Path, environment: Mapping[str, str]
) -> Subject:
    """Return what the reports on a notebook are made from."""
    return Subject(
        grade=checked.grade,
        rubric=pack.rubric,
        exhibits=checked.exhibits,
        assignment=pack.slug,
        path=path_in_repository(notebook, environment),
        notebook=text_of(notebook),
        questions={call.probe_id: call.source for call in checked.calls},
        facts=checked.facts,
    )


def text_of(notebook: Path) -> str:
    """Return what stands in a notebook's file, to find lines in; empty if it cannot be read."""
    try:
        with notebook.open("rb") as stream:
            return stream.read(IntakeLimits().notebook_bytes).decode("utf-8-sig", "replace")
    except OSError:
        return ""


def path_in_repository(notebook: Path, environment: Mapping[str, str]) -> str:
    """Return a path as CI names files: from the top of the repository, where it is in one."""
    tops = [Path(environment[name]) for name in _TOPS if environment.get(name)]
    for top in (*tops, Path.cwd()):
        absolute, top = notebook.resolve(), top.resolve()  # noqa: PLW2901  the same folder, spelt out
        if absolute.is_relative_to(top):
            return absolute.relative_to(top).as_posix()
    return notebook.as_posix()


def write_forms(subject: Subject, forms: Iterable[tuple[str, Path]]) -> None:
    """Write a report in several forms, each file whole or not at all.

    Where one is withheld there is no file afterwards, not even that of an earlier run.

    Raises:
        UsageError: a file cannot be written.
    """
    for form, path in forms:
        if withheld(form, subject):
            path.unlink(missing_ok=True)
        else:
            write_whole(path, as_file(form, subject))


def write_refusals(sentence: str, forms: Iterable[tuple[str, Path]]) -> None:
    """Write that a notebook cannot be graded, in the forms that have a word for it.

    Raises:
        UsageError: a file cannot be written.
    """
    for form, path in forms:
        if form in REFUSALS:
            write_whole(path, REFUSALS[form](sentence).encode())


def append_summary(subject: Subject, environment: Mapping[str, str]) -> None:
    """Append the report to the summary of the GitHub job that this runs in, if it runs in one.

    Raises:
        UsageError: the file that GitHub names cannot be written.
    """
    file = environment.get(SUMMARY_VARIABLE)
    if not file:
        return
    try:
        with Path(file).open("a", encoding="utf-8", newline="\n") as stream:
            stream.write(job_summary(subject))
    except OSError as error:
        raise UsageError(
            f"The job's summary {file} (${SUMMARY_VARIABLE}) cannot be written: {error.strerror}."
        ) from error
