"""The conversion of the `pre-draft` format of runc 0.0.3 to today's config.

    bytes ──parse──▶ document ──is `version` "pre-draft"?──▶ its own table ──▶ convert ──▶ today's table and rules

What that runtime parsed and then ignored (hooks, resource limits of the process, additional groups, propagation) takes
effect; zero and the empty string mean "not set", as they did.  docs/pre-draft.md says what else differs.  Imported by
nothing but load, and only for such a document.
"""

from __future__ import annotations

from orlop.errors import ConfigError, Problem
from orlop.spec.predraft_fields import NAMESPACES, PREDRAFT, device_values, network_class
from orlop.spec.process import RLIMITS
from orlop.spec.walk import cast, check_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Object: TypeAlias = dict[str, object]
    # Looks a device of the host up: type, major, minor, mode bits, uid, gid; None for what is none.
    DeviceOf: TypeAlias = Callable[[str], tuple[str, int, int, int, int, int] | None]

_DEVICES = {
    "null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0),
    "console": (5, 1), "tty0": (4, 0), "tty1": (4, 1), "fuse": (10, 229), "net/tun": (10, 200), "kmsg": (1, 11),
}  # fmt: skip

# What the option words of that time were; any other word is the file system's own.
_FLAGS = frozenset(
    "async atime bind defaults dev diratime dirsync exec mand noatime nodev nodiratime noexec nomand norelatime "
    "nostrictatime nosuid private rbind relatime remount ro rprivate rshared rslave runbindable rw shared slave "
    "strictatime suid sync unbindable".split()
)
_WITHOUT_DATA = ("proc", "sysfs", "mqueue", "bind", "cgroup")

# Terminals that every container of runc 0.0.3 could open; today's defaults lack them.
_MORE_DEVICES = ((4, 0), (4, 1))

_MASKED = ("/proc/kcore",)
_READ_ONLY = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus")


def well_known(path: str) -> tuple[str, int, int, int, int, int] | None:
    """The devices that are the same on every host, for where no host can be asked."""
    numbers = _DEVICES.get(path.removeprefix("/dev/"))
    return ("c", *numbers, 0o666, 0, 0) if numbers else None


def convert(document: object, device: DeviceOf = well_known) -> Object:
    """Return today's config for a pre-draft one; `device` looks devices up.  Raises ConfigError with all problems.

    Members that are null are taken out of the document.  The result is still to be checked as any other config.
    """
    problems = check_object(document, PREDRAFT)
    if problems:
        raise ConfigError(problems)
    old = cast("Object", document)
    linux = _object(old, "linux")
    new: Object = {"ociVersion": "1.0.0"}
    if "process" in old:
        new["process"] = _process(_object(old, "process"), linux)
    if "root" in old:
        new["root"] = old["root"]
    new["hostname"] = old.get("hostname") or ""
    read_only = _object(old, "root").get("readonly") is True
    new["mounts"] = [_mount(row, read_only) for row in _rows(old, "mounts")]
    new["hooks"] = {
        name: [_hook(row) for row in _rows(_object(old, "hooks"), name)] for name in ("prestart", "poststop")
    }
    new["linux"] = _linux(linux, device, read_only)
    return new


def _object(parent: Object, name: str) -> Object:
    return cast("Object", parent.get(name) or {})


def _rows(parent: Object, name: str) -> list[Object]:
    return cast("list[Object]", parent.get(name) or [])


def _either(parent: Object, name: str, stale: str) -> object:
    """A member under its name, or under the one that the README of the time had."""
    return parent.get(name) or parent.get(stale)


def _process(old: Object, linux: Object) -> Object:
    names = [f"CAP_{name}" for name in cast("list[str]", linux.get("capabilities") or [])]
    cwd = cast("str", old.get("cwd") or "")
    new: Object = {
        "terminal": old.get("terminal", False),
        "user": old.get("user") or {},
        "args": old.get("args") or [],
        "env": _environment(cast("list[str]", old.get("env") or [])),
        "cwd": cwd if cwd[:1] == "/" else f"/{cwd}",
        "capabilities": dict.fromkeys(("bounding", "effective", "inheritable", "permitted"), names),
    }
    limits = _rows(linux, "rlimits")
    if limits:
        new["rlimits"] = [{**row, "type": RLIMITS[cast("int", row["type"])]} for row in limits]
    return new


def _environment(old: list[str]) -> list[str]:
    """Of several entries with one name the last counts."""
    return list({entry.partition("=")[0] if "=" in entry else entry: entry for entry in old}.values())


def _mount(old: Object, read_only: bool) -> Object:
    kind, words = old["type"], [each for each in cast("str", old.get("options") or "").split(",") if each]
    if kind in _WITHOUT_DATA:
        words = [each for each in words if each in _FLAGS]
    if kind == "bind" and not {"bind", "rbind"} & {*words}:
        words.insert(0, "bind")
    if kind == "sysfs" and read_only:
        words.append("ro")
    return {
        "destination": "/" + cast("str", old["destination"]).lstrip("/"),
        "type": kind,
        "source": old.get("source") or "",
        "options": words,
    }


