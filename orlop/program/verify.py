"""Proves of a program what the executor cannot check in its few bytes.

    form         kinds, numbers of calls and registers; jumps lead forward and land inside; no operation is unreachable
    ends         every path ends in execve, exit_group or a failure; none runs past the last operation
    registers    set before they are used, on every path, and not by a call that failed there
    memory       what an operation names lies in the program, in its full size; strings end
    descriptors  opened close-on-exec; not used after they are closed; none is lost, its register given away while it
                 may be open; before each execve everything from the control socket on is swept, but by a supervisor,
                 which becomes an interpreter for its caller

Used in tests over every golden program and by `explain`, never on the start-up path.
"""

from __future__ import annotations

from orlop.program import layout, linux
from orlop.program.calls import numbers
from orlop.program.flow import NO_RETURN, edges, follow
from orlop.program.layout import (
    CALL,
    COMPARE,
    DIFFER,
    DIGITS,
    DIGITS_SIZE,
    EVENT,
    FAIL,
    LOAD,
    NO_REGISTER,
    PROGRAM_BASE,
    SCRATCH_BASE,
    STORE,
    WAIT,
)
from orlop.program.ops import OP_STRUCT, Register
from orlop.program.signature import F_DUPFD, F_DUPFD_CLOEXEC, signature
from orlop.program.structs import size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.program.flow import State
    from orlop.program.ops import Op, Program

# What may be in a register; from 0 on: the descriptor that the operation of this index opened.
UNSET, NUMBER, ERROR, CLOSED = -1, -2, -3, -4
# Not a register: 1 once all descriptors from the control socket on are swept.
_SWEPT = -1
# Nor this: what memory holds too, and may be read back from there.
_STORED = -2
_NOT_SWEPT, _IS_SWEPT = 0, 1

_LAST = 0xFFFF_FFFF
_LAST_ERRNO = 4095
_HANDLERS = (bytes(8), layout.END_ON_SIGNAL.to_bytes(8, "little"))  # SIG_DFL, and the executor's own
# Which argument says close-on-exec, and how.  bpf, pidfd_open and CLONE_PIDFD do so always.
_CLOSE_ON_EXEC = {
    "fsmount": (1, linux.FSMOUNT_CLOEXEC),
    "fsopen": (1, linux.FSOPEN_CLOEXEC),
    "fspick": (2, linux.FSPICK_CLOEXEC),
    "ioctl": (2, linux.O_CLOEXEC),
    "memfd_create": (1, linux.MFD_CLOEXEC),
    "open_tree": (2, linux.OPEN_TREE_CLOEXEC),
    "openat": (2, linux.O_CLOEXEC),
    "signalfd4": (3, linux.SFD_CLOEXEC),
    "socket": (1, linux.SOCK_CLOEXEC),
}


def verify(program: Program, *, supervisor: bool = False) -> list[str]:
    """The problems of a program, each naming operation and config field; an empty list for a good one.

    `supervisor`: it stays outside of the container (plan/supervisor.py).
    """
    ops = program.ops()
    problems = [*_form(program, ops)]
    if problems:
        return problems  # the paths of a program without form are not worth following
    problems += [problem for op in ops for problem in _memory(program, op)]
    return problems + _Paths(program, ops, supervisor=supervisor).problems


def _at(op: Op) -> str:
    what = op.name or layout.KINDS[op.kind].lower()
    return f"operation {op.index} ({what}, {op.purpose.field or 'no field'})"


def _form(program: Program, ops: list[Op]) -> Iterator[str]:
    known = numbers(program.architecture)
    for op in ops:
        kind, result, registers, policies, number, *_ = OP_STRUCT.unpack_from(program.code, op.index * layout.OP_SIZE)
        if kind >= len(layout.KINDS) or policies > layout.POLICIES:
            yield f"operation {op.index}: kind {kind} with {policies} policies is none that the executor knows"
            continue
        if kind == CALL and known.get(op.name) != number:
            yield f"{_at(op)}: system call {number} is not that of this name"
        if result != NO_REGISTER and result >= layout.REGISTERS:
            yield f"{_at(op)}: there is no register {result} for the result"
        for place, arg in enumerate(op.args):
            if isinstance(arg, Register) and not 0 <= arg.number < layout.REGISTERS:
                yield f"{_at(op)}: there is no register {arg.number} for argument {place}"
        if registers >> layout.ARGUMENTS:
            yield f"{_at(op)}: more registers than arguments"
        for _condition, target in op.policy:
            if not op.index < target < len(ops):
                yield f"{_at(op)}: a jump to {target} does not lead forward, into the program"
        if any(target == len(ops) for target, _failed, _zero in edges(op)) and op.index + 1 == len(ops):
            yield f"{_at(op)}: the program can run past its last operation"
    if not ops:
        yield "the program has no operations"


