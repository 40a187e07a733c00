"""Program → bytes, as program/layout.py describes them."""

from __future__ import annotations

from _struct import Struct

from orlop.errors import InternalError
from orlop.program.layout import HEADER, MAGIC, MAX_OPS, VERSION
from orlop.program.ops import Program

_HEADER = Struct(HEADER)


def encode(program: Program, *, stamped: bool = False) -> bytes:
    """The bytes of a program.  With `stamped`, every operation but the first leaves its time at STAMPS_BASE."""
    if len(program) > MAX_OPS:
        raise InternalError(f"a program of {len(program)} operations is too long")
    data = program.data + bytes(-len(program.data) % 8)
    size = len(data) + len(program.code)
    stamp_from = 1 if stamped else 0
    header = _HEADER.pack(MAGIC, VERSION, len(program), len(data), size, program.scratch, program.control, stamp_from)
    return b"".join((header, data[len(header) :], program.code))
