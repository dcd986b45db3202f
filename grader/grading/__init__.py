"""The use cases: the only floor that wires intake, execution, judging, scoring and reports.

`batch` puts many submissions through executor and judge; `course` decides what people's tables
say of each (deadline, extension, partner, mark); `night` is grading night, from the export to the
gradebook, and `reporting` its end; `marking` is what markers see and fill in; `check` is one
student's look at their own notebook; `setting` and `doctor` see to what all of these need.
"""
