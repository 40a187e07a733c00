"""Statistics as events show them: runc 1.5's object, and that of runc 0.0.3.

A schema is the object as it would be with nothing used: its keys in their order, each with the value that stands in for
what the kernel did not tell.  `name?` is left out when it is zero, empty or all its members are; `name=other` is
found under another key; a value of None stands for a key that is left out unless it is known.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Schema = Mapping[str, object]

_ENTRY: Schema = {"limit": 0, "usage?": 0, "max?": 0, "failcnt": 0}
_HUGE: Schema = {"usage?": 0, "max?": 0, "failcnt": 0}
_DEVICE: Schema = {"major?": 0, "minor?": 0, "op?": "", "value?": 0}
_DEVICES = [_DEVICE]

CURRENT: Schema = {
    "cpu": {
        "usage?": {"total?": 0, "percpu?": [], "percpu_kernel?": [], "percpu_user?": [], "kernel": 0, "user": 0},
        "throttling?": {"periods?": 0, "throttledPeriods?": 0, "throttledTime?": 0},
        "psi": None,
    },
    "cpuset": {
        "cpus?": [],
        "cpu_exclusive": 0,
        "mems?": [],
        "mem_hardwall": 0,
        "mem_exclusive": 0,
        "memory_migrate": 0,
        "memory_spread_page": 0,
        "memory_spread_slab": 0,
        "memory_pressure": 0,
        "sched_load_balance": 0,
        "sched_relax_domain_level": 0,
    },
    "memory": {
        "cache?": 0,
        "usage?": _ENTRY,
        "swap?": _ENTRY,
        "kernel?": _ENTRY,
        "kernelTCP?": _ENTRY,
        "raw": None,
        "psi": None,
    },
    "pids": {"current?": 0, "limit?": 0},
    "blkio": {
        "ioServiceBytesRecursive?": _DEVICES,
        "ioServicedRecursive?": _DEVICES,
        "ioQueueRecursive?": _DEVICES,
        "ioServiceTimeRecursive?": _DEVICES,
        "ioWaitTimeRecursive?": _DEVICES,
        "ioMergedRecursive?": _DEVICES,
        "ioTimeRecursive?": _DEVICES,
        "sectorsRecursive?": _DEVICES,
        "psi": None,
    },
    "hugetlb": {"*": _HUGE},
    "intel_rdt": {"*": None},
}

_OLD_ENTRY: Schema = {"usage?": 0, "max_usage?=max": 0, "failcnt": 0}

OLD: Schema = {
    "cpu_stats=cpu": {
        "cpu_usage=usage": {
            "total_usage?=total": 0,
            "percpu_usage?=percpu": [],
            "usage_in_kernelmode=kernel": 0,
            "usage_in_usermode=user": 0,
        },
        "throttling_data=throttling": {
            "periods?": 0,
            "throttled_periods?=throttledPeriods": 0,
            "throttled_time?=throttledTime": 0,
        },
    },
    "memory_stats=memory": {
        "cache?": 0,
        "usage": _OLD_ENTRY,
        "swap_usage=swap": _OLD_ENTRY,
        "kernel_usage=kernel": _OLD_ENTRY,
        "stats=raw": None,
    },
    "blkio_stats=blkio": {
        "io_service_bytes_recursive?=ioServiceBytesRecursive": _DEVICES,
        "io_serviced_recursive?=ioServicedRecursive": _DEVICES,
        "io_queue_recursive?=ioQueueRecursive": _DEVICES,
        "io_service_time_recursive?=ioServiceTimeRecursive": _DEVICES,
        "io_wait_time_recursive?=ioWaitTimeRecursive": _DEVICES,
        "io_merged_recursive?=ioMergedRecursive": _DEVICES,
        "io_time_recursive?=ioTimeRecursive": _DEVICES,
        "sectors_recursive?=sectorsRecursive": _DEVICES,
    },
    "hugetlb_stats=hugetlb": {"*": _OLD_ENTRY},
}


def current(values: Mapping[str, object]) -> dict[str, object]:
    """The `data` of an event of runc 1.5.  Network interfaces are null there: nothing makes them."""
    return {**shaped(CURRENT, values), "network_interfaces": None}


def old(values: Mapping[str, object]) -> dict[str, object]:
    """The `data` of an event of runc 0.0.3.  Its interfaces were those that it made itself, which the pre-draft of
    the specification asks for; here a container has none."""
    shape = shaped(OLD, values)
    if not shape["hugetlb_stats"]:
        del shape["hugetlb_stats"]
    return {"Interfaces": None, "CgroupStats": shape}


def shaped(schema: Schema, values: Mapping[str, object]) -> dict[str, object]:
    """Return the values in the shape of a schema."""
    found: dict[str, object] = {}
    for key, below in schema.items():
        if key == "*":  # the keys are the values' own, all of one schema
            found |= {name: _value(below, value) for name, value in values.items()}
            continue
        name, _, source = key.partition("=")
        plain = name.rstrip("?")
        value = _value(below, values.get(source or plain))
        if value is not None and not (name != plain and _is_zero(value)):
            found[plain] = value
    return found


def _value(below: object, value: object) -> object:
    if isinstance(below, dict):
        return shaped(below, value if isinstance(value, dict) else {})
    if isinstance(below, list) and below and isinstance(value, list):
        return [_value(below[0], each) for each in value]
    if value is None:
        return [] if isinstance(below, list) else below
    return value


def _is_zero(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_is_zero, value.values()))
    return not value
