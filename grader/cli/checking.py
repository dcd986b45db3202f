"""Check one notebook: what `grader check` does, once or after each save."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from grader.cli.assignment import limits_of, pack_of
from grader.cli.delivery import deliver, refuse
from grader.cli.options import NEEDS_ATTENTION, warn
from grader.cli.watching import saves
from grader.errors import SubmissionError
from grader.grading.check import Checker, checker
from grader.grading.publishing import subject_of
from grader.grading.setting import given_secret
from grader.kernels.isolation import Isolation
from grader.kernels.server import ForkServer
from grader.model import Limits
from grader.packs import Pack
from grader.reports.subject import Subject

BELOW_MIN_SCORE = 1
LOOK_SECONDS = 0.3  # between two looks at whether the notebook was saved


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """What is asked for on the command line."""

    notebook: Path
    pack: Pack
    limits: Limits
    secret: bytes | None
    isolation: Isolation
    quick: bool
    due: str
    metadata: Path | None
    form: str
    output: Path | None
    also: list[tuple[str, Path]]
    min_score: float | None

    @classmethod
    def of(cls, given: dict[str, Any], **known: Any) -> Checking:
        """Load what the options `given` name; `known` are fields as they are.

        Raises UsageError or PackError where they name nothing that can be loaded.
        """
        pack = pack_of(given)
        limits = limits_of(given, pack)
        secret = given_secret(given.pop("hidden_seed_file"), os.environ)
        return cls(pack=pack, limits=limits, secret=secret, **given, **known)

    def once(self, server: ForkServer | None) -> int:
        """Check and report; return the exit status."""
        with self._checker(server) as checking:
            return self._status(self._report(checking))

    def watch(self, server: ForkServer | None) -> int:
        """Report now and after every save, until Ctrl-C."""
        with self._checker(server) as checking:
            try:
                for _ in saves(self.notebook, partial(time.sleep, LOOK_SECONDS)):
                    try:
                        self._report(checking)
                    except SubmissionError as error:  # saved in the middle of something
                        click.echo(str(error), err=True)
                    now = time.strftime("%H:%M:%S")
                    click.echo(f"\nChecked at {now}. Ctrl-C ends.\n", err=True)
            except KeyboardInterrupt:
                pass
        return 0

    def _checker(self, server: ForkServer | None) -> AbstractContextManager[Checker]:
        return checker(
            self.pack,
            self.limits,
            self.isolation,
            warn,
            secret=self.secret,
            quick=self.quick,
            due=self.due,
            metadata=self.metadata,
            server=server,
        )

    def _report(self, checking: Checker) -> Subject:
        try:
            checked = checking.check(self.notebook)
        except SubmissionError as error:
            refuse(str(error), self.form, self.output, self.also)
            raise
        subject = subject_of(checked, self.pack, self.notebook, os.environ)
        deliver(subject, self.form, self.output, self.also)
        return subject

    def _status(self, subject: Subject) -> int:
        if subject.unjudged:
            return NEEDS_ATTENTION
        code, least = subject.code.points, self.min_score
        return BELOW_MIN_SCORE if least is not None and (code is None or code < least) else 0
