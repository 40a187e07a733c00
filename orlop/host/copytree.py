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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")


def copy_up(below: int, into: int) -> None:
    """Copy the content of the directory `below` into the directory `into`; closes both.

    Owners and modes are kept.  Raises OrlopError, for instance when the tmpfs is full.
    """
    try:
        _copy_entries(below, into, 0)
    except OSError as error:
        message = f"tmpcopyup: unable to copy the directory into the tmpfs: {(error.strerror or '').lower()}"
        raise OrlopError(message, hint="a larger size= may be needed") from None
    finally:
        os.close(below)
        os.close(into)


def _copy_entries(below: int, into: int, depth: int) -> None:
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
            _copy_directory(below, into, name, depth)
        elif stat.S_ISREG(found.st_mode):
            _copy_file(below, into, name)


def _copy_link(below: int, into: int, name: str, found: os.stat_result) -> None:
    target = os.readlink(name, dir_fd=below)
    _make(into, lambda: os.symlink(target, name, dir_fd=into))
    _own(into, found, name)


def _copy_directory(below: int, into: int, name: str, depth: int) -> None:
    source = os.open(name, _READ | os.O_DIRECTORY, dir_fd=below)
    try:
        found = os.fstat(source)
        _make(into, lambda: os.mkdir(name, 0o700, dir_fd=into))
        target = os.open(name, _READ | os.O_DIRECTORY, dir_fd=into)
        try:
            _copy_entries(source, target, depth + 1)
            _own(target, found)
            os.fchmod(target, stat.S_IMODE(found.st_mode))
        finally:
            os.close(target)
    finally:
        os.close(source)


def _copy_file(below: int, into: int, name: str) -> None:
    source = os.open(name, _READ, dir_fd=below)
    try:
        found = os.fstat(source)
        if not stat.S_ISREG(found.st_mode):
            return  # it was replaced after it was looked at
        target = _make(into, lambda: os.open(name, _WRITE, 0o600, dir_fd=into))
        try:
            while data := os.read(source, 1 << 20):
                while data:
                    data = data[os.write(target, data) :]
            _own(target, found)
            os.fchmod(target, stat.S_IMODE(found.st_mode))
        finally:
            os.close(target)
    finally:
        os.close(source)


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
