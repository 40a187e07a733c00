"""The flags of seccomp(2) that a profile asks for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.spec.types import Seccomp

# uapi/linux/seccomp.h
FLAG_LOG = 2
FLAG_SPEC_ALLOW = 4
FLAG_NEW_LISTENER = 8
FLAG_WAIT_KILLABLE_RECV = 32
# TSYNC means the other threads, and there are none.
FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 0,
    "SECCOMP_FILTER_FLAG_LOG": FLAG_LOG,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": FLAG_SPEC_ALLOW,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": FLAG_WAIT_KILLABLE_RECV,
}


def flags(profile: Seccomp) -> int:
    """The flags of seccomp(2) for a profile.  Without the member `flags`, as in runc, programs that the filter allows
    much are spared the mitigation of speculative store bypass."""
    names = profile.get("flags")
    bits = FLAG_SPEC_ALLOW if names is None else 0
    for name in names or ():
        bits |= FLAGS[name]
    for rule in profile.get("syscalls") or ():
        if rule["action"] == "SCMP_ACT_NOTIFY":
            return bits | FLAG_NEW_LISTENER
    return bits & ~FLAG_WAIT_KILLABLE_RECV  # which the kernel takes only with a listener
