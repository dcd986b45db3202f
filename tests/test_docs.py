"""The documentation holds: its commands parse, its links lead somewhere, its example grades."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from bench import scale
from grader.canvas import (
    ByStudent,
    read_extensions,
    read_gradebook,
    read_marks,
    read_partners,
    read_times,
)
from grader.checks import Answer
from grader.cli import main
from grader.facts import Work, find_facts, read_cells, surveyed
from grader.grading.batch import Exam
from grader.inside import harness
from grader.lateness import LatePolicy
from grader.model import CheckResult, Outcome
from grader.packs import Pack, ask, load_pack
from grader.reports.results import Result
from grader.rubric import Rubric

DOCS = Path("docs")
PAGES = sorted([*DOCS.glob("*.md"), Path("README.md"), Path("CONTRIBUTING.md")])
EXAMPLE = DOCS / "examples" / "line"
GUIDE = DOCS / "writing-an-assignment.md"
HANDED_IN = DOCS / "examples" / "handed-in"
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PLACEHOLDER = "…"


# ------------------------------------------------------------------------------- reading
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@cache
def all_text() -> str:
    return "\n".join(map(text_of, PAGES))


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language; `""`: those that name none."""
    found = []
    for indent, named, body in FENCE.findall(text_of(page)):
        if named == language:
            found.append(re.sub(rf"^{indent}", "", body, flags=re.MULTILINE))
    return found


def grader_commands(page: Path) -> Iterator[str]:
    """Yield each command that begins with `grader`, without what is said beside it."""
    for block in blocks(page, ""):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            if line.startswith("grader "):
                yield re.split(r"\s{3,}", line)[0]
    for block in blocks(page, "yaml"):
        yield from re.findall(r"^ *- (?:run: )?(grader .*)$", block, re.MULTILINE)


def found(group: click.Group, name: str) -> click.Command:
    command = group.get_command(click.Context(group), name)
    assert command, f"there is no command {name}"
    return command


def leaf_commands(
    command: click.Command = main, path: tuple[str, ...] = ("grader",)
) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from leaf_commands(found(command, name), (*path, name))
    else:
        yield " ".join(path), command


# ------------------------------------------------------------------------------- commands
@pytest.mark.parametrize(
    "line", [line for page in PAGES for line in grader_commands(page)], ids=str
)
def test_every_command_that_is_shown_can_be_given(line: str) -> None:
    """Commands, options and their values exist; of files only the docs' own have to."""
    command: click.Command = main
    _, *words = shlex.split(line)
    while isinstance(command, click.Group):
        assert words, f"{line} names no command"
        command = found(command, words.pop(0))
    context = click.Context(command)
    given, _, _ = command.make_parser(context).parse_args(words)
    for parameter in command.params:
        value = given.get(parameter.name or "")
        if not isinstance(value, (str, list, tuple)) or not value:  # click says so in its own way
            assert not parameter.required, f"{parameter.name} is missing"
        elif not isinstance(parameter.type, click.Path):
            parameter.type_cast_value(context, value)
    for word in words:
        assert not word.startswith(("docs/", "submissions/")) or Path(word).exists()


def test_every_command_and_option_is_documented() -> None:
    said = all_text()
    for name, command in leaf_commands():
        assert name in said
        options = [p.opts[-1] for p in command.params if isinstance(p, click.Option)]
        assert [] == [option for option in options if option not in said]


def test_the_readme_counts_the_catalogue_of_a2() -> None:
    a2 = load_pack("a2", [Path("rubrics")])
    said = " ".join(text_of(Path("README.md")).split())
    assert f"A2 knows {len(a2.mistakes)} mistakes" in said
    assert f"{len(a2.rights)} right solutions in unusual styles" in said


# ------------------------------------------------------------------------------- links
def anchors(page: Path) -> set[str]:
    """Return what GitHub makes of the headings of a page."""
    prose = FENCE.sub("", text_of(page))
    heads = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", text_of(page))):
        if link.startswith(("http:", "https:")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page}: {link}"
        assert not anchor or anchor in anchors(target), f"{page}: {link}"


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {Path(link).name for link in LINK.findall(text_of(Path("README.md")))}
    assert set() == {page.name for page in DOCS.glob("*.md")} - linked


