"""Packs: found, loaded, and refused in one sentence where they contradict themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from grader.errors import PackError
from grader.model import ReplyKind
from grader.packs import find_packs, load_pack
from grader.places import bundled
from grader.rubric import parse_rubric

RUBRIC = """
title = "Doubling"
reference = "reference.py"
[[item]]
id = "double"
title = "double"
section = "code"
points = 2
check = [{id = "double_values", title = "values", points = 2, probe = "doubled"}]
"""
PROBES = """
from grader.probes import Names, Rng, probe

@probe
def doubled(names: Names, rng: Rng) -> object:
    return names.double(rng.rand(3))
"""


def write(folder: Path, rubric: str = RUBRIC, probes: str = PROBES, checks: str = "") -> Path:
    pack = folder / "tiny"
    pack.mkdir()
    (pack / "rubric.toml").write_text(rubric)
    (pack / "probes.py").write_text(probes)
    (pack / "reference.py").write_text("def double(x):\n    return 2 * x\n")
    if checks:
        (pack / "checks.py").write_text(checks)
    return folder


@pytest.mark.parametrize("slug", sorted(find_packs([bundled("rubrics")])))
def test_every_pack_answers_its_own_questions(slug: str) -> None:
    pack = load_pack(slug, [bundled("rubrics")])
    expected = pack.expected(pack.questions(b"a secret"))
    assert {ReplyKind.VALUE} == {reply.kind for reply in expected.values()}


def test_a_new_folder_is_a_new_pack_and_leaves_nothing_imported(tmp_path: Path) -> None:
    before = set(sys.modules)
    pack = load_pack("tiny", [write(tmp_path)])
    assert "Doubling" == pack.rubric.title
    assert 1 == len(pack.expected(pack.questions(None)))
    assert not {m for m in set(sys.modules) - before if m.startswith("grader_")}


def test_an_earlier_folder_wins(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "theirs").mkdir()
    write(tmp_path / "theirs")
    own = write(tmp_path / "own", RUBRIC.replace("Doubling", "Ours"))
    assert "Ours" == load_pack("tiny", [own, tmp_path / "theirs"]).rubric.title


@pytest.mark.parametrize("slug", ["../tiny", "absent", "", ".", "TINY"])
def test_only_a_plain_name_that_is_there_is_a_pack(slug: str, tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"There is no assignment .* I know: tiny"):
        load_pack(slug, [write(tmp_path)])


@pytest.mark.parametrize(
    ("rubric", "probes", "checks", "complaint"),
    [
        (RUBRIC.replace("doubled", "tripled"), PROBES, "", "asks `tripled`"),
        (RUBRIC, PROBES + PROBES.replace("doubled", "idle"), "", "asks the probe `idle`"),
        (RUBRIC.replace('"doubled"', '"doubled", check = "odd"'), PROBES, "", "judged by `odd`"),
        (RUBRIC, PROBES.replace("names.double", "names.treble"), "", "no answer to probe"),
        (RUBRIC, "def broken(:\n", "", "cannot be loaded: SyntaxError"),
        (RUBRIC, PROBES, "1 / 0", "cannot be loaded: ZeroDivisionError"),
        (RUBRIC.replace("reference.py", "nowhere.py"), PROBES, "", "There is no Python file"),
    ],
)
def test_a_pack_that_contradicts_itself_is_refused_in_one_sentence(
    rubric: str, probes: str, checks: str, complaint: str, tmp_path: Path
) -> None:
    folder = write(tmp_path, rubric, probes, checks)

    def use() -> None:
        pack = load_pack("tiny", [folder])
        pack.expected(pack.questions(None))

    with pytest.raises(PackError, match=complaint):
        use()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("title =", "title", "is not TOML"),
        ("points = 2\n", "points = 3\n", "`double` has 3 points, but its parts 2"),
        ("points = 2\n", "points = 0\n", "points`: .*greater than 0"),
        ("[[item]]", "[late]\npoints_per_day = 0.125\n[[item]]", "late.points_per_day`: .*decimal"),
        ('section = "code"', 'section = "cod"', "key `item.0.section`"),
        ('title = "values"', 'titel = "values"', "titel"),
        ('id = "double_values"', 'id = "Double!"', "key `item.0.check.0.id`"),
        (
            'check = [{id = "double_values", title = "values", points = 2',
            (
                'check = [{id = "a", title = "", points = 1, probe = "doubled"}, '
                '{id = "a", title = "", points = 1'
            ),
            "two checks are called `a`",
        ),
        ("[[item]]", '[offline]\n"http://x" = "absent"\n[[item]]', "not in \\[files\\]"),
        (
            'probe = "doubled"',
            'probe = "doubled", if_lost = {items = ["x"], probe = "doubled"}',
            "names no item: `x`",
        ),
    ],
)
def test_a_bad_rubric_says_which_key_to_change(old: str, new: str, complaint: str) -> None:
    assert old in RUBRIC
    with pytest.raises(PackError, match=complaint):
        parse_rubric(RUBRIC.replace(old, new))


SHOWN = RUBRIC.replace('probe = "doubled"', 'probe = "doubled", picture = "seen", snippet = "see"')
PICTURES = """
from grader.pictures import Answer, Chart, curve, picture

@picture
def seen(got: Answer, want: Answer) -> Chart:
    series = (curve("yours", got.array()),)
    return Chart(series=series, x_label="x", y_label="y", caption="Both.")
"""
SNIPPETS = "see = 'print(double(1))'"


def with_pictures(
    folder: Path, rubric: str = SHOWN, pictures: str = PICTURES, snippets: str = SNIPPETS
) -> Path:
    pack = write(folder, rubric) / "tiny"
    (pack / "pictures.py").write_text(pictures)
    (pack / "snippets.toml").write_text(snippets)
    return folder


def test_a_pack_may_have_pictures_and_snippets(tmp_path: Path) -> None:
    pack = load_pack("tiny", [with_pictures(tmp_path)])
    assert ({"seen"}, {"see": "print(double(1))"}) == (set(pack.painters), pack.snippets)


@pytest.mark.parametrize(
    ("rubric", "pictures", "snippets", "complaint"),
    [
        (SHOWN.replace("seen", "sun"), PICTURES, SNIPPETS, r"names `sun`, not in pictures\.py"),
        (SHOWN.replace('"see"', '"sea"'), PICTURES, SNIPPETS, r"`sea`, not in snippets\.toml"),
        (SHOWN, PICTURES + PICTURES.replace("seen", "idle"), SNIPPETS, "no check .* `idle`"),
        (SHOWN, PICTURES, SNIPPETS + "\nidle = 'x'", r"`idle` of snippets\.toml"),
        (SHOWN, PICTURES, "see = 1", "should be a text of Python"),
        (SHOWN, PICTURES, "see = 'print('", "is not Python"),
        (SHOWN, PICTURES, "see = ", "is not TOML"),
        (SHOWN, PICTURES, f"see = \"x = '{'x' * 99}'\"", "is longer than"),
        (SHOWN, PICTURES, 'see = "' + r"x = 1\n" * 99 + '"', "is longer than"),
    ],
)
def test_pictures_and_snippets_that_do_not_fit_are_refused_in_one_sentence(
    rubric: str, pictures: str, snippets: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(PackError, match=complaint):
        load_pack("tiny", [with_pictures(tmp_path, rubric, pictures, snippets)])
