"""A program as data: operations, the registers and labels they name, and what each is for."""

from __future__ import annotations

from _struct import Struct

from orlop.program.layout import ARGUMENTS, OP, OP_SIZE, PROGRAM_BASE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias


OP_STRUCT = Struct(OP)


class Register:
    """A register of the executor: the result of one operation, an argument of later ones."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __repr__(self) -> str:
        return f"r{self.number}"


class Label:
    """A place in a program that operations before it may jump to.  `at` is -1 until it is placed."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at = -1


class Purpose:
    """What a run of operations is for: the config field that asked for it, and what is said when it fails.

    `wording` is the sentence up to the colon and the errno, in the words that engines know from runc; empty where the
    system call speaks for itself.  `hints` maps an errno to the remedy.
    """

    __slots__ = ("field", "hints", "wording")

    def __init__(self, field: str, wording: str = "", hints: dict[int, str] | None = None) -> None:
        self.field = field
        self.wording = wording
        self.hints = hints


class Op:
    """One operation, read back from a program (see program/layout.py for the kinds).

    `policy` is a list of (condition, index of the operation to go on with): for which errno, or for a zero or non-zero
    result; an error without a policy ends the program.
    """

    __slots__ = ("args", "index", "kind", "name", "policy", "purpose", "result")

    def __init__(
        self,
        index: int,
        kind: int,
        name: str,
        args: tuple[int | Register, ...],
        result: int,
        policy: tuple[tuple[int, int], ...],
        purpose: Purpose,
    ) -> None:
        self.index = index
        self.kind = kind
        self.name = name
        self.args = args
        self.result = result
        self.policy = policy
        self.purpose = purpose


class Program:
    """What the planner makes and the executor runs, in the form that the executor reads.

    `code` holds the operations, `data` the initial memory at PROGRAM_BASE (its first HEADER_SIZE bytes are the
    header's place), `scratch` counts the zeroed bytes at SCRATCH_BASE.  `purposes` and `names` (of system calls) are
    parallel to the operations.  `stamped`: each operation is to leave its time.
    """

    __slots__ = ("architecture", "code", "control", "data", "names", "purposes", "scratch", "stamped")

    def __init__(
        self,
        architecture: str,
        control: int,
        code: bytes,
        data: bytes,
        scratch: int,
        names: list[str],
        purposes: list[Purpose],
    ) -> None:
        self.architecture = architecture
        self.control = control
        self.code = code
        self.data = data
        self.scratch = scratch
        self.names = names
        self.purposes = purposes
        self.stamped = False

    def __len__(self) -> int:
        return len(self.names)

    def encoded(self) -> bytes:
        """Its binary form."""
        from orlop.program.encode import encode

        return encode(self, stamped=self.stamped)

    def planned(self) -> Program:
        """The program with all that is known of it, which this one is."""
        return self

    def op(self, index: int) -> Op:
        """One operation."""
        kind, result, registers, count, _number, *rest = OP_STRUCT.unpack_from(self.code, index * OP_SIZE)
        args: tuple[int | Register, ...] = tuple(
            Register(value) if registers >> place & 1 else value for place, value in enumerate(rest[:ARGUMENTS])
        )
        pairs = rest[ARGUMENTS : ARGUMENTS + 2 * count]
        policy = tuple(zip(pairs[::2], pairs[1::2], strict=True))
        return Op(index, kind, self.names[index], args, result, policy, self.purposes[index])

    def ops(self) -> list[Op]:
        """All operations, in order."""
        return [self.op(index) for index in range(len(self))]

    def bytes_at(self, address: int, size: int) -> bytes:
        """Initial memory.  Scratch memory is zero."""
        start = address - PROGRAM_BASE
        return self.data[start : start + size] if start < len(self.data) else bytes(size)

    def string_at(self, address: int) -> str:
        """The NUL-terminated string at an address."""
        start = address - PROGRAM_BASE
        return self.data[start : self.data.index(b"\0", start)].decode("utf-8", "surrogateescape")


if TYPE_CHECKING:
    Argument: TypeAlias = int | str | bytes | Register
