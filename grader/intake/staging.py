"""The staging folder: notebooks under the SHA-256 of what is in them, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from grader.errors import UsageError


def prepared(staging: Path) -> Path:
    """The folder, made where it is missing and closed to others."""
    try:
        staging.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(staging, error) from error
    return staging


def stage(data: bytes, staging: Path) -> tuple[Path, str]:
    """Write one notebook; give its path and its SHA-256.

    A kill at any moment leaves the old file, the new one, or a `.part` that nobody reads.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    path = staging / f"{sha256}.ipynb"
    try:
        descriptor, part = tempfile.mkstemp(suffix=".part", prefix=".", dir=staging)  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(part).replace(path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(staging, error) from error
    return path, sha256


def _unwritable(staging: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{staging} cannot be written ({error.strerror}): free space there, or name another folder."
    )
