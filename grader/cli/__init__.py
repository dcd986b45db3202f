"""The command line: parse, call one use case, print.

A command's module is loaded when the command is given: to check a notebook nobody waits for what
a class needs.
"""

from __future__ import annotations

import gc
import io
import signal
import sys
from importlib import import_module
from typing import Any

import click

from grader.errors import ClusterError, GraderError, KernelError

COMMANDS = {  # -> the module that has it
    "bundle": "bundle",
    "check": "check",
    "demo": "grade",
    "doctor": "doctor",
    "grade": "grade",
    "history": "afterwards",
    "marks": "marks",
    "pack": "pack",
    "rejudge": "afterwards",
    "stats": "stats",
}
NOTHING_KNOWN = 3
WRONG_USE = 2
STOPPED = 130


class _WrongUseError(click.ClickException):
    exit_code = WRONG_USE


class _NothingKnownError(click.ClickException):
    exit_code = NOTHING_KNOWN


class _Group(click.Group):
    """Loads commands when they are wanted; shows what goes wrong as a sentence, no traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"{__name__}.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        gc.freeze()  # what is imported stays: looking through it again costs a large class
        return command

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run, on streams that take every sign: a code page without it shows a question mark."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
                stream.reconfigure(errors="replace")
        return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (KernelError, ClusterError) as error:
            raise _NothingKnownError(str(error)) from error
        except GraderError as error:
            raise _WrongUseError(str(error)) from error
        except KeyboardInterrupt:
            click.echo("Stopped. Nothing is half-written; the same command goes on.", err=True)
            sys.exit(STOPPED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="grader")
def main() -> None:
    """Grade notebook assignments: run them, judge the answers, name the mistake.

    \b
    Examples:
      grader demo                                    the whole job, on sample submissions
      grader check Lastname-A2.ipynb                 one notebook, the public checks
      grader grade submissions.zip --out graded      a Canvas download
    """
    # A shell that runs this in the background has Ctrl-C ignored; SIGTERM takes the same way.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
