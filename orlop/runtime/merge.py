"""How new limits join those that a container has: runc's rules for `update`, which engines rely on.

Most fields stay as they are unless given.  Some are replaced even when they are not given, which means that they are
not written again: what an earlier update wrote stays in the kernel.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orlop.cgroup.base import Resources

# Section, fields that stay unless given, fields that are replaced in any case.
_RULES = (
    ("memory", ("limit", "reservation", "swap"), ("checkBeforeUpdate",)),
    ("cpu", ("shares", "realtimePeriod", "realtimeRuntime"), ("burst", "cpus", "mems", "idle")),
    ("blockIO", ("weight", "leafWeight"), ()),
    ("pids", (), ("limit",)),
)
_DEVICES = (
    "weightDevice",
    "throttleReadBpsDevice",
    "throttleWriteBpsDevice",
    "throttleReadIOPSDevice",
    "throttleWriteIOPSDevice",
)
_FIXED = ("devices", "hugepageLimits", "network", "rdma", "memory.swappiness", "memory.disableOOMKiller")


def merged(before: Resources | None, change: Resources) -> dict[str, object]:
    """Return `linux.resources` after an update; both are checked, and stay as they are."""
    after = dict(before or {})
    for name, kept, replaced in _RULES:
        old, new = _section(before, name), _section(change, name)
        section = {key: value for key, value in old.items() if key not in replaced}
        section |= {key: new[key] for key in (*kept, *replaced) if key in new}
        if name == "memory" and new.get("limit") == -1 and "swap" not in new:
            section["swap"] = 0  # unlimited memory means unlimited swap, whatever the old limit was
        elif name == "cpu":
            _bandwidth(section, new)
            if "idle" in new and "shares" not in new:
                section["shares"] = 0  # the kernel refuses a weight for what is idle
        elif name == "blockIO":
            for key in _DEVICES:
                if key in new:
                    section[key] = _devices(old.get(key), new[key])
        after[name] = section
    after["unified"] = change.get("unified") or {}
    return {name: value for name, value in after.items() if value}


def ignored(before: Resources | None, change: Resources) -> list[str]:
    """Return what asks for something else than there is, and that no update changes."""
    return [name for name in _FIXED if (asked := _member(change, name)) and asked != _member(before, name)]


def _member(resources: Resources | None, name: str) -> object:
    section, _, key = name.partition(".")
    return _section(resources, section).get(key) if key else (resources or {}).get(section)


def _bandwidth(section: dict[str, object], new: Mapping[str, object]) -> None:
    """Quota and period belong together: with one alone the other one stays, with none both are left alone."""
    quota, period = new.get("quota") or 0, new.get("period") or 0
    if bool(quota) == bool(period):
        section["quota"], section["period"] = quota, period
    elif quota:
        section["quota"] = quota
    else:
        section["period"] = period


def _devices(old: object, new: object) -> list[dict[str, object]]:
    """Change the last row of a device, or add one."""
    rows: list[dict[str, object]] = [dict(row) for row in old] if isinstance(old, list) else []
    for row in new if isinstance(new, list) else ():
        same = [each for each in rows if (each["major"], each["minor"]) == (row["major"], row["minor"])]
        if same:
            same[-1] |= row
        else:
            rows.append(dict(row))
    return rows


def _section(resources: Resources | None, name: str) -> Mapping[str, object]:
    value = (resources or {}).get(name)
    return value if isinstance(value, dict) else {}
