"""The limits as properties of a systemd unit (systemd.resource-control(5)), made of what is written to the files.

systemd writes the files of a unit anew whenever it likes, after a daemon-reload for one.  What it is not told of it
would take back; what it has no property for it leaves alone.
"""

from __future__ import annotations

from orlop.cgroup.fields import Write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orlop.cgroup.devices import Device, Policy
    from orlop.host.dbus_wire import Value
    from orlop.host.systemd import Property

INFINITY = 2**64 - 1
_SECOND = 1_000_000  # microseconds
_STEP = 10_000  # systemd counts the quota of a second in steps of 10 ms
_DEFAULT_PERIOD = 100_000
_DIGITS = 20  # of the largest number of 64 bits
_UNITS = " KMGTPE"
OLDEST_IDLE = 252  # of systemd, with CPUWeight=idle
_UNSET = {"MemoryLow": 0, "MemoryMin": 0}  # what is no limit, but a protection
_BANDWIDTH = {"CPUQuotaPerSecUSec", "CPUQuotaPeriodUSec"}
_BANDWIDTH_FILES = ("cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us")


def properties(writes: Iterable[Write], version: int) -> list[Property]:
    """Return the properties for what is written to the files of a cgroup of this version.

    A value that cannot be read is left out: the kernel will refuse the file's, with a better message.
    """
    found: dict[str, Property] = {}
    files = {}
    for write in writes:
        text = files[write.file] = write.value.strip()  # as the kernel does
        row = _TABLE[version].get(write.file)
        if row and (value := row[2](text)) is not None:
            found.pop(row[0], None)
            found[row[0]] = (row[0], row[1], value)
    for name, amount in _bandwidth(files, version):
        found[name] = (name, "t", amount)
    if files.get("cpu.idle") == "1" and version == 2:
        found["CPUWeight"] = ("CPUWeight", "t", 0)
    return list(found.values())


def asker(text: str, writes: Iterable[Write], version: int) -> Write | None:
    """Return the write whose property is named in what systemd says, if there is one."""
    words = set(text.replace("=", " ").split())
    for write in writes:
        row = _TABLE[version].get(write.file)
        names = {row[0]} if row else _BANDWIDTH if write.file in _BANDWIDTH_FILES else set()
        if names & words:
            return write
    return None


def unset(wanted: Iterable[Property]) -> list[Property]:
    """Return the same properties as a unit has them that was told none."""
    return [(name, kind, _UNSET.get(name, b"" if kind == "ay" else INFINITY)) for name, kind, _value in wanted]


def rounded(writes: list[Write]) -> list[Write]:
    """Return the writes with the CPU quota that systemd will make of it, so that both write the same."""
    files = {write.file: write.value for write in writes}
    for index, write in enumerate(writes):
        if write.file == "cpu.max" and ".unified[" not in write.field:
            quota, period = _cpu_max(write.value)
            value = f"{_rounded(quota, period)} {period}" if quota else write.value
        elif write.file == "cpu.cfs_quota_us":
            quota, period = _number(write.value), _number(files.get("cpu.cfs_period_us", "")) or _DEFAULT_PERIOD
            value = str(_rounded(quota, period)) if quota and quota > 0 else write.value
        else:
            continue
        writes[index] = Write(write.field, write.controller, write.file, value, write.flags)
    return writes


def device_properties(policy: Policy) -> list[Property]:
    """Return the device rules, which systemd enforces by itself on version 1, and anew with each daemon-reload.

    On version 2 it is not told of them: it would only put a second filter beside ours, one that it replaces when it
    reloads, without the devices that somebody has added since.
    """
    from orlop.cgroup.devices import line

    if policy.allow:
        return [("DevicePolicy", "s", "auto")]
    allowed = []
    for device, access in policy.sorted():
        if name := _device(device):
            allowed.append((name, line(device, access).rpartition(" ")[2]))
    return [("DevicePolicy", "s", "strict"), ("DeviceAllow", "a(ss)", allowed)]


def _device(device: Device) -> str | None:
    """Return the name that systemd has for a device; it has none for one minor of all majors."""
    kind, major, minor = device
    family = "char" if kind == "c" else "block"
    if major < 0:
        return f"{family}-*" if minor < 0 else None
    return f"{family}-{major}" if minor < 0 else f"/dev/{family}/{major}:{minor}"


