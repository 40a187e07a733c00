"""update: other limits for a container that lives."""

from __future__ import annotations

from orlop import system as os
from orlop.errors import OrlopError, StateError
from orlop.runtime.container import STOPPED, Found
from orlop.runtime.merge import ignored, merged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cgroup.base import Resources
    from orlop.runtime.options import Options

KERNEL_MEMORY = "Kernel memory settings are ignored and will be removed"

# What is asked for, where the kernel tells that it can do that, what is said when it cannot.
_RDT = (
    ("l3 cache schema", ("L3", "L3CODE"), "Intel RDT/CAT: l3 cache schema is not enabled"),
    ("memory bandwidth schema", ("MB",), "Intel RDT/MBA: memory bandwidth schema is not enabled"),
)


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
        _check_rdt(l3_cache_schema, mem_bw_schema)
        before = found.resources()
        for name in ignored(before, change):
            options.log("warning", f"linux.resources.{name} cannot be updated and stays as it is")
        memory = change.get("memory")
        if isinstance(memory, dict) and (memory.get("kernel") or memory.get("kernelTCP")):
            options.log("warning", KERNEL_MEMORY)
        after = merged(before, change)
        found.cgroup.update(after, before)
        found.store.save_resources(after)
    finally:
        os.close(lock)


def _check_rdt(*schemas: str) -> None:
    for schema, (name, resources, disabled) in zip(schemas, _RDT, strict=True):
        if not schema:
            continue
        if not any(os.path.isdir(f"/sys/fs/resctrl/info/{resource}") for resource in resources):
            hint = "a processor with this feature, and resctrl mounted on /sys/fs/resctrl, are needed"
            raise OrlopError(disabled, hint=hint)
        message = "updating a non-existent Intel RDT configuration is not supported"
        raise OrlopError(message, hint=f"a {name} needs a container that was created with linux.intelRdt")
