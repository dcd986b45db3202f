"""The command line: parse, call one use case, print."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from grader.cli.afterwards import changed_rows, history, rejudge
from grader.cli.bundle import bundle as bundle_command
from grader.cli.forms import deliver, form_options
from grader.cli.options import (
    FILE,
    command_line,
    cores,
    isolation_option,
    limit_options,
    limits_of,
    pack_of,
    pack_options,
    progress,
    seed_option,
    store_option,
    table_options,
    warn,
)
from grader.cli.pack import pack as pack_commands
from grader.errors import ClusterError, GraderError, KernelError
from grader.grading.batch import Executor
from grader.grading.check import check_notebook
from grader.grading.course import Tables
from grader.grading.doctor import examine
from grader.grading.marking import template
from grader.grading.night import OpenExecutor, Order, grade_night
from grader.grading.publishing import subject_of
from grader.grading.reporting import CanvasExport, Night
from grader.grading.setting import (
    Setting,
    course_secret,
    given_secret,
    notebook_executor,
    remote_executor,
)
from grader.grading.stats import class_report
from grader.kernels.isolation import Isolation
from grader.model import Section, State
from grader.packs import PACK_VARIABLE, bundled, load_pack
from grader.reports.changes import changes_report
from grader.reports.console import doctor_table, night_report
from grader.reports.results import json_text
from grader.reports.stats import stats_object
from grader.reports.stats_table import stats_report

NEEDS_ATTENTION = 3
BELOW_MIN_SCORE = 1
WRONG_USE = 2
STOPPED = 130


class _WrongUseError(click.ClickException):
    exit_code = WRONG_USE


class _NothingKnownError(click.ClickException):
    exit_code = NEEDS_ATTENTION


class _Group(click.Group):
    """Shows what goes wrong as a sentence, never as a traceback."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run, on streams that take every sign: a code page without it shows a question mark."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
                stream.reconfigure(errors="replace")
        return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (KernelError, ClusterError) as error:
            raise _NothingKnownError(str(error)) from error
        except GraderError as error:
            raise _WrongUseError(str(error)) from error
        except KeyboardInterrupt:
            click.echo("Stopped. Nothing is half-written; the same command goes on.", err=True)
            sys.exit(STOPPED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="grader")
def main() -> None:
    """Grade notebook assignments: run them, judge the answers, name the mistake.

    \b
    Examples:
      grader demo                                    the whole job, on sample submissions
      grader check Lastname-A2.ipynb                 one notebook, the public checks
      grader grade submissions.zip --out graded      a Canvas download
    """
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    gc.freeze()  # what is imported stays: looking through it again and again costs a large class


main.add_command(rejudge)
main.add_command(history)
main.add_command(pack_commands)
main.add_command(bundle_command)