def _number(text: str) -> int | None:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS):
        return None
    return int(text) if int(digits) <= INFINITY else None


def _count(text: str) -> int | None:
    number = _number(text)
    return None if number is None or number < 0 else number


def _amount(text: str) -> int | None:
    """Of bytes or processes; a negative one is no limit."""
    if text == "max":
        return INFINITY
    number = _number(text)
    return INFINITY if number is not None and number < 0 else number


def _size(text: str) -> int | None:
    """An amount with a unit, or without, as the kernel reads it (lib/cmdline.c, memparse)."""
    unit = _UNITS.find(text[-1:].upper())
    if unit <= 0:
        return _amount(text)
    number = _count(text[:-1])
    return None if number is None else min(number << 10 * unit, INFINITY)


def _tasks(text: str) -> int | None:
    return 1 if text == "0" else _amount(text)


def _weight(text: str) -> int | None:
    return _count(text.removeprefix("default "))


def _list(text: str) -> bytes | None:
    """Return a list such as `0-3,7` as bits."""
    bits = 0
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        low, high = _number(first), _number(last or first)
        if low is None or high is None or not 0 <= low <= high < 1 << 16:
            return None
        bits |= (1 << high + 1) - (1 << low)
    return bits.to_bytes(bits.bit_length() // 8 + 1, "little").rstrip(b"\0")


def _bandwidth(files: dict[str, str], version: int) -> list[tuple[str, int]]:
    if version == 2:
        if "cpu.max" not in files:
            return []
        quota, period = _cpu_max(files["cpu.max"])
        return [("CPUQuotaPerSecUSec", _sent(quota, period)), ("CPUQuotaPeriodUSec", period)]
    found = []
    given = _number(files.get("cpu.cfs_period_us", ""))
    if "cpu.cfs_quota_us" in files:
        quota = _number(files["cpu.cfs_quota_us"])
        found.append(("CPUQuotaPerSecUSec", _sent(quota, given or _DEFAULT_PERIOD)))
    if given:
        found.append(("CPUQuotaPeriodUSec", given))
    return found


def _cpu_max(text: str) -> tuple[int | None, int]:
    quota, period = [*text.split(), "", ""][:2]
    return _number(quota), _count(period) or _DEFAULT_PERIOD


def _sent(quota: int | None, period: int) -> int:
    return min(_per_second(quota, period), INFINITY)


def _per_second(quota: int | None, period: int) -> int:
    if quota is None or quota <= 0:
        return INFINITY
    exact = quota * _SECOND // period
    return -(-exact // _STEP) * _STEP


def _rounded(quota: int, period: int) -> int:
    return _per_second(quota, period) * period // _SECOND


_TABLE: dict[int, dict[str, tuple[str, str, Callable[[str], Value | None]]]] = {
    1: {
        "memory.limit_in_bytes": ("MemoryLimit", "t", _size),
        "cpu.shares": ("CPUShares", "t", _count),
        "blkio.weight": ("BlockIOWeight", "t", _count),
        "blkio.bfq.weight": ("BlockIOWeight", "t", _count),
        "cpuset.cpus": ("AllowedCPUs", "ay", _list),
        "cpuset.mems": ("AllowedMemoryNodes", "ay", _list),
        "pids.max": ("TasksMax", "t", _tasks),
    },
    2: {
        "memory.max": ("MemoryMax", "t", _size),
        "memory.high": ("MemoryHigh", "t", _size),
        "memory.low": ("MemoryLow", "t", _size),
        "memory.min": ("MemoryMin", "t", _size),
        "memory.swap.max": ("MemorySwapMax", "t", _size),
        "cpu.weight": ("CPUWeight", "t", _count),
        "io.weight": ("IOWeight", "t", _weight),
        "io.bfq.weight": ("IOWeight", "t", _weight),
        "cpuset.cpus": ("AllowedCPUs", "ay", _list),
        "cpuset.mems": ("AllowedMemoryNodes", "ay", _list),
        "pids.max": ("TasksMax", "t", _tasks),
    },
}
