"""The self-check, as it runs on a student's machine: ask, judge, print.

Where IPython runs it checks the notebook's names as they are now, else the definitions of a
notebook beside it. It decides nothing: it runs in the student's own process, and what counts is
graded elsewhere. It never writes a file, and leaves the student's names as they were.

It and all that it imports is joined into one file (see grader.grading.bundling.parts), so it is
written for Python 3.9 and needs numpy only.
"""

from __future__ import annotations

import base64
import builtins
import contextlib
import io
import json
import linecache
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, TypeAlias, cast

import numpy as np

from grader.answers import decode
from grader.checks import Check, catalogue
from grader.diagnosis import items_to_diagnose, named, told
from grader.evidence import decode as decode_evidence
from grader.exhibits import Exhibition
from grader.grading.bundling.plain_rubric import rubric_of
from grader.inside import harness
from grader.inside.definitions import definitions
from grader.judging import judge
from grader.mistakes import Mistake
from grader.model import (
    CheckResult,
    Grade,
    Outcome,
    ProbedIn,
    ProbeKey,
    Reply,
    ReplyKind,
    RunOutcome,
    RunRecord,
    Section,
    Seed,
    Student,
    Visibility,
)
from grader.pictures import Painter
from grader.reports.feedback import feedback, points_words
from grader.reports.lines import (
    SIGNS,
    WIDTH,
    encoding_of,
    feedback_lines,
    has_signs,
    row,
    sentence_lines,
    writable,
)
from grader.rubric import Rubric
from grader.scoring import score
from grader.text import plain

Scope: TypeAlias = dict[str, Any]
Replies: TypeAlias = Mapping[ProbeKey, Reply]
WRONG_USE = 2
OLDEST_NUMPY = (1, 24)  # the first that bounds the header of an array that it reads
DEFINITION_SECONDS = 10.0
TRIVIAL_SECONDS = 10.0
AGAIN_SECONDS = 0.1  # after which time is called again
GENTLY = 5  # times; then it is called
OFTEN_SECONDS = 2e-5  # apart
COPIED_BYTES = 16 << 20  # of an array that is put back as it was; of larger ones only the name is
COPIED_PARTS = 10_000
IN_NOTEBOOK = (
    "Checked: what the names of your notebook stand for now. Before you hand in, restart the "
    "kernel and run all cells: the grading does that."
)
IN_FILE = (
    "Checked: the definitions in {file}, as it is saved: imports, functions, classes and names "
    "with literal values. No other code was run; the last cell of a notebook can run the "
    "self-check on everything: %run -i {script}"
)
REMINDER = (
    "The final grading uses different but similar tests. All points here are a good sign, and no "
    "promise: code that is right for these numbers only loses points there."
)


class _CannotCheck(Exception):  # noqa: N818  a sentence for the student
    """There is nothing to check; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Question:
    """One public question: a probe's text, and the number that its inputs are drawn from."""

    key: ProbeKey
    source: str
    number: int


TRIVIAL = Question(  # if a fork does not answer this, it is BLAS that does not survive forking
    key=("trivial", Seed(Visibility.PUBLIC, 0)),
    source="def trivial(names, rng): return float((rng.rand(300, 300) @ rng.rand(300, 300)).sum())",
    number=0,
)


