"""What the terminal shows of changes: a long table is cut, and summed up so that nothing hides."""

from __future__ import annotations

from grader.reports.changes import MOST_ROWS, ChangeRow, changes_report


def shown(rows: list[ChangeRow], *, all_rows: bool = False) -> str:
    return changes_report(rows, all_rows=all_rows, rest="look there")


def row(number: int, item: str = "relu", why: str = "points") -> ChangeRow:
    return ChangeRow(student=f"S{number}", item=item, before="1", after="2", why=why)


def test_a_long_table_says_how_to_see_the_rest_and_what_is_in_it() -> None:
    rows = [row(number) for number in range(MOST_ROWS + 2)] + [row(0, "grid", "tolerance")]
    text = shown(rows)
    assert "and 3 more lines: look there." in text
    assert f"relu (points): {MOST_ROWS + 2}; grid (tolerance): 1" in text
    assert f"{MOST_ROWS + 2} students have other points" in text
    assert "more lines" not in shown(rows, all_rows=True)
    assert "grid " in shown(rows, all_rows=True)


def test_columns_are_aligned_whatever_the_width_of_a_character() -> None:
    wide = ChangeRow(student="陳" * 20, item="relu", before="10", after="2", why="points")
    head, first, second, _ = shown([row(1, why=""), wide]).splitlines()
    assert head == "Student                   Item Before After Why"
    assert first == "S1                        relu      1     2"
    assert second == f"{'陳' * 12}… relu     10     2 points"


def test_hostile_text_can_do_nothing() -> None:
    bad = "x\x1b]0;owned\x07\u202e[red]"
    rows = [
        ChangeRow(student=bad, item=bad, before=bad, after=bad, why=bad)
        for _ in range(MOST_ROWS + 1)
    ]
    assert not set(shown(rows)) & {"\x1b", "\x07", "\u202e"}
