"""A fork server without any isolation, to measure what isolation costs. For the bench alone.

The grader has no such server and no switch for one: the module below is sent to the server in
addition to its own, replaces what shuts kernels in, and is found nowhere but here.
"""

from __future__ import annotations

from typing import Any

from grader.kernels.server import ForkServer

NAKED = """
import contextlib, os, shutil
from grader.kernels.forked import bare, cage, serve


class Naked(cage.Cage):
    def __init__(self, config, why):
        super().__init__(frozenset(), {}, False)
        self.base = os.path.join(config["folder"], "naked")
        self.empty = os.path.join(self.base, "empty")
        os.makedirs(self.empty)

    def inmate(self, number, staged, memory_bytes):
        folder = f"{self.base}/{number}"
        return cage.Inmate(number, staged, memory_bytes, f"{folder}/work", f"{folder}/tmp")

    def fork(self):
        return os.fork()

    def end(self, pid):
        os.kill(pid, 9)

    def forget(self, inmate):
        shutil.rmtree(os.path.dirname(inmate.work), ignore_errors=True)

    def overfull(self, inmate, members):
        return False

    def overcrowded(self, count):
        return False

    def sockets(self, leader):
        return 0

    def looking(self, inmate):
        return contextlib.nullcontext()

    def enclose(self, inmate):
        for path in (inmate.work, inmate.temporary):
            os.makedirs(path)
        cage.copy_tree(inmate.staged, inmate.work, os.getuid(), os.getgid())

    def enclose_kernel(self, inmate):
        os.chdir(inmate.work)

    def end_the_rest(self, inmate):
        pass


serve._refusal = lambda config: "none of it is asked for"
serve._groups = lambda config: (None, "")
bare.Bare = Naked
main = serve.main
"""


class NakedServer(ForkServer):
    """Forks kernels that are not shut in at all, one at a time."""

    def _config(self) -> dict[str, Any]:
        config = super()._config()
        config["modules"]["grader.kernels.forked.naked"] = NAKED
        return config
