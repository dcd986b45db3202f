"""What the doctor finds: everything that a grading needs, and a mend for what is not well."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from grader.grading import doctor
from grader.grading.doctor import Finding, examine
from grader.kernels.forked.layers import ALWAYS, EXTRA, GROUP

EXAMPLE = Path("docs/examples")  # with the pack `line` in it


def found(*folders: Path) -> Mapping[str, Finding]:
    return {finding.what: finding for finding in examine(folders)}


@pytest.mark.kernel
@pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's")
def test_it_starts_a_kernel_and_names_packages_packs_and_every_layer(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "rubric.toml").write_text("title = ")
    seen = found(EXAMPLE, tmp_path)
    assert sys.executable in seen["Python"].seen
    assert all(seen[name].well for name in ("Python", *doctor.PACKAGES, "a process for each check"))
    assert seen["a kernel"].well
    assert ALWAYS[0] in seen["a kernel"].seen
    assert {f"isolation: {name}" for name in (*ALWAYS, *EXTRA)} <= set(seen)
    assert seen["assignment line"].well
    assert "questions" in seen["assignment line"].seen
    assert not seen["assignment broken"].well
    assert str(broken) in seen["assignment broken"].mend
    assert seen[f"isolation: {GROUP}"].well, "it is not needed"
    assert all(finding.mend for finding in seen.values() if not finding.well)


@pytest.mark.kernel
def test_on_another_system_it_says_what_to_do_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel is a stock one there, and each layer is missing for one reason."""
    monkeypatch.setattr("grader.kernels.isolation.sys.platform", "darwin")
    monkeypatch.setattr(doctor, "version", version_of_all_but_nbclient)
    seen = found()
    assert seen["a kernel"].well
    assert "own processes" not in seen["a kernel"].seen
    layers = [finding for what, finding in seen.items() if what.startswith("isolation: ")]
    assert {"not active: darwin has nothing of the kind"} == {layer.seen for layer in layers}
    assert all(not layer.well and layer.mend for layer in layers)
    assert not seen["memory limit of a notebook"].well
    assert "on Linux" in seen["memory limit of a notebook"].mend
    assert ("not installed", "Install it: pip install nbclient") == (
        seen["nbclient"].seen,
        seen["nbclient"].mend,
    )


def version_of_all_but_nbclient(name: str) -> str:
    if name == "nbclient":
        raise PackageNotFoundError(name)
    return "1.0"
