"""The binary form of a program: what the executor (executor/init.c) reads.

One description serves both sides: `executor/header.py` writes the C header from this module, and a test checks that the
committed header is what it writes.

A program is one segment of an ELF file, mapped at PROGRAM_BASE: header, data, operations.  Zeroed scratch memory is
mapped at SCRATCH_BASE, and the time stamps, where they are asked for, at STAMPS_BASE.
"""

from __future__ import annotations

MAGIC = 0x504C524F  # "ORLP"
VERSION = 1

# The executor's handler of signals: the first byte behind its headers (executor/executor.ld).
END_ON_SIGNAL = 0x40_0120
PROGRAM_BASE = 0x1000_0000
SCRATCH_BASE = 0x2000_0000
STAMPS_BASE = 0x3000_0000

REGISTERS = 192
NO_REGISTER = 0xFF
ENVIRONMENT = REGISTERS - 1  # the register that has the address of the executor's own environment in the beginning
ARGUMENTS = 6
POLICIES = 6
MAX_OPS = 0xFFFF
EVENT_DESCRIPTORS = 2

HEADER_SIZE = 64
HEADER = "<IIIIQQiI24x"
HEADER_FIELDS = (  # C type and name, in order; the rest of the 64 bytes is zero
    ("u32", "magic"),
    ("u32", "version"),
    ("u32", "op_count"),
    ("u32", "ops"),  # offset from PROGRAM_BASE
    ("u64", "size"),  # of header, data and operations
    ("u64", "scratch"),  # bytes of zeroed memory
    ("s32", "control"),  # the descriptor of the control socket
    ("u32", "stamp_from"),  # operations from this one on are stamped; 0 for none
)

OP_SIZE = 80
OP = "<BBBBI6q12H"
OP_FIELDS = (
    ("u8", "kind"),
    ("u8", "result"),
    ("u8", "registers"),  # bit i: argument i is the number of a register
    ("u8", "policies"),
    ("u32", "number"),
)

KINDS = (
    "CALL",  # a system call: number, arguments
    "SET",  # result = argument 0; with a policy, a jump
    "LOAD",  # result = memory at argument 0, argument 1 bytes wide (4, signed, or 8)
    "STORE",  # memory at argument 0, argument 1 bytes wide, = argument 2
    "EVENT",  # tell the supervisor: kind, value, payload, its size, up to two descriptors
    "WAIT",  # for the supervisor's answer, into memory at argument 0, at most argument 1 bytes; result = its size
    "FAIL",  # as a system call that fails with the errno in argument 0
    "DIFFER",  # result = the bits of argument 0 that argument 1 selects and that are not as in argument 2; for a jump
    "COMPARE",  # result = whether memory at argument 0 and at argument 1, argument 2 bytes, is not the same; for a jump
    "DIGITS",  # memory at argument 0 = argument 1 in decimal and a NUL
)
CALL, SET, LOAD, STORE, EVENT, WAIT, FAIL, DIFFER, COMPARE, DIGITS = range(len(KINDS))
DIGITS_SIZE = 24  # what DIGITS may write, of which 21 are used at most

# Conditions of a policy.  A number below these is an errno.
WHEN_ZERO = 0xFFFD
WHEN_NOT_ZERO = 0xFFFE
WHEN_ERROR = 0xFFFF

# An event: kind, operation, value.
EVENT_HEAD = "<IIq"
EVENT_HEAD_SIZE = 16
EVENT_FAILED = 0