@dataclass(frozen=True, slots=True, eq=False)
class SelfCheck:
    """All that the file holds of an assignment."""

    script: str
    rubric: Rubric
    questions: tuple[Question, ...]
    expected: Replies
    checks: Mapping[str, Check]
    painters: Mapping[str, Painter]
    snippets: Mapping[str, str]
    mistakes: Mapping[str, Mistake]
    known: Mapping[str, Sequence[Replies]]
    probe_seconds: float
    answer_bytes: int

    @classmethod
    def of(cls, held: Mapping[str, Any], parts: Mapping[str, ModuleType]) -> SelfCheck:
        """Read what the grader wrote down (see grader.grading.bundling.holding)."""
        expected = _replies(held["expected"])
        return cls(
            script=held["script"],
            rubric=cast("Rubric", rubric_of(held["rubric"])),
            questions=tuple(
                Question((probe, Seed(Visibility.PUBLIC, index)), held["sources"][probe], number)
                for probe, index, number in held["questions"]
            ),
            expected=expected,
            checks=catalogue(_marked(parts.get("pack_checks"), Check)),
            painters=_marked(parts.get("pack_pictures"), Painter),
            snippets=held["snippets"],
            mistakes={
                name: Mistake(item, says, ()) for name, (item, says, _) in held["mistakes"].items()
            },
            known=_known(held, expected),
            probe_seconds=held["probe_seconds"],
            answer_bytes=held["answer_bytes"],
        )

    def judged(self, replies: Replies) -> tuple[CheckResult, ...]:
        """Judge what the notebook answered, and name the mistakes in it."""
        found = judge(self.rubric, self.checks, replies, self.expected)
        lost = items_to_diagnose(self.rubric, found)
        names = named(
            self.rubric,
            self.checks,
            self.mistakes,
            found,
            replies=replies,
            expected=self.expected,
            known=self.known,
            looks={},
            items=lost,
        )
        return told(found, names, self.mistakes)

    def report(self, replies: Replies, file: str, *, plain_signs: bool) -> list[str]:
        """Return the lines that the student reads."""
        results = self.judged(replies)
        grade = Grade(
            student=Student(name=""),
            file=file,
            sha256="",
            run=RunRecord(outcome=RunOutcome.COMPLETE, probed_in=ProbedIn.NOTEBOOK),
            score=score(self.rubric, results, {}),
        )
        exhibition = Exhibition(
            rubric=self.rubric,
            checks=self.checks,
            painters=self.painters,
            snippets=self.snippets,
            expected=self.expected,
        )
        said = feedback(grade, self.rubric, exhibition.of(results, replies))
        lines = feedback_lines(said, plain_signs=plain_signs)
        return [*lines, "", *self._ending(grade)]

    def _ending(self, grade: Grade) -> list[str]:
        """The execution grade, what a person looks at, and what this is not."""
        checks = [
            check
            for item in grade.score.items
            if item.section is Section.CODE
            for check in item.checks
        ]
        earned = sum((check.earned for check in checks), Decimal(0))
        possible = sum((check.possible for check in checks), Decimal(0))
        least = "at least " if any(c.outcome is Outcome.BROKEN for c in checks) else ""
        points = f"{least}{plain(earned)} of {plain(possible)}"
        return [
            *("-" * WIDTH, *row("Execution grade", points)),
            *self._by_hand(Section.DISCUSSION, "A person gives up to {} more, for:"),
            *self._by_hand(Section.EXTRA_CREDIT, "For extra credit a person gives up to {}, for:"),
            *("", *sentence_lines(REMINDER)),
        ]

    def _by_hand(self, section: Section, title: str) -> list[str]:
        """What a person looks at in one section; nothing where no person does."""
        marked = [
            (item.title, item.marked)
            for item in self.rubric.item
            if item.section is section and item.marked
        ]
        if not marked:
            return []
        whole = sum((part.points for _, part in marked), Decimal(0))
        lines = ["", *sentence_lines(title.format(points_words(whole)))]
        for name, part in marked:
            lines += row(name, plain(part.points), indent=2)
            for criterion in part.criteria:
                lines += sentence_lines(f"- {criterion}", indent=4)
        return lines


def main(held: Mapping[str, Any], parts: Mapping[str, ModuleType], names: Scope) -> int:
    """Check, print, and return an exit status.

    Args:
        held: the assignment's data.
        parts: the modules of this file, by name.
        names: the names of the process that runs it.
    """
    try:
        _refuse_old_numpy()
        check = SelfCheck.of(held, parts)
        where, scope, file = _to_check(check.script, names)
        replies = ask_all(check, scope)
        signs = has_signs("".join(SIGNS.values()), encoding_of(sys.stdout))
        lines = check.report(replies, file, plain_signs=not signs)
        _print([*sentence_lines(where), "", *lines])
    except _CannotCheck as why:
        _print(sentence_lines(str(why)))
        return WRONG_USE
    except KeyboardInterrupt:
        _print(["Stopped; nothing was changed."])
        return WRONG_USE
    return 0


def _refuse_old_numpy() -> None:
    if tuple(int(part) for part in np.__version__.split(".")[:2]) < OLDEST_NUMPY:
        oldest = ".".join(map(str, OLDEST_NUMPY))
        raise _CannotCheck(f"This needs NumPy {oldest} or later; here is {np.__version__}.")


def _print(lines: Sequence[str]) -> None:
    """Print at once, whatever the stream's encoding lacks."""
    sys.stdout.write(writable("\n".join(lines) + "\n", encoding_of(sys.stdout)))
    sys.stdout.flush()


# ------------------------------------------------------------------------------- what is held
def _marked(part: ModuleType | None, mark: type[Any]) -> dict[str, Any]:
    things = vars(part) if part else {}
    return {name: thing for name, thing in things.items() if isinstance(thing, mark)}


def _replies(kept: str) -> dict[ProbeKey, Reply]:
    return dict(decode_evidence(base64.b64decode(kept)).replies)


