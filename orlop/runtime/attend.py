"""What a program that replays a `run` (plan/supervisor.py) leaves to the interpreter: to wait for the container, with a
signal to pass on, or to remove what it could not remove itself.  It is the same process, so the container's is its
child."""

from __future__ import annotations

import time

from orlop import system as os
from orlop.cgroup.choose import recorded
from orlop.errors import NotFound
from orlop.host.cgroups import layout
from orlop.runtime.destroy import destroy
from orlop.runtime.foreground import Foreground
from orlop.runtime.run import LOCK_PATIENCE
from orlop.runtime.waiting import drive
from orlop.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.options import Options
    from orlop.runtime.waiting import Steps


def attend(container_id: str, pid: int, status: int | None, options: Options) -> int:
    """Wait for the process, unless its `status` is known, and remove the container; its exit status."""
    foreground = Foreground(terminal=False)
    try:
        if status is None:
            status = foreground.wait(pid)
        drive(_end(Store(os.path.abspath(options.root), container_id), options), foreground.readable)
        return status
    finally:
        foreground.close()


def _end(store: Store, options: Options) -> Steps[None]:
    try:
        lock = store.lock(time.monotonic() + LOCK_PATIENCE)
    except NotFound:
        return
    try:
        record = store.load()
        cgroup = recorded(layout(), record.cgroup_paths)
        yield from destroy(store, record, cgroup, None, options, alone=True)
    except NotFound:  # all but the directory is gone
        store.remove()
    finally:
        os.close(lock)
