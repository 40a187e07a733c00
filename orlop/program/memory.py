"""The memory of a program in words: strings, structs, lists, and what earlier operations put into them."""

from __future__ import annotations

from orlop.program import words
from orlop.program.layout import CALL, PROGRAM_BASE, SCRATCH_BASE, STORE, WAIT
from orlop.program.linux import AT_FDCWD
from orlop.program.ops import Register
from orlop.program.signature import signature
from orlop.program.structs import STRUCTS, WHOLE, member, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.program.ops import Op, Program
    from orlop.program.signature import Signature
    from orlop.program.words import Vocabulary

_LONGEST = 160
_ESCAPES = {ord("\n"): "\\n", ord("\t"): "\\t", ord("\\"): "\\\\", ord('"'): '\\"', 0: "\\0"}
_INFINITY = 0xFFFF_FFFF_FFFF_FFFF
_NO_ID = 0xFFFF_FFFF
_LAST = 0xFFFF_FFFF


class Memory:
    """What is at the addresses that a program's operations name."""

    def __init__(self, program: Program, ops: list[Op], vocabulary: Vocabulary) -> None:
        self._program = program
        self._vocabulary = vocabulary
        self._patches: dict[int, str] = {}
        self._structs: dict[int, str] = {}  # address: kind
        self._filled: dict[int, str] = {}  # address that the kernel or the supervisor writes to: name
        for op in ops:
            self._find(op)
        for op in ops:
            if op.kind == STORE:
                self._find_pointer(*op.args[:3])

    def _find(self, op: Op) -> None:
        if op.kind == WAIT and isinstance(op.args[0], int):
            self._filled[op.args[0]] = f"<answer of {op.index}>"
        if op.kind != CALL:
            return
        for parameter, arg in zip(signature(op).parameters, op.args, strict=False):
            if isinstance(arg, Register) or arg < PROGRAM_BASE:
                continue
            if size(parameter.kind):
                self._structs[arg] = parameter.kind
            elif parameter.kind == "buf":
                self._filled[arg] = "buffer"

    def _find_pointer(self, address: int | Register, _width: int | Register, value: int | Register) -> None:
        """What a pointer in a struct leads to has the name of the member: clone_args.pidfd."""
        if isinstance(address, int) and isinstance(value, int) and self.member(address) == "ptr":
            self._filled[value] = self.place(address)

    def patch(self, address: int, value: str) -> None:
        """From here on this value is in the struct at an address."""
        self._patches[address] = value

    def member(self, address: int) -> str:
        """The kind of the member of a struct at an address."""
        start = self._start(address)
        found = member(self._structs[start], address - start) if start is not None else None
        return found[1] if found else ""

    def place(self, address: int, *, whole: bool = False) -> str:
        """The name of the member at an address, `whole` with that of its struct."""
        start = self._start(address)
        if start is None:
            return self._filled.get(address, f"memory at {address:#x}")
        kind = self._structs[start]
        found = member(kind, address - start)
        name = found[0] if found else f"+{address - start}"
        return f"{kind}.{name}" if whole else name.removeprefix("si_").removeprefix("stx_")

    def _start(self, address: int) -> int | None:
        return next((start for start, kind in self._structs.items() if start <= address < start + size(kind)), None)

    @staticmethod
    def length(op: Op, known: Signature) -> tuple[int, ...]:
        """How long a call says its bytes, or its list, are."""
        place = max(known.place("size"), known.place("count"), known.place("max"))
        length = op.args[place] if place >= 0 else 0
        if isinstance(length, Register):
            return ()
        return (length // 8 if known.place("max") >= 0 else length,)  # `max` counts bits

    def shown(self, kind: str, value: int, length: int = 0, *, details: list[str] | None = None) -> str:
        """An argument or a member of this kind."""
        special = _SPECIAL.get(kind)
        if special is not None:
            return special(self, value, length)
        if kind in words.FLAGS:
            return words.flags(kind, value)
        if kind in words.ENUMERATIONS:
            return words.ENUMERATIONS[kind].get(value, str(value))
        if kind in STRUCTS:
            return self._struct(kind, value, details)
        return str(value)

    # Kinds.  Each takes the value, and the length that the call gives.

    def _descriptor(self, value: int, _length: int) -> str:
        return {AT_FDCWD: "AT_FDCWD", _LAST: "~0"}.get(value, str(value))

    def _string(self, value: int, _length: int) -> str:
        if not value:
            return "NULL"
        if value >= SCRATCH_BASE:
            return self._pointer(value, 0)
        return _quoted(self._program.string_at(value))

    def _text(self, value: int, _length: int) -> str:
        """A number, or the string at it."""
        return self._string(value, 0) if PROGRAM_BASE <= value < PROGRAM_BASE + len(self._program.data) else str(value)

    def _bytes(self, value: int, length: int) -> str:
        data = self._program.bytes_at(value, length)
        try:
            text = data.decode()
            if text.replace("\n", "").isprintable():
                return _quoted(text)
        except UnicodeDecodeError:
            pass
        return f"{length} bytes {data[:8].hex()}" + ("…" if length > len(data[:8]) else "")

    def _bits(self, value: int, length: int) -> str:
        """The numbers of the bits that are set, as cpuset files write them."""
        data = self._program.bytes_at(value, length) if value else b""
        if data.strip(b"\xff") == b"":
            return "all" if data else "NULL"
        bits = int.from_bytes(data, "little")
        numbers = [number for number in range(bits.bit_length()) if bits >> number & 1]
        first = [number for number in numbers if number - 1 not in numbers]
        last = [number for number in numbers if number + 1 not in numbers]
        runs = ",".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(first, last, strict=True))
        return f"[{runs}]"

    def _pointer(self, value: int, _length: int) -> str:
        if not value:
            return "NULL"
        name = self._filled.get(value, "")
        if name[:1] == "<":
            return name
        return f"&{name or (self.place(value, whole=True) if self._start(value) is not None else hex(value))}"

    def _strings(self, value: int, _length: int) -> str:
        out = []
        while pointer := int.from_bytes(self._program.bytes_at(value, 8), "little"):
            out.append(self._string(pointer, 0))
            value += 8
        return f"[{', '.join(out)}]"

    def _numbers(self, value: int, length: int) -> str:
        data = self._program.bytes_at(value, 4 * length)
        return str([int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)])

    def _capabilities(self, value: int, _length: int) -> str:
        if value >= SCRATCH_BASE:
            return self._pointer(value, 0)
        data = self._program.bytes_at(value, 24)
        parts = [int.from_bytes(data[at : at + 4], "little") for at in range(0, 24, 4)]
        sets = (low | high << 32 for low, high in zip(parts[:3], parts[3:], strict=True))
        shown = [self._vocabulary.capability_set(bits) for bits in sets]
        return f"{{effective: {shown[0]}, permitted: {shown[1]}, inheritable: {shown[2]}}}"

    def _interface(self, value: int, _length: int) -> str:
        data = self._program.bytes_at(value, 18)
        name = data[:16].rstrip(b"\0").decode()
        return f"{{{_quoted(name)}, {words.flags('interface', int.from_bytes(data[16:], 'little'))}}}"

    def _struct(self, kind: str, value: int, details: list[str] | None) -> str:
        if not value:
            return "NULL"
        shown, at, members = [], value, {}
        for name, member_kind, width in STRUCTS[kind]:
            data = self._program.bytes_at(at, abs(width))
            number = members[name] = int.from_bytes(data, "little", signed=width < 0)
            if at in self._patches:
                shown.append(f"{name}: {self._patches[at]}")
            elif number or kind in WHOLE or (kind == "open_how" and name == "flags"):
                shown.append(f"{name}: {self.shown(member_kind, number)}")
            at += abs(width)
        if kind == "bpf_prog_load" and details is not None and self._vocabulary.device_filter is not None:
            code = self._program.bytes_at(members["insns"], 8 * members["insn_cnt"])
            details += self._vocabulary.device_filter(code).split("\n")
        return "{" + ", ".join(shown) + "}"


