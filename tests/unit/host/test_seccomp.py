"""What libseccomp makes of a profile, asked call by call.  Needs the library; nothing is loaded into the kernel."""

from __future__ import annotations

import platform
from collections.abc import Callable
from errno import ENOSYS, EPERM

import pytest

from orlop.errors import ConfigError, OrlopError
from orlop.host.seccomp import Library, compile_filter
from orlop.host.seccomp_cache import INSTRUCTION
from orlop.spec.types import Seccomp, SeccompArgument, SeccompRule
from tests.system.seccomp_profile import engine_profile
from tests.unit.host import bpf

try:
    LIBRARY = Library()
except OrlopError as error:
    pytest.skip(str(error), allow_module_level=True)
if platform.machine() != "x86_64":
    pytest.skip("the numbers are those of x86-64", allow_module_level=True)

READ, WRITE, MKDIR, PERSONALITY, OPENAT2, LANDLOCK = 0, 1, 83, 135, 437, 444


def rule(action: str, *names: str, **more: object) -> SeccompRule:
    return {"names": list(names), "action": action, **more}  # type: ignore[typeddict-item]


def profile(*rules: SeccompRule, default: str = "SCMP_ACT_ALLOW", **more: object) -> Seccomp:
    return {"defaultAction": default, "syscalls": list(rules), **more}  # type: ignore[typeddict-item]


class Judge:
    """The filter of a profile, to be asked."""

    def __init__(self, wanted: Seccomp) -> None:
        self.program = compile_filter(wanted, LIBRARY)

    def __call__(self, number: int, *args: int, arch: int = bpf.X86_64) -> int:
        return bpf.judge(self.program, number, *args, arch=arch)


@pytest.mark.parametrize(
    ("action", "value"),
    [
        ("SCMP_ACT_KILL", bpf.KILL_THREAD),
        ("SCMP_ACT_KILL_THREAD", bpf.KILL_THREAD),
        ("SCMP_ACT_KILL_PROCESS", bpf.KILL_PROCESS),
        ("SCMP_ACT_TRAP", bpf.TRAP),
        ("SCMP_ACT_ERRNO", bpf.errno(EPERM)),
        ("SCMP_ACT_TRACE", bpf.trace(EPERM)),
        ("SCMP_ACT_LOG", bpf.LOG),
    ],
)
def test_every_action_reaches_the_filter(action: str, value: int) -> None:
    asked = Judge(profile(rule(action, "mkdir")))
    assert asked(MKDIR) == value
    assert asked(READ) == bpf.ALLOW


@pytest.mark.parametrize(("action", "made"), [("SCMP_ACT_ERRNO", bpf.errno), ("SCMP_ACT_TRACE", bpf.trace)])
def test_an_errno_is_that_of_the_rule_or_of_the_default(action: str, made: Callable[[int], int]) -> None:
    assert Judge(profile(rule(action, "mkdir", errnoRet=38)))(MKDIR) == made(38)
    assert Judge(profile(rule("SCMP_ACT_ALLOW", "reboot"), default=action, defaultErrnoRet=5))(MKDIR) == made(5)


def test_an_errno_that_the_kernel_has_not_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"linux.seccomp.syscalls\[0\].errnoRet: must be from 0 to 4095 .* not 4096"):
        compile_filter(profile(rule("SCMP_ACT_ERRNO", "mkdir", errnoRet=4096)), LIBRARY)


@pytest.mark.parametrize(
    ("operator", "matching", "other"),
    [
        ("SCMP_CMP_EQ", (8,), (7, 9)),
        ("SCMP_CMP_NE", (7, 9), (8,)),
        ("SCMP_CMP_LT", (7,), (8, 9)),
        ("SCMP_CMP_LE", (7, 8), (9,)),
        ("SCMP_CMP_GE", (8, 9), (7,)),
        ("SCMP_CMP_GT", (9, 1 << 40), (8, 7)),
    ],
)
def test_every_operator_compares_as_it_says(operator: str, matching: tuple[int, ...], other: tuple[int, ...]) -> None:
    condition = {"index": 0, "value": 8, "op": operator}
    asked = Judge(profile(rule("SCMP_ACT_ERRNO", "personality", args=[condition])))
    assert {asked(PERSONALITY, value) for value in matching} == {bpf.errno(EPERM)}
    assert {asked(PERSONALITY, value) for value in other} == {bpf.ALLOW}


def test_masked_eq_takes_the_mask_first() -> None:
    condition = {"index": 0, "value": 0xF0, "valueTwo": 0x30, "op": "SCMP_CMP_MASKED_EQ"}
    asked = Judge(profile(rule("SCMP_ACT_ERRNO", "personality", args=[condition])))
    assert asked(PERSONALITY, 0x3F) == bpf.errno(EPERM)
    assert asked(PERSONALITY, 0x4F) == bpf.ALLOW


def conditions(*rows: tuple[int, int]) -> list[SeccompArgument]:
    return [{"index": index, "value": value, "op": "SCMP_CMP_EQ"} for index, value in rows]


def test_conditions_on_different_arguments_must_all_hold() -> None:
    asked = Judge(profile(rule("SCMP_ACT_ERRNO", "read", args=conditions((0, 5), (2, 7)))))
    assert asked(READ, 5, 0, 7) == bpf.errno(EPERM)
    assert asked(READ, 5, 0, 8) == bpf.ALLOW


