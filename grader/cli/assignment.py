"""The assignment that a command line names, and the limits for its notebooks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from grader.model import Limits
from grader.packs import Pack, load_pack
from grader.places import bundled


def pack_of(options: dict[str, Any]) -> Pack:
    """Take what `pack_options` added out of `options`, and load the pack."""
    folders = [*options.pop("pack_dir"), bundled("rubrics")]
    return load_pack(options.pop("assignment"), folders)


def limits_of(options: dict[str, Any], pack: Pack) -> Limits:
    """Take what `limit_options` added out of `options`; the pack's limits stand for the rest."""
    limits = pack.rubric.limits.limits()
    for name in ("cell_seconds", "notebook_seconds"):
        if (seconds := options.pop(name)) is not None:
            limits = replace(limits, **{name: seconds})
    return limits
