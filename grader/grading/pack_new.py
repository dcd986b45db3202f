"""Make a small assignment that works, for its author to change piece by piece."""

from __future__ import annotations

from pathlib import Path

from grader.errors import UsageError
from grader.files import write_whole
from grader.packs import SLUG

FILES = ("rubric.toml", "probes.py", "checks.py", "mistakes.py", "reference.py", "starter.ipynb")
_TEMPLATE = Path(__file__).parent / "new_pack"  # each file with .txt behind its name
_PLACEHOLDER = "ASSIGNMENT"


def make_pack(name: str, folder: Path) -> Path:
    """Write a new pack into `folder` and return where it is.

    Raises:
        UsageError: the name cannot be one, it is taken, or nothing can be written there.
    """
    if not SLUG.fullmatch(name):
        raise UsageError(
            f"`{name}` cannot name an assignment: take lower-case letters, digits, `-` and `_`, "
            "with a letter first."
        )
    pack = folder / name
    try:
        pack.mkdir(parents=True)
        for file in FILES:
            text = (_TEMPLATE / f"{file}.txt").read_text(encoding="utf-8")
            write_whole(pack / file, text.replace(_PLACEHOLDER, name.upper()).encode())
    except FileExistsError as error:
        raise UsageError(f"{pack} is there already: take another name.") from error
    except OSError as error:
        raise UsageError(f"{pack} cannot be written: {error.strerror}.") from error
    return pack
