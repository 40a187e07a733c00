"""Makes what a symbolic link in a container's root file system leads to, where a mount is to go.

The tree may be an attacker's, and may change meanwhile.  So every name is looked up by itself, below a descriptor and
without following links; a link's text is read and goes on from there, and neither it nor `..` leads out of the root.
"""

from __future__ import annotations

import _stat as stat
from errno import ELOOP, ENOTDIR

from orlop import system as os
from orlop.errors import OrlopError

_HANDLE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LINKS = 40  # MAXSYMLINKS of the kernel


def make_below(root: int, path: bytes, *, directory: bool) -> None:
    """Make the directory or the empty file that `path` leads to below the descriptor `root`, which is closed.

    What is made belongs to the owner of the directory it lies in.  Raises OrlopError.
    """
    ways = [root]
    try:
        _walk(ways, path.split(b"/"), directory)
    except OSError as error:
        text = path.decode("utf-8", "backslashreplace")
        message = f'unable to make "/{text}" in the root file system: {(error.strerror or "").lower()}'
        raise OrlopError(message, hint="a symbolic link on the way leads to where nothing can be made") from None
    finally:
        for fd in ways:
            os.close(fd)


def _walk(ways: list[int], names: list[bytes], directory: bool) -> None:
    """`ways` are descriptors, from the root down to where we are."""
    links = 0
    while names:
        name = names.pop(0)
        if name in (b"", b"."):
            continue
        if name == b"..":
            _back(ways, max(1, len(ways) - 1))
            continue
        last = not any(rest not in (b"", b".") for rest in names)
        mode = _made(ways[-1], name, directory=directory or not last)
        if stat.S_ISLNK(mode):
            links += 1
            if links > _LINKS:
                raise OSError(ELOOP, os.strerror(ELOOP))
            target = os.readlink(name, dir_fd=ways[-1])
            if target[:1] == b"/":
                _back(ways, 1)
            names = [*target.split(b"/"), *names]
        elif stat.S_ISDIR(mode):
            ways.append(os.open(name, _HANDLE, dir_fd=ways[-1]))
        elif not last:
            raise OSError(ENOTDIR, os.strerror(ENOTDIR))


def _back(ways: list[int], depth: int) -> None:
    while len(ways) > depth:
        os.close(ways.pop())


def _made(parent: int, name: bytes, *, directory: bool) -> int:
    """The mode of an entry, which is made where it is missing."""
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        pass
    if directory:
        os.mkdir(name, 0o755, dir_fd=parent)
        made = os.open(name, _DIRECTORY, dir_fd=parent)
    else:
        made = os.open(name, _FILE, 0o644, dir_fd=parent)
    try:
        owner = os.fstat(parent)
        os.fchown(made, owner.st_uid, owner.st_gid)  # by descriptor: the name may be another file's by now
        return os.fstat(made).st_mode
    finally:
        os.close(made)
