"""Numbers to the kernel's words: flags, enumerations, errnos.  For explain; nothing on the start-up path needs it.

The words are the names of program/linux.py, so a constant that programs use can be shown as soon as it is there.
"""

from __future__ import annotations

from errno import errorcode

from orlop.program import linux
from orlop.program.layout import END_ON_SIGNAL, WHEN_ERROR, WHEN_NOT_ZERO, WHEN_ZERO
from orlop.program.signature import F_DUPFD, F_DUPFD_CLOEXEC, F_SETFD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_NAMES: dict[str, int] = {
    name: value for name, value in vars(linux).items() if isinstance(value, int) and name.isupper()
}


def _named(*starts: str, but: tuple[str, ...] = ()) -> dict[int, str]:
    return {
        value: name for name, value in _NAMES.items() if name.startswith(starts) and not (but and name.startswith(but))
    }


def _flags(*starts: str, but: tuple[str, ...] = ()) -> dict[int, str]:
    return {value: name for value, name in _named(*starts, but=but).items() if value > 0 and value & (value - 1) == 0}


_AARCH64_OPEN = {linux.AARCH64_O_DIRECTORY: "O_DIRECTORY", linux.AARCH64_O_NOFOLLOW: "O_NOFOLLOW"}
_X86_64_OPEN = {linux.O_DIRECTORY: "O_DIRECTORY", linux.O_NOFOLLOW: "O_NOFOLLOW"}
_COMMON_OPEN = {value: name for value, name in _flags("O_").items() if value not in _X86_64_OPEN}
_OPEN = {"x86_64": {**_COMMON_OPEN, **_X86_64_OPEN}, "aarch64": {**_COMMON_OPEN, **_AARCH64_OPEN}}

