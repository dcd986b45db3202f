"""No attack gets what it wants, and whoever is graded beside it keeps the full grade."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from grader.kernels.forked import layers
from tests.adversarial import runner
from tests.adversarial.attack import Mode
from tests.adversarial.corpus import ALL, CORPUS, OF_LAYERS, of_mode

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's"),
]
AS_ROOT = sys.platform == "linux" and os.geteuid() == 0
EVERY_MODE = "GRADER_EVERY_MODE"  # set where no mode may be skipped, as in CI
MOST_MEMORY_MB = 600  # of the grader itself
THREAT_MODEL = Path("docs/threat-model.md")
Graded = Callable[[Mode], dict[str, Any]]


def of(mode: Mode, *values: str) -> object:
    """Return a test's parameters; it is skipped, and says so, where the mode cannot be had."""
    only_root = pytest.mark.skipif(not AS_ROOT, reason=f"the mode {mode!r} needs root")
    marks = [only_root] if mode in (Mode.ROOT, Mode.ROOT_BARE) else []
    return pytest.param(mode, *values, id=": ".join((mode, *values)), marks=marks)


MODES = [of(mode) for mode in Mode]
CASES = [of(mode, name) for mode in Mode for name in of_mode(mode)]


# ------------------------------------------------------------------------------- the corpus
def test_the_corpus_is_large_and_broad() -> None:
    assert len(ALL) >= 50
    assert len(CORPUS) >= 14
    assert {*OF_LAYERS} < {*CORPUS}


@pytest.mark.skipif(EVERY_MODE not in os.environ, reason=f"{EVERY_MODE} is not set")
def test_no_mode_is_skipped_where_all_are_asked_for() -> None:
    assert AS_ROOT, f"Without root only half of the modes can be had: unset {EVERY_MODE}."


def test_what_cannot_be_denied_is_in_the_threat_model() -> None:
    text = THREAT_MODEL.read_text(encoding="utf-8") if THREAT_MODEL.exists() else ""
    reasons = {why for attack in ALL.values() for why in attack.open_in.values()}
    assert not {why for why in reasons if " ".join(why.split()) not in " ".join(text.split())}


# ------------------------------------------------------------------------------- each attack
@pytest.mark.parametrize(("mode", "name"), CASES)
def test_it_is_denied(mode: Mode, name: str, graded: Graded) -> None:
    attack, seen = ALL[name], graded(mode)["attacks"][name]
    text = seen["outputs"] + " ".join(seen["said"])
    assert attack.sign in text, "The attack was not at work, so nothing is known."
    assert "0" == seen["points"], "It earns nothing, and nobody has to look into it."
    assert not seen["fault"], "The grader did not stumble over it."
    assert not seen["crash"], "Every report can be made of it."
    assert not seen["leaked"], "No secret is in what it showed, nor in a report."
    assert seen["written"] < 2 * runner.LIMITS.output_bytes, "No more is kept than is allowed."
    assert seen["peak_mb"] < MOST_MEMORY_MB, "The grader's own memory stays small."
    if mode in attack.open_in:
        assert seen["got"], f"This is denied after all: {attack.open_in[mode]}"
    else:
        assert "" == seen["got"]
    assert_harmless(seen["reports"])


@pytest.mark.parametrize(("mode", "name"), CASES)
def test_its_neighbour_keeps_the_full_grade(mode: Mode, name: str, graded: Graded) -> None:
    neighbours = graded(mode)["attacks"][name]["neighbours"]
    assert neighbours
    assert [] == [seen for seen in neighbours if seen != runner.RIGHT]


@pytest.mark.parametrize("mode", MODES)
def test_nothing_around_is_changed_reached_or_left(mode: Mode, graded: Graded) -> None:
    report = graded(mode)
    assert [] == report["hurt"]
    assert 0 == report["left"], "A process has outlived its kernel."
    assert 1 == report["starts"], "The fork server has been brought down."


@pytest.mark.parametrize("mode", MODES)
def test_every_result_names_the_layers_of_its_mode(mode: Mode, graded: Graded) -> None:
    report = graded(mode)
    full, bare = {*layers.ALWAYS, *layers.OPTIONAL}, {*layers.BARE}
    held, missing = {
        Mode.ROOT: ({*full, layers.IDENTITY}, set()),
        Mode.USER: ({*full, layers.USER}, set()),
        Mode.BARE: (bare, {*layers.NEED_NAMESPACES, layers.IDENTITY}),
        Mode.ROOT_BARE: ({*bare, layers.IDENTITY}, {*layers.NEED_NAMESPACES, layers.USER}),
    }[mode]
    assert missing == set(report["missing"]) - {*layers.EXTRA}
    expected = {"clean environment", *held}
    for name, seen in report["attacks"].items():
        assert expected == set(seen["layers"]) - {*layers.EXTRA}, name


# ------------------------------------------------------------------------------- reports
class _Page(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.active: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "iframe", "object", "embed", "svg", "base", "form", "link"}:
            self.active.append(tag)
        for name, value in attrs:
            address = "".join((value or "").lower().split())
            if name.startswith("on") or address.startswith(("javascript:", "vbscript:", "http")):
                self.active.append(f"{tag} {name}={value}")
            if name == "src" and not address.startswith("data:image/png;"):
                self.active.append(f"{tag} {name}={value}")


def assert_harmless(reports: dict[str, str]) -> None:
    """Check that no report does anything to whoever opens it."""
    page = _Page()
    page.feed(reports["feedback.html"])
    assert [] == page.active
    for name in ("terminal", "names", "feedback.html", "results.json"):
        unsafe = {
            c for c in reports[name] if (ord(c) < 32 and c not in "\n\t") or c in "\x7f\x9b\u202e"
        }
        assert not unsafe, name
    for name in ("grades.csv", "attention.csv"):
        for row in csv.reader(io.StringIO(reports[name])):
            assert not [
                cell for cell in row if cell.lstrip().startswith(("=", "+", "-", "@", "\t"))
            ]
