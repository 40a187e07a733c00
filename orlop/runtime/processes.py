"""ps: the processes of a container, as the host numbers them."""

from __future__ import annotations

from errno import ENOENT

from orlop.errors import CgroupError
from orlop.runtime.container import STOPPED, Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.options import Options


def processes(container_id: str, options: Options) -> list[int]:
    """The pids in the container's cgroup and all below it; none when it has stopped.

    Raises NotFound, and CgroupError for one that runs without a cgroup.
    """
    found = Found(container_id, options)
    if not found.cgroup.paths and found.status() != STOPPED:
        message = f"container {container_id} has no cgroup, so nobody knows its processes"
        raise CgroupError(
            ENOENT, message, field="linux.cgroupsPath", hint="a rootless runtime needs a delegated cgroup"
        )
    return sorted(found.cgroup.pids())
