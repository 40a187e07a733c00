"""The parameters of system calls, read from the last column of program/calls.py.

    "dir:fd path:str flags:open mode:mode -> fd"        name:kind of each argument, and that the result is a descriptor

A parameter without a kind is a plain number.  Calls that are many in one (ioctl, prctl, bpf …) have a row here for each
value of the argument that chooses; what such a row does not list is zero.
"""

from __future__ import annotations

from orlop.program import linux
from orlop.program.calls import CALLS
from orlop.program.ops import Register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.program.ops import Op

F_DUPFD = 0
F_SETFD = 2
F_DUPFD_CLOEXEC = 1030

# (call, value of the choosing argument, and in one case of the next): parameters.
VARIANTS: dict[tuple[str | int, ...], str] = {
    ("bpf", linux.BPF_PROG_LOAD): "cmd:bpf attr:bpf_prog_load size -> fd",
    ("bpf", linux.BPF_PROG_ATTACH): "cmd:bpf attr:bpf_prog_attach size",
    ("fcntl", F_DUPFD): "fd:fd cmd:fcntl least:fd -> fd",
    ("fcntl", F_SETFD): "fd:fd cmd:fcntl flags:descriptor",
    ("fcntl", F_DUPFD_CLOEXEC): "fd:fd cmd:fcntl least:fd -> fd",
    ("fsconfig", linux.FSCONFIG_SET_FLAG): "fd:fd cmd:fsconfig key:str",
    ("fsconfig", linux.FSCONFIG_SET_STRING): "fd:fd cmd:fsconfig key:str value:str",
    ("fsconfig", linux.FSCONFIG_CMD_CREATE): "fd:fd cmd:fsconfig",
    ("ioctl", linux.SIOCSIFFLAGS): "fd:fd request:ioctl interface:ifreq",
    ("ioctl", linux.TIOCGPTPEER): "fd:fd request:ioctl flags:open -> fd",
    ("ioctl", linux.TIOCSCTTY): "fd:fd request:ioctl steal",
    ("ioctl", linux.TIOCSPTLCK): "fd:fd request:ioctl lock:int",
    ("ioctl", linux.TIOCSWINSZ): "fd:fd request:ioctl size:winsize",
    ("keyctl", linux.KEYCTL_JOIN_SESSION_KEYRING): "operation:keyctl name:str",
    ("keyctl", linux.KEYCTL_SETPERM): "operation:keyctl key permissions:hex",
    ("prctl", linux.PR_CAPBSET_DROP): "option:prctl capability:capability",
    ("prctl", linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_CLEAR_ALL): "option:prctl action:ambient",
    ("prctl", linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_RAISE): "option:prctl action:ambient capability:capability",
    ("prctl", linux.PR_SET_DUMPABLE): "option:prctl on",
    ("prctl", linux.PR_SET_KEEPCAPS): "option:prctl on",
    ("prctl", linux.PR_SET_NAME): "option:prctl name:str",
    ("prctl", linux.PR_SET_NO_NEW_PRIVS): "option:prctl on",
    ("prctl", linux.PR_SET_PDEATHSIG): "option:prctl signal:signal",
}
_CHOOSING = {"bpf": 0, "fcntl": 1, "fsconfig": 1, "ioctl": 1, "keyctl": 0, "prctl": 0}


class Parameter:
    """One argument of a call: its name, and its kind, which says how to show and to check it."""

    __slots__ = ("kind", "name")

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind


class Signature:
    """The parameters of one call; `opens` says that a success gives a new descriptor."""

    __slots__ = ("opens", "parameters")

    def __init__(self, text: str) -> None:
        parameters, _, result = text.partition("->")
        self.opens = result.strip() == "fd"
        self.parameters = [Parameter(*word.partition(":")[::2]) for word in parameters.split()]

    def place(self, name: str) -> int:
        """Which argument has this name; -1 if none has."""
        return next((place for place, each in enumerate(self.parameters) if each.name == name), -1)


def signature(op: Op) -> Signature:
    """The signature of the system call that an operation makes."""
    choosing = _CHOOSING.get(op.name)
    if choosing is not None:
        values = [value for value in op.args[choosing : choosing + 2] if not isinstance(value, Register)]
        for count in range(len(values), 0, -1):
            found = VARIANTS.get((op.name, *values[:count]))
            if found is not None:
                return Signature(found)
    return Signature(CALLS[op.name][2])
