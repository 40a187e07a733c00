"""A connection to a D-Bus peer, as far as systemd is asked for things: call a method, wait for a signal.

us                                                      the bus, or systemd's own private socket
NUL, AUTH EXTERNAL, DATA, BEGIN ───────────────────────▶ looks at the credentials of the socket
◀──────────────────────────────────────────── DATA, OK
Hello (a bus only), a call ────────────────────────────▶
◀──────────────────────────── the reply, signals in between

Our own, and not a library, because it is on the way of every container of an engine with the systemd driver: to import
jeepney takes as long as a whole container does, and a runtime that engines call must not lack a package.
"""

from __future__ import annotations

import select
import time
from _socket import AF_UNIX, MSG_NOSIGNAL, SO_SNDTIMEO, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET, socket
from _struct import pack

from orlop.errors import OrlopError
from orlop.host.dbus_wire import (
    DESTINATION,
    ERROR,
    ERROR_NAME,
    HEAD,
    INTERFACE,
    KIND,
    MEMBER,
    PATH,
    REPLY_SERIAL,
    RETURN,
    SIGNAL,
    Message,
    WireError,
    call,
    parse,
    size,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orlop.host.dbus_wire import Value

BUS = "org.freedesktop.DBus"
PATIENCE = 25.0  # seconds for a reply, as libdbus and sd-bus have it


class BusError(OrlopError):
    """There is no such bus, it does not answer, or it says no."""


class SilentError(BusError):
    """The time for an answer is over."""


class CallError(BusError):
    """A method failed; `name` is that of the error: `org.freedesktop.systemd1.UnitExists`."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class Bus:
    """A connection.  `private`: the peer is a service itself, and not a bus with many.  Not for use by two threads."""

    __slots__ = ("_buffer", "_deadline", "_members", "_serial", "_signals", "name", "private", "socket")

    def __init__(self, address: str, *, private: bool = False, patience: float = PATIENCE, wait: bool = True) -> None:
        """Connect.  `address` is a path, or the name of an abstract socket after a NUL.  Raises BusError.

        Without `wait` the peer is only asked to let us in, and `enter` waits until it has.
        """
        self.name = address.replace("\0", "@", 1)
        self.private = private
        self.socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
        self._buffer = b""
        self._serial = 0
        self._signals: list[Message] = []
        self._members: tuple[bytes, ...] = ()
        self._deadline = time.monotonic() + patience
        try:
            # Not a timeout of Python's: with that, a peer whose queue is full refuses at once.
            self.socket.setsockopt(SOL_SOCKET, SO_SNDTIMEO, pack("@ll", int(patience), int(patience % 1 * 1e6)))
            self.socket.connect(address)
            # No identity is named: the peer takes that of the socket, which is right in a user namespace too.
            self._send(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")
        except BlockingIOError:
            self.close()
            raise self._silent() from None
        except OSError as error:
            self.close()
            reason = error.strerror or str(error)
            raise BusError(f"cannot connect to {self.name}: {reason[:1].lower()}{reason[1:]}") from None
        except BaseException:
            self.close()
            raise
        if wait:
            self.enter()

    def enter(self) -> None:
        """Wait until the peer has let us in; it closes the connection where it does not.  Raises BusError."""
        try:
            self._authenticate(self._deadline)
            if not self.private:
                left = self._deadline - time.monotonic()
                self.call(BUS, "/org/freedesktop/DBus", BUS, "Hello", patience=left)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: Sequence[Value] = (),
        *,
        patience: float = PATIENCE,
        meanwhile: Callable[[], None] | None = None,
    ) -> list[Value]:
        """Call a method; its reply.  Blocks for `patience` seconds at most.  Raises BusError, CallError.

        `meanwhile` is done while the peer is busy with it.
        """
        deadline = time.monotonic() + patience
        self._serial += 1
        fields: dict[int, str | int] = {PATH: path, INTERFACE: interface, MEMBER: member}
        if not self.private:
            fields[DESTINATION] = destination
        self._send(call(self._serial, fields, signature, body))
        if meanwhile is not None:
            meanwhile()
        while (message := self._receive(deadline)).fields.get(REPLY_SERIAL) != self._serial:
            if message.kind == SIGNAL:
                self._signals.append(message)
        if message.kind == ERROR:
            text = message.body[0] if message.body else message.fields.get(ERROR_NAME)
            raise CallError(str(message.fields.get(ERROR_NAME)), str(text))
        if message.kind != RETURN:
            raise BusError(f"{self.name} answers {member} with a message of type {message.kind}")
        return message.body

    def match(self, member: str, rule: str) -> None:
        """Ask a bus for the signals of this name; a private peer sends them, and all others, unasked.  Raises BusError.

        Those that nobody has asked for are not even parsed: systemd tells each change of each unit, at length.
        """
        self._members += (member.encode(),)
        if not self.private:
            self.call(BUS, "/org/freedesktop/DBus", BUS, "AddMatch", "s", [rule])

    def signal(self, member: str, deadline: float) -> list[Value] | None:
        """Return what the next signal of a name says, or None when the deadline came first.  Raises BusError."""
        while True:
            for index, message in enumerate(self._signals):
                if message.fields.get(MEMBER) == member:
                    del self._signals[: index + 1]
                    return message.body
            self._signals.clear()
            try:
                message = self._receive(deadline)
            except SilentError:
                return None
            if message.kind == SIGNAL:
                self._signals.append(message)

    def _authenticate(self, deadline: float) -> None:
        while not (line := self._line(deadline)).startswith(b"OK "):
            if not line.startswith(b"DATA"):
                said = line.decode("utf-8", "replace")
                raise BusError(f"{self.name} does not let us in: {said}", hint="it must be the bus of this very user")

    def _line(self, deadline: float) -> bytes:
        while b"\r\n" not in self._buffer:
            if len(self._buffer) > 65536:
                raise BusError(f"{self.name} does not speak D-Bus")
            self._read(deadline)
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data, MSG_NOSIGNAL)
        except BlockingIOError:
            raise self._silent() from None
        except OSError as error:
            raise self._closed() from error

    def _receive(self, deadline: float) -> Message:
        """Return the next message.  Raises BusError."""
        try:
            while True:
                while len(self._buffer) < HEAD or len(self._buffer) < size(self._buffer):
                    self._read(deadline)
                whole = size(self._buffer)
                data, self._buffer = self._buffer[:whole], self._buffer[whole:]
                if data[KIND] != SIGNAL or any(member in data for member in self._members):
                    return parse(data)
        except WireError as error:
            raise BusError(f"{self.name} does not speak D-Bus: {error}") from None

    def _read(self, deadline: float) -> None:
        poll = select.poll()
        poll.register(self.socket.fileno(), select.POLLIN)
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise self._silent()
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise self._closed()
        self._buffer += data

    def _closed(self) -> BusError:
        return BusError(f"{self.name} closed the connection")

    def _silent(self) -> SilentError:
        return SilentError(f"{self.name} does not answer")


def unix_addresses(text: str) -> list[str]:
    """Return the sockets of a list of D-Bus addresses: `unix:path=/run/user/1000/bus,guid=…;unix:abstract=…`.

    Other transports are left out.
    """
    found = []
    for address in text.split(";"):
        transport, _, rest = address.partition(":")
        keys = dict(pair.partition("=")[::2] for pair in rest.split(","))
        if transport == "unix" and "path" in keys:
            found.append(_unescaped(keys["path"]))
        elif transport == "unix" and "abstract" in keys:
            found.append("\0" + _unescaped(keys["abstract"]))
    return found


def _unescaped(text: str) -> str:
    """`%2f` is a slash (D-Bus specification, "Server Addresses")."""
    first, *rest = text.split("%")
    try:
        return first + "".join(chr(int(part[:2], 16)) + part[2:] for part in rest)
    except ValueError:
        return text
