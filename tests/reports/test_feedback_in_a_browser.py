"""A student with three mistakes opens the page: each is named, pictured, and can be reproduced."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from grader.grading.batch import Judged, Ran
from grader.model import Grade, Late, Student
from grader.reports.html import feedback_page
from grader.reports.results import result_of
from grader.reports.stats import statistics_of
from grader.reports.stats_page import stats_page
from grader.scoring import NOT_LATE, score
from tests.reports.conftest import FULL_MARKS, RUN
from tests.rubrics.students import (
    changes_of,
    exam,
    exhibits_of,
    judged,
    notebook,
    shows_a_mistake,
)

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PATIENCE = 300_000.0  # ms: on a busy machine everything takes longer
Scheme: TypeAlias = Literal["light", "dark"]
Medium: TypeAlias = Literal["screen", "print"]
FORMS: dict[str, tuple[Scheme, Medium, int]] = {  # scheme, medium, width in pixels
    "light": ("light", "screen", 900),
    "dark": ("dark", "screen", 900),
    "phone": ("light", "screen", 360),
    "print": ("light", "print", 700),
}
STANDARD = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
MISTAKES = ("adam_no_bias_correction", "relu_leaky", "partition_validation_and_test_swapped")
SAID = {  # item -> the sentence that leads, points
    "Optimizers.adam": (
        "Your Adam has no bias correction: mt and vt begin at 0, and nothing makes up for that.",
        12,
    ),
    "relu": ("Your relu is a leaky one: it lets a part of the negative sums through.", 2),
    "partition": ("Your partition has validation and test exchanged: which fold is which?", 2),
}


@dataclass(frozen=True)
class Opened:
    """One page as it is being read, and what went on behind it."""

    page: Page
    console: list[str]
    requests: list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "no Chromium here: apt-get install chromium"
    with sync_playwright() as playwright:  # which gives each launch a new profile
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, timeout=PATIENCE
        )
        yield browser
        browser.close()


@contextmanager
def new_page(browser: Browser, **options: Any) -> Iterator[Page]:
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def three_mistakes() -> Judged:
    return judged(RUN, *changes_of(*MISTAKES))


def grade_of(found: Judged, late: Late = NOT_LATE, name: str = "Lee, Ana") -> Grade:
    return Grade(
        student=Student(name=name, canvas_id="40103"),
        file=found.submission.file,
        sha256=found.submission.sha256,
        run=found.evidence.run,
        score=score(exam().pack.rubric, found.results, FULL_MARKS, late=late),
    )


def page_of(found: Judged, grade: Grade | None = None) -> str:
    rubric = exam().pack.rubric
    return feedback_page(grade or grade_of(found), rubric, "", exhibits_of(found))


@pytest.fixture(scope="module")
def pages(
    three_mistakes: Judged, class_of_15: list[Grade], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Pages on the disk: of three mistakes; of much wrong, late; of none; a class's."""
    wrong = judged(
        RUN,
        *changes_of("relu_np_max", "grad_relu_in_place", "adam_weights_rebound"),
        *changes_of("experiment_no_hidden_skipped", "experiment_trains_with_sgd"),
        *changes_of("use_returns_layers", "partition_shuffled_apart"),
    )
    hostile = "<script>alert(1)</script>" + "x" * 300
    late = Late(days=1, penalty=Decimal(10), note=hostile)
    texts = {
        "three": page_of(three_mistakes),
        "wrong": page_of(wrong, grade_of(wrong, late, hostile)),
        "perfect": page_of(judged(RUN)),
        "class": stats_page(statistics_of(map(result_of, class_of_15))),
    }
    folder = tmp_path_factory.mktemp("pages")
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.fixture
def opened(browser: Browser, pages: dict[str, Path]) -> Iterator[Opened]:
    with new_page(browser, viewport={"width": 900, "height": 900}) as page:
        found = Opened(page, [], [])
        page.on("console", lambda message: found.console.append(message.text))
        page.on("pageerror", lambda error: found.console.append(str(error)))
        page.on("request", lambda request: found.requests.append(request.url))
        page.goto(pages["three"].as_uri())
        yield found


