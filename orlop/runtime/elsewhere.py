"""Where and how `exec` joins version 2 when the container's cgroup takes no process by CLONE_INTO_CGROUP.

A cgroup that hands controllers to its children holds no process itself (cgroups(7), "no internal processes").  A
container that manages its cgroup, with systemd for one, becomes such a one: its init has moved further down, and
there a further process goes too; wherever that is, if somebody has moved it and removed its cgroup.  And a cgroup
that was given to the user of a user namespace is refused to whoever has joined that namespace with other ids; a file
that was opened before asks for the rights of its opener.
"""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.errors import KernelError
from orlop.host.cgroups import layout
from orlop.host.probe import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cgroup.base import Below
    from orlop.runtime.container import Found

_GONE = (errno.ENOENT, errno.ENODEV)
_TAKES_NONE = (errno.EBUSY, errno.EOPNOTSUPP, *_GONE)  # it has controllers for its children, or was removed


def another_cgroup(found: Found, below: Below | None, error: KernelError) -> str | None:
    """Return the cgroup to join by its cgroup.procs after `error`; None where that would not help."""
    if error.call == "clone3" and error.errno in (errno.EACCES, errno.EPERM):
        return found.cgroup.clone_into(below)
    if below or error.errno not in _TAKES_NONE or not (error.call == "clone3" or error.field == "linux.cgroupsPath"):
        return None
    return _of_init(found, anywhere=error.errno in _GONE)


def _of_init(found: Found, *, anywhere: bool) -> str | None:
    """Return the cgroup of the container's init, where it is below that of the container, or anywhere."""
    recorded, version_2 = found.record.cgroup_paths.get(""), layout().v2
    if not recorded or not version_2:
        return None
    try:
        lines = read_text(f"/proc/{found.record.init_process_pid}/cgroup").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("0::"):
            path = version_2.mount + line[3:].removeprefix(version_2.root.rstrip("/"))
            return path if (anywhere or path.startswith(recorded + "/")) and os.path.isdir(path) else None
    return None