# ------------------------------------------------------------------------------- tables, words
@pytest.mark.parametrize("block", blocks(DOCS / "grading-night.md", "csv"))
def test_every_table_that_is_shown_can_be_read(block: str, tmp_path: Path) -> None:
    """As the row says, with the made-up class's roster, and without a complaint."""
    table = tmp_path / "table.csv"
    table.write_text(block, encoding="utf-8")
    roster = read_gradebook(Path("submissions/a2-gradebook.csv"))
    rubric = load_pack("a2", [Path("rubrics")]).rubric
    policy = LatePolicy(rubric.late.points_per_day, 0, rubric.late.timezone)
    found: ByStudent[Any]
    match block.splitlines()[0]:
        case "student,submitted_at":
            found = read_times(table, policy=policy, roster=roster)
            assert all(isinstance(value, datetime) for value in found.values.values())
        case "student,until,reason":
            found = read_extensions(table, policy=policy, roster=roster)
        case "student,partner":
            found = read_partners(table, roster=roster)
        case "student,item,points,comment":
            found = read_marks(table, rubric.marked_items, roster=roster)
        case header:
            pytest.fail(f"nobody reads {header}")
    assert () == found.problems
    assert len(found.values) >= len(block.splitlines()) - 1


@cache
def sentences_of_the_grader() -> tuple[str, ...]:
    """Return every text in the code, f-strings with their fields as placeholders."""
    found = []
    for path in sorted(Path("grader").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inner = {id(v) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for v in n.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = (
                    v.value if isinstance(v, ast.Constant) else PLACEHOLDER for v in node.values
                )
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and id(node) not in inner:
                found.append(str(node.value))
    return tuple(found)


def quoted_sentences() -> list[str]:
    rows = re.findall(r"^\| (.+?) \|", text_of(DOCS / "attention.md"), re.MULTILINE)
    return [row for row in rows if row != "It says" and set(row) - set("-|")]


@pytest.mark.parametrize("quoted", quoted_sentences())
def test_every_sentence_that_is_explained_is_one_of_the_graders(quoted: str) -> None:
    """The longest piece between two placeholders stands in the code, word for word."""
    # The colon before what is asked for is often put there where the two are joined.
    longest = max((part.strip(" :(") for part in quoted.split(PLACEHOLDER)), key=len)
    assert len(longest) >= len("crashed")
    assert any(longest in sentence for sentence in sentences_of_the_grader()), longest


def keys(model: type[BaseModel]) -> Iterator[str]:
    """Yield the names of a model's fields and of those of the models in it."""
    for name, found in model.model_fields.items():
        yield name
        inner = [found.annotation, *getattr(found.annotation, "__args__", ())]
        for kind in inner:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from keys(kind)


def test_every_key_of_the_results_is_explained() -> None:
    prose = FENCE.sub("", text_of(DOCS / "ci.md"))
    said = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", prose))))
    assert set() == set(keys(Result)) - said


def test_every_key_of_a_rubric_is_explained() -> None:
    said = set(re.findall(r"\w+", text_of(GUIDE)))
    assert set() == set(keys(Rubric)) - said


# ------------------------------------------------------------------------------- the example
@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack("line", [EXAMPLE.parent])


def code(notebook: str) -> str:
    cells = json.loads((HANDED_IN / notebook).read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return "\n".join(source for source in sources if "print" not in source)


def judged(pack: Pack, source: str, secret: bytes) -> tuple[CheckResult, ...]:
    """Judge a notebook's code by all questions, each in a fork, without a kernel."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, "<notebook>", "exec"), scope)  # noqa: S102  the docs' own text
    exam, limits = Exam.of(pack, secret), pack.rubric.limits.limits()
    return exam.results({c.key: ask(c, harness.Names(scope), limits) for c in exam.calls})


def lost(results: tuple[CheckResult, ...]) -> set[str]:
    return {result.check_id for result in results if result.outcome is not Outcome.PASSED}


@pytest.mark.parametrize("secret", [b"one secret of the tests", b"another secret"])
def test_the_examples_right_notebook_loses_nothing(pack: Pack, secret: bytes) -> None:
    assert set() == lost(judged(pack, code("Ng-A0.ipynb"), secret))


@pytest.mark.parametrize(("notebook", "verdict"), [("Ng", "right"), ("Lee", "not right yet")])
def test_the_examples_snippet_shows_who_is_wrong(
    pack: Pack, notebook: str, verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scope: dict[str, Any] = {}
    exec(code(f"{notebook}-A0.ipynb") + "\n" + pack.snippets["predict"], scope)  # noqa: S102  the docs' own text
    assert verdict == capsys.readouterr().out.splitlines()[-1]


def test_the_examples_picture_can_be_drawn(pack: Pack) -> None:
    answer = Answer(np.arange(7.0))
    assert pack.painters["predicted"].paint(answer, answer)


def test_the_examples_wrong_notebook_loses_where_it_is_wrong(pack: Pack) -> None:
    results = judged(pack, code("Lee-A0.ipynb"), b"a secret of the tests")
    assert {"predict_values", "fit_untouched"} == lost(results)
    said = {result.check_id: result.message for result in results}
    assert "Tested with a right version of `predict`" in said["rmse_values"]
    assert "Your function changes `x`" in said["fit_untouched"]
    assert {"predict_values": "weights_exchanged", "fit_untouched": "x_centred_in_place"} == {
        result.check_id: result.mistake for result in results if result.mistake
    }
    assert 4 == sum(result.possible - result.earned for result in results)


def test_the_examples_mistakes_are_caught_as_the_page_shows() -> None:
    """By `grader pack test`, word for word but for the space between columns."""
    (shown,) = (block for block in blocks(GUIDE, "text") if block.startswith("Mistake "))
    tried = CliRunner().invoke(
        main, ["pack", "test", "line", "--pack-dir", str(EXAMPLE.parent), "--jobs", "1"]
    )
    assert shown.split() == tried.output.split()
    assert 0 == tried.exit_code


def test_the_examples_fact_counts_the_students_own_words(pack: Pack) -> None:
    handed_in = read_cells((HANDED_IN / "Lee-A0.ipynb").read_text(encoding="utf-8"))
    starter = read_cells(pack.file(pack.rubric.starter).read_text(encoding="utf-8"))
    work = Work(handed_in=handed_in, executed=(), starter=starter, survey=surveyed(None))
    (words,) = find_facts(pack.facts, work)
    assert ("4", False) == (words.finding, words.well)


@pytest.mark.parametrize("language", ["python", "toml"])
def test_what_the_page_shows_stands_in_the_examples_files(language: str) -> None:
    files = [text_of(file) for file in sorted(EXAMPLE.iterdir()) if file.suffix in {".py", ".toml"}]
    shown = blocks(GUIDE, language)
    assert shown
    assert [] == [block for block in shown if not any(block.strip("\n") in text for text in files)]


def test_the_example_speaks_only_the_authors_vocabulary() -> None:
    for file in sorted(EXAMPLE.glob("*.py")):
        modules = set(re.findall(r"^from grader\.(\w+)", text_of(file), re.MULTILINE))
        assert modules <= {"probes", "checks", "facts", "mistakes", "pictures"}
        assert file.name != "reference.py" or not modules


# ------------------------------------------------------------------------------- scale
def test_what_a_class_needs_is_what_the_script_prints() -> None:
    costs = scale.Costs()
    for lines in (scale.table(costs), scale.figures(costs)):
        assert "\n".join(lines) in text_of(DOCS / "scale.md")


def test_what_a_class_needs_is_right_by_hand() -> None:
    """200 hours of cores and 10 of judging, in a night of 5."""
    costs = scale.Costs(all=2, here=1, disk=1024, busy=0.5, cores=4, night=5, price=0.1)
    found = scale.need(36_000, 9, costs)
    assert (200, 10, 2) == (found.core_hours, found.machines, found.graders)
    assert (5, 36_000 / 1024) == (found.hours, found.disk)
    assert pytest.approx(found.money) == 21
    one = scale.need(1, 0, costs)
    assert (1, 1) == (one.machines, one.graders)
