"""A directory of small files that any command may make anew: what was costly to find out, kept between commands.

    /run/orlop-cache/<name>/            root's; /run/user/UID/orlop-cache/<name>/ another's; mode 0700

A file is used only if it and its directory are ours alone.  The hash in front of its data is the interpreter's own for
its .pyc files (SipHash, 64 bits): it finds damage; against forgery stands that nobody else can write here.  Those of
hashlib take longer to load than a file to read.
"""

from __future__ import annotations

from _imp import source_hash

from orlop import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def place(name: str) -> str:
    """The directory of this user's cache of that name."""
    uid = os.geteuid()
    return f"{f'/run/user/{uid}' if uid else '/run'}/orlop-cache/{name}"


def hashed(magic: bytes, kind: int, data: bytes) -> bytes:
    """Data with what `unhashed` looks for in front: magic, and a hash that depends on `kind` too."""
    return magic + source_hash(kind, data) + data


def unhashed(magic: bytes, kind: int, data: bytes) -> bytes:
    """What was given to `hashed`.  Raises ValueError for anything else."""
    start = len(magic) + 8
    rest = data[start:]
    if data[:start] != magic + source_hash(kind, rest):
        raise ValueError("damaged")
    return rest


def identity(path: str) -> str:
    """What tells a file from another in its place: size, time, inode.  Raises OSError."""
    now = os.stat(path)
    return f"{now.st_size} {now.st_mtime_ns} {now.st_ino}"


class Directory:
    """An open cache directory.  Raises OSError where it is missing, or not ours alone; `make` makes it, and the one
    above too, unless it is in another's: a container's may just have been removed."""

    __slots__ = ("_most", "fd")

    def __init__(self, path: str, *, make: bool = False, above: bool = True, most: int = 256) -> None:
        if make:
            for each in (path.rpartition("/")[0], path) if above else (path,):
                try:
                    os.mkdir(each, 0o700)
                except FileExistsError:
                    continue
        self._most = most
        self.fd = os.open(path, _READ | os.O_DIRECTORY)
        if not _ours(self.fd):
            os.close(self.fd)
            raise PermissionError(f"{path} is not ours alone")

    def __enter__(self) -> Directory:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self.fd)

    def read(self, name: str, most: int = _LONGEST) -> bytes:
        """The content of a file.  Raises OSError, and ValueError for one that is too long."""
        fd = os.open(name, _READ, dir_fd=self.fd)
        try:
            if not _ours(fd):
                raise PermissionError(name)
            size = os.fstat(fd).st_size
            if size > most:
                raise ValueError("too long")
            return os.read(fd, size)
        finally:
            os.close(fd)

    def write(self, name: str, data: bytes) -> None:
        """Write aside and rename: no reader sees half of it.  Raises OSError."""
        aside = f".{name}.{os.getpid()}"
        fd = os.open(aside, _NEW, 0o600, dir_fd=self.fd)
        try:
            try:
                complete = os.write(fd, data) == len(data)
            finally:
                os.close(fd)
            if complete:
                os.rename(aside, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        finally:
            _quietly(lambda: os.unlink(aside, dir_fd=self.fd))

    def make_room(self) -> None:
        """A host has a handful of entries; one that makes up a new one each time must not fill its memory.

        The older half goes.
        """
        names = os.listdir(self.fd)
        if len(names) > self._most:
            for name in sorted(names, key=self._written)[: len(names) // 2 + 1]:
                _quietly(lambda name=name: os.unlink(name, dir_fd=self.fd))  # type: ignore[misc]

    def _written(self, name: str) -> int:
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_mtime_ns
        except OSError:
            return 0  # another process has removed it


def _ours(fd: int) -> bool:
    found = os.fstat(fd)
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _quietly(action: Callable[[], None]) -> None:
    try:
        action()
    except OSError:
        pass
