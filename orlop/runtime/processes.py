"""ps: the processes of a container, as the host numbers them."""

from __future__ import annotations

from orlop.runtime.container import Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.options import Options


def processes(container_id: str, options: Options) -> list[int]:
    """The pids in the container's cgroup and all below it; none when it has stopped.  Raises NotFound."""
    return sorted(Found(container_id, options).cgroup.pids())
