"""What a student waits for: `grader check --quick` beside the imports of any notebook.

    python -m bench.quick [--rounds 15] [--notebook right.ipynb]

Each round begins both anew, one after the other, so that a ratio is of like with like. Prints a
Markdown table with medians and quartiles.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

IMPORTS = "import numpy, pandas, matplotlib.pyplot, nbformat"
RIGHT = Path("submissions/notebooks/right.ipynb")


def seconds(command: Sequence[str | Path]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def row(what: str, values: Sequence[float], digits: int) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"| {what} | {middle:.{digits}f} | {low:.{digits}f} to {high:.{digits}f} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--notebook", type=Path, default=RIGHT)
    given = parser.parse_args()
    imports = [sys.executable, "-c", IMPORTS]
    check = [sys.executable, "-m", "grader", "check", "--quick", given.notebook]
    seconds(imports), seconds(check)  # what both read is in memory from here on
    pairs = [(seconds(imports), seconds(check)) for _ in range(given.rounds)]
    print("| | median | quartiles |\n|---|--:|--:|")
    print(row(f'`python -c "{IMPORTS}"`, s', [base for base, _ in pairs], 2))
    print(row(f"`grader check --quick {given.notebook.name}`, s", [own for _, own in pairs], 2))
    print(row("times as long", [own / base for base, own in pairs], 2))


if __name__ == "__main__":
    main()
