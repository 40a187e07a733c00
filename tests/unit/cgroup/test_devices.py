"""Device rules, from the config to lines and to the filter's instructions."""

from __future__ import annotations

import itertools

import pytest

from orlop.cgroup import device_program, devices
from orlop.cgroup.devices import ALL, MKNOD, READ, WRITE, Policy
from orlop.errors import ConfigError

DENY_ALL: dict[str, object] = {"allow": False, "access": "rwm"}


def _policy(*rules: dict[str, object]) -> Policy:
    return devices.policy({"devices": list(rules)})


def test_without_rules_only_the_default_devices_are_allowed() -> None:
    policy = devices.policy(None)
    assert not policy.allow
    assert policy.allows(("c", 1, 3), ALL)
    assert policy.allows(("c", 136, 7), READ | WRITE)
    assert policy.allows(("b", 8, 0), MKNOD)
    assert not policy.allows(("b", 8, 0), READ)
    assert not policy.allows(("c", 1, 11), READ)
    assert policy.exceptions == _policy(DENY_ALL).exceptions


def test_defaults_come_after_the_rules_so_that_none_can_take_them_away() -> None:
    policy = _policy({"allow": False, "type": "c", "major": 1, "minor": 3, "access": "rwm"})
    assert policy.allows(("c", 1, 3), ALL)


def test_a_device_of_the_config_replaces_the_default_of_the_same_path() -> None:
    assert not devices.policy(None, {"/dev/null"}).allows(("c", 1, 3), READ)


def test_later_rules_win() -> None:
    fuse = {"type": "c", "major": 10, "minor": 229}
    policy = _policy(DENY_ALL, {"allow": True, "access": "rw", **fuse}, {"allow": False, "access": "w", **fuse})
    assert policy.allows(("c", 10, 229), READ)
    assert not policy.allows(("c", 10, 229), WRITE)
    assert _policy({"allow": True, "access": "r", **fuse}, DENY_ALL).exceptions == devices.policy(None).exceptions


def test_the_letter_a_among_the_accesses_is_passed_over_as_by_runc() -> None:
    rule = {"allow": True, "type": "c", "major": 10, "minor": 229}
    both = [_policy({**rule, "access": access}) for access in ("rwa", "rw")]
    assert both[0].exceptions == both[1].exceptions


def test_allowing_all_keeps_single_denials() -> None:
    policy = _policy({"allow": True, "access": "rwm"}, {"allow": False, "type": "b", "major": 8, "access": "w"})
    assert policy.allows(("c", 1, 11), ALL)
    assert policy.allows(("b", 8, 0), READ)
    assert not policy.allows(("b", 8, 0), READ | WRITE)


