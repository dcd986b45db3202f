"""Find and load assignment packs: a folder with rubric.toml, probes.py and perhaps more.

A pack is its author's trusted code and is loaded by path, never by name, so nothing of it can be
imported by accident, here or in a kernel. Adding a pack adds files and edits nothing.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.abc import Loader
from pathlib import Path
from types import ModuleType
from typing import Any

from grader.answers import decode
from grader.checks import Check, catalogue
from grader.errors import PackError
from grader.facts import FactFinder
from grader.inside import harness
from grader.mistakes import Change, Mistake, Right, changed
from grader.model import Limits, ProbeCall, ProbeKey, Reply, ReplyKind
from grader.pictures import Painter
from grader.probes import Probe, questions
from grader.rubric import Rubric, parse_rubric

SLUG = re.compile(r"[a-z][a-z0-9_-]*")
REFERENCE_ANSWER_BYTES = 256 << 20
PATIENCE = 3  # times the limit of one probe, for all probes of a variation in one fork
SNIPPET_LINES = 16
SNIPPET_COLUMNS = 76  # so that an indented one fits a terminal of 80 columns


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """One assignment, loaded and found to agree with itself."""

    slug: str
    folder: Path
    rubric: Rubric
    probes_text: str
    checks: Mapping[str, Check]
    facts: tuple[FactFinder, ...]
    mistakes: Mapping[str, Mistake] = field(default_factory=dict)
    rights: Mapping[str, Right] = field(default_factory=dict)
    painters: Mapping[str, Painter] = field(default_factory=dict)
    snippets: Mapping[str, str] = field(default_factory=dict)

    def questions(self, secret: bytes | None) -> tuple[ProbeCall, ...]:
        """Return every question to put to a notebook; hidden ones only where a secret is given."""
        seeds = self.rubric.seeds
        return questions(
            self.probes_text,
            self.rubric.probes,
            public=seeds.public,
            hidden=seeds.hidden,
            secret=secret,
        )

    def survey(self) -> tuple[ProbeCall, ...]:
        """Return the question that gathers facts, if there is one. The reference is not asked."""
        asked = [(self.rubric.survey, False)] if self.rubric.survey else []
        return questions(self.probes_text, asked, public=(0,), hidden=0, secret=None)

    def expected(self, calls: Sequence[ProbeCall]) -> dict[ProbeKey, Reply]:
        """Put the questions to the reference, each to a fresh copy of it.

        Raises:
            PackError: a probe finds no answer in the reference, so the pack is wrong.
        """
        return {call.key: self._expected(call) for call in calls}

    def _expected(self, call: ProbeCall) -> Reply:
        payload = _answer_of_copy(self.folder / self.rubric.reference, call)
        reply = decode(payload, limit=REFERENCE_ANSWER_BYTES)
        if reply.kind is not ReplyKind.VALUE:
            why = f"{reply.kind} {reply.error_type} {reply.detail}".strip()
            raise PackError(
                f"{self.slug}: the reference has no answer to probe `{call.probe_id}`: {why}."
            )
        return reply

    def answers_if(
        self, changes: Sequence[Change], calls: Sequence[ProbeCall]
    ) -> dict[ProbeKey, Reply]:
        """Put the questions to the reference as it would be with `changes`.

        In a fork and with a limit of time, since what is wrong on purpose may never come to an
        end: all questions in one fork, each to a fresh copy; else each in a fork of its own.

        Raises:
            PackError: the changes do not fit the reference, or it can no longer be loaded.
        """
        limits = self.rubric.limits.limits()
        with tempfile.TemporaryDirectory(prefix="grader-variation-") as folder:
            path = self._changed(changes, Path(folder))
            with _reference(path) as scopes:
                status, joined = harness.in_fork(
                    lambda: _answers_of_copies(path, calls),
                    seconds=PATIENCE * limits.probe_seconds,
                    limit=REFERENCE_ANSWER_BYTES,
                )
                if status == "done":
                    found = zip(calls, _cut(joined), strict=True)
                    return {c.key: decode(reply, limit=limits.answer_bytes) for c, reply in found}
                return {call.key: ask(call, harness.Names(*scopes), limits) for call in calls}

    def _changed(self, changes: Sequence[Change], folder: Path) -> Path:
        """Write the reference with `changes` into `folder`; return where it can be loaded from."""
        texts = changed(self._reference_texts(), changes)
        for name, text in texts.items():
            path = folder / "reference" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        package = (self.folder / self.rubric.reference).is_dir()
        return folder / "reference" if package else folder / "reference" / next(iter(texts))

    def _reference_texts(self) -> dict[str, str]:
        """Return the reference's files, by their path in it."""
        path = self.folder / self.rubric.reference
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        root = path if path.is_dir() else path.parent
        return {str(f.relative_to(root)): f.read_text(encoding="utf-8") for f in files}

    def file(self, name: str) -> Path:
        """Return a file of the pack by its path in rubric.toml."""
        path = self.folder / name
        if not path.is_file():
            raise PackError(f"{self.slug}: rubric.toml names `{name}`, which is not in the pack.")
        return path


