"""What of a created container a program needs to start and to delete it (plan/commands.py), in places that it knows:

    "orlopbf" and the number of cgroups     8 bytes
    below /proc: the first process's        32, as all that follows with NULs behind it; there is none where the process
    program                                 is gone, or has ended and was not reaped
    file that tells whether it is frozen    512
    each cgroup                             512

Only a container has one for which the supervisor does nothing else: without hooks, monitor, resctrl or systemd, and
with a pid namespace of its own, so that no process outlives the first.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM_AT, FREEZER_AT, CGROUPS_AT = 8, 40, 552
PATH_SIZE = 512


def head(count: int) -> bytes:
    """What begins the brief of a container with so many cgroups."""
    return b"orlopbf" + bytes((count,))


def size(count: int) -> int:
    """How long it is then."""
    return CGROUPS_AT + PATH_SIZE * count


def brief(pid: int, freezer: str, cgroups: Sequence[str]) -> bytes | None:
    """The text; None where a path is too long for its place."""
    paths = [path.encode("utf-8", "surrogateescape") for path in (freezer, *cgroups)]
    if any(len(path) >= PATH_SIZE for path in paths):
        return None
    program = b"%d/exe" % pid
    parts = [head(len(cgroups)), program.ljust(FREEZER_AT - PROGRAM_AT, b"\0")]
    return b"".join([*parts, *(path.ljust(PATH_SIZE, b"\0") for path in paths)])
