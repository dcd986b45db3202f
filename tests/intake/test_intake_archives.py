"""Zips, most of them hostile. A right neighbour is taken in whatever stands beside it."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from grader.errors import UsageError
from grader.intake import Intake, IntakeLimits
from grader.model import Student

RIGHT = "leeana_17_341_Lee-A2.ipynb"
BAD = "ngjennifer_12_340_Ng-A2.ipynb"
MIB = 1 << 20

Take = Callable[..., Intake]
Zipped = Callable[..., Path]
Build = Callable[..., bytes]


def sentences(taken: Intake) -> list[str]:
    return [problem.sentence for problem in taken.problems]


def files(taken: Intake) -> list[str]:
    return [entry.submission.file for entry in taken.entries]


def symlink(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def packed(name: str, method: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = method
    return info


def patched(path: Path, old: bytes, new: bytes) -> Path:
    """The zip with some of its bytes changed, names and flags say."""
    assert len(old) == len(new)
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    return path


def nested() -> bytes:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as opened:
        opened.writestr("Ng-A2.ipynb", b"{}")
    return inner.getvalue()


HOSTILE: Sequence[tuple[str, object, str]] = [
    ("climbs", "../../../ngjennifer_12_340_Ng-A2.ipynb", "leads out of the zip"),
    ("climbs-within", "x/../../ngjennifer_12_340_Ng-A2.ipynb", "leads out of the zip"),
    ("absolute", "/etc/ngjennifer_12_340_Ng-A2.ipynb", "leads out of the zip"),
    ("drive", "C:/ngjennifer_12_340_Ng-A2.ipynb", "leads out of the zip"),
    ("backslash", "..\\..\\ngjennifer_12_340_Ng-A2.ipynb", "backslash"),
    ("symlink", symlink(BAD), "is a link"),
    ("bzip2", packed(BAD, zipfile.ZIP_BZIP2), "packed in a way"),
    ("lzma", packed(BAD, zipfile.ZIP_LZMA), "packed in a way"),
    ("long-name", f"ngjennifer_12_340_{'x' * 5000}.ipynb", "more than 512 characters"),
    ("nested-zip", "ngjennifer_12_340_Ng-A2.zip", "is an archive"),
    ("pdf", "ngjennifer_12_340_Ng-A2.pdf", "is a PDF, not a notebook"),
    ("text-entry", "ngjennifer_12_text.html", "is text that was typed into Canvas"),
    ("link-entry", "ngjennifer_LATE_12_link.html", "is a link to a web page"),
    ("bidirectional", "ngjennifer_12_340_Ng\u202egnp.pdf", "is a PDF"),
    ("control", "ngjennifer_12_340_Ng\x1b[2J\r\n.pdf", "is a PDF"),
    ("formula", "=cmd|' /C calc'!A0.pdf", "is a PDF"),
]


@pytest.mark.parametrize(
    ("member", "fault"),
    [pytest.param(member, fault, id=name) for name, member, fault in HOSTILE],
)
def test_a_hostile_member_is_a_problem_and_its_neighbour_is_taken_in(
    member: object,
    fault: str,
    zipped: Zipped,
    intake: Take,
    notebook: Build,
) -> None:
    ng = Student(name="Ng, Jennifer", canvas_id="12")
    taken = intake(zipped([(member, notebook()), (RIGHT, notebook())]), roster=[ng])
    assert [RIGHT] == files(taken)
    (sentence,) = sentences(taken)
    assert fault in sentence
    if isinstance(member, str) and "ngjennifer" in member:
        assert taken.problems[0].student == ng


def test_the_sentence_names_the_file_and_the_student_to_ask(
    zipped: Zipped, intake: Take, roster: tuple[Student, ...]
) -> None:
    taken = intake(zipped({"ngjennifer_12_340_Ng-A2.pdf": b"%PDF"}), roster=roster)
    assert [
        (
            "ngjennifer_12_340_Ng-A2.pdf is a PDF, not a notebook: "
            "ask Ng, Jennifer for the .ipynb file."
        )
    ] == sentences(taken)


def test_a_member_twice_in_the_zip_is_not_taken_in(
    zipped: Zipped, intake: Take, notebook: Build
) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped([(BAD, notebook("x = 1")), (BAD, notebook("x = 2")), (RIGHT, notebook())])
    taken = intake(path)
    assert [RIGHT] == files(taken)
    assert [f"{BAD} is in the zip 2 times, and none was taken"] == [
        sentence.partition(":")[0] for sentence in sentences(taken)
    ]


def test_an_encrypted_member_is_a_problem(zipped: Zipped, intake: Take, notebook: Build) -> None:
    path = zipped({BAD: notebook("x = 1"), RIGHT: notebook()})
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    path.write_bytes(data)
    taken = intake(path)
    assert [RIGHT] == files(taken)
    assert "is encrypted" in sentences(taken)[0]


def test_a_damaged_member_is_a_problem(zipped: Zipped, intake: Take, notebook: Build) -> None:
    path = zipped([(packed(BAD, zipfile.ZIP_STORED), notebook("x = 1")), (RIGHT, notebook())])
    taken = intake(patched(path, b"x = 1", b"x = 2"))
    assert [RIGHT] == files(taken)
    assert "cannot be unpacked" in sentences(taken)[0]


def test_a_name_with_a_zero_byte_is_a_problem(
    zipped: Zipped, intake: Take, notebook: Build
) -> None:
    path = zipped({"ngjennifer_12_340_NgZA2.ipynb": notebook(), RIGHT: notebook()})
    taken = intake(patched(path, b"NgZA2", b"Ng\0A2"))
    assert [RIGHT] == files(taken)
    assert "zero byte" in sentences(taken)[0]


def test_utf8_names_that_are_not_marked_as_such_are_read(
    zipped: Zipped, intake: Take, notebook: Build
) -> None:
    """As Ruby writes them: without the flag, every other program takes them for cp437."""
    placeholder = "m??llereva_32_340_M??ller-A2.ipynb".replace("?", "Q")
    path = patched(
        zipped({placeholder: notebook()}),
        placeholder.encode(),
        "müllereva_32_340_Müller-A2.ipynb".encode(),
    )
    taken = intake(path, roster=[Student(name="Müller, Eva", canvas_id="32")])
    assert ["müllereva_32_340_Müller-A2.ipynb"] == files(taken)
    assert ["Müller, Eva"] == [e.submission.students[0].name for e in taken.entries]


def test_names_in_cp437_are_read_too(zipped: Zipped, intake: Take, notebook: Build) -> None:
    path = patched(
        zipped({"m?llereva_32_340_A2.ipynb".replace("?", "Q"): notebook()}),
        b"mQllereva",
        b"m\x81llereva",
    )
    assert ["müllereva"] == [e.submission.students[0].name for e in intake(path).entries]


def test_what_a_mac_adds_is_left_out(zipped: Zipped, intake: Take, notebook: Build) -> None:
    taken = intake(
        zipped(
            {
                "__MACOSX/._ngjennifer_12_340_Ng-A2.ipynb": b"\0",
                "__MACOSX/": b"",
                ".DS_Store": b"\0",
                ".ipynb_checkpoints/ngjennifer_12_340_Ng-A2.ipynb": notebook("x = 2"),
                "submissions/": b"",
                "submissions/ngjennifer_12_340_Ng-A2.ipynb": notebook(),
            }
        )
    )
    assert ([BAD], []) == (files(taken), sentences(taken))


# ------------------------------------------------------------------------------- too much
def test_a_bomb_is_read_no_further_than_the_limit(
    zipped: Zipped,
    intake: Take,
    notebook: Build,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """64 MB of spaces in 64 KB, of which no more is unpacked than one notebook may have."""
    path = zipped({BAD: b" " * (64 * MIB), RIGHT: notebook()})
    unpacked = _counting(monkeypatch)
    taken = intake(path, limits=IntakeLimits(notebook_bytes=MIB, expansion=10_000))
    assert [RIGHT] == files(taken)
    assert "is larger than 1 MB" in sentences(taken)[0]
    assert MIB < unpacked[BAD] <= MIB + 1


def test_a_bomb_is_known_by_its_ratio(
    zipped: Zipped, intake: Take, notebook: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped({BAD: b" " * (32 * MIB), RIGHT: notebook()})
    unpacked = _counting(monkeypatch)
    taken = intake(path)
    assert [RIGHT] == files(taken)
    assert "unpacks to more than 200 times its size" in sentences(taken)[0]
    assert 8 * MIB < unpacked[BAD] <= 8 * MIB + (1 << 16)


def test_a_small_file_may_be_repetitive(zipped: Zipped, intake: Take, notebook: Build) -> None:
    taken = intake(zipped({BAD: notebook("x = 1\n" * 500_000)}))
    assert ([BAD], []) == (files(taken), sentences(taken))


def test_a_lie_about_the_size_does_not_help(
    zipped: Zipped, intake: Take, notebook: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory says 1 byte, or 4 GB: what counts is what comes out."""
    members = {BAD: b" " * (4 * MIB), RIGHT: notebook()}
    size = (4 * MIB).to_bytes(4, "little")
    small = patched(zipped(members, "small.zip"), size, (1).to_bytes(4, "little"))
    assert "cannot be unpacked" in sentences(intake(small))[0]
    large = patched(zipped(members, "large.zip"), size, (0xFFFFFFF0).to_bytes(4, "little"))
    unpacked = _counting(monkeypatch)
    taken = intake(large, limits=IntakeLimits(notebook_bytes=MIB, expansion=10_000))
    assert [RIGHT] == files(taken)
    assert unpacked[BAD] <= MIB + 1


