"""A program in words: one line an operation, below the config field that asked for it.

    mounts[0]    or: error mounting "proc" to rootfs at "/proc"
       52  <proc fs> = fsopen("proc", FSOPEN_CLOEXEC)
       ...
       57  </proc> = openat2(<rootfs>, "proc", {flags: O_DIRECTORY|O_CLOEXEC|O_PATH, resolve: …})  [ENOENT → 59]
       58  go to 61
    →  59  mkdirat(<rootfs>, "proc", 0755)  [EEXIST ignored]

In brackets: what an errno leads to; any other error ends the program, with the words after `or:`.  `→` marks where
jumps land.  Struct members that are zero are left out.
"""

from __future__ import annotations

from orlop.errors import printable
from orlop.program import layout
from orlop.program.layout import (
    CALL,
    COMPARE,
    DIFFER,
    DIGITS,
    EVENT,
    FAIL,
    LOAD,
    NO_REGISTER,
    SET,
    STORE,
    WAIT,
    WHEN_NOT_ZERO,
    WHEN_ZERO,
)
from orlop.program.memory import Memory
from orlop.program.naming import Names
from orlop.program.ops import Register
from orlop.program.signature import signature
from orlop.program.structs import size
from orlop.program.words import Vocabulary, condition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.program.ops import Op, Program


class Line:
    """One operation in words.  `outcomes` maps what may happen to the index of the operation to go on with."""

    __slots__ = ("details", "index", "op", "outcomes", "text")

    def __init__(self, op: Op, text: str, outcomes: dict[str, int], details: list[str]) -> None:
        self.index = op.index
        self.op = op
        self.text = text
        self.outcomes = outcomes
        self.details = details

    def document(self) -> dict[str, object]:
        """The line as a JSON object."""
        op = self.op
        out: dict[str, object] = {"index": self.index, "field": op.purpose.field}
        if op.purpose.wording:
            out["error"] = op.purpose.wording
        out["kind"] = layout.KINDS[op.kind].lower()
        if op.name:
            out["call"] = op.name
        out["text"] = self.text
        if self.outcomes:
            out["outcomes"] = self.outcomes
        if self.details:
            out["details"] = self.details
        return out


def explain(program: Program, vocabulary: Vocabulary | None = None) -> Iterator[str]:
    """The text of a program, line by line.  Reads nothing but the program."""
    found = lines(program, vocabulary)
    targets = {target for line in found for what, target in line.outcomes.items() if target != line.index + 1}
    yield (
        f"{len(program)} operations for {program.architecture}, {len(program.data)} bytes of data; "
        f"control socket: {program.control}"
    )
    before = None
    for line in found:
        purpose = line.op.purpose
        if before is None or (purpose.field, purpose.wording) != (before.field, before.wording):
            yield ""
            yield printable((purpose.field or "(no field)") + (f"    or: {purpose.wording}" if purpose.wording else ""))
        before = purpose
        outcomes = _bracketed(line)
        yield printable(f"{'→' if line.index in targets else ' '} {line.index:4}  {line.text}{outcomes}")
        for detail in line.details:
            yield printable(f"          {detail}")


def lines(program: Program, vocabulary: Vocabulary | None = None) -> list[Line]:
    """The operations of a program in words."""
    return _Explanation(program, vocabulary or Vocabulary()).lines()


def _bracketed(line: Line) -> str:
    """Outcomes that lead to the same operation are told together; plain jumps are told by the text."""
    if line.op.kind in (SET, DIFFER, COMPARE) and line.op.result == NO_REGISTER:
        return ""
    places: dict[int, list[str]] = {}
    for what, target in line.outcomes.items():
        places.setdefault(target, []).append(what)
    told = [
        f"{', '.join(words)} {'ignored' if target == line.index + 1 else f'→ {target}'}"
        for target, words in places.items()
    ]
    return f"  [{'; '.join(told)}]" if told else ""


