"""Where assignments are: with the package, and where its user says."""

from __future__ import annotations

from pathlib import Path

PACK_VARIABLE = "GRADER_PACK_DIR"  # of the environment: folders of packs
_HERE = Path(__file__).resolve().parent


def bundled(name: str) -> Path:
    """Return the folder `name` (rubrics, submissions) that came with the package.

    In a wheel these lie inside the package; in a checkout, beside it.
    """
    inside = _HERE / "_bundled" / name
    return inside if inside.is_dir() else _HERE.parent / name
