"""Are we in a user namespace of somebody's?"""

from __future__ import annotations

from orlop import system as os


def in_user_namespace() -> bool:
    """Say whether the uids that we see are not the host's.  Reads /proc/self/uid_map (user_namespaces(7))."""
    try:
        fd = os.open("/proc/self/uid_map", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.read(fd, 4096).split() != [b"0", b"0", b"4294967295"]
    finally:
        os.close(fd)