def _memory(program: Program, op: Op) -> Iterator[str]:
    if op.kind == CALL:
        yield from _arguments(program, op)
    elif op.kind in (LOAD, STORE):
        address, width = op.args[:2]
        if isinstance(address, Register) or isinstance(width, Register):
            yield f"{_at(op)}: its address and width must be plain numbers"
        elif width not in (4, 8) or address % width:
            yield f"{_at(op)}: {width} bytes at {address:#x} are not aligned"
        elif not _inside(program, address, width):
            yield f"{_at(op)}: {width} bytes at {address:#x} are outside of the program"
    elif op.kind == FAIL and not (isinstance(op.args[0], int) and 0 < op.args[0] <= _LAST_ERRNO):
        yield f"{_at(op)}: {op.args[0]} is no errno"
    elif op.kind == DIFFER and any(isinstance(arg, Register) for arg in op.args[1:3]):
        yield f"{_at(op)}: its mask and its value must be plain numbers"
    elif op.kind == COMPARE:
        one, other, length = op.args[:3]
        if isinstance(one, Register) or isinstance(other, Register) or isinstance(length, Register):
            yield f"{_at(op)}: its addresses and its length must be plain numbers"
        elif not (_inside(program, one, length) and _inside(program, other, length)):
            yield f"{_at(op)}: {length} bytes at {one:#x} or {other:#x} are outside of the program"
    elif op.kind == DIGITS:
        address = op.args[0]
        if isinstance(address, Register) or not _inside(program, address, DIGITS_SIZE):
            yield f"{_at(op)}: {DIGITS_SIZE} bytes for a number are outside of the program"
    elif op.kind in (WAIT, EVENT):
        address, length = op.args[:2] if op.kind == WAIT else op.args[2:4]
        needed = 0 if isinstance(length, Register) else length
        if isinstance(address, Register):
            yield f"{_at(op)}: its address must be a plain number"
        elif (address or op.kind == WAIT) and not _inside(program, address, needed):
            yield f"{_at(op)}: {needed} bytes at {address:#x} are outside of the program"


def _inside(program: Program, address: int, length: int) -> bool:
    for base, end in ((PROGRAM_BASE, len(program.data)), (SCRATCH_BASE, program.scratch)):
        if address >= base and address - base + length <= end:
            return True
    return False


def _arguments(program: Program, op: Op) -> Iterator[str]:
    """A pointer may be null: the kernel decides whether that has a meaning."""
    known = signature(op)
    if op.name == "rt_sigaction" and not _ends(program, op):
        yield f"{_at(op)}: its handler is neither the executor's nor the default"
    length_at = known.place("size")
    for place, (parameter, arg) in enumerate(zip(known.parameters, op.args, strict=False)):
        if isinstance(arg, Register) or arg == 0:
            continue
        if parameter.kind == "str":
            if not _inside(program, arg, 1) or (arg < SCRATCH_BASE and b"\0" not in program.data[arg - PROGRAM_BASE :]):
                yield f"{_at(op)}: {parameter.name} is no string of the program"
            continue
        needed = size(parameter.kind)
        if parameter.kind in ("buf", "bytes"):
            length = op.args[length_at] if length_at >= 0 else 1
            needed = 1 if isinstance(length, Register) else length
        elif parameter.kind == "strv":
            yield from _strings(program, op, parameter.name, arg)
        elif place + 1 == length_at and needed:
            given = op.args[length_at]
            if isinstance(given, int) and given < needed:
                yield f"{_at(op)}: {parameter.name} has {needed} bytes, and not {given}"
        if needed and not _inside(program, arg, needed):
            yield f"{_at(op)}: {parameter.name} ({needed} bytes at {arg:#x}) is outside of the program"


def _ends(program: Program, op: Op) -> bool:
    """Only the executor's own handler is code, and it returns nowhere."""
    action = op.args[1]
    return isinstance(action, int) and (action == 0 or program.bytes_at(action, 8) in _HANDLERS)


def _strings(program: Program, op: Op, name: str, address: int) -> Iterator[str]:
    while _inside(program, address, 8):
        pointer = int.from_bytes(program.bytes_at(address, 8), "little")
        if pointer == 0:
            return
        if not _inside(program, pointer, 1):
            yield f"{_at(op)}: a string of {name} is outside of the program"
        address += 8
    yield f"{_at(op)}: {name} is no list of strings that ends"


