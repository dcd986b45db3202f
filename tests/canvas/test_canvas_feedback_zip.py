"""The feedback zip: Canvas must find the submission of every page, and no other."""

from __future__ import annotations

import re
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.canvas import write_feedback_zip
from grader.canvas.feedback_zip import feedback_name
from grader.errors import UsageError

untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def found_by_canvas(file: str) -> tuple[str | None, str | None]:
    """User and attachment as Canvas infers them from a file's name, by its description."""
    tokens = [part for part in file.split("_") if part != "LATE"]
    if tokens[0] == "anon":
        user, attachment = (*tokens[1:3], None, None)[:2]
    else:
        numbers = [token for token in tokens if re.fullmatch(r"[0-9]+", token)]
        user, attachment = (*numbers, None, None)[:2]
    if tokens[-1].startswith("link") or file.startswith("._"):
        attachment = None
    return user, attachment


@pytest.mark.parametrize(
    ("original", "name"),
    [
        ("doejane_101_2001_Doe-A2.ipynb", "doejane_101_2001_Doe-A2.html"),
        ("doejane_LATE_101_2001_Doe-A2-1.ipynb", "doejane_101_2001_Doe-A2-1.html"),
        ("anon_x7Yz1_2001_A2.ipynb", "anon_x7Yz1_2001_A2.html"),
        ("LATE_anon_12345_2001_A2.ipynb", "anon_12345_2001_A2.html"),
        ("müllerjörg_105_2002_My A2 (final).v2.ipynb", "müllerjörg_105_2002_My A2 (final).v2.html"),
        # Without a roster the leftmost numbers are taken, as Canvas does it.
        ("team_12_104_2001_A2.ipynb", "team_12_104_2001-A2.html"),
        # What stands before the numbers must not look like one of them.
        ("12_104_2001_A2.ipynb", "student12_104_2001_A2.html"),
        ("_104_2001_A2.ipynb", "student_104_2001_A2.html"),
        # A student who is called anon is not anonymous.
        ("anon_LATE_104_2001_A2.ipynb", "studentanon_104_2001_A2.html"),
        # What stands behind them must not look like the end of a link.
        ("x_104_2001_my_link.ipynb", "x_104_2001_my-link.html"),
        ("x_104_2001_linked.ipynb", "x_104_2001_feedback-linked.html"),
        ("x_104_2001_LATE.ipynb", "x_104_2001_LATE.html"),
        ("x_104_2001_a_LATE_b_7_8_c.ipynb", "x_104_2001_a-LATE-b-7-8-c.html"),
        ("x_104_2001_.ipynb", "x_104_2001_ipynb.html"),
        ("x_104_2001_...", "x_104_2001_notebook.html"),
        ("x_104_2001_a/..\\b\n.ipynb", "x_104_2001_b.html"),
    ],
)
def test_names_find_their_way_back(original: str, name: str) -> None:
    assert name == feedback_name(original)


@pytest.mark.parametrize(
    "original",
    [
        *("Doe-A2.ipynb", "doejane_101_text.html", "doejane_LATE_101_link.html", "x_0_1_a", ""),
        *("Doe Jane_101_2001_A2.ipynb", "x_101_2001_", "anon_x7Yz1_text.html", "x__101_a"),
    ],
)
def test_what_has_no_attachment_has_no_name(original: str) -> None:
    assert feedback_name(original) is None


def test_the_roster_decides_between_two_readings() -> None:
    original = "team_12_104_2001_A2.ipynb"
    assert "team12_104_2001_A2.html" == feedback_name(original, user_ids={"104", "105"})
    assert "team_12_104_2001-A2.html" == feedback_name(original, user_ids={"12", "105"})
    assert "team_12_104_2001-A2.html" == feedback_name(original, user_ids={"105"})
    named_anon = "anon_104_2001_A2.ipynb"
    assert "anon_104_2001_A2.html" == feedback_name(named_anon)
    assert "studentanon_104_2001_A2.html" == feedback_name(named_anon, user_ids={"104"})


WORDS = st.text("aé_1LATEnolik", max_size=12)
NUMBERS = st.integers(1, 10**18).map(str)


@untimed
@given(
    name=WORDS, late=st.booleans(), user=NUMBERS, attachment=NUMBERS, display=st.text(min_size=1)
)
def test_canvas_finds_user_and_attachment_of_whatever_it_named(
    name: str, *, late: bool, user: str, attachment: str, display: str
) -> None:
    original = f"{name.lower()}{'_LATE' if late else ''}_{user}_{attachment}_{display}"
    again = feedback_name(original, user_ids={user})
    assert again is not None
    assert again.endswith(".html")
    assert "/" not in again
    assert "\\" not in again
    assert again.isprintable() or not display.isprintable()
    if not re.search(r"_[1-9][0-9]*_", f"{name}_") and not original.startswith("anon_"):
        assert (user, attachment) == found_by_canvas(again)


@untimed
@given(anonymous=st.text("aZ09", min_size=1, max_size=6), attachment=NUMBERS, display=WORDS)
def test_canvas_finds_anonymous_submissions(anonymous: str, attachment: str, display: str) -> None:
    again = feedback_name(f"LATE_anon_{anonymous}_{attachment}_{display}x")
    assert again is not None
    assert (anonymous, attachment) == found_by_canvas(again)


# ------------------------------------------------------------------------------- the zip
def pages(folder: Path, *texts: str) -> list[tuple[str, Path]]:
    files = []
    for number, text in enumerate(texts, start=1):
        page = folder / f"{number}.html"
        page.write_text(text, encoding="utf-8")
        files.append((f"x_{number}_20{number}_A2.ipynb", page))
    return files


def test_pages_are_packed_under_their_names(tmp_path: Path) -> None:
    files = pages(tmp_path, "<p>é</p>", "<p>2</p>" * 100_000)
    written = write_feedback_zip(tmp_path / "f.zip", [*files, ("text.html", tmp_path)])
    assert ("x_1_201_A2.html", "x_2_202_A2.html") == written.names
    assert ("text.html",) == written.left_out
    with zipfile.ZipFile(tmp_path / "f.zip") as archive:
        assert archive.testzip() is None
        assert {
            "x_1_201_A2.html": "<p>é</p>".encode(),
            "x_2_202_A2.html": b"<p>2</p>" * 100_000,
        } == {info.filename: archive.read(info) for info in archive.infolist()}


def test_the_same_feedback_gives_the_same_bytes() -> None:
    contents = []
    for order in (1, -1):
        with tempfile.TemporaryDirectory() as folder:
            files = pages(Path(folder), "a", "b", "c")
            write_feedback_zip(Path(folder) / "f.zip", files[::order])
            contents.append((Path(folder) / "f.zip").read_bytes())
    assert contents[0] == contents[1]


def test_a_zip_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "f.zip"
    target.write_bytes(b"old")
    files = [*pages(tmp_path, "a"), ("x_9_209_A2.ipynb", tmp_path / "gone.html")]
    with pytest.raises(UsageError, match=r"gone\.html could not be read"):
        write_feedback_zip(target, files)
    assert b"old" == target.read_bytes()
    assert ["1.html", "f.zip"] == sorted(path.name for path in tmp_path.iterdir())


def test_two_pages_for_one_submission_are_told(tmp_path: Path) -> None:
    files = pages(tmp_path, "a")
    with pytest.raises(UsageError, match="two feedback pages for x_1_201_A2"):
        write_feedback_zip(tmp_path / "f.zip", files * 2)


def test_a_zip_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"f\.zip could not be written: No such file"):
        write_feedback_zip(tmp_path / "no" / "f.zip", pages(tmp_path, "a"))
