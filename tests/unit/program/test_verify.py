"""Each rule of the verifier, and a program that breaks it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from errno import EACCES, ENOENT

import pytest

from orlop.program import linux
from orlop.program.builder import CLONE_ARGS_CGROUP, OPEN_HOW_SIZE, Builder
from orlop.program.layout import (
    EVENT,
    KINDS,
    LOAD,
    OP_SIZE,
    PROGRAM_BASE,
    SCRATCH_BASE,
    WAIT,
    WHEN_ERROR,
    WHEN_NOT_ZERO,
)
from orlop.program.ops import Label, Program, Register
from orlop.program.verify import verify

PATH = linux.O_PATH | linux.O_CLOEXEC
Make = Callable[[Builder], None]


def build(make: Make, *, leave: bool = True) -> Program:
    b = Builder("x86_64", 3)
    b.purpose("field")
    make(b)
    if leave:
        b.do("exit_group", 0)
    return b.finish()


def problem(make: Make, *, leave: bool = True) -> str:
    """The only problem of a program."""
    (found,) = verify(build(make, leave=leave))
    return found


def open_file(b: Builder, name: str = "/a", **more: object) -> Register:
    return b.get("openat", linux.AT_FDCWD, name, PATH, 0, **more)  # type: ignore[arg-type]


def execute(b: Builder) -> None:
    b.do("execve", "/bin/true", b.strings(["true"]), b.strings([]))


# What is right


def right_jumps(b: Builder) -> None:
    missing, found = Label(), Label()
    handle = open_file(b, on={ENOENT: missing})
    b.jump(found)
    b.place(missing)
    b.do("openat", linux.AT_FDCWD, "/b", PATH, 0, result=handle.number)
    b.place(found)
    b.close(handle)


def right_close_of_what_may_have_failed(b: Builder) -> None:
    after = Label()
    handle = open_file(b, on={ENOENT: (late := Label())})
    b.place(late)
    b.do("close", handle, on={WHEN_ERROR: after})
    b.place(after)


def right_copy(b: Builder) -> None:
    handle, copy = open_file(b), b.register()
    b.set(copy, handle)
    b.set(handle, 0)
    b.close(copy)


def right_clone_and_exec(b: Builder) -> None:
    parent = Label()
    child = b.get("clone3", b.clone_args(0, 17), linux.CLONE_ARGS_SIZE, on={WHEN_NOT_ZERO: parent})
    b.do("close_range", 3, 0xFFFF_FFFF, linux.CLOSE_RANGE_CLOEXEC)
    execute(b)
    b.place(parent)
    b.do("wait4", child, 0, 0, 0)


def right_constant_jump(b: Builder) -> None:
    # The only way leads past the use of a register that is not set.
    over = Label()
    b.jump(over)
    b.place(over)


@pytest.mark.parametrize(
    "make",
    [right_jumps, right_close_of_what_may_have_failed, right_copy, right_clone_and_exec, right_constant_jump],
)
def test_a_good_program_has_no_problems(make: Make) -> None:
    assert verify(build(make)) == []


def test_a_problem_names_operation_call_and_field() -> None:
    assert problem(lambda b: b.do("fchdir", Register(3))) == (
        "operation 0 (fchdir, field): r3 may be used before it is set"
    )


# Registers


def test_a_register_must_be_set_on_every_path() -> None:
    def make(b: Builder) -> None:
        register, over = b.register(), Label()
        b.do("chdir", "/", on={ENOENT: over})
        b.set(register, 1)
        b.place(over)
        b.do("umask", register)

    assert "r0 may be used before it is set" in problem(make)


def test_a_result_must_not_be_used_where_the_call_has_failed() -> None:
    def make(b: Builder) -> None:
        over = Label()
        handle = open_file(b, on={ENOENT: over})
        b.place(over)
        b.do("fchdir", handle)

    assert "r0 may hold the errno of a call that failed" in problem(make)


def test_an_error_that_is_ignored_leaves_no_result() -> None:
    def make(b: Builder) -> None:
        b.do("fchdir", open_file(b, ignore=(ENOENT,)))

    assert "may hold the errno" in problem(make)


# Descriptors


def test_a_descriptor_must_not_be_used_after_it_is_closed() -> None:
    def make(b: Builder) -> None:
        handle = open_file(b)
        b.close(handle)
        b.do("fchdir", handle)

    assert "r0 may be used after it was closed" in problem(make)


def test_a_descriptor_must_not_be_closed_twice() -> None:
    def make(b: Builder) -> None:
        handle = open_file(b)
        b.close(handle)
        b.do("close", handle)

    assert "r0 may be used after it was closed" in problem(make)


def test_a_copy_of_a_closed_descriptor_is_closed() -> None:
    def make(b: Builder) -> None:
        handle, copy = open_file(b), b.register()
        b.set(copy, handle)
        b.close(handle)
        b.do("fchdir", copy)

    assert "r1 may be used after it was closed" in problem(make)


def test_a_descriptor_must_not_be_lost() -> None:
    def make(b: Builder) -> None:
        b.free(open_file(b))
        b.close(open_file(b, "/b"))

    assert problem(make) == ("operation 0 (openat, field): its descriptor may be lost: operation 1 takes its register")


def test_a_descriptor_that_is_in_memory_is_not_lost() -> None:
    def make(b: Builder) -> None:
        address = b.space(8)
        handle = open_file(b)
        b.store(address, 8, handle)
        b.free(handle)
        b.close(open_file(b, "/b"))
        b.close(b.load(address, 8))

    assert verify(build(make)) == []


def test_a_descriptor_must_not_be_lost_on_one_path_of_two() -> None:
    def make(b: Builder) -> None:
        later = Label()
        handle = open_file(b)
        b.do("fchdir", handle, on={EACCES: later})
        b.do("close", handle)
        b.place(later)
        b.set(handle, 0)

    assert "operation 0 (openat, field): its descriptor may be lost: operation 3" in problem(make)


OPENING: dict[str, Make] = {
    "openat": lambda b: b.close(b.get("openat", linux.AT_FDCWD, "/a", linux.O_PATH, 0)),
    "openat2": lambda b: b.close(b.get("openat2", linux.AT_FDCWD, "/a", b.open_how(linux.O_PATH, 0, 0), OPEN_HOW_SIZE)),
    "open_tree": lambda b: b.close(b.get("open_tree", linux.AT_FDCWD, "/a", linux.OPEN_TREE_CLONE)),
    "fsopen": lambda b: b.close(b.get("fsopen", "proc", 0)),
    "memfd_create": lambda b: b.close(b.get("memfd_create", "a", 0)),
    "socket": lambda b: b.close(b.get("socket", linux.AF_INET, linux.SOCK_DGRAM, 0)),
    "dup3": lambda b: b.close(b.get("dup3", 0, 10, 0)),
    "ioctl": lambda b: b.close(b.get("ioctl", 0, linux.TIOCGPTPEER, linux.O_RDWR)),
}


@pytest.mark.parametrize("call", OPENING)
def test_a_descriptor_must_be_opened_close_on_exec(call: str) -> None:
    assert problem(OPENING[call]) == f"operation 0 ({call}, field): the descriptor is not opened close-on-exec"


def test_a_standard_stream_is_meant_to_be_inherited() -> None:
    assert verify(build(lambda b: b.do("dup3", 5, 1, 0))) == []


def test_what_the_caller_left_open_must_be_swept_before_an_exec() -> None:
    assert "are not swept (close_range) on every path" in problem(execute, leave=False)


def test_a_sweep_that_begins_behind_the_control_socket_is_none() -> None:
    def make(b: Builder) -> None:
        b.do("close_range", 4, 0xFFFF_FFFF, linux.CLOSE_RANGE_CLOEXEC)
        execute(b)

    assert "are not swept" in problem(make, leave=False)


# Paths


def test_a_program_must_not_run_past_its_end() -> None:
    found = problem(lambda b: b.do("getpid"), leave=False)
    assert found == "operation 0 (getpid, field): the program can run past its last operation"


def test_a_program_without_operations_is_none() -> None:
    assert problem(lambda b: None, leave=False) == "the program has no operations"


def test_a_label_behind_the_last_operation_is_no_place_to_land() -> None:
    def make(b: Builder) -> None:
        end = Label()
        b.do("chdir", "/", on={ENOENT: end})
        b.do("exit_group", 0)
        b.place(end)

    assert "a jump to 2 does not lead forward, into the program" in problem(make, leave=False)


def test_a_jump_must_lead_forward() -> None:
    program = build(right_jumps)
    code = bytearray(program.code)
    struct.pack_into("<H", code, 1 * OP_SIZE + 58, 0)
    program.code = bytes(code)
    (found,) = verify(program)
    assert found == "operation 1 (set, field): a jump to 0 does not lead forward, into the program"


def test_an_operation_that_no_path_reaches_is_a_mistake() -> None:
    def make(b: Builder) -> None:
        over = Label()
        b.jump(over)
        b.do("getpid")
        b.place(over)

    assert problem(make) == "operation 1 (getpid, field): no path reaches it"


def test_what_follows_a_failure_is_not_reached() -> None:
    assert "operation 1 (exit_group, field): no path reaches it" in problem(lambda b: b.fail(ENOENT))


def test_a_failure_needs_an_errno() -> None:
    assert "0 is no errno" in problem(lambda b: b.fail(0), leave=False)


# Memory

OUTSIDE: dict[str, Make] = {
    "a load below": lambda b: b.free(b.load(PROGRAM_BASE - 8, 8)),
    "a load behind": lambda b: b.free(b.load(PROGRAM_BASE + 4096, 8)),
    "a store into scratch memory that is not there": lambda b: b.store(SCRATCH_BASE, 8, 1),
    "an answer without a place": lambda b: b.wait(SCRATCH_BASE, 8),
    "an answer that is longer than its place": lambda b: b.wait(b.space(64), 65),
    "a payload that is longer than it is": lambda b: b.event(1, payload=b.constant(b"abc"), size=4),
    "a struct": lambda b: b.do("mount_setattr", 0, "", 0, SCRATCH_BASE, 32),
    "a buffer": lambda b: b.do("read", 0, b.space(64), 65),
    "bytes": lambda b: b.do("write", 0, b.constant(b"abc"), 4),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_memory_must_be_inside_of_the_program(name: str) -> None:
    assert "outside of the program" in problem(OUTSIDE[name])


@pytest.mark.parametrize("width", [0, 2, 16])
def test_memory_is_read_in_four_bytes_or_eight(width: int) -> None:
    assert "are not aligned" in problem(lambda b: b.free(b.load(b.space(64), width)))


def test_memory_must_be_aligned() -> None:
    assert "are not aligned" in problem(lambda b: b.store(b.space(64) + 4, 8, 1))


@pytest.mark.parametrize("kind", [LOAD, WAIT, EVENT])
def test_an_address_must_be_plain(kind: int) -> None:
    def make(b: Builder) -> None:
        register = b.register()
        b.set(register, b.space(64))
        if kind == LOAD:
            b.load(register, 8)  # type: ignore[arg-type]
        elif kind == WAIT:
            b.wait(register, 8)  # type: ignore[arg-type]
        else:
            b.event(1, payload=register, size=4)  # type: ignore[arg-type]

    assert "must be" in problem(make) and "plain number" in problem(make)


@pytest.mark.parametrize("place", ["mask", "value"])
def test_what_is_compared_with_must_be_plain(place: str) -> None:
    def make(b: Builder) -> None:
        register, there = b.register(), Label()
        b.set(register, 1)
        b.jump_unless(register, **{"value": 1, "mask": 1, place: register}, label=there)  # type: ignore[arg-type]
        b.place(there)

    assert "its mask and its value must be plain numbers" in problem(make)


def test_what_is_compared_must_have_been_set() -> None:
    def make(b: Builder) -> None:
        there = Label()
        b.jump_unless(b.register(), 1, there)
        b.place(there)

    assert "may be used before it is set" in problem(make)


def test_a_string_must_end() -> None:
    assert "path is no string of the program" in problem(lambda b: b.do("chdir", b.variable(b"/etc")))


def test_a_list_of_strings_must_end() -> None:
    def make(b: Builder) -> None:
        b.do("close_range", 3, 0xFFFF_FFFF, linux.CLOSE_RANGE_CLOEXEC)
        b.do("execve", "/a", b.variable(struct.pack("<Q", b.string("a"))), 0)

    assert "argv is no list of strings that ends" in problem(make, leave=False)


def test_a_handler_of_signals_must_be_the_executors_or_the_default() -> None:
    def elsewhere(b: Builder) -> None:
        b.do("rt_sigaction", linux.SIGTERM, b.constant(b"\1" + bytes(31)), 0, linux.SIGNAL_SET_SIZE)

    def unknown(b: Builder) -> None:
        b.do("rt_sigaction", linux.SIGTERM, b.get("getpid"), 0, linux.SIGNAL_SET_SIZE)

    for make in (elsewhere, unknown):
        assert "its handler is neither the executor's nor the default" in problem(make)


def test_the_size_of_a_struct_must_be_its_own() -> None:
    def make(b: Builder) -> None:
        args = b.clone_args(0, 0)
        b.store(args + CLONE_ARGS_CGROUP, 8, 5)
        b.do("clone3", args, 64)

    assert "args has 88 bytes, and not 64" in problem(make)


# Form


def damaged(offset: int, value: int) -> str:
    program = build(lambda b: b.do("fchdir", b.get("getpid")))
    code = bytearray(program.code)
    code[OP_SIZE + offset] = value
    program.code = bytes(code)
    return "; ".join(verify(program))


@pytest.mark.parametrize(
    ("offset", "value", "expected"),
    [
        (0, len(KINDS), "is none that the executor knows"),
        (1, 200, "there is no register 200 for the result"),
        (2, 0x41, "more registers than arguments"),
        (4, 0, "system call 0 is not that of this name"),
        (8, 200, "there is no register 200 for argument 0"),
    ],
)
def test_the_form_is_checked_first(offset: int, value: int, expected: str) -> None:
    assert expected in damaged(offset, value)
