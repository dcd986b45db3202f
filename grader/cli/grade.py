"""Grade a class; and the made-up one."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from grader.cli.afterwards import changed_rows
from grader.cli.assignment import limits_of, pack_of
from grader.cli.options import (
    FILE,
    NEEDS_ATTENTION,
    command_line,
    cores,
    isolation_option,
    limit_options,
    pack_options,
    store_option,
    table_options,
    warn,
)
from grader.cli.progress import progress
from grader.grading.batch import Executor
from grader.grading.course import Tables
from grader.grading.night import OpenExecutor, Order, grade_night
from grader.grading.reporting import CanvasExport, Night
from grader.grading.setting import Setting, course_secret, remote_executor
from grader.kernels.isolation import Isolation
from grader.packs import load_pack
from grader.places import bundled
from grader.reports.changes import changes_report
from grader.reports.console import night_report

DEMO_DUE = "2026-10-31T23:59"
DEMO_CELL_SECONDS = 15.0  # one of the made-up students hands in an endless loop


@click.command()
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
        click.echo(changes_report(changed_rows(night), rest=rest))
    for notice in (note, _ran(night), *night.notices, *_missing(night)):
        console.print(notice, markup=False, highlight=False, style="dim")
    return NEEDS_ATTENTION if night.attention else 0


def _ran(night: Night) -> str:
    """Say how many notebooks ran. Two who handed in the same have one; a broken file is none."""
    ran = f"Notebooks that ran: {night.executed}"
    reused = f"; {night.reused} were known already, and did not run again" if night.reused else ""
    return f"{ran}{reused}."


def _missing(night: Night) -> list[str]:
    count = len(night.nothing_handed_in)
    return [f"{count} on the roster handed in nothing: see attention.csv."] if count else []


# ------------------------------------------------------------------------------- demo
@click.command()
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
