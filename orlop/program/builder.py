"""Builds a program: operations in order, and the memory they point to.

    b = Builder("x86_64", control=3)
    b.purpose("mounts[0]", 'error mounting "proc" to rootfs at "/proc"')
    fs = b.get("fsopen", "proc", FSOPEN_CLOEXEC)
    b.do("fsconfig", fs, FSCONFIG_CMD_CREATE, 0, 0, 0)
    mount = b.get("fsmount", fs, FSMOUNT_CLOEXEC, 0)
    b.close(fs)

Strings and bytes become addresses of constants; equal constants are stored once.  `get` keeps the result in a register
until `close` or `free`; `do` drops it.  Jumps go forward only, so every program ends.
"""

from __future__ import annotations

from _struct import Struct

from orlop.errors import InternalError
from orlop.program import layout, linux
from orlop.program.calls import numbers
from orlop.program.layout import (
    CALL,
    COMPARE,
    DIFFER,
    DIGITS,
    ENVIRONMENT,
    EVENT,
    FAIL,
    HEADER_SIZE,
    LOAD,
    NO_REGISTER,
    PROGRAM_BASE,
    SCRATCH_BASE,
    SET,
    STORE,
    WAIT,
    WHEN_NOT_ZERO,
    WHEN_ZERO,
)
from orlop.program.ops import Label, Program, Purpose, Register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.program.ops import Argument

_OPEN_HOW = Struct("<QQQ")
_MOUNT_ATTR = Struct("<QQQQ")
_CLONE_ARGS = Struct("<11Q")
_POINTER = Struct("<Q")
_SIGACTION = Struct("<QQQQ").pack(layout.END_ON_SIGNAL, linux.SA_RESTORER, layout.END_ON_SIGNAL, 0)
MOUNT_ATTR_SIZE = 32
OPEN_HOW_SIZE = 24
CLONE_ARGS_CGROUP = 80  # offset of the member `cgroup`
_NO_DESCRIPTOR = -1
_POLICY = Struct("<HH")
_TARGET = Struct("<H")
_OPS = [Struct(f"<BBBBI{count}q") for count in range(layout.ARGUMENTS + 1)]
_PADDING = [bytes(8 * (layout.ARGUMENTS - count)) for count in range(layout.ARGUMENTS + 1)]
_POLICIES_AT = 8 + 8 * layout.ARGUMENTS
_NO_POLICIES = bytes(4 * layout.POLICIES)


