"""Namespaces given by path that are the runtime's own, and so the host's.

A container may have the host's network, but not set its sysctls.  It may not have the host's mounts: what makes the
root file system its root would make it the root of every process there.
"""

from __future__ import annotations

from orlop import system as os
from orlop.errors import ConfigError, Problem
from orlop.spec.sysctl import sysctl_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.spec.types import Linux

_SYSCTL_HINT = "the network namespace that is joined is the runtime's own: leave its path out, or set it on the host"
_MOUNT_HINT = "leave its path out for a new one, or the namespace for a chroot in the runtime's"


def check_own(linux: Linux) -> None:
    """Raise ConfigError where the config would change one that is not the container's.

    A path that cannot be looked at is left to whoever joins it.
    """
    problems = [*_sysctls(linux), *_mounts(linux)]
    if problems:
        raise ConfigError(problems)


def _sysctls(linux: Linux) -> Iterator[Problem]:
    names = [name for name in linux.get("sysctl") or {} if sysctl_parts(name)[0] == "net"]
    if names and _own(linux, "network", "net") is not None:
        for name in names:
            message = f'sysctl "{name}" not allowed in host network namespace'
            yield Problem(f'linux.sysctl["{name}"]', message, _SYSCTL_HINT)


def _mounts(linux: Linux) -> Iterator[Problem]:
    index = _own(linux, "mount", "mnt")
    if index is not None:
        yield Problem(f"linux.namespaces[{index}].path", "is the runtime's own mount namespace", _MOUNT_HINT)


def _own(linux: Linux, kind: str, link: str) -> int | None:
    """The index of the namespace of this type, if it has a path and is the one that this process is in."""
    for index, row in enumerate(linux.get("namespaces") or []):
        path = row.get("path")
        if row["type"] == kind and path:
            try:
                given, own = os.stat(path), os.stat(f"/proc/self/ns/{link}")
            except OSError:
                return None
            return index if (given.st_dev, given.st_ino) == (own.st_dev, own.st_ino) else None
    return None
