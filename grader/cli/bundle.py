"""`grader bundle`: parse, make the self-check, say what is in it."""

from __future__ import annotations

from pathlib import Path

import click

from grader.cli.options import PACK_VARIABLE, cores
from grader.grading.bundling import bundle as make_bundle
from grader.packs import bundled, load_pack


@click.command()
@click.argument("assignment")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write here; default: the script's name with .zip.",
)
@click.option(
    "--pack-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    envvar=PACK_VARIABLE,
    help=f"A folder of your own assignments (also ${PACK_VARIABLE}); may be repeated.",
)
def bundle(assignment: str, output: Path | None, pack_dir: tuple[Path, ...]) -> None:
    """Make the self-check of ASSIGNMENT that students download.

    A zip with one script and the assignment's data. The script needs Python 3.9, NumPy and pandas
    only; it holds the public questions and answers, no solution and no hidden seed.

    \b
    Examples:
      grader bundle a2 -o A2grader.zip
      grader bundle line --pack-dir docs/examples
    """
    made = make_bundle(load_pack(assignment, [*pack_dir, bundled("rubrics")]), output, cores())
    click.echo(f"{made.path}: {', '.join([made.script, *made.files])}.")
    click.echo(f"In the last cell of a notebook: %run -i {made.script}")
