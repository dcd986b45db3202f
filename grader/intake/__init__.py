"""Takes in what students handed in: a Canvas download, a folder or single notebooks.

Everything that comes through here was made by somebody else, and some of it was made to hurt. What
leaves is typed and bounded: an Entry for every notebook that can be run, its bytes in the staging
folder, and a Problem for everything that a person must look at. It knows nothing of how a notebook
is run or judged, and of Canvas only how it names the files of a download.
"""

from grader.intake.entries import Entry, Intake, Problem
from grader.intake.limits import IntakeLimits
from grader.intake.taking import take_in

__all__ = ["Entry", "Intake", "IntakeLimits", "Problem", "take_in"]
