"""Program → bytes, as program/layout.py describes them."""

from __future__ import annotations

from _struct import Struct

from orlop.errors import InternalError
from orlop.program.calls import ARCHITECTURES, CALLS
from orlop.program.layout import CALL, HEADER, MAGIC, MAX_OPS, OP, OP_SIZE, POLICIES, VERSION
from orlop.program.ops import Program, Register

_OP = Struct(OP)
_HEADER = Struct(HEADER)
_MASK = 0xFFFF_FFFF_FFFF_FFFF
_NO_ARGS = (0, 0, 0, 0, 0, 0)
_NO_POLICY = (0,) * (2 * POLICIES)


def encode(program: Program, *, stamped: bool = False) -> bytes:
    """The bytes of a program.  With `stamped`, every operation but the first leaves its time at STAMPS_BASE."""
    column = ARCHITECTURES.index(program.architecture)
    if len(program.ops) > MAX_OPS:
        raise InternalError(f"a program of {len(program.ops)} operations is too long")
    numbers: dict[str, int] = {}
    ops = bytearray(len(program.ops) * OP_SIZE)
    offset = 0
    for op in program.ops:
        registers = 0
        args = _NO_ARGS
        if op.args:
            values = []
            for place, arg in enumerate(op.args):
                if type(arg) is Register:
                    registers |= 1 << place
                    values.append(arg.number)
                else:
                    values.append(arg & _MASK)  # type: ignore[operator]
            args = (*values, *_NO_ARGS[len(values) :])  # type: ignore[assignment]
        policy = _NO_POLICY
        if op.policy:
            flat = [number for condition, label in op.policy for number in (condition, label.at)]
            policy = (*flat, *_NO_POLICY[len(flat) :])
        number = 0
        if op.kind == CALL:
            number = numbers.get(op.name, -1)
            if number < 0:
                number = numbers[op.name] = CALLS[op.name][column]
        _OP.pack_into(ops, offset, op.kind, op.result, registers, len(op.policy), number, *args, *policy)
        offset += OP_SIZE
    data = program.data + bytes(-len(program.data) % 8)
    size = len(data) + len(ops)
    stamp_from = 1 if stamped else 0
    header = _HEADER.pack(
        MAGIC, VERSION, len(program.ops), len(data), size, program.scratch, program.control, stamp_from
    )
    return header + data[len(header) :] + ops
