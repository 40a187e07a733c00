"""Where a program can go from each operation: what verify and explain know about its paths.

Jumps lead forward only, so one pass over the operations in their order meets every path.
"""

from __future__ import annotations

from orlop.program.layout import (
    CALL,
    COMPARE,
    DIFFER,
    DIGITS,
    EVENT,
    FAIL,
    LOAD,
    SET,
    STORE,
    WAIT,
    WHEN_NOT_ZERO,
    WHEN_ZERO,
)
from orlop.program.ops import Register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orlop.program.ops import Op

    # Register number → what may be in it, in the terms of whoever asks.
    State = dict[int, frozenset[int]]
    Step = Callable[[Op, State, bool], State]

# Calls that do not come back when they succeed.
NO_RETURN = ("execve", "execveat", "exit_group")


def edges(op: Op) -> Iterator[tuple[int, bool, bool]]:
    """The operations that may follow: index, whether that is after a failure, and whether the result is surely zero.

    A failure without a policy ends.
    """
    zero, other, failing = _outcomes(op)
    for condition, target in op.policy:
        if condition == WHEN_ZERO:
            if zero:
                yield target, False, True
            zero = False
        elif condition == WHEN_NOT_ZERO:
            if other:
                yield target, False, False
            other = False
        elif failing:
            yield target, True, False
    if zero or other:
        yield op.index + 1, False, not other


def _outcomes(op: Op) -> tuple[bool, bool, bool]:
    """May an operation give zero, something else, an error?"""
    if op.kind == SET and isinstance(op.args[0], int):
        return op.args[0] == 0, op.args[0] != 0, False
    if op.kind in (SET, LOAD, DIFFER, COMPARE):
        return True, True, False
    if op.kind in (STORE, DIGITS):
        return True, False, False
    if op.kind == WAIT:
        return False, True, False
    if op.kind == FAIL:
        return False, False, True
    if op.kind == CALL and op.name in NO_RETURN:
        return False, False, True
    return True, op.kind in (CALL, EVENT), True


def follow(ops: list[Op], unset: frozenset[int], step: Step) -> list[State | None]:
    """What may be in the registers before each operation; None for one that no path reaches.

    `step(op, state, failed)` gives the state after an operation, `unset` is what is in a register that a state does not
    name.  Jumps must be good (program/verify.py).
    """
    states: list[State | None] = [None] * (len(ops) + 1)
    states[0] = {}
    for op in ops:
        state = states[op.index]
        if state is None:
            continue
        for target, failed, zero in edges(op):
            after = step(op, state, failed)
            if zero and op.kind == SET and isinstance(op.args[0], Register):
                after = {**after, op.args[0].number: frozenset()}  # it was asked, and holds nothing
            states[target] = _merged(states[target], after, unset)
    return states[: len(ops)]


def _merged(one: State | None, other: State, unset: frozenset[int]) -> State:
    if one is None:
        return other
    return {register: one.get(register, unset) | other.get(register, unset) for register in {*one, *other}}
