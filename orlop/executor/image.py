"""The file that is executed: the executor with a program in it, in memory, sealed.

    executor (init.<machine>, built)       header, data, operations            zeroed memory
    ┌───────────────┬──────────────────┬──┬───────────────────────────┐
    │ text segment  │ (hole)           │  │ program segment           │         scratch segment: only a size
    └───────────────┴──────────────────┴──┴───────────────────────────┘
    0               2 KB               PROGRAM_OFFSET

Inside a container /proc/self/exe is this file until the container's program replaces it: nothing of the host can be
overwritten through it (CVE-2019-5736).
"""

from __future__ import annotations

import errno
import fcntl
from _struct import Struct

from orlop import system as os
from orlop.errors import InternalError, OrlopError
from orlop.program.layout import PROGRAM_BASE, SCRATCH_BASE

_PHDR = Struct("<IIQQQQQQ")  # elf(5): Elf64_Phdr
_PT_LOAD = 1
_SIZES = Struct("<QQ")  # p_filesz, p_memsz
_SIZES_AT = 32
_MFD_CLOEXEC = 1
_MFD_ALLOW_SEALING = 2
_MFD_EXEC = 0x10
_SEALS = 0x1 | 0x2 | 0x4 | 0x8  # F_SEAL_SEAL, SHRINK, GROW, WRITE
_F_ADD_SEALS = 1033

_templates: dict[str, _Template] = {}


class _Template:
    """The built executor of one machine: the bytes of its text segment, and where the sizes go."""

    __slots__ = ("program_offset", "program_sizes", "scratch_sizes", "text")

    def __init__(self, data: bytes) -> None:
        offset, count = int.from_bytes(data[32:40], "little"), int.from_bytes(data[56:58], "little")
        places = {}
        for index in range(count):
            at = offset + index * _PHDR.size
            kind, _flags, file_offset, address, _physical, size, _memory, _align = _PHDR.unpack_from(data, at)
            if kind == _PT_LOAD:
                places[address] = (at + _SIZES_AT, file_offset, size)
        try:
            self.program_sizes, self.program_offset, _ = places[PROGRAM_BASE]
            self.scratch_sizes = places[SCRATCH_BASE][0]
        except KeyError:
            raise InternalError("the built executor has no segment for the program") from None
        text_size = next(size for _at, file_offset, size in places.values() if file_offset == 0 and size)
        self.text = data[:text_size]


def template(machine: str) -> _Template:
    """The built executor for a machine (`x86_64`, `aarch64`), read once."""
    found = _templates.get(machine)
    if found is None:
        path = f"{os.path.dirname(__file__)}/init.{machine}"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise OrlopError(f"{path} is missing", hint="build it with `make`, or install orlop as a wheel") from None
        try:
            found = _templates[machine] = _Template(os.read(fd, 1 << 16))
        finally:
            os.close(fd)
    return found


def sealed(program: bytes, scratch: int, machine: str) -> int:
    """A descriptor (close-on-exec) of a sealed executable that runs this encoded program.  The caller closes it."""
    fd = _memory_file()
    try:
        os.pwrite(fd, _head(len(program), scratch, machine), 0)
        os.pwrite(fd, program, template(machine).program_offset)
        fcntl.fcntl(fd, _F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(fd)
        raise
    return fd


def whole(program: bytes, scratch: int, machine: str) -> tuple[bytes, int]:
    """The bytes of an executable that runs this encoded program, and where the program is in it."""
    at = template(machine).program_offset
    return bytes(_head(len(program), scratch, machine)).ljust(at, b"\0") + program, at


def _head(size: int, scratch: int, machine: str) -> bytearray:
    model = template(machine)
    head = bytearray(model.text)
    _SIZES.pack_into(head, model.program_sizes, size, size)
    _SIZES.pack_into(head, model.scratch_sizes, 0, max(scratch, 8))
    return head


def _memory_file() -> int:
    flags = _MFD_CLOEXEC | _MFD_ALLOW_SEALING
    try:
        return os.memfd_create("orlop", flags | _MFD_EXEC)  # since 6.3, where vm.memfd_noexec may be set
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.memfd_create("orlop", flags)