def _quoted(text: str) -> str:
    text = text.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode()
    return f'"{text}"' if len(text) <= _LONGEST else f'"{text[:_LONGEST]}"… ({len(text)} characters)'


_SPECIAL: dict[str, Callable[[Memory, int, int], str]] = {
    "bits": Memory._bits,
    "buf": Memory._pointer,
    "bytes": Memory._bytes,
    "cap_data": Memory._capabilities,
    "capability": lambda self, value, _length: self._vocabulary.capability(value),
    "code": lambda _self, value, _length: "…" if value >= PROGRAM_BASE else hex(value),
    "device": lambda _self, value, _length: words.device(value),
    "fd": Memory._descriptor,
    "hex": lambda _self, value, _length: hex(value),
    "id": lambda _self, value, _length: "-1" if value == _NO_ID else str(value),
    "ifreq": Memory._interface,
    "limit": lambda _self, value, _length: "unlimited" if value == _INFINITY else str(value),
    "mode": lambda _self, value, _length: words.mode(value),
    "node": lambda _self, value, _length: words.mode(value),
    "open": lambda self, value, _length: words.open_flags(value, self._program.architecture),
    "ptr": Memory._pointer,
    "resource": lambda self, value, _length: self._vocabulary.limits.get(value, str(value)),
    "scheduler": lambda self, value, _length: self._vocabulary.scheduler(value),
    "siginfo": lambda _self, value, _length: "&siginfo" if value else "NULL",
    "socket_type": lambda _self, value, _length: words.socket_type(value),
    "statfs_buf": lambda _self, value, _length: "&statfs_buf" if value else "NULL",
    "statx_buf": lambda _self, value, _length: "&statx_buf" if value else "NULL",
    "str": Memory._string,
    "strv": Memory._strings,
    "text": Memory._text,
    "u32v": Memory._numbers,
}
