"""What docs/ci gives to CI works: the action's steps run as on GitHub, without GitHub."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Collection, Mapping
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
    nothing_is_left_of_it_where_the_next_notebook_is_none(runner)


def nothing_is_left_of_it_where_the_next_notebook_is_none(runner: Runner) -> None:
    """On a runner that is kept, or with a folder for the reports: what was there is not the new."""
    (runner.work / "Lee, the second-A0.ipynb").write_text("{", encoding="utf-8")
    runner.action["runs"]["steps"] = runner.action["runs"]["steps"][1:]
    for file in (runner.temp / "output", runner.summary):
        file.unlink()
    runner.outputs.clear()
    given = {"assignment": "line", "pack-dir": str(CI.parent / "examples"), "isolation": "off"}
    (printed,) = runner.run(given, {})
    assert 2 == runner.status
    assert re.fullmatch("::error title=grader::[^:\n]* is broken[^\n]*\n", printed)
    reports = Path(runner.outputs.pop("reports"))
    assert ([], {"points": "", "possible": ""}) == (list(reports.iterdir()), runner.outputs)
    assert runner.summary.read_text(encoding="utf-8").startswith("**Not checked.** Lee, the second")


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
    assert f"{said}\n" == runner.summary.read_text(encoding="utf-8")
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
    text = text_of(PAGE)
    said = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`\n]+)`", text))))
    options = set(OPTION.findall(text_of(PLUGIN)))
    assert len(options) == 3
    options |= {p.opts[-1] for p in check.params if isinstance(p, click.Option)}
    variables = read(CI / "gitlab" / "grader.yml")["variables"]
    action = read(ACTION)
    for names in (FORMS, action["inputs"], action["outputs"], variables):
        assert set() == set(names) - said
    assert [] == [option for option in sorted(options) if f"`{option}" not in text]


def test_the_table_of_checks_options_is_whole() -> None:
    table, _, _ = text_of(PAGE).partition("| Form |")
    rows = "".join(re.findall(r"^\| (`-.*?) \|", table, re.MULTILINE))
    options = {name for p in check.params if isinstance(p, click.Option) for name in p.opts}
    assert options == set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", rows))


def test_the_workflow_on_the_page_is_the_templates() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", text_of(PAGE), re.DOTALL)
    assert shown in text_of(WORKFLOW)


# ------------------------------------------------------------------------------- GitLab
STAND_IN = """#!/bin/sh
case "$*" in
  "-m venv /tmp/grader") : ;;
  "install --quiet "*) echo "$3" > installed ;;
  check*) for word; do echo "$word"; done > asked ;;
esac
"""


def gitlab(folder: Path, programs: Collection[str], **given: str) -> tuple[int, str]:
    """Run the job's script as GitLab does, in one shell that ends with the first failure.

    Args:
        programs: what the image has; each does no more than keep what it was asked.
        given: variables, in place of those of the job.

    Returns:
        The status, and what was printed.
    """
    included = read(CI / "gitlab" / "grader.yml")
    image = folder / "image"
    image.mkdir()
    for name in programs:
        (image / name).write_text(STAND_IN, encoding="utf-8")
        (image / name).chmod(0o755)
    variables = {name: str(value) for name, value in included["variables"].items()}
    script = "\n".join(included["grader"]["script"]).replace("/tmp/grader/bin", str(image))  # noqa: S108  the container's own
    done = subprocess.run(
        ["/bin/sh", "-ec", script],
        cwd=folder,
        env={**variables, **given, "PATH": str(image)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_gitlabs_job_asks_what_check_can_be_asked_and_keeps_what_it_writes(tmp_path: Path) -> None:
    notebook = "-Lee, the second-A2.ipynb"
    assert (0, "") == gitlab(tmp_path, ["grader"], GRADER_NOTEBOOK=notebook, GRADER_MIN_SCORE="60")
    _, *words = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    given, left, _ = check.make_parser(click.Context(check)).parse_args(words)
    assert ([], notebook, "60") == (left, given["notebook"], given["min_score"])
    written = dict(each.split("=") for each in given["also"])
    assert set(FORMS) > set(written)
    artifacts = read(CI / "gitlab" / "grader.yml")["grader"]["artifacts"]
    assert artifacts["reports"] == {form: written[form] for form in ("junit", "codequality")}
    assert ["grader-*"] == artifacts["paths"]
    assert all(name.startswith("grader-") for name in written.values())


def test_gitlabs_job_installs_what_the_image_lacks_or_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    status, said = gitlab(tmp_path / "bare", [])
    assert (2, 1, True) == (status, said.count("\n"), "GRADER_IMAGE" in said)
    package = "./tools/grader-0.1.0-py3-none-any.whl"
    assert (0, "") == gitlab(tmp_path, ["python3", "pip", "grader"], GRADER_PACKAGE=package)
    assert f"{package}\n" == (tmp_path / "installed").read_text(encoding="utf-8")
    assert (tmp_path / "asked").exists()


def test_the_template_sets_variables_that_gitlabs_job_has() -> None:
    """None of them is set in the job itself, where it would win over the template's."""
    template = read(CI / "template" / ".gitlab-ci.yml")
    (included,) = template["include"]
    there = read(Path(included["file"]))
    assert set(template["variables"]) <= set(there["variables"])
    assert "variables" not in there["grader"]


def test_no_template_puts_the_reference_into_the_students_repository() -> None:
    """The grader comes from the course's image; a wheel would be read by whoever can read it."""
    template = read(CI / "template" / ".gitlab-ci.yml")
    assert "IMAGE" == template["variables"]["GRADER_IMAGE"]
    assert not re.search(r"\.whl|GRADER_PACKAGE", text_of(CI / "template" / ".gitlab-ci.yml"))
    recipe = text_of(CI / "gitlab" / "Dockerfile")
    assert f"FROM {read(CI / 'gitlab' / 'grader.yml')['variables']['GRADER_IMAGE']}\n" in recipe
    assert "COPY dist/grader-*.whl " in recipe


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        *(("grader-junit.xml", True), ("grader-codequality.json", True)),
        *(("grader-result.json", True), ("grader-badge.json", True)),
        (".ipynb_checkpoints/Lee-A2.ipynb", True),
        *(("Lee-A2.ipynb", False), ("grader.yml", False)),
        ("tools/grader-0.1.0-py3-none-any.whl", False),
    ],
)
def test_the_templates_gitignore_keeps_reports_out_and_nothing_else(
    path: str,
    ignored: bool,  # noqa: FBT001  a case of a table
    tmp_path: Path,
) -> None:
    git = shutil.which("git")
    assert git
    subprocess.run([git, "init", "-q", str(tmp_path)], check=True, capture_output=True)
    shutil.copy(CI / "template" / ".gitignore", tmp_path)
    asked = subprocess.run([git, "-C", str(tmp_path), "check-ignore", "-q", path], check=False)
    assert ignored == (asked.returncode == 0)