# Kind (program/signature.py, program/structs.py): the bits and their names.
FLAGS: dict[str, dict[int, str]] = {
    "access": {1: "X_OK", 2: "W_OK", 4: "R_OK"},
    "at": _flags("AT_", but=("AT_REMOVEDIR",)),
    "attributes": _flags("MOUNT_ATTR_"),
    "clone": _flags("CLONE_"),
    "close_range": _flags("CLOSE_RANGE_"),
    "descriptor": {linux.FD_CLOEXEC: "FD_CLOEXEC"},
    "dup": {linux.O_CLOEXEC: "O_CLOEXEC"},
    "filter_flags": {
        2: "SECCOMP_FILTER_FLAG_LOG",
        4: "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        8: "SECCOMP_FILTER_FLAG_NEW_LISTENER",
        32: "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    },
    "flock": _flags("LOCK_"),
    "fsmount": _flags("FSMOUNT_"),
    "fsopen": _flags("FSOPEN_"),
    "fspick": _flags("FSPICK_"),
    "interface": _flags("IFF_"),
    "map": _flags("MAP_"),
    "memfd": _flags("MFD_"),
    "message": _flags("MSG_"),
    "move_mount": _flags("MOVE_MOUNT_"),
    "attach": _flags("BPF_F_"),
    "open_tree": {**_flags("AT_", but=("AT_REMOVEDIR",)), **_flags("OPEN_TREE_")},
    "poll": {1: "POLLIN"},
    "propagation": _flags("MS_"),
    "prot": _flags("PROT_"),
    "resolve": _flags("RESOLVE_"),
    "sigaction_flags": _flags("SA_"),
    "signalfd": _flags("SFD_"),
    "statx": _flags("STATX_"),
    "umount": _flags("MNT_"),
    "unlink": {linux.AT_REMOVEDIR: "AT_REMOVEDIR"},
    "wait": {linux.WEXITED: "WEXITED", linux.WALL: "__WALL"},
}

# Kind: the values and their names.
ENUMERATIONS: dict[str, dict[int, str]] = {
    "ambient": _named("PR_CAP_AMBIENT_"),
    "attach_type": {linux.BPF_CGROUP_DEVICE: "BPF_CGROUP_DEVICE"},
    "bpf": _named("BPF_PROG_", but=("BPF_PROG_TYPE_",)),
    "family": _named("AF_"),
    "fcntl": {F_DUPFD: "F_DUPFD", F_SETFD: "F_SETFD", F_DUPFD_CLOEXEC: "F_DUPFD_CLOEXEC"},
    "fsconfig": _named("FSCONFIG_"),
    "handler": {0: "SIG_DFL", END_ON_SIGNAL: "exit with 128 + signal"},
    "idtype": _named("P_"),
    "ioctl": _named("TIOC", "SIOC"),
    "keyctl": _named("KEYCTL_"),
    "prctl": _named("PR_", but=("PR_CAP_AMBIENT_",)),
    "prog_type": _named("BPF_PROG_TYPE_"),
    "seccomp": {1: "SECCOMP_SET_MODE_FILTER"},
    "signal": _named("SIG", but=("SIGNAL_", "SIG_")),
    "sigmask": _named("SIG_"),
}

_FILE_TYPES = {
    linux.S_IFREG: "S_IFREG", linux.S_IFCHR: "S_IFCHR", linux.S_IFBLK: "S_IFBLK", linux.S_IFIFO: "S_IFIFO",
    linux.S_IFDIR: "S_IFDIR",
}  # fmt: skip
_CONDITIONS = {WHEN_ZERO: "0", WHEN_NOT_ZERO: "not 0", WHEN_ERROR: "any error"}


class Vocabulary:
    """Names that the rooms above have for numbers of a program; where they are left out, numbers are shown.

    `events`, `capabilities` and `schedulers` are in the order of their numbers, `limits` maps RLIMIT_* to theirs,
    `device_filter` shows the instructions of a device filter, one a line.
    """

    __slots__ = ("capabilities", "device_filter", "events", "limits", "schedulers")

    def __init__(
        self,
        *,
        events: Sequence[str] = (),
        capabilities: Sequence[str] = (),
        schedulers: Sequence[str] = (),
        limits: Mapping[str, int] | None = None,
        device_filter: Callable[[bytes], str] | None = None,
    ) -> None:
        self.events = events
        self.capabilities = capabilities
        self.schedulers = schedulers
        self.limits = {number: name for name, number in (limits or {}).items()}
        self.device_filter = device_filter

    def event(self, number: int) -> str:
        return _of(self.events, number)

    def capability(self, number: int) -> str:
        return _of(self.capabilities, number)

    def scheduler(self, number: int) -> str:
        return _of(self.schedulers, number)

    def capability_set(self, bits: int) -> str:
        names = [self.capability(number) for number in range(bits.bit_length()) if bits >> number & 1]
        return "|".join(names) or "none"


def _of(names: Sequence[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else str(number)


def flags(kind: str, value: int) -> str:
    """The names of the bits of a value; bits without a name as a number."""
    table = FLAGS[kind]
    names = [table[bit] for bit in sorted(table) if value & bit]
    rest = value & ~sum(table) if names else value
    return "|".join([*names, *([hex(rest) if rest else "0"] if rest or not names else [])])


def open_flags(value: int, architecture: str) -> str:
    """The flags of open(2): the access mode, unless O_PATH makes it void, and the rest."""
    table = _OPEN[architecture]
    names = [table[bit] for bit in sorted(table, reverse=True) if value & bit and bit > linux.O_RDWR]
    rest = value & ~sum(table) & ~3
    if not value & linux.O_PATH:
        names.insert(0, ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE")[value & 3])
    return "|".join([*names, *([hex(rest)] if rest else [])])


def socket_type(value: int) -> str:
    """The type of a socket, and its flags."""
    kind = value & 0xF
    name = {linux.SOCK_DGRAM: "SOCK_DGRAM", linux.SOCK_RAW: "SOCK_RAW", linux.SOCK_SEQPACKET: "SOCK_SEQPACKET"}.get(
        kind, str(kind)
    )
    return f"{name}|SOCK_CLOEXEC" if value & linux.SOCK_CLOEXEC else name


def mode(value: int) -> str:
    """Permission bits in octal, behind the type of file if there is one."""
    kind = value & 0o170000
    permissions = f"0{value & ~kind:o}" if value & ~kind else "0"
    return f"{_FILE_TYPES.get(kind, oct(kind))}|{permissions}" if kind else permissions


def device(value: int) -> str:
    """Major and minor number, as new_encode_dev of the kernel packs them."""
    return f"{value >> 8 & 0xFFF}:{value & 0xFF | value >> 12 & 0xFFF00}"


def condition(number: int) -> str:
    """The condition of a policy."""
    return _CONDITIONS.get(number) or errorcode.get(number) or f"errno {number}"
