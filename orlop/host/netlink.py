"""Network interfaces, over a socket of rtnetlink(7): as much of the protocol as moving one takes.

A socket stays in the network namespace that it was opened in, so one that a container's process has opened shows us
that container's interfaces.
"""

from __future__ import annotations

from _socket import AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW, socket
from _struct import Struct

from orlop import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = Struct("<IHHII")  # nlmsghdr: size, type, flags, sequence, port
_LINK = Struct("<BxHiII")  # ifinfomsg: family, type, index, flags, change
_ADDRESS = Struct("<BBBBI")  # ifaddrmsg: family, prefix, flags, scope, index
_ATTRIBUTE = Struct("<HH")
_INT = Struct("<i")
_ERROR, _DONE = 2, 3
_NEW_LINK, _GET_LINK, _NEW_ADDRESS, _GET_ADDRESS = 16, 18, 20, 22
_REQUEST, _ACK, _EXCLUSIVE, _CREATE, _DUMP = 0x1, 0x4, 0x200, 0x400, 0x300
_IFLA_IFNAME, _IFLA_NET_NS_PID = 3, 19
_IFA_LABEL, _IFA_FLAGS = 3, 8
# Of an address: itself, its peer, label, broadcast, flags, priority of its route, protocol that it came from.
_KEPT = (1, 2, _IFA_LABEL, 4, _IFA_FLAGS, 9, 11)
_PERMANENT = 0x80
_PASSING = 0x01 | 0x08 | 0x20 | 0x40  # secondary, DAD failed, deprecated, tentative: the kernel finds out anew
_GLOBAL = 0
_UP = 1
_LARGEST = 1 << 16
_TYPE = 0x3FFF


class Interface:
    """One interface: its index, its name, whether it is up."""

    __slots__ = ("index", "name", "up")

    def __init__(self, index: int, name: str, up: bool) -> None:
        self.index = index
        self.name = name
        self.up = up


class Address:
    """An address of an interface, as the kernel told it."""

    __slots__ = ("attributes", "family", "prefix", "scope")

    def __init__(self, family: int, prefix: int, scope: int, attributes: dict[int, bytes]) -> None:
        self.family = family
        self.prefix = prefix
        self.scope = scope
        self.attributes = attributes


class Netlink:
    """A socket; every method raises OSError with the kernel's errno."""

    def __init__(self, fd: int | None = None) -> None:
        """Open one in this process's network namespace, or take over a descriptor of one."""
        kind = SOCK_RAW | SOCK_CLOEXEC
        self._socket = socket(AF_NETLINK, kind, 0) if fd is None else socket(AF_NETLINK, kind, 0, fd)
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def interfaces(self) -> list[Interface]:
        """All interfaces of the namespace."""
        found = []
        for data in self._ask(_GET_LINK, _DUMP, _LINK.pack(0, 0, 0, 0, 0)):
            _family, _type, index, flags, _change = _LINK.unpack_from(data)
            name = _attributes(data[_LINK.size :])[_IFLA_IFNAME].rstrip(b"\0").decode("utf-8", "surrogateescape")
            found.append(Interface(index, name, bool(flags & _UP)))
        return found

    def addresses(self, index: int) -> list[Address]:
        """The permanent addresses of global scope that an interface has, in the kernel's order."""
        found = []
        for data in self._ask(_GET_ADDRESS, _DUMP, _ADDRESS.pack(0, 0, 0, 0, 0)):
            family, prefix, flags, scope, owner = _ADDRESS.unpack_from(data)
            attributes = _attributes(data[_ADDRESS.size :])
            flags = int.from_bytes(attributes.get(_IFA_FLAGS, b""), "little") or flags
            if owner == index and scope == _GLOBAL and flags & _PERMANENT:
                attributes[_IFA_FLAGS] = (flags & ~_PASSING).to_bytes(4, "little")
                kept = {kind: attributes[kind] for kind in _KEPT if kind in attributes}
                found.append(Address(family, prefix, scope, kept))
        return found

    def move(self, index: int, pid: int, name: str) -> None:
        """Move an interface into the network namespace of a process, under a name there; it is down then."""
        attributes = _packed(_IFLA_NET_NS_PID, _INT.pack(pid)) + _packed(_IFLA_IFNAME, _text(name))
        self._ask(_NEW_LINK, _ACK, _LINK.pack(0, 0, index, 0, 0) + attributes)

    def set_up(self, index: int) -> None:
        """Bring an interface up."""
        self._ask(_NEW_LINK, _ACK, _LINK.pack(0, 0, index, _UP, _UP))

    def add(self, index: int, address: Address, label: str) -> None:
        """Give an interface an address; an IPv4 address has a label, by default the name of the interface."""
        body = _ADDRESS.pack(address.family, address.prefix, 0, address.scope, index)
        for kind, value in address.attributes.items():
            body += _packed(kind, _text(label) if kind == _IFA_LABEL else value)
        self._ask(_NEW_ADDRESS, _ACK | _CREATE | _EXCLUSIVE, body)

    def _ask(self, kind: int, flags: int, body: bytes) -> list[bytes]:
        self._sequence += 1
        header = _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, self._sequence, 0)
        self._socket.send(header + body)
        found: list[bytes] = []
        while True:
            for answer, data in self._messages(self._socket.recv(_LARGEST)):
                if answer in (_ERROR, _DONE):
                    (number,) = _INT.unpack_from(data)
                    if number:
                        raise OSError(-number, os.strerror(-number))
                    return found
                found.append(data)

    def _messages(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        at = 0
        while at + _HEADER.size <= len(data):
            size, kind, _flags, sequence, _port = _HEADER.unpack_from(data, at)
            if sequence == self._sequence:
                yield kind, data[at + _HEADER.size : at + size]
            at += size + -size % 4


def _text(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape") + b"\0"


def _packed(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, at)
        if size < _ATTRIBUTE.size:
            break
        found[kind & _TYPE] = data[at + _ATTRIBUTE.size : at + size]
        at += size + -size % 4
    return found
