"""What the self-check holds of an assignment: public questions, public answers, texts.

Answers are data, worked out here. Nothing of the reference's text is held, nor of the known
mistakes' but what a student is told, and there is no hidden seed to hold: none is given.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader.evidence import encode
from grader.grading.batch import Exam
from grader.grading.bundling.parts import PACKAGE, fitted
from grader.model import Evidence, ProbeKey, Reply, RunOutcome, RunRecord
from grader.rubric import CheckRule, Rubric

_RUN = RunRecord(outcome=RunOutcome.COMPLETE)
RULE = {"id", "title", "points", "probe", "check", "answer", "tolerance", "varies", "hint"}
RULE |= {"picture", "snippet", "if_lost"}
ITEM = {"id", "title", "section", "points", "marked"}


def held(exam: Exam, script: str, jobs: int) -> dict[str, Any]:
    """Return plain values for `json`: all that grader.grading.bundling.selfcheck reads.

    Args:
        exam: the public questions and their answers.
        script: the name of the file.
        jobs: in how many processes to work out what the known mistakes answer.
    """
    pack, limits = exam.pack, exam.pack.rubric.limits.limits()
    asked = [call for call in exam.calls if call.key in exam.expected]
    probes = pack.folder / "probes.py"
    exam.known.work_out(_items(pack.rubric), jobs)
    return {
        "script": script,
        "rubric": _rubric(pack.rubric),
        "probe_seconds": limits.probe_seconds,
        "answer_bytes": limits.answer_bytes,
        "sources": {call.probe_id: _probe(call.source, probes) for call in asked},
        "questions": [[call.probe_id, call.seed.index, call.number] for call in asked],
        "expected": _written(exam.expected),
        "mistakes": {
            name: [each.item, each.says, len(each.ways)] for name, each in pack.mistakes.items()
        },
        "known": _written(_differing(exam)),
        "snippets": dict(pack.snippets),
    }


def _rubric(rubric: Rubric) -> dict[str, Any]:
    items = [
        {
            **item.model_dump(mode="json", include=ITEM),
            "check": [_rule(rule) for rule in item.check],
        }
        for item in rubric.item
    ]
    return {"title": rubric.title, "perfect": rubric.perfect, "item": items}


def _rule(rule: CheckRule) -> dict[str, Any]:
    return rule.model_dump(mode="json", include=RULE)


def _probe(source: str, path: Path) -> str:
    """Return a probe's text for a Python that may be older than the grader's."""
    return f"from {PACKAGE}.older import zip\n{fitted(source, path)}"


def _differing(exam: Exam) -> dict[ProbeKey, Reply]:
    """Return what the known mistakes answer, where that is not what is right."""
    right = {key: _written({key: reply}) for key, reply in exam.expected.items()}
    found = {}
    for (label, seed), reply in exam.known.kept(_items(exam.pack.rubric)).items():
        key = (label.split()[2], seed)
        if _written({key: reply}) != right[key]:
            found[label, seed] = reply
    return found


def _items(rubric: Rubric) -> list[str]:
    return [item.id for item in rubric.item]


def _written(replies: Mapping[ProbeKey, Reply]) -> str:
    return base64.b64encode(encode(Evidence(run=_RUN, replies=replies))).decode()
