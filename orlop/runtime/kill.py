"""kill: send a signal to a container."""

from __future__ import annotations

from _signal import pidfd_send_signal

from orlop import system as os
from orlop.errors import StateError
from orlop.host.process import handle
from orlop.runtime.container import Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.options import Options

_SIGKILL = 9


def kill(container_id: str, signal: int, options: Options, *, all: bool = False) -> None:
    """Send a signal to the container's first process; SIGKILL without a pid namespace of its own goes to every process.

    `all` turns "container not running" into success, as engines expect of it.  Raises StateError.
    """
    found = Found(container_id, options)
    if signal == _SIGKILL and "pid" not in found.record.namespaces and found.cgroup.pids():
        found.cgroup.kill()
        return
    pidfd = handle(found.record.init_process_pid, found.record.init_process_start)
    if pidfd is None:
        if all:
            return
        raise StateError(f"container not running: {container_id}")
    try:
        pidfd_send_signal(pidfd, signal)
    finally:
        os.close(pidfd)
    if signal == _SIGKILL:
        found.cgroup.release()
