"""The names of the layers that hold a kernel: results and `grader doctor` use them."""

from __future__ import annotations

PROCESSES, FILES, STORAGE = "own processes", "minimal read-only files", "limited storage"
NETWORK, IPC, HOST_NAME = "no network", "own ipc", "own host name"
IDENTITY, USER = "own user id", "own user namespace"  # the first where the grader is root
CAPABILITIES, PRIVILEGES = "no capabilities", "no new privileges"
LIMITS, MEMORY = "process limits", "memory watch"
LANDLOCK, SECCOMP = "landlock", "system call filter"
# The server cannot do without the first; the rest are left out where the system has them not.
ALWAYS = (PROCESSES, FILES, STORAGE, CAPABILITIES, PRIVILEGES, LIMITS, MEMORY)
OPTIONAL = (NETWORK, IPC, HOST_NAME, LANDLOCK, SECCOMP)