def test_a_hole_in_a_wildcard_is_refused_as_the_kernel_would_ignore_it() -> None:
    with pytest.raises(ConfigError, match=r"^linux\.resources\.devices: cannot except c 10:229 rw .* c 10:\* rwm$"):
        _policy(
            {"allow": True, "type": "c", "major": 10, "access": "rwm"},
            {"allow": False, "type": "c", "major": 10, "minor": 229, "access": "rw"},
        )


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"allow": True, "type": "c"}, r"\[0\]\.access: device access at 0 field cannot be empty"),
        ({"allow": True, "type": "x", "access": "r"}, r'\[0\]\.type: invalid cgroup device type "x"'),
        ({"allow": True, "access": "rx"}, r'\[0\]\.access: unknown device access "x"'),
        ({"allow": True, "type": "c", "major": 1 << 32, "access": "r"}, r"\[0\]\.major: invalid major 4294967296"),
        ({"allow": True, "type": "c", "minor": -2, "access": "r"}, r"\[0\]\.minor: invalid minor -2"),
        ("c", r"\[0\]: expected an object"),
    ],
)
def test_a_wrong_rule_is_named_by_its_index(rule: object, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^linux\.resources\.devices{message}$"):
        devices.policy({"devices": [rule]})


def test_a_new_cgroup_is_closed_first_and_then_opened_line_by_line() -> None:
    lines = devices.by_file(devices.transition(Policy(allow=True), devices.policy(None)))
    assert lines == [
        ("devices.deny", ["a"]),
        (
            "devices.allow",
            [
                "b *:* m",
                "c *:* m",
                "c 1:3 rwm",
                "c 1:5 rwm",
                "c 1:7 rwm",
                "c 1:8 rwm",
                "c 1:9 rwm",
                "c 5:0 rwm",
                "c 5:2 rwm",
                "c 10:200 rwm",
                "c 136:* rwm",
            ],
        ),
    ]


def test_a_living_cgroup_gets_only_the_difference() -> None:
    current = devices.parse_list("c 1:3 rwm\nc 10:229 rw\nb *:* m\n")
    target = devices.parse_list("c 1:3 rwm\nc 10:229 r\nc 5:1 rw\nb *:* m\n")
    assert devices.transition(current, target) == [(False, "c 10:229 w"), (True, "c 5:1 rw")]
    assert devices.transition(target, target) == []


def test_a_list_that_allows_all_is_read_as_such() -> None:
    assert devices.parse_list("a *:* rwm\n").allow


POLICIES = [
    devices.policy(None),
    Policy(),
    Policy(allow=True),
    _policy(DENY_ALL, {"allow": True, "type": "b", "major": 8, "access": "r"}),
    _policy({"allow": True, "access": "rwm"}, {"allow": False, "type": "b", "major": 8, "access": "w"}),
    _policy({"allow": True, "type": "c", "minor": 3, "access": "rw"}),
    _policy({"allow": True, "type": "c", "major": 0xFFFFFFFF, "minor": 0xFFFFFFFF, "access": "rwm"}),
]


@pytest.mark.parametrize("policy", POLICIES)
def test_the_filter_decides_as_the_policy_does(policy: Policy) -> None:
    code = device_program.program(policy)
    numbers = (0, 1, 3, 5, 8, 136, 200, 0xFFFFFFFF)
    for kind, major, minor, access in itertools.product("bc", numbers, numbers, range(1, 8)):
        context = [access << 16 | "_bc".index(kind), major, minor]
        assert _run(code, context) == policy.allows((kind, major, minor), access), (kind, major, minor, access)


def test_the_filter_is_described_in_the_words_of_the_verifier() -> None:
    policy = Policy()
    policy.apply(True, ("c", 1, devices.ANY), READ)
    assert device_program.describe(device_program.program(policy)) == (
        "  0: r2 = *(u32 *)(r1 +0)\n"
        "  1: w2 &= 65535\n"
        "  2: r3 = *(u32 *)(r1 +0)\n"
        "  3: w3 >>= 16\n"
        "  4: r4 = *(u32 *)(r1 +4)\n"
        "  5: r5 = *(u32 *)(r1 +8)\n"
        "  6: if w2 != 2 goto 13\n"
        "  7: w1 = w3\n"
        "  8: w1 &= 2\n"
        "  9: if w1 != w3 goto 13\n"
        " 10: if w4 != 1 goto 13\n"
        " 11: w0 = 1\n"
        " 12: exit\n"
        " 13: w0 = 0\n"
        " 14: exit"
    )


def test_an_unknown_instruction_is_described_as_such() -> None:
    assert device_program.describe(b"\xff" + bytes(7)) == "  0: unknown opcode 0xff"


def _run(code: bytes, context: list[int]) -> bool:
    """Run a filter as the kernel would."""
    registers = [0] * 11
    program = list(device_program.instructions(code))
    at = 0
    while True:
        opcode, target, source, offset, immediate = program[at]
        at += 1
        if opcode == device_program.LOAD:
            registers[target] = context[offset // 4]
        elif opcode == device_program.AND:
            registers[target] &= immediate
        elif opcode == device_program.SHIFT_RIGHT:
            registers[target] >>= immediate
        elif opcode == device_program.MOVE:
            registers[target] = immediate
        elif opcode == device_program.MOVE_REGISTER:
            registers[target] = registers[source]
        elif opcode == device_program.JUMP_EQUAL:
            at += offset if registers[target] == immediate else 0
        elif opcode == device_program.JUMP_NOT_EQUAL:
            at += offset if registers[target] != immediate else 0
        elif opcode == device_program.JUMP_NOT_EQUAL_REGISTER:
            at += offset if registers[target] != registers[source] else 0
        else:
            assert opcode == device_program.EXIT
            return bool(registers[0])
