"""The self-check that students download: what is in it, and that it says what the grader says."""

from __future__ import annotations

import ast
import base64
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
import zlib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from queue import Empty
from typing import Any

import numpy as np
import pytest
from jupyter_client.manager import KernelManager
from packaging.requirements import Requirement

from grader.evidence import decode
from grader.execution import definitions, notebook
from grader.grading.batch import Exam
from grader.grading.bundling import bundle, script_text
from grader.grading.bundling.parts import OLDEST_PYTHON
from grader.grading.bundling.selfcheck import SelfCheck, _asked_here
from grader.inside.harness import Names
from grader.model import Grade, ProbeKey, Reply, RunOutcome, RunRecord, Student, Visibility
from grader.packs import Pack, ask, load_pack
from grader.reports.console import check_report
from grader.reports.feedback import feedback
from grader.reports.lines import feedback_lines
from grader.scoring import score
