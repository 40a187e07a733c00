"""What the kernel refused to do with the state of a container, and the remedy.  Imported only when it did."""

from __future__ import annotations

import errno

from orlop.errors import OrlopError

_ELSEWHERE = "choose a directory that can be written to with --root"
_REMEDIES = {
    errno.EACCES: "run as root, or choose a directory of your own with --root",
    errno.EPERM: "run as root, or choose a directory of your own with --root",
    errno.ENOSPC: "make room there, or choose another directory with --root",
    errno.EDQUOT: "make room there, or choose another directory with --root",
    errno.EEXIST: _ELSEWHERE,
    errno.ENOTDIR: _ELSEWHERE,
    errno.EROFS: _ELSEWHERE,
}


def refused(what: str, error: OSError) -> OrlopError:
    """Make the error; `what` says what was to be done, and with which file."""
    reason = "not a directory" if error.errno == errno.EEXIST else (error.strerror or "").lower()
    return OrlopError(f"unable to {what}: {reason}", hint=_REMEDIES.get(error.errno or 0))
