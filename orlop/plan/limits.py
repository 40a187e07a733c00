"""process.rlimits.

A hard limit above the runtime's own is raised before the clone, where the process has the host's privileges; the
exact values are set last, because a small RLIMIT_NOFILE would be in the way of the steps before.
"""

from __future__ import annotations

from _struct import pack
from errno import EPERM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction

# uapi/asm-generic/resource.h
NUMBERS = {
    "RLIMIT_CPU": 0,
    "RLIMIT_FSIZE": 1,
    "RLIMIT_DATA": 2,
    "RLIMIT_STACK": 3,
    "RLIMIT_CORE": 4,
    "RLIMIT_RSS": 5,
    "RLIMIT_NPROC": 6,
    "RLIMIT_NOFILE": 7,
    "RLIMIT_MEMLOCK": 8,
    "RLIMIT_AS": 9,
    "RLIMIT_LOCKS": 10,
    "RLIMIT_SIGPENDING": 11,
    "RLIMIT_MSGQUEUE": 12,
    "RLIMIT_NICE": 13,
    "RLIMIT_RTPRIO": 14,
    "RLIMIT_RTTIME": 15,
}
INFINITY = 0xFFFF_FFFF_FFFF_FFFF
_HINTS = {EPERM: "a hard limit above the runtime's own needs CAP_SYS_RESOURCE"}


def _purpose(c: Construction, index: int, kind: str) -> None:
    c.b.purpose(f"process.rlimits[{index}]", f"error setting {kind}", _HINTS)


def raise_limits(c: Construction) -> None:
    """Before the clone: hard limits that are above the runtime's."""
    for index, row in enumerate(c.process.get("rlimits") or []):
        number = NUMBERS[row["type"]]
        soft, hard = c.facts.limits.get(number, (INFINITY, INFINITY))
        if row["hard"] > hard:
            _purpose(c, index, row["type"])
            c.b.do("prlimit64", 0, number, pack("<QQ", soft, row["hard"]), 0)


def set_limits(c: Construction) -> None:
    """The exact values."""
    for index, row in enumerate(c.process.get("rlimits") or []):
        _purpose(c, index, row["type"])
        c.b.do("prlimit64", 0, NUMBERS[row["type"]], pack("<QQ", row["soft"], row["hard"]), 0)
