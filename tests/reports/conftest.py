"""Grades to report on, judged by hand with the a2 rubric; notebooks; hostile words."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from grader.differences import Difference, Place
from grader.exhibits import Exhibit
from grader.model import (
    CellOutcome,
    CellRun,
    CheckResult,
    Grade,
    Late,
    Mark,
    Outcome,
    ProbedIn,
    RunOutcome,
    RunRecord,
    Student,
    Visibility,
)
from grader.pictures import Chart, Listing, Role, Strip, Strips, curve, dots
from grader.rubric import CheckRule, Rubric, parse_rubric
from grader.scoring import NOT_LATE, score

ROOT = Path(__file__).resolve().parents[2]
STAFF_NOTE = "HIDDEN-NUMBER-8675309"
FULL_MARKS = {"experiments": Mark(points=Decimal(15)), "discussion": Mark(points=Decimal(15))}
RUN = RunRecord(
    outcome=RunOutcome.COMPLETE,
    probed_in=ProbedIn.NOTEBOOK,
    cells=(CellRun(index=1, outcome=CellOutcome.OK), CellRun(index=3, outcome=CellOutcome.OK)),
    seconds=41.25,
    isolation=("no network", "memory limit"),
)
MakeGrade: TypeAlias = Callable[..., Grade]


@pytest.fixture(scope="session")
def rubric() -> Rubric:
    return parse_rubric((ROOT / "rubrics/a2/rubric.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Judgement:
    """What became of the checks: the lost ones with their message, the broken ones."""

    lost: Mapping[str, str]
    broken: frozenset[str]

    def result(self, rule: CheckRule) -> CheckResult:
        outcome = Outcome.FAILED if rule.id in self.lost else Outcome.PASSED
        outcome = Outcome.BROKEN if rule.id in self.broken else outcome
        return CheckResult(
            check_id=rule.id,
            title=rule.title,
            outcome=outcome,
            earned=rule.points if outcome is Outcome.PASSED else Decimal(0),
            possible=rule.points,
            message=self.lost.get(rule.id, ""),
            visibility=Visibility.HIDDEN,
            staff_note="" if outcome is Outcome.PASSED else STAFF_NOTE,
        )


NO_SWISH = {
    "swish_values": "`swish` is not defined in the notebook.",
    "swish_gradient": "`grad_swish` is not defined in the notebook.",
    "swish_network": "Your code stopped with AttributeError.",
}


@pytest.fixture(scope="session")
def make_grade(rubric: Rubric) -> MakeGrade:
    """Build a Grade; without arguments one without a loss, marked, on time, without swish."""

    def make(
        lost: Mapping[str, str] | None = None,
        *,
        broken: tuple[str, ...] = (),
        marks: Mapping[str, Mark] = FULL_MARKS,
        late: Late = NOT_LATE,
        name: str = "Lee, Ana",
        canvas_id: str = "40103",
        file: str = "Lee-A2.ipynb",
        swish: bool = False,
        attention: tuple[str, ...] = (),
        run: RunRecord = RUN,
        partners: tuple[Student, ...] = (),
    ) -> Grade:
        judged = Judgement({**({} if swish else NO_SWISH), **(lost or {})}, frozenset(broken))
        results = [judged.result(rule) for rule in rubric.checks]
        return Grade(
            student=Student(name=name, canvas_id=canvas_id, login="alee"),
            file=file,
            sha256="0f" * 32,
            run=run,
            score=score(rubric, results, marks, late=late, open_question=bool(attention)),
            attention=attention,
            partners=partners,
        )

    return make


LOST: Sequence[Mapping[str, str]] = (
    {},
    {"relu_values": "No.", "relu_untouched": "No."},
    {"relu_values": "No."},
    {"network_gradient": "No."},
)


@pytest.fixture(scope="session")
def class_of_15(make_grade: MakeGrade) -> list[Grade]:
    """Two of them a pair, one late, one without marks."""
    lee = Student(name="Lee, Ana", canvas_id="1", login="alee")  # the login of make_grade
    ng = replace(lee, name="Ng, Bo", canvas_id="2")
    pair = [
        make_grade(LOST[1], name=one.name, canvas_id=one.canvas_id, partners=(other,))
        for one, other in ((lee, ng), (ng, lee))
    ]
    others = [
        make_grade(LOST[i % 4], name=f"Surname{i}, X", canvas_id=str(i), file=f"file{i}.ipynb")
        for i in range(10, 21)
    ]
    late = make_grade(name="Late, L", canvas_id="77", late=Late(days=2, penalty=Decimal(20)))
    return [*pair, *others, late, make_grade(marks={}, name="Open, O", canvas_id="78")]


# ------------------------------------------------------------------------------- exhibits
def exhibits_of(word: str) -> dict[str, Exhibit]:
    """One exhibit of each kind, for checks of different items; `word` wherever one may stand."""
    seen = Place(index=(0, 1), expected="2", seen=word)
    sentence = "Expected 2 at index [0, 1], yours is 3 (2 of 4 values differ)."
    values = Difference(
        name=word,
        first=seen,
        largest=Place(index=(1, 1), expected="4", seen="40"),
        distance="36",
        differing=2,
        of=4,
        sentence=sentence,
        verdict="The result has wrong values.",
    )
    chart = Chart(
        series=(curve(word, np.arange(3.0), role=Role.EXPECTED), dots(word, np.arange(3.0))),
        x_label=word,
        y_label=word,
        caption=f"A chart of {word}.",
    )
    strips = Strips(
        strips=(Strip(label=word, cells=("V", word), off=frozenset({1})),),
        key={"V": word},
        caption=f"Folds of {word}.",
    )
    listing = Listing(
        expected=("2 epochs", "3 epochs"), yours=("3 epochs", word), caption=f"A list of {word}."
    )
    return {
        "adam_parabola": Exhibit(difference=values, picture=chart, snippet=f"print({word!r})"),
        "relu_shape": Exhibit(difference=Difference(name=word, shapes=((6, 4), (4,)))),
        "partition_order": Exhibit(picture=strips),
        "experiment_grid": Exhibit(
            difference=Difference(name=word, kinds=("a list of 2", word)), picture=listing
        ),
    }


@pytest.fixture(scope="session")
def make_exhibits() -> Callable[[str], dict[str, Exhibit]]:
    return exhibits_of


SHOWN = {
    "adam_parabola": (
        "The result has wrong values. "
        "Expected 2 at index [0, 1], yours is 3 (2 of 4 values differ). Mind the epochs."
    ),
    "relu_shape": "`values` should have shape (6, 4), not (4,).",
    "partition_order": "The rows are in another order.",
    "experiment_grid": "The settings come in another order.",
}


@pytest.fixture(scope="session")
def shown_losses() -> Mapping[str, str]:
    """Messages of the checks that `make_exhibits` shows."""
    return SHOWN


# ------------------------------------------------------------------------------- notebooks
def png_of(width: int = 3, height: int = 2, *, padding: int = 0, claim: int = 0) -> bytes:
    """A right PNG; with `padding` bytes of comment, or with a width that it only claims to have."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", claim or width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + bytes(width) for _ in range(height)))
    comment = chunk(b"tEXt", b"c\0" + bytes(padding)) if padding else b""
    body = chunk(b"IHDR", header) + comment + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture(scope="session")
