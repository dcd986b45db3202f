"""The sockets of a kernel: their numbers, and which of them a kernel is given."""

from __future__ import annotations

PORTS = {"shell": 1, "iopub": 2, "stdin": 3, "control": 4, "hb": 5}
CHANNELS = ("shell", "iopub")  # in the order in which their descriptors come
