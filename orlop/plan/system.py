"""What a new namespace wants set: the loopback device, the names, the session, the keyring."""

from __future__ import annotations

from _struct import pack
from errno import EACCES, EDQUOT, ENOSYS, EPERM

from orlop.plan import events
from orlop.program import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction

_PERSONALITIES = {"LINUX": 0, "LINUX32": 8}


def new_session(c: Construction) -> None:
    """A session of its own, which can take a controlling terminal; and a session keyring, so that the container does
    not hold the keys of whoever started it."""
    b = c.b
    b.purpose("process", "unable to start a session")
    b.do("setsid")
    if c.request.new_keyring:
        name = f"_ses.{c.request.container_id}"
        keyless = (ENOSYS, EPERM, EACCES, EDQUOT)  # no keys in this kernel, or seccomp of an outer container
        b.do("keyctl", linux.KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, ignore=keyless)


def names(c: Construction) -> None:
    """hostname and domainname."""
    b = c.b
    for field, call in (("hostname", "sethostname"), ("domainname", "setdomainname")):
        name = c.spec.get(field)
        if name:
            b.purpose(field, f'unable to set {field} "{name}"')
            b.do(call, str(name), len(str(name).encode()))


def loopback(c: Construction) -> None:
    """A new network namespace has a loopback device that is down."""
    if not c.creates("network"):
        return
    b = c.b
    b.purpose("linux.namespaces", "unable to bring the loopback device up")
    socket = b.get("socket", linux.AF_INET, linux.SOCK_DGRAM | linux.SOCK_CLOEXEC, 0)
    b.do("ioctl", socket, linux.SIOCSIFFLAGS, pack("<16sH22x", b"lo", linux.IFF_UP | linux.IFF_RUNNING))
    b.close(socket)


def network_devices(c: Construction) -> None:
    """linux.netDevices: the supervisor moves them, and sees through our socket what becomes of them."""
    if not c.linux.get("netDevices"):
        return
    b = c.b
    b.purpose("linux.netDevices", "unable to open a netlink socket in the container's network namespace")
    socket = b.get("socket", linux.AF_NETLINK, linux.SOCK_RAW | linux.SOCK_CLOEXEC, 0)
    b.event(events.NETWORK, fds=(socket,))
    b.close(socket)
    b.wait(b.space(8), 8)


def personality(c: Construction) -> None:
    """linux.personality."""
    row = c.linux.get("personality")
    if row:
        c.b.purpose("linux.personality", "unable to set the execution domain")
        c.b.do("personality", _PERSONALITIES[row["domain"]])
