"""`grader pack new` and `grader pack test`, as the author of an assignment meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from grader.cli import main
from grader.grading.pack_new import FILES, make_pack
from grader.grading.pack_test import Bench
from grader.packs import load_pack


def pack(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["pack", *map(str, arguments)], catch_exceptions=False)


def add(file: Path, text: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


# ------------------------------------------------------------------------------- a good one
def test_a_new_pack_passes_its_own_test(tmp_path: Path) -> None:
    made = pack("new", "a3", "--pack-dir", tmp_path / "packs")
    assert 0 == made.exit_code
    assert {*FILES} == {file.name for file in (tmp_path / "packs" / "a3").iterdir()}
    assert "A3 Standardize" in (tmp_path / "packs" / "a3" / "rubric.toml").read_text()
    assert f"grader pack test a3 --pack-dir {tmp_path / 'packs'}" in made.output

    tried = pack("test", "a3", "--pack-dir", tmp_path / "packs", "--jobs", 1)
    assert 0 == tried.exit_code
    assert "3 of 3 mistakes are caught where they belong, and named." in tried.output
    assert "2 of 2 right solutions lose nothing." in tried.output
    assert "The starter earns 0 of 10 points." in tried.output
    assert "over_the_whole_matrix (2)" in tried.output
    assert "!!" not in tried.output


# ------------------------------------------------------------------------------- a bad one
FAULTS = """
unseen = mistake("standardize", "Too small to be seen.", [(RESULT, f"{RESULT} + 1e-12")])
twin_one = mistake("standardize", "One of two.", [(RESULT, "return X * 3")])
twin_two = mistake("standardize", "The other.", [(RESULT, "return 3 * X")])
of_old = mistake("standardize", "Long gone.", [("no such line", "")], [("no such line", "1")])
dearer = mistake(
    "standardize", "Costs more.", [(RESULT, "return X - 1")], loses=["standardize_untouched"]
)
not_right = right([(RESULT, "return X")])
"""
SECOND_ITEM = """
[[item]]
id = "second"
title = "the same again"
section = "code"
points = 1
check = [{id = "same_again", title = "", points = 1, probe = "standardized", answer = "values"}]
"""
SAID = (
    "The mistake `unseen` costs nothing: no check of `standardize` sees it.",
    "The mistake `twin_one` is not named in `standardize_values`: Either: One of two. Or: The",
    "The mistake `twin_two` is not named in `standardize_values`: Either: One of two. Or: The",
    "The mistake `of_old`: The reference no longer has the text 'no such line'.",
    "The mistake `dearer` should cost standardize_untouched; it costs standardize_values.",
    "The mistake `mean_not_taken_off` of `standardize` also costs `same_again`, of another item.",
    "The right solution `not_right` loses `standardize_values`: ",
    "The probe `standardized` has another answer when it is asked again, after others: ",
    "The starter notebook earns 11 of 11 points as it is.",
)


def test_a_pack_with_faults_fails_and_each_is_told_in_a_sentence(tmp_path: Path) -> None:
    folder = make_pack("a3", tmp_path)
    add(folder / "mistakes.py", FAULTS)
    add(folder / "rubric.toml", SECOND_ITEM)
    probes = (folder / "probes.py").read_text()
    clock = probes.replace('"before"', '"at": time.perf_counter(), "before"')
    (folder / "probes.py").write_text(clock.replace("from grader", "import time\n\nfrom grader", 1))
    give_away(folder / "starter.ipynb", (folder / "reference.py").read_text())

    tried = pack("test", "a3", "--pack-dir", tmp_path, "--jobs", 1)
    assert 1 == tried.exit_code
    problems = [line for line in tried.output.splitlines() if line.startswith("!! ")]
    assert [] == [said for said in SAID if not any(said in problem for problem in problems)]
    assert len(set(problems)) == len(problems)
    assert "1 of 8 mistakes are caught where they belong, and named." in tried.output
    assert "2 of 3 right solutions lose nothing." in tried.output


def give_away(starter: Path, code: str) -> None:
    notebook = json.loads(starter.read_text())
    lines = [line for line in code.splitlines(keepends=True) if "__future__" not in line]
    notebook["cells"].append({**notebook["cells"][1], "id": "solution", "source": lines})
    starter.write_text(json.dumps(notebook))


def test_a_check_that_crashes_on_a_mistake_is_told(tmp_path: Path) -> None:
    folder = make_pack("a3", tmp_path)
    checks = (folder / "checks.py").read_text()
    (folder / "checks.py").write_text(checks.replace("    require(", "    1 / 0\n    require("))
    bench = Bench.of(load_pack("a3", [tmp_path]))
    trial = bench.of_mistake("in_place")
    assert not trial.named
    assert "The mistake `in_place` cannot be judged by `standardize_untouched`" in trial.problems[0]


def test_a_mistake_that_never_comes_to_an_end_is_tried_all_the_same(tmp_path: Path) -> None:
    folder = make_pack("a3", tmp_path)
    add(folder / "rubric.toml", "[limits]\nprobe_seconds = 1\n")
    loop = '[(RESULT, "while True: pass")], loses=["standardize_values", "standardize_untouched"]'
    add(folder / "mistakes.py", f'\nendless = mistake("standardize", "No end.", {loop})\n')
    bench = Bench.of(load_pack("a3", [tmp_path]))
    assert 10 == bench.of_mistake("endless").points


# ------------------------------------------------------------------------------- unclear input
@pytest.mark.parametrize("name", ["A3", "3a", "a 3", "../a3", "", "a3/b"])
def test_a_name_that_cannot_be_one_is_refused(name: str, tmp_path: Path) -> None:
    made = pack("new", "--pack-dir", tmp_path, "--", name)
    assert 2 == made.exit_code
    assert "cannot name an assignment: take lower-case letters" in made.output
    assert [] == list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    make_pack("a3", tmp_path)
    made = pack("new", "a3", "--pack-dir", tmp_path)
    assert 2 == made.exit_code
    assert "is there already: take another name." in made.output


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    made = pack("new", "a3", "--pack-dir", tmp_path / "file" / "packs")
    assert 2 == made.exit_code
    assert "cannot be written: Not a directory." in made.output


@pytest.mark.parametrize(
    ("name", "mistakes", "said"),
    [
        ("a4", "", "There is no assignment `a4`. Those that I know: a2, a3."),
        ("a3", "def (", "mistakes.py cannot be loaded: SyntaxError"),
        ("a3", 'x = mistake("nowhere", "", [])', "`x` belongs to `nowhere`, which is no item"),
        (
            "a3",
            'x = mistake("standardize", "", [], loses=["nothing"])',
            "`x` says that it loses `nothing`, which is no check of `standardize`.",
        ),
    ],
)
def test_a_pack_that_cannot_be_tried_is_refused_in_one_sentence(
    name: str, mistakes: str, said: str, tmp_path: Path
) -> None:
    add(make_pack("a3", tmp_path) / "mistakes.py", mistakes)
    tried = pack("test", name, "--pack-dir", tmp_path)
    assert 2 == tried.exit_code
    assert said in tried.output
    assert "Traceback" not in tried.output