class _Explanation:
    def __init__(self, program: Program, vocabulary: Vocabulary) -> None:
        self.ops = program.ops()
        self.vocabulary = vocabulary
        self.memory = Memory(program, self.ops, vocabulary)
        self.names = Names(program, self.ops, self.memory.place)

    def lines(self) -> list[Line]:
        return [self._line(op) for op in self.ops]

    def _line(self, op: Op) -> Line:
        details: list[str] = []
        text = _TEXTS[op.kind](self, op, details)
        if op.result != NO_REGISTER and not (op.kind == CALL and op.name == "close"):
            text = f"{self.names.defined(op.index)} = {text}"
        return Line(op, text, {_condition(op, number): target for number, target in op.policy}, details)

    def _value(self, op: Op, place: int, kind: str = "") -> str:
        arg = op.args[place]
        return self.names.used(op.index, arg) if isinstance(arg, Register) else self.memory.shown(kind, arg)

    def _call(self, op: Op, details: list[str]) -> str:
        known = signature(op)
        shown = []
        for place, parameter in enumerate(known.parameters):
            arg = op.args[place]
            if parameter.name == "size" and place and size(known.parameters[place - 1].kind):
                continue  # of a struct that is shown: verify() knows how large it must be
            if op.name == "openat" and parameter.name == "mode" and not arg:
                continue
            if isinstance(arg, Register):
                shown.append(self.names.used(op.index, arg))
            else:
                shown.append(self.memory.shown(parameter.kind, arg, *self.memory.length(op, known), details=details))
        return f"{op.name}({', '.join(shown)})"

    def _set(self, op: Op, _details: list[str]) -> str:
        arg = op.args[0]
        if op.result != NO_REGISTER:
            return self._value(op, 0, "text")
        if not isinstance(arg, Register):
            return f"go to {op.policy[0][1]}" if op.policy else "nothing"
        words = {WHEN_ZERO: "is 0", WHEN_NOT_ZERO: "is not 0"}
        tests = [f"if {self._value(op, 0)} {words.get(number, '')}, go to {target}" for number, target in op.policy]
        return "; ".join(tests) or "nothing"

    def _load(self, op: Op, _details: list[str]) -> str:
        address = op.args[0]
        assert isinstance(address, int)
        return self.memory.place(address, whole=True)

    def _store(self, op: Op, _details: list[str]) -> str:
        address, _width, _value = op.args[:3]
        assert isinstance(address, int)
        kind = self.memory.member(address)
        value = self._value(op, 2, kind)
        self.memory.patch(address, value)
        return f"{self.memory.place(address, whole=True)} = {value}"

    def _event(self, op: Op, _details: list[str]) -> str:
        kind, value, payload, _size, *fds = op.args
        text = f"event {self.vocabulary.event(kind) if isinstance(kind, int) else '?'}"
        parts = []
        if isinstance(value, Register) or value:
            parts.append(self._value(op, 1))
        if payload:
            parts.append(f"{self._value(op, 3)} bytes at {self._value(op, 2, 'buf')}")
        parts += [self._value(op, 4 + place) for place, fd in enumerate(fds) if isinstance(fd, Register) or fd >= 0]
        return f"{text}: {', '.join(parts)}" if parts else text

    def _wait(self, op: Op, _details: list[str]) -> str:
        return f"wait for the answer ({self._value(op, 1)} bytes at most)"

    def _differ(self, op: Op, _details: list[str]) -> str:
        _bits, mask, value = op.args[:3]
        assert isinstance(mask, int) and isinstance(value, int)
        left, right = self._value(op, 0), f"{value:#x}"
        if mask != -1:
            left, right = f"{left} & {mask:#o}", f"{value:#o}"
        words = {WHEN_ZERO: "is", WHEN_NOT_ZERO: "is not"}
        tests = [f"if {left} {words.get(number, '?')} {right}, go to {target}" for number, target in op.policy]
        return "; ".join(tests) or "nothing"

    def _compare(self, op: Op, _details: list[str]) -> str:
        address, expected, length = op.args[:3]
        assert isinstance(address, int) and isinstance(expected, int) and isinstance(length, int)
        words = {WHEN_ZERO: "is", WHEN_NOT_ZERO: "is not"}
        left, right = self.memory.place(address, whole=True), self.memory.shown("bytes", expected, length)
        tests = [f"if {left} {words.get(number, '?')} {right}, go to {target}" for number, target in op.policy]
        return "; ".join(tests) or "nothing"

    def _digits(self, op: Op, _details: list[str]) -> str:
        address = op.args[0]
        assert isinstance(address, int)
        return f"{self.memory.place(address, whole=True)} = {self._value(op, 1)} in decimal"

    def _fail(self, op: Op, _details: list[str]) -> str:
        return f"fail with {condition(op.args[0])}" if isinstance(op.args[0], int) else "fail"


_TEXTS = {
    CALL: _Explanation._call,
    SET: _Explanation._set,
    LOAD: _Explanation._load,
    STORE: _Explanation._store,
    EVENT: _Explanation._event,
    WAIT: _Explanation._wait,
    FAIL: _Explanation._fail,
    DIFFER: _Explanation._differ,
    COMPARE: _Explanation._compare,
    DIGITS: _Explanation._digits,
}


def _condition(op: Op, number: int) -> str:
    if op.name in ("clone", "clone3") and number in (WHEN_ZERO, WHEN_NOT_ZERO):
        return "in the child" if number == WHEN_ZERO else "in the parent"
    return condition(number)
