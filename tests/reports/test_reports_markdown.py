"""Markdown says what is to be said, and nothing that a student wrote becomes markup in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from grader.exhibits import Exhibit
from grader.model import CellOutcome, CellRun, Grade, Late, Mark, RunOutcome, RunRecord
from grader.reports.markdown import markdown_report, text
from grader.rubric import Rubric

MakeGrade = Callable[..., Grade]
MakeExhibits = Callable[[str], dict[str, Exhibit]]
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OURS = {
    *("heading", "paragraph", "inline", "strong", "text", "code_inline", "fence", "html_inline"),
    *("table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item", "blockquote"),
    *("softbreak", "hardbreak"),
}


def tokens(markdown: str) -> Iterator[Token]:
    for token in PARSER.parse(markdown):
        yield token
        yield from token.children or ()


def kinds(markdown: str) -> set[str]:
    return {t.type.removesuffix("_open").removesuffix("_close") for t in tokens(markdown)}


def read(markdown: str) -> str:
    """What a reader sees, as one line."""
    leaves = {"text", "code_inline", "fence"}
    return " ".join(" ".join(t.content for t in tokens(markdown) if t.type in leaves).split())


def busy(grade_of: MakeGrade, word: str, lost: Mapping[str, str]) -> Grade:
    cells = (CellRun(index=1, outcome=CellOutcome.ERROR, error=word),)
    return grade_of(
        lost,
        name=word,
        file=word,
        marks={"discussion": Mark(points=Decimal(1), comment=word)},
        run=RunRecord(outcome=RunOutcome.ERRORS, cells=cells, notes=(word,)),
        late=Late(days=1, penalty=Decimal(10), note=word),
    )


def test_a_loss_is_told_first_and_where_it_belongs(make_grade: MakeGrade, rubric: Rubric) -> None:
    markdown = markdown_report(make_grade({"relu_shape": "Got `(6,)`."}), rubric)
    assert "- **-1** relu: Got `(6,)`." in markdown
    assert "**-1 Got `(6,)`.**\n\n✗ a matrix of the same shape comes back (0 of 1)" in markdown


def test_what_shows_a_loss_stands_beside_it(
    make_grade: MakeGrade,
    make_exhibits: MakeExhibits,
    shown_losses: Mapping[str, str],
    rubric: Rubric,
) -> None:
    markdown = markdown_report(make_grade(shown_losses), rubric, make_exhibits("x"))
    assert "| First difference, at \\[0, 1\\] | 2 | x |" in markdown
    assert "```python\nprint('x')\n```" in markdown
    assert "A chart of x." in markdown
    assert "| 1 ≠ | 2 epochs | – |" in markdown.replace("\N{EN DASH}", "–")  # noqa: RUF001  the sign


def test_nothing_of_ours_is_lost_on_the_way(
    make_grade: MakeGrade,
    make_exhibits: MakeExhibits,
    shown_losses: Mapping[str, str],
    rubric: Rubric,
) -> None:
    markdown = markdown_report(busy(make_grade, "x", shown_losses), rubric, make_exhibits("x"))
    assert OURS >= kinds(markdown)
    assert {"<br>"} == {t.content for t in tokens(markdown) if t.type == "html_inline"} | {"<br>"}


def test_hostile_words_are_only_words(
    make_grade: MakeGrade,
    make_exhibits: MakeExhibits,
    rubric: Rubric,
    hostile: str,
) -> None:
    lost = dict.fromkeys(make_exhibits(""), hostile)
    markdown = markdown_report(busy(make_grade, hostile, lost), rubric, make_exhibits(hostile))
    assert OURS >= kinds(markdown)
    assert {"<br>"} >= {t.content for t in tokens(markdown) if t.type == "html_inline"}
    assert not any(char in markdown for char in "\x1b\x07\x08\x9b\r\u202e\u2066\u200f\u2028")


@pytest.mark.parametrize(
    "words",
    [
        *("# one", "- one", "1. one", "1) one", "+ one", "> one", "| a | b |", "---", "==="),
        *("*a* _b_ **c** ~~d~~", "[a](http://evil.example)", "![a](b)", "<b>a</b>", "&lt;b&gt;"),
        *("<http://evil.example>", "`a` and `` b", "```", "    indented", "a\\", "$x$", "[a]: b"),
        *("a  \nb", "Setext\n===", "$$", "^1", "#1", "- [ ] task", ":tada:", "a|b"),
    ],
)
def test_words_mean_themselves(words: str) -> None:
    seen = read(text(words)).replace(" ", "")
    assert seen == "".join(words.replace("`a`", "a").split())
    assert {"paragraph", "inline", "text", "code_inline"} >= kinds(text(words))


@pytest.mark.parametrize("words", ["http://evil.example", "www.evil.example", "a@evil.example"])
def test_addresses_do_not_become_links(words: str) -> None:
    """GitHub links bare addresses; it looks for `://`, `www.` and `@` as they are written."""
    assert not re.search(r"(?<!\\)(://|@)|www\.", text(words))


def test_a_bar_in_code_does_not_end_a_cell() -> None:
    table = f"| a | b |\n| --- | --- |\n| {text('`x | y`')} | c |"
    assert 1 + 1 == sum(t.type == "td_open" for t in tokens(table))
    assert "`x | y` c" in read(table)


def test_a_snippet_cannot_close_its_fence(make_grade: MakeGrade, rubric: Rubric) -> None:
    exhibits = {"relu_shape": Exhibit(snippet="print('''```\n# heading\n''')")}
    markdown = markdown_report(make_grade({"relu_shape": "No."}), rubric, exhibits)
    assert 1 == sum(t.type == "fence" for t in tokens(markdown))
    assert "heading" not in {t.content for t in tokens(markdown) if t.type == "inline"}
