"""Kill a night at random moments, go on each time, and compare with one that nobody disturbed.

    python -m bench.stopped --kills 20

The sample export, real kernels, and SIGKILL to the grader after a random part of the time that the
undisturbed night took; then the same command again, until it comes to its end. Its results.json
must be equal, but for seconds, nothing half-written may be left, and a command that is not killed
must end well. Nights go on until there were as many kills as were asked for. Ends with status 1 at
the first difference.

tests/grading/test_stopped.py does the same faster and at more telling moments, without kernels.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

EXPORT = Path("submissions/a2-canvas-export.zip")
ROSTER = Path("submissions/a2-gradebook.csv")
FOREVER = 0.0
WELL = frozenset({0, 3})  # 3: some need attention, as in every run of the sample


def command(out: Path, secret: Path) -> list[str | Path]:
    words = ("grade", EXPORT, "--roster", ROSTER, "--cell-seconds", "15")
    return [
        *(sys.executable, "-m", "grader", *words),
        *("--hidden-seed-file", secret, "--out", out),
    ]


def killed(night: list[str | Path], seconds: float) -> bool:
    """Run the command; kill it after `seconds`, unless it has ended by itself, and well."""
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(night, stdout=subprocess.DEVNULL, stderr=said) as process,
    ):
        try:
            status = process.wait(None if seconds == FOREVER else seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return True
        if status not in WELL:
            said.seek(0)
            sys.exit(f"It ended with status {status}: {said.read().decode(errors='replace')}")
    return False


def results(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((out / "results.json").read_bytes())
    for row in rows:
        row["run"].pop("seconds")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=5, help="of the moments")
    given = parser.parse_args()
    draw = random.Random(given.seed)  # noqa: S311  the same moments each time
    with tempfile.TemporaryDirectory(prefix="grader-bench-") as name:
        folder = Path(name)
        secret = folder / "secret"
        secret.write_text("a secret of the bench, long enough", encoding="ascii")
        begun = time.perf_counter()
        killed(command(folder / "undisturbed", secret), FOREVER)
        took = time.perf_counter() - begun
        print(f"Undisturbed: {took:.0f} s.", flush=True)
        kills, night = 0, 0
        while kills < given.kills:
            night += 1
            out, at = folder / str(night), list[str]()
            while killed(command(out, secret), moment := draw.uniform(0, took)):
                at.append(f"{moment:.0f}")
                kills += 1
            same = results(out) == results(folder / "undisturbed")
            whole = not list(out.rglob("*.part"))
            said = "the same results" if same else "OTHER RESULTS"
            print(f"Night {night}: killed after {', '.join(at) or '-'} s: {said}.", flush=True)
            if not (same and whole):
                sys.exit(1)
    print(f"{kills} kills in {night} nights.")


if __name__ == "__main__":
    main()
