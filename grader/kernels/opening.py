"""Open kernels: the best isolated that this machine can have, or as was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from grader.errors import UsageError
from grader.kernels.forked.layers import EXTRA
from grader.kernels.isolation import Isolation, Layer, lacking, layers, started
from grader.kernels.server import ForkServer, Report
from grader.kernels.stock import StockKernels
from grader.kernels.warm import WarmKernels


@contextmanager
def open_kernels(
    isolation: Isolation,
    *,
    hidden: Sequence[Path] = (),
    needed: Sequence[str] = (),
    warn: Callable[[str], None],
    server: ForkServer | None = None,
) -> Iterator[WarmKernels | StockKernels]:
    """Give kernels as asked for, and end what stands behind them on leaving.

    Args:
        hidden: paths that no kernel may see even where they are among Python's own.
        needed: layers without which nothing is run, unless isolation is off.
        warn: told in a sentence if there is less isolation than there could be.

    Raises UsageError where all of it was asked for and something is missing, or what is needed.
    """
    if isolation is Isolation.OFF:
        yield StockKernels()
        return
    server = server or ForkServer(hidden=hidden)
    try:
        sentence = _insufficient(server)
        if sentence and isolation is Isolation.STRICT:
            raise UsageError(f"Nothing was run, as --isolation strict asks: {_missing(server)}.")
        if without := [layer for layer in layers(server) if _lacks(layer, needed)]:
            names = "; ".join(f"{layer.name} ({layer.reason})" for layer in without)
            raise UsageError(f"Nothing was run, for kernels here have not: {names}.")
        if sentence:
            warn(sentence)
        yield WarmKernels(server) if _runs(server) else StockKernels()
    finally:
        server.close()


def _lacks(layer: Layer, needed: Sequence[str]) -> bool:
    return layer.name in needed and not layer.active


def _missing(server: ForkServer) -> str:
    """Return the layers that are missing, and why, as the end of a sentence."""
    gone = {layer.name: layer.reason for layer in layers(server) if not layer.active}
    return f"these layers are missing: {_listed(gone)}"


def _listed(missing: Mapping[str, str]) -> str:
    """Return names of layers and, once for all that have it, each reason."""
    names: dict[str, list[str]] = {}
    for name, why in missing.items():
        if name not in EXTRA:
            names.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(of)} ({why})" for why, of in names.items())


def _runs(server: ForkServer) -> bool:
    return isinstance(started(server), Report)


def _insufficient(server: ForkServer) -> str:
    """Return a sentence on what is missing; empty: nothing."""
    report = started(server)
    if isinstance(report, str):
        return (
            f"Notebooks cannot be isolated here ({report}), so they can do what you can: run only "
            "those that you trust, or see `grader doctor`."
        )
    if missing := lacking(report):
        return (
            f"Notebooks are not fully isolated here (missing {_listed(missing)}): see "
            "`grader doctor`."
        )
    return ""
