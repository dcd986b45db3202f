"""Run by a Python that has no grader: a self-check on notebooks, each in a fork of its own.

python self_checking.py SCRIPT RUNS OUT: RUNS is a list of [way, encoding, notebook]; OUT becomes
the list of what was printed. A way is "fork" (as on Linux), "here" (macOS) or "windows".
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import signal
import sys
from pathlib import Path

import numpy as np  # noqa: F401  imported once, for all forks
import pandas as pd  # noqa: F401  as above

with contextlib.suppress(ImportError):  # as above, where they are there
    import matplotlib as mpl
    from IPython.core import inputtransformer2  # noqa: F401

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: F401

NOT_ON_WINDOWS = {
    os: ("fork", "forkpty", "killpg", "setpgid"),
    signal: ("setitimer", "getitimer", "alarm", "ITIMER_REAL", "SIGALRM", "SIGKILL"),
}


def be(way: str) -> None:
    """Make this process lack what another system lacks."""
    if way == "here":
        del os.fork
    if way == "windows":
        sys.platform = "win32"
        for module, names in NOT_ON_WINDOWS.items():
            for name in names:
                delattr(module, name)


def printed(script: str, way: str, encoding: str, notebook: str) -> bytes:
    """Return what `python SCRIPT NOTEBOOK` prints."""
    written = io.BytesIO()
    sys.argv = [script, notebook]
    be(way)
    out = io.TextIOWrapper(written, encoding=encoding)
    with contextlib.redirect_stdout(out):
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            print(f"exit status {end.code}")  # noqa: T201  it is read by the test
    out.flush()
    return written.getvalue()


def in_fork(script: str, way: str, encoding: str, notebook: str) -> str:
    reader, writer = os.pipe()
    if os.fork() == 0:
        with os.fdopen(writer, "wb") as stream:
            stream.write(printed(script, way, encoding, notebook))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        text = stream.read().decode(encoding)
    os.wait()
    return text


if __name__ == "__main__":
    script, runs, out = sys.argv[1:]
    said = [in_fork(script, *run) for run in json.loads(Path(runs).read_text(encoding="utf-8"))]
    Path(out).write_text(json.dumps(said), encoding="utf-8")
