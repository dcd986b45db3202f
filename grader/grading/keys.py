"""What evidence and judgements depend on, as digests: equal digests, equal outcome.

Evidence depends on the notebook, the questions, the limits and what the kernel is made of. A
verdict depends on the replies, the reference's replies, the check and the code that judges. A
digest that differs costs work, one that wrongly agrees costs a grade: in doubt, more goes in.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import grader
from grader.checks import AGREES, SAME
from grader.evidence import encode
from grader.execution import EXECUTION_VERSION
from grader.judging import asked
from grader.model import Evidence, ProbeCall, ProbeKey, Reply, RunOutcome, RunRecord
from grader.packs import Pack
from grader.rubric import CheckRule

PACKAGES = ("ipykernel", "ipython", "matplotlib", "numpy", "pandas", "scipy")  # in every kernel
LATE_POLICY, CHECKS_BY_ITEM = "late policy", "checks by item"  # no check is called so
BUILT_IN = frozenset({AGREES.name, SAME.name})
_HERE = Path(grader.__file__).parent


def digest(*parts: Any) -> str:
    """Return the SHA-256 of parts that json can write."""
    text = json.dumps(parts, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def tree(folder: Path, files: Iterable[Path]) -> str:
    """Return the digest of files: their names within `folder`, and what is in them."""
    named = sorted((path.relative_to(folder).as_posix(), path) for path in files)
    return digest(*((name, hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in named))


# ------------------------------------------------------------------------------- evidence
def question(call: ProbeCall) -> str:
    """Return what a question is: its text and its number, and not where it stands."""
    return digest(call.probe_id, call.source, call.number)


def environment(pack: Pack) -> str:
    """Return what a kernel of this assignment is made of, as far as an answer may depend on it."""
    rubric = pack.rubric
    files = {
        name: hashlib.sha256(pack.file(path).read_bytes()).hexdigest()
        for name, path in sorted(rubric.files.items())
    }
    return digest(
        EXECUTION_VERSION,
        tree(_HERE, (_HERE / "inside").glob("*.py")),
        *(files, sorted(rubric.offline.items()), rubric.self_check),
        *(platform.machine(), platform.python_version(), _packages()),
    )


@cache
def _packages() -> dict[str, str]:
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def fingerprint(secret: bytes) -> str:
    """Return what tells whether two hidden seeds are the same, and not what they are."""
    return hmac.new(secret, b"fingerprint of the hidden seed", hashlib.sha256).hexdigest()[:16]


def reference(pack: Pack, calls: Iterable[ProbeCall]) -> str:
    """Return what the reference's answers depend on."""
    folder = pack.folder.resolve()  # its files may be read by the reference; points never are
    others = [p for p in folder.rglob("*") if _is_source(p) and p != folder / "rubric.toml"]
    return digest(
        environment(pack),
        _solution(pack),
        tree(folder, others),
        [[call.probe_id, str(call.seed), question(call)] for call in calls],
    )


def _solution(pack: Pack) -> str:
    place = (pack.folder / pack.rubric.reference).resolve()
    own = [place] if place.is_file() else [p for p in place.rglob("*") if _is_source(p)]
    return tree(place.parent, own)


def mistaken(pack: Pack, calls: Iterable[ProbeCall]) -> str:
    """Return what the known mistakes' answers depend on."""
    return digest(
        environment(pack),
        _solution(pack),
        of_pack(pack, "mistakes.py"),
        [[item.id, sorted(pack.rubric.probes_of(item.id))] for item in pack.rubric.item],
        [[call.probe_id, str(call.seed), question(call)] for call in calls],
    )


def _is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


# ------------------------------------------------------------------------------- judgements
@cache
def judging_code() -> str:
    """Return the digest of all modules that verdicts could depend on."""
    return digest(tree(_HERE, _HERE.glob("*.py")), _version("numpy"))


@cache
def report_code() -> str:
    """Return the digest of all that feedback pages are made by."""
    reports = [path for path in (_HERE / "reports").rglob("*") if _is_source(path)]
    return digest(judging_code(), tree(_HERE, reports))


def of_pack(pack: Pack, *names: str) -> str:
    """Return the digest of some files of a pack; those that are not there count as such."""
    there = [pack.folder / name for name in names if (pack.folder / name).is_file()]
    return tree(pack.folder, there)


