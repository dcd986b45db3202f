"""What an assignment's own code answers to the public questions, kept from one check to the next.

In a folder of whoever checks, under names that hold all that an answer depends on. It saves time
and nothing else: what is missing or damaged there is worked out again, and hidden questions are
never in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grader.errors import EvidenceError, UsageError
from grader.evidence import decode, encode
from grader.files import make_folder, write_whole
from grader.model import Evidence, ProbeKey, Reply, RunOutcome, RunRecord

Answers = Mapping[ProbeKey, Reply]
ENDING = ".answers"
KEPT_SECONDS = 60 * 24 * 3600.0  # an assignment that changes leaves what nobody asks for again
_RUN = RunRecord(outcome=RunOutcome.COMPLETE)


@dataclass(frozen=True, slots=True)
class AnswerCache:
    """Answers in `folder`, which need not be there; None: nothing is kept."""

    folder: Path | None = None

    @classmethod
    def of_this_user(cls, environment: Mapping[str, str]) -> AnswerCache:
        """Return the one that this user's checks share, if there is a place for it."""
        home = environment.get("HOME")
        base = environment.get("XDG_CACHE_HOME") or (Path(home, ".cache") if home else None)
        return cls(Path(base, "grader", "answers") if base else None)

    def answers(self, name: str, work_out: Callable[[], Answers]) -> Answers:
        """Return what is kept under a name; else what `work_out` returns, and keep that."""
        path = self.folder / f"{name}{ENDING}" if self.folder else None
        if path is not None:
            with suppress(OSError, EvidenceError):
                return decode(path.read_bytes()).replies
        answers = work_out()
        if path is not None:
            with suppress(OSError, UsageError, EvidenceError):  # a full disk, say, costs time only
                self._keep(path, answers)
        return answers

    def _keep(self, path: Path, answers: Answers) -> None:
        make_folder(path.parent)
        write_whole(path, encode(Evidence(run=_RUN, replies=answers)))
        long_ago = time.time() - KEPT_SECONDS
        for other in path.parent.glob(f"*{ENDING}"):
            if other.lstat().st_mtime < long_ago:
                other.unlink()
