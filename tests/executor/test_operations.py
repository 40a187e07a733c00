"""What each kind of operation does, in the real executor."""

from __future__ import annotations

import os
import subprocess
import sys
from errno import EBADF, EEXIST, EFAULT, ENOENT, ENOTDIR
from pathlib import Path

import pytest

from orlop.executor.image import sealed
from orlop.program import linux
from orlop.program.builder import OPEN_HOW_SIZE
from orlop.program.layout import DIGITS_SIZE, MAX_OPS, REGISTERS, WHEN_ERROR, WHEN_NOT_ZERO, WHEN_ZERO
from orlop.program.ops import Label, Register
from tests.executor.programs import Run, builder, run

pytestmark = pytest.mark.usefixtures("executor")
NO_FILE = "/no such file"


def test_the_status_is_the_programs() -> None:
    b = builder()
    b.do("exit_group", 7)
    outcome = run(b)
    assert (outcome.events, outcome.status) == ([], 7)


def test_a_program_that_comes_to_its_end_has_failed() -> None:
    b = builder()
    b.do("getpid")
    assert run(b).status == 1


def test_an_event_has_kind_operation_value_and_payload() -> None:
    b = builder()
    b.do("getpid")
    b.event(5, -12, payload=b.constant(b"some bytes"), size=10)
    b.do("exit_group", 0)
    (event,) = run(b).events
    assert (event.kind, event.op, event.value, event.payload) == (5, 1, -12, b"some bytes")


def test_the_size_of_a_payload_may_be_in_a_register() -> None:
    b = builder()
    size = b.register()
    b.set(size, 4)
    b.event(5, payload=b.constant(b"some bytes"), size=size)
    b.do("exit_group", 0)
    (event,) = run(b).events
    assert event.payload == b"some"


def test_a_payload_that_is_not_all_there_is_an_error_of_the_event() -> None:
    b = builder()
    size = b.register()
    b.set(size, 1 << 15)
    b.event(5, payload=b.constant(b"some bytes"), size=size)
    assert run(b).failure == (1, EFAULT)


@pytest.mark.parametrize("count", [1, 2])
def test_an_event_carries_descriptors(count: int) -> None:
    b = builder()
    made = [b.get("memfd_create", f"file {number}", linux.MFD_CLOEXEC) for number in range(count)]
    for number, fd in enumerate(made):
        b.do("write", fd, b"%d" % number, 1)
    b.event(5, fds=tuple(made))
    b.do("exit_group", 0)
    (event,) = run(b).events
    try:
        assert [os.pread(fd, 10, 0) for fd in event.fds] == [b"%d" % number for number in range(count)]
        assert not any(os.get_inheritable(fd) for fd in event.fds)
    finally:
        for given in event.fds:
            os.close(given)


def test_an_answer_goes_into_memory() -> None:
    b = builder()
    place = b.space(16)
    b.wait(place, 16)
    b.event(5, b.load(place, 8), payload=place, size=16)
    b.do("exit_group", 0)
    with Run(b.finish()) as running:
        running.answer(b"12345678abc")
        (event,) = running.events()
        assert event.value == int.from_bytes(b"12345678", "little")
        assert event.payload == b"12345678abc" + bytes(5)
        assert running.status() == 0


def test_an_answer_that_is_too_long_is_cut() -> None:
    b = builder()
    place = b.space(64)
    b.wait(place, 4)
    b.event(5, payload=place, size=8)
    b.do("exit_group", 0)
    with Run(b.finish()) as running:
        running.answer(b"12345678")
        (event,) = running.events()
        assert event.payload == b"1234" + bytes(4)


def test_who_waits_for_a_supervisor_that_is_gone_ends() -> None:
    b = builder()
    b.wait(b.space(8), 8)
    b.do("exit_group", 0)
    with Run(b.finish()) as running:
        running.executor.close()
        assert running.status() == 1


def test_a_register_holds_the_result_of_a_call() -> None:
    b = builder()
    b.event(5, b.get("getpid"))
    b.do("exit_group", 0)
    with Run(b.finish()) as running:
        (event,) = running.events()
        assert event.value == running.pid


def test_a_register_that_nothing_was_put_into_is_no_descriptor() -> None:
    b = builder()
    b.do("close", Register(17))
    assert run(b).failure == (0, EBADF)


def test_all_registers_can_be_used_at_once() -> None:
    b = builder()
    registers = [b.register() for _ in range(REGISTERS - 1)]  # and that of the environment
    for number, register in enumerate(registers):
        b.set(register, number * 3)
    for register in registers:
        b.event(5, register)
    b.do("exit_group", 0)
    assert run(b).values == [number * 3 for number in range(REGISTERS - 1)]


