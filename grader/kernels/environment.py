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
    passed_on = {name: given[name] for name in PASSED_ON if name in given}
    return {
        "LANG": "C.UTF-8",
        **passed_on,
        "PATH": f"{Path(sys.executable).parent}:{given.get('PATH', os.defpath)}",  # for !python
        **dict.fromkeys(THREADS, "1"),
        "HOME": str(home),
        "IPYTHONDIR": str(runtime / "ipython"),
        "JUPYTER_CONFIG_DIR": str(runtime / "jupyter"),
        "JUPYTER_DATA_DIR": str(runtime / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(runtime / "jupyter"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "MPLCONFIGDIR": str(fonts),
        "TMPDIR": str(runtime / "tmp"),
        "XDG_CACHE_HOME": str(runtime / "cache"),
        "PIP_NO_INDEX": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
    }


async def font_cache(given: Mapping[str, str]) -> Path:
    """Return matplotlib's list of this machine's fonts, made once and kept between runs.

    Without it every kernel would look through all fonts anew. Where it cannot be made, the
    folder does not exist, which costs time and nothing else.
    """
    base = Path(given.get("XDG_CACHE_HOME") or Path(given.get("HOME", "/nonexistent"), ".cache"))
    cache = base / "grader" / f"matplotlib-python{sys.version_info.major}.{sys.version_info.minor}"
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
