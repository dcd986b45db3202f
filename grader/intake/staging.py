"""The staging folder: notebooks under the SHA-256 of what is in them, whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

from grader.files import keep_durable, make_folder


def prepared(staging: Path) -> Path:
    """The folder, made where it is missing and closed to others."""
    make_folder(staging)
    return staging


def stage(data: bytes, staging: Path) -> tuple[Path, str]:
    """Write one notebook unless it is there; give its path and its SHA-256.

    A kill at any moment leaves the old file, the new one, or a `.part` that nobody reads.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    path = staging / f"{sha256}.ipynb"
    keep_durable(path, data)
    return path, sha256
