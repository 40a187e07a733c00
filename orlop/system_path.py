"""The part of `os.path` that commands need (see orlop/system.py): by text alone, but for the last two.

None of these is for a path below a container's root.
"""

from __future__ import annotations

from posix import getcwd, stat


def join(first: str, *more: str) -> str:
    """Join components; an absolute one starts anew."""
    out = first
    for part in more:
        if part.startswith("/"):
            out = part
        elif not out or out.endswith("/"):
            out += part
        else:
            out += "/" + part
    return out


def normpath(path: str) -> str:
    """Take out `.`, `..` and doubled slashes."""
    absolute = path.startswith("/")
    out: list[str] = []
    for name in path.split("/"):
        if name in ("", "."):
            continue
        if name != ".." or (not absolute and (not out or out[-1] == "..")):
            out.append(name)
        elif out:
            out.pop()
    return ("/" if absolute else "") + "/".join(out) or "."


def abspath(path: str) -> str:
    """The path from the root, normalised."""
    return normpath(path if path.startswith("/") else join(getcwd(), path))


def split(path: str) -> tuple[str, str]:
    """Directory and last name."""
    head, slash, tail = path.rpartition("/")
    return (head.rstrip("/") or slash, tail)


def basename(path: str) -> str:
    """The last name."""
    return path.rpartition("/")[2]


def dirname(path: str) -> str:
    """All but the last name."""
    return split(path)[0]


def exists(path: str) -> bool:
    """Is there something, links followed?"""
    try:
        stat(path)
    except (OSError, ValueError):
        return False
    return True


def isdir(path: str) -> bool:
    """Is it a directory, links followed?"""
    try:
        return stat(path).st_mode & 0o170000 == 0o040000
    except (OSError, ValueError):
        return False
