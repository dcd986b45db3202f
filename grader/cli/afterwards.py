"""What can be done with graded work: judge it again, tell a student's story."""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from grader.cli.options import (
    FOLDER,
    NEEDS_ATTENTION,
    command_line,
    cores,
    isolation_option,
    store_option,
    table_options,
    warn,
)
from grader.cli.progress import progress
from grader.execution.executor import NotebookExecutor
from grader.grading.course import Tables
from grader.grading.history import story
from grader.grading.order import Order
from grader.grading.rejudging import Again
from grader.grading.rejudging import rejudge as judge_again
from grader.grading.reporting import Night
from grader.grading.setting import notebook_executor
from grader.kernels.isolation import Isolation
from grader.reports.changes import ChangeRow, HistoryRow, changes_report, history_report


def changed_rows(night: Night) -> list[ChangeRow]:
    """Return a night's changes as lines of a table."""
    return [
        ChangeRow(
            student=change.student.name or change.student.login or change.student.canvas_id,
            item=change.item,
            before=change.before,
            after=change.after,
            why=change.why,
            words_only=change.words_only,
        )
        for change in night.changes
    ]


@click.command()
@click.argument("out", type=FOLDER)
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--run", is_flag=True, help="Run notebooks that were not asked everything.")
@click.option("--all", "all_rows", is_flag=True, help="Show every line of a long table.")
@table_options
@store_option
@click.option("--jobs", type=click.IntRange(min=1), help="Processes; default: cores.")
@click.option("--pack-dir", type=FOLDER, multiple=True, help="Where the assignment is now.")
@isolation_option
@click.pass_context
def rejudge(
    ctx: click.Context,
    /,
    out: Path,
    *,
    dry_run: bool,
    run: bool,
    all_rows: bool,
    store: str,
    hidden_seed_file: Path | None,
    jobs: int | None,
    pack_dir: tuple[Path, ...],
    isolation: str,
    **tables: Any,
) -> None:
    """Judge the evidence in OUT again, with the assignment as it is now.

    Points, tolerances, texts, checks and the late policy need no notebook to run. A question that
    is new or changed does: without --run, its checks stay open. Tables are those of the grading,
    but for the ones given here.

    \b
    Examples:
      grader rejudge graded --dry-run
      grader rejudge graded
      grader rejudge graded --run
      grader rejudge graded --marks marks.csv

    Ends with status 0 if everything was judged, 3 if something needs attention.
    """
    if dry_run and run:
        raise click.UsageError("--dry-run runs nothing: leave --run out.")
    again = Again(
        out=out,
        tables=Tables(**tables),
        jobs=jobs or cores(),
        store=store,
        line=command_line(),
        pack_folders=pack_dir,
        secret_file=hidden_seed_file,
        run=run,
        write=not dry_run,
    )

    def executor(order: Order) -> AbstractContextManager[NotebookExecutor]:
        return notebook_executor(order.pack, order.limits, Isolation(isolation), warn)

    if not run:
        gc.disable()  # values without cycles, and many: looking for some took a quarter of the time
    console = Console()
    with progress(console) as watcher:
        night = judge_again(again, executor, watcher)
    click.echo(changes_report(changed_rows(night), all_rows=all_rows))
    done = "Nothing was written: this was a dry run." if dry_run else f"Written to {out}."
    for notice in (*night.notices, done):
        console.print(notice, markup=False, highlight=False, style="dim")
    ctx.exit(NEEDS_ATTENTION if night.attention else 0)


@click.command()
@click.argument("out", type=FOLDER)
@click.argument("student")
@store_option
def history(out: Path, student: str, *, store: str) -> None:
    """Tell the whole story of STUDENT in OUT: attempts, runs, marks, changes, and by whom.

    STUDENT is a Canvas ID, a login, a name or a part of one.

    \b
    Examples:
      grader history graded 40103
      grader history graded chen
    """
    told = story(out, student, store)
    who = told.student
    head = " · ".join(filter(None, (who.name, who.canvas_id, who.login)))
    rows = [
        HistoryRow(
            at=row.command.at,
            who=f"{row.command.who} on {row.command.host}",
            line=row.command.line,
            what=row.what,
            item=row.item,
            before=row.before,
            after=row.after,
            why=row.why,
        )
        for row in told.rows
    ]
    click.echo(history_report(head, rows))
