"""The part of `os` that commands need: `from orlop import system as os`.

`import os` brings in `_collections_abc`, `stat`, `posixpath` and more: 1.3 ms, a tenth of what it takes to run a
container.  The system calls themselves are in the built-in module `posix`; what `os` adds in Python and we use is
written here, with the same names and meanings.
"""

from __future__ import annotations

from posix import *  # noqa: F403
from posix import X_OK, _exit, access, lstat, mkdir, stat  # noqa: F401
from posix import environ as _environ

from orlop import system_path as path

SEEK_SET = 0


def fsdecode(name: str | bytes) -> str:
    """Decode a file name of the system."""
    return name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")


def fsencode(name: str | bytes) -> bytes:
    """A file name as bytes, undecodable ones as `fsdecode` gives them."""
    return name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")


environment: dict[str, str] = {fsdecode(key): fsdecode(value) for key, value in _environ.items()}
"""The environment this process was started with."""


def get_exec_path() -> list[str]:
    """The directories of PATH."""
    return (environment.get("PATH") or "/bin:/usr/bin").split(":")


def makedirs(name: str, mode: int = 0o777, exist_ok: bool = False) -> None:
    """Make a directory and those above it."""
    parent = path.dirname(name)
    if parent and parent != name and not path.exists(parent):
        makedirs(parent, exist_ok=True)
    try:
        mkdir(name, mode)
    except OSError:
        if not exist_ok or not path.isdir(name):
            raise


__all__ = ["SEEK_SET", "_exit", "environment", "fsdecode", "fsencode", "get_exec_path", "makedirs", "path"]
