"""The table of `linux.seccomp`.  Unknown system calls are no error: a profile serves many kernels."""

from __future__ import annotations

from orlop.errors import Problem
from orlop.spec.walk import (
    MISSING,
    STRING,
    STRINGS,
    TEXT,
    UINT32,
    UINT64,
    Shape,
    array,
    between,
    nested,
    word,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.spec.types import Seccomp, SeccompRule

ACTIONS = (
    "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
)  # fmt: skip
OPERATORS = (
    "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE",
)  # fmt: skip
ARCHITECTURES = (
    "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB", "SCMP_ARCH_X32",
    "SCMP_ARCH_X86", "SCMP_ARCH_X86_64",
)  # fmt: skip
FLAGS = (
    "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
)  # fmt: skip

_WITH_ERRNO = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
_ACTION = word(ACTIONS, "string %s is not a valid action for seccomp")


def _rule(rule: SeccompRule) -> Iterator[Problem]:
    if not rule["names"]:
        yield Problem("names", "must name a system call")
    if "errnoRet" in rule and rule["action"] not in _WITH_ERRNO:
        yield Problem("errnoRet", f"has no meaning for {rule['action']}")
    # The agent is asked through a message that the process has to write.
    if rule["action"] == "SCMP_ACT_NOTIFY" and "write" in rule["names"]:
        yield Problem("action", "SCMP_ACT_NOTIFY cannot be used for the write syscall")


def _seccomp(filter_: Seccomp) -> Iterator[Problem]:
    default = filter_["defaultAction"]
    if default == "SCMP_ACT_NOTIFY":
        yield Problem("defaultAction", "SCMP_ACT_NOTIFY cannot be used as default action")
    if "defaultErrnoRet" in filter_ and default not in _WITH_ERRNO:
        yield Problem("defaultErrnoRet", f"has no meaning for {default}")
    if not filter_.get("listenerPath"):
        if filter_.get("listenerMetadata"):
            yield Problem("listenerMetadata", "has no meaning without listenerPath")
        if any(rule["action"] == "SCMP_ACT_NOTIFY" for rule in filter_.get("syscalls", ())):
            yield Problem("listenerPath", "seccomp listenerPath is not set, and a rule has SCMP_ACT_NOTIFY")


SECCOMP = Shape(
    "config-linux.md#seccomp",
    {
        "defaultAction": _ACTION,
        "defaultErrnoRet": UINT32,
        "architectures": array(word(ARCHITECTURES, "string %s is not a valid arch for seccomp")),
        "flags": array(word(FLAGS, 'seccomp flag "%s" is not known')),
        "listenerPath": STRING,
        "listenerMetadata": TEXT,
        "syscalls": array(
            nested(
                Shape(
                    "config-linux.md#seccomp",
                    {
                        "names": STRINGS,
                        "action": _ACTION,
                        "errnoRet": UINT32,
                        "args": array(
                            nested(
                                Shape(
                                    "config-linux.md#seccomp",
                                    {
                                        "index": between(0, 5),
                                        "value": UINT64,
                                        "valueTwo": UINT64,
                                        "op": word(OPERATORS, "string %s is not a valid operator for seccomp"),
                                    },
                                    required={"index": MISSING, "value": MISSING, "op": MISSING},
                                )
                            )
                        ),
                    },
                    required={"names": MISSING, "action": MISSING},
                    since={"errnoRet": "1.1"},
                    rule=_rule,
                )
            )
        ),
    },
    required={"defaultAction": MISSING},
    since={"defaultErrnoRet": "1.1", "listenerPath": "1.1", "listenerMetadata": "1.1", "flags": "1.0.2"},
    rule=_seccomp,
)
