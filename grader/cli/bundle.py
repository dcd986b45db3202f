"""`grader bundle`: parse, make the self-check, say what is in it."""

from __future__ import annotations

from pathlib import Path

import click

from grader.cli.options import FILE, cores, pack_dir_option
from grader.grading.bundling import autograder
from grader.grading.bundling import bundle as make_bundle
from grader.grading.bundling.autograder import container
from grader.packs import load_pack
from grader.places import bundled


@click.command()
@click.argument("assignment")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write here; default: the script's name with .zip.",
)
@pack_dir_option
@click.option("--gradescope", is_flag=True, help="Make an autograder zip for Gradescope instead.")
@click.option("--wheel", type=FILE, help="With --gradescope: the grader as `pip wheel` makes it.")
@click.option(
    "--hidden-seed-file",
    type=FILE,
    help="With --gradescope: the course's secret, put into the zip.",
)
@click.option(
    "--late",
    "lateness",
    is_flag=True,
    help="With --gradescope: take the rubric's late penalty off there.",
)
def bundle(
    assignment: str,
    *,
    output: Path | None,
    pack_dir: tuple[Path, ...],
    gradescope: bool,
    wheel: Path | None,
    hidden_seed_file: Path | None,
    lateness: bool,
) -> None:
    """Make the self-check of ASSIGNMENT that students download.

    A zip with one script and the assignment's data. The script needs Python 3.9, NumPy and pandas
    only; it holds the public questions and answers, no solution and no hidden seed.

    \b
    Examples:
      grader bundle a2 -o A2grader.zip
      grader bundle line --pack-dir docs/examples
      grader bundle a2 --gradescope --wheel dist/grader-0.1.0-py3-none-any.whl -o autograder.zip
      grader bundle a2 --gradescope --wheel dist/grader-0.1.0-py3-none-any.whl --late
    """
    pack = load_pack(assignment, [*pack_dir, bundled("rubrics")])
    if gradescope:
        if wheel is None:
            raise click.UsageError("--gradescope needs --wheel: `pip wheel --no-deps -w dist .`")
        path = output or Path("autograder.zip")
        names = autograder(pack, path, wheel, hidden_seed_file, lateness=lateness)
        click.echo(f"{path}: {', '.join(names)}.\n{container(pack)}")
        return
    if wheel or hidden_seed_file or lateness:
        raise click.UsageError("--wheel, --hidden-seed-file and --late are for --gradescope.")
    made = make_bundle(pack, output, cores())
    click.echo(f"{made.path}: {', '.join([made.script, *made.files])}.")
    click.echo(f"In the last cell of a notebook: %run -i {made.script}")
