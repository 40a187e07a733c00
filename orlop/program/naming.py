"""Names for what is in registers, so that a listing can be read: `<rootfs>` and not r12.

A register is used again and again for other things, and one thing may be set in several places (a directory that was
there, or that was made).  So definitions that a use cannot tell apart get one name; it tells what was opened, with more
of the path, or a number, where another of that name is held at the same time.
"""

from __future__ import annotations

from orlop.program.flow import follow
from orlop.program.layout import CALL, LOAD, NO_REGISTER, PROGRAM_BASE, SCRATCH_BASE, SET
from orlop.program.ops import Register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.program.flow import State
    from orlop.program.ops import Op, Program

_NOTHING: frozenset[int] = frozenset()
_SUFFIX = " fs"
_AMBIGUOUS = 2


class Names:
    """The names of all registers of a program, at every operation."""

    def __init__(self, program: Program, ops: list[Op], member: Callable[[int], str]) -> None:
        """`member` names the place at an address that a LOAD reads."""
        self._program = program
        self._ops = ops
        self._member = member
        self._group = list(range(len(ops)))
        self._reaching = follow(ops, _NOTHING, self._step)
        self._last = list(range(len(ops)))
        for op in ops:
            for arg in op.args:
                if isinstance(arg, Register):
                    self._join(self._definitions(op.index, arg.number), op.index)
        self._paths = self._ends()
        self._names: dict[int, str] = {}
        for op in ops:
            if op.result != NO_REGISTER and self._leader(op.index) == op.index:
                self._names[op.index] = self._free(self._candidates(op), op.index)

    def used(self, index: int, register: Register) -> str:
        """The name of what an operation finds in a register."""
        definitions = self._definitions(index, register.number)
        return self.defined(min(definitions)) if definitions else repr(register)

    def defined(self, index: int) -> str:
        """The name of the result of an operation."""
        return f"<{self._names[self._leader(index)]}>"

    @staticmethod
    def _step(op: Op, before: State, _failed: bool) -> State:
        return before if op.result == NO_REGISTER else {**before, op.result: frozenset((op.index,))}

    def _definitions(self, index: int, register: int) -> frozenset[int]:
        return (self._reaching[index] or {}).get(register, _NOTHING)

    def _leader(self, index: int) -> int:
        while self._group[index] != index:
            index = self._group[index]
        return index

    def _join(self, definitions: frozenset[int], use: int) -> None:
        leaders = {self._leader(each) for each in definitions}
        for each in leaders:
            self._group[each] = min(leaders)
            self._last[min(leaders)] = max(self._last[min(leaders)], self._last[each], use)

    def _free(self, candidates: list[str], index: int) -> str:
        """The first candidate that nothing has that is still of use."""
        taken = {name for leader, name in self._names.items() if self._last[leader] > index}
        for name in candidates:
            if name not in taken:
                return name
        number = 2
        while f"{candidates[0]} #{number}" in taken:
            number += 1
        return f"{candidates[0]} #{number}"

    def _candidates(self, op: Op) -> list[str]:
        args = op.args
        if op.kind == LOAD and isinstance(args[0], int):
            return [self._member(args[0])]
        if op.kind == SET:
            return self._set(op)
        if op.kind != CALL:
            return ["answer"]
        if op.name == "openat2":
            return ["/" + self._text(args[1]).lstrip("/")]
        if op.name in ("openat", "open_tree"):
            return self._opened(op)
        if op.name == "fsopen":
            return [self._text(args[0]) + _SUFFIX]
        if op.name == "fsmount" and isinstance(args[0], Register):
            return [self.used(op.index, args[0])[1:-1].partition(_SUFFIX)[0]]
        if op.name == "memfd_create":
            return [self._text(args[0])]
        return [_PLAIN.get(op.name, op.name)]

    def _set(self, op: Op) -> list[str]:
        """What is set by hand where a call did not set it has the call's name."""
        value = op.args[0]
        if isinstance(value, int) and PROGRAM_BASE <= value < SCRATCH_BASE:
            return ["program"]
        others = (each for each in self._ops[op.index + 1 :] if self._leader(each.index) == op.index)
        return next((self._candidates(each) for each in others if each.kind != SET), ["done"])

    def _opened(self, op: Op) -> list[str]:
        """The shortest ends of the path that tell it from others."""
        path = self._text(op.args[1])
        if isinstance(op.args[0], Register) and path in ("", "."):
            return [self.used(op.index, op.args[0])[1:-1] + (" tree" if op.name == "open_tree" else "/.")]
        parts = [part for part in path.split("/") if part]
        ends = ["/".join(parts[count:]) for count in range(len(parts) - 1, -1, -1)]
        return [*(end for end in ends if len(self._paths.get(end, ())) < _AMBIGUOUS), path]

    def _ends(self) -> dict[str, set[str]]:
        """Each end of a path that is opened, and the paths that end so."""
        found: dict[str, set[str]] = {}
        for op in self._ops:
            if op.kind == CALL and op.name in ("openat", "open_tree"):
                path = self._text(op.args[1])
                for at, character in enumerate(path):
                    if character == "/":
                        found.setdefault(path[at + 1 :], set()).add(path)
        return found

    def _text(self, arg: int | Register) -> str:
        known = isinstance(arg, int) and arg < SCRATCH_BASE
        return self._program.string_at(arg) if known else "file"  # type: ignore[arg-type]


_PLAIN = {
    "bpf": "device filter",
    "clone": "pid",
    "clone3": "pid",
    "getpid": "pid",
    "ioctl": "terminal",
    "read": "size",
    "seccomp": "listener",
}
