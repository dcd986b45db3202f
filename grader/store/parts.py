"""Large parts as files beside the database: named by the SHA-256 of their content, whole or absent.

A part is on the disk, past a power cut, before anything names it. Equal parts are kept once. They
are for their owner only.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from grader.errors import EvidenceError, StoreError, UsageError
from grader.files import keep_durable, make_folder, sweep

MOST_UNPACKED = 2 << 30
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FAST = 1  # half a notebook is base64, which gains nothing by more


@dataclass(frozen=True, slots=True)
class Parts:
    """A folder of parts: `ab/abcdef….ending`. `_made` are those in it that are on the disk."""

    folder: Path
    _made: set[Path] = field(default_factory=set, init=False, repr=False, compare=False)

    def keep(self, content: bytes, ending: str) -> str:
        """Keep `content`; return its SHA-256, by which it is found again.

        What is there already is looked at: a damaged part is written anew.

        Raises:
            StoreError: it could not be written.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._path(sha256, ending)
        try:
            if path.parent not in self._made:
                make_folder(path.parent)
                self._made.add(path.parent)
            keep_durable(path, content)
        except UsageError as error:
            raise StoreError(str(error)) from error
        return sha256

    def keep_text(self, text: str, ending: str) -> str:
        """Keep a text, packed; as `keep`."""
        return self.keep(zlib.compress(text.encode("utf-8", "surrogatepass"), _FAST), ending)

    def read(self, sha256: str, ending: str) -> bytes:
        """Return what was kept.

        Raises:
            EvidenceError: it is gone, or no longer what it was.
        """
        path = self._path(sha256, ending)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise EvidenceError(f"{path} cannot be read: {error.strerror}. {_MEND}") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise EvidenceError(f"{path} is damaged: it is not what was written. {_MEND}")
        return content

    def read_text(self, sha256: str, ending: str) -> str:
        """Return a text that was kept; as `read`."""
        unpacking = zlib.decompressobj()
        try:
            content = unpacking.decompress(self.read(sha256, ending), MOST_UNPACKED)
        except zlib.error as error:
            path = self._path(sha256, ending)
            raise EvidenceError(f"{path} is damaged: it cannot be unpacked. {_MEND}") from error
        return content.decode("utf-8", "surrogatepass")

    def sweep(self) -> None:
        """Remove what killed graders left half-written."""
        for folder in self.folder.iterdir():
            sweep(folder)

    def _path(self, sha256: str, ending: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise StoreError("The store names a part that cannot be one: it is damaged.")
        return self.folder / sha256[:2] / f"{sha256}.{ending}"


_MEND = "Put it back from a backup, or grade with --fresh, which runs the notebooks again."
