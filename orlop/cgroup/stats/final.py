"""What a cgroup tells at the end of a container: peaks and sums, of either version and of both on a hybrid host."""

from __future__ import annotations

from orlop import system as os
from orlop.cgroup import files
from orlop.cgroup.stats.read import Reader, devices, io, member, number
from orlop.errors import CgroupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orlop.cgroup.stats.read import Source, Text

_MICRO = 1_000
_TICK = 10_000_000
_OOM_CONTROL = "memory.oom_control"
_KILLS = member(_OOM_CONTROL, "oom_kill")

# Key: its place on version 1, on version 2.  Memory in bytes, times in nanoseconds.
_FINAL: tuple[tuple[str, Source | None, Source | None], ...] = (
    ("memory_peak", number("memory.max_usage_in_bytes"), number("memory.peak")),  # kernel 5.19
    ("oom_kills", None, member("memory.events", "oom_kill")),
    ("cpu_total", number("cpuacct.usage"), member("cpu.stat", "usage_usec", _MICRO)),
    ("cpu_user", member("cpuacct.stat", "user", _TICK), member("cpu.stat", "user_usec", _MICRO)),
    ("cpu_system", member("cpuacct.stat", "system", _TICK), member("cpu.stat", "system_usec", _MICRO)),
    ("cpu_throttled", member("cpu.stat", "throttled_time"), member("cpu.stat", "throttled_usec", _MICRO)),
    ("cpu_throttled_periods", member("cpu.stat", "nr_throttled"), member("cpu.stat", "nr_throttled")),
    ("pids_peak", number("pids.peak"), number("pids.peak")),  # kernel 6.1, version 1 with it
    ("pids_refused", member("pids.events", "max"), member("pids.events", "max")),
)
_BYTES = (
    devices("blkio.throttle.io_service_bytes_recursive"),
    io({"rbytes": "Read", "wbytes": "Write"}),
    ("io_read", "io_written"),
)
_OPERATIONS = (
    devices("blkio.throttle.io_serviced_recursive"),
    io({"rios": "Read", "wios": "Write"}),
    ("io_reads", "io_writes"),
)
# These a version 2 cgroup counts without its controller, and finer than version 1 does, by ticks.
_ALWAYS = frozenset(("cpu_total", "cpu_user", "cpu_system"))


def places(paths: Mapping[str, str]) -> tuple[str, ...]:
    """The files that `final` reads, those first that nothing else can stand for."""
    unified = tuple(paths) == ("",)
    v1, v2 = (Reader(part) for part in _split(paths))
    found: dict[str, None] = {}
    if "memory" in paths:
        found[f"{paths['memory']}/{_OOM_CONTROL}"] = None
    for key, old, new in (*_FINAL, ("", *_BYTES[:2]), ("", *_OPERATIONS[:2])):
        for source, reader in ((new, v2 if unified or key in _ALWAYS else None), (old, None if unified else v1)):
            for name in source.names if source is not None and reader is not None else ():
                directory = reader.directory(name) if reader is not None else None
                if directory is not None:
                    found[f"{directory}/{name}"] = None
    return tuple(found)


def _split(paths: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The directories of version 1, and that of version 2."""
    return {name: path for name, path in paths.items() if name}, {"": paths[""]} if "" in paths else {}


def final(paths: Mapping[str, str], copies: Mapping[str, str] | None = None) -> dict[str, int]:
    """Read the final numbers; what the kernel does not tell has no key.  Does not block, and never raises: an account
    with a gap is better than none.  `copies` of files, by path, serve where the cgroup is gone."""
    found: dict[str, int] = {}
    v1, v2 = (Reader(part, lenient=True, copies=copies) for part in _split(paths))
    unified = tuple(paths) == ("",)
    for key, old, new in _FINAL:
        value = _look(new, v2) if unified or key in _ALWAYS else None
        if value is None and not unified:
            value = _look(old, v1)
        if isinstance(value, int):
            found[key] = value
    for old, new, names in (_BYTES, _OPERATIONS):
        rows = _rows(new, v2) if unified else _rows(old, v1)
        if rows is not None:
            for name, operation in zip(names, ("Read", "Write"), strict=True):
                found[name] = sum(int(row["value"]) for row in rows if row["op"] == operation)
    if memory := paths.get("memory"):
        kills = _kills(memory, copies)
        if kills is not None:
            found["oom_kills"] = kills
    return found


def _look(source: Source | None, reader: Text) -> object:
    try:
        return source.look(reader) if source else None
    except CgroupError:
        return None


def _rows(source: Source, reader: Reader) -> list[dict[str, int | str]] | None:
    """A file without lines tells that no device was used, and no file that nobody counted."""
    try:
        found = source.look(reader)
        if isinstance(found, list):
            return found
        return [] if any(reader(name) is not None for name in source.names) else None
    except CgroupError:
        return None


def _kills(path: str, copies: Mapping[str, str] | None = None) -> int | None:
    """Version 1 counts a kill in the very cgroup of who was killed, and not in those above it."""
    own = _look(_KILLS, Reader({"": path}, lenient=True, copies=copies))
    if not isinstance(own, int):
        return None
    try:
        if os.stat(path).st_nlink == 2:  # as with most: no directory in it
            return own
        for above, name, emptied in files.each_below(path):
            if not emptied:
                own += _kills_in(name, above)
    except OSError:
        pass
    return own


def _kills_in(name: str, above: int) -> int:
    try:
        text = files.read(f"{name}/{_OOM_CONTROL}", above)
    except OSError:
        return 0
    value = _look(_KILLS, lambda _name: text)
    return value if isinstance(value, int) else 0