def test_all_members_together_have_a_limit(
    zipped: Zipped, intake: Take, notebook: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of 20 is small enough, and all of them are too much: the rest is not unpacked."""
    bomb = {f"s{i:02}_{100 + i}_{i + 1}_A2.ipynb": notebook("#" * MIB) for i in range(20)}
    path = zipped({BAD: notebook(), **bomb})
    unpacked = _counting(monkeypatch)
    limits = IntakeLimits(archive_bytes=5 * MIB)
    taken = intake(path, limits=limits)
    assert 21 == len(taken.entries) + len(taken.problems)
    assert 4 <= len(taken.entries) <= 6
    assert all("unpacks to more than 5 MB" in sentence for sentence in sentences(taken))
    assert sum(unpacked.values()) <= 5 * MIB + 20 * (1 << 16)


def test_a_zip_of_too_many_files_is_a_problem_and_the_next_source_goes_on(
    zipped: Zipped, intake: Take, notebook: Build
) -> None:
    crowd = zipped({f"s_{i}_{i}_A2.ipynb": b"" for i in range(1, 102)}, "crowd.zip")
    right = zipped({RIGHT: notebook()}, "right.zip")
    taken = intake(crowd, right, limits=IntakeLimits(files=100))
    assert [RIGHT] == files(taken)
    assert ["crowd.zip holds more than 100 files, and none was read: look what is in it."] == (
        sentences(taken)
    )


def test_a_directory_is_not_even_read_when_it_is_too_large(
    zipped: Zipped, intake: Take, notebook: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 KB of directory where 64 files may take 64 KB: zipfile is stopped before it parses."""
    crowd = zipped({f"s_{i}_{i}_{'x' * 200}.ipynb": b"" for i in range(1, 400)}, "crowd.zip")
    right = zipped({RIGHT: notebook()}, "right.zip")
    made: list[str] = []
    original = zipfile.ZipInfo.__init__

    def counted(info: zipfile.ZipInfo, filename: str = "", *rest: object) -> None:
        made.append(filename)
        original(info, filename, *rest)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(zipfile.ZipInfo, "__init__", counted)
    taken = intake(crowd, right, limits=IntakeLimits(files=10))
    assert [RIGHT] == made
    assert [RIGHT] == files(taken)
    assert 1 == len(taken.problems)


@pytest.mark.parametrize("name", ["submissions.zip", "submissions"])
@pytest.mark.parametrize("cut", [4, 100])
def test_a_zip_that_cannot_be_opened_is_wrong_use(
    name: str, cut: int, zipped: Zipped, intake: Take, notebook: Build
) -> None:
    path = zipped({BAD: notebook()}, name)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(UsageError, match=rf"{name} is not a zip that can be read .*download"):
        intake(path)


def test_a_text_called_zip_is_wrong_use(incoming: Path, intake: Take) -> None:
    (incoming / "submissions.zip").write_text("hello")
    with pytest.raises(UsageError, match=r"submissions\.zip is not a zip that can be read"):
        intake(incoming / "submissions.zip")


def test_a_zip_without_its_ending_is_opened(zipped: Zipped, intake: Take, notebook: Build) -> None:
    assert [BAD] == files(intake(zipped({BAD: notebook()}, "download")))


def test_a_word_document_is_not_opened_as_a_zip(zipped: Zipped, intake: Take) -> None:
    taken = intake(zipped({"word/document.xml": b""}, "Ng-A2.docx"))
    assert ["Ng-A2.docx is a Word document, not a notebook: ask Ng for the .ipynb file."] == (
        sentences(taken)
    )


def test_nested_zips_stay_closed(zipped: Zipped, intake: Take, notebook: Build) -> None:
    taken = intake(zipped({"ngjennifer_12_340_work.zip": nested(), RIGHT: notebook()}))
    assert [RIGHT] == files(taken)
    assert "is an archive (which is not opened), not a notebook" in sentences(taken)[0]


def _counting(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many bytes of each member zipfile hands out from now on."""
    unpacked: dict[str, int] = {}
    original = zipfile.ZipExtFile.read

    def read(member: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        data = original(member, n)
        assert member.name is not None
        unpacked[member.name] = unpacked.get(member.name, 0) + len(data)
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", read)
    return unpacked
