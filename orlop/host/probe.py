"""Asks this host what a plan depends on (plan/facts.py)."""

from __future__ import annotations

import _stat as stat

from orlop import system as os
from orlop.host.user_namespace import in_user_namespace
from orlop.plan.facts import FILE, NULL, OTHER, Facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.spec.types import Mount, Process, Spec

_CAP_SETGID = 6
_CAP_MKNOD = 27
_INFINITY = 0xFFFF_FFFF_FFFF_FFFF
_LIMIT_ORDER = (
    "cpu time", "file size", "data size", "stack size", "core file size", "resident set", "processes", "open files",
    "locked memory", "address space", "file locks", "pending signals", "msgqueue size", "nice priority",
    "realtime priority", "realtime timeout",
)  # fmt: skip


def read_text(path: str) -> str:
    """A small file of /proc or /sys.  Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(fd, 65536):
            parts.append(part)
        return b"".join(parts).decode("utf-8", "surrogateescape")
    finally:
        os.close(fd)


def facts(
    mounts: list[Mount], process: Process, *, unified: bool, no_pivot: bool = False, mount_label: str | None = None
) -> Facts:
    """The facts that the plan of this config asks for, and no others.

    Raises OSError where /proc cannot be read.
    """
    own = capabilities()
    return Facts(
        architecture=os.uname().machine,
        makes_nodes=bool(own >> _CAP_MKNOD & 1) and not in_user_namespace(),
        keeps_groups=not own >> _CAP_SETGID & 1 and bool(os.getgroups()),
        capabilities=own,
        last_capability=int(read_text("/proc/sys/kernel/cap_last_cap"))
        if process.get("capabilities") is not None
        else 0,
        unified=unified,
        sources=_sources(mounts),
        limits=_limits() if process.get("rlimits") else {},
        stdio=streams(),
        proc_mounts=_proc_mounts() if no_pivot else (),
        apparmor=bool(process.get("apparmorProfile")) and _active("apparmor"),
        selinux=bool(process.get("selinuxLabel") or mount_label) and _active("selinux"),
    )


def _active(module: str) -> bool:
    from orlop.host import security

    active: bool = getattr(security, module)()
    return active


def capabilities() -> int:
    """The effective capabilities of this process, a bit each; those that are permitted, but for odd callers."""
    text = read_text("/proc/self/status")
    at = text.index("CapEff:")
    return int(text[at + 7 : at + 24], 16)


def grantable(spec: Spec) -> int:
    """The capabilities that a process of this config can have: in a user namespace all that the kernel knows."""
    rows = (spec.get("linux") or {}).get("namespaces") or []
    known = (2 << int(read_text("/proc/sys/kernel/cap_last_cap"))) - 1
    return known if any(row["type"] == "user" for row in rows) else known & capabilities()


def _sources(mounts: list[Mount]) -> dict[str, bool]:
    """Of each bind source, whether it is a directory; one that cannot be seen is left out."""
    found = {}
    for mount in mounts:
        source, options = mount.get("source"), mount.get("options") or ()
        if source and ("bind" in options or "rbind" in options) and "remount" not in options:
            try:
                found[source] = stat.S_ISDIR(os.stat(source).st_mode)
            except OSError:
                continue
    return found


def _limits() -> dict[int, tuple[int, int]]:
    lines = read_text("/proc/self/limits").splitlines()[1:]
    rows = {line[:26].strip().removeprefix("Max "): line[26:].split()[:2] for line in lines}
    out = {}
    for number, name in enumerate(_LIMIT_ORDER):
        if name in rows:
            soft, hard = (_INFINITY if word == "unlimited" else int(word) for word in rows[name])
            out[number] = (soft, hard)
    return out


def streams() -> tuple[str, str, str]:
    """What the standard streams are (plan/facts.py)."""
    return _stream(0), _stream(1), _stream(2)


def _stream(fd: int) -> str:
    try:
        found = os.fstat(fd)
    except OSError:
        return NULL
    if stat.S_ISREG(found.st_mode):
        return FILE
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(1, 3):
        return NULL
    return OTHER


def _proc_mounts() -> tuple[str, ...]:
    """Where the host has proc and sysfs, the deepest first."""
    from orlop.host import mountinfo

    return tuple(sorted((mount.point for mount in mountinfo.mounts("/proc", ("proc", "sysfs"))), reverse=True))
