"""How long each operation of a program took, from the stamps that the executor left.

A stamp is the time (CLOCK_MONOTONIC, nanoseconds) after an operation; 0 for one that was never reached.
"""

from __future__ import annotations

from _struct import unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.program.ops import Op, Program


class Step:
    """One operation that was done: `nanoseconds` since the one before it was done."""

    __slots__ = ("index", "nanoseconds", "op")

    def __init__(self, index: int, op: Op, nanoseconds: int) -> None:
        self.index = index
        self.op = op
        self.nanoseconds = nanoseconds


def timed(program: Program, stamps: bytes) -> list[Step]:
    """The operations in the order they were done, with their times.

    `stamps` is the shared memory, 8 bytes for each operation.
    """
    times = unpack_from(f"<{len(program)}Q", stamps)
    done = sorted((time, index) for index, time in enumerate(times) if time)
    return [
        Step(index, program.op(index), time - before)
        for (time, index), (before, _) in zip(done[1:], done, strict=False)
    ]


def by_field(steps: list[Step]) -> list[tuple[str, int, int]]:
    """(config field, operations, nanoseconds), in the order in which the fields were first met."""
    sums: dict[str, tuple[int, int]] = {}
    for step in steps:
        count, spent = sums.get(step.op.purpose.field, (0, 0))
        sums[step.op.purpose.field] = (count + 1, spent + step.nanoseconds)
    return [(field, count, spent) for field, (count, spent) in sums.items()]