def _known(held: Mapping[str, Any], expected: Replies) -> dict[str, list[Replies]]:
    """Return what each way of making each mistake answers; mostly what is right."""
    differing = _replies(held["known"])
    ways: dict[str, list[dict[ProbeKey, Reply]]] = {
        name: [dict(expected) for _ in range(count)]
        for name, (_, _, count) in held["mistakes"].items()
    }
    for (label, seed), reply in differing.items():
        name, way, probe = label.split()
        ways[name][int(way)][probe, seed] = reply
    return {name: list(each) for name, each in ways.items()}


# ------------------------------------------------------------------------------- whose names
def _to_check(script: str, names: Scope) -> tuple[str, Scope, str]:
    """Return where the names come from in a sentence, the names, and the file they are of.

    IPython has arguments of its own; one that names a notebook was given to `%run`.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    arguments = sys.argv[1:]
    if shell is not None and not any(each.endswith(".ipynb") for each in arguments):
        return IN_NOTEBOOK, shell.user_ns, ""
    notebook = _notebook(script, names.get("__file__", ""), arguments)
    where = IN_FILE.format(file=notebook.name, script=script)
    return where, _defined(_cells(notebook)), notebook.name


def _notebook(script: str, file: str, arguments: Sequence[str]) -> Path:
    """Return the notebook that was asked for, or the only one that it can be."""
    if arguments:
        named = [each for each in arguments if each.endswith(".ipynb")]
        return Path([*named, *arguments][0])
    folder = Path(file).resolve().parent if file else Path.cwd()
    there = sorted(path for path in folder.glob("*.ipynb") if path.is_file())
    stem = Path(script).stem.lower().replace("grader", "")
    fitting = [path for path in there if stem in path.stem.lower()] or there
    if len(fitting) == 1:
        return fitting[0]
    example = f"python {script} {fitting[0].name if fitting else 'Lastname-A2.ipynb'}"
    if fitting:
        listed = ", ".join(path.name for path in fitting)
        raise _CannotCheck(f"There is more than one notebook here: {listed}. Name one: {example}")
    raise _CannotCheck(
        f"There is no notebook beside {script}. Put both into one folder, or name it: {example}"
    )


def _cells(notebook: Path) -> list[str]:
    """Return the text of each code cell."""
    try:
        read = json.loads(notebook.read_text(encoding="utf-8-sig"))
        if "worksheets" in read:
            raise _CannotCheck(
                f"{notebook.name} is in an old format: open it in Jupyter and save it again."
            )
        cells = [cell for cell in read["cells"] if cell["cell_type"] == "code"]
        return ["".join(cell["source"]) for cell in cells]
    except FileNotFoundError:
        raise _CannotCheck(f"There is no file {notebook}.") from None
    except OSError as error:
        raise _CannotCheck(f"{notebook} cannot be read: {error}.") from None
    except (LookupError, TypeError, ValueError, RecursionError):
        raise _CannotCheck(
            f"{notebook.name} is not a Jupyter notebook, or it is damaged: open it in Jupyter, "
            "save it, and try again."
        ) from None


def _defined(cells: Sequence[str]) -> Scope:
    """Run the definitions in cells, each on its own, whatever becomes of the others."""
    scope: Scope = {"__name__": "__main__", "__builtins__": builtins}
    for i, source in enumerate(definitions(cells)):
        name = f"<definition {i}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        # Anything may be raised, SystemExit too; the next one still counts.
        with contextlib.suppress(Exception, SystemExit), _quiet():
            _within(DEFINITION_SECONDS, partial(_run, source, name, scope))
    return scope


def _run(source: str, name: str, scope: Scope) -> None:
    exec(compile(source, name, "exec"), scope)  # noqa: S102  the student's own text


# ------------------------------------------------------------------------------- asking
def ask_all(check: SelfCheck, scope: Scope) -> dict[ProbeKey, Reply]:
    """Put every question to the names in `scope`, which are the same afterwards."""
    apart = sys.platform == "linux" and hasattr(os, "fork")  # elsewhere a fork may hang in BLAS
    sure = False  # that it is the student's code if a fork does not answer
    replies: dict[ProbeKey, Reply] = {}
    for question in check.questions:
        reply = _asked_apart(check, question, scope, check.probe_seconds) if apart else None
        if reply is not None and reply.kind is ReplyKind.TIMEOUT and not sure:
            # Some libraries do not survive forking. What hangs by itself must not come in here.
            other = _asked_apart(check, TRIVIAL, {}, TRIVIAL_SECONDS)
            sure = apart = other is not None and other.kind is ReplyKind.VALUE
        if reply is None or not apart:
            reply = _asked_here(check, question, scope)
        replies[question.key] = reply
    return replies


def _asked_apart(
    check: SelfCheck, question: Question, scope: Scope, seconds: float
) -> Reply | None:
    """Ask in a fork: what happens there has happened nowhere else. None if there can be none."""
    sys.stdout.flush()
    sys.stderr.flush()
    call = {
        "source": question.source,
        "probe_id": question.key[0],
        "number": question.number,
    }
    try:
        status, payload = harness.ask_in_fork(
            call, _names(scope), seconds=seconds, limit=check.answer_bytes
        )
    except OSError:  # too many processes, too little memory
        return None
    if status == "done":
        return decode(payload, limit=check.answer_bytes)
    return Reply(ReplyKind(status))


def _asked_here(check: SelfCheck, question: Question, scope: Scope) -> Reply:
    """Ask in this process, and put everything back."""
    asked = (question.source, question.key[0], question.number)
    with _put_back(scope), _quiet():
        payload = _within(check.probe_seconds, lambda: harness.answer(*asked, _names(scope)))
    if payload is None:
        return Reply(ReplyKind.TIMEOUT)
    return decode(payload, limit=check.answer_bytes)


def _names(scope: Scope) -> harness.Names:
    return harness.Names(scope)


class _TimeIsUp(BaseException):
    """A question took too long. Not an Exception, which a student's code may catch."""


