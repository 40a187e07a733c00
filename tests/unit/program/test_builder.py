"""What the builder makes of calls, memory, registers and labels; and how a program is encoded."""

from __future__ import annotations

import struct
from errno import EEXIST, ENOENT

import pytest

from orlop.errors import InternalError
from orlop.program import layout, linux
from orlop.program.builder import Builder
from orlop.program.calls import ARCHITECTURES, CALLS, numbers
from orlop.program.encode import encode
from orlop.program.layout import (
    CALL,
    ENVIRONMENT,
    HEADER,
    HEADER_SIZE,
    MAX_OPS,
    OP_SIZE,
    PROGRAM_BASE,
    REGISTERS,
    SCRATCH_BASE,
)
from orlop.program.ops import Label, Register
from orlop.program.signature import VARIANTS, Signature, signature
from orlop.program.structs import STRUCTS
from orlop.program.timing import by_field, timed
from orlop.program.words import ENUMERATIONS, FLAGS


def builder(machine: str = "x86_64") -> Builder:
    b = Builder(machine, 5)
    b.purpose("field", "wording", {ENOENT: "hint"})
    return b


def test_an_operation_reads_back_as_it_was_built() -> None:
    b = builder()
    over = Label()
    fd = b.get("openat", linux.AT_FDCWD, "/a", linux.O_PATH, 0, ignore=(EEXIST,), on={ENOENT: over})
    b.do("fchdir", fd)
    b.place(over)
    b.do("exit_group", 0)
    program = b.finish()
    first, second, _ = program.ops()
    assert (first.kind, first.name, first.result) == (CALL, "openat", fd.number)
    assert first.policy == ((EEXIST, 1), (ENOENT, 2))
    assert isinstance(first.args[1], int)
    assert program.string_at(first.args[1]) == "/a"
    assert (first.args[0], first.args[2]) == (linux.AT_FDCWD, linux.O_PATH)
    assert isinstance(second.args[0], Register)
    assert second.args[0].number == fd.number
    assert (first.purpose.field, first.purpose.wording) == ("field", "wording")


def test_equal_constants_are_stored_once_and_variables_each_for_itself() -> None:
    b = builder()
    assert b.string("a") == b.string("a") == b.constant(b"a\0")
    assert b.variable(b"a\0") != b.variable(b"a\0")


def test_addresses_are_aligned() -> None:
    b = builder()
    for size in (1, 3, 8, 9):
        assert b.variable(bytes(size)) % 8 == 0
        assert b.space(size) % 64 == 0


def test_scratch_memory_is_not_part_of_the_image() -> None:
    b = builder()
    assert b.space(1 << 30) == SCRATCH_BASE
    b.do("exit_group", 0)
    program = b.finish()
    assert program.scratch == 1 << 30
    assert len(encode(program)) == HEADER_SIZE + OP_SIZE


def test_a_list_of_strings_ends_with_a_null_pointer() -> None:
    b = builder()
    address = b.strings(["a", "b"])
    one, two, end = struct.unpack_from("<3Q", b.data, address - PROGRAM_BASE)
    assert (one, two, end) == (b.string("a"), b.string("b"), 0)


def test_bytes_that_are_no_text_survive_in_strings() -> None:
    b = builder()
    address = b.string(b"\xff".decode("utf-8", "surrogateescape"))
    assert bytes(b.data[address - PROGRAM_BASE :][:2]) == b"\xff\0"


def test_there_are_no_more_registers_than_the_executor_has() -> None:
    b = builder()
    registers = {b.register().number for _ in range(REGISTERS - 1)}
    assert registers == set(range(REGISTERS)) - {ENVIRONMENT}
    with pytest.raises(InternalError, match="more registers"):
        b.register()


def test_a_register_that_was_freed_is_used_again() -> None:
    b = builder()
    first = b.register()
    b.free(first)
    assert b.register().number == first.number


