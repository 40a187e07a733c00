"""Which file of a cgroup each field of `linux.resources` goes to, and how its value is written there.

Two tables, one a version; the order of their rows is the order of the writes.  What is a list is in `block_io` and
`listed`.  Values are converted as runc does, as the config's fields are those of version 1; what version 2 has nothing
for is refused.  Nothing here touches a file, so `explain` can show the writes.
"""

from __future__ import annotations

from orlop.errors import ConfigError, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Section = Mapping[str, object]
    Convert = Callable[[Section], str | None]

FIELD = "linux.resources"

# What `limits.apply` makes of a file.
OPTIONAL = 1  # it may be missing
READ_BACK = 2  # the kernel clamps the value silently

DEFAULT_PERIOD = 100000  # microseconds, of cpu.max

# What version 2 has no file for, and what there is in its place.  A limit that is left out silently would be worse than
# an error (runtime-spec, config-linux.md, "Control groups").
_ONLY_V1 = (
    ("memory.swappiness", "set vm.swappiness of the host, or memory.swap"),
    ("memory.disableOOMKiller", "set memory.high in unified: it slows processes down instead"),
    ("cpu.realtimeRuntime", ""),
    ("cpu.realtimePeriod", ""),
    ("blockIO.leafWeight", "set weight"),
    ("network.classID", ""),
    ("network.priorities", ""),
)
_UNSET = 2**64 - 1  # -1 as Docker used to write it


class Write:
    """A value for a file of a controller; `field` asked for it.

    `instead` is what to write where the kernel has no such file.
    """

    __slots__ = ("controller", "field", "file", "flags", "instead", "value")

    def __init__(
        self, field: str, controller: str, file: str, value: str, flags: int = 0, *, instead: Write | None = None
    ) -> None:
        self.field = field
        self.controller = controller
        self.file = file
        self.value = value
        self.flags = flags
        self.instead = instead

    def __repr__(self) -> str:
        return f"{self.file} = {self.value}"


def writes(resources: Section | None, version: int) -> list[Write]:
    """Return what is to be written for the limits, without the device rules.  Raises ConfigError.

    A zero means "not set" where the kernel has no use for it, as in Go programs, which is what engines are.
    """
    if not resources:
        return []
    if version == 2:
        _refuse_only_v1(resources)
    found = []
    for field, file, convert, flags in _TABLES[version]:
        name = field[: field.index(".")]
        section = resources.get(name)
        if isinstance(section, dict) and (value := convert(section)) is not None:
            if file == "memory.swap.max" and value in ("max", "0"):
                flags = OPTIONAL  # no swap accounting: there is no swap to forbid
            found.append(Write(f"{FIELD}.{field}", file[: file.index(".")], file, value, flags))
    if isinstance(section := resources.get("blockIO"), dict) and section:
        from orlop.cgroup import block_io

        found += block_io.writes(section, version)
    if resources.get("hugepageLimits") or resources.get("network") or resources.get("rdma"):
        from orlop.cgroup import listed

        for name, entries in listed.SECTIONS:
            found += entries(resources.get(name), version)
    unified = resources.get("unified")
    if isinstance(unified, dict) and unified:
        found += _unified(unified, version)
    return found


def _refuse_only_v1(resources: Section) -> None:
    problems = []
    for field, hint in _ONLY_V1:
        name, _, key = field.partition(".")
        section = resources.get(name)
        value = section.get(key) if isinstance(section, dict) else None
        if says_something(value) or (key == "swappiness" and value == 0):
            if value != _UNSET:
                problems.append(Problem(f"{FIELD}.{field}", "cgroup v2 has no such limit", hint or "leave it out"))
    for index, device in enumerate(_weight_devices(resources)):
        if device.get("leafWeight"):
            where = f"{FIELD}.blockIO.weightDevice[{index}].leafWeight"
            problems.append(Problem(where, "cgroup v2 has no such limit", "set weight"))
    if problems:
        raise ConfigError(problems)


def _weight_devices(resources: Section) -> list[Section]:
    section = resources.get("blockIO")
    devices = section.get("weightDevice") if isinstance(section, dict) else None
    return devices if isinstance(devices, list) else []


def cpu_weight(shares: int) -> int:
    """Return cpu.weight for `cpu.shares`: 2 is 1, 1024 is 100, 262144 is 10000; the logarithms by a quadratic."""
    if shares <= 2:
        return 1
    if shares >= 262144:
        return 10000
    from math import ceil, log2

    log = log2(shares)
    return ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))


def _number(section: Section, key: str) -> int:
    value = section.get(key)
    return value if isinstance(value, int) else 0


def _nonzero(key: str) -> Convert:
    return lambda section: str(value) if (value := _number(section, key)) else None


def _given(key: str) -> Convert:
    return lambda section: str(_number(section, key)) if section.get(key) is not None else None


def _flag(key: str) -> Convert:
    return lambda section: "1" if section.get(key) else None


def _text(key: str) -> Convert:
    return lambda section: str(section[key]) if section.get(key) else None


def _limit(key: str) -> Convert:
    """-1 takes the limit away."""
    return lambda section: ("max" if value == -1 else str(value)) if (value := _number(section, key)) else None


