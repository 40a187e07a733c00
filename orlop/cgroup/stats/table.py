"""Which file holds which number, on each version of cgroups.

The keys are those of runc's events; a few more, which no event has, stand below `extra`.  Units: nanoseconds, bytes,
counts.
"""

from __future__ import annotations

from orlop.cgroup.stats.read import (
    column,
    devices,
    io,
    member,
    members,
    number,
    numbers,
    pressure,
    ranges,
    rdma,
    signed,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cgroup.stats.read import Source

_TICK = 10_000_000  # cpuacct.stat counts in 1/100 s on every architecture (USER_HZ)
_MICRO = 1_000

_BYTES, _OPERATIONS = {"rbytes": "Read", "wbytes": "Write"}, {"rios": "Read", "wios": "Write"}


def _blkio(name: str, *throttle: str) -> Source:
    """The schedulers bfq and cfq have files of their own; the throttling layer counts for all others."""
    return devices(f"blkio.bfq.{name}", f"blkio.{name}", *(f"blkio.throttle.{each}" for each in throttle))


# Key: its place on version 1, on version 2.  In this order they are read: what changes fastest and is compared with
# each other comes from one file or from neighbours.
TABLE: tuple[tuple[str, Source | None, Source | None], ...] = (
    ("cpu.usage.total", number("cpuacct.usage"), member("cpu.stat", "usage_usec", _MICRO)),
    ("cpu.usage.user", member("cpuacct.stat", "user", _TICK), member("cpu.stat", "user_usec", _MICRO)),
    ("cpu.usage.kernel", member("cpuacct.stat", "system", _TICK), member("cpu.stat", "system_usec", _MICRO)),
    ("cpu.usage.percpu", numbers("cpuacct.usage_percpu"), None),
    ("cpu.usage.percpu_kernel", column("cpuacct.usage_all", 2), None),
    ("cpu.usage.percpu_user", column("cpuacct.usage_all", 1), None),
    ("cpu.throttling.periods", member("cpu.stat", "nr_periods"), member("cpu.stat", "nr_periods")),
    ("cpu.throttling.throttledPeriods", member("cpu.stat", "nr_throttled"), member("cpu.stat", "nr_throttled")),
    (
        "cpu.throttling.throttledTime",
        member("cpu.stat", "throttled_time"),
        member("cpu.stat", "throttled_usec", _MICRO),
    ),
    ("extra.burst.periods", member("cpu.stat", "nr_bursts"), member("cpu.stat", "nr_bursts")),
    ("extra.burst.time", member("cpu.stat", "burst_time"), member("cpu.stat", "burst_usec", _MICRO)),
    ("cpu.psi", None, pressure("cpu.pressure")),
    ("cpuset.cpus", ranges("cpuset.cpus"), None),
    ("cpuset.cpu_exclusive", number("cpuset.cpu_exclusive"), None),
    ("cpuset.mems", ranges("cpuset.mems"), None),
    ("cpuset.mem_hardwall", number("cpuset.mem_hardwall"), None),
    ("cpuset.mem_exclusive", number("cpuset.mem_exclusive"), None),
    ("cpuset.memory_migrate", number("cpuset.memory_migrate"), None),
    ("cpuset.memory_spread_page", number("cpuset.memory_spread_page"), None),
    ("cpuset.memory_spread_slab", number("cpuset.memory_spread_slab"), None),
    ("cpuset.memory_pressure", number("cpuset.memory_pressure"), None),
    ("cpuset.sched_load_balance", number("cpuset.sched_load_balance"), None),
    ("cpuset.sched_relax_domain_level", signed("cpuset.sched_relax_domain_level"), None),
    ("memory.raw", members("memory.stat"), members("memory.stat")),
    ("memory.cache", member("memory.stat", "cache"), member("memory.stat", "file")),
    ("memory.usage.limit", number("memory.limit_in_bytes"), number("memory.max")),
    ("memory.usage.usage", number("memory.usage_in_bytes"), number("memory.current")),
    ("memory.usage.max", number("memory.max_usage_in_bytes"), number("memory.peak")),
    ("memory.usage.failcnt", number("memory.failcnt"), None),
    ("memory.swap.limit", number("memory.memsw.limit_in_bytes"), number("memory.swap.max")),
    ("memory.swap.usage", number("memory.memsw.usage_in_bytes"), number("memory.swap.current")),
    ("memory.swap.max", number("memory.memsw.max_usage_in_bytes"), None),
    ("memory.swap.failcnt", number("memory.memsw.failcnt"), None),
    ("memory.kernel.limit", number("memory.kmem.limit_in_bytes"), None),
    ("memory.kernel.usage", number("memory.kmem.usage_in_bytes"), None),
    ("memory.kernel.max", number("memory.kmem.max_usage_in_bytes"), None),
    ("memory.kernel.failcnt", number("memory.kmem.failcnt"), None),
    ("memory.kernelTCP.limit", number("memory.kmem.tcp.limit_in_bytes"), None),
    ("memory.kernelTCP.usage", number("memory.kmem.tcp.usage_in_bytes"), None),
    ("memory.kernelTCP.max", number("memory.kmem.tcp.max_usage_in_bytes"), None),
    ("memory.kernelTCP.failcnt", number("memory.kmem.tcp.failcnt"), None),
    ("memory.psi", None, pressure("memory.pressure")),
    ("extra.oom_kills", member("memory.oom_control", "oom_kill"), member("memory.events", "oom_kill")),
    ("pids.current", number("pids.current"), number("pids.current")),
    ("pids.limit", number("pids.max"), number("pids.max")),
    ("extra.pids.peak", number("pids.peak"), number("pids.peak")),
    ("extra.pids.refused", member("pids.events", "max"), member("pids.events", "max")),
    (
        "blkio.ioServiceBytesRecursive",
        _blkio("io_service_bytes_recursive", "io_service_bytes_recursive", "io_service_bytes"),
        io(_BYTES),
    ),
    (
        "blkio.ioServicedRecursive",
        _blkio("io_serviced_recursive", "io_serviced_recursive", "io_serviced"),
        io(_OPERATIONS),
    ),
    ("blkio.ioQueueRecursive", _blkio("io_queued_recursive"), None),
    ("blkio.ioServiceTimeRecursive", _blkio("io_service_time_recursive"), None),
    ("blkio.ioWaitTimeRecursive", _blkio("io_wait_time_recursive"), None),
    ("blkio.ioMergedRecursive", _blkio("io_merged_recursive"), None),
    ("blkio.ioTimeRecursive", _blkio("time_recursive"), None),
    ("blkio.sectorsRecursive", _blkio("sectors_recursive"), None),
    ("blkio.psi", None, pressure("io.pressure")),
    ("extra.rdma.current", rdma("rdma.current"), rdma("rdma.current")),
    ("extra.rdma.limit", rdma("rdma.max"), rdma("rdma.max")),
    ("extra.misc.current", members("misc.current"), members("misc.current")),
    ("extra.misc.events", members("misc.events"), members("misc.events")),
)

# The same for each size of huge pages: hugetlb.<size>.<file>.  Reservations count, where the kernel counts them.
HUGETLB = (
    ("usage", ("rsvd.usage_in_bytes", "usage_in_bytes"), ("rsvd.current", "current")),
    ("max", ("rsvd.max_usage_in_bytes", "max_usage_in_bytes"), ()),
    ("failcnt", ("rsvd.failcnt", "failcnt"), ("events",)),
)
