"""Files that are there whole or not at all, whatever stops the program. Knows no format."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from grader.errors import UsageError


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path`: a reader sees the old file or the new one, never a part.

    The folder must be there. Nothing is synced to the disk: this guards against a program that is
    killed, not against a computer that loses power.

    Raises:
        UsageError: it cannot be written; the old file, if there was one, is as it was.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as stream:  # not tempfile: its files are closed to the group
            stream.write(content)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} could not be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
