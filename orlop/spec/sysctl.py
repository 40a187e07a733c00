"""Which sysctls a container may set: those that one of its own namespaces keeps apart from the host."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_IPC = (
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
    "kernel.shm_rmid_forced",
)  # fmt: skip
_SWAP = {ord("."): "/", ord("/"): "."}


def sysctl_parts(name: str) -> list[str]:
    """Return the components of a sysctl's path below /proc/sys.

    Both `net.ipv4.ip_forward` and `net/ipv4/conf/eth0.100/rp_filter` are names; the first separator tells which form
    it is, and in the one with dots a slash stands for a dot (sysctl.d(5)).
    """
    dot, slash = name.find("."), name.find("/")
    dotted = slash < 0 or 0 <= dot < slash
    return (name.translate(_SWAP) if dotted else name).split("/")


def sysctl_problem(name: str, namespaces: Collection[str]) -> str | None:
    """Return why a container with these namespaces of its own may not set a sysctl, or None if it may."""
    parts = sysctl_parts(name)
    if any(part in ("", ".", "..") for part in parts) or "\0" in name:
        return f'"{name}" is not the name of a sysctl'
    dotted = ".".join(part.replace(".", "/") for part in parts)
    if dotted in _IPC or parts[:2] == ["fs", "mqueue"]:
        return None if "ipc" in namespaces else f'sysctl "{name}" is not allowed in the hosts ipc namespace'
    if parts[0] == "net":
        return None if "network" in namespaces else f'sysctl "{name}" not allowed in host network namespace'
    if "uts" in namespaces and dotted == "kernel.domainname":
        return None
    if "uts" in namespaces and dotted == "kernel.hostname":
        return f'sysctl "{name}" conflicts with the field hostname; use that'
    if "user" in namespaces and parts[0] == "user":
        return None
    return f'sysctl "{name}" is not in a separate kernel namespace'
