"""Write the self-check of an assignment: the script, and the zip that students download."""

from __future__ import annotations

import base64
import io
import json
import re
import textwrap
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.errors import PackError
from grader.files import write_whole
from grader.grading.batch import Exam
from grader.grading.bundling.holding import held
from grader.grading.bundling.parts import parts
from grader.packs import Pack

OPENING = Path(__file__).with_name("opening.txt")
STAMP = (1980, 1, 1, 0, 0, 0)  # the same pack gives the same bytes
SCRIPT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\.py")
WIDTH = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What was written: the zip, and the names in it."""

    path: Path
    script: str
    files: tuple[str, ...]


def bundle(pack: Pack, output: Path | None, jobs: int) -> Bundle:
    """Write a zip with the self-check of `pack` and the files of its working folder.

    Args:
        output: the zip; None: named as the script, in the current folder.
        jobs: in how many processes to work out what the known mistakes answer.

    Raises:
        PackError: the pack cannot be bundled as it is; the sentence says what to change.
    """
    script = script_name(pack)
    path = output or Path(script).with_suffix(".zip")
    files = {name: pack.file(source).read_bytes() for name, source in pack.rubric.files.items()}
    write_whole(path, zipped({script: script_text(Exam.of(pack, None), jobs).encode(), **files}))
    return Bundle(path=path, script=script, files=tuple(files))


def script_name(pack: Pack) -> str:
    """Return what the self-check is called: as the rubric says, else after the assignment."""
    script = pack.rubric.self_check or f"{pack.slug.replace('-', '_')}grader.py"
    if not SCRIPT.fullmatch(script):
        raise PackError(
            f"{pack.slug}: `self_check` in rubric.toml should be the name of a Python file, such "
            f"as A2grader.py, not {script!r}."
        )
    return script


def script_text(exam: Exam, jobs: int) -> str:
    """Return the text of the self-check that asks the public questions of `exam`."""
    pack, script = exam.pack, script_name(exam.pack)
    holding = held(exam, script, jobs)
    opening = OPENING.read_text(encoding="utf-8").format(script=script, title=pack.rubric.title)
    packed = base64.b85encode(zlib.compress(json.dumps(holding).encode(), 9)).decode()
    pieces = [
        opening,
        "_A2grader_status = _A2grader(\n    [\n",
        *_quoted(parts(pack.folder)),
        "    ],\n    '''\n",
        *(f"{line}\n" for line in textwrap.wrap(packed, WIDTH, break_on_hyphens=False)),
        "''',\n)\n",
        CLOSING,
    ]
    return "".join(pieces)


CLOSING = """\
try:
    if _A2grader_status and "get_ipython" not in __import__("builtins").__dict__:
        raise SystemExit(_A2grader_status)
finally:
    del _A2grader, _A2grader_status
"""


def _quoted(texts: Iterable[tuple[str, str]]) -> Iterable[str]:
    """Yield each part as an element of a list, to be read as it is."""
    for name, text in texts:
        if "'''" in text or text.endswith("\\"):
            yield f"        ({name!r}, {text!r}),\n"
        else:
            yield f"        ({name!r}, r'''\n{text}'''),\n"


def zipped(files: Mapping[str, bytes], *, executable: Iterable[str] = ()) -> bytes:
    """Return a zip of `files`, name -> content, the same bytes for the same files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, STAMP)
            info.create_system = 3  # Unix, so that the mode counts
            info.external_attr = (0o100755 if name in set(executable) else 0o100644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()
