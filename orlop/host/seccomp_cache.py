"""Compiled seccomp filters, kept between commands: a start with a known profile does not load libseccomp.

    /run/orlop-cache/seccomp/           root's, or /run/user/UID/orlop-cache/seccomp/ another's; mode 0700
        library                         path, size, mtime, inode and version of the libseccomp that made the filters
        <hash of the key>               magic (8)   hash of the rest (8)   size of the key (4)   key   filter

The key is all that a filter depends on: the profile, the machine, the kernel's release, the library as `library`
describes it (and that must be what the library is now), and the version of our own compiler.  An entry is used only if
it and its directory are ours alone, its hash is right, and its key is the very one that is looked for: whoever may
choose a profile cannot make one that passes for another.  What does not fit is made anew.

The hash is the interpreter's own for its .pyc files (SipHash, 64 bits).  It finds damage; against forgery stands that
nobody else can write here.  Those of hashlib take longer to load than the filter to find.
"""

from __future__ import annotations

from _imp import source_hash

from orlop import system as os
from orlop.spec.json import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.spec.types import Seccomp

# Raised with every change in what host/seccomp.py makes of a profile.
COMPILER = 1
MAGIC = b"orlopsc\1"
_HASH = len(MAGIC)
_SIZE = _HASH + 8
_KEY = _SIZE + 4
INSTRUCTION = 8
MAX_INSTRUCTIONS = 4096  # uapi/linux/bpf_common.h, BPF_MAXINSNS
_LIBRARY = "library"
_MOST_ENTRIES = 256
_LONGEST = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def place() -> str:
    """The directory of this user's cache."""
    uid = os.geteuid()
    return f"{f'/run/user/{uid}' if uid else '/run'}/orlop-cache/seccomp"


class Cache:
    """The cache of this user.  Every method is silent about files that are missing, strange, or not writable."""

    __slots__ = ("path",)

    def __init__(self, path: str | None = None) -> None:
        self.path = path or place()

    def get(self, profile: Seccomp) -> bytes | None:
        """The filter of a profile; None unless everything about the entry is right."""
        try:
            directory = self._open()
        except OSError:
            return None
        try:
            library = _read(directory, _LIBRARY, 8192)
            if library != describe_library(*_path_and_version(library)):
                return None
            key = entry_key(profile, library)
            return checked(key, _read(directory, entry_name(key), _LONGEST))
        except (OSError, ValueError):
            return None
        finally:
            os.close(directory)

    def put(self, profile: Seccomp, library: bytes, program: bytes) -> None:
        """Keep a filter, and which library made it (`describe_library`)."""
        try:
            directory = self._open(make=True)
        except OSError:
            return
        try:
            _make_room(directory)
            key = entry_key(profile, library)
            rest = len(key).to_bytes(4, "little") + key + program
            _write(directory, entry_name(key), MAGIC + source_hash(COMPILER, rest) + rest)
            _write(directory, _LIBRARY, library)
        except OSError:
            pass
        finally:
            os.close(directory)

    def _open(self, *, make: bool = False) -> int:
        if make:
            for path in (self.path.rpartition("/")[0], self.path):
                try:
                    os.mkdir(path, 0o700)
                except FileExistsError:
                    continue
        fd = os.open(self.path, _READ | os.O_DIRECTORY)
        if not _ours(fd):
            os.close(fd)
            raise PermissionError(f"{self.path} is not ours alone")
        return fd


def entry_key(profile: Seccomp, library: bytes) -> bytes:
    """What the filter of a profile depends on, with this library and this kernel."""
    system = os.uname()
    parts = f"{COMPILER}\n{system.machine}\n{system.release}\n".encode()
    return parts + library + dump(profile).encode("utf-8", "surrogatepass")


def entry_name(key: bytes) -> str:
    """The name of the file."""
    return source_hash(COMPILER, key).hex()


def checked(key: bytes, data: bytes) -> bytes:
    """The filter in the data of an entry.  Raises ValueError for any but what `put` wrote for this key."""
    program = data[_KEY + len(key) :]
    if data[:_HASH] != MAGIC or data[_HASH:_SIZE] != source_hash(COMPILER, data[_SIZE:]):
        raise ValueError("damaged")
    if data[_SIZE:_KEY] != len(key).to_bytes(4, "little") or data[_KEY : _KEY + len(key)] != key:
        raise ValueError("of another profile")
    if not program or len(program) % INSTRUCTION or len(program) > INSTRUCTION * MAX_INSTRUCTIONS:
        raise ValueError("not a whole number of instructions")
    return program


def describe_library(path: str, version: str) -> bytes:
    """A library as it lies at its path now.  Raises OSError."""
    now = os.stat(path)
    return f"{path}\n{now.st_size} {now.st_mtime_ns} {now.st_ino}\n{version}\n".encode("utf-8", "surrogateescape")


def _path_and_version(library: bytes) -> tuple[str, str]:
    path, _, version, _ = library.decode("utf-8", "surrogateescape").split("\n")
    return path, version


def _ours(fd: int) -> bool:
    found = os.fstat(fd)
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _read(directory: int, name: str, most: int) -> bytes:
    fd = os.open(name, _READ, dir_fd=directory)
    try:
        if not _ours(fd):
            raise PermissionError(name)
        data = os.read(fd, most + 1)
        if len(data) > most:
            raise ValueError("too long")
        return data
    finally:
        os.close(fd)


def _write(directory: int, name: str, data: bytes) -> None:
    """Write aside and rename: no reader sees half of it."""
    aside = f".{name}.{os.getpid()}"
    fd = os.open(aside, _NEW, 0o600, dir_fd=directory)
    try:
        try:
            complete = os.write(fd, data) == len(data)
        finally:
            os.close(fd)
        if complete:
            os.rename(aside, name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        _quietly(lambda: os.unlink(aside, dir_fd=directory))


def _make_room(directory: int) -> None:
    """A host has a handful of profiles; one that makes up a new one each time must not fill its memory."""
    names = os.listdir(directory)
    if len(names) > _MOST_ENTRIES:
        for name in names:
            _quietly(lambda name=name: os.unlink(name, dir_fd=directory))  # type: ignore[misc]


def _quietly(action: Callable[[], None]) -> None:
    try:
        action()
    except OSError:
        pass