def losses(page: Page) -> dict[str, Locator]:
    """Item title -> the block of what it lost."""
    items = page.locator("article").filter(has=page.locator(".loss")).all()
    return {item.locator("h3").inner_text(): item.locator(".loss") for item in items}


def test_each_of_three_mistakes_is_named_before_everything_else(opened: Opened) -> None:
    told = opened.page.locator(".losses > li").all_inner_texts()
    flat = [" ".join(line.split()) for line in told]
    assert [
        f"\N{MINUS SIGN}{points} points: {item}: {says}" for item, (says, points) in SAID.items()
    ] == flat


def test_each_of_three_mistakes_has_its_sentence_picture_and_snippet(opened: Opened) -> None:
    blocks = losses(opened.page)
    assert list(SAID) == list(blocks)
    for item, block in blocks.items():
        assert SAID[item][0] in block.locator("h4").inner_text()
        drawing = block.locator("svg.drawn").bounding_box()
        assert drawing
        assert drawing["width"] > 250
        assert drawing["height"] > 50
        assert block.locator("figcaption").inner_text()
        assert block.locator(".snippet pre").inner_text()


def test_each_snippet_of_the_page_shows_its_mistake_in_that_students_notebook(
    opened: Opened,
) -> None:
    blocks = losses(opened.page)
    with notebook(*changes_of(*MISTAKES)) as paste:
        said = {item: paste(b.locator(".snippet code").inner_text()) for item, b in blocks.items()}
    assert {} == {item: text for item, text in said.items() if not shows_a_mistake(text)}
    with notebook() as paste:
        said = {item: paste(b.locator(".snippet code").inner_text()) for item, b in blocks.items()}
    assert {"right"} == {text.splitlines()[-1] for text in said.values()}


def test_the_page_loads_nothing_and_reports_nothing(opened: Opened, pages: dict[str, Path]) -> None:
    assert ([], [pages["three"].as_uri()]) == (opened.console, opened.requests)


@pytest.mark.parametrize("name", ["three", "wrong", "perfect", "class"])
def test_everybody_can_read_the_page(browser: Browser, pages: dict[str, Path], name: str) -> None:
    """WCAG 2.1 AA by axe: light, dark, on a phone, in print; nothing is wider than the window."""
    violations = {}
    with new_page(browser, bypass_csp=True) as page:  # axe is a script, which the page forbids
        page.goto(pages[name].as_uri())
        for form, (scheme, medium, width) in FORMS.items():
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(media=medium, color_scheme=scheme)
            found = Axe().run(page, options={"runOnly": STANDARD}).response
            assert found["passes"]
            violations[form] = [each["id"] for each in found["violations"]]
            assert width >= page.evaluate("document.documentElement.scrollWidth")
    assert {"light": [], "dark": [], "phone": [], "print": []} == violations


def test_paper_stays_white_for_those_who_read_in_the_dark(
    browser: Browser, pages: dict[str, Path]
) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with new_page(browser, color_scheme="dark", bypass_csp=True) as page:
        page.goto(pages["three"].as_uri())
        assert "rgb(25, 24, 22)" == page.evaluate(ground)
        page.emulate_media(media="print", color_scheme="dark")
        assert "rgb(255, 255, 255)" == page.evaluate(ground)
        assert page.pdf(format="A4").startswith(b"%PDF")


def test_a_hidden_loss_is_told_in_words_only(three_mistakes: Judged, browser: Browser) -> None:
    """Numbers, picture and snippet are of public questions; where those were passed, none is."""
    replies = {
        key: three_mistakes.evidence.replies[key] if key[1].visibility == "hidden" else right
        for key, right in exam().expected.items()
    }
    evidence = replace(three_mistakes.evidence, replies=replies)
    found = exam().judge(Ran(submission=three_mistakes.submission, evidence=evidence))
    with new_page(browser) as page:
        page.set_content(page_of(found))
        assert "other inputs than the public ones" in page.locator("main").inner_text()
        assert page.locator(".loss").count() > 0
        assert 0 == page.locator(".loss table, .loss svg, .loss pre").count()
