"""What docs/ci gives to CI works: the action's steps run as on GitHub, without GitHub."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from grader.cli.check import check
from grader.reports.forms import FORMS

CI = Path("docs/ci").resolve()
PAGE = CI.parent / "ci.md"
PLUGIN = Path("grader/pytest_plugin/__init__.py")
OPTION = re.compile(r'"(--grader[\w-]*)"')
ACTION = CI / "github" / "action.yml"
WORKFLOW = CI / "template" / ".github" / "workflows" / "check.yml"
EXPRESSION = re.compile(r"\$\{\{ *([\w.-]+) *\}\}")
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")  # what `shell: bash` means


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def read(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(text_of(path))
    return found


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return [str(value)]


# ------------------------------------------------------------------------------- a dry run
class Runner:
    """Runs the shell steps of a composite action in a folder, with the files that GitHub gives."""

    def __init__(self, folder: Path) -> None:
        self.temp, self.work = folder / "temp", folder / "work"
        for each in (self.temp, self.work):
            each.mkdir()
        self.outputs: dict[str, str] = {}
        self.summary = folder / "summary.md"
        self.action = read(ACTION)

    def run(self, given: Mapping[str, str], extra: Mapping[str, Mapping[str, str]]) -> list[str]:
        """Run the steps until one fails; return what they print, each step's in one text."""
        inputs = {name: str(each["default"]) for name, each in self.action["inputs"].items()}
        known = {f"inputs.{name}": value for name, value in {**inputs, **given}.items()}
        printed = []
        self.status = 0
        for step in self.action["runs"]["steps"]:
            if self.status:
                break
            variables = {k: evaluated(str(v), known) for k, v in step.get("env", {}).items()}
            variables |= extra.get(step["name"], {})
            printed.append(self._step(step["run"], variables))
            known |= {f"steps.{step.get('id')}.outputs.{k}": v for k, v in self._written().items()}
        for name, output in self.action["outputs"].items():
            self.outputs[name] = evaluated(output["value"], known)
        return printed

    def _step(self, script: str, variables: Mapping[str, str]) -> str:
        file = self.temp / "step.sh"
        file.write_text(script, encoding="utf-8")
        done = subprocess.run(
            [*BASH, str(file)],
            cwd=self.work,
            env={
                **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                "CI": "true",
                "GITHUB_ACTIONS": "true",
                "GITHUB_ACTION_PATH": str(ACTION.parent),
                "GITHUB_WORKSPACE": str(self.work),
                "GITHUB_OUTPUT": str(self.temp / "output"),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                "RUNNER_TEMP": str(self.temp),
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        self.status = done.returncode
        assert "Traceback" not in done.stderr
        return done.stdout

    def _written(self) -> dict[str, str]:
        file = self.temp / "output"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return dict(line.split("=", 1) for line in lines)


def evaluated(text: str, known: Mapping[str, str]) -> str:
    return EXPRESSION.sub(lambda found: known.get(found[1], ""), text)


@pytest.mark.kernel
def test_the_actions_steps_check_a_notebook(tmp_path: Path) -> None:
    """From nothing: it installs itself; what the grader depends on comes from this environment."""
    runner = Runner(tmp_path)
    example = CI.parent / "examples"
    shutil.copy(example / "handed-in" / "Lee-A0.ipynb", runner.work / "Lee, the second-A0.ipynb")
    here = sysconfig.get_path("purelib")
    inside = Path(sysconfig.get_path("purelib", vars={"base": str(runner.temp / "grader")}))
    inside.mkdir(parents=True)
    (inside / "dependencies.pth").write_text(here, encoding="utf-8")
    python = tmp_path / "python"  # makes environments without unpacking another pip
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@" --without-pip\n', encoding="utf-8")
    python.chmod(0o755)
    offline = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    _, printed = runner.run(
        {
            "python": str(python),
            "notebook": "*-A0.ipynb",
            "assignment": "line",
            "pack-dir": str(example),
            "min-score": "10",
            "isolation": "off",  # a strange environment's packages are not to be seen in a cage
        },
        {"Install the grader": offline},
    )
    assert 1 == runner.status  # below the minimum, after everything was written
    first, *_, last = printed.splitlines()
    assert first.startswith("::error file=Lee%2C the second-A0.ipynb,line=28,title=Cell 3%3A ")
    assert "::notice title=grader line::8 of 12 points for the code." == last
    reports = Path(runner.outputs.pop("reports"))
    assert {"points": "8", "possible": "12"} == runner.outputs
    names = {"junit.xml", "result.json", "feedback.md", "badge.json"}
    assert names == {path.name for path in reports.iterdir()}
    assert "8 of 12" == json.loads((reports / "badge.json").read_text())["message"]
    summary = runner.summary.read_text(encoding="utf-8")
    assert (reports / "feedback.md").read_text(encoding="utf-8") == summary


@pytest.mark.parametrize("names", [[], ["a.ipynb", "b.ipynb"], ["a; touch x.ipynb", "$(b).ipynb"]])
def test_a_pattern_that_does_not_fit_one_notebook_is_one_sentence(
    names: list[str], tmp_path: Path
) -> None:
    runner = Runner(tmp_path)
    runner.action["runs"]["steps"] = runner.action["runs"]["steps"][1:]
    for name in names:
        (runner.work / name).touch()
    (printed,) = runner.run({}, {})
    assert (2, 1) == (runner.status, len(printed.splitlines()))
    said = f"The input notebook should fit one file and fits {len(names)}."
    assert f"::error title=grader::{said}\n" == printed
    assert len(names) == len(list(runner.work.iterdir()))


# ------------------------------------------------------------------------------- safe
def test_no_step_of_the_action_pastes_an_input_into_a_script() -> None:
    steps = read(ACTION)["runs"]["steps"]
    assert all("${{" not in step["run"] and step["shell"] == "bash" for step in steps)
    declared = set(read(ACTION)["inputs"])
    used = EXPRESSION.findall(" ".join(strings([step.get("env") for step in steps])))
    assert declared == {name.removeprefix("inputs.") for name in used}


def test_the_workflow_is_safe_for_pull_requests_of_strangers() -> None:
    workflow = read(WORKFLOW)
    text = text_of(WORKFLOW)
    assert {"contents": "read"} == workflow["permissions"]
    assert ["push", "pull_request"] == workflow[True]  # YAML 1.1 takes `on` for a yes
    assert "secrets." not in text
    assert "permissions" not in workflow["jobs"]["check"]
    checkout = workflow["jobs"]["check"]["steps"][0]
    assert {"persist-credentials": False} == checkout["with"]


def test_the_workflow_gives_the_action_inputs_that_it_has() -> None:
    (step,) = (s for s in read(WORKFLOW)["jobs"]["check"]["steps"] if "docs/ci" in s["uses"])
    _, _, path = step["uses"].partition("OWNER/REPO/")
    assert "docs/ci/github@REF" == path
    assert set(step["with"]) <= set(read(ACTION)["inputs"])


# ------------------------------------------------------------------------------- the page
def test_the_page_explains_every_form_input_variable_and_option() -> None:
    said = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`\n]+)`", text_of(PAGE)))))
    options = {option.removeprefix("--") for option in OPTION.findall(text_of(PLUGIN))}
    assert len(options) == 3
    variables = read(CI / "gitlab" / "grader.yml")["variables"]
    action = read(ACTION)
    for names in (FORMS, action["inputs"], action["outputs"], variables):
        assert set() == set(names) - said
    assert [] == [option for option in options if f"--{option}" not in text_of(PAGE)]


def test_the_workflow_on_the_page_is_the_templates() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", text_of(PAGE), re.DOTALL)
    assert shown in text_of(WORKFLOW)


# ------------------------------------------------------------------------------- GitLab
def test_gitlabs_job_runs_a_command_that_there_is_and_keeps_what_it_writes() -> None:
    included = read(CI / "gitlab" / "grader.yml")
    job = included["grader"]
    (line,) = (each for each in job["script"] if "grader check" in each)
    for name, value in included["variables"].items():
        line = line.replace(f"${name}", str(value))
    _, _, *words = shlex.split(line)
    given, _, _ = check.make_parser(click.Context(check)).parse_args(words)
    written = dict(each.split("=") for each in given["also"])
    reports = job["artifacts"]["reports"]
    assert reports == {form: written[form] for form in ("junit", "codequality")}
    assert all(name.startswith("grader-") for name in written.values())


def test_the_template_sets_variables_that_gitlabs_job_has() -> None:
    """None of them is set in the job itself, where it would win over the template's."""
    template = read(CI / "template" / ".gitlab-ci.yml")
    (included,) = template["include"]
    there = read(Path(included["file"]))
    assert set(template["variables"]) <= set(there["variables"])
    assert "variables" not in there["grader"]
