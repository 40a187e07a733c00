"""When and where the process runs: process.scheduler, process.ioPriority, process.execCPUAffinity, linux.memoryPolicy.

All are inherited over execve and fork.  The tables are in the order of the kernel's numbers (spec/tuning.py).
"""

from __future__ import annotations

from _struct import pack
from errno import EBUSY, EINVAL, ENODEV, EPERM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction

_SCHED_ATTR = "<IIQiIQQQII"  # struct sched_attr, with the two clamps that config.json has no members for
_SCHED_ATTR_SIZE = 56
_SCHEDULER_HINTS = {
    EPERM: "real-time policies and a nice below the runtime's need CAP_SYS_NICE on the host, which no process in a "
    "user namespace has; real-time policies in a "
    "cgroup of version 1 need linux.resources.cpu.realtimeRuntime",
    EINVAL: "the kernel does not know the policy or a flag, or the values do not fit it: see sched_setattr(2)",
    EBUSY: "there is no bandwidth left for this SCHED_DEADLINE process",
}
_PINNED = "the process scheduler can't be used together with AllowedCPUs, which linux.resources.cpu.cpus sets"
IOPRIO_WHO_PGRP = 2
_IOPRIO_CLASS_SHIFT = 13
_IO_HINTS = {EPERM: "IOPRIO_CLASS_RT needs CAP_SYS_NICE on the host, which no process in a user namespace has"}
_AFFINITY_HINTS = {EINVAL: "none of these processors is online and in the cpuset"}
_MODE_FLAGS = {"MPOL_F_STATIC_NODES": 1 << 15, "MPOL_F_RELATIVE_NODES": 1 << 14, "MPOL_F_NUMA_BALANCING": 1 << 13}
_NODES = 1024
_MEMORY_HINTS = {
    EINVAL: "the kernel has no such mode or flag, or none of the nodes is there and allowed: see set_mempolicy(2)",
    ENODEV: "none of the nodes is online",
}


def scheduler(c: Construction) -> None:
    """process.scheduler."""
    row = c.process.get("scheduler")
    if not row:
        return
    from orlop.spec.tuning import POLICIES, SCHEDULER_FLAGS

    bits = 0
    for name in row.get("flags") or ():
        bits |= 1 << SCHEDULER_FLAGS.index(name)
    attributes = pack(
        _SCHED_ATTR,
        _SCHED_ATTR_SIZE,
        POLICIES.index(row["policy"]),
        bits,
        row.get("nice") or 0,
        row.get("priority") or 0,
        row.get("runtime") or 0,
        row.get("deadline") or 0,
        row.get("period") or 0,
        0,
        0,
    )
    hints = _SCHEDULER_HINTS
    if ((c.linux.get("resources") or {}).get("cpu") or {}).get("cpus"):
        hints = {**hints, EPERM: _PINNED}
    c.b.purpose("process.scheduler", f"error setting scheduler {row['policy']}", hints)
    c.b.do("sched_setattr", 0, attributes, 0)


def io_priority(c: Construction) -> None:
    """process.ioPriority, for the process group, which is the process's own."""
    row = c.process.get("ioPriority")
    if not row:
        return
    from orlop.spec.tuning import IO_CLASSES

    number = IO_CLASSES.index(row["class"]) + 1
    c.b.purpose("process.ioPriority", f"failed to set io priority {row['class']}", _IO_HINTS)
    c.b.do("ioprio_set", IOPRIO_WHO_PGRP, 0, number << _IOPRIO_CLASS_SHIFT | (row.get("priority") or 0))


def memory_policy(c: Construction) -> None:
    """linux.memoryPolicy."""
    row = c.linux.get("memoryPolicy")
    if not row:
        return
    from orlop.spec.tuning import MEMORY_MODES, number_list

    mode = MEMORY_MODES.index(row["mode"])
    for name in row.get("flags") or ():
        mode |= _MODE_FLAGS[name]
    nodes = number_list(row.get("nodes") or "", _NODES - 1)
    c.b.purpose("linux.memoryPolicy", f"failed to set memory policy {row['mode']}", _MEMORY_HINTS)
    if nodes:
        c.b.do("set_mempolicy", mode, _bitmap(nodes, _NODES), _NODES + 1)  # the kernel takes one off (get_nodes)
    else:
        c.b.do("set_mempolicy", mode, 0, 0)


def initial_affinity(c: Construction) -> None:
    """process.execCPUAffinity.initial: of an exec, before it is in the container's cgroup."""
    _affinity(c, "initial")


def final_affinity(c: Construction) -> bool:
    """process.execCPUAffinity.final: of an exec, once it is in the container's cgroup.

    Whether the config has its say at all: only without it every processor of the cpuset is given.
    """
    _affinity(c, "final")
    row = c.process.get("execCPUAffinity") or {}
    return bool(row.get("initial") or row.get("final"))


def _affinity(c: Construction, name: str) -> None:
    text = (c.process.get("execCPUAffinity") or {}).get(name)
    if not isinstance(text, str) or not text:
        return
    from orlop.spec.tuning import number_list

    mask = _bitmap(number_list(text))
    c.b.purpose(f"process.execCPUAffinity.{name}", f"unable to set the CPU affinity {text}", _AFFINITY_HINTS)
    c.b.do("sched_setaffinity", 0, len(mask), mask)


def _bitmap(numbers: list[int], size: int = 0) -> bytes:
    """Bits as the kernel's unsigned longs hold them; at least `size` bits."""
    bits = 0
    for number in numbers:
        bits |= 1 << number
    words = (max(size, bits.bit_length(), 1) + 63) // 64
    return bits.to_bytes(8 * words, "little")