class _Paths:
    """The registers and descriptors on every path."""

    def __init__(self, program: Program, ops: list[Op], *, supervisor: bool) -> None:
        self.program = program
        self.ops = ops
        self.supervisor = supervisor
        self._found: dict[str, None] = {}
        states = follow(ops, frozenset((UNSET,)), self._step)
        for op, state in zip(ops, states, strict=True):
            if state is None:
                self._tell(op, "no path reaches it")
            else:
                self._check(op, state)
        self.problems = list(self._found)

    def _tell(self, op: Op, what: str) -> None:
        self._found[f"{_at(op)}: {what}"] = None

    def _check(self, op: Op, state: State) -> None:
        tolerant = op.name == "close" and any(failed for _target, failed, _zero in edges(op))
        for arg in op.args:
            if not isinstance(arg, Register):
                continue
            if arg.number == layout.ENVIRONMENT:
                continue
            held = state.get(arg.number, frozenset((UNSET,)))
            if UNSET in held:
                self._tell(op, f"{arg} may be used before it is set")
            if not tolerant and ERROR in held:
                self._tell(op, f"{arg} may hold the errno of a call that failed")
            if not tolerant and CLOSED in held:
                self._tell(op, f"{arg} may be used after it was closed")
        if op.kind == CALL:
            if signature(op).opens and not self._closes_on_exec(op):
                self._tell(op, "the descriptor is not opened close-on-exec")
            swept = self.supervisor or _NOT_SWEPT not in state.get(_SWEPT, {_NOT_SWEPT})
            if op.name in NO_RETURN and op.name != "exit_group" and not swept:
                self._tell(op, "the descriptors from the control socket on are not swept (close_range) on every path")

    def _closes_on_exec(self, op: Op) -> bool:
        if op.name in ("bpf", "pidfd_open"):
            return True
        if op.name == "dup3":  # a standard stream is there to be inherited; so is what a supervisor hands over
            return op.args[1] in (0, 1, 2) or self.supervisor or self._has(op.args[2], linux.O_CLOEXEC)
        if op.name == "fcntl":
            return op.args[1] == F_DUPFD_CLOEXEC and op.args[1] != F_DUPFD
        if op.name == "openat2":
            how = op.args[2]
            flags = 0 if isinstance(how, Register) else int.from_bytes(self.program.bytes_at(how, 8), "little")
            return self._has(flags, linux.O_CLOEXEC)
        place, flag = _CLOSE_ON_EXEC[op.name]
        return self._has(op.args[place], flag)

    @staticmethod
    def _has(value: int | Register, flag: int) -> bool:
        return not isinstance(value, Register) and value & flag != 0

    def _step(self, op: Op, before: State, failed: bool) -> State:
        state = dict(before)
        state.setdefault(_SWEPT, frozenset((_NOT_SWEPT,)))
        if op.kind == CALL and op.name == "close":
            self._close(op, state)
        elif op.kind == CALL and op.name == "close_range" and not failed and self._sweeps(op):
            state[_SWEPT] = frozenset((_IS_SWEPT,))
        elif op.kind == STORE and isinstance(op.args[2], Register):
            state[_STORED] = state.get(_STORED, frozenset()) | state.get(op.args[2].number, frozenset())
        if op.result != NO_REGISTER:
            new = self._result(op, before, failed)
            self._overwrite(op, state, new)
            state[op.result] = new
        return state

    def _sweeps(self, op: Op) -> bool:
        first, last = op.args[:2]
        return not isinstance(first, Register) and first <= self.program.control and last == _LAST

    @staticmethod
    def _close(op: Op, state: State) -> None:
        """The kernel lets go of a descriptor even where close fails."""
        if not isinstance(op.args[0], Register):
            return
        gone = {each for each in state.get(op.args[0].number, ()) if each >= 0}
        for register, held in state.items():
            if register >= 0 and held & gone:
                state[register] = held - gone | {CLOSED}
        state[op.args[0].number] = frozenset((CLOSED,))

    def _result(self, op: Op, before: State, failed: bool) -> frozenset[int]:
        if failed:
            return frozenset((ERROR,))
        if op.kind == CALL and signature(op).opens:
            return frozenset((op.index,))
        if op.kind == layout.SET and isinstance(op.args[0], Register):
            return before.get(op.args[0].number, frozenset((UNSET,)))
        return frozenset((NUMBER,))

    def _overwrite(self, op: Op, state: State, new: frozenset[int]) -> None:
        elsewhere = {each for register, held in state.items() if register not in (op.result, _SWEPT) for each in held}
        for opened in sorted(state.get(op.result, frozenset()) - elsewhere - new):
            if opened >= 0:
                self._tell(self.ops[opened], f"its descriptor may be lost: operation {op.index} takes its register")
