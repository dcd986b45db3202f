"""Files as people give them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from grader.canvas import Gradebook, read_gradebook

ROSTER = """\
Student,ID,SIS User ID,SIS Login ID,Section,A1 (900),A2 (901),Current Score
    Points Possible,,,,,10.00,100.00,(read only)
"Doe, Jane",101,s1,jdoe,Sec 1,9.00,,90.00
"Lee, Sam",102,s2,slee,Sec 1,8.00,88.50,80.00
"Lee, Kim",103,s3,klee,Sec 2,,EX,70.00
"Garcia Lopez, Ana",104,s4,agl,Sec 2,N/A,N/A,
"Müller, Jörg",105,s5,jm5,"Sec 1 and Sec 2",7.00,50.00,60.00
"Student, Test",199,,3f2a,Sec 1,,,
"""


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Write a file of this name and content."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def roster(file: Callable[[str, str | bytes], Path]) -> Gradebook:
    return read_gradebook(file("roster.csv", ROSTER))
