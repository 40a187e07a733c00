"""Commands that are kept as programs, so that the launcher needs no interpreter for the next one of the same words.

    /run/orlop-cache/runs/<hash of the key>
        head        magic, sizes (see _HEAD)
        key         the hash of our code; what the standard streams are (_STREAMS); then, each with a NUL, the working
                    directory and the words of the command line but for the id, which comes last, from its own name on
        places      where in what follows the id is
        programs    the executable of a container's program, or nothing, and that of the supervisor's

launcher/replay.c reads it.  The key is compared whole.  An engine names files by the id too: in words with a slash, and
in the directory, FILLER stands for it.
"""

from __future__ import annotations

import sys
from _struct import Struct, pack

from orlop import system as os
from orlop.executor.image import whole
from orlop.host.cache import Directory, place
from orlop.plan.facts import FILE, NULL, OTHER
from orlop.program.encode import encode
from orlop.program.layout import HEADER_SIZE
from orlop.runtime.recall import FILLER, differences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.program.ops import Program
    from orlop.runtime.recall import Recalled

MAGIC = b"orlopru\1"
_HEAD = Struct("<8sIIIIII")  # magic; sizes of key, id, places (their number), both programs; where the number goes
_MOST = 64  # entries; one is some KB, and about 80 with a container's program
_HASH_START, _HASH_STEP = 0xCBF29CE484222325, 0x100000001B3  # FNV-1a, 64 bits
_STREAMS = {FILE: b"f", NULL: b"n", OTHER: b"o"}


class Call:
    """How the launcher has called the interpreter: its `arguments`, in a `directory`."""

    __slots__ = ("arguments", "directory")

    def __init__(self, directory: str, arguments: list[str]) -> None:
        self.directory = directory
        self.arguments = arguments

    @property
    def own(self) -> int:
        """Where among the arguments the command's own name is."""
        return len(self.arguments) - len(sys.argv)


def filled(call: Call, container_id: str) -> Call:
    """The same call for an id of FILLER."""
    own, filler = call.own, FILLER * len(container_id)
    words = [_filled(each, container_id) for each in call.arguments[own:-1]]
    return Call(_filled(call.directory, container_id), [*call.arguments[:own], *words, filler])


def key_of(call: Call, container_id: str, code: bytes, streams: tuple[str, str, str]) -> bytes:
    """What an entry is looked up by."""
    words = [_filled(each, container_id) for each in (call.directory, *call.arguments[call.own : -1])]
    key = code + b"".join(_STREAMS[kind] for kind in streams)
    key += b"".join(os.fsencode(each) + b"\0" for each in words)
    return key + bytes(-len(key) % 8)


def _filled(word: str, container_id: str) -> str:
    return word.replace(container_id, FILLER * len(container_id)) if "/" in word else word


def name(key: bytes, size: int) -> str:
    """The name of the entry for a key and an id of this size."""
    value = _HASH_START
    for byte in key + bytes((size & 0xFF,)):
        value = (value ^ byte) * _HASH_STEP & 0xFFFF_FFFF_FFFF_FFFF
    return f"{value:016x}"


def mark() -> bytes:
    """What stands for our code, of which the launcher has seen that it is that of the pack.  Raises LookupError where
    that could not be used."""
    found: bytes = sys.modules["orlop.pack"].mark()
    return found


def exists(key: bytes, container_id: str) -> bool:
    """Is there an entry?"""
    return os.path.exists(f"{place('runs')}/{name(key, len(container_id))}")


def keep(key: bytes, container_id: str, outer: Program, template: Program, inner: Recalled | None = None) -> None:
    """Keep a supervisor's program, of which `template` is the same for an id of FILLER, and a container's.  Silent
    where that is not possible: they differ in more than the id.  Raises OSError."""
    supervisor = encode(outer)
    found = differences(supervisor, encode(template), container_id)
    if found is None or outer.scratch != template.scratch:
        return
    container, inner_at, places = b"", 0, list[int]()
    if inner is not None:
        container, inner_at = whole(inner.encoded(), inner.scratch, inner.architecture)
        places = [at + inner_at for at in inner.places]
    executable, outer_at = whole(supervisor, outer.scratch, outer.architecture)
    places += [len(container) + outer_at + at for at in found]
    size = len(container_id)
    head = _HEAD.pack(MAGIC, len(key), size, len(places), len(container), len(executable), outer_at + HEADER_SIZE)
    data = b"".join([head, key, pack(f"<{len(places)}I", *places), container, executable])
    with Directory(place("runs"), make=True, most=_MOST) as directory:
        directory.make_room()
        directory.write(name(key, size), data)


def identity(path: str) -> tuple[str, int, int, int]:
    """A file that a program depends on: its path, size, time (ns) and inode.  Raises OSError."""
    found = os.stat(path)
    return path, found.st_size, found.st_mtime_ns, found.st_ino


def executor() -> str:
    """The path of the executor that is a part of all that is kept."""
    import orlop.executor

    return f"{os.path.dirname(orlop.executor.__file__)}/init.{os.uname().machine}"
