"""One process of a bench: runs notebooks one after the other, once it is told to begin.

    python -m bench.worker pure|nbclient NOTEBOOK…

`pure` runs the code of the cells in this very process, which has imported all that they import:
less than that no grader can need. `nbclient` runs each notebook as `jupyter execute` does.
It says "ready", and begins when it reads a line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import nbformat


def pure(path: Path) -> None:
    names: dict[str, object] = {"display": lambda _: None}
    for cell in nbformat.read(path, as_version=4).cells:  # type: ignore[no-untyped-call]  # nbformat's
        exec(compile(cell.source, path.name, "exec"), names)  # noqa: S102  the bench's own text


def by_nbclient(path: Path) -> None:
    from nbclient import NotebookClient  # noqa: PLC0415  it takes time, and `pure` needs it not

    NotebookClient(nbformat.read(path, as_version=4)).execute()  # type: ignore[no-untyped-call]  # nbformat's


def prepared(kind: str) -> Callable[[Path], None]:
    if kind == "nbclient":
        return by_nbclient
    import matplotlib as mpl  # noqa: PLC0415  see above

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: F401, PLC0415  see above
    import pandas as pd  # noqa: F401, PLC0415  see above

    return pure


def main() -> None:
    run = prepared(sys.argv[1])
    print("ready", file=sys.stderr, flush=True)
    sys.stdin.readline()
    for name in sys.argv[2:]:
        run(Path(name))


if __name__ == "__main__":
    main()
