"""What lasts: who handed in what, what was observed, how it was judged, and who changed what.

`schema` has the tables and how older ones become newer, `database` opens them (SQLite in the
folder of the results, or PostgreSQL by its address), `parts` keeps what is large as files beside
them, `lock` lets one grader at a time into a folder, and `records` is the way in: it keeps
evidence and tells what is known. Nothing here runs, judges or scores anything.
"""

from grader.store.lock import locked
from grader.store.parts import Parts
from grader.store.records import (
    LEFT_OUT,
    Before,
    Command,
    Happened,
    Kept,
    KeptTable,
    LogRow,
    Question,
    ResultRow,
    Store,
    open_store,
    who_am_i,
)

__all__ = [
    "LEFT_OUT",
    "Before",
    "Command",
    "Happened",
    "Kept",
    "KeptTable",
    "LogRow",
    "Parts",
    "Question",
    "ResultRow",
    "Store",
    "locked",
    "open_store",
    "who_am_i",
]
