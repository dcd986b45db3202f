"""A probe that breaks something breaks nothing but itself."""

from __future__ import annotations

import linecache
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from grader.inside import harness

LIMIT = 1 << 20
ENDLESS = "while True: pass"


def ask(body: str, *, seconds: float = 20.0, limit: int = LIMIT, **scope: Any) -> tuple[str, bytes]:
    source = "def probe(names, rng):\n    " + body.replace("\n", "\n    ")
    call = {"source": source, "probe_id": "probe", "number": 1}
    return harness.ask_in_fork(call, harness.Names(scope), seconds=seconds, limit=limit)


def test_an_answer_comes_back() -> None:
    assert ("done", harness.encode("value", 42)) == ask("return names.x", x=42)


def test_what_a_probe_changes_is_unchanged_afterwards() -> None:
    scope: dict[str, Any] = {"x": [1]}
    assert ("done", harness.encode("value", [1, 2])) == ask(
        "names.x.append(2)\nreturn names.x", **scope
    )
    assert [1] == scope["x"]


@pytest.mark.parametrize(
    ("library", "file"),
    [
        (r"C:\Python39\Lib", r"C:\Python39\Lib\statistics.py"),
        (r"C:\Python39\Lib", r"C:\Python39\Lib\site-packages\numpy\core.py"),
        ("/usr/lib/python3.9", "/usr/lib/python3.9/statistics.py"),
        ("/usr/lib/python3.9", "/usr/lib/python3/dist-packages/numpy/core.py"),
    ],
)
def test_the_line_that_is_told_is_the_students_and_not_a_librarys(
    library: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last line of theirs that led to the error, wherever Python is installed."""
    monkeypatch.setattr(harness, "_LIBRARY", library)
    scope: dict[str, Any] = {}
    cell = "def theirs():\n    return mean()\n"
    for name, source in ((file, "def mean():\n    raise ValueError('no data')\n"), ("cell", cell)):
        monkeypatch.setitem(linecache.cache, name, (1, None, source.splitlines(True), name))
        exec(compile(source, name, "exec"), scope)  # noqa: S102  the lines above
    status, reply = ask("return names.theirs()", **scope)
    assert "done" == status
    assert b"no data (in `theirs`, at: return mean())" in reply


@pytest.mark.parametrize("loop", [ENDLESS, "sum(range(10**13))"])
def test_an_endless_loop_is_a_timeout(loop: str) -> None:
    assert ("timeout", b"") == ask(loop, seconds=0.3)


@pytest.mark.parametrize(
    "body",
    [
        "import os; os._exit(0)",
        "import os; os.kill(os.getpid(), 9)",
        "import os; os.abort()",
        "import ctypes; ctypes.string_at(0)",
    ],
)
def test_a_process_that_ends_has_died(body: str) -> None:
    quiet = "import faulthandler; faulthandler.disable()\n"  # pytest's would tell of the crash
    assert ("died", b"") == ask(quiet + body)


@pytest.mark.parametrize("raised", ["MemoryError()", "SystemExit(3)", "KeyboardInterrupt()"])
def test_whatever_is_raised_is_an_answer(raised: str) -> None:
    status, reply = ask(f"raise {raised}")
    assert "done" == status
    assert raised.partition("(")[0].encode() in reply


def test_an_answer_that_is_too_large_is_refused() -> None:
    assert ("malformed", b"") == ask("return 'x' * 1000", limit=999)


@pytest.mark.parametrize(
    "lie",
    [
        "os.write(fd, struct.pack('>Q', 10 << 30))\nos._exit(0)",
        "os.write(fd, struct.pack('>Q', 10 << 30) + b'x' * 9000)\nos._exit(0)",
    ],
)
def test_a_declared_size_is_not_believed(lie: str) -> None:
    find = "import os, struct, sys\nframe = sys._getframe()\n"
    find += "while 'writer' not in frame.f_locals: frame = frame.f_back\n"
    assert ("malformed", b"") == ask(f"{find}fd = frame.f_locals['writer']\n{lie}")


def test_a_size_that_is_too_small_cuts_the_answer_off_and_nothing_else() -> None:
    find = "import os, struct, sys\nframe = sys._getframe()\n"
    find += "while 'writer' not in frame.f_locals: frame = frame.f_back\n"
    lie = "os.write(frame.f_locals['writer'], struct.pack('>Q', 2) + b'abcd')\nos._exit(0)"
    assert ("done", b"ab") == ask(find + lie)


def test_a_subprocess_left_behind_is_ended(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    body = "import subprocess, pathlib\nchild = subprocess.Popen(['sleep', '1000'])\n"
    body += f"pathlib.Path({str(noted)!r}).write_text(str(child.pid))\nreturn 1"
    assert "done" == ask(body)[0]
    assert_ended(int(noted.read_text()))


def test_printing_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    assert "done" == ask("import os\nprint('loud')\nos.write(1, b'loud')\nreturn 1")[0]
    assert ("", "") == capfd.readouterr()


def assert_ended(pid: int) -> None:
    """Wait for the end of a process; a zombie that its parent does not fetch has ended too."""
    for _ in range(500):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return
        if state == "Z":
            return
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the process goes on")