def test_a_register_can_be_copied() -> None:
    b = builder()
    one, other = b.register(), b.register()
    b.set(one, 1 << 40)
    b.set(other, one)
    b.set(one, 0)
    b.event(5, other)
    b.do("exit_group", 0)
    assert run(b).values == [1 << 40]


def test_four_bytes_are_read_with_their_sign_and_eight_as_they_are() -> None:
    b = builder()
    place = b.variable((-5).to_bytes(4, "little", signed=True) + (7).to_bytes(4, "little"))
    for width in (4, 8):
        b.event(5, b.load(place, width))
    b.do("exit_group", 0)
    assert run(b).values == [-5, (7 << 32) + 0xFFFF_FFFB]


@pytest.mark.parametrize(
    ("value", "asked", "mask", "differs"),
    [
        (0x9FA0, 0x9FA0, -1, False),
        (0x9FA1, 0x9FA0, -1, True),
        (-5, -5, -1, False),
        (0, -1, -1, True),
        (1 << 40, 0, -1, True),
        (1 << 40, 0, 0xFFFF, False),
        (0o020666, 0o020000, 0o170000, False),
        (0o060666, 0o020000, 0o170000, True),
        (-ENOENT, 0, -1, True),  # a number that looks like an error is none
    ],
)
def test_a_jump_may_depend_on_a_value_and_on_some_of_its_bits(value: int, asked: int, mask: int, differs: bool) -> None:
    b = builder()
    register = b.register()
    b.set(register, value)
    other = Label()
    b.jump_unless(register, asked, other, mask=mask)
    b.do("exit_group", 0)
    b.place(other)
    b.do("exit_group", 1)
    assert run(b).status == int(differs)


@pytest.mark.parametrize(("width", "expected"), [(4, b"\1\2\3\4\xff\xff\xff\xff"), (8, b"\1\2\3\4\5\0\0\0")])
def test_a_value_is_stored_in_its_width(width: int, expected: bytes) -> None:
    b = builder()
    place = b.variable(b"\xff" * 8)
    value = b.register()
    b.set(value, 0x05_04_03_02_01)
    b.store(place, width, value)
    b.event(5, payload=place, size=8)
    b.do("exit_group", 0)
    (event,) = run(b).events
    assert event.payload == expected


def test_scratch_memory_is_zero_and_costs_nothing_until_it_is_used() -> None:
    b = builder()
    b.space(200 << 20)
    last = b.space(8)
    b.event(5, b.load(last, 8))
    b.wait(last, 8)
    with Run(b.finish()) as running:
        event = running.event()
        assert event is not None
        assert event.value == 0
        with open(f"/proc/{running.pid}/smaps_rollup") as file:
            pss = next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        assert pss < 100  # KB


def test_an_error_ends_the_program_and_is_told() -> None:
    b = builder()
    b.do("getpid")
    b.do("openat", linux.AT_FDCWD, NO_FILE, linux.O_RDONLY, 0)
    b.event(5)
    outcome = run(b)
    assert outcome.failure == (1, ENOENT)
    assert outcome.status == 1


def test_an_error_can_be_ignored() -> None:
    b = builder()
    b.do("openat", linux.AT_FDCWD, NO_FILE, linux.O_RDONLY, 0, ignore=(EEXIST, ENOENT))
    b.event(5)
    b.do("exit_group", 0)
    assert run(b).status == 0


def test_the_first_policy_that_fits_decides() -> None:
    b = builder()
    missing, other = Label(), Label()
    on = {ENOTDIR: other, ENOENT: missing, WHEN_ERROR: other}
    b.do("openat", linux.AT_FDCWD, NO_FILE, linux.O_RDONLY, 0, on=on)
    b.place(other)
    b.event(5, 1)
    b.place(missing)
    b.event(5, 2)
    b.do("exit_group", 0)
    assert run(b).values == [2]


def test_any_error_may_have_a_place_to_go_to() -> None:
    b = builder()
    after = Label()
    b.do("close", 1000, on={WHEN_ERROR: after})
    b.event(5, 1)
    b.place(after)
    b.event(5, 2)
    b.do("exit_group", 0)
    assert run(b).values == [2]


def test_after_an_error_the_register_holds_it() -> None:
    b = builder()
    missing = Label()
    handle = b.get("openat", linux.AT_FDCWD, NO_FILE, linux.O_RDONLY, 0, on={ENOENT: missing})
    b.place(missing)
    b.event(5, handle)
    b.do("exit_group", 0)
    assert run(b).values == [-ENOENT]


