"""pause and resume: stop all processes of a container where they are, and let them go on."""

from __future__ import annotations

from orlop.errors import StateError
from orlop.runtime.container import CREATED, PAUSED, RUNNING, Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.options import Options


def pause(container_id: str, options: Options) -> None:
    """Freeze the container's cgroup.  Raises StateError unless it is created or running."""
    found = Found(container_id, options)
    if found.status() not in (CREATED, RUNNING):
        raise StateError(f"container not running: {container_id}")
    found.cgroup.freeze()


def resume(container_id: str, options: Options) -> None:
    """Thaw the container's cgroup.  Raises StateError unless it is paused."""
    found = Found(container_id, options)
    if found.status() != PAUSED:
        raise StateError(f"container not paused: {container_id}")
    found.cgroup.thaw()
