"""The names of the layers that hold a kernel: results and `grader doctor` use them."""

from __future__ import annotations

PROCESSES, FILES, STORAGE = "own processes", "minimal read-only files", "limited storage"
NETWORK, IPC, HOST_NAME = "no network", "own ipc", "own host name"
IDENTITY, USER = "own user id", "own user namespace"  # the first where the grader is root
CAPABILITIES, PRIVILEGES = "no capabilities", "no new privileges"
LIMITS, MEMORY = "process limits", "memory watch"
LANDLOCK, SECCOMP = "landlock", "system call filter"
STORAGE_WATCH = "storage watch"  # where there is no limited storage
GROUP = "cgroup limits"
# With namespaces the server cannot do without the first; the others are left out where the system
# has them not.
ALWAYS = (PROCESSES, FILES, STORAGE, CAPABILITIES, PRIVILEGES, LIMITS, MEMORY)
OPTIONAL = (NETWORK, IPC, HOST_NAME, LANDLOCK, SECCOMP)
# Where namespaces are refused it cannot do without these, and the next are not to be had.
BARE = (NETWORK, LANDLOCK, SECCOMP, CAPABILITIES, PRIVILEGES, LIMITS, MEMORY, STORAGE_WATCH)
NEED_NAMESPACES = (PROCESSES, FILES, STORAGE, IPC, HOST_NAME)
# More than isolation asks for: limits that other layers keep too, kept by the system itself.
EXTRA = (GROUP,)
