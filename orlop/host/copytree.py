"""Copies one directory into another, for tmpcopyup: what a new tmpfs is about to hide.

The tree may be an attacker's, and may change meanwhile.  No path is used, only names of single entries below descriptors, and no
link is followed: what is a link is copied as a link, what is neither file, directory nor link is left out.
"""

from __future__ import annotations

import _stat as stat

from orlop import system as os
from orlop.errors import OrlopError

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DEPTH = 64


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
            os.symlink(os.readlink(name, dir_fd=below), name, dir_fd=into)
            os.chown(name, found.st_uid, found.st_gid, dir_fd=into, follow_symlinks=False)
        elif stat.S_ISDIR(found.st_mode):
            _copy_directory(below, into, name, depth)
        elif stat.S_ISREG(found.st_mode):
            _copy_file(below, into, name)


def _copy_directory(below: int, into: int, name: str, depth: int) -> None:
    source = os.open(name, _READ | os.O_DIRECTORY, dir_fd=below)
    try:
        found = os.fstat(source)
        os.mkdir(name, 0o700, dir_fd=into)
        target = os.open(name, _READ | os.O_DIRECTORY, dir_fd=into)
        try:
            _copy_entries(source, target, depth + 1)
            os.fchown(target, found.st_uid, found.st_gid)
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
        target = os.open(name, _WRITE, 0o600, dir_fd=into)
        try:
            while data := os.read(source, 1 << 20):
                while data:
                    data = data[os.write(target, data) :]
            os.fchown(target, found.st_uid, found.st_gid)
            os.fchmod(target, stat.S_IMODE(found.st_mode))
        finally:
            os.close(target)
    finally:
        os.close(source)