def test_a_purpose_can_be_resumed() -> None:
    b = builder()
    before = b.purpose("other")
    b.do("getpid")
    b.resume(before)
    b.do("getpid")
    assert [purpose.field for purpose in b.finish().purposes] == ["other", "field"]


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_flags_of_open_are_those_of_the_machine(machine: str) -> None:
    b = builder(machine)
    b.do("openat", 5, "a", linux.O_DIRECTORY | linux.O_NOFOLLOW | linux.O_CLOEXEC, 0)
    expected = {
        "x86_64": 0o200000 | 0o400000,
        "aarch64": 0o40000 | 0o100000,
    }[machine] | linux.O_CLOEXEC
    assert b.finish().op(0).args[2] == expected
    how = b.open_how(linux.O_DIRECTORY | linux.O_NOFOLLOW | linux.O_CLOEXEC, 0, 0)
    assert struct.unpack_from("<Q", b.data, how - PROGRAM_BASE) == (expected,)


def test_the_header_says_where_everything_is() -> None:
    b = builder()
    b.string("odd")
    b.space(100)
    b.do("exit_group", 0)
    data = encode(b.finish())
    magic, version, count, ops, size, scratch, control, stamp_from = struct.unpack_from(HEADER, data)
    assert (magic, version, count) == (layout.MAGIC, layout.VERSION, 1)
    assert (ops % 8, size, scratch, control, stamp_from) == (0, len(data), 128, 5, 0)
    assert len(data) == ops + OP_SIZE


def test_a_program_that_is_too_long_is_refused() -> None:
    b = builder()
    for _ in range(MAX_OPS + 1):
        b.do("getpid")
    with pytest.raises(InternalError, match="too long"):
        encode(b.finish())


def test_the_sizes_of_the_layout_fit() -> None:
    assert struct.calcsize(layout.HEADER) == HEADER_SIZE
    assert struct.calcsize(layout.OP) == OP_SIZE
    assert struct.calcsize(layout.EVENT_HEAD) == layout.EVENT_HEAD_SIZE
    assert REGISTERS <= layout.NO_REGISTER


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_no_two_calls_have_one_number(machine: str) -> None:
    found = list(numbers(machine).values())
    assert len(set(found)) == len(found)


# The descriptions of calls, which explain and verify read

PLAIN = {
    "", "buf", "bytes", "cap_data", "capability", "code", "device", "fd", "hex", "id", "ifreq", "limit", "mode", "node",
    "open", "ptr", "resource", "socket_type", "str", "strv", "u32v", "any", "bits", "scheduler", "request",
}  # fmt: skip


def test_every_kind_of_a_parameter_is_one_that_can_be_shown() -> None:
    known = PLAIN | set(FLAGS) | set(ENUMERATIONS) | set(STRUCTS)
    rows = [row[2] for row in CALLS.values()] + list(VARIANTS.values())
    used = {parameter.kind for row in rows for parameter in Signature(row).parameters}
    assert used - known == set()
    assert {kind for rows in STRUCTS.values() for _name, kind, _width in rows} - known == set()


def test_no_call_has_more_parameters_than_there_are_arguments() -> None:
    for name, row in CALLS.items():
        assert len(Signature(row[2]).parameters) <= layout.ARGUMENTS, name


def test_a_variant_is_chosen_by_its_argument() -> None:
    b = builder()
    b.do("ioctl", 0, linux.TIOCGPTPEER, linux.O_RDWR)
    b.do("ioctl", 0, linux.TIOCSCTTY, 0)
    b.do("ioctl", 0, 12345, 0)
    one, two, three = b.finish().ops()
    assert [signature(op).opens for op in (one, two, three)] == [True, False, False]
    assert [signature(op).parameters[-1].name for op in (one, two, three)] == ["flags", "steal", "arg"]


# Times


def test_times_are_differences_in_the_order_of_what_was_done() -> None:
    b = builder()
    b.do("getpid")
    b.do("getpid")
    b.purpose("other")
    b.do("getpid")
    b.do("exit_group", 0)
    steps = timed(b.finish(), struct.pack("<4Q", 100, 130, 190, 0))
    assert [(step.index, step.nanoseconds) for step in steps] == [(1, 30), (2, 60)]
    assert by_field(steps) == [("field", 1, 30), ("other", 1, 60)]
