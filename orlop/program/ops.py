"""A program as data: operations, the registers and labels they name, and what each is for."""

from __future__ import annotations

from orlop.program.layout import NO_REGISTER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias


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
    """One operation (see program/layout.py for the kinds).

    `policy` is a list of (condition, label): where to go on for which errno, or for a zero or non-zero result; an error
    without a policy ends the program.
    """

    __slots__ = ("args", "kind", "name", "policy", "purpose", "result")

    def __init__(
        self,
        kind: int,
        name: str,
        args: tuple[int | Register, ...],
        result: int,
        policy: tuple[tuple[int, Label], ...],
        purpose: Purpose,
    ) -> None:
        self.kind = kind
        self.name = name
        self.args = args
        self.result = result
        self.policy = policy
        self.purpose = purpose


class Program:
    """What the planner makes and the executor runs.

    `data` is the initial memory at PROGRAM_BASE (its first HEADER_SIZE bytes are the header's place), `scratch` the number
    of zeroed bytes at SCRATCH_BASE.  `events` names the kinds of event the program emits.
    """

    __slots__ = ("architecture", "control", "data", "ops", "scratch")

    def __init__(self, architecture: str, control: int, ops: list[Op], data: bytes, scratch: int) -> None:
        self.architecture = architecture
        self.control = control
        self.ops = ops
        self.data = data
        self.scratch = scratch


if TYPE_CHECKING:
    Argument: TypeAlias = int | str | bytes | Register

__all__ = ["NO_REGISTER", "Label", "Op", "Program", "Purpose", "Register"]
