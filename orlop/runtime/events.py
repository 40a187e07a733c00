"""events: what a container uses, once or again and again, and when it runs out of memory.

stream ── sample ──▶ {"type": "stats", "id": …, "data": …}     each interval, the first after one
   └───── Watch ───▶ {"type": "oom", "id": …}                  and the end of the container, which ends the stream
"""

from __future__ import annotations

import time

from orlop.cgroup import files
from orlop.cgroup.stats import shape
from orlop.cgroup.stats.collect import statistics
from orlop.errors import CgroupError, StateError
from orlop.runtime.container import STOPPED, Found
from orlop.runtime.watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def check_running(found: Found) -> None:
    """Raise StateError, in runc's words, for a container that has stopped."""
    if found.status() == STOPPED:
        hint = "a container that has ended has a final account: see the command state"
        raise StateError(f"container with id {found.record.id} is not running", hint=hint)


def sample(found: Found, *, old: bool = False) -> dict[str, object]:
    """What the container uses now, as an event; `old` is the shape of runc 0.0.3.

    Does not block.  Raises CgroupError where the container has no cgroup, or a file of it cannot be read.
    """
    paths = found.cgroup.paths
    if not paths:
        message = f"container {found.record.id} has no cgroup, so nobody counts what it uses"
        raise CgroupError(2, message, field="linux.cgroupsPath", hint="a rootless runtime needs a delegated cgroup")
    values = statistics(paths, lenient=found.record.rootless)
    if found.record.intel_rdt_path:
        values["intel_rdt"] = _rdt(found)
    data = shape.old(values) if old else shape.current(values)
    return {"type": "stats", "id": found.record.id, "data": data}


def _rdt(found: Found) -> dict[str, object]:
    from orlop.host import resctrl, resctrl_stats

    try:
        return resctrl_stats.statistics(resctrl.place(), found.record.intel_rdt_path, found.record.intel_rdt_mon_path)
    except OSError as error:
        code = error.errno or 0
        message = f"cannot read the statistics of {found.record.intel_rdt_path}: {files.reason(code)}"
        raise CgroupError(code, message, field="linux.intelRdt", path=found.record.intel_rdt_path) from None


def stream(
    found: Found, interval: float, *, old: bool = False, log: Callable[[str, str], None] | None = None
) -> Iterator[dict[str, object]]:
    """Yield a sample each `interval` seconds, and `{"type": "oom", "id": ID}` when there is one, until the container
    ends.

    With an interval of zero or less there are no samples, as runc 0.0.3 has it (runc 1.5 refuses such an interval, and
    so does the command).  `old` is the shape of runc 0.0.3.  `log` is told of a sample that failed.  Blocks while it
    waits.  Raises CgroupError where the container has no cgroup.
    """
    with Watch(found, log) as watch:
        due = time.monotonic() + interval if interval > 0 else None
        while True:
            for kind in watch.wait(due):
                yield {"type": kind, "id": found.record.id}
            if watch.ended:
                return
            if due is not None and time.monotonic() >= due:
                due = max(due + interval, time.monotonic())
                try:
                    event = sample(found, old=old)
                except CgroupError as error:
                    if log is not None:
                        log("error", str(error))
                    continue
                yield event
