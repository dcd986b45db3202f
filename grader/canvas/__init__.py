"""What Canvas and people exchange with the grader: roster, times, marks, grades, feedback.

Reads leniently what others wrote and says which row of which file is wrong; writes strictly, whole
or not at all. It knows Canvas's formats and nothing of notebooks, kernels or rubrics.
"""

from grader.canvas.by_student import ByStudent, keys_of
from grader.canvas.feedback_zip import FeedbackZip, write_feedback_zip
from grader.canvas.grades_out import CanvasImport, write_canvas_import
from grader.canvas.marks import MarkRow, read_marks, write_marks_template
from grader.canvas.pairs import HandedIn, Shared, resolve_pairs
from grader.canvas.people import Extension, read_extensions, read_partners, read_times
from grader.canvas.roster import Gradebook, read_gradebook

__all__ = [
    "ByStudent",
    "CanvasImport",
    "Extension",
    "FeedbackZip",
    "Gradebook",
    "HandedIn",
    "MarkRow",
    "Shared",
    "keys_of",
    "read_extensions",
    "read_gradebook",
    "read_marks",
    "read_partners",
    "read_times",
    "resolve_pairs",
    "write_canvas_import",
    "write_feedback_zip",
    "write_marks_template",
]
