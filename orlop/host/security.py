"""Which security modules are active.  Asked only when a config has a label for one."""

from __future__ import annotations

from orlop import system as os
from orlop.host.probe import read_text


def apparmor() -> bool:
    """Is AppArmor in the kernel, and enabled?"""
    return _content("/sys/module/apparmor/parameters/enabled").startswith("Y")


def selinux() -> bool:
    """Is SELinux enabled, with a policy loaded?  Before that every process has the label `kernel` (libselinux)."""
    if not os.path.exists("/sys/fs/selinux/enforce"):
        return False
    return _content("/proc/self/attr/current").rstrip("\0\n") not in ("", "kernel")


def _content(path: str) -> str:
    try:
        return read_text(path)
    except OSError:
        return ""
