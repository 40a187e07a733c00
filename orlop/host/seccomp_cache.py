"""Compiled seccomp filters, kept between commands: a start with a known profile does not load libseccomp.

    /run/orlop-cache/seccomp/           root's, or /run/user/UID/orlop-cache/seccomp/ another's; mode 0700
        library                         path, size, mtime, inode and version of the libseccomp that made the filters
        <hash>                          magic (8)   hash (32) of the name and the filter   the filter

A name is the hash of all that a filter depends on: the profile, the machine, the kernel's release, the library as
`library` describes it (and that must be what the library is now), and the version of our own compiler.  An entry is
used only if it and its directory are ours alone, and its hash is right.  What does not fit is made anew.
"""

from __future__ import annotations

from orlop import system as os
from orlop.spec.json import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.spec.types import Seccomp

# Raised with every change in what host/seccomp.py makes of a profile.
COMPILER = 1
MAGIC = b"orlopsc\1"
_DIGEST = 32
_HEAD = len(MAGIC) + _DIGEST
INSTRUCTION = 8
MAX_INSTRUCTIONS = 4096  # uapi/linux/bpf_common.h, BPF_MAXINSNS
_LIBRARY = "library"
_MOST_ENTRIES = 256
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def digest(data: bytes) -> bytes:
    """A cryptographic hash: who may choose a profile must not be able to make it pass for another."""
    try:
        from _blake2 import blake2b  # hashlib takes 2 ms to import
    except ImportError:
        from hashlib import blake2b
    return blake2b(data, digest_size=_DIGEST).digest()


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
            name = entry_name(profile, library)
            return checked(name, _read(directory, name, _HEAD + INSTRUCTION * MAX_INSTRUCTIONS))
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
            name = entry_name(profile, library)
            _write(directory, name, MAGIC + digest(name.encode() + program) + program)
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


def entry_name(profile: Seccomp, library: bytes) -> str:
    """The name of the entry of a profile, with this library and this kernel."""
    system = os.uname()
    parts = (str(COMPILER), system.machine, system.release, library.hex(), dump(profile))
    return digest("\0".join(parts).encode("utf-8", "surrogateescape")).hex()


def checked(name: str, data: bytes) -> bytes:
    """The filter in the data of an entry.  Raises ValueError for any but what `put` wrote under this name."""
    program = data[_HEAD:]
    if not program or len(program) % INSTRUCTION or len(program) > INSTRUCTION * MAX_INSTRUCTIONS:
        raise ValueError("not a whole number of instructions")
    if data[: len(MAGIC)] != MAGIC or data[len(MAGIC) : _HEAD] != digest(name.encode() + program):
        raise ValueError("damaged")
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
