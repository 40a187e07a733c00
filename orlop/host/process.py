"""Processes by pid and start time, so that a pid that was used again is never mistaken for the one that had it
before."""

from __future__ import annotations

from orlop import system as os
from orlop.host.probe import read_text


class Process:
    """What /proc/<pid>/stat says: the state letter, and the start time in clock ticks since boot (proc(5))."""

    __slots__ = ("start", "state")

    def __init__(self, state: str, start: int) -> None:
        self.state = state
        self.start = start


def look(pid: int) -> Process | None:
    """The process with this pid, or None."""
    try:
        text = read_text(f"/proc/{pid}/stat")
    except OSError:
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
    """A pidfd of that very process, or None when it is gone.  The caller closes it."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    if alive(pid, start):  # checked after the handle is held: it cannot change any more
        return fd
    os.close(fd)
    return None
