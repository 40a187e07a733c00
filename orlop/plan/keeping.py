"""Descriptors that a step opens for a later one: each in a register while there are plenty, and then in memory."""

from __future__ import annotations

from orlop.program.ops import Register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from orlop.program.builder import Builder

    Kept: TypeAlias = Register | int

_RESERVE = 64  # registers that the steps between find free


def keep(b: Builder, register: Register) -> Kept:
    """Keep what is in a register, which is given away; the answer is for `take`."""
    if b.left > _RESERVE:
        return register
    address = b.space(8)
    b.store(address, 8, register)
    b.free(register)
    return address


def take(b: Builder, kept: Kept) -> Register:
    """A register with what was kept."""
    return kept if isinstance(kept, Register) else b.load(kept, 8)
