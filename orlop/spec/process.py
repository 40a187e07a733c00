"""The table of `process`, and of its rules."""

from __future__ import annotations

from orlop.errors import Problem
from orlop.spec.capabilities import SETS
from orlop.spec.walk import (
    BOOL,
    MISSING,
    STRING,
    STRINGS,
    UINT32,
    UINT64,
    Shape,
    array,
    between,
    check_object,
    check_path,
    check_string,
    check_strings,
    later,
    nested,
    say,
    under,
    word,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.spec.types import Process, Rlimit
    from orlop.spec.walk import Found

_IDENTITY = between(0, 2**32 - 2)  # the last number is -1, by which setresuid(2) means "as it was": root

# In the order of their numbers (`asm-generic/resource.h`).
RLIMITS = (
    "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC",
    "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
)  # fmt: skip

# Engines look for these words of runc's.
NO_PROCESS = "process property must not be empty"
NO_CWD = "Cwd property must not be empty"
RELATIVE_CWD = "Cwd must be an absolute path"
NO_ARGS = "args must not be empty"


def _check_args(value: object, _: None) -> Found:
    return check_strings(value, None) or ([] if value else say(NO_ARGS))


def _check_variable(value: object, _: None) -> Found:
    """Check `NAME=value`.  The entry itself is not repeated in the message: it may be a secret."""
    if not isinstance(value, str):
        return check_string(value, None)
    name, equals, _rest = value.partition("=")
    if not equals:
        return say("invalid environment variable: missing '='")
    if not name:
        return say("invalid environment variable: name cannot be empty")
    return say("invalid environment variable: contains a NUL character") if "\0" in value else []


def _rlimit(limit: Rlimit) -> Iterator[Problem]:
    if limit["soft"] > limit["hard"]:
        yield Problem("soft", f"{limit['soft']} is above the hard limit {limit['hard']} of {limit['type']}")


def _rlimits(limits: list[Rlimit]) -> Iterator[Problem]:
    types = [limit["type"] for limit in limits]
    for index, kind in enumerate(types):
        if kind in types[:index]:
            yield Problem(f"[{index}].type", f"{kind} is there twice")


def _process(process: Process) -> Iterator[Problem]:
    # Without a terminal the size must be ignored, and so may be incomplete.
    if process.get("terminal"):
        for member in ("height", "width"):
            if member not in process.get("consoleSize", {"height": 0, "width": 0}):
                yield Problem(f"consoleSize.{member}", MISSING)


PROCESS = Shape(
    "config.md#process",
    {
        "terminal": BOOL,
        "consoleSize": nested(
            Shape("config.md#process", {"height": between(0, 2**16 - 1), "width": between(0, 2**16 - 1)})
        ),
        "cwd": (check_path, (NO_CWD, RELATIVE_CWD)),
        "env": array((_check_variable, None)),
        "args": (_check_args, None),
        "user": nested(
            Shape(
                "config.md#posix-platform-user",
                # runc and the schema take a user without ids for root.
                {"uid": _IDENTITY, "gid": _IDENTITY, "umask": UINT32, "additionalGids": array(_IDENTITY)},
            )
        ),
        "rlimits": array(
            nested(
                Shape(
                    "config.md#posix-process",
                    {"type": word(RLIMITS, "wrong rlimit value: %s"), "soft": UINT64, "hard": UINT64},
                    required={"type": MISSING, "soft": MISSING, "hard": MISSING},
                    rule=_rlimit,
                )
            ),
            _rlimits,
        ),
        # Names that the kernel does not have are a warning, which is the planner's.
        "capabilities": nested(Shape("config.md#linux-process", dict.fromkeys(SETS, STRINGS))),
        "noNewPrivileges": BOOL,
        "apparmorProfile": STRING,
        "selinuxLabel": STRING,
        "oomScoreAdj": between(-1000, 1000),
        "scheduler": later("tuning", "SCHEDULER"),
        "ioPriority": later("tuning", "IO_PRIORITY"),
        "execCPUAffinity": later("tuning", "CPU_AFFINITY"),
    },
    required={"cwd": NO_CWD, "args": NO_ARGS},
    since={"scheduler": "1.1", "ioPriority": "1.1", "execCPUAffinity": "1.2.1"},
    rule=_process,
)


def check_process(process: object, field: str = "process") -> Found:
    """Return what is wrong with a process object, below `field`.  Serves the config and exec's process file."""
    if process is None:
        return [Problem(field, NO_PROCESS)]
    return under(field, check_object(process, PROCESS))
