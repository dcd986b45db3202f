"""Code whose text runs in the student's process. Nothing here may import from grader.

`harness` asks probes and writes answers down; `prelude` makes the kernel fit for grading (no
network, no installs); `definitions` finds what is left of a notebook that cannot be run. They hold
no expected value, no reference and no secret: a student may read every line of them and be no
better off.
"""

from importlib.resources import files


def source(name: str) -> str:
    """Return the text of the module `name` of this package, to be sent into a kernel."""
    return files(__package__).joinpath(f"{name}.py").read_text(encoding="utf-8")
