"""The tables of what few configs have: scheduler, I/O priority, CPU affinity, memory policy, personality, resctrl.

They are imported when a config has one of them.
"""

from __future__ import annotations

from orlop.errors import Problem
from orlop.spec.walk import (
    BOOL,
    INT32,
    MISSING,
    STRING,
    STRINGS,
    UINT64,
    Shape,
    array,
    between,
    check_string,
    say,
    word,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.spec.types import IntelRdt, MemoryPolicy, Personality, Scheduler
    from orlop.spec.walk import Found

# The position in each tuple is the number in `linux/sched.h`, `linux/ioprio.h` (from 1) and `linux/mempolicy.h`.
POLICIES = (
    "SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE",
)  # fmt: skip
SCHEDULER_FLAGS = (
    "SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_KEEP_POLICY",
    "SCHED_FLAG_KEEP_PARAMS", "SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_UTIL_CLAMP_MAX",
)  # fmt: skip
IO_CLASSES = ("IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE")
MEMORY_MODES = (
    "MPOL_DEFAULT", "MPOL_PREFERRED", "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_LOCAL", "MPOL_PREFERRED_MANY",
    "MPOL_WEIGHTED_INTERLEAVE",
)  # fmt: skip
MEMORY_FLAGS = ("MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES", "MPOL_F_NUMA_BALANCING")


def number_list(text: str, highest: int = 8191) -> list[int]:
    """Return the numbers of a list such as `0-3,7`, sorted, each once.  Raises ValueError with the reason.

    `highest` bounds the numbers: 8191 is the last CPU that a kernel can be built for.
    """
    numbers: set[int] = set()
    for part in text.replace(" ", "").split(","):
        if not part:
            continue
        first, dash, last = part.partition("-")
        if not (first.isascii() and first.isdigit()) or (dash and not (last.isascii() and last.isdigit())):
            raise ValueError(f'"{part}" is neither a number nor a range')
        if len(first) > 9 or len(last) > 9 or int(last or first) > highest:
            raise ValueError(f'"{part}" is above {highest}')
        if dash and int(last) < int(first):
            raise ValueError(f'the range "{part}" is empty')
        numbers.update(range(int(first), int(last or first) + 1))
    return sorted(numbers)


def _scheduler(scheduler: Scheduler) -> Iterator[Problem]:
    policy, nice = scheduler["policy"], scheduler.get("nice", 0)
    if policy in ("SCHED_OTHER", "SCHED_BATCH") and not -20 <= nice <= 19:
        yield Problem("nice", f"must be from -20 to 19 for {policy}, not {nice}")
    if scheduler.get("priority") and policy not in ("SCHED_FIFO", "SCHED_RR"):
        yield Problem("priority", f"is for SCHED_FIFO and SCHED_RR only, not for {policy}")
    times = {name: scheduler.get(name) for name in ("runtime", "deadline", "period")}
    if policy != "SCHED_DEADLINE":
        yield from (Problem(name, f"is for SCHED_DEADLINE only, not for {policy}") for name in times if times[name])


SCHEDULER = Shape(
    "config.md#linux-process",
    {
        "policy": word(POLICIES, 'scheduler policy "%s" is unknown'),
        "nice": INT32,
        "priority": between(0, 2**31 - 1),
        "flags": array(word(SCHEDULER_FLAGS, 'scheduler flag "%s" is unknown')),
        "runtime": UINT64,
        "deadline": UINT64,
        "period": UINT64,
    },
    required={"policy": "scheduler policy is required"},
    rule=_scheduler,
)

IO_PRIORITY = Shape(
    "config.md#linux-process",
    {"class": word(IO_CLASSES, 'I/O priority class "%s" is unknown'), "priority": between(0, 7)},
    required={"class": MISSING},
)


def _check_affinity(value: object, name: str) -> Found:
    if not isinstance(value, str):
        return check_string(value, None)
    try:
        number_list(value)
    except ValueError as error:
        return say(f"bad CPUAffinity.{name}: {error}")
    return []


CPU_AFFINITY = Shape(
    "config.md#linux-process",
    {"initial": (_check_affinity, "Initial"), "final": (_check_affinity, "Final")},
)


def _memory_policy(policy: MemoryPolicy) -> Iterator[Problem]:
    mode, text = policy["mode"], policy.get("nodes", "")
    try:
        nodes = number_list(text, 1023)
    except ValueError as error:
        yield Problem("nodes", f'invalid memory policy nodes "{text}": {error}')
        return
    if mode in ("MPOL_DEFAULT", "MPOL_LOCAL"):
        if nodes:
            yield Problem("nodes", f"memory policy mode requires 0 nodes but got {len(nodes)}: {mode}")
    elif not nodes and mode != "MPOL_PREFERRED":
        yield Problem("nodes", f"memory policy mode requires at least one node but got 0: {mode}")


MEMORY_POLICY = Shape(
    "config-linux.md#memory-policy",
    {
        "mode": word(MEMORY_MODES, 'invalid memory policy mode "%s"'),
        "nodes": STRING,
        "flags": array(word(MEMORY_FLAGS, 'invalid memory policy flag "%s"')),
    },
    required={"mode": 'invalid memory policy mode ""'},
    rule=_memory_policy,
)


def _personality(personality: Personality) -> Iterator[Problem]:
    for index, flag in enumerate(personality.get("flags", ())):
        yield Problem(f"flags[{index}]", f'no personality flag is defined, not "{flag}" either')


PERSONALITY = Shape(
    "config-linux.md#personality",
    {"domain": word(("LINUX", "LINUX32"), "invalid personality domain %s"), "flags": STRINGS},
    required={"domain": MISSING},
    rule=_personality,
)


def _intel_rdt(rdt: IntelRdt) -> Iterator[Problem]:
    group = rdt.get("closID", "")
    if group in (".", "..") or ("/" in group and group != "/"):
        yield Problem("closID", f'"{group}" is no name of a resctrl group')
    for index, line in enumerate(rdt.get("schemata", ())):
        if "\n" in line:
            yield Problem(f"schemata[{index}]", "must be one line")
    bandwidth = rdt.get("memBwSchema", "")
    if bandwidth and not bandwidth.startswith("MB:"):
        yield Problem("memBwSchema", 'must begin with "MB:"')
    if "\n" in bandwidth:
        yield Problem("memBwSchema", "must be one line")


INTEL_RDT = Shape(
    "config-linux.md#intelrdt",
    {
        "closID": STRING,
        "schemata": STRINGS,
        "l3CacheSchema": STRING,
        "memBwSchema": STRING,
        "enableMonitoring": BOOL,
    },
    since={"schemata": "1.3", "enableMonitoring": "1.3"},
    rule=_intel_rdt,
)
