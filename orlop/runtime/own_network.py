"""Sysctls of the network, and a network namespace that is given by path: it must not be the runtime's own, whose
settings are the host's."""

from __future__ import annotations

from orlop import system as os
from orlop.errors import ConfigError, Problem
from orlop.spec.sysctl import sysctl_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.spec.types import Linux

_OWN = "/proc/self/ns/net"
_HINT = "the network namespace that is joined is the runtime's own: leave its path out, or set it on the host"


def check_own_network(linux: Linux) -> None:
    """Raise ConfigError where the config would set sysctls of the runtime's own network namespace.

    A path that cannot be looked at is left to whoever joins it.
    """
    names = [name for name in linux.get("sysctl") or {} if sysctl_parts(name)[0] == "net"]
    path = next((row.get("path") for row in linux.get("namespaces") or [] if row["type"] == "network"), None)
    if not names or not path:
        return
    try:
        given, own = os.stat(path), os.stat(_OWN)
    except OSError:
        return
    if (given.st_dev, given.st_ino) == (own.st_dev, own.st_ino):
        message = 'sysctl "{}" not allowed in host network namespace'
        raise ConfigError([Problem(f'linux.sysctl["{name}"]', message.format(name), _HINT) for name in names])