def test_of_several_conditions_on_one_argument_one_must_hold() -> None:
    asked = Judge(profile(rule("SCMP_ACT_ERRNO", "read", args=conditions((0, 5), (0, 6)))))
    assert asked(READ, 5) == asked(READ, 6) == bpf.errno(EPERM)
    assert asked(READ, 7) == bpf.ALLOW


def test_an_unknown_system_call_is_ignored() -> None:
    asked = Judge(profile(rule("SCMP_ACT_ERRNO", "no_such_call", "größe", "\ud800", "read\0", "", "mkdir")))
    assert (asked(MKDIR), asked(READ)) == (bpf.errno(EPERM), bpf.ALLOW)


def test_a_rule_that_says_what_the_default_says_is_skipped() -> None:
    asked = Judge(profile(rule("SCMP_ACT_ALLOW", "read"), rule("SCMP_ACT_ERRNO", "mkdir")))
    assert asked(READ) == bpf.ALLOW
    assert asked(MKDIR) == bpf.errno(EPERM)


def test_rules_that_contradict_each_other_are_refused() -> None:
    args = conditions((0, 5))
    with pytest.raises(
        ConfigError, match=r"syscalls\[1\]: libseccomp refuses the rule for read: file exists"
    ) as caught:
        compile_filter(
            profile(rule("SCMP_ACT_ERRNO", "read", args=args), rule("SCMP_ACT_LOG", "read", args=args)), LIBRARY
        )
    assert "another action" in str(caught.value.hint)


@pytest.mark.parametrize("default", ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"])
def test_system_calls_newer_than_the_profile_are_unknown(default: str) -> None:
    asked = Judge(profile(rule("SCMP_ACT_ALLOW", "read", "openat2"), default=default))
    assert asked(OPENAT2) == bpf.ALLOW
    assert asked(WRITE) != bpf.errno(ENOSYS)
    assert asked(LANDLOCK) == bpf.errno(ENOSYS)


@pytest.mark.parametrize("default", ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"])
def test_a_default_that_lets_calls_happen_needs_no_stub(default: str) -> None:
    asked = Judge(profile(rule("SCMP_ACT_KILL", "mkdir"), default=default))
    assert asked(LANDLOCK) != bpf.errno(ENOSYS)


def test_the_native_architecture_need_not_be_named() -> None:
    asked = Judge(profile(rule("SCMP_ACT_ERRNO", "mkdir"), architectures=["SCMP_ARCH_X86", "SCMP_ARCH_X86_64"]))
    assert asked(MKDIR) == bpf.errno(EPERM)
    assert asked(39, arch=bpf.X86) == bpf.errno(EPERM)
    assert asked(39, arch=bpf.AARCH64) == bpf.KILL_THREAD


def test_a_foreign_architecture_is_killed() -> None:
    assert Judge(profile(rule("SCMP_ACT_ERRNO", "mkdir")))(39, arch=bpf.X86) == bpf.KILL_THREAD


def test_an_architecture_of_the_other_byte_order_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"linux.seccomp.architectures\[0\]: libseccomp refuses SCMP_ARCH_S390"
    ) as caught:
        compile_filter(profile(architectures=["SCMP_ARCH_S390"]), LIBRARY)
    assert "byte order" in str(caught.value.hint)


def test_a_rule_asks_the_agent() -> None:
    asked = Judge(profile(rule("SCMP_ACT_NOTIFY", "mkdir")))
    assert (asked(MKDIR), asked(READ)) == (bpf.NOTIFY, bpf.ALLOW)


def test_the_profile_of_an_engine_does_what_it_says() -> None:
    wanted: Seccomp = engine_profile()  # type: ignore[assignment]
    program = compile_filter(wanted, LIBRARY)
    assert len(program) // INSTRUCTION < 2000
    expected = {
        (READ,): bpf.ALLOW,
        (PERSONALITY, 8): bpf.ALLOW,
        (PERSONALITY, 1): bpf.errno(EPERM),
        (56, 0x11): bpf.ALLOW,  # clone
        (56, 0x10000000): bpf.errno(EPERM),  # of a user namespace
        (435,): bpf.errno(ENOSYS),  # clone3
        (41, 1): bpf.ALLOW,  # socket
        (41, 40): bpf.errno(EPERM),  # of the host's side of a virtual machine
        (165,): bpf.errno(EPERM),  # mount
        (9999,): bpf.errno(ENOSYS),
    }
    assert {call: bpf.judge(program, *call) for call in expected} == expected


def test_a_binary_tree_gives_the_answers_of_the_list() -> None:
    names = ["read", "write", "openat2", "mkdir", "personality"]
    few = compile_filter(profile(rule("SCMP_ACT_ERRNO", *names)), LIBRARY)
    many = compile_filter(profile(rule("SCMP_ACT_ERRNO", *names * 8)), LIBRARY)
    for number in range(460):
        assert bpf.judge(few, number) == bpf.judge(many, number)


def test_a_filter_that_the_kernel_would_not_take_is_refused() -> None:
    rules = [rule("SCMP_ACT_ERRNO", "read", args=conditions((0, value))) for value in range(4200)]
    with pytest.raises(ConfigError, match=r"linux.seccomp: the filter has \d+ instructions, and .* at most 4096"):
        compile_filter(profile(*rules), LIBRARY)
