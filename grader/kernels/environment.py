"""The environment variables of a kernel: all that it inherits from the grader's process."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PASSED_ON = ("LANG", "TZ", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
INLINE = "module://matplotlib_inline.backend_inline"  # what ipykernel sets itself
STAGED = "grader-work-"  # how folders begin that are made for one kernel, and may be removed
THREADS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def clean_environment(
    given: Mapping[str, str], *, home: Path, runtime: Path, cache: Path
) -> dict[str, str]:
    """Return the whole environment of a kernel. Nothing of `given` gets in but by name.

    Args:
        given: the grader's own environment.
        home: the student's folder.
        runtime: this kernel's own folder for what Jupyter and matplotlib write.
        cache: what `font_cache` returned.
    """
    fonts = runtime / "matplotlib"
    # A copy, because a matplotlibrc left there by one student would change the next one's plots.
    shutil.copytree(cache, fonts) if cache.is_dir() else fonts.mkdir()
    (runtime / "tmp").mkdir()
    return {
        **_common(given),
        "HOME": str(home),
        "IPYTHONDIR": str(runtime / "ipython"),
        "JUPYTER_CONFIG_DIR": str(runtime / "jupyter"),
        "JUPYTER_DATA_DIR": str(runtime / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(runtime / "jupyter"),
        "MPLCONFIGDIR": str(fonts),
        "TMPDIR": str(runtime / "tmp"),
        "XDG_CACHE_HOME": str(runtime / "cache"),
    }


def warm_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a kernel of the fork server.

    @work and @temporary stand for folders that exist there only.
    """
    return {
        **_common(given),
        "HOME": "@work",
        "IPYTHONDIR": "@temporary/.ipython",
        "JUPYTER_CONFIG_DIR": "@temporary/.jupyter",
        "JUPYTER_DATA_DIR": "@temporary/.jupyter",
        "JUPYTER_RUNTIME_DIR": "@temporary/.jupyter",
        "MPLBACKEND": INLINE,
        "MPLCONFIGDIR": "@temporary/.matplotlib",
        "TMPDIR": "@temporary",
        "USER": "student",
        "XDG_CACHE_HOME": "@temporary/.cache",
    }


def server_environment(given: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the environment of the fork server itself: its kernels can read it too.

    Args:
        folder: where it may write while it imports.
    """
    return {
        **_common(given),
        "HOME": str(folder),
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLBACKEND": INLINE,
        "MPLCONFIGDIR": str(font_folder(given)),
        "TMPDIR": str(folder),
    }


def _common(given: Mapping[str, str]) -> dict[str, str]:
    """Return what is the same for every kernel."""
    return {
        "LANG": "C.UTF-8",
        **{name: given[name] for name in PASSED_ON if name in given},
        "PATH": f"{Path(sys.executable).parent}:{given.get('PATH', os.defpath)}",  # for !python
        **dict.fromkeys(THREADS, "1"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PIP_NO_INDEX": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
    }


def font_folder(given: Mapping[str, str]) -> Path:
    """Return where matplotlib's list of this machine's fonts is kept."""
    base = Path(given.get("XDG_CACHE_HOME") or Path(given.get("HOME", "/nonexistent"), ".cache"))
    return base / "grader" / f"matplotlib-python{sys.version_info.major}.{sys.version_info.minor}"


async def font_cache(given: Mapping[str, str]) -> Path:
    """Return matplotlib's list of this machine's fonts, made once and kept between runs.

    Without it every kernel would look through all fonts anew. Where it cannot be made, the
    folder does not exist, which costs time and nothing else.
    """
    cache = font_folder(given)
    if any(cache.glob("fontlist-*.json")):
        return cache
    try:
        cache.mkdir(parents=True, exist_ok=True)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import matplotlib.font_manager",
            env={"PATH": os.defpath, "MPLCONFIGDIR": str(cache)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await process.wait()
    except OSError:
        pass
    return cache
