"""The progress bar of a class."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from grader.grading.watcher import Watcher


@contextmanager
def progress(console: Console) -> Any:
    """Yield a watcher that shows how many are done, how many want attention and the time left."""
    columns = (
        TextColumn("Grading"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[attention]} need attention"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        bar = shown.add_task("", total=None, attention=0)
        seen = {"attention": 0}

        def saw(attention: bool) -> None:  # noqa: FBT001  a Watcher's
            seen["attention"] += attention
            shown.update(bar, advance=1, attention=seen["attention"])

        yield Watcher(began=lambda total: shown.update(bar, total=total), seen=saw)