def _within(seconds: float, work: Callable[[], Any]) -> Any:
    """Return what `work` returns; None if it took too long, where there is a timer.

    A bare `except:` swallows _TimeIsUp. So it is raised again and again, after a while so often
    that it comes where nothing catches it, between one round of a loop and the next.
    """
    main_thread = threading.current_thread() is threading.main_thread()
    if not main_thread or not hasattr(signal, "setitimer"):
        return work()
    raised = 0

    def stop(_number: int, frame: FrameType | None) -> None:
        nonlocal raised
        if frame is None or frame.f_code in (_within.__code__, stop.__code__):
            return  # the work has not begun, is over, or is being stopped
        raised += 1
        if raised == GENTLY:
            signal.setitimer(signal.ITIMER_REAL, OFTEN_SECONDS, OFTEN_SECONDS)
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
    try:
        found = work()
    except _TimeIsUp:
        found = None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)
    return None if raised else found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drop what is printed: it would drown the report."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


# ------------------------------------------------------------------------------- put back
@contextlib.contextmanager
def _put_back(scope: Scope) -> Iterator[None]:
    """Undo what stand-ins and the student's own functions do to names, classes and generators."""
    names = dict(scope)
    own = [each for each in names.values() if isinstance(each, type)]
    own = [each for each in own if each.__module__ == "__main__"]
    classes = [(each, dict(vars(each))) for each in own]
    undoing = [
        _undoing(value)
        for name, value in names.items()
        if isinstance(name, str) and not name.startswith("_") and name not in {"In", "Out"}
    ]
    drawn, np_drawn, floats = random.getstate(), np.random.get_state(), np.geterr()  # noqa: NPY002  students draw from it
    try:
        with warnings.catch_warnings():
            yield
    finally:
        random.setstate(drawn)
        np.random.set_state(np_drawn)  # noqa: NPY002  as above
        np.seterr(**floats)
        for each, attributes in classes:
            _restore_class(each, attributes)
        for undo in filter(None, undoing):
            with contextlib.suppress(Exception):  # the others are put back all the same
                undo()
        for name in [name for name in scope if name not in names]:
            del scope[name]
        scope.update(names)


def _undoing(value: Any) -> Callable[[], object] | None:
    """Return what undoes changes of a value in place, one level deep; None if nothing can."""
    kind = type(value)  # none of a student's, whatever it says of itself
    if kind is np.ndarray and value.nbytes <= COPIED_BYTES and value.flags.writeable:
        return partial(np.copyto, value, value.copy())
    if kind in (list, dict, set) and len(value) <= COPIED_PARTS:
        return partial(_refill, value, value.copy())
    if kind is np.random.Generator:
        return partial(setattr, value.bit_generator, "state", value.bit_generator.state)
    if kind is np.random.RandomState:
        return partial(value.set_state, value.get_state(legacy=False))
    if kind is random.Random:
        return partial(value.setstate, value.getstate())
    return None


def _refill(value: Any, copy: Any) -> None:
    value.clear()
    (value.extend if type(value) is list else value.update)(copy)


def _restore_class(each: type, attributes: Mapping[str, Any]) -> None:
    for name in [name for name in vars(each) if name not in attributes]:
        delattr(each, name)
    for name, value in attributes.items():
        if vars(each).get(name) is not value:
            with contextlib.suppress(AttributeError, TypeError):  # what Python itself keeps there
                setattr(each, name, value)
