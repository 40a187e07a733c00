"""Where `exec` goes when the container's own cgroup takes no process.

On version 2 a cgroup that hands controllers to its children holds no process itself (cgroups(7), "no internal
processes").  A container that manages its cgroup, with systemd for one, becomes such a one: its init has moved further
down, and there a further process goes too.
"""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.errors import KernelError
from orlop.host.cgroups import layout
from orlop.host.probe import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.container import Found

# It has controllers for its children, or was removed.
_TAKES_NONE = (errno.EBUSY, errno.EOPNOTSUPP, errno.ENOENT, errno.ENODEV)


def cgroup_of_init(found: Found, error: KernelError) -> str | None:
    """Return the cgroup of the container's init, if it can take a process that `error` kept out of the container's.

    None where the error has another reason, or init has left the container's cgroup.
    """
    recorded = found.record.cgroup_paths.get("")
    if error.errno not in _TAKES_NONE or not (error.call == "clone3" or error.field == "linux.cgroupsPath"):
        return None
    version_2 = layout().v2
    if not recorded or not version_2:
        return None
    try:
        lines = read_text(f"/proc/{found.record.init_process_pid}/cgroup").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("0::"):
            root = version_2.root.rstrip("/")
            path = version_2.mount + line[3:].removeprefix(root)
            return path if path.startswith(recorded + "/") and os.path.isdir(path) else None
    return None
