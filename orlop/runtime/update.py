"""update: other limits for a container that lives."""

from __future__ import annotations

from orlop import system as os
from orlop.errors import StateError
from orlop.runtime.container import STOPPED, Found
from orlop.runtime.merge import ignored, merged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cgroup.base import Resources
    from orlop.runtime.options import Options

KERNEL_MEMORY = "Kernel memory settings are ignored and will be removed"


def update(
    container_id: str, change: Resources, options: Options, *, l3_cache_schema: str = "", mem_bw_schema: str = ""
) -> None:
    """Change limits; `change` is a part of `linux.resources`, checked.  All old values are back when one is refused.

    A paused container stays paused.  Device rules never change.  Raises StateError for a stopped container,
    ConfigError, CgroupError.
    """
    found = Found(container_id, options)
    lock = found.store.lock()
    try:
        if found.status() == STOPPED:
            raise StateError(f"container not running: {container_id}")
        schemata = None
        if l3_cache_schema or mem_bw_schema:
            from orlop.runtime.schemata import Schemata

            schemata = Schemata(found.record, l3_cache_schema, mem_bw_schema)
        before = found.resources()
        for name in ignored(before, change):
            options.log("warning", f"linux.resources.{name} cannot be updated and stays as it is")
        memory = change.get("memory")
        if isinstance(memory, dict) and (memory.get("kernel") or memory.get("kernelTCP")):
            options.log("warning", KERNEL_MEMORY)
        after = merged(before, change)
        for doubt in found.cgroup.doubts(after):
            options.log("warning", doubt)
        if schemata:
            schemata.apply()
        try:
            found.cgroup.update(after, before, lambda: found.store.save_resources(after))
        except BaseException:
            if schemata:
                schemata.undo()
            raise
    finally:
        os.close(lock)