# ------------------------------------------------------------------------------- grade
@main.command()
@click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SOURCE..."
)
@click.option(
    "--out",
    default="graded",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the results.",
)
@click.option("--roster", type=FILE, help="Canvas's gradebook export (CSV).")
@table_options
@click.option("--fresh", is_flag=True, help="Run every notebook again, the unchanged ones too.")
@store_option
@click.option("--dask", "cluster", default="", metavar="ADDRESS", help="Run on a Dask cluster.")
@click.option("--jobs", type=click.IntRange(min=1), help="At a time here; default: cores.")
@click.option("--canvas-assignment", default="", help="The gradebook's column, by title or id.")
@click.option("--canvas-deducts-late", is_flag=True, help="Export grades before the late penalty.")
@isolation_option
@pack_options
@limit_options
@click.pass_context
def grade(
    ctx: click.Context,
    /,
    sources: tuple[Path, ...],
    out: Path,
    *,
    hidden_seed_file: Path | None,
    cluster: str,
    jobs: int | None,
    canvas_assignment: str,
    canvas_deducts_late: bool,
    isolation: str,
    fresh: bool,
    store: str,
    **options: Any,
) -> None:
    """Grade SOURCE...: Canvas zips, folders or notebooks.

    A notebook that was run before is not run again: the same command goes on where it was
    stopped, and a later download grades what is new in it.

    \b
    Examples:
      grader grade submissions.zip
      grader grade submissions.zip --roster gradebook.csv --due 2026-10-31T23:59 \\
          --submitted times.csv --extensions extensions.csv --marks marks.csv --out graded
      grader grade submissions.zip --dask tcp://10.0.0.5:8786

    Ends with status 0 if everything was judged, 3 if something needs attention.
    """
    folders = tuple(options["pack_dir"])
    pack = pack_of(options)
    limits = limits_of(options, pack)
    secret, note = course_secret(hidden_seed_file, out, os.environ)
    order = Order(
        sources=sources,
        out=out,
        pack=pack,
        secret=secret,
        tables=Tables(**options),
        jobs=jobs or cores(),
        export=CanvasExport(
            title=pack.rubric.title,
            assignment=canvas_assignment,
            deducts_late=canvas_deducts_late,
        ),
        limits=limits,
        fresh=fresh,
        store=store,
        line=command_line(),
        pack_folders=folders,
        secret_file=hidden_seed_file,
    )
    setting = Setting.of(pack, limits, Isolation(isolation))

    def executor() -> AbstractContextManager[Executor]:
        return remote_executor(cluster, setting, warn) if cluster else setting.executor(warn)

    ctx.exit(_grade(order, executor, note))


def _grade(order: Order, executor: OpenExecutor, note: str) -> int:
    """Grade with a progress bar, show what came of it, return the exit status."""
    console = Console()
    with progress(console) as watcher:
        night = grade_night(order, executor, watcher)
    console.print(night_report(night.grades, night.attention, order.out))
    if not night.first:
        rest = f"`grader history {order.out} STUDENT` tells any student's"
        console.print(changes_report(changed_rows(night), rest=rest))
    ran = f"{night.executed} of {len(night.grades)} run, the others' evidence was there already."
    for notice in (note, ran, *night.notices, *_missing(night)):
        console.print(notice, markup=False, highlight=False, style="dim")
    return NEEDS_ATTENTION if night.attention else 0


def _missing(night: Night) -> list[str]:
    count = len(night.nothing_handed_in)
    return [f"{count} on the roster handed in nothing: see attention.csv."] if count else []


# ------------------------------------------------------------------------------- check
@main.command()
@click.argument("notebook", type=FILE)
@form_options
@click.option("--min-score", type=float, help="End with status 1 below this many code points.")
@seed_option
@isolation_option
@pack_options
@limit_options
@click.pass_context
def check(
    ctx: click.Context,
    /,
    notebook: Path,
    *,
    form: str,
    output: Path | None,
    also: list[tuple[str, Path]],
    min_score: float | None,
    hidden_seed_file: Path | None,
    isolation: str,
    **options: Any,
) -> None:
    """Check NOTEBOOK against the public tests.

    The final grading asks different but similar questions. Only where the course's secret is
    given are they asked here too.

    \b
    Examples:
      grader check Lastname-A2.ipynb
      grader check Lastname-A2.ipynb --format json -o result.json --min-score 60
      grader check Lastname-A2.ipynb --format markdown -o feedback.md
      grader check Lastname-A2.ipynb --format github --also junit=junit.xml \\
          --also badge=badge.json
      grader check Lastname-A2.ipynb --also codequality=quality.json
      grader check Lastname-A2.ipynb --format gradescope -o results.json
    """
    pack = pack_of(options)
    limits = limits_of(options, pack)
    secret = given_secret(hidden_seed_file, os.environ)
    with notebook_executor(pack, limits, Isolation(isolation), warn) as executor:
        checked = check_notebook(notebook, pack, executor, secret=secret)
    deliver(subject_of(checked, pack, notebook, os.environ), form, output, also)
    if checked.grade.score.state is State.NEEDS_ATTENTION:
        ctx.exit(NEEDS_ATTENTION)
    code = checked.grade.score.sections[Section.CODE].points
    if min_score is not None and (code is None or code < min_score):
        ctx.exit(BELOW_MIN_SCORE)


