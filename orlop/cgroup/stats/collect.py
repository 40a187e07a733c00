"""The statistics of a cgroup, in one form for both versions."""

from __future__ import annotations

from orlop import system as os
from orlop.cgroup import files
from orlop.cgroup.stats.read import UNLIMITED, Reader, Source, member, number
from orlop.cgroup.stats.table import HUGETLB, TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    # Objects within objects, by the keys of the table; what the kernel does not tell has no key.
    Values = dict[str, object]

UNIFIED = ""
_HUGE_PAGES = "/sys/kernel/mm/hugepages"
_UNITS = ((1 << 20, "GB"), (1 << 10, "MB"), (1, "KB"))


def statistics(paths: Mapping[str, str], *, lenient: bool = False, huge_pages: str = _HUGE_PAGES) -> Values:
    """Read what a cgroup has used; `paths` as `Cgroup` has them, of either version.

    On a hybrid host these are the numbers of version 1.  `lenient` leaves out what we may not read, as for a rootless
    runtime.  A cgroup that is gone gives no numbers.  Does not block.  Raises CgroupError that names the file.
    """
    unified = tuple(paths) == (UNIFIED,)
    reader = Reader(paths if unified else {name: path for name, path in paths.items() if name}, lenient=lenient)
    found: Values = {}
    for key, v1, v2 in TABLE:
        source = v2 if unified else v1
        value = source.look(reader) if source else None
        if value is not None:
            _put(found, key, value)
    _hugetlb(found, reader, huge_pages, 1 if unified else 0)
    if unified:
        _combine_swap(found)
        _count_processes(found, paths[UNIFIED])
    limit = _get(found, "pids.limit")
    if limit == UNLIMITED:  # where runc and engines write 0 for "no limit"
        _put(found, "pids.limit", 0)
    return found


def _put(found: Values, key: str, value: object) -> None:
    *way, last = key.split(".")
    place = found
    for step in way:
        below = place.setdefault(step, {})
        assert isinstance(below, dict)
        place = below
    place[last] = value


def _get(found: Values, key: str) -> object:
    value: object = found
    for step in key.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _count(found: Values, key: str) -> int:
    value = _get(found, key)
    return value if isinstance(value, int) else 0


def _combine_swap(found: Values) -> None:
    """Version 1 counts memory and swap together, and readers expect that; version 2 counts swap alone."""
    if _get(found, "memory.usage.usage") is None:
        return
    swap = {
        "usage": _count(found, "memory.swap.usage") + _count(found, "memory.usage.usage"),
        "limit": min(UNLIMITED, _count(found, "memory.swap.limit") + _count(found, "memory.usage.limit")),
    }
    _put(found, "extra.swap", _get(found, "memory.swap"))
    _put(found, "memory.swap", swap)


def _count_processes(found: Values, path: str) -> None:
    """Without the controller `pids` processes are counted by hand, those of this very cgroup as runc does."""
    if _get(found, "pids.current") is None:
        _put(found, "pids.current", len(files.processes(path, nested=False)))


def _hugetlb(found: Values, reader: Reader, huge_pages: str, version: int) -> None:
    sizes = page_sizes(huge_pages) if reader.directory("hugetlb") else []
    for size in sorted(sizes):  # by their text, the order that Go gives a map
        values: Values = {}
        for row in HUGETLB:
            names = [f"hugetlb.{size}.{name}" for name in row[1 + version]]
            source = _events(names[0]) if names and names[0].endswith(".events") else number(*names)
            value = source.look(reader)
            if value is not None:
                values[row[0]] = value
        if values:
            _put(found, "hugetlb", {**_object(found.get("hugetlb")), size: values})


def _events(name: str) -> Source:
    return member(name, "max")


def _object(value: object) -> Values:
    return value if isinstance(value, dict) else {}


def page_sizes(directory: str = _HUGE_PAGES) -> list[str]:
    """The sizes of huge pages that this kernel has, as its cgroup files write them: 2MB, 1GB."""
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    sizes = sorted(int(name[10:-2]) for name in names if name.startswith("hugepages-") and name.endswith("kB"))
    return [next(f"{size // unit}{word}" for unit, word in _UNITS if size >= unit) for size in sizes]
