"""The commands for the author of an assignment: parse, call one use case, print."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from grader.cli.options import pack_dir_option
from grader.grading.pack_new import FILES, make_pack
from grader.grading.pack_test import PackTest, try_pack
from grader.places import bundled
from grader.reports.console import pack_table
from grader.text import plain

PROBLEMS = 1


@click.group()
def pack() -> None:
    """Make an assignment, and try it on the mistakes that are known.

    \b
    Examples:
      grader pack new a3
      grader pack test a3 --pack-dir .
    """


@pack.command("new")
@click.argument("name")
@click.option(
    "--pack-dir",
    default=".",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to make it in.",
)
def new(name: str, pack_dir: Path) -> None:
    """Make a small assignment NAME that works, to be changed piece by piece.

    \b
    Examples:
      grader pack new a3
      grader pack new a3 --pack-dir assignments
    """
    made = make_pack(name, pack_dir)
    click.echo(f"{made}: {', '.join(FILES)}.")
    click.echo(f"Try it: grader pack test {name} --pack-dir {pack_dir}")


@pack.command("test")
@click.argument("name")
@pack_dir_option
@click.option(
    "--jobs", default=2, show_default=True, type=click.IntRange(min=1), help="Processes at a time."
)
@click.pass_context
def test(ctx: click.Context, /, name: str, *, pack_dir: tuple[Path, ...], jobs: int) -> None:
    """Try the assignment NAME: hand in every known mistake, and see what becomes of it.

    Each mistake should cost points in its own item and nowhere else, and be named; the reference,
    and right solutions in other styles, should lose nothing, and the starter earn next to nothing.
    Ends with status 1 where something of this does not hold.

    \b
    Examples:
      grader pack test a2
      grader pack test line --pack-dir docs/examples
    """
    found = try_pack(name, [*pack_dir, bundled("rubrics")], processes=jobs)
    _show(found)
    ctx.exit(PROBLEMS if found.problems else 0)


def _show(found: PackTest) -> None:
    """Print the fault table, what was counted, and what is to be mended."""
    mistakes = [trial for trial in found.trials if trial.item]
    rights = [trial for trial in found.trials if not trial.item]
    rows = [
        (f"{t.name} ({t.way + 1})" if t.way else t.name, t.item, plain(t.points), t.named)
        for t in mistakes
    ]
    if rows:
        Console().print(pack_table(rows))
    known = {trial.name for trial in mistakes}
    well = known - {trial.name for trial in mistakes if trial.problems}
    click.echo(f"{len(well)} of {len(known)} mistakes are caught where they belong, and named.")
    whole = sum(not trial.lost and not trial.problems for trial in rights)
    click.echo(f"{whole} of {len(rights)} right solutions lose nothing.")
    if found.starter is not None:
        click.echo(f"The starter earns {plain(found.starter)} of {plain(found.possible)} points.")
    for problem in found.problems:
        click.echo(f"!! {problem}")