def _pids(section: Section) -> str | None:
    # systemd takes no TasksMax of 0, so runc writes 1 for it with both drivers; a fork fails with either.
    limit = section.get("limit")
    if not isinstance(limit, int):
        return None
    return "max" if limit < 0 else str(limit or 1)


def _swap_follows(section: Section) -> str | None:
    return "-1" if _number(section, "limit") == -1 and not _number(section, "swap") else None


def _swap_only(section: Section) -> str | None:
    """Version 2 counts swap alone; the config means memory and swap together."""
    limit, both = _number(section, "limit"), _number(section, "swap")
    if limit == -1 and not both:
        return "max"
    if not both:
        return None
    if both == -1:
        return "max"
    if limit == -1:
        return str(both)
    if not limit:
        message = "unable to set swap limit without memory limit"
    elif limit < 0:
        message = f"invalid memory value: {limit}"
    elif both < limit:
        message = "memory+swap limit should be >= memory limit"
    else:
        return str(both - limit)
    raise ConfigError([Problem(f"{FIELD}.memory.swap", message)])


def _swappiness(section: Section) -> str | None:
    if section.get("swappiness") in (None, _UNSET):
        return None
    value = _number(section, "swappiness")
    if not 0 <= value <= 100:
        message = f"invalid memory swappiness value: {value} (valid range is 0-100)"
        raise ConfigError([Problem(f"{FIELD}.memory.swappiness", message)])
    return str(value)


def _weight(section: Section) -> str | None:
    shares = _number(section, "shares")
    return str(cpu_weight(shares)) if shares else None


def _bandwidth(section: Section) -> str | None:
    quota, period = _number(section, "quota"), _number(section, "period")
    return f"{quota if quota > 0 else 'max'} {period or DEFAULT_PERIOD}" if quota or period else None


def _unified(files: Section, version: int) -> list[Write]:
    if version == 1:
        message = "invalid configuration: cannot use unified on cgroup v1"
        hint = "give the limits as memory, cpu, pids ... of linux.resources, or boot with cgroup v2"
        raise ConfigError([Problem(f"{FIELD}.unified", message, hint)])
    found = []
    for file, value in files.items():
        field = f"{FIELD}.unified[{file}]"
        if "/" in file:
            raise ConfigError([Problem(field, f'unified resource "{file}" must be a file name (no slashes)')])
        controller, dot, _parameter = file.partition(".")
        if not dot:
            raise ConfigError([Problem(field, f'unified resource "{file}" must be in the form CONTROLLER.PARAMETER')])
        found += [Write(field, controller, file, line) for line in str(value).split("\n") if line]
    return found


def says_something(value: object) -> bool:
    """Tell whether a section sets anything: engines send empty ones, and zeroes."""
    if isinstance(value, dict):
        return any(map(says_something, value.values()))
    if isinstance(value, list):
        return any(map(says_something, value))
    return bool(value)


# The values of cpuset come first, as a cgroup without them takes no process; memory before cpu as runc has it.
_V1: tuple[tuple[str, str, Convert, int], ...] = (
    ("cpu.cpus", "cpuset.cpus", _text("cpus"), 0),
    ("cpu.mems", "cpuset.mems", _text("mems"), 0),
    ("memory.limit", "memory.limit_in_bytes", _nonzero("limit"), 0),
    ("memory.swap", "memory.memsw.limit_in_bytes", _nonzero("swap"), 0),
    ("memory.limit", "memory.memsw.limit_in_bytes", _swap_follows, OPTIONAL),
    ("memory.reservation", "memory.soft_limit_in_bytes", _nonzero("reservation"), 0),
    ("memory.disableOOMKiller", "memory.oom_control", _flag("disableOOMKiller"), 0),
    ("memory.swappiness", "memory.swappiness", _swappiness, 0),
    ("cpu.shares", "cpu.shares", _nonzero("shares"), READ_BACK),
    ("cpu.period", "cpu.cfs_period_us", _nonzero("period"), 0),
    ("cpu.burst", "cpu.cfs_burst_us", _given("burst"), OPTIONAL),
    ("cpu.quota", "cpu.cfs_quota_us", _nonzero("quota"), 0),
    ("cpu.idle", "cpu.idle", _given("idle"), 0),
    ("cpu.realtimePeriod", "cpu.rt_period_us", _nonzero("realtimePeriod"), 0),
    ("cpu.realtimeRuntime", "cpu.rt_runtime_us", _nonzero("realtimeRuntime"), 0),
    ("pids.limit", "pids.max", _pids, 0),
)

_V2: tuple[tuple[str, str, Convert, int], ...] = (
    ("pids.limit", "pids.max", _pids, 0),
    ("memory.swap", "memory.swap.max", _swap_only, 0),
    ("memory.limit", "memory.max", _limit("limit"), 0),
    ("memory.reservation", "memory.low", _limit("reservation"), 0),
    ("cpu.idle", "cpu.idle", _given("idle"), 0),
    ("cpu.shares", "cpu.weight", _weight, 0),
    ("cpu.burst", "cpu.max.burst", _given("burst"), 0),
    ("cpu.quota", "cpu.max", _bandwidth, 0),
    ("cpu.cpus", "cpuset.cpus", _text("cpus"), 0),
    ("cpu.mems", "cpuset.mems", _text("mems"), 0),
)

_TABLES = {1: _V1, 2: _V2}
