"""What a course, a university and a MOOC need: machines, hours, disk, money. Runs no notebook.

    python -m bench.scale
    python -m bench.scale --own 0,300 --cores 64 --night 8 --price 0.03
    python -m bench.scale --submissions 400 --all 2.5 --here 0.3        your own figures

The defaults of --all, --here and --disk are what `python -m bench.many` has measured; the others
are assumptions. Prints the table and both lists that docs/scale.md has.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

HOUR = 3600.0  # seconds
SIZES = (1_000, 50_000, 1_000_000)
OWN = (0.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What one notebook takes, and what there is to run it on. Seconds are of CPU."""

    all: float = 2.07  # kernel, cells, questions, judging, reports: measured
    here: float = 0.15  # of these in the grader's own process, on a cluster: measured
    disk: float = 498.0  # KB in OUT: measured
    busy: float = 0.7  # share of the time in which a worker's core works: assumed
    cores: int = 16  # of a machine, one worker process a core: assumed
    night: float = 10.0  # hours in which it has to be done: assumed
    price: float = 0.05  # of a core-hour, in whatever currency: assumed


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What so many submissions need."""

    submissions: int
    own: float  # seconds of CPU of a notebook's own computation, beyond the sample's
    core_hours: float  # of the workers
    machines: int
    graders: int  # runs of `grader grade`, each with a part of the class and a core
    hours: float
    disk: float  # GB
    money: float

    def row(self) -> str:
        cells = (
            f"{self.submissions:,}",
            f"{self.own:g}",
            quantity(self.core_hours),
            str(self.machines),
            str(self.graders),
            quantity(self.hours),
            quantity(self.disk),
            quantity(self.money),
        )
        return f"| {' | '.join(cells)} |"


HEAD = (
    "| submissions | own computation, s | core-hours | machines | graders | hours | disk, GB "
    "| money |"
)


def need(submissions: int, own: float, costs: Costs) -> Need:
    """Return what a class needs so that it is done in a night.

    A grader judges what its workers send in one process, so it bounds how fast its part can be;
    a class that would take it longer than a night is cut into parts.
    """
    core_hours = submissions * (costs.all - costs.here + own) / costs.busy / HOUR
    machines = max(1, ceil(core_hours / (costs.cores * costs.night)))
    judging = submissions * costs.here / HOUR
    graders = max(1, ceil(judging / costs.night))
    return Need(
        submissions=submissions,
        own=own,
        core_hours=core_hours,
        machines=machines,
        graders=graders,
        hours=max(core_hours / (machines * costs.cores), judging / graders),
        disk=submissions * costs.disk / 1024**2,
        money=(core_hours + judging) * costs.price,
    )


def quantity(value: float) -> str:
    """Return two digits that count; none is cut off before the point."""
    digits = 2 if value < 0.995 else 1 if value < 9.95 else 0
    return f"{value:,.{digits}f}"


def table(costs: Costs, sizes: Sequence[int] = SIZES, own: Sequence[float] = OWN) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield HEAD
    yield f"|{'--:|' * (HEAD.count('|') - 1)}"
    for size in sizes:
        for each in own:
            yield need(size, each, costs).row()


def figures(costs: Costs) -> Iterator[str]:
    """Yield the lines of the list of what goes in."""
    yield f"- measured: a notebook takes {costs.all:g} s of CPU in all,"
    yield f"  {costs.here:g} s of them in the grader's own process, and {costs.disk:g} KB in OUT;"
    yield f"- assumed: workers' cores are busy {costs.busy:.0%} of the time;"
    yield f"- assumed: a machine has {costs.cores} cores, and a worker process for each;"
    yield f"- assumed: it has to be done in {costs.night:g} hours;"
    yield f"- assumed: a core-hour costs {costs.price:g}."


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    costs = Costs()
    parser.add_argument("--submissions", default=",".join(map(str, SIZES)))
    parser.add_argument("--own", default=",".join(f"{each:g}" for each in OWN))
    for name in ("all", "here", "disk", "busy", "night", "price"):
        parser.add_argument(f"--{name}", type=float, default=getattr(costs, name))
    parser.add_argument("--cores", type=int, default=costs.cores)
    given = vars(parser.parse_args())
    sizes = [int(each) for each in given.pop("submissions").split(",")]
    own = [float(each) for each in given.pop("own").split(",")]
    costs = replace(costs, **given)
    print(*table(costs, sizes, own), "", *figures(costs), sep="\n")


if __name__ == "__main__":
    main()
