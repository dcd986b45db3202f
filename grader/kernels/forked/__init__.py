"""What runs in the fork server: preload, isolate, fork. Nothing here may know of the grader.

The text of these modules is sent to the server over its socket, so that no file of the grader's
need be there, and is gone from `sys.modules` before a student's code begins. They may import the
standard library, Jupyter and one another; `serve` is where it starts.
"""

from importlib.resources import files

MODULES = (
    *("channels", "layers", "linux", "root", "limits", "landlock", "seccomp", "memory", "storage"),
    *("groups", "cage", "namespaced", "bare", "app", "serve"),
)


def texts() -> dict[str, str]:
    """Return the text of each module by its dotted name, in an order in which they can be run."""
    return {
        f"{__package__}.{name}": files(__package__).joinpath(f"{name}.py").read_text("utf-8")
        for name in MODULES
    }
