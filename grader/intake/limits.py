"""How much of anything the intake is willing to look at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeLimits:
    """Bounds on what is really read; what a file says of its own size is never believed."""

    notebook_bytes: int = 50 << 20  # one notebook, unpacked
    archive_bytes: int = 8 << 30  # all that is unpacked from one zip
    files: int = 10_000  # in one zip or one folder with all its subfolders
    expansion: int = 200  # how many times its packed size a file may unpack to …
    expansion_from: int = 8 << 20  # … once it is larger than this: small files may be repetitive
    name_characters: int = 512
    folder_depth: int = 32
    json_depth: int = 100  # lists in objects in lists: nbformat and its kin recurse
    json_values: int = 2_000_000  # a value takes up to 90 bytes once parsed, and 2 in the file
