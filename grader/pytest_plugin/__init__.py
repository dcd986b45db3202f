"""The pytest plugin: `pytest --grader a2 Lastname-A2.ipynb` makes a test of every check.

pytest imports this module in every run of whoever has the grader installed, so it imports nothing
but pytest; all the rest is in `notebooks`, and only there once `--grader` is given.
"""

from __future__ import annotations

from importlib import import_module

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("grader", "notebook assignments (grader)")
    group.addoption(
        "--grader",
        dest="grader_assignment",
        metavar="ASSIGNMENT",
        help="Make a test of every check of this assignment, for each notebook.",
    )
    group.addoption(
        "--grader-pack-dir",
        dest="grader_pack_dirs",
        action="append",
        default=[],
        metavar="FOLDER",
        help="A folder of your own assignments; may be repeated (also $GRADER_PACK_DIR).",
    )
    group.addoption(
        "--grader-isolation",
        dest="grader_isolation",
        choices=["auto", "strict", "off"],
        default="auto",
        help="How far notebooks are kept from this machine, as for `grader check`.",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("grader_assignment"):
        config.pluginmanager.register(import_module("grader.pytest_plugin.notebooks"))
