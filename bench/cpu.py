"""CPU seconds of this process and of everything that it begins, however that ends.

Neither `os.wait4` nor /proc can tell what a warm kernel has used: Linux adds up no times of the
processes that it ends together with their namespace. A counter of the task clock that every fork
inherits does, to the nanosecond. Needs Linux, and root or perf_event_paranoid of at most 2.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

NUMBERS = {"x86_64": 298, "aarch64": 241}  # of perf_event_open
SOFTWARE, TASK_CLOCK = 1, 1
INHERIT = 1 << 1
EXCLUDE_HYPERVISOR = 1 << 6
SIZE = 64  # of the first version of perf_event_attr, which every Linux takes
NANOSECONDS = 1e-9


class CpuClock:
    """Counts from its making on; make it before the threads and processes that it shall count."""

    def __init__(self) -> None:
        flags = INHERIT | EXCLUDE_HYPERVISOR
        attributes = struct.pack("=IIQQQQQ", SOFTWARE, SIZE, TASK_CLOCK, 0, 0, 0, flags)
        given = ctypes.create_string_buffer(attributes.ljust(SIZE, b"\0"), SIZE)
        libc = ctypes.CDLL(None, use_errno=True)
        number = NUMBERS[platform.machine()]
        self._counter: int = libc.syscall(number, given, 0, -1, -1, 0)
        if self._counter < 0:
            code = ctypes.get_errno()
            raise OSError(code, f"CPU time cannot be counted here: {os.strerror(code)}")

    def seconds(self) -> float:
        """Return the CPU seconds so far."""
        return float(struct.unpack("=Q", os.read(self._counter, 8))[0]) * NANOSECONDS
