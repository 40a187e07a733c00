"""A machine for classic BPF, as far as seccomp filters use it: what would the kernel do with this system call?"""

from __future__ import annotations

from struct import iter_unpack, pack, unpack_from

X86_64, X86, AARCH64 = 0xC000_003E, 0x4000_0003, 0xC000_00B7
ALLOW, KILL_PROCESS, KILL_THREAD = 0x7FFF_0000, 0x8000_0000, 0
LOG, TRAP, NOTIFY = 0x7FFC_0000, 0x0003_0000, 0x7FC0_0000


def errno(number: int) -> int:
    return 0x0005_0000 | number


def trace(number: int) -> int:
    return 0x7FF0_0000 | number


def judge(program: bytes, number: int, *args: int, arch: int = X86_64) -> int:
    """The value that the filter returns for a system call."""
    data = pack("<IIQ6Q", number, arch, 0, *args, *[0] * (6 - len(args)))
    rows = list(iter_unpack("<HBBI", program))
    accumulator = at = 0
    while True:
        code, yes, no, value = rows[at]
        at += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            (accumulator,) = unpack_from("<I", data, value)
        elif code == 0x54:
            accumulator &= value
        elif code == 0x05:
            at += value
        else:
            tests = {
                0x15: accumulator == value,
                0x25: accumulator > value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }
            at += yes if tests[code] else no