def ask(call: ProbeCall, names: harness.Names, limits: Limits) -> Reply:
    """Put one question to names of this process, in a fork of it."""
    asked = {"source": call.source, "probe_id": call.probe_id, "number": call.number}
    seconds, most = limits.probe_seconds, limits.answer_bytes
    status, payload = harness.ask_in_fork(asked, names, seconds=seconds, limit=most)
    return decode(payload, limit=most) if status == "done" else Reply(ReplyKind(status))


def _answer_of_copy(path: Path, call: ProbeCall) -> bytes:
    """Put one question to a fresh copy of the reference at `path`, here."""
    with _reference(path) as scopes:
        return harness.answer(call.source, call.probe_id, call.number, harness.Names(*scopes))


def _answers_of_copies(path: Path, calls: Sequence[ProbeCall]) -> bytes:
    """Put each question to a fresh copy of what is at `path`; for a fork of this process."""
    # A copy is compiled once, however Python was started: the folder goes away with the variation.
    sys.dont_write_bytecode = False
    return b"".join(_framed(path, call) for call in calls)


def _framed(path: Path, call: ProbeCall) -> bytes:
    reply = _answer_of_copy(path, call)
    return harness.LENGTH.pack(len(reply)) + reply


def _cut(joined: bytes) -> Iterator[bytes]:
    """Cut framed replies apart again."""
    at = 0
    while at < len(joined):
        (size,) = harness.LENGTH.unpack_from(joined, at)
        at += harness.LENGTH.size + size
        yield joined[at - size : at]


# ------------------------------------------------------------------------------- finding
def find_packs(folders: Sequence[Path]) -> dict[str, Path]:
    """Return slug -> folder of every pack in `folders`; an earlier folder's pack wins."""
    found: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise PackError(f"There is no folder of packs at {folder}.")
        for pack in sorted(folder.iterdir()):
            if SLUG.fullmatch(pack.name) and (pack / "rubric.toml").is_file():
                found.setdefault(pack.name, pack)
    return found


def load_pack(slug: str, folders: Sequence[Path]) -> Pack:
    """Load the pack `slug` from the first of `folders` that has it.

    Raises:
        PackError: there is none, or it contradicts itself; the sentence says what to change.
    """
    packs = find_packs(folders)
    if slug not in packs:
        there = ", ".join(sorted(packs)) or "none"
        raise PackError(f"There is no assignment `{slug}`. Those that I know: {there}.")
    folder = packs[slug]
    rubric = parse_rubric(
        (folder / "rubric.toml").read_text(encoding="utf-8"), f"{slug}/rubric.toml"
    )
    text = (folder / "probes.py").read_text(encoding="utf-8")
    probes = _marked(folder / "probes.py", Probe)
    facts = _marked(folder / "facts.py", FactFinder, optional=True)
    known = _marked(folder / "mistakes.py", Mistake, Right, optional=True)
    pack = Pack(
        slug=slug,
        folder=folder,
        rubric=rubric,
        probes_text=text,
        checks=catalogue(_marked(folder / "checks.py", Check, optional=True)),
        facts=tuple(facts.values()),
        mistakes={name: each for name, each in known.items() if isinstance(each, Mistake)},
        rights={name: each for name, each in known.items() if isinstance(each, Right)},
        painters=_marked(folder / "pictures.py", Painter, optional=True),
        snippets=_snippets(folder / "snippets.toml"),
    )
    _agree(pack, set(probes))
    _fit(pack)
    return pack


