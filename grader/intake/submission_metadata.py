"""When Gradescope took a submission in, and until when it was due: its submission_metadata.json.

Gradescope writes the file, but names and titles in it are people's: only times are read. What an
assignment's late policy makes of them is not decided here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from grader.errors import UsageError
from grader.lateness import LatePolicy, parse_when


@dataclass(frozen=True, slots=True)
class TakenIn:
    """Both times know their zone; `due` is None where the assignment has no due time."""

    at: datetime
    due: datetime | None


def read_submission_metadata(file: Path, policy: LatePolicy) -> TakenIn:
    """Read the two times. Of a group whose members have different due times the latest counts.

    Raises:
        UsageError: the file cannot be read, or says it in another way than Gradescope documents.
    """
    found = _object(file)
    try:
        created, assignment, users = found["created_at"], found["assignment"], found["users"]
        dues = [_own(user).get("due_date") or assignment["due_date"] for user in users]
        dues = dues or [assignment["due_date"]]
        times = [parse_when(due, policy) for due in dues if due is not None]
        return TakenIn(parse_when(created, policy), max(times, default=None))
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{file} is not Gradescope's submission_metadata.json: created_at, "
            "assignment.due_date and users are not as Gradescope documents them."
        ) from error
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error


def _own(user: Any) -> Any:
    """Return what holds for one user only: there is nothing where nobody was given more time."""
    return user.get("assignment") or {}


def _object(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not JSON, so when it was handed in is not known.") from error
