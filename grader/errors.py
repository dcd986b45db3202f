"""Everything this program raises on purpose.

GraderError
├── UsageError       the command line or a file given to it is wrong: tell the person who typed it
├── PackError        the assignment pack is wrong: tell its author
├── SubmissionError  the file is not a notebook that can be graded: tell the student and the TA
├── KernelError      no kernel could be had: tell the operator, grade again later
├── ClusterError     the machines that run notebooks are gone: tell the operator, go on later
├── EvidenceError    kept evidence is damaged: tell the operator, run the notebook again
└── StoreError       the store cannot be used (damaged, newer, in use, disk full): tell the operator

A student's wrong answer is none of these: it is a CheckResult.
"""


class GraderError(Exception):
    """Base of every error that a command line or a web page shows as one sentence."""


class UsageError(GraderError):
    """What was asked for cannot be done as asked: the sentence names the file and the mend."""


class PackError(GraderError):
    """The assignment pack contradicts itself."""


class SubmissionError(GraderError):
    """The submitted file cannot be graded as a notebook."""


class KernelError(GraderError):
    """The kernel failed for a reason that is not the student's, so nothing is known of the work."""


class ClusterError(GraderError):
    """The cluster that ran the notebooks is gone, so the rest of a batch cannot be run now."""


class EvidenceError(GraderError):
    """Evidence cannot be kept, or what was kept is damaged; nobody's grade may follow from it."""


class StoreError(GraderError):
    """The store of evidence cannot be used: the sentence says why, and the mend."""
