"""Writes init.h, the executor's view of program/layout.py.

`python3 -m orlop.executor.header > orlop/executor/init.h`; a test checks that the committed file is up to date.
"""

from __future__ import annotations

import sys

from orlop.program import layout
from orlop.program.calls import ARCHITECTURES, CALLS

_CALLS_OF_THE_EXECUTOR = ("clock_gettime", "exit_group", "openat2", "recvfrom", "sendmsg")
_LAYOUT = (
    "MAGIC VERSION PROGRAM_BASE SCRATCH_BASE STAMPS_BASE REGISTERS NO_REGISTER ENVIRONMENT ARGUMENTS POLICIES MAX_OPS "
    "DIGITS_SIZE EVENT_DESCRIPTORS WHEN_ZERO WHEN_NOT_ZERO WHEN_ERROR EVENT_FAILED"
).split()
_KERNEL = {
    "EINTR": 4,
    "ENOEXEC": 8,
    "EAGAIN": 11,
    "MSG_NOSIGNAL": 0x4000,
    "SOL_SOCKET": 1,
    "SCM_RIGHTS": 1,
    "CLOCK_MONOTONIC": 1,
}


def _fields(rows: tuple[tuple[str, str], ...]) -> str:
    return "".join(f"    {kind} {name};\n" for kind, name in rows)


def header() -> str:
    """The text of init.h."""
    out = ["/* Made from orlop/program/layout.py by orlop/executor/header.py: do not edit. */\n\n#pragma once\n\n"]
    out.append("typedef unsigned char u8;\ntypedef unsigned short u16;\ntypedef unsigned int u32;\n")
    out.append("typedef unsigned long u64;\ntypedef int s32;\ntypedef long s64;\n\n")
    out += [f"#define {name} {getattr(layout, name):#x}\n" for name in _LAYOUT]
    out.append("\n")
    out += [f"#define {name} {value:#x}\n" for name, value in _KERNEL.items()]
    out.append("\nenum {\n" + "".join(f"    KIND_{kind},\n" for kind in layout.KINDS) + "    KIND_COUNT\n};\n")
    for column, architecture in enumerate(ARCHITECTURES):
        out.append(f"\n#{'el' if column else ''}if defined(__{architecture}__)\n")
        out += [f"#define NR_{name} {CALLS[name][column]}\n" for name in _CALLS_OF_THE_EXECUTOR]
    out.append("#endif\n\nstruct header {\n" + _fields(layout.HEADER_FIELDS) + "};\n")
    out.append("\nstruct policy {\n    u16 condition;\n    u16 target;\n};\n")
    out.append("\nstruct op {\n" + _fields(layout.OP_FIELDS))
    out.append("    u64 arguments[ARGUMENTS];\n    struct policy policy[POLICIES];\n};\n\n")
    out.append(f'_Static_assert(sizeof(struct op) == {layout.OP_SIZE}, "the size of an operation");\n')
    return "".join(out)


if __name__ == "__main__":
    sys.stdout.write(header())
