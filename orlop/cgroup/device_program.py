"""The device filter of cgroup version 2: a BPF_PROG_TYPE_CGROUP_DEVICE program made from a policy.

The kernel runs it for each open and mknod of a device, with `struct bpf_cgroup_dev_ctx` in r1; it returns 1 to allow.
Instructions are those of linux/bpf.h, eight bytes each: opcode, registers (source << 4 | destination), offset,
immediate.  Both architectures are little-endian.
"""

from __future__ import annotations

from orlop.cgroup.devices import ALL, ANY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.cgroup.devices import Policy

# Opcodes: class | mode or operation | source.  The jumps compare 32 bits (kernel 5.1), as majors and minors have them.
LOAD = 0x61  # BPF_LDX | BPF_MEM | BPF_W
AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
SHIFT_RIGHT = 0x74  # BPF_ALU | BPF_RSH | BPF_K
MOVE = 0xB4  # BPF_ALU | BPF_MOV | BPF_K
MOVE_REGISTER = 0xBC  # BPF_ALU | BPF_MOV | BPF_X
JUMP_EQUAL = 0x16  # BPF_JMP32 | BPF_JEQ | BPF_K
JUMP_NOT_EQUAL = 0x56  # BPF_JMP32 | BPF_JNE | BPF_K
JUMP_NOT_EQUAL_REGISTER = 0x5E  # BPF_JMP32 | BPF_JNE | BPF_X
EXIT = 0x95  # BPF_JMP | BPF_EXIT

_JUMPS = (JUMP_EQUAL, JUMP_NOT_EQUAL, JUMP_NOT_EQUAL_REGISTER)

_TEXTS = {
    LOAD: "r{target} = *(u32 *)(r{source} +{offset})",
    AND: "w{target} &= {immediate}",
    SHIFT_RIGHT: "w{target} >>= {immediate}",
    MOVE: "w{target} = {immediate}",
    MOVE_REGISTER: "w{target} = w{source}",
    JUMP_EQUAL: "if w{target} == {immediate} goto {goto}",
    JUMP_NOT_EQUAL: "if w{target} != {immediate} goto {goto}",
    JUMP_NOT_EQUAL_REGISTER: "if w{target} != w{source} goto {goto}",
    EXIT: "exit",
}

_TYPES = {"b": 1, "c": 2}  # BPF_DEVCG_DEV_*

# r1 is scratch once these are loaded.
_TYPE, _ACCESS, _MAJOR, _MINOR = 2, 3, 4, 5

_PROLOGUE = (
    (LOAD, _TYPE, 1, 0, 0),  # u32 access_type: access << 16 | type
    (AND, _TYPE, 0, 0, 0xFFFF),
    (LOAD, _ACCESS, 1, 0, 0),
    (SHIFT_RIGHT, _ACCESS, 0, 0, 16),
    (LOAD, _MAJOR, 1, 4, 0),  # u32 major
    (LOAD, _MINOR, 1, 8, 0),  # u32 minor
)


def program(policy: Policy) -> bytes:
    """Return the instructions that decide as the policy does."""
    code = [_instruction(*each) for each in _PROLOGUE]
    for (kind, major, minor), access in policy.sorted():
        tests = [(JUMP_NOT_EQUAL, _TYPE, 0, _TYPES[kind])]
        if access != ALL:
            tests += [(MOVE_REGISTER, 1, _ACCESS, 0), (AND, 1, 0, access)]
            # An exception that allows must cover all that is asked for; one that denies, any of it (as in version 1).
            tests.append((JUMP_EQUAL, 1, 0, 0) if policy.allow else (JUMP_NOT_EQUAL_REGISTER, 1, _ACCESS, 0))
        if major != ANY:
            tests.append((JUMP_NOT_EQUAL, _MAJOR, 0, major))
        if minor != ANY:
            tests.append((JUMP_NOT_EQUAL, _MINOR, 0, minor))
        for index, (opcode, target, source, immediate) in enumerate(tests):
            # Jumps lead behind this block, whose two last instructions return.
            offset = len(tests) - index + 1 if opcode in _JUMPS else 0
            code.append(_instruction(opcode, target, source, offset, immediate))
        code += _return(not policy.allow)
    code += _return(policy.allow)
    return b"".join(code)


def describe(code: bytes) -> str:
    """Return the instructions as text, one a line, in the kernel verifier's notation."""
    lines = []
    for index, (opcode, target, source, offset, immediate) in enumerate(instructions(code)):
        text = _TEXTS.get(opcode, f"unknown opcode {opcode:#04x}").format(
            target=target, source=source, offset=offset, immediate=immediate, goto=index + 1 + offset
        )
        lines.append(f"{index:3}: {text}")
    return "\n".join(lines)


def instructions(code: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Take instructions apart: opcode, destination, source, offset, immediate."""
    for at in range(0, len(code), 8):
        yield (
            code[at],
            code[at + 1] & 15,
            code[at + 1] >> 4,
            int.from_bytes(code[at + 2 : at + 4], "little", signed=True),
            int.from_bytes(code[at + 4 : at + 8], "little"),
        )


def _return(allow: bool) -> list[bytes]:
    return [_instruction(MOVE, 0, 0, 0, int(allow)), _instruction(EXIT, 0, 0, 0, 0)]


def _instruction(opcode: int, target: int, source: int, offset: int, immediate: int) -> bytes:
    return bytes((opcode, target | source << 4)) + offset.to_bytes(2, "little") + immediate.to_bytes(4, "little")
