"""kill: send a signal to a container."""

from __future__ import annotations

from _signal import pidfd_send_signal

from orlop import system as os
from orlop.errors import StateError
from orlop.host.process import handle
from orlop.runtime.container import Found
from orlop.runtime.signals import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.options import Options

_SIGKILL = 9
_SIGTERM = 15
_STOP_SIGNAL = "org.opencontainers.image.stopSignal"


def kill(container_id: str, signal: int | None, options: Options, *, all: bool = False) -> None:
    """Send a signal to the container's first process; SIGKILL without a pid namespace of its own goes to every process.

    None is the one that the image wants to be stopped by (runtime-spec, config.md "Annotations"), or SIGTERM.

    `all` turns "container not running" into success, as engines expect of it.  Raises StateError.
    """
    found = Found(container_id, options)
    if signal is None:
        name = found.record.annotations.get(_STOP_SIGNAL)
        signal = number(name) if name else _SIGTERM
    if signal == _SIGKILL and "pid" not in found.record.namespaces and found.cgroup.pids():
        found.cgroup.kill()
        return
    if _sent(found, signal):
        if signal == _SIGKILL:
            found.cgroup.release()
    elif not all:
        raise StateError(f"container not running: {container_id}")


def _sent(found: Found, signal: int) -> bool:
    """Send a signal to the first process; False when it has ended."""
    pidfd = handle(found.record.init_process_pid, found.record.init_process_start)
    if pidfd is None:
        return False
    try:
        pidfd_send_signal(pidfd, signal)
    except ProcessLookupError:  # reaped since we looked
        return False
    finally:
        os.close(pidfd)
    return True