def _agree(pack: Pack, probes: set[str]) -> None:
    """Refuse a rubric that names what the pack does not have, and probes that nobody asks."""
    asked = {probe_id for probe_id, _ in pack.rubric.probes}
    asked |= {pack.rubric.survey} if pack.rubric.survey else set()
    if missing := sorted(asked - probes):
        raise PackError(f"{pack.slug}: rubric.toml asks `{missing[0]}`, no probe of probes.py.")
    if idle := sorted(probes - asked):
        raise PackError(f"{pack.slug}: no check of rubric.toml asks the probe `{idle[0]}`.")
    for rule in pack.rubric.checks:
        if rule.check not in pack.checks:
            raise PackError(
                f"{pack.slug}: check `{rule.id}` is judged by `{rule.check}`, which is not there."
            )
    _agree_on_showing(pack)
    for name in [*pack.rubric.files.values(), *filter(None, [pack.rubric.starter])]:
        pack.file(name)


def _agree_on_showing(pack: Pack) -> None:
    """The same for pictures and snippets."""
    rules = pack.rubric.checks
    for there, named, file in (
        (pack.painters, {rule.id: rule.picture for rule in rules}, "pictures.py"),
        (pack.snippets, {rule.id: rule.snippet for rule in rules}, "snippets.toml"),
    ):
        for check, name in named.items():
            if name and name not in there:
                raise PackError(f"{pack.slug}: check `{check}` names `{name}`, not in {file}.")
        if idle := sorted(there.keys() - set(named.values())):
            raise PackError(f"{pack.slug}: no check of rubric.toml names `{idle[0]}` of {file}.")


def _fit(pack: Pack) -> None:
    """Refuse a mistake of an item or check that is not there."""
    judged = {item.id: {rule.id for rule in item.check} for item in pack.rubric.item}
    for name, known in pack.mistakes.items():
        if not judged.get(known.item):
            raise PackError(
                f"{pack.slug}: the mistake `{name}` belongs to `{known.item}`, which is no item "
                "with checks."
            )
        if strange := sorted((known.loses or frozenset()) - judged[known.item]):
            raise PackError(
                f"{pack.slug}: the mistake `{name}` says that it loses `{strange[0]}`, which is "
                f"no check of `{known.item}`."
            )


# ------------------------------------------------------------------------------- loading
def _snippets(path: Path) -> dict[str, str]:
    """Read name -> code, each short enough to be pasted and whole Python.

    Raises:
        PackError: the file is no TOML of texts, or a snippet is none.
    """
    if not path.is_file():
        return {}
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise PackError(f"{path} is not TOML: {error}.") from error
    for name, code in read.items():
        if not isinstance(code, str):
            raise PackError(f"{path}: `{name}` should be a text of Python.")
        try:
            ast.parse(code)
        except SyntaxError as error:
            raise PackError(f"{path}: `{name}` is not Python: {error}.") from error
        lines = code.strip().splitlines()
        if len(lines) > SNIPPET_LINES or max(map(len, lines), default=0) > SNIPPET_COLUMNS:
            most = f"{SNIPPET_LINES} lines of {SNIPPET_COLUMNS} characters"
            raise PackError(f"{path}: `{name}` is longer than {most}.")
    return {name: code.strip() for name, code in read.items()}


def _marked(path: Path, *marks: type[Any], optional: bool = False) -> dict[str, Any]:
    """Run a file of the pack and return what it marked as one of `marks`, by name."""
    if optional and not path.is_file():
        return {}
    with _loaded(path, f"grader_pack_{path.parent.name}_{path.stem}") as module:
        return {name: thing for name, thing in vars(module).items() if isinstance(thing, marks)}


@contextmanager
def _reference(path: Path) -> Iterator[list[dict[str, Any]]]:
    """Load a fresh copy of the reference; yield the namespaces of its modules."""
    name = "grader_reference"
    with _loaded(path, name) as module:
        inner = [m for key, m in sys.modules.items() if key.startswith(f"{name}.")]
        yield [vars(m) for m in (module, *inner)]


@contextmanager
def _loaded(path: Path, name: str) -> Iterator[ModuleType]:
    """Run the module or package at `path` under `name`, and forget it afterwards."""
    file = path / "__init__.py" if path.is_dir() else path
    spec = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=[str(path)] if path.is_dir() else None
    )
    if not file.is_file() or spec is None or spec.loader is None:
        raise PackError(f"There is no Python file at {file}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        _run(spec.loader, module, file)
        yield module
    finally:
        for key in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
            del sys.modules[key]


def _run(loader: Loader, module: ModuleType, file: Path) -> None:
    try:
        loader.exec_module(module)
    except Exception as error:
        raise PackError(f"{file} cannot be loaded: {type(error).__name__}: {error}.") from error
