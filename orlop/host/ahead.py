"""The child that the launcher has sent ahead (launcher/launcher.c, hasten_cgroup)."""

from __future__ import annotations

import sys

from orlop import system as os

_OPTION = "ahead"
_WALL = 0x4000_0000  # also those that end without a signal


def reap() -> None:
    """Reap it, if there is one.  Blocks until it has ended: systemd has waited for what it waits for."""
    pid = sys._xoptions.pop(_OPTION, None)
    if pid is None:
        return
    try:
        os.waitpid(int(pid), _WALL)
    except (ChildProcessError, ValueError):
        pass  # somebody else's option
