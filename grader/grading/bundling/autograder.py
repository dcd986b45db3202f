"""Write an autograder for Gradescope: the grader's wheel, the assignment, and how to start it."""

from __future__ import annotations

import math
import os
import shlex
import zipfile
from collections.abc import Iterator
from pathlib import Path

from grader.errors import UsageError
from grader.files import write_whole
from grader.grading.bundling.making import zipped
from grader.grading.deadline import late_policy
from grader.grading.setting import given_secret
from grader.packs import Pack
from grader.places import bundled

SCRIPTS = Path(__file__).with_name("gradescope")
PACKS = "packs"
OWN_MEMORY = 1 << 30  # bytes, for the grader beside the notebook
OWN_MINUTES = 2  # to start and to judge, on half a core
LEAST_MINUTES, MOST_MINUTES = 10, 40  # Gradescope's own default, and what it lets nobody exceed


def autograder(
    pack: Pack, output: Path, wheel: Path, secret_file: Path | None, *, lateness: bool = False
) -> tuple[str, ...]:
    """Write the zip; return the names in it.

    Args:
        wheel: the grader itself, as `pip wheel` makes it.
        secret_file: the course's hidden seed, for the hidden questions; None: public ones only.
        lateness: whether the rubric's late policy is applied there; else Gradescope's own is.

    Raises:
        UsageError: the wheel is none of the grader, or the seed none.
        PackError: there is no late policy to apply.
    """
    _refuse_others(wheel)
    secret = given_secret(secret_file, {})
    if lateness:
        late_policy(pack.rubric)
    setup = (SCRIPTS / "setup.sh").read_bytes()
    own = {} if _comes_with_the_grader(pack) else dict(_files(pack))
    folder = _parent_in_zip(pack) if own else ""
    run = (SCRIPTS / "run_autograder").read_text(encoding="utf-8")
    for name, value in (
        ("{assignment}", shlex.quote(pack.slug)),
        ("{folder}", shlex.quote(folder)),
        ("{apply_lateness}", "true" if lateness else "false"),
    ):
        run = run.replace(name, value)
    files = {
        "setup.sh": setup,
        "run_autograder": run.encode(),
        wheel.name: wheel.read_bytes(),
        **own,
    }
    if secret is not None:
        files["hidden-seed"] = secret
    write_whole(output, zipped(files, executable=("setup.sh", "run_autograder")))
    return tuple(files)


def container(pack: Pack) -> str:
    """Return in a sentence what a container on Gradescope has to have.

    Enough for a notebook that uses all of its own limits, and as much for each question. Where a
    container is killed there is no result, and Gradescope takes that for 0 points.
    """
    limits = pack.rubric.limits.limits()
    seeds = len(pack.rubric.seeds.public) + pack.rubric.seeds.hidden
    questions = sum(seeds if varies else 1 for _, varies in pack.rubric.probes)
    asking = questions * limits.probe_seconds
    minutes = OWN_MINUTES + math.ceil((limits.notebook_seconds + asking) / 60)
    minutes = min(max(minutes, LEAST_MINUTES), MOST_MINUTES)
    memory = math.ceil((limits.memory_bytes + OWN_MEMORY) / (1 << 30))
    return (
        f"In Gradescope's settings, give the autograder {minutes} minutes and {memory} GB: whoever "
        "goes over its defaults, 10 minutes and 0.75 GB, gets 0 points."
    )


def _refuse_others(wheel: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            sound = "grader/cli/__init__.py" in archive.namelist()
    except zipfile.BadZipFile:
        sound = False
    if not sound or not wheel.match("grader-*.whl"):
        raise UsageError(
            f"{wheel} is not a wheel of the grader. In a checkout, `pip wheel --no-deps -w dist .` "
            "makes one: dist/grader-….whl."
        )


def _comes_with_the_grader(pack: Pack) -> bool:
    return pack.folder.resolve().is_relative_to(bundled("rubrics").resolve())


def _root(pack: Pack) -> Path:
    """Return the folder that holds both the pack's folder and its reference."""
    reference = (pack.folder / pack.rubric.reference).resolve()
    return Path(os.path.commonpath([pack.folder.resolve().parent, reference.parent]))


def _parent_in_zip(pack: Pack) -> str:
    return pack.folder.resolve().parent.relative_to(_root(pack)).as_posix()


def _files(pack: Pack) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a pack and of its reference, where they lie to each other as here."""
    root, reference = _root(pack), (pack.folder / pack.rubric.reference).resolve()
    for top in (pack.folder.resolve(), reference):
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"{PACKS}/{path.relative_to(root).as_posix()}", path.read_bytes()
