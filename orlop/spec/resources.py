"""The table of `linux.resources`."""

from __future__ import annotations

from orlop.errors import Problem
from orlop.spec.walk import (
    BOOL,
    INT64,
    MISSING,
    STRING,
    UINT16,
    UINT32,
    UINT64,
    Shape,
    array,
    between,
    mapping,
    nested,
    word,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.spec.types import CPU, DeviceRule, HugepageLimit, Memory, Rdma, WeightDevice

_NUMBER = between(0, 2**32 - 1)  # of a device
_AMOUNT = between(-1, 2**63 - 1)  # -1 is "no limit"


def _device_rules(rules: list[DeviceRule]) -> Iterator[Problem]:
    for index, rule in enumerate(rules):
        access = rule.get("access", "")
        if not access:
            yield Problem(f"[{index}].access", f"device access at {index} field cannot be empty")
        elif access.strip("rwma"):  # runc passes over the letter a, which configs take for "all"
            yield Problem(f"[{index}].access", f'must be made of r, w and m, not "{access}"')


def _memory(memory: Memory) -> Iterator[Problem]:
    swappiness = memory.get("swappiness", 0)
    # Docker used to write -1 (unset) as an unsigned number.
    if swappiness > 100 and swappiness != 2**64 - 1:
        yield Problem("swappiness", f"must be from 0 to 100, not {swappiness}")


def _cpu(cpu: CPU) -> Iterator[Problem]:
    quota, burst = cpu.get("quota", 0), cpu.get("burst", 0)
    if 0 < quota < burst:
        yield Problem("burst", f"{burst} is above the quota {quota}")


def _weight(device: WeightDevice) -> Iterator[Problem]:
    if "weight" not in device and "leafWeight" not in device:
        yield Problem("weight", "one of weight and leafWeight is required")


def _hugepages(limit: HugepageLimit) -> Iterator[Problem]:
    size = limit["pageSize"]
    digits = size[:-2]
    plain = digits.isascii() and digits.isdigit() and digits[0] != "0"
    if not plain or size[-2:] not in ("KB", "MB", "GB"):
        yield Problem("pageSize", f'must be like 64KB, 2MB or 1GB, not "{size}"')


def _rdma(limits: Rdma) -> Iterator[Problem]:
    if not limits.keys() & {"hcaHandles", "hcaObjects"}:
        yield Problem("", "one of hcaHandles and hcaObjects is required")


def _unified(name: str) -> str | None:
    """Say why `name` is no file of a cgroup: they are all `CONTROLLER.PARAMETER`."""
    if "/" in name:
        return f'unified resource "{name}" must be a file name (no slashes)'
    if "\0" in name:
        return "contains a NUL character"
    if not all(name.partition(".")):
        return f'unified resource "{name}" must be in the form CONTROLLER.PARAMETER'
    return None


_THROTTLES = array(
    nested(
        Shape(
            "config-linux.md#block-io",
            {"major": _NUMBER, "minor": _NUMBER, "rate": UINT64},
            required={"major": MISSING, "minor": MISSING, "rate": MISSING},
        )
    )
)

RESOURCES = Shape(
    "config-linux.md#control-groups",
    {
        "devices": array(
            nested(
                Shape(
                    "config-linux.md#allowed-device-list",
                    {
                        "allow": BOOL,
                        "type": word(("", "a", "c", "b"), 'invalid cgroup device type "%s"'),
                        "major": between(-1, 2**32 - 1),
                        "minor": between(-1, 2**32 - 1),
                        "access": STRING,
                    },
                    required={"allow": MISSING},
                )
            ),
            _device_rules,
        ),
        "memory": nested(
            Shape(
                "config-linux.md#memory",
                {
                    "limit": _AMOUNT,
                    "reservation": _AMOUNT,
                    "swap": _AMOUNT,
                    "kernel": _AMOUNT,
                    "kernelTCP": _AMOUNT,
                    "swappiness": UINT64,
                    "disableOOMKiller": BOOL,
                    "useHierarchy": BOOL,
                    "checkBeforeUpdate": BOOL,
                },
                since={"checkBeforeUpdate": "1.1", "useHierarchy": "1.0.2"},
                rule=_memory,
            )
        ),
        "cpu": nested(
            Shape(
                "config-linux.md#cpu",
                {
                    "shares": UINT64,
                    "quota": INT64,
                    "burst": UINT64,
                    "period": UINT64,
                    "realtimeRuntime": INT64,
                    "realtimePeriod": UINT64,
                    "cpus": STRING,
                    "mems": STRING,
                    "idle": between(0, 1),
                },
                since={"burst": "1.1", "idle": "1.1"},
                rule=_cpu,
            )
        ),
        "pids": nested(Shape("config-linux.md#pids", {"limit": INT64})),
        "blockIO": nested(
            Shape(
                "config-linux.md#block-io",
                {
                    "weight": UINT16,
                    "leafWeight": UINT16,
                    "weightDevice": array(
                        nested(
                            Shape(
                                "config-linux.md#block-io",
                                {"major": _NUMBER, "minor": _NUMBER, "weight": UINT16, "leafWeight": UINT16},
                                required={"major": MISSING, "minor": MISSING},
                                rule=_weight,
                            )
                        )
                    ),
                    "throttleReadBpsDevice": _THROTTLES,
                    "throttleWriteBpsDevice": _THROTTLES,
                    "throttleReadIOPSDevice": _THROTTLES,
                    "throttleWriteIOPSDevice": _THROTTLES,
                },
            )
        ),
        "hugepageLimits": array(
            nested(
                Shape(
                    "config-linux.md#huge-page-limits",
                    {"pageSize": STRING, "limit": UINT64},
                    required={"pageSize": MISSING, "limit": MISSING},
                    rule=_hugepages,
                )
            )
        ),
        "network": nested(
            Shape(
                "config-linux.md#network",
                {
                    "classID": UINT32,
                    "priorities": array(
                        nested(
                            Shape(
                                "config-linux.md#network",
                                {"name": STRING, "priority": UINT32},
                                required={"name": MISSING, "priority": MISSING},
                            )
                        )
                    ),
                },
            )
        ),
        "rdma": mapping(
            nested(Shape("config-linux.md#rdma", {"hcaHandles": UINT32, "hcaObjects": UINT32}, rule=_rdma))
        ),
        "unified": mapping(STRING, _unified),
    },
    since={"unified": "1.1"},
)
