"""Memory that the supervisor is about to fill for a container, taken on the container's account.

A page of a tmpfs is charged to the cgroup of whoever makes the kernel allocate it.  The supervisor is not in the
container's: what it copies would be nobody's, past linux.resources.memory.limit.  So a process that is in it allocates
all of a file first.
"""

from __future__ import annotations

from errno import EACCES, ENOMEM, ENOSPC, EPERM

from orlop.program import linux
from orlop.program.builder import Builder
from orlop.program.ops import Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.program.ops import Program

_CONTROL = 3
FIRST = _CONTROL + 1  # the descriptor of the first file


def charge_program(architecture: str, tasks: str, sizes: list[int]) -> Program:
    """Joins the cgroup with this file of processes, and allocates so many bytes of each of the files that it gets.

    Where an ordinary user may not join it, the memory stays the user's."""
    b = Builder(architecture, _CONTROL)
    b.purpose("linux.resources.memory", "unable to join the memory cgroup of the container")
    b.do("close_range", FIRST + len(sizes), 0xFFFF_FFFF, 0)
    outside = Label()
    file = b.get("openat", linux.AT_FDCWD, tasks, linux.O_WRONLY | linux.O_CLOEXEC, 0, on={EACCES: outside})
    b.do("write", file, "0", 1, ignore=(EACCES, EPERM))
    b.place(outside)
    b.free(file)
    b.purpose("mounts", "tmpcopyup: unable to copy the directory into the tmpfs", _HINTS)
    for index, size in enumerate(sizes):
        b.do("fallocate", FIRST + index, 0, 0, size)
    b.do("exit_group", 0)
    return b.finish()


_HINTS = {ENOSPC: "a larger size= may be needed", ENOMEM: "raise linux.resources.memory.limit"}
