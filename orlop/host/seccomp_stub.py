"""The head of a filter: ENOSYS for system calls that are newer than the profile.

A profile lists what is allowed and answers everything else with an error, EPERM as a rule.  A C library that tries a
new system call and gets EPERM gives up, where for ENOSYS it would take the old way.  So calls with a number above the
highest that the profile names, and only those, get ENOSYS, before the filter proper is asked.  runc does the same.

Classic BPF over `struct seccomp_data`: see kernel, Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

from errno import ENOSYS
from struct import pack

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_GREATER = 0x25  # BPF_JMP | BPF_JGT | BPF_K
_IF_BITS = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_RETURN_ENOSYS = 0x0005_0000 | ENOSYS

# libseccomp's tokens: the kernel's AUDIT_ARCH_*, but for x32, which to the kernel is x86-64 with a bit in the number.
ARCH_X86_64 = 0xC000_003E
ARCH_X32 = 0x4000_003E
X32_BIT = 0x4000_0000

_NEXT, _SKIP, _NOT_THIS, _REFUSE, _FILTER = range(5)  # where a jump leads; _SKIP is over one instruction
_Row = tuple[int, int, int, int]


def stub(highest: dict[int, int]) -> bytes:
    """The instructions to put before a filter.

    `highest` maps the token of each architecture to the highest number that the profile names there.
    """
    sections = [
        _section(token, number, highest.get(ARCH_X32)) for token, number in highest.items() if token != ARCH_X32
    ]
    if not sections:
        return b""
    refuse = 1 + sum(map(len, sections))
    out = [pack("<HBBI", _LOAD, 0, 0, _ARCHITECTURE)]
    for section in sections:
        behind = len(out) + len(section)
        # The last architecture is followed by the refusal, which is for none of the others.
        places = {_NOT_THIS: behind if behind < refuse else refuse + 1, _REFUSE: refuse, _FILTER: refuse + 1}
        for code, value, *jumps in section:
            here = len(out) + 1
            yes, no = (places[to] - here if to in places else to for to in jumps)
            out.append(pack("<HBBI", code, yes, no, value))
    out.append(pack("<HBBI", _RETURN, 0, 0, _RETURN_ENOSYS))
    return b"".join(out)


def _section(token: int, number: int, x32: int | None) -> list[_Row]:
    rows = [(_IF_EQUAL, token, _NEXT, _NOT_THIS), (_LOAD, _NUMBER, _NEXT, _NEXT)]
    if token == ARCH_X86_64 and x32 is not None:
        rows.append((_IF_BITS, X32_BIT, _NEXT, _SKIP))
        rows.append((_IF_GREATER, x32 | X32_BIT, _REFUSE, _FILTER))
    elif token == ARCH_X86_64:
        # The filter has its own opinion of architectures that the profile does not name.
        rows.append((_IF_BITS, X32_BIT, _FILTER, _NEXT))
    return [*rows, (_IF_GREATER, number, _REFUSE, _FILTER)]
