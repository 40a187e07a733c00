"""Copies one directory into another, for tmpcopyup: what a new tmpfs is about to hide.

The tree may be an attacker's, and may change meanwhile.  No path is used, only names of single entries below
descriptors, and no
link is followed: what is a link is copied as a link, what is neither file, directory nor link is left out.
"""

from __future__ import annotations

import _stat as stat
from errno import EINVAL, EOVERFLOW

from orlop import system as os
from orlop.errors import OrlopError

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DEPTH = 64
_AT_A_TIME = 64  # files that are open

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias, TypeVar

    T = TypeVar("T")
    # Takes descriptors of empty files, each with the bytes that will be written to it.
    Allocate: TypeAlias = Callable[[list[tuple[int, int]]], None]


class _File:
    """A file that is about to be copied: where from, where to, and what it was when it was opened."""

    __slots__ = ("found", "source", "target")

    def __init__(self, source: int, target: int, found: os.stat_result) -> None:
        self.source = source
        self.target = target
        self.found = found

    def copy(self) -> None:
        """Copy as much as there was when it was opened: no more is allocated."""
        left = self.found.st_size
        while left and (data := os.read(self.source, min(left, 1 << 20))):
            left -= len(data)
            while data:
                data = data[os.write(self.target, data) :]
        if left:
            os.ftruncate(self.target, self.found.st_size - left)
        _own(self.target, self.found)
        os.fchmod(self.target, stat.S_IMODE(self.found.st_mode))

    def close(self) -> None:
        os.close(self.source)
        os.close(self.target)


def copy_up(below: int, into: int, allocate: Allocate | None = None) -> None:
    """Copy the content of the directory `below` into the directory `into`; closes both.

    Owners and modes are kept.  `allocate` is given some new files at a time, each with its size, before anything is
    written to them.  Raises OrlopError, for instance when the tmpfs is full.
    """
    copying = _Copying(allocate)
    try:
        copying.entries(below, into, 0)
        copying.files()
    except OrlopError:
        raise
    except OSError as error:
        message = f"tmpcopyup: unable to copy the directory into the tmpfs: {(error.strerror or '').lower()}"
        raise OrlopError(message, hint="a larger size= may be needed") from None
    finally:
        copying.close()
        os.close(below)
        os.close(into)


class _Copying:
    """A copy on its way: directories and links are there as soon as they are met, files wait for others."""

    __slots__ = ("_allocate", "_waiting")

    def __init__(self, allocate: Allocate | None) -> None:
        self._allocate = allocate
        self._waiting: list[_File] = []

    def entries(self, below: int, into: int, depth: int) -> None:
        """Copy what is in a directory, but for the content of the last files."""
        if depth > _DEPTH:
            raise OrlopError(f"tmpcopyup: directories are nested more than {_DEPTH} deep")
        for name in os.listdir(below):
            try:
                found = os.stat(name, dir_fd=below, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISLNK(found.st_mode):
                _copy_link(below, into, name, found)
            elif stat.S_ISDIR(found.st_mode):
                self._directory(below, into, name, depth)
            elif stat.S_ISREG(found.st_mode):
                self._file(below, into, name)

    def files(self) -> None:
        """Copy the files that wait."""
        sizes = [(each.target, each.found.st_size) for each in self._waiting if each.found.st_size]
        if self._allocate is not None and sizes:
            self._allocate(sizes)
        for each in self._waiting:
            each.copy()
        self.close()

    def close(self) -> None:
        """Let go of all files."""
        while self._waiting:
            self._waiting.pop().close()

    def _directory(self, below: int, into: int, name: str, depth: int) -> None:
        source = os.open(name, _READ | os.O_DIRECTORY, dir_fd=below)
        try:
            found = os.fstat(source)
            _make(into, lambda: os.mkdir(name, 0o700, dir_fd=into))
            target = os.open(name, _READ | os.O_DIRECTORY, dir_fd=into)
            try:
                self.entries(source, target, depth + 1)
                _own(target, found)
                os.fchmod(target, stat.S_IMODE(found.st_mode))
            finally:
                os.close(target)
        finally:
            os.close(source)

    def _file(self, below: int, into: int, name: str) -> None:
        source = os.open(name, _READ, dir_fd=below)
        try:
            found = os.fstat(source)
            if not stat.S_ISREG(found.st_mode):
                os.close(source)  # it was replaced after it was looked at
                return
            target = _make(into, lambda: os.open(name, _WRITE, 0o600, dir_fd=into))
        except BaseException:
            os.close(source)
            raise
        self._waiting.append(_File(source, target, found))
        if len(self._waiting) == _AT_A_TIME:
            self.files()


def _copy_link(below: int, into: int, name: str, found: os.stat_result) -> None:
    target = os.readlink(name, dir_fd=below)
    _make(into, lambda: os.symlink(target, name, dir_fd=into))
    _own(into, found, name)


def _make(into: int, call: Callable[[], T]) -> T:
    """Make an entry; in the tmpfs of a user namespace as its owner, since it takes no inode of an id without a
    mapping."""
    try:
        return call()
    except OSError as error:
        if error.errno != EOVERFLOW:
            raise
    from ctypes import CDLL

    libc = CDLL(None)  # setfsuid(2) is this thread's alone, which nothing in `os` is
    owner = os.fstat(into)
    try:
        libc.setfsgid(owner.st_gid)
        libc.setfsuid(owner.st_uid)
        return call()
    finally:
        libc.setfsuid(os.geteuid())
        libc.setfsgid(os.getegid())


def _own(fd: int, found: os.stat_result, name: str | None = None) -> None:
    """Give a copy its owner, or leave it where that one has no mapping in the user namespace of the tmpfs."""
    try:
        if name is None:
            os.fchown(fd, found.st_uid, found.st_gid)
        else:
            os.chown(name, found.st_uid, found.st_gid, dir_fd=fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (EOVERFLOW, EINVAL):
            raise
