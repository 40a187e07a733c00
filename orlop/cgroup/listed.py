"""The fields of `linux.resources` that are lists or maps: an entry has its own file, or its own line in one.

Huge pages, RDMA devices, and the traffic classes and priorities of version 1.
"""

from __future__ import annotations

from orlop.cgroup.fields import FIELD, OPTIONAL, Write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RDMA = (("hcaHandles", "hca_handle"), ("hcaObjects", "hca_object"))


def hugepages(limits: object, version: int) -> Iterator[Write]:
    """The limit of pages in use, and that of reservations, which kernels count apart since 5.7."""
    end = "limit_in_bytes" if version == 1 else "max"
    for index, row in enumerate(limits if isinstance(limits, list) else ()):
        field, value = f"{FIELD}.hugepageLimits[{index}]", str(row["limit"])
        yield Write(field, "hugetlb", f"hugetlb.{row['pageSize']}.{end}", value)
        yield Write(field, "hugetlb", f"hugetlb.{row['pageSize']}.rsvd.{end}", value, OPTIONAL)


def network(section: object, _version: int) -> Iterator[Write]:
    """Version 1 only; version 2 leaves this to filters in BPF."""
    if not isinstance(section, dict):
        return
    if section.get("classID"):
        yield Write(f"{FIELD}.network.classID", "net_cls", "net_cls.classid", str(section["classID"]))
    for index, row in enumerate(section.get("priorities") or ()):
        field = f"{FIELD}.network.priorities[{index}]"
        yield Write(field, "net_prio", "net_prio.ifpriomap", f"{row['name']} {row['priority']}")


def rdma(devices: object, _version: int) -> Iterator[Write]:
    """The same file on both versions."""
    for name, limits in devices.items() if isinstance(devices, dict) else ():
        words = [f"{word}={limits[key]}" for key, word in _RDMA if limits.get(key) is not None]
        yield Write(f'{FIELD}.rdma["{name}"]', "rdma", "rdma.max", " ".join((name, *words)))


# Section → what is to be written for it.
SECTIONS: tuple[tuple[str, Callable[[object, int], Iterator[Write]]], ...] = (
    ("hugepageLimits", hugepages),
    ("network", network),
    ("rdma", rdma),
)
