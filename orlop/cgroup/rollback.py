"""What the files of a cgroup held before an update, to be written back when the update fails.

A file holds one value, or a line for each of several devices.  Of the latter only the line of the device that was
asked for is put back; one that had no line gets the words that mean "no limit".
"""

from __future__ import annotations

from orlop.cgroup import files
from orlop.cgroup.fields import Write
from orlop.errors import CgroupError, OrlopError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    Old: TypeAlias = tuple[Write, str]  # what writes a value back, and all that the file held

# Files with a line for each device → what takes the line away.
_NO_LIMIT = {
    "blkio.bfq.weight_device": "default",
    "blkio.throttle.read_bps_device": "0",
    "blkio.throttle.write_bps_device": "0",
    "blkio.throttle.read_iops_device": "0",
    "blkio.throttle.write_iops_device": "0",
    "io.bfq.weight": "default",
    "io.max": "rbps=max wbps=max riops=max wiops=max",
    "io.weight": "default",
    "net_prio.ifpriomap": "0",
    "rdma.max": "hca_handle=max hca_object=max",
}


class Before:
    """What the files held that `writes` name."""

    __slots__ = ("_directory", "_old")

    def __init__(self, writes: Iterable[Write], directory: Callable[[str], str | None]) -> None:
        self._directory = directory
        self._old: list[Old] = []
        known: set[tuple[str, str]] = set()
        for write in writes:
            each: Write | None = write
            while each:
                key = (each.file, _device(each) if each.file in _NO_LIMIT else "")
                if key not in known:
                    known.add(key)
                    self._old += _old(each, directory(each.controller))
                each = each.instead

    def writes(self) -> list[Write]:
        """Return what writes all back, in the order of the limits."""
        return [write for write, _text in self._old]

    def restore(self, reason: BaseException) -> None:
        """Write all back, the last first; `reason`, which is about to be raised, tells where even that failed.

        What is refused keeps nothing else from being written back, and is tried once more when all else was.
        """
        refused = self._written(self._written([(each, None) for each in reversed(self._old)]))
        if refused and isinstance(reason, OrlopError):
            told = "; ".join(str(error) for _, error in refused)
            reason.message += f"; and the old values could not be set back: {told}"

    def _written(self, wanted: list[tuple[Old, CgroupError | None]]) -> list[tuple[Old, CgroupError | None]]:
        """Write the old values; those that were refused, where the file does not hold what it held anyway."""
        from orlop.cgroup import limits

        refused: list[tuple[Old, CgroupError | None]] = []
        for (write, text), _ in wanted:
            try:
                limits.apply((write,), self._directory)
            except CgroupError as error:
                if _text(write, self._directory(write.controller)) != text:
                    refused.append(((write, text), error))
        return refused


def _old(write: Write, directory: str | None) -> list[Old]:
    text = _text(write, directory)
    if text is None:  # it is not there, or cannot be read: then it was not changed either, or cannot be set back
        return []
    return [(Write(write.field, write.controller, write.file, value), text) for value in _values(write, text)]


def _text(write: Write, directory: str | None) -> str | None:
    try:
        return files.read(f"{directory}/{write.file}") if directory else None
    except OSError:
        return None


def _values(write: Write, text: str) -> list[str]:
    if write.file in _NO_LIMIT:
        device = _device(write)
        line = next((line for line in text.splitlines() if line.split(" ")[0] == device), "")
        if not line and device == "default":  # a file that has never had a line tells just the number
            line = text.strip()
        return [line or f"{device} {_NO_LIMIT[write.file]}"]
    if write.file == "memory.oom_control":  # "oom_kill_disable 0", and more lines
        return [text.split()[1]]
    return [line for line in text.splitlines() if line] or [
        "\n"
    ]  # an empty cpuset: a write of nothing would not reach the kernel


def _device(write: Write) -> str:
    """Return the device that a line is about; io.weight takes a lone number for all others."""
    first, _, rest = write.value.partition(" ")
    return first if rest else "default"
