"""Write limits to the files of a cgroup, whose values depend on each other in ways that only the kernel knows."""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.cgroup import files
from orlop.cgroup.fields import OPTIONAL, READ_BACK
from orlop.errors import CgroupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orlop.cgroup.fields import Write


def apply(writes: Iterable[Write], directory: Callable[[str], str | None]) -> None:
    """Write all; `directory` gives the cgroup of a controller, or None where there is none.  Raises CgroupError.

    The kernel refuses with EINVAL a memory limit above the one of memory and swap, a period too small for the
    old quota, a burst above the old quota.  So what is refused so is tried once more when all else is written.
    """
    refused = []
    for write in writes:
        path = directory(write.controller)
        if not path:
            raise CgroupError(
                errno.ENOENT,
                f"{write.field}: cannot set {write.controller} limit: container could not join or create cgroup",
                field=write.field,
                hint=f'{write.file} = {write.value} needs the controller "{write.controller}", mounted or delegated',
            )
        try:
            _put(write, path)
        except CgroupError as error:
            if error.errno != errno.EINVAL:
                raise
            refused.append((write, path))
    for write, path in refused:
        _put(write, path)


def check_usage(memory: Mapping[str, object], directory: str) -> None:
    """Refuse a limit below what is used now, for `memory.checkBeforeUpdate`: version 2 would kill for it."""
    if not memory.get("checkBeforeUpdate"):
        return
    try:
        usage = int(files.read(directory + "/memory.current"))
    except (OSError, ValueError):
        return
    for key, name in (("swap", "memory+swap limit"), ("limit", "memory limit")):
        limit = memory.get(key)
        if isinstance(limit, int) and 0 < limit <= usage:
            field = f"linux.resources.memory.{key}"
            message = f"{field}: rejecting {name} {limit} <= usage {usage}"
            raise CgroupError(errno.EBUSY, message, field=field, path=directory)


def _put(write: Write, directory: str) -> None:
    path = f"{directory}/{write.file}"
    try:
        files.write(path, write.value, field=write.field)
    except CgroupError as error:
        if error.errno == errno.ENOENT and write.instead:
            _put(write.instead, directory)
            return
        if error.errno == errno.ENOENT and write.flags & OPTIONAL:
            return
        raise _explained(error, write, directory) from None
    if write.flags & READ_BACK:
        _check(path, write)


def _check(path: str, write: Write) -> None:
    got = int(files.read(path))
    wanted = int(write.value)
    if got != wanted:
        bound = "maximum" if wanted > got else "minimum"
        message = f"{write.field}: the {bound} allowed cpu-shares is {got}, and not {wanted}, in {path}"
        raise CgroupError(errno.ERANGE, message, call="write", field=write.field, path=path)


def _explained(error: CgroupError, write: Write, directory: str) -> CgroupError:
    """Say more than the errno does where more is known."""
    missing = error.errno in (errno.ENOENT, errno.EACCES, errno.EPERM)
    if error.errno == errno.EBUSY and write.file in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
        error.message = f"{write.field}: unable to set memory limit to {write.value}{_memory_usage(directory)}"
    elif missing and ".unified[" in write.field and not _has(directory, write.controller):
        error.message = f'unified resource "{write.file}" can\'t be set: controller "{write.controller}" not available'
    else:
        error.hint = _hint(error.errno, write, directory)
    return error


# Errno, beginning of the file's name, what to do about it; the first that fits.
_HINTS = (
    (errno.ENOENT, "memory.memsw.", "the kernel does not account swap; boot it with swapaccount=1"),
    (errno.ENOENT, "memory.swap.", "the kernel does not account swap; boot it with swapaccount=1"),
    (errno.ENOENT, "blkio.leaf_weight", "kernels since 5.0 have no leaf weights"),
    (errno.ENOENT, "blkio.", "weights need the I/O scheduler BFQ"),
    (errno.ENOENT, "io.weight", "weights need the I/O scheduler BFQ, or the kernel's CONFIG_BLK_CGROUP_IOCOST"),
    (errno.EOPNOTSUPP, "blkio.bfq.", "weights need the I/O scheduler BFQ on that device"),
    (errno.EOPNOTSUPP, "io.", "weights need the I/O scheduler BFQ on that device, or a line for it in io.cost.qos"),
    (errno.ENODEV, "", "there is no such block device; name the whole disk, not a partition"),
    (errno.EINVAL, "cpu.rt_", "the cgroup above must have at least that much in its cpu.rt_runtime_us"),
    (errno.EINVAL, "cpu.cfs_period_us", "a period is from 1000 to 1000000 microseconds"),
    (errno.EINVAL, "cpu.cfs_quota_us", "a quota is 1000 microseconds at least, and no more than a cgroup above it has"),
    (errno.EINVAL, "cpu.max", "a period is from 1000 to 1000000 microseconds, a quota 1000 at least"),
    (errno.EINVAL, "memory.memsw.", "it counts memory and swap together: no less than the memory limit"),
    (errno.EINVAL, "memory.limit_in_bytes", "no more than memory.swap, which counts memory and swap together"),
)


def _hint(code: int | None, write: Write, directory: str) -> str | None:
    for number, prefix, hint in _HINTS:
        if code == number and write.file.startswith(prefix):
            return hint
    if code != errno.ENOENT:
        return None
    if sizes := _page_sizes(directory) if write.controller == "hugetlb" else []:
        return f"this kernel has huge pages of {', '.join(sizes)}"
    return f'the controller "{write.controller}" is not enabled for {directory}'


def _page_sizes(directory: str) -> list[str]:
    return sorted({name.split(".")[1] for name in os.listdir(directory) if name.startswith("hugetlb.")})


def _has(directory: str, controller: str) -> bool:
    if controller == "cgroup":
        return True
    try:
        return controller in files.read(directory + "/cgroup.controllers").split()
    except OSError:
        return False


def _memory_usage(directory: str) -> str:
    try:
        usage = files.read(directory + "/memory.usage_in_bytes").strip()
        peak = files.read(directory + "/memory.max_usage_in_bytes").strip()
    except OSError:
        return ""
    return f" (current usage: {usage}, peak usage: {peak})"
