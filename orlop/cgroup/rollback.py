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

    __slots__ = ("_directory", "_writes")

    def __init__(self, writes: Iterable[Write], directory: Callable[[str], str | None]) -> None:
        self._directory = directory
        self._writes: list[Write] = []
        known: set[tuple[str, str]] = set()
        for write in writes:
            each: Write | None = write
            while each:
                key = (each.file, _device(each) if each.file in _NO_LIMIT else "")
                if key not in known:
                    known.add(key)
                    self._writes += _old(each, directory(each.controller))
                each = each.instead

    def restore(self, reason: BaseException) -> None:
        """Write all back, the last first; `reason`, which is about to be raised, tells where even that failed."""
        from orlop.cgroup import limits

        try:
            limits.apply(reversed(self._writes), self._directory)
        except CgroupError as error:
            if isinstance(reason, OrlopError):
                reason.message += f"; and the old values could not be set back: {error}"


def _old(write: Write, directory: str | None) -> list[Write]:
    if not directory:
        return []
    try:
        text = files.read(f"{directory}/{write.file}")
    except OSError:  # it is not there, or cannot be read: then it was not changed either, or cannot be set back
        return []
    return [Write(write.field, write.controller, write.file, value) for value in _values(write, text)]


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
