"""linux.seccomp: the filter is tried when the container is made, and loaded last, right before execve.

    capabilities of the config, and CAP_SYS_ADMIN ─▶ try ─▶ CREATED … start ─▶ load ─▶ execve
                                                                     └─▶ startContainer hook: load ─▶ execve

So a profile need allow nothing but what the container's own programs call, and execve; but see plan/listener.py for
rules with SCMP_ACT_NOTIFY.  Without no_new_privs the kernel lets only CAP_SYS_ADMIN load a filter (seccomp(2)).  A
process that shall not have it keeps it until then in its permitted and effective sets, from which execve(2) takes
nothing over: the program's sets are the same as without.
"""

from __future__ import annotations

from _struct import pack
from errno import EACCES, EFAULT, EINVAL, EPERM

from orlop.plan.seccomp_flags import FLAG_NEW_LISTENER
from orlop.program import linux
from orlop.program.layout import NO_REGISTER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction
    from orlop.program.ops import Register

SET_MODE_FILTER = 1  # uapi/linux/seccomp.h
CAP_SYS_ADMIN = 1 << 21
_SOCK_FPROG = "<H6xQ"
_INSTRUCTION = 8
_NOWHERE = 8  # an address that nothing is ever mapped at (vm.mmap_min_addr), and not null, which is refused at once
_HINTS = {
    EACCES: "a filter needs process.noNewPrivileges, or CAP_SYS_ADMIN in the runtime",
    EPERM: "a filter needs process.noNewPrivileges, or CAP_SYS_ADMIN in the runtime",
    EINVAL: "the kernel knows one of linux.seccomp.flags not",
}


def listens(c: Construction) -> bool:
    """Has the filter a listener?"""
    return c.request.seccomp is not None and bool(c.request.seccomp.flags & FLAG_NEW_LISTENER)


def kept_capabilities(c: Construction) -> int:
    """What the process keeps, beyond what the config gives it, to load the filter."""
    privileged = c.request.seccomp is not None and not c.process.get("noNewPrivileges")
    return CAP_SYS_ADMIN if privileged else 0


def try_filter(c: Construction) -> None:
    """Let the kernel check privilege and flags, while there is still somebody to hear of it: a program at no address
    gets past both (kernel/seccomp.c, seccomp_prepare_filter), and is not loaded."""
    if c.request.seccomp is None:
        return
    b = c.b
    b.purpose("linux.seccomp", "error loading seccomp filter", _HINTS)
    if kept_capabilities(c) and c.process.get("capabilities") is None and (c.process.get("user") or {}).get("uid"):
        _raise_capability(c)
    nowhere = pack(_SOCK_FPROG, 1, _NOWHERE)
    b.do("seccomp", SET_MODE_FILTER, c.request.seccomp.flags, nowhere, ignore=(EFAULT,))


def _raise_capability(c: Construction) -> None:
    """Without an object `capabilities` the sets stay as they are, but the change to another user has emptied the
    effective one."""
    b = c.b
    header, sets = b.constant(pack("<II", linux.LINUX_CAPABILITY_VERSION_3, 0)), b.space(24)
    b.do("capget", header, sets)
    b.store(sets, 4, CAP_SYS_ADMIN)  # effective, the lower half
    b.do("capset", header, sets)


def load_filter(c: Construction) -> Register | None:
    """From here on the filter judges; nothing but execve should follow.  Gives its listener, if it has one."""
    wanted = c.request.seccomp
    if wanted is None:
        return None
    b = c.b
    before = b.purpose("linux.seccomp", "error loading seccomp filter", _HINTS)
    code = b.constant(wanted.program)
    program = b.constant(pack(_SOCK_FPROG, len(wanted.program) // _INSTRUCTION, code))
    listener = b.register() if listens(c) else None
    result = NO_REGISTER if listener is None else listener.number
    b.do("seccomp", SET_MODE_FILTER, wanted.flags, program, result=result)
    b.resume(before)
    return listener
