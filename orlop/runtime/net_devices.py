"""linux.netDevices: the host's interfaces that the container is given, with their permanent addresses, and up.

supervisor: its own socket ─ find, note addresses ─▶ move, by the pid ─▶ the container's socket ─ addresses, up
                                                          ▲                   │
                                 a failed create ─────────┴─── back again ◀───┘
"""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.errors import KernelError
from orlop.host.netlink import Address, Interface, Netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.spec.types import NetDevice

_HINTS = {
    errno.ENODEV: "the interface must be in the runtime's network namespace",
    errno.EEXIST: "choose another name with the member `name`, or one that ends with %d",
    errno.EINVAL: "the kernel cannot move this kind of interface, or the name is none",
    errno.EPERM: "to move an interface needs CAP_NET_ADMIN in both network namespaces",
}


class _Moved:
    """What was moved, and how it was before."""

    __slots__ = ("addresses", "inside", "interface")

    def __init__(self, interface: Interface, inside: int, addresses: list[Address]) -> None:
        self.interface = interface
        self.inside = inside
        self.addresses = addresses


class NetDevices:
    """The interfaces of one container.  `fd` is a netlink socket of its network namespace, which is taken over."""

    __slots__ = ("_host", "_inside", "_moved", "_pid")

    def __init__(self, pid: int, fd: int) -> None:
        self._pid = pid
        self._inside = Netlink(fd)
        self._host = Netlink()
        self._moved: list[_Moved] = []

    def move(self, devices: dict[str, NetDevice]) -> None:
        """Move them all.  Raises KernelError; what was moved by then is for `undo`."""
        for host_name, device in devices.items():
            name = device.get("name") or host_name
            try:
                self._move(host_name, name)
            except OSError as error:
                raise _failed(host_name, name, error) from None

    def undo(self) -> None:
        """Give everything back as it was, as far as the kernel lets us; and close."""
        for moved in reversed(self._moved):
            interface = moved.interface
            try:
                self._inside.move(moved.inside, os.getpid(), interface.name)
                back = next(found for found in self._host.interfaces() if found.name == interface.name)
                _complete(self._host, back, moved.addresses, up=interface.up)
            except (OSError, StopIteration):
                continue  # it is the failure before that is told
        self.close()

    def close(self) -> None:
        """Let go of the container's network namespace."""
        self._inside.close()
        self._host.close()
        self._moved = []

    def _move(self, host_name: str, name: str) -> None:
        found = next((row for row in self._host.interfaces() if row.name == host_name), None)
        if found is None:
            raise OSError(errno.ENODEV, "")
        before = self._inside.interfaces()
        if any(row.name == name for row in before):
            raise OSError(errno.EEXIST, "")
        addresses = self._host.addresses(found.index)
        try:
            self._host.move(found.index, self._pid, name)
        finally:  # the kernel moves first, and renames then
            known = {row.index for row in before}
            inside = next((row for row in self._inside.interfaces() if row.index not in known), None)
            if inside is not None:
                self._moved.append(_Moved(found, inside.index, addresses))
        if inside is None:
            raise OSError(errno.ENODEV, "")
        _complete(self._inside, inside, addresses, up=True)


def _complete(link: Netlink, interface: Interface, addresses: list[Address], *, up: bool) -> None:
    for address in addresses:
        link.add(interface.index, address, interface.name)
    if up:
        link.set_up(interface.index)


def _failed(host_name: str, name: str, error: OSError) -> KernelError:
    number = error.errno or 0
    what = f'unable to move the network device "{host_name}" into the container as "{name}"'
    return KernelError(
        number,
        f"{what}: {os.strerror(number).lower()}",
        call="sendmsg",
        field=f"linux.netDevices.{host_name}",
        hint=_HINTS.get(number),
    )
