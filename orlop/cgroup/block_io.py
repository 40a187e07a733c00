"""`linux.resources.blockIO`: weights and throttles, of the whole cgroup and of single devices.

Version 1 has a file a limit, version 2 one line a device in io.max.  Who hands out weights depends on the kernel: BFQ
has its own files on both versions; without it, version 2 may still have io.weight.
"""

from __future__ import annotations

from orlop.cgroup.fields import FIELD, Write
from orlop.errors import ConfigError, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Section = Mapping[str, object]

# Field, file of version 1, key in io.max of version 2.
_THROTTLES = (
    ("throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"),
    ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps"),
    ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops"),
    ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops"),
)
_LEAST, _MOST = 10, 1000  # of a weight in the config


def writes(section: Section, version: int) -> Iterator[Write]:
    """Return what is to be written.  Raises ConfigError."""
    field = f"{FIELD}.blockIO"
    weigh = _weight_v1 if version == 1 else _weight_v2
    if weight := _number(section, "weight"):
        yield weigh(f"{field}.weight", "", weight)
    if leaf := _number(section, "leafWeight"):
        yield Write(f"{field}.leafWeight", "blkio", "blkio.leaf_weight", str(leaf))
    for index, row in enumerate(_rows(section, "weightDevice")):
        where = f"{field}.weightDevice[{index}]"
        if weight := _number(row, "weight"):
            yield weigh(f"{where}.weight", _device(row), weight)
        if leaf := _number(row, "leafWeight"):
            yield Write(f"{where}.leafWeight", "blkio", "blkio.leaf_weight_device", f"{_device(row)} {leaf}")
    for name, file, key in _THROTTLES:
        for index, row in enumerate(_rows(section, name)):
            where, rate = f"{field}.{name}[{index}]", _number(row, "rate")
            if version == 1:
                yield Write(where, "blkio", file, f"{_device(row)} {rate}")
            else:  # 0 takes a limit away on version 1, which version 2 calls max
                yield Write(where, "io", "io.max", f"{_device(row)} {key}={rate or 'max'}")


def io_weight(weight: int) -> int:
    """Return io.weight for a weight of the config: 10 to 1000 become 1 to 10000, linearly."""
    return 1 + (weight - _LEAST) * 9999 // (_MOST - _LEAST)


def _weight_v1(field: str, device: str, weight: int) -> Write:
    suffix = "_device" if device else ""
    value = f"{device} {weight}".strip()
    bfq = Write(field, "blkio", f"blkio.bfq.weight{suffix}", value)
    return Write(field, "blkio", f"blkio.weight{suffix}", value, instead=bfq)


def _weight_v2(field: str, device: str, weight: int) -> Write:
    if not _LEAST <= weight <= _MOST:
        raise ConfigError([Problem(field, f"must be from {_LEAST} to {_MOST}, not {weight}")])
    plain = Write(field, "io", "io.weight", f"{device} {io_weight(weight)}".strip())
    return Write(field, "io", "io.bfq.weight", f"{device} {weight}".strip(), instead=plain)


def _device(row: Section) -> str:
    return f"{_number(row, 'major')}:{_number(row, 'minor')}"


def _rows(section: Section, key: str) -> list[Section]:
    value = section.get(key)
    return value if isinstance(value, list) else []


def _number(section: Section, key: str) -> int:
    value = section.get(key)
    return value if isinstance(value, int) else 0
