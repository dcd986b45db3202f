"""A student's page: safe whatever a student writes, and made to be read by everyone."""

from __future__ import annotations

import base64
import html
import itertools
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

from grader.exhibits import Exhibit
from grader.model import (
    CellOutcome,
    CellRun,
    Grade,
    Late,
    Mark,
    ProbedIn,
    RunOutcome,
    RunRecord,
    Student,
)
from grader.reports.feedback import MOST_SHOWN
from grader.reports.html import feedback_page
from grader.rubric import Rubric

MakeGrade = Callable[..., Grade]
MakeExhibits = Callable[[str], dict[str, Exhibit]]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
MINUS = "\N{MINUS SIGN}"
VOID = {"meta", "img", "br", "link", "input"}
EXPECTED_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "a", "header", "main", "footer", "section"),
    *(
        "article",
        "h1",
        "h2",
        "h3",
        "h4",
        "p",
        "b",
        "bdi",
        "span",
        "div",
        "ul",
        "ol",
        "li",
        "code",
        "pre",
    ),
    *("table", "caption", "tbody", "tr", "th", "td", "figure", "figcaption", "img", "blockquote"),
    *("thead", "svg", "path", "polyline", "rect", "text"),
}
EXPECTED_ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "tabindex"),
    *("aria-labelledby", "aria-hidden", "scope", "src", "width", "height", "alt"),
    *("viewbox", "points", "d", "x", "y", "rx", "text-anchor", "transform"),
}


