"""A device node of this host, for configs that name one instead of describing it (pre-draft)."""

from __future__ import annotations

import _stat as stat

from orlop import system as os

_TYPES = {stat.S_IFCHR: "c", stat.S_IFBLK: "b", stat.S_IFIFO: "p"}


def device(path: str) -> tuple[str, int, int, int, int, int] | None:
    """Return type, major, minor, mode bits, uid and gid; None where there is no device.  Links are not followed."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    kind = _TYPES.get(stat.S_IFMT(found.st_mode))
    if kind is None:
        return None
    major, minor = os.major(found.st_rdev), os.minor(found.st_rdev)
    return kind, major, minor, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
