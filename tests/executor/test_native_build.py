"""The built executor: small, static, without a libc; its header made from the layout; and that on AArch64."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orlop.executor import image
from orlop.executor.header import header
from orlop.program import linux
from orlop.program.builder import Builder
from orlop.program.encode import encode
from orlop.program.layout import EVENT_HEAD, EVENT_HEAD_SIZE, PROGRAM_BASE, SCRATCH_BASE
from tests.executor.programs import ROOT, builder

PT_LOAD, PT_GNU_STACK = 1, 0x6474E551
EXECUTABLE, WRITABLE = 1, 2
ET_EXEC = 2
MACHINES = {"x86_64": 62, "aarch64": 183}
LIMIT = 8 * 1024


class Segment:
    def __init__(self, fields: tuple[int, ...]) -> None:
        self.kind, self.flags, self.offset, self.address, _physical, self.size, self.memory, _align = fields


def segments(data: bytes) -> Iterator[Segment]:
    start, count = int.from_bytes(data[32:40], "little"), int.from_bytes(data[56:58], "little")
    for index in range(count):
        yield Segment(struct.unpack_from("<IIQQQQQQ", data, start + 56 * index))


def test_the_header_is_the_one_that_the_layout_gives() -> None:
    hint = "python3 -m orlop.executor.header > orlop/executor/init.h"
    assert (ROOT / "orlop" / "executor" / "init.h").read_text() == header(), hint


def check(file: Path, machine: str) -> None:
    data = file.read_bytes()
    kind, number = struct.unpack_from("<HH", data, 16)
    assert (kind, number) == (ET_EXEC, MACHINES[machine])
    found = list(segments(data))
    # No interpreter, no dynamic section, no thread-local storage: nothing for a loader or a libc to do.
    assert {each.kind for each in found} == {PT_LOAD, PT_GNU_STACK}
    text = [each for each in found if each.flags & EXECUTABLE]
    assert len(text) == 1
    assert text[0].size < LIMIT
    assert not any(each.flags & EXECUTABLE and each.flags & WRITABLE for each in found)
    assert {PROGRAM_BASE, SCRATCH_BASE} <= {each.address for each in found}


def test_the_executor_is_static_and_small(executor_file: Path) -> None:
    check(executor_file, os.uname().machine)


def test_it_is_that_for_aarch64_too(aarch64_file: Path) -> None:
    check(aarch64_file, "aarch64")


@contextmanager
def emulated(
    file: Path, make: Callable[[Builder], None], tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A program that runs on an emulated AArch64, and the supervisor's end of its control socket."""
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if emulator is None:
        pytest.skip("needs qemu-aarch64-static")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with pytest.MonkeyPatch.context() as patch, ours, theirs:
        patch.setitem(image._templates, "aarch64", image._Template(file.read_bytes()))
        ours.settimeout(30)
        b = builder(theirs.fileno(), "aarch64")
        make(b)
        program = b.finish()
        sealed = image.sealed(encode(program), program.scratch, "aarch64")
        executable = tmp_path / "image"
        try:
            executable.write_bytes(os.pread(sealed, 1 << 20, 0))
        finally:
            os.close(sealed)
        executable.chmod(0o755)
        with subprocess.Popen([emulator, executable], pass_fds=(theirs.fileno(),)) as running:
            yield running, ours


def test_a_program_runs_on_aarch64(aarch64_file: Path, tmp_path: Path) -> None:
    def make(b: Builder) -> None:
        place = b.space(16)
        b.event(5, 77, payload=b.constant(b"aarch64"), size=7)
        b.wait(place, 16)
        b.event(6, b.load(place, 4))
        b.fail(2)

    with emulated(aarch64_file, make, tmp_path) as (running, ours):
        first = ours.recv(1000)
        assert struct.unpack_from(EVENT_HEAD, first) == (5, 0, 77)
        assert first[EVENT_HEAD_SIZE:] == b"aarch64"
        ours.send((-9).to_bytes(4, "little", signed=True))
        assert struct.unpack(EVENT_HEAD, ours.recv(1000)) == (6, 3, -9)
        assert struct.unpack(EVENT_HEAD, ours.recv(1000)) == (0, 4, 2)
        assert running.wait(30) == 1


def test_the_handler_of_signals_works_on_aarch64(aarch64_file: Path, tmp_path: Path) -> None:
    def make(b: Builder) -> None:
        b.do("rt_sigaction", linux.SIGTERM, b.end_on_signal(), 0, linux.SIGNAL_SET_SIZE)
        b.event(5)
        b.wait(b.space(8), 8)
        b.do("exit_group", 0)

    with emulated(aarch64_file, make, tmp_path) as (running, ours):
        assert struct.unpack(EVENT_HEAD, ours.recv(1000)) == (5, 1, 0)
        running.send_signal(linux.SIGTERM)
        assert running.wait(30) == 128 + linux.SIGTERM
