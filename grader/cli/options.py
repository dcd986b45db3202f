"""The options that several commands share, and how a warning is shown.

Loads nothing that takes long: a command line is read before anything else is begun.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from grader.kernels.isolation import Isolation
from grader.places import PACK_VARIABLE

STORE_VARIABLE = "GRADER_STORE"
NEEDS_ATTENTION = 3  # an exit status
F = TypeVar("F", bound=Callable[..., Any])
SECONDS = click.FloatRange(min=0, min_open=True)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_PASSWORDS = (
    re.compile(r"(://[^:/]*:).*(?=@)", re.DOTALL),
    re.compile(r"([?&][^=&]*password=)[^&]*", re.DOTALL | re.IGNORECASE),
)


def pack_options(command: F) -> F:
    """Which assignment, and from where."""
    option = click.option("--assignment", default="a2", show_default=True, help="Which assignment.")
    return with_options([option], pack_dir_option(command))


def pack_dir_option(command: F) -> F:
    """From where assignments are, besides those that come with the grader."""
    option = click.option(
        "--pack-dir",
        type=FOLDER,
        multiple=True,
        envvar=PACK_VARIABLE,
        help=f"A folder of your own assignments (also ${PACK_VARIABLE}); may be repeated.",
    )
    return with_options([option], command)


def limit_options(command: F) -> F:
    """What a notebook may use."""
    options = (
        click.option("--cell-seconds", type=SECONDS, help="Time limit of a cell."),
        click.option("--notebook-seconds", type=SECONDS, help="Time limit of all cells."),
    )
    return with_options(options, command)


def isolation_option(command: F) -> F:
    """How far student code is kept from this machine."""
    option = click.option(
        "--isolation",
        type=click.Choice([each.value for each in Isolation]),
        default=Isolation.AUTO.value,
        show_default=True,
        help="auto: every layer that works here; strict: all or nothing; off: none.",
    )
    return with_options([option], command)


def with_options(options: Iterable[Callable[[F], F]], command: F) -> F:
    """Give a command several options, in the order in which its help should list them."""
    for option in reversed(list(options)):
        command = option(command)
    return command


def table_options(command: F) -> F:
    """What people's tables say of students."""
    options = (
        click.option("--due", default="", help="When it was due, such as 2026-10-31T23:59."),
        click.option("--submitted", type=FILE, help="When each handed in: CSV, or Canvas's JSON."),
        click.option("--extensions", type=FILE, help="CSV: student,until,reason."),
        click.option("--partners", type=FILE, help="CSV: student,partner."),
        click.option("--marks", type=FILE, help="CSV: student,item,points,comment."),
    )
    return with_options(options, seed_option(command))


def seed_option(command: F) -> F:
    """The secret that hidden questions are drawn from."""
    option = click.option(
        "--hidden-seed-file",
        type=FILE,
        help="The course's secret (or $GRADER_HIDDEN_SEED).",
    )
    return with_options([option], command)


def store_option(command: F) -> F:
    """Where the store's database is."""
    option = click.option(
        "--store",
        default="",
        envvar=STORE_VARIABLE,
        metavar="URL",
        help=f"PostgreSQL for the store (also ${STORE_VARIABLE}); default: SQLite in OUT.",
    )
    return with_options([option], command)


def command_line() -> str:
    """Return what was typed, for the log, without the password of a database."""
    words = sys.argv[1:]
    for password in _PASSWORDS:  # in each word by itself: quotes may stand for something in one
        words = [password.sub(r"\1…", word) for word in words]
    return shlex.join(["grader", *words])


# ------------------------------------------------------------------------------- what is shown
def warn(sentence: str) -> None:
    click.echo(f"Warning: {sentence}", err=True)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
