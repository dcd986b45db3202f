"""File names for pages: from a student's name, safe on every system, stable from run to run."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from grader.model import Grade

_LONGEST = 48
_CANVAS_ID = re.compile(r"[0-9]{1,20}")
# Letters that have no decomposition; all others lose their accents or are left out.
_LATIN = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "\u0131": "i",
    }
)


def feedback_name(grade: Grade) -> str:
    """Return the name of a student's page: `lee-ana-40103.html`.

    Two names are the same only for the same student: the Canvas id tells students apart, and
    where there is none, a hash of all that is known of the student and of the file's name. A new
    submission of the same student gets the same name, so no old page stays behind.
    """
    student = grade.student
    known = unicodedata.normalize("NFKD", student.name.lower().translate(_LATIN))
    letters = re.sub(r"[^a-z0-9]+", "-", re.sub(r"[^\x00-\x7f]", "", known))
    slug = letters[:_LONGEST].strip("-") or "student"
    return f"{slug}-{_identity(grade)}.html"


def _identity(grade: Grade) -> str:
    """Return digits for a Canvas id, else "x" and a hash: neither is ever the other."""
    student = grade.student
    if _CANVAS_ID.fullmatch(student.canvas_id):
        return student.canvas_id
    known = repr((student.name, student.canvas_id, student.login, grade.file))
    digest = hashlib.sha256(known.encode("ascii", "backslashreplace")).hexdigest()
    return f"x{digest[:10]}"