def replies_of(expected: Mapping[ProbeKey, Reply]) -> dict[ProbeKey, str]:
    """Return the digest of each of the reference's answers."""
    run = RunRecord(outcome=RunOutcome.COMPLETE)
    return {
        key: hashlib.sha256(encode(Evidence(run=run, replies={key: reply}))).hexdigest()
        for key, reply in expected.items()
    }


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one grading's judgements."""

    questions: Mapping[ProbeKey, str]
    verdicts: Mapping[tuple[str, str], str]  # (check id, probe id) -> key of the judgement
    names: Mapping[str, str]  # item -> key of the mistakes that its checks were lost to
    mistaken: str  # of what the known mistakes answer
    facts: str
    pages: str
    facets: Mapping[str, Any]  # what each check was judged by, piece by piece; and of what item

    @classmethod
    def of(cls, pack: Pack, calls: Sequence[ProbeCall], expected: Mapping[ProbeKey, Reply]) -> Keys:
        """Work out the keys of all judgements on evidence that answers `calls`."""
        questions = {call.key: question(call) for call in calls}
        answers = replies_of(expected)
        judged = _Judged(pack, questions, answers)
        rubric = pack.rubric
        verdicts = {
            (rule.id, probe): judged.key(rule, probe)
            for rule in rubric.checks
            for probe in rule.probes
        }
        facts = digest(
            of_pack(pack, "facts.py", rubric.starter), judging_code(), rubric.survey or ""
        )
        shown = [path for path in pack.folder.glob("*") if _shown(path)]
        marked = [item.marked.model_dump_json() for item in rubric.item if item.marked]
        pages = digest(
            *(report_code(), rubric.title, rubric.perfect, marked),
            *(tree(pack.folder, shown), sorted(answers.values())),
            *(of_pack(pack, "checks.py"), [_exhibited(rule) for rule in rubric.checks]),
        )
        sources = {(call.probe_id, str(call.seed)): digest(call.source) for call in calls}
        facets: dict[str, Any] = {r.id: judged.facets(r, sources) for r in rubric.checks}
        facets[LATE_POLICY] = digest(rubric.late.model_dump_json())
        facets[CHECKS_BY_ITEM] = {item.id: [r.id for r in item.check] for item in rubric.item}
        known = mistaken(pack, calls)
        names = {
            item.id: digest([verdicts[r.id, p] for r in item.check for p in r.probes], known)[:20]
            for item in rubric.item
        }
        return cls(questions, verdicts, names, known, facts, pages, facets)


def _exhibited(rule: CheckRule) -> list[Any]:
    """Return what numbers, picture and snippet of a lost check depend on."""
    return [rule.check, rule.answer, rule.tolerance, rule.picture, rule.snippet]


def _shown(path: Path) -> bool:
    """Whether a pack's file may be on a page without being in the grade."""
    judged = {"rubric.toml", "probes.py", "checks.py", "facts.py", "mistakes.py"}
    return path.is_file() and path.name not in judged


@dataclass(frozen=True, slots=True)
class _Judged:
    """What verdicts depend on besides the student's replies."""

    pack: Pack
    questions: Mapping[ProbeKey, str]
    answers: Mapping[ProbeKey, str]

    def key(self, rule: CheckRule, probe: str) -> str:
        seeds = asked(self.answers, probe, varies=rule.varies)
        on = [[str(s), self.questions.get((probe, s), ""), self.answers[(probe, s)]] for s in seeds]
        parts = (judging_code(), self._check(rule), rule.answer, rule.tolerance)
        return digest(*parts, on)[:20]

    def _check(self, rule: CheckRule) -> list[str]:
        own = "" if rule.check in BUILT_IN else of_pack(self.pack, "checks.py")
        return [rule.check, own]

    def _mistakes(self) -> str:
        return of_pack(self.pack, "mistakes.py")

    def facets(self, rule: CheckRule, sources: Mapping[tuple[str, str], str]) -> dict[str, str]:
        """Return what a change of this check's verdict or points may be put down to, by name."""
        keys = [(p, s) for p in rule.probes for s in asked(self.answers, p, varies=rule.varies)]
        if_lost = rule.if_lost.model_dump_json() if rule.if_lost else ""
        facets: dict[str, list[Any]] = {
            "points": [rule.points],
            "tolerance": [rule.tolerance],
            "check": [self._check(rule), rule.answer, if_lost],
            "text": [rule.title, rule.hint],
            "probe": [[p, str(s), sources.get((p, str(s)), "")] for p, s in keys],
            "seeds": [self.questions.get(key, "") for key in keys],
            "reference": [self.answers[key] for key in keys],
            "mistake catalogue": [self._mistakes()],
            "grader's own code": [judging_code()],
        }
        return {name: digest(*parts)[:12] for name, parts in facets.items()}