@pytest.mark.parametrize(("value", "taken"), [(0, WHEN_ZERO), (1, WHEN_NOT_ZERO), (-1, WHEN_NOT_ZERO)])
def test_a_jump_asks_for_zero_or_not(value: int, taken: int) -> None:
    for condition in (WHEN_ZERO, WHEN_NOT_ZERO):
        b = builder()
        register, there = b.register(), Label()
        b.set(register, value)
        b.jump_if(register, there, zero=condition == WHEN_ZERO)
        b.do("exit_group", 3)
        b.place(there)
        b.do("exit_group", 4)
        assert run(b).status == (4 if condition == taken else 3)


def test_a_number_is_never_taken_for_an_error() -> None:
    b = builder()
    register = b.register()
    b.set(register, -ENOENT)
    place = b.variable((-1).to_bytes(4, "little", signed=True))
    b.load(place, 4)
    b.do("exit_group", 0)
    assert run(b).status == 0


def test_a_program_can_fail_of_itself() -> None:
    b = builder()
    b.fail(ENOTDIR)
    assert run(b).failure == (0, ENOTDIR)


def test_a_clone_goes_on_with_the_same_program() -> None:
    b = builder()
    args = b.clone_args(0, linux.SIGCHLD)
    parent, status = Label(), b.space(8)
    child = b.get("clone3", args, linux.CLONE_ARGS_SIZE, on={WHEN_NOT_ZERO: parent})
    b.event(5, child)
    b.do("exit_group", 9)
    b.place(parent)
    b.do("wait4", child, status, 0, 0)
    b.event(6, b.load(status, 4))
    b.do("exit_group", 0)
    assert run(b).values == [0, 9 << 8]


def test_an_execve_ends_the_events() -> None:
    b = builder()
    b.event(5)
    b.do("close_range", b.control, 0xFFFF_FFFF, linux.CLOSE_RANGE_CLOEXEC)
    b.do("execve", "/bin/sh", b.strings(["sh", "-c", "exit $CODE"]), b.strings(["CODE=42"]))
    outcome = run(b)
    assert (len(outcome.events), outcome.status) == (1, 42)


def test_the_longest_program_runs() -> None:
    b = builder()
    for _ in range(MAX_OPS - 1):
        b.do("getpid")
    b.do("exit_group", 5)
    assert run(b).status == 5


def test_a_path_that_is_looked_up_while_others_are_renamed_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    renames = "import os\nprint(flush=True)\nwhile True: os.rename('x', 'y'); os.rename('y', 'x')"
    (tmp_path / "x").mkdir()
    b = builder()
    root = b.get("openat", linux.AT_FDCWD, str(tmp_path), linux.O_PATH | linux.O_CLOEXEC, 0)
    how = b.open_how(linux.O_PATH | linux.O_CLOEXEC, 0, linux.RESOLVE_IN_ROOT)
    for _ in range(3000):
        b.close(b.get("openat2", root, "one/../two/../one", how, OPEN_HOW_SIZE))
    b.do("exit_group", 0)
    argv = [sys.executable, "-I", "-S", "-c", renames]
    with subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE) as renaming:
        try:
            assert renaming.stdout is not None and renaming.stdout.readline()
            outcome = run(b)
        finally:
            renaming.kill()
    assert (outcome.events, outcome.status) == ([], 0)


@pytest.mark.parametrize(("found", "other"), [(b"abcdefgh", 0), (b"abcdefgi", 1), (b"abcdefg\0", 1), (b"", 1)])
def test_a_jump_may_depend_on_what_is_in_memory(found: bytes, other: int) -> None:
    b = builder()
    place, differs = b.variable(found.ljust(8, b"\0")), Label()
    b.jump_if_other(place, b"abcdefgh", differs)
    b.event(5, 0)
    b.do("exit_group", 0)
    b.place(differs)
    b.event(5, 1)
    b.do("exit_group", 0)
    assert run(b).values == [other]


@pytest.mark.parametrize("number", [0, 7, 10, 4194304, (1 << 64) - 1])
def test_a_number_is_written_in_decimal(number: int) -> None:
    b = builder()
    place = b.variable(b"x" * DIGITS_SIZE)
    register = b.register()
    b.set(register, number - (1 << 64) if number >> 63 else number)
    b.digits(place, register)
    b.event(5, payload=place, size=DIGITS_SIZE)
    b.do("exit_group", 0)
    (event,) = run(b).events
    assert event.payload == (b"%d\0" % number).ljust(DIGITS_SIZE, b"x")


def test_a_program_can_pass_on_the_environment_that_it_was_given(tmp_path: Path) -> None:
    b = builder()
    b.do("execve", "/usr/bin/env", b.strings(["env"]), b.environment)
    program = b.finish()
    image = sealed(program.encoded(), program.scratch, program.architecture)
    try:
        done = subprocess.run(
            [f"/proc/self/fd/{image}"], env={"A": "1", "B": "two"}, pass_fds=[image], capture_output=True
        )
    finally:
        os.close(image)
    assert done.stdout == b"A=1\nB=two\n"