class Builder:
    """Collects the operations of one program.  Not safe to share between threads; costs no system call."""

    def __init__(self, architecture: str, control: int) -> None:
        self.architecture = architecture
        self.control = control
        self.data = bytearray(HEADER_SIZE)
        self.scratch = 0
        self._constants: dict[bytes, int] = {}
        self._free: list[int] = list(range(ENVIRONMENT - 1, -1, -1))
        self.current = Purpose("")
        self._translate = architecture != "x86_64"
        self._numbers = numbers(architecture)
        self._code = bytearray()
        self._names: list[str] = []
        self._purposes: list[Purpose] = []
        self._jumps: list[tuple[int, Label]] = []

    # What the next operations are for

    def purpose(self, field: str, wording: str = "", hints: dict[int, str] | None = None) -> Purpose:
        """Say what the operations that follow are for; give the former purpose back."""
        before = self.current
        self.current = Purpose(field, wording, hints)
        return before

    def resume(self, purpose: Purpose) -> None:
        """Go back to an earlier purpose."""
        self.current = purpose

    # Memory

    def constant(self, value: bytes) -> int:
        """The address of these bytes, which nothing changes."""
        address = self._constants.get(value)
        if address is None:
            address = self._constants[value] = self.variable(value)
        return address

    def string(self, value: str) -> int:
        """The address of a NUL-terminated string."""
        return self.constant(value.encode("utf-8", "surrogateescape") + b"\0")

    def variable(self, value: bytes) -> int:
        """The address of these bytes, which operations may change."""
        data = self.data
        data.extend(bytes(-len(data) % 8))
        address = PROGRAM_BASE + len(data)
        data.extend(value)
        return address

    def space(self, size: int) -> int:
        """The address of `size` zeroed bytes; they cost memory only when touched."""
        address = SCRATCH_BASE + self.scratch
        self.scratch += size + -size % 64
        return address

    def strings(self, values: list[str]) -> int:
        """The address of an argv or envp: pointers to strings, closed by a null pointer."""
        return self.pointers([self.string(value) for value in values])

    def pointers(self, addresses: list[int]) -> int:
        """The address of an array of pointers, closed by a null pointer."""
        return self.constant(b"".join(map(_POINTER.pack, [*addresses, 0])))

    def open_how(self, flags: int, mode: int, resolve: int) -> int:
        """The address of a `struct open_how` (openat2(2))."""
        return self.constant(_OPEN_HOW.pack(self._open_flags(flags), mode, resolve))

    def mount_attr(self, on: int = 0, off: int = 0, propagation: int = 0, namespace: int = 0) -> int:
        """The address of a `struct mount_attr` (mount_setattr(2)); `namespace` is a user namespace's descriptor."""
        return self.constant(_MOUNT_ATTR.pack(on, off, propagation, namespace))

    def clone_args(self, flags: int, exit_signal: int) -> int:
        """The address of a `struct clone_args` (clone3(2)) of its own, for `store` to complete."""
        return self.variable(_CLONE_ARGS.pack(flags, 0, 0, 0, exit_signal, 0, 0, 0, 0, 0, 0))

    def end_on_signal(self) -> int:
        """The address of a `struct sigaction` with the executor's handler, which exits with 128 + signal."""
        return self.constant(_SIGACTION)

    # Operations

    def do(
        self,
        name: str,
        *args: Argument,
        ignore: tuple[int, ...] = (),
        on: dict[int, Label] | None = None,
        result: int = NO_REGISTER,
    ) -> None:
        """Add a system call whose result is not kept.

        `ignore` lists errnos (or conditions) after which the program just goes on, `on` where to go on for an errno
        or a condition.
        """
        if name == "openat" and self._translate:
            args = (*args[:2], self._open_flags(args[2]), *args[3:])  # type: ignore[arg-type]
        self._add(CALL, args, result, ignore, on, name)

    def get(
        self, name: str, *args: Argument, ignore: tuple[int, ...] = (), on: dict[int, Label] | None = None
    ) -> Register:
        """Add a system call and keep its result."""
        register = self.register()
        self.do(name, *args, ignore=ignore, on=on, result=register.number)
        return register

    def set(self, register: Register, value: int | Register) -> None:
        """Give a register a value."""
        self._add(SET, (value,), register.number)

    def jump(self, label: Label) -> None:
        """Go on at a label."""
        self._add(SET, (0,), on={WHEN_ZERO: label})

    def jump_if(self, register: Register, label: Label, *, zero: bool = False) -> None:
        """Go on at a label if the register is not zero (or, with `zero`, if it is)."""
        self._add(SET, (register,), on={WHEN_ZERO if zero else WHEN_NOT_ZERO: label})

    def jump_unless(self, register: Register, value: int, label: Label, *, mask: int = -1) -> None:
        """Go on at a label if the register has another value, in the bits of the mask."""
        self._add(DIFFER, (register, mask, value), on={WHEN_NOT_ZERO: label})

    def differ(self, register: Register, one: Register, other: int) -> None:
        """Give a register the bits in which another one differs from a number."""
        self._add(DIFFER, (one, -1, other), register.number)

    def jump_if_other(self, address: int, expected: bytes, label: Label) -> None:
        """Go on at a label if memory holds other bytes than these."""
        self._add(COMPARE, (address, self.constant(expected), len(expected)), on={WHEN_NOT_ZERO: label})

    def digits(self, address: int, value: int | Register) -> None:
        """Write a value into memory as decimal text and a NUL, which take layout.DIGITS_SIZE bytes at most."""
        self._add(DIGITS, (address, value))

    def load(self, address: int, width: int) -> Register:
        """Read memory, 4 bytes (signed) or 8, into a new register."""
        register = self.register()
        self._add(LOAD, (address, width), register.number)
        return register

    def store(self, address: int, width: int, value: int | Register) -> None:
        """Write a value into memory."""
        self._add(STORE, (address, width, value))

    def event(
        self,
        kind: int,
        value: int | Register = 0,
        *,
        payload: int = 0,
        size: int | Register = 0,
        fds: tuple[Register | int, ...] = (),
    ) -> None:
        """Tell the supervisor something."""
        descriptors = (*fds, _NO_DESCRIPTOR, _NO_DESCRIPTOR)[: layout.EVENT_DESCRIPTORS]
        self._add(EVENT, (kind, value, payload, size, *descriptors))

    def wait(self, address: int, size: int) -> None:
        """Wait for the supervisor's answer, which goes into memory.  Without a supervisor the program ends."""
        self._add(WAIT, (address, size))

    def fail(self, error: int) -> None:
        """End as a system call does that fails with this errno."""
        self._add(FAIL, (error,))

    def close(self, *registers: Register) -> None:
        """Close descriptors and give their registers back."""
        for register in registers:
            self._add(CALL, (register,), name="close")
            self.free(register)

    # Registers and labels

    def register(self) -> Register:
        """A register that is free until `free`."""
        if not self._free:
            raise InternalError("a program needs more registers than the executor has")
        return Register(self._free.pop())

    @property
    def environment(self) -> Register:
        """What has the address of the environment that the executor was given."""
        return Register(ENVIRONMENT)

    @property
    def left(self) -> int:
        """How many registers are free."""
        return len(self._free)

    def free(self, *registers: Register) -> None:
        """Give registers back without closing what they hold."""
        self._free.extend(register.number for register in registers)

    def place(self, label: Label) -> None:
        """Put a label in front of the next operation."""
        label.at = len(self._names)

    def finish(self) -> Program:
        """The program.  The builder must not be used after."""
        code = self._code
        for offset, label in self._jumps:
            _TARGET.pack_into(code, offset, label.at)
        return Program(
            self.architecture, self.control, bytes(code), bytes(self.data), self.scratch, self._names, self._purposes
        )

    def _open_flags(self, flags: int) -> int:
        if not self._translate:
            return flags
        other = flags & ~(linux.O_DIRECTORY | linux.O_NOFOLLOW)
        if flags & linux.O_DIRECTORY:
            other |= linux.AARCH64_O_DIRECTORY
        if flags & linux.O_NOFOLLOW:
            other |= linux.AARCH64_O_NOFOLLOW
        return other

    def _add(
        self,
        kind: int,
        args: tuple[Argument, ...],
        result: int = NO_REGISTER,
        ignore: tuple[int, ...] = (),
        on: dict[int, Label] | None = None,
        name: str = "",
    ) -> None:
        """Encode one operation.  This is the start-up path's innermost loop: a program has some hundred operations."""
        registers = 0
        values = []
        bit = 1
        for arg in args:
            kind_of_arg = type(arg)
            if kind_of_arg is int:
                values.append(arg)
            elif kind_of_arg is Register:
                registers |= bit
                values.append(arg.number)  # type: ignore[union-attr]
            else:
                values.append(self.string(arg) if kind_of_arg is str else self.constant(arg))  # type: ignore[arg-type]
            bit += bit
        code = self._code
        policies = b""
        count = 0
        if ignore:
            following = len(self._names) + 1
            policies = b"".join([_POLICY.pack(condition, following) for condition in ignore])
            count = len(ignore)
        if on:
            at = len(code) + _POLICIES_AT + 4 * count + 2
            for condition, label in on.items():
                self._jumps.append((at, label))
                policies += _POLICY.pack(condition, 0)
                at += 4
                count += 1
        number = self._numbers[name] if name else 0
        size = len(values)
        code += _OPS[size].pack(kind, result, registers, count, number, *values)
        code += _PADDING[size]
        if count:
            code += policies
            code += bytes(4 * (layout.POLICIES - count))
        else:
            code += _NO_POLICIES
        self._names.append(name)
        self._purposes.append(self.current)
