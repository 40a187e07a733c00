from __future__ import annotations

from errno import ENOSYS

import pytest

from orlop.host.seccomp_stub import ARCH_X32, ARCH_X86_64, X32_BIT, stub
from tests.unit.host import bpf

FILTER = (0x06).to_bytes(2, "little") + b"\0\0" + bpf.ALLOW.to_bytes(4, "little")
REFUSED = bpf.errno(ENOSYS)


def ask(highest: dict[int, int], number: int, arch: int) -> int:
    return bpf.judge(stub(highest) + FILTER, number, arch=arch)


@pytest.mark.parametrize("arch", [bpf.X86_64, bpf.X86, bpf.AARCH64])
@pytest.mark.parametrize(("number", "expected"), [(0, bpf.ALLOW), (300, bpf.ALLOW), (301, REFUSED), (0x7FFF, REFUSED)])
def test_only_numbers_above_the_highest_of_their_architecture_are_refused(
    arch: int, number: int, expected: int
) -> None:
    others = {bpf.X86_64: 10, bpf.X86: 10, bpf.AARCH64: 10}
    assert ask({**others, arch: 300}, number, arch) == expected


def test_an_architecture_that_the_profile_does_not_name_is_left_to_the_filter() -> None:
    assert ask({bpf.X86_64: 3}, 4000, bpf.AARCH64) == bpf.ALLOW


def test_without_x32_in_the_profile_its_calls_are_left_to_the_filter() -> None:
    assert ask({ARCH_X86_64: 3}, X32_BIT | 4000, bpf.X86_64) == bpf.ALLOW


@pytest.mark.parametrize("bit", [0, X32_BIT])
def test_x32_has_a_highest_number_of_its_own(bit: int) -> None:
    highest = {ARCH_X86_64: 300, bpf.X86: 10, ARCH_X32: bit | 500}
    assert ask(highest, X32_BIT | 500, bpf.X86_64) == bpf.ALLOW
    assert ask(highest, X32_BIT | 501, bpf.X86_64) == REFUSED
    assert ask(highest, 301, bpf.X86_64) == REFUSED
    assert ask(highest, 11, bpf.X86) == REFUSED


def test_a_profile_that_names_nothing_has_no_stub() -> None:
    assert stub({}) == b""
