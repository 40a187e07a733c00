"""The executor as a process: its descriptors, signals and image; and the time stamps of its operations."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from pathlib import Path

import pytest

from orlop.executor.link import Executor
from orlop.plan.clone import STAMPS_SIZE
from orlop.program import linux
from orlop.program.builder import Builder
from orlop.program.encode import encode
from orlop.program.layout import STAMPS_BASE
from orlop.program.ops import Label
from orlop.program.timing import by_field, timed
from tests.executor.programs import Run, builder

pytestmark = pytest.mark.usefixtures("executor")
F_GET_SEALS = 1034
ALL_SEALS = 0xF


def waiting(b: Builder) -> Builder:
    b.event(5)
    b.wait(b.space(8), 8)
    b.do("exit_group", 0)
    return b


def descriptors(pid: int) -> set[int]:
    return {int(name) for name in os.listdir(f"/proc/{pid}/fd")}


def inheritable() -> set[int]:
    found = set()
    for fd in descriptors(os.getpid()):
        try:
            if os.get_inheritable(fd):
                found.add(fd)
        except OSError:
            continue  # the one that listed the others
    return found


@pytest.mark.parametrize("control", [3, 4, 7])
def test_there_are_the_standard_streams_and_the_control_socket(control: int) -> None:
    with Run(waiting(builder(control)).finish()) as running:
        running.event()
        assert descriptors(running.pid) >= {0, 1, 2, control}
        assert os.readlink(f"/proc/{running.pid}/fd/{control}").startswith("socket:")
        assert descriptors(running.pid) - {0, 1, 2, control} <= inheritable()  # what the caller itself left open
        running.answer()
        assert running.status() == 0


def test_wanted_descriptors_get_their_numbers_whatever_theirs_is() -> None:
    made = [os.memfd_create(name) for name in ("one", "two")]
    try:
        # Crossed: each wants the number that the other has.
        inherit = ((made[0], made[1]), (made[1], made[0]))
        with Run(waiting(builder()).finish(), inherit=inherit) as running:
            running.event()
            for source, number in inherit:
                assert os.readlink(f"/proc/{running.pid}/fd/{number}") == os.readlink(f"/proc/self/fd/{source}")
            running.answer()
            assert running.status() == 0
    finally:
        for fd in made:
            os.close(fd)


def test_no_descriptor_of_the_caller_is_left_open() -> None:
    before = descriptors(os.getpid())
    with Run(waiting(builder()).finish()) as running:
        running.event()
        assert len(descriptors(os.getpid()) - before) == 1  # its end of the socket
    assert descriptors(os.getpid()) == before


def test_no_descriptor_is_left_open_when_there_is_no_executor_for_the_machine() -> None:
    before = descriptors(os.getpid())
    program = waiting(builder()).finish()
    program.architecture = "pdp11"
    with pytest.raises(Exception, match=r"init\.pdp11 is missing"):
        Executor(program)
    assert descriptors(os.getpid()) == before


@pytest.mark.parametrize("number", [int(signal.SIGTERM), int(signal.SIGUSR1)])
def test_a_signal_with_the_executors_handler_ends_it_with_128_and_its_number(number: int) -> None:
    b = builder()
    b.do("rt_sigaction", number, b.end_on_signal(), 0, linux.SIGNAL_SET_SIZE)
    with Run(waiting(b).finish()) as running:
        running.event()
        os.kill(running.pid, number)
        assert running.status() == 128 + number


def test_signals_have_their_default_action_and_none_is_blocked() -> None:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        with Run(waiting(builder()).finish()) as running:
            running.event()
            status = Path(f"/proc/{running.pid}/status").read_text().splitlines()
            masks = dict(line.split(":\t") for line in status if line.startswith(("SigBlk", "SigIgn", "SigCgt")))
            reserved = 1 << 31 | 1 << 32  # glibc does not let go of these two
            assert {name: int(mask, 16) & ~reserved for name, mask in masks.items()} == {
                "SigBlk": 0,
                "SigIgn": 0,
                "SigCgt": 0,
            }
    finally:
        signal.signal(signal.SIGUSR1, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def test_the_image_cannot_be_changed() -> None:
    with Run(waiting(builder()).finish()) as running:
        running.event()
        exe = f"/proc/{running.pid}/exe"
        with pytest.raises(OSError) as refused:
            os.open(exe, os.O_WRONLY)
        assert refused.value.errno in (errno.ETXTBSY, errno.EPERM)
        fd = os.open(exe, os.O_RDONLY)
        try:
            assert fcntl.fcntl(fd, F_GET_SEALS) & ALL_SEALS == ALL_SEALS
            assert os.fstat(fd).st_size < 16 * 1024 + 64 * 1024  # a page boundary, and what little there is
        finally:
            os.close(fd)


def test_the_environment_and_the_arguments_of_the_caller_are_not_passed_on() -> None:
    with Run(waiting(builder()).finish()) as running:
        running.event()
        assert Path(f"/proc/{running.pid}/environ").read_bytes() == b""
        assert Path(f"/proc/{running.pid}/cmdline").read_bytes() == b"orlop\0init\0"


def test_stamps_tell_when_each_operation_was_done() -> None:
    number = 10
    b = builder()
    access, shared = linux.PROT_READ | linux.PROT_WRITE, linux.MAP_SHARED | linux.MAP_FIXED
    b.do("mmap", STAMPS_BASE, STAMPS_SIZE, access, shared, number, 0)
    over = Label()
    b.purpose("first")
    b.do("getpid")
    b.jump(over)
    b.do("getpid")
    b.place(over)
    b.purpose("second")
    b.do("getpid")
    b.do("exit_group", 0)
    program = b.finish()
    stamps = os.memfd_create("stamps")
    try:
        os.ftruncate(stamps, STAMPS_SIZE)
        encoded = encode(program, stamped=True)
        with Run(program, inherit=((stamps, number),), encoded=encoded) as running:
            assert running.events() == []
            assert running.status() == 0
        found = timed(program, os.pread(stamps, STAMPS_SIZE, 0))
    finally:
        os.close(stamps)
    # The map itself has no place to be stamped in yet, and nothing comes after exit_group.
    assert [step.index for step in found] == [2, 4]
    assert all(step.nanoseconds >= 0 for step in found)
    assert [(field, count) for field, count, _spent in by_field(found)] == [("first", 1), ("second", 1)]