@dataclass
class Page(HTMLParser):
    """A page as a parser sees it: elements in order, the text outside of the style sheet."""

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, *names: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def parsed(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    assert [] == page.open
    return page


def flat(text: str) -> str:
    return " ".join(text.split())


ERRORS = RunRecord(
    outcome=RunOutcome.ERRORS,
    probed_in=ProbedIn.NOTEBOOK,
    cells=(CellRun(index=1, outcome=CellOutcome.ERROR, error="Traceback\nKeyError: 'RMSE'"),),
    notes=("Cell 2 was slow.",),
)


@pytest.fixture
def busy_page(  # noqa: PLR0917  fixtures are found by their names
    make_grade: MakeGrade,
    make_notebook: Callable[..., str],
    make_png: Callable[..., bytes],
    make_exhibits: MakeExhibits,
    shown_losses: Mapping[str, str],
    rubric: Rubric,
) -> str:
    """A page on which everything that a page may have is there."""
    marks = {"discussion": Mark(points=Decimal(12), comment="Only two\nobservations.")}
    grade = make_grade(
        {"adam_trace": "`trace` is 1 too long.", **shown_losses},
        broken=("relu_values",),
        marks=marks,
        swish=True,
        late=Late(days=1, penalty=Decimal(10), note="1 day late: due Friday."),
        attention=("Ask the student.",),
        run=ERRORS,
        partners=(Student(name="Kim, Bo"),),
    )
    png = base64.b64encode(make_png()).decode()
    executed = make_notebook({"image/png": png}, {"image/png": "x"})
    return feedback_page(grade, rubric, executed, make_exhibits("something"))


# ------------------------------------------------------------------------------- what it says
def test_the_grade_comes_first(make_grade: MakeGrade, rubric: Rubric) -> None:
    text = parsed(feedback_page(make_grade({"relu_shape": "No."}), rubric)).text
    order = (
        *("Your grade 99 of 100", "What cost points", "relu: No.", "Experiments and discussion"),
        *("Every part", "a matrix of the same shape comes back : lost,", "How your notebook ran"),
    )
    places = [text.index(words) for words in order]
    assert sorted(places) == places


def test_a_perfect_notebook_gets_the_rubrics_words_and_no_list(
    make_grade: MakeGrade, rubric: Rubric
) -> None:
    text = parsed(feedback_page(make_grade(), rubric)).text
    assert "Great job!" in text
    assert "What cost points" not in text


def test_a_loss_is_told_with_points_title_and_reason(make_grade: MakeGrade, rubric: Rubric) -> None:
    text = parsed(feedback_page(make_grade({"relu_shape": "Got `(6,)`."}), rubric)).text
    assert f"{MINUS}1 point: relu: Got (6,) ." in text  # before everything else
    told = f"{MINUS}1 point: Got (6,) . ✗ a matrix of the same shape comes back : lost, 0 of 1"
    assert told in text  # and where it belongs


def test_what_shows_a_loss_stands_beside_it(busy_page: str) -> None:
    text = parsed(busy_page).text
    for words in (
        "Expected Yours First difference, at [0, 1] 2 something",
        "Largest difference, 36, at [1, 1] 4 40",
        "2 of 4 values differ.",
        "A chart of something. See it in your own notebook",
        "run it. print('something')",
        "Shape (6, 4) (4,)",
        "What it is a list of 2 something",
        "Folds of something. V something.",
        "1 ≠ , differs 2 epochs",
        "A list of something.",
    ):
        assert words in text


def test_only_three_losses_come_first(make_grade: MakeGrade, rubric: Rubric) -> None:
    lost = {
        "adam_trace": "One.",
        "use_shape": "Two.",
        "adam_parabola": "Four.",
        "relu_values": "Too.",
        "use_values": "Quarter.",
    }
    text = parsed(feedback_page(make_grade(lost), rubric)).text
    assert "What cost the most points" in text
    assert f"{MINUS}3 2 more reasons, told below." in text


def test_what_is_missing_is_said(make_grade: MakeGrade, rubric: Rubric) -> None:
    text = parsed(feedback_page(make_grade(marks={}), rubric)).text
    assert "70 of 70 for the code" in text
    assert "30 points are still to be marked by a person." in text


def test_the_penalty_is_told_with_its_reason(make_grade: MakeGrade, rubric: Rubric) -> None:
    late = Late(days=1, penalty=Decimal(10), note="1 day late: due Friday.")
    text = parsed(feedback_page(make_grade(late=late), rubric)).text
    assert f"Late 1 day late: due Friday. {MINUS}10 Grade 90 of 100" in text


def test_extra_credit_not_attempted_is_no_loss(make_grade: MakeGrade, rubric: Rubric) -> None:
    text = parsed(feedback_page(make_grade(), rubric)).text
    assert "Extra credit: swish not attempted" in text
    assert "swish is not defined" not in text


def test_the_run_is_told(busy_page: str) -> None:
    text = parsed(busy_page).text
    for words in (
        *("1 of 1 code cells stopped with an error.", "Cell 2 was slow.", "KeyError: 'RMSE'"),
        *("Cell 2 stopped with an error. It begins plt.plot(errors)", "1 figure is not shown here"),
        *("Figure 1, drawn by cell 2", "together with Kim, Bo", "Only two observations."),
    ):
        assert words in text


def test_many_failed_cells_are_cut_short(make_grade: MakeGrade, rubric: Rubric) -> None:
    cells = tuple(CellRun(index=i, outcome=CellOutcome.ERROR, error="E") for i in range(100))
    run = replace(ERRORS, cells=cells, notes=("A note.",) * 100)
    page = parsed(feedback_page(make_grade(run=run), rubric))
    assert MOST_SHOWN == page.text.count("A note.")
    assert MOST_SHOWN == len(page.all("pre"))
    assert f"{100 - MOST_SHOWN} more cells failed." in page.text


def test_the_end_of_a_long_error_is_kept(make_grade: MakeGrade, rubric: Rubric) -> None:
    cells = (CellRun(index=0, outcome=CellOutcome.ERROR, error="x" * 10**6 + "\nKeyError: 'RMSE'"),)
    page = feedback_page(make_grade(run=replace(ERRORS, cells=cells)), rubric)
    assert "KeyError: 'RMSE'" in parsed(page).text
    assert len(page) < 60_000


def test_the_same_grade_gives_the_same_page(make_grade: MakeGrade, rubric: Rubric) -> None:
    assert feedback_page(make_grade(), rubric) == feedback_page(make_grade(), rubric)


# ------------------------------------------------------------------------------- what it denies
def test_a_page_has_no_script_and_loads_nothing(busy_page: str) -> None:
    page = parsed(busy_page)
    assert EXPECTED_TAGS >= {tag for tag, _ in page.tags}
    assert EXPECTED_ATTRIBUTES >= {name for _, attributes in page.tags for name in attributes}
    assert ["#feedback"] == [a["href"] for _, a in page.tags if "href" in a]
    addresses = [a["src"] for _, a in page.tags if "src" in a]
    assert len(addresses) == 1
    assert re.fullmatch(r"data:image/png;base64,[A-Za-z0-9+/=]+", addresses[0])
    assert not re.search(r"url\(|@import|https?:|//[a-z]", busy_page)


def test_the_policy_forbids_what_the_page_does_not_have(busy_page: str) -> None:
    (policy,) = (
        meta["content"]
        for meta in parsed(busy_page).all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert "script-src" not in policy


def test_hostile_words_are_only_words(
    make_grade: MakeGrade,
    make_notebook: Callable[..., str],
    make_exhibits: MakeExhibits,
    rubric: Rubric,
    hostile: str,
) -> None:
    cells = (CellRun(index=1, outcome=CellOutcome.ERROR, error=hostile),)
    run = RunRecord(outcome=RunOutcome.ERRORS, cells=cells, notes=(hostile,), isolation=(hostile,))
    marks = {"discussion": Mark(points=Decimal(1), comment=hostile)}
    grade = make_grade(
        {
            "relu_values": f"`{hostile}` is not defined in the notebook.",
            **dict.fromkeys(make_exhibits(""), hostile),
        },
        name=hostile,
        file=hostile,
        marks=marks,
        run=run,
        partners=(Student(name=hostile),),
        late=Late(days=1, penalty=Decimal(10), note=hostile),
    )
    executed = make_notebook({"text/html": hostile, "image/svg+xml": hostile}, source=hostile)
    text = feedback_page(grade, rubric, executed, make_exhibits(hostile))
    page = parsed(text)
    assert EXPECTED_TAGS >= {tag for tag, _ in page.tags}
    assert EXPECTED_ATTRIBUTES >= {name for _, attributes in page.tags for name in attributes}
    assert 0 == len(page.all("img"))
    assert not any(char in text for char in "\x1b\x07\x08\x9b\r\u202e\u2066\u200f\u2028\U000e0041")
    assert text.encode()  # no lone surrogate is left
    if hostile.startswith("<"):
        assert hostile in page.text
    if hostile.startswith("{"):
        assert hostile in page.text


def test_staff_notes_and_requests_are_not_on_the_page(
    make_grade: MakeGrade, rubric: Rubric
) -> None:
    grade = make_grade({"relu_shape": "No."}, broken=("adam_trace",), attention=("Same as Kim's.",))
    text = feedback_page(grade, rubric)
    assert "HIDDEN-NUMBER-8675309" not in text
    assert "Same as Kim" not in text


def test_a_name_of_any_length_is_cut(make_grade: MakeGrade, rubric: Rubric) -> None:
    assert len(feedback_page(make_grade(name="x" * 10**6), rubric)) < 60_000


# ------------------------------------------------------------------------------- for everyone
def test_headings_are_in_order(busy_page: str) -> None:
    levels = [int(tag[1]) for tag, _ in parsed(busy_page).tags if re.fullmatch("h[1-6]", tag)]
    assert (1, 1) == (levels[0], levels.count(1))
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_a_page_has_language_title_landmarks_and_a_way_past_the_header(busy_page: str) -> None:
    page = parsed(busy_page)
    assert "en" == page.all("html")[0]["lang"]
    assert "Feedback for Lee, Ana: A2 Multilayer" in busy_page
    assert (1, 1, 1) == tuple(len(page.all(tag)) for tag in ("header", "main", "footer"))
    assert "feedback" == page.all("main")[0]["id"]
    first_in_body = next(t for i, t in enumerate(page.tags) if page.tags[i - 1][0] == "body")
    assert ("a", "#feedback") == (first_in_body[0], first_in_body[1]["href"])


def test_every_name_that_is_referred_to_is_there_once(busy_page: str) -> None:
    page = parsed(busy_page)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a} <= set(ids)


def test_figures_have_words_for_those_who_do_not_see_them(busy_page: str) -> None:
    (figure,) = parsed(busy_page).all("img")
    assert "Figure 1 of your notebook, as drawn by cell 2" == figure["alt"]
    assert ("3", "2") == (figure["width"], figure["height"])


def test_outcomes_are_said_in_words(busy_page: str) -> None:
    text = parsed(busy_page).text
    for words in (": passed,", ": lost,", ": not tested,"):
        assert words in text


def sheet() -> str:
    return files("grader.reports").joinpath("templates/feedback.css").read_text(encoding="utf-8")


def colours(dark: bool) -> dict[str, str]:  # noqa: FBT001  the two schemes are its parameter
    """The custom properties of a scheme: the first :root block, with the dark one over it."""
    blocks = re.findall(r":root \{([^}]*)\}", sheet())
    chosen = " ".join(blocks[:2] if dark else blocks[:1])
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", chosen))


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2, from #rrggbb in sRGB."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert 21 == pytest.approx(contrast("#ffffff", "#000000"))
    assert 4.54 == pytest.approx(contrast("#767676", "#ffffff"), abs=0.01)  # WCAG's own example


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("tone", ["tonea", "toneb", "tonec", "toned", "tonee"])
def test_letters_of_a_strip_can_be_read_in_both_schemes(dark: bool, tone: str) -> None:  # noqa: FBT001  a parameter of the test
    scheme = colours(dark)
    assert contrast(scheme["ink"], scheme[tone]) >= 4.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "quiet", "lost", "passed", "open"])
