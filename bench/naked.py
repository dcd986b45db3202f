"""A fork server without any isolation, to measure what isolation costs. For the bench alone.

The grader has no such server and no switch for one: the module below is sent to the server in
addition to its own, replaces what shuts kernels in, and is found nowhere but here.
"""

from __future__ import annotations

from typing import Any

from grader.kernels.server import ForkServer

NAKED = """
import os, shutil
from grader.kernels.forked import cage, linux, root, serve


def own_processes(control, config):
    child = os.fork()
    if child:
        serve._guard(control, child, config)
    linux.die_with_parent(9)
    return True


def enter_root(config, *, own_ids):
    root.WORK, temporary = config["folder"] + "/work", config["folder"] + "/tmp"
    for folder in (root.WORK, temporary):
        os.mkdir(folder)
    return cage.Cage(frozenset(), temporary, own_ids)


def shut_in(held, staged, *, memory_bytes, number):
    for folder in (root.WORK, held.temporary):
        shutil.rmtree(folder)
        os.mkdir(folder)
    cage.copy_tree(staged, root.WORK, os.getuid(), os.getgid())
    os.chdir(root.WORK)
    return []


serve._own_processes, serve._enter_root, cage.shut_in = own_processes, enter_root, shut_in
serve._optional = lambda refused: (set(), {})
serve.Server._fork_namespace = lambda self: os.fork()
main = serve.main
"""


class NakedServer(ForkServer):
    """Forks kernels that are not shut in at all, one at a time."""

    def _config(self) -> dict[str, Any]:
        config = super()._config()
        config["modules"]["grader.kernels.forked.naked"] = NAKED
        return config