def make_png() -> Callable[..., bytes]:
    return png_of


def notebook_of(*outputs: Mapping[str, Any], source: str = "plt.plot(errors)") -> str:
    """A notebook of one text cell and one code cell with display outputs of the given data."""
    shown = [{"output_type": "display_data", "data": data, "metadata": {}} for data in outputs]
    cells = [
        {"cell_type": "markdown", "source": "# A2"},
        {"cell_type": "code", "source": source, "outputs": shown},
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})


@pytest.fixture(scope="session")
def make_notebook() -> Callable[..., str]:
    return notebook_of


# ------------------------------------------------------------------------------- hostile words
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "image": "<img src=x onerror=alert(1)>",
    "closing": "</title></style></h1>\"'><svg onload=alert(1)>",
    "template": "{{ 7*7 }}{% raw %}",
    "markup": "[bold red]Bob[/] [link=http://evil.example]x[/link]",
    "ansi": "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07 \x9b2J\x07\x08",
    "bidi": "abc\u202egpj.exe\u2066x\u2069\u200f",
    "formula": '=HYPERLINK("http://evil.example","click")',
    "tab": "\t=1+1",
    "at": "@SUM(A1)",
    "semicolon": "Lee;=cmd|' /C calc'!A0",
    "lines": "one\ntwo\r\n=three\u2028four",
    "surrogate": "bad\udcffbytes",
    "tags": "hidden\U000e0041\U000e0042",
}


@pytest.fixture(params=list(HOSTILE.values()), ids=list(HOSTILE))
def hostile(request: pytest.FixtureRequest) -> str:
    return str(request.param)
