"""The self-check that students download: one file, and the assignment's data beside it.

`bundle` makes the zip. The file is the grader's own judging (`parts`), what is asked and answered
(`holding`), and a loader (`opening.txt`); `selfcheck` is what runs on a student's machine, with
`plain_rubric` and `older` in place of what is not there. `autograder` makes another zip, for
Gradescope, which holds the grader itself.
"""

from grader.grading.bundling.autograder import autograder
from grader.grading.bundling.making import Bundle, bundle

__all__ = ["Bundle", "autograder", "bundle"]