@pytest.mark.parametrize("ground", ["paper", "shade"])
def test_text_can_be_read_in_both_schemes(dark: bool, ink: str, ground: str) -> None:  # noqa: FBT001  a parameter of the test
    scheme = colours(dark)
    assert contrast(scheme[ink], scheme[ground]) >= 4.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_focus_can_be_seen_in_both_schemes(dark: bool) -> None:  # noqa: FBT001  a parameter of the test
    scheme = colours(dark)
    assert contrast(scheme["focus"], scheme["paper"]) >= 3


def test_colours_are_named_in_one_place() -> None:
    rules = re.sub(r":root \{[^}]*\}", "", sheet())
    assert ["#fff"] == re.findall(r"#[0-9a-f]{3,8}\b", rules)  # the ground of figures


# ------------------------------------------------------------------------------- in a browser
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [320, 360, 1000])
def test_nothing_is_wider_than_the_window(
    make_grade: MakeGrade, rubric: Rubric, tmp_path: Path, busy_page: str, width: int
) -> None:
    long = "x" * 400
    run = replace(ERRORS, cells=(replace(ERRORS.cells[0], error=long),), notes=(long,))
    names = {"name": long, "file": long, "run": run}
    pages = [busy_page, feedback_page(make_grade({"relu_shape": f"`{long}`"}, **names), rubric)]
    for page in pages:
        # The page forbids scripts; measured from outside, in a frame without its policy.
        bare = re.sub(r"<meta http-equiv[^>]*>", "", page)
        frame = tmp_path / "frame.html"
        frame.write_text(
            f'<iframe srcdoc="{html.escape(bare)}" style="width:{width}px;height:600px;border:0" '
            "onload=\"document.title = 'w' + this.contentDocument.documentElement.scrollWidth\">",
            encoding="utf-8",
        )
        assert f"<title>w{width}</title>" in _dom(frame, tmp_path)


def _dom(page: Path, profile: Path) -> str:
    assert CHROMIUM is not None
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *(f"--user-data-dir={profile / 'profile'}", "--dump-dom", page.as_uri()),
    ]
    run = subprocess.run(command, capture_output=True, check=True, timeout=120)
    return run.stdout.decode()
