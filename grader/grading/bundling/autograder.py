"""Write an autograder for Gradescope: the grader's wheel, the assignment, and how to start it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

from grader.errors import UsageError
from grader.files import write_whole
from grader.grading.bundling.making import zipped
from grader.packs import Pack, bundled

SCRIPTS = Path(__file__).with_name("gradescope")
PACKS = "packs"


def autograder(pack: Pack, output: Path, wheel: Path, secret_file: Path | None) -> tuple[str, ...]:
    """Write the zip; return the names in it.

    Args:
        wheel: the grader itself, as `pip wheel` makes it.
        secret_file: the course's hidden seed, for the hidden questions; None: public ones only.

    Raises:
        UsageError: the wheel is none of the grader.
    """
    _refuse_others(wheel)
    setup = (SCRIPTS / "setup.sh").read_bytes()
    own = {} if _comes_with_the_grader(pack) else dict(_files(pack))
    folder = _parent_in_zip(pack) if own else ""
    run = (SCRIPTS / "run_autograder").read_text(encoding="utf-8")
    run = run.replace("{assignment}", pack.slug).replace("{folder}", folder)
    files = {
        "setup.sh": setup,
        "run_autograder": run.encode(),
        wheel.name: wheel.read_bytes(),
        **own,
    }
    if secret_file is not None:
        files["hidden-seed"] = secret_file.read_bytes()
    write_whole(output, zipped(files, executable=("setup.sh", "run_autograder")))
    return tuple(files)


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
