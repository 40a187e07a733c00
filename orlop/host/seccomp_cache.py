"""Compiled seccomp filters, kept between commands: a start with a known profile does not load libseccomp.

    <cache>/seccomp/                    see host/cache.py
        library                         path, size, mtime, inode and version of the libseccomp that made the filters
        <hash of the key>               magic (8)   hash of the rest (8)   size of the key (4)   key   filter

The key is all that a filter depends on: the profile, the machine, the kernel's release, the library as `library`
describes it (and that must be what the library is now), and the version of our own compiler.  An entry is used only if
its key is the very one that is looked for: whoever may choose a profile cannot make one that passes for another.  What
does not fit is made anew.
"""

from __future__ import annotations

from _imp import source_hash

from orlop import system as os
from orlop.host.cache import Directory, hashed, identity, place, unhashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.spec.types import Seccomp

# Raised with every change in what host/seccomp.py makes of a profile.
COMPILER = 1
MAGIC = b"orlopsc\1"
INSTRUCTION = 8
MAX_INSTRUCTIONS = 4096  # uapi/linux/bpf_common.h, BPF_MAXINSNS
_LIBRARY = "library"
_SIZE = 4


class Cache:
    """The cache of this user.  Every method is silent about files that are missing, strange, or not writable."""

    __slots__ = ("path",)

    def __init__(self, path: str | None = None) -> None:
        self.path = path or place("seccomp")

    def get(self, profile: Seccomp) -> tuple[bytes, bytes] | None:
        """The filter of a profile, and its maker; None unless everything about the entry is right."""
        try:
            with Directory(self.path) as directory:
                library = directory.read(_LIBRARY, 8192)
                if library != describe_library(*_path_and_version(library)):
                    return None
                key = entry_key(profile, library)
                return checked(key, directory.read(entry_name(key))), maker(library)
        except (OSError, ValueError):
            return None

    def put(self, profile: Seccomp, library: bytes, program: bytes) -> None:
        """Keep a filter, and which library made it (`describe_library`)."""
        try:
            with Directory(self.path, make=True) as directory:
                directory.make_room()
                key = entry_key(profile, library)
                entry = len(key).to_bytes(_SIZE, "little") + key + program
                directory.write(entry_name(key), hashed(MAGIC, COMPILER, entry))
                directory.write(_LIBRARY, library)
        except OSError:
            pass


def maker(library: bytes) -> bytes:
    """What makes a filter of a profile, a line each: our compiler, the machine, the kernel, the library's three."""
    system = os.uname()
    return f"{COMPILER}\n{system.machine}\n{system.release}\n".encode() + library


def entry_key(profile: Seccomp, library: bytes) -> bytes:
    """What the filter of a profile depends on, with this library and this kernel."""
    return maker(library) + repr(profile).encode()  # of plain values, which it tells apart, and quicker than JSON


def entry_name(key: bytes) -> str:
    """The name of the file."""
    return source_hash(COMPILER, key).hex()


def checked(key: bytes, data: bytes) -> bytes:
    """The filter in the data of an entry.  Raises ValueError for any but what `put` wrote for this key."""
    entry = unhashed(MAGIC, COMPILER, data)
    start = _SIZE + len(key)
    if entry[:start] != len(key).to_bytes(_SIZE, "little") + key:
        raise ValueError("of another profile")
    program = entry[start:]
    if not program or len(program) % INSTRUCTION or len(program) > INSTRUCTION * MAX_INSTRUCTIONS:
        raise ValueError("not a whole number of instructions")
    return program


def describe_library(path: str, version: str) -> bytes:
    """A library as it lies at its path now.  Raises OSError."""
    return f"{path}\n{identity(path)}\n{version}\n".encode("utf-8", "surrogateescape")


def _path_and_version(library: bytes) -> tuple[str, str]:
    path, _, version, _ = library.decode("utf-8", "surrogateescape").split("\n")
    return path, version