def _hook(old: Object) -> Object:
    """`args` was then what follows the name of the program."""
    new: Object = {"path": old["path"], "args": [old["path"], *cast("list[str]", old.get("args") or [])]}
    if "env" in old:
        new["env"] = old["env"]
    return new


def _linux(old: Object, device: DeviceOf, read_only: bool) -> Object:
    # Of one type the last entry counted.
    kinds = {NAMESPACES[cast("str", row["type"])]: row.get("path") or "" for row in _rows(old, "namespaces")}
    new: Object = {}
    uids = _either(old, "uidMappings", "uidMapping")
    if uids:
        kinds.setdefault("user", "")
        new["uidMappings"] = uids
        new["gidMappings"] = _either(old, "gidMappings", "gidMapping") or []
    new["namespaces"] = [{"type": kind, "path": path} if path else {"type": kind} for kind, path in kinds.items()]
    sysctl = _either(old, "sysctl", "systemProperties")
    if sysctl:
        new["sysctl"] = sysctl
    if old.get("rootfsPropagation"):
        new["rootfsPropagation"] = old["rootfsPropagation"]
    if read_only and "mount" in kinds:
        new["maskedPaths"], new["readonlyPaths"] = list(_MASKED), list(_READ_ONLY)
    devices = _devices(cast("list[str]", old.get("devices") or []), device)
    new["devices"] = devices
    new["resources"] = _resources(_object(old, "resources"))
    cast("Object", new["resources"])["devices"] = _device_rules(devices)
    return new


def _devices(names: list[str], device: DeviceOf) -> list[Object]:
    problems, new = [], []
    for index, name in enumerate(names):
        path = f"/dev/{name}"
        found = device(path)
        if found is None:
            hint = "it names a device of the host, below /dev"
            problems.append(Problem(f"linux.devices[{index}]", f"no device {path} on this host", hint))
            continue
        kind, major, minor, mode, uid, gid = found
        row: Object = {"path": path, "type": kind, "fileMode": mode, "uid": uid, "gid": gid}
        new.append(row if kind == "p" else {**row, "major": major, "minor": minor})
    if problems:
        raise ConfigError(problems)
    return new


def _device_rules(devices: list[Object]) -> list[Object]:
    rules: list[Object] = [{"allow": False, "access": "rwm"}]
    wanted = [(row["type"], row["major"], row["minor"]) for row in devices if row["type"] != "p"]
    wanted += [("c", *numbers) for numbers in _MORE_DEVICES]
    for kind, major, minor in wanted:
        rules.append({"allow": True, "type": kind, "major": major, "minor": minor, "access": "rwm"})
    return rules


# name → must it be above zero to count?
_MEMORY = {"limit": False, "reservation": False, "swap": True, "kernel": True}
_CPU = ("shares", "quota", "period", "realtimeRuntime", "realtimePeriod", "cpus", "mems")
_THROTTLES = {
    "blkioThrottleReadBpsDevice": "throttleReadBpsDevice",
    "blkioThrottleWriteBpsDevice": "throttleWriteBpsDevice",
    "blkioThrottleReadIopsDevice": "throttleReadIOPSDevice",
    "blkioThrottleWriteIopsDevice": "throttleWriteIOPSDevice",
}


def _resources(old: Object) -> Object:
    new: Object = {
        "memory": _memory(_object(old, "memory")),
        "cpu": {name: value for name, value in _object(old, "cpu").items() if name in _CPU and value},
        "blockIO": _block(_object(old, "blockIO")),
        "hugepageLimits": _rows(old, "hugepageLimits"),
        "network": _network(_object(old, "network")),
    }
    if old.get("disableOOMKiller"):
        cast("Object", new["memory"])["disableOOMKiller"] = True
    return {name: value for name, value in new.items() if value}


def _memory(old: Object) -> Object:
    new: Object = {}
    for name, positive in _MEMORY.items():
        amount = cast("int", old.get(name, 0))
        if amount > 0 or (amount and not positive):
            new[name] = amount
    if cast("int", old.get("swappiness", -1)) >= 0:
        new["swappiness"] = old["swappiness"]
    return new


def _block(old: Object) -> Object:
    new: Object = {}
    if old.get("blkioWeight"):
        new["weight"] = old["blkioWeight"]
    weights = _values(old, "blkioWeightDevice", "weight")
    if weights:
        new["weightDevice"] = weights
    for name, today in _THROTTLES.items():
        limits = _values(old, name, "rate")
        if limits:
            new[today] = limits
    return new


def _values(old: Object, name: str, amount: str) -> list[Object]:
    lines = device_values(cast("str", old.get(name) or "")) or []
    return [{"major": major, "minor": minor, amount: value} for major, minor, value in lines]


def _network(old: Object) -> Object:
    new: Object = {}
    number = network_class(cast("str", old.get("classId") or "0"))
    if number:
        new["classID"] = number
    if old.get("priorities"):
        new["priorities"] = old["priorities"]
    return new
