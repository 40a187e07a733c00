"""The child that the launcher has sent ahead (launcher/launcher.c, hasten_cgroup)."""

from __future__ import annotations

import sys

from orlop import system as os

_OPTION = "ahead"
_SIGKILL = 9
_WALL = 0x4000_0000  # also children that were cloned without a signal to tell of their end


def end() -> None:
    """End it, if there is one.  Blocks while it waits for a grace period: 15 ms at most."""
    told = sys._xoptions.pop(_OPTION, None)
    if not isinstance(told, str) or not told.isdecimal() or int(told) <= 1:
        return  # somebody else's option
    pid = int(told)
    try:
        if not os.waitpid(pid, os.WNOHANG | _WALL)[0]:  # a child of ours, so that the number is no other's
            os.kill(pid, _SIGKILL)
            os.waitpid(pid, _WALL)
    except ChildProcessError:
        return  # it has ended while its parent ignored that
