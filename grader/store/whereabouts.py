"""Which database has the rows of a folder of results: it is remembered beside them.

Without that, a command that leaves `--store` out would find an empty SQLite file in place of the
database that was graded into, and run everything again.
"""

from __future__ import annotations

from pathlib import Path

from grader.errors import StoreError
from grader.files import write_durable
from grader.store.database import FILE, address_to_keep, same_place
from grader.text import display_safe

REMEMBERED = "database"


def remembered(folder: Path) -> str | None:
    """Return the address of the folder's database; empty: SQLite; None: there was none so far.

    Raises:
        StoreError: what is written there is no address.
    """
    path = folder / REMEMBERED
    try:
        return address_to_keep(path.read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return "" if _is_filled(folder / FILE) else None
    except (OSError, ValueError, StoreError) as error:
        said = f"{path} does not say which database this is: put it back from a backup."
        raise StoreError(said) from error


def _is_filled(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except OSError:
        return False


def remember(folder: Path, url: str) -> None:
    """Keep the address of the folder's database, without the password; SQLite's file is enough."""
    if url and not same_place(url, remembered(folder) or ""):
        write_durable(folder / REMEMBERED, address_to_keep(url).encode())


def another(folder: Path, known: str) -> StoreError:
    """Return what to raise where the rows of a folder are in another database than this."""
    out = folder.parent
    if known:
        shown = display_safe(known)
        return StoreError(
            f"What was graded in {out} is in another database: give --store '{shown}', or set "
            "GRADER_STORE to that."
        )
    return StoreError(
        f"What was graded in {out} is in {folder / FILE} and not in the database of --store: leave "
        "--store out, and GRADER_STORE unset."
    )