# ------------------------------------------------------------------------------- marks
@main.group()
def marks() -> None:
    """The points that people give.

    \b
    Example:
      grader marks template graded
    """


@marks.command("template")
@click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--marks", "given", type=FILE, help="Marks so far: their rows are taken over.")
@pack_options
def marks_template(out: Path, given: Path | None, **options: Any) -> None:
    """Write a table of the marks to give in OUT, with hints beside each row.

    Fill in the column `points` and give the file to `grader grade` with --marks.

    \b
    Examples:
      grader marks template graded
      grader marks template graded --marks marks.csv
    """
    path, count = template(out, pack_of(options), given)
    click.echo(f"{path}: {count} marks to give.")


# ------------------------------------------------------------------------------- stats
@main.command()
@click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON, not as tables.")
def stats(out: Path, *, as_json: bool) -> None:
    """Show the class statistics of OUT, the folder of a grading, and write stats.html there.

    Grades, points by item, checks that were lost, recognised mistakes, how the notebooks ran and
    how late they were. Nobody's name is in it.

    \b
    Examples:
      grader stats graded
      grader stats graded --json > stats.json
    """
    statistics, page = class_report(out)
    if as_json:
        click.echo(json_text(stats_object(statistics)))
    else:
        click.echo(stats_report(statistics, to=sys.stdout))
        click.echo(f"\nThe same with plots: {page}")


# ------------------------------------------------------------------------------- doctor, demo
@main.command()
@click.option(
    "--pack-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    envvar=PACK_VARIABLE,
    help="A folder of your own assignments; may be repeated.",
)
@click.pass_context
def doctor(ctx: click.Context, pack_dir: tuple[Path, ...]) -> None:
    """Say what is installed, what works here, and what to do about what does not.

    \b
    Example:
      grader doctor
    """
    findings = list(examine([*pack_dir, bundled("rubrics")]))
    Console().print(doctor_table([(f.what, f.well, f.seen, f.mend) for f in findings]))
    ctx.exit(0 if all(finding.well for finding in findings) else NEEDS_ATTENTION)


@main.command()
@click.option(
    "--out",
    default="graded-demo",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the results.",
)
@click.pass_context
def demo(ctx: click.Context, out: Path) -> None:
    """Grade a made-up class, and say where to look at the result.

    \b
    Example:
      grader demo
    """
    samples = bundled("submissions")
    pack = load_pack("a2", [bundled("rubrics")])
    secret, note = course_secret(None, out, {})
    order = Order(
        sources=(samples / "a2-canvas-export.zip",),
        out=out,
        pack=pack,
        secret=secret,
        tables=Tables(
            roster=samples / "a2-gradebook.csv",
            due=DEMO_DUE,
            submitted=samples / "a2-times.csv",
            extensions=samples / "a2-extensions.csv",
            partners=samples / "a2-partners.csv",
            marks=samples / "a2-marks.csv",
        ),
        jobs=cores(),
        export=CanvasExport(title=pack.rubric.title),
        limits=replace(pack.rubric.limits.limits(), cell_seconds=DEMO_CELL_SECONDS),
        line=command_line(),
    )
    setting = Setting.of(pack, order.limits, Isolation.AUTO)
    status = _grade(order, lambda: setting.executor(warn), note)
    click.echo(f"\nA page for each student is in {out / 'feedback'}: open one in a browser.")
    click.echo("Some of these made-up students want attention on purpose.")
    ctx.exit(0 if status in {0, NEEDS_ATTENTION} else status)


DEMO_DUE = "2026-10-31T23:59"
DEMO_CELL_SECONDS = 15.0  # one of the made-up students hands in an endless loop
