"""Judge kept evidence again with the pack as it is now; run nothing, or only what is new.

What a grading was asked for is kept, people's tables too, so that only the pack is another one.
What is given again takes the place of what was given then.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from grader.errors import StoreError, UsageError
from grader.grading.asked import asked_for, entry_of, problems_of, tables_of
from grader.grading.batch import Executor
from grader.grading.cases import cases_of, without_notebook
from grader.grading.concluding import Conclusion
from grader.grading.course import Course, Tables
from grader.grading.judgement import Seen
from grader.grading.keys import Keys, fingerprint
from grader.grading.night import (
    NO_NOTEBOOK,
    OpenExecutor,
    Running,
    notebooks,
    opened,
    prepared,
)
from grader.grading.order import Order
from grader.grading.reporting import CanvasExport, Night
from grader.grading.setting import SECRET_FILE, SECRET_VARIABLE, course_secret
from grader.grading.watcher import Watcher
from grader.intake import Intake
from grader.model import Limits
from grader.packs import load_pack
from grader.places import bundled
from grader.store import Store

OpenExecutorFor = Callable[[Order], AbstractContextManager[Executor]]
MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What to judge again. What is empty is taken as it was at the grading."""

    out: Path
    tables: Tables
    jobs: int
    store: str = ""
    line: str = "grader rejudge"
    pack_folders: tuple[Path, ...] = ()
    secret_file: Path | None = None
    run: bool = False  # notebooks that were not asked everything
    write: bool = True


def rejudge(again: Again, open_executor: OpenExecutorFor, watcher: Watcher) -> Night:
    """Judge everything that was graded in a folder again.

    Raises:
        UsageError, PackError, StoreError: nothing was graded there, or it cannot be judged.
    """
    if not (again.out / "store").is_dir():
        raise UsageError(f"There is no store in {again.out}: run `grader grade … --out` first.")
    with opened(again.out, again.store) as store:
        asked = store.asked()
        if asked is None:
            raise UsageError(f"Nothing was graded in {again.out} yet: run `grader grade` first.")
        with tempfile.TemporaryDirectory(prefix="grader-tables-") as folder:
            order = _order(again, asked, _tables(again.tables, asked, store, Path(folder)))
            seen = _Judgement(again, order, asked, store)
            return seen.night(lambda: open_executor(order), watcher)


@dataclass(frozen=True, slots=True)
class _Judgement:
    """One judgement of everything that a store holds."""

    again: Again
    order: Order
    asked: Mapping[str, Any]
    store: Store

    def night(self, open_executor: OpenExecutor, watcher: Watcher) -> Night:
        order, store, write = self.order, self.store, self.again.write
        course = Course.read(order.tables, order.pack.rubric)
        exam = prepared(order, store, keep=write)
        if write:
            store.begin(order.line)
        entries = tuple(entry_of(kept, notebooks(order.out)) for kept in store.submissions())
        intake = Intake(entries=entries, problems=problems_of(self.asked))
        running = Running(order, exam, Keys.of(order.pack, exam.calls, exam.expected), store)
        seen = running.observe(
            cases_of(intake, course),
            open_executor,
            watcher,
            used=store.judged_last(),
            run=self.again.run and write,
        )
        seen += [Seen(case=case, why=NO_NOTEBOOK) for case in without_notebook(intake)]
        conclusion = Conclusion(
            order=order,
            course=course,
            problems=intake.problems,
            ready=running,
            asked=asked_for(order, store, intake.problems) if write else self.asked,
        )
        night = conclusion.of(seen, write=write)
        return replace(night, notices=(*_must_run(running), *night.notices))


def _must_run(running: Running) -> tuple[str, ...]:
    """Say how many notebooks must run again, and for what."""
    lacking, said = running.lacking, []
    if lacking.never_run:
        said.append(
            f"{lacking.never_run} notebooks were not run yet: the command of `grader grade`, given "
            "again, goes on with them."
        )
    if lacking.not_asked:
        probes = lacking.probes
        named = ", ".join(probes[:MOST_NAMED])
        more = f" and {len(probes) - MOST_NAMED} more" if len(probes) > MOST_NAMED else ""
        said.append(
            f"{lacking.not_asked} notebooks must run again to be asked {named}{more}, which are "
            "new or changed: `grader rejudge --run` asks only that. Until then, those checks are "
            "open."
        )
    return tuple(said)


# ------------------------------------------------------------------------------- as it was
def _order(again: Again, asked: Mapping[str, Any], tables: Tables) -> Order:
    folders = again.pack_folders or tuple(Path(each) for each in asked["pack_folders"])
    pack = load_pack(asked["assignment"], [*folders, bundled("rubrics")])
    secret_file = _secret_file(again, asked)
    secret, _ = course_secret(secret_file, again.out, os.environ)
    if fingerprint(secret) != asked["secret"]:
        raise UsageError(
            f"This is not the hidden seed that {again.out} was graded with, so its evidence "
            "answers other questions: give the right one with --hidden-seed-file."
        )
    known = {field.name for field in fields(Limits)}
    return Order(
        sources=(),
        out=again.out,
        pack=pack,
        secret=secret,
        tables=tables,
        jobs=again.jobs,
        export=CanvasExport(title=pack.rubric.title, **asked["export"]),
        limits=Limits(**{k: v for k, v in asked["limits"].items() if k in known}),
        store=again.store,
        line=again.line,
        pack_folders=folders,
        secret_file=secret_file,
    )


def _secret_file(again: Again, asked: Mapping[str, Any]) -> Path | None:
    """Return the file with the hidden seed: the one given, or that of before if it is there."""
    if again.secret_file:
        return again.secret_file
    before = Path(asked["secret_file"]) if asked["secret_file"] else None
    if before and before.is_file():
        return before
    if SECRET_VARIABLE in os.environ or (again.out / SECRET_FILE).is_file():
        return None
    raise UsageError(
        f"The hidden seed that {again.out} was graded with is not there"
        f"{f' ({before} is gone)' if before else ''}: give it with --hidden-seed-file."
    )


def _tables(given: Tables, asked: Mapping[str, Any], store: Store, folder: Path) -> Tables:
    """Return the tables of before, and those that are given in their place."""
    try:
        before = tables_of(asked, store, folder)
    except (KeyError, TypeError) as error:
        raise StoreError("The store does not say what was asked for: grade again.") from error
    new = {f.name: value for f in fields(Tables) if (value := getattr(given, f.name))}
    return replace(before, **new)
