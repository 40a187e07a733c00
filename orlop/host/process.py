"""Processes by pid and start time, so that a pid that was used again is never mistaken for the one that had it
before."""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.errors import KernelError
from orlop.host.probe import read_text

# What the kernel says of a process that is not there, and of one that is not ours to see.
_NONE = (errno.ENOENT, errno.ESRCH, errno.EINVAL, errno.EPERM, errno.EACCES)


class Process:
    """What /proc/<pid>/stat says: the state letter, and the start time in clock ticks since boot (proc(5))."""

    __slots__ = ("start", "state")

    def __init__(self, state: str, start: int) -> None:
        self.state = state
        self.start = start


def look(pid: int) -> Process | None:
    """The process with this pid, or None.  Raises KernelError where that cannot be told."""
    try:
        text = read_text(f"/proc/{pid}/stat")
    except OSError as error:
        _check(error, "open", pid)
        return None
    fields = text[text.rindex(")") + 2 :].split()  # a command may hold spaces and parentheses
    return Process(fields[0], int(fields[19]))


def alive(pid: int, start: int) -> bool:
    """Does the process that got this pid at this time still run?  A zombie does not."""
    if pid <= 0:
        return False
    found = look(pid)
    return found is not None and found.start == start and found.state not in "ZXx"


def handle(pid: int, start: int) -> int | None:
    """A pidfd of that very process, or None when it is gone.  The caller closes it.  Raises KernelError."""
    try:
        fd = os.pidfd_open(pid)
    except OSError as error:
        _check(error, "pidfd_open", pid)
        return None
    lives = False
    try:
        lives = alive(pid, start)  # checked after the handle is held: it cannot change any more
    finally:
        if not lives:
            os.close(fd)
    return fd if lives else None


def _check(error: OSError, call: str, pid: int) -> None:
    """Raise what says nothing about the process, such as that no descriptor is left: what has ended may be removed."""
    code = error.errno or errno.EIO
    if code not in _NONE:
        raise KernelError(code, f"unable to look at process {pid}: {os.strerror(code).lower()}", call=call)
