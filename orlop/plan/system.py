"""What a new namespace wants set: the loopback device, the names, the session, the keyring."""

from __future__ import annotations

from _struct import pack
from errno import EACCES, EDQUOT, ENOSYS, EPERM

from orlop.plan import events
from orlop.program import linux
from orlop.program.ops import Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction

# No keys in this kernel, or seccomp of an outer container, or no quota for a keyring.
_KEYLESS = (ENOSYS, EPERM, EACCES, EDQUOT)
_PERSONALITIES = {"LINUX": 0, "LINUX32": 8}


def new_session(c: Construction, *, first: bool) -> None:
    """A session of its own, which can take a controlling terminal; and a session keyring, so that the container does
    not hold the keys of whoever started it.

    The keyring is known by its name: the first process of the container makes it, and lets those that `exec` adds find
    it.  keyctl_join_session_keyring(3)
    """
    b = c.b
    b.purpose("process", "unable to start a session")
    b.do("setsid")
    if not c.request.new_keyring:
        return
    joined = Label()
    on = dict.fromkeys(_KEYLESS, joined)
    keyring = b.get("keyctl", linux.KEYCTL_JOIN_SESSION_KEYRING, f"_ses.{c.request.container_id}", 0, 0, on=on)
    if first:
        # A keyring is found by whoever may search it: here its owner, who is the container's root in both programs.
        permissions = linux.SESSION_KEYRING_PERM | linux.KEY_USR_SEARCH
        b.do("keyctl", linux.KEYCTL_SETPERM, keyring, permissions, 0, ignore=_KEYLESS)
    b.place(joined)
    b.free(keyring)


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
