"""A program that is damaged is refused before its first operation: one event with ENOEXEC, status 1."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable
from errno import ENOEXEC
from pathlib import Path

import pytest

from orlop.plan.container import container_program
from orlop.plan.facts import Facts, Request
from orlop.program.encode import encode
from orlop.program.layout import (
    EVENT,
    HEADER,
    HEADER_SIZE,
    KINDS,
    LOAD,
    OP_SIZE,
    POLICIES,
    PROGRAM_BASE,
    REGISTERS,
    SCRATCH_BASE,
    SET,
    STORE,
    WAIT,
)
from orlop.program.ops import Program
from orlop.spec.template import default
from tests.executor.programs import ROOT, Run, builder

SCRATCH = 64
Damage = Callable[[bytearray], None]


def sample() -> Program:
    """Three operations, of which the second is the one to be damaged."""
    b = builder()
    b.variable(bytes(64))
    b.space(SCRATCH)
    b.do("getpid")
    b.do("getpid")
    b.do("exit_group", 0)
    return b.finish()


OPS_AT = struct.unpack_from(HEADER, encode(sample()))[3]
SECOND = OPS_AT + OP_SIZE
SIZE = len(encode(sample()))


def header(offset: int, value: int) -> Damage:
    return lambda data: struct.pack_into("<I", data, offset, value)


def byte(offset: int, value: int) -> Damage:
    return lambda data: struct.pack_into("<B", data, SECOND + offset, value)


def operation(kind: int, *args: int, registers: int = 0) -> Damage:
    def damage(data: bytearray) -> None:
        values = [value & 0xFFFF_FFFF_FFFF_FFFF for value in (*args, *[0] * (6 - len(args)))]
        struct.pack_into("<BBBBI6Q", data, SECOND, kind, 0xFF, registers, 0, 0, *values)

    return damage


def jump(target: int) -> Damage:
    def damage(data: bytearray) -> None:
        struct.pack_into("<BBBB", data, SECOND, SET, 0xFF, 0, 1)
        struct.pack_into("<HH", data, SECOND + 56, 0xFFFD, target)

    return damage


HEADERS = {
    "another magic": header(0, 0x464C457F),
    "another version": header(4, 2),
    "no operations": header(8, 0),
    "more operations than there is room": header(8, 4),
    "more operations than any program has": header(8, 0x10000),
    "operations that are not aligned": header(12, OPS_AT + 4),
    "operations in the header": header(12, 8),
    "operations behind the end": header(12, SIZE + 8),
    "a size without room for the header": header(16, 32),
}
OPERATIONS = {
    "an unknown kind": byte(0, len(KINDS)),
    "too many policies": byte(3, POLICIES + 1),
    "a result in no register": byte(1, REGISTERS),
    "an argument in no register": operation(SET, REGISTERS, registers=1),
    "a huge number of a register": operation(SET, -1, registers=1),
    "a jump backwards": jump(0),
    "a jump to itself": jump(1),
    "a jump behind the end": jump(3),
    "a load below the program": operation(LOAD, PROGRAM_BASE - 8, 8),
    "a load behind the program": operation(LOAD, PROGRAM_BASE + SIZE, 8),
    "a load that leaves the scratch memory": operation(LOAD, SCRATCH_BASE + SCRATCH - 4, 8),
    "a load at an address that wraps": operation(LOAD, -8, 8),
    "a load that is not aligned": operation(LOAD, PROGRAM_BASE + HEADER_SIZE + 2, 4),
    "a load of another width": operation(LOAD, PROGRAM_BASE + HEADER_SIZE, 2),
    "a load of no width": operation(LOAD, PROGRAM_BASE + HEADER_SIZE, 0),
    "a load from a register": operation(LOAD, 0, 8, registers=1),
    "a load of a width in a register": operation(LOAD, PROGRAM_BASE + HEADER_SIZE, 0, registers=2),
    "a store into the header": operation(STORE, PROGRAM_BASE + 8, 4, 1),
    "a store into the operations": operation(STORE, PROGRAM_BASE + OPS_AT, 8, 1),
    "a store across the end of the data": operation(STORE, PROGRAM_BASE + OPS_AT - 4, 8, 1),
    "a store behind the scratch memory": operation(STORE, SCRATCH_BASE + SCRATCH, 8, 1),
    "an answer into the operations": operation(WAIT, PROGRAM_BASE + OPS_AT, 8),
    "an answer that is longer than its place": operation(WAIT, SCRATCH_BASE, SCRATCH + 1),
    "an answer of a size in a register": operation(WAIT, SCRATCH_BASE, 0, registers=2),
    "a payload of the executor itself": operation(EVENT, 1, 0, 0x400000, 8, -1, -1),
    "a payload in a register": operation(EVENT, 1, 0, 0, 8, -1, -1, registers=4),
}


def refusal(damage: Damage) -> tuple[int, int]:
    program = sample()
    encoded = bytearray(encode(program))
    damage(encoded)
    with Run(program, encoded=bytes(encoded)) as running:
        (event,) = running.events()
        assert running.status() == 1
        assert (event.kind, event.value) == (0, ENOEXEC)
        return event.op, event.value


@pytest.mark.usefixtures("executor")
class TestRefusals:
    def test_the_sample_is_not_damaged(self) -> None:
        with Run(sample()) as running:
            assert running.events() == []
            assert running.status() == 0

    @pytest.mark.parametrize("name", HEADERS)
    def test_a_header_is_refused_with(self, name: str) -> None:
        assert refusal(HEADERS[name]) == (0, ENOEXEC)

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_an_operation_is_refused_that_is(self, name: str) -> None:
        assert refusal(OPERATIONS[name]) == (1, ENOEXEC)

    @pytest.mark.parametrize("control", [-1, 1000])
    def test_without_a_control_socket_nothing_happens(self, control: int) -> None:
        program = sample()
        encoded = bytearray(encode(program))
        struct.pack_into("<Ii", encoded, 0, 0, 1)
        struct.pack_into("<i", encoded, 32, control)
        with Run(program, encoded=bytes(encoded)) as running:
            assert running.events() == []
            assert running.status() == 1


ROUNDS = 100_000


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("fuzz") / "fuzz"
    command = "gcc -std=gnu11 -O1 -g -Wall -Wextra -Werror -DORLOP_HOSTED -fsanitize=address,undefined"
    places = f"-fno-sanitize-recover=all -I {ROOT}/orlop/executor {ROOT}/tests/executor/fuzz.c -o {output}"
    subprocess.run([*command.split(), *places.split()], check=True)
    return output


@pytest.mark.parametrize("seed", [int(word) for word in os.environ.get("ORLOP_FUZZ_SEEDS", "1 2 3").split()])
def test_no_damage_gets_past_the_sanitizers(fuzzer: Path, tmp_path: Path, seed: int) -> None:
    """More: ORLOP_FUZZ_SEEDS="4 5 6" python3 -m pytest tests/executor -k sanitizers"""
    programs = {
        "sample": encode(sample()),
        "container": encode(container_program(default(cgroup2=True), Facts(unified=True), Request(fifo="/fifo"))),
        "stamped": encode(sample(), stamped=True),
    }
    for name, data in programs.items():
        (tmp_path / name).write_bytes(data)
    done = subprocess.run(
        [fuzzer, str(seed), str(ROUNDS), *(tmp_path / name for name in programs)],
        env={"ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # All three ends were met, so that the damage is neither too small nor too large to tell anything.
    counts = [int(part.split()[0]) for part in done.stdout.split(",")]
    assert sum(counts) == ROUNDS
    assert min(counts) > ROUNDS / 50, done.stdout
