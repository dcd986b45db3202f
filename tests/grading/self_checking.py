"""Run by a Python that has no grader: a self-check on notebooks, each in a fork of its own.

python self_checking.py SCRIPT OUT (fork|here) NOTEBOOK... writes {notebook: what was printed}.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np  # noqa: F401  imported once, for all forks
import pandas as pd  # noqa: F401  as above
from IPython.core import inputtransformer2  # noqa: F401  as above

mpl.use("agg")


def printed(script: str, notebook: str, *, forking: bool) -> str:
    """Return what `python SCRIPT NOTEBOOK` prints."""
    out = io.StringIO()
    sys.argv = [script, notebook]
    if not forking:
        del os.fork  # as on Windows
    with contextlib.redirect_stdout(out):
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            print(f"exit status {end.code}")  # noqa: T201  it is read by the test
    return out.getvalue()


def in_fork(script: str, notebook: str, *, forking: bool) -> str:
    reader, writer = os.pipe()
    if os.fork() == 0:
        with os.fdopen(writer, "w") as stream:
            stream.write(printed(script, notebook, forking=forking))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    os.wait()
    return text


if __name__ == "__main__":
    script, out, way, *notebooks = sys.argv[1:]
    said = {each: in_fork(script, each, forking=way == "fork") for each in notebooks}
    Path(out).write_text(json.dumps(said))
