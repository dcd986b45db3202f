"""Canvas's file names, read backwards."""

from __future__ import annotations

import pytest

from grader.intake.canvas_names import CanvasName, Form, is_name_of, readings


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        pytest.param(
            "ngjennifer_12_340_Ng-A2.ipynb",
            CanvasName(
                name="ngjennifer",
                late=False,
                user_id="12",
                attachment_id="340",
                display="Ng-A2.ipynb",
            ),
            id="named",
        ),
        pytest.param(
            "ngjennifer_LATE_12_340_Ng-A2-1.ipynb",
            CanvasName(
                name="ngjennifer",
                late=True,
                user_id="12",
                attachment_id="340",
                display="Ng-A2-1.ipynb",
            ),
            id="late",
        ),
        pytest.param(
            "王小明_12_340_王-A2.ipynb",
            CanvasName(
                name="王小明",
                late=False,
                user_id="12",
                attachment_id="340",
                display="王-A2.ipynb",
            ),
            id="any-script",
        ),
        pytest.param(
            "_12_340_A2 (1).ipynb",
            CanvasName(
                name="", late=False, user_id="12", attachment_id="340", display="A2 (1).ipynb"
            ),
            id="a-name-without-letters",
        ),
        pytest.param(
            "_LATE_12_340_A2.ipynb",
            CanvasName(name="", late=True, user_id="12", attachment_id="340", display="A2.ipynb"),
            id="a-late-name-without-letters",
        ),
        pytest.param(
            "team_rocket_12_340_A2.ipynb",
            CanvasName(
                name="team_rocket",
                late=False,
                user_id="12",
                attachment_id="340",
                display="A2.ipynb",
            ),
            id="group",
        ),
        pytest.param(
            "ngjennifer_LATE_12_text.html",
            CanvasName(
                name="ngjennifer", late=True, user_id="12", display="text.html", form=Form.TEXT
            ),
            id="text-entry",
        ),
        pytest.param(
            "ngjennifer_12_link.html",
            CanvasName(
                name="ngjennifer", late=False, user_id="12", display="link.html", form=Form.LINK
            ),
            id="link-entry",
        ),
        pytest.param(
            "LATE_anon_x7Yz2_340_A2.ipynb",
            CanvasName(
                name="", late=True, anonymous_id="x7Yz2", attachment_id="340", display="A2.ipynb"
            ),
            id="anonymous-late-first",
        ),
        pytest.param(
            "anon_x7Yz2_text.html",
            CanvasName(
                name="", late=False, anonymous_id="x7Yz2", display="text.html", form=Form.TEXT
            ),
            id="anonymous-text",
        ),
        pytest.param(
            "LATE_anon_x7Yz2_link.html",
            CanvasName(
                name="", late=True, anonymous_id="x7Yz2", display="link.html", form=Form.LINK
            ),
            id="anonymous-link",
        ),
    ],
)
def test_every_form_of_name_is_read(file: str, expected: CanvasName) -> None:
    assert (expected,) == readings(file)


@pytest.mark.parametrize(
    "file",
    [
        "Ng-A2.ipynb",
        "A2.ipynb",
        "Ng_2024_11_A2.ipynb",  # Canvas writes names in lower case
        "ng-a2_1_2_x.ipynb",  # and deletes hyphens
        "ng_012_340_A2.ipynb",  # identifiers do not begin with 0
        "ng_12_34",
        "ng_12_340_",
        "",
        "_",
        "ng_99999999999999999999_340_A2.ipynb",
    ],
)
def test_other_names_are_not_taken_for_names_of_canvas(file: str) -> None:
    assert () == readings(file)


def test_numbers_within_a_name_give_several_readings_leftmost_first() -> None:
    found = readings("team_1_17_99_340_x.ipynb")
    assert [("1", "17"), ("17", "99"), ("99", "340")] == [
        (reading.user_id, reading.attachment_id) for reading in found
    ]
    assert ["team", "team_1", "team_1_17"] == [reading.name for reading in found]


def test_an_upload_called_text_is_also_a_text_entry() -> None:
    found = readings("ng_12_34_text.html")
    assert [(Form.UPLOAD, "12"), (Form.TEXT, "34")] == [(r.form, r.user_id) for r in found]


@pytest.mark.parametrize(
    ("shortened", "name"),
    [
        ("ngjennifer", "Ng, Jennifer"),
        ("smithjonesann", "Smith-Jones, Ann"),
        ("osuílleabháinseán", "Ó Súilleabháin, Seán"),  # whether or not accents survived
        ("रविकुमार", "रवि कुमार"),  # whose vowel signs are marks
        ("रवकमर", "रवि कुमार"),
        ("a1b", "a_1_b"),
        ("", "!!!"),
    ],
)
def test_a_shortened_name_is_known_again(shortened: str, name: str) -> None:
    assert is_name_of(shortened, name)


def test_another_name_is_not() -> None:
    assert not is_name_of("ngjennifer", "Ng, Jenny")
