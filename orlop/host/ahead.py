"""The child that the launcher has sent ahead (launcher/launcher.c, hasten_cgroup)."""

from __future__ import annotations

import sys

from orlop import system as os

_OPTION = "ahead"
_SIGKILL = 9
_WALL = 0x4000_0000  # also those that end without a signal to their parent


def end() -> None:
    """End it, if there is one.  Blocks while it waits for a grace period: 15 ms at most."""
    pid = sys._xoptions.pop(_OPTION, None)
    if pid is None:
        return
    try:
        os.kill(int(pid), _SIGKILL)
        os.waitpid(int(pid), _WALL)
    except (ProcessLookupError, ChildProcessError, ValueError):
        pass  # somebody else's option
