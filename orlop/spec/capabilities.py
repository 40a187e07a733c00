"""The capabilities of Linux, in the order of their numbers (`linux/capability.h`; the newest, 40, came with 5.9)."""

from __future__ import annotations

from orlop.spec.walk import cast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orlop.spec.types import Process

CAPABILITIES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
    "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
)  # fmt: skip

SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")


def known_capability(name: str) -> int | None:
    """Return the number of a capability, or None for a name we do not know, which is only worth a warning.

    Names are exact: `CAP_` and upper case.  Source: runtime-spec 1.3, config.md, `process.capabilities`.
    """
    return CAPABILITIES.index(name) if name in CAPABILITIES else None


def doubts(process: Process, own: Callable[[], int]) -> Iterator[str]:
    """Yield runc's warnings about capabilities that a process asks for and will not have.

    `own` gives those that can be granted, a bit each; it is asked only about a process that names some.
    """
    given: dict[str, object] = dict(process.get("capabilities") or {})
    sets = {kind: cast("list[str]", given[kind]) for kind in SETS if given.get(kind)}
    names = {name for names in sets.values() for name in names}
    granted = own() if names else 0
    unknown = sorted(name for name in names if not _granted(name, granted))
    if unknown:
        yield f"ignoring unknown or unavailable capabilities: [{' '.join(unknown)}]"
    for name in sets.get("ambient", ()):
        if not all(name in sets.get(place, ()) for place in ("permitted", "inheritable")):
            yield f"can't raise ambient capability {name}: operation not permitted"


def _granted(name: str, own: int) -> bool:
    number = known_capability(name)
    return number is not None and bool(own >> number & 1)
