"""Sends a descriptor to whoever listens on a unix socket: the master of a terminal, a pidfd."""

from __future__ import annotations

from _socket import AF_UNIX, SCM_RIGHTS, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET, socket
from _struct import pack

from orlop import system as os
from orlop.errors import OrlopError

_LONGEST = 107  # sockaddr_un.sun_path, with its final NUL


class Dialled:
    """A connection over which one descriptor is sent.  `what` names the socket in errors, `hint` is the remedy.

    Raises OrlopError where nobody listens at `path`."""

    __slots__ = ("_hint", "_link", "_name")

    def __init__(self, path: str, what: str, hint: str) -> None:
        self._name = f"{what} {path}"
        self._hint = hint
        if len(path.encode("utf-8", "surrogateescape")) > _LONGEST:
            raise OrlopError(f"unable to use the {self._name}: its path is longer than {_LONGEST} bytes")
        self._link = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
        try:
            self._link.connect(path)
        except OSError as error:
            self.close()
            raise self._failure(error) from None

    def send(self, fd: int, text: bytes) -> None:
        """Send one message, `text` and the descriptor, and close the connection.  Raises OrlopError."""
        try:
            self._link.sendmsg([text], [(SOL_SOCKET, SCM_RIGHTS, pack("<i", fd))])
        except OSError as error:
            raise self._failure(error) from None
        finally:
            self.close()

    def close(self) -> None:
        """End the connection, if it is not ended yet."""
        self._link.close()

    def _failure(self, error: OSError) -> OrlopError:
        return OrlopError(f"unable to use the {self._name}: {(error.strerror or '').lower()}", hint=self._hint)


def send_pidfd(path: str, pid: int, text: bytes) -> None:
    """Send a pidfd of a process that is our child and not reaped.  `text` is `standard` for a container's first
    process, `setns` for one that was added: runc's words."""
    fd = os.pidfd_open(pid)
    try:
        Dialled(path, "pidfd socket", "the program that is to get the pidfd must listen there").send(fd, text)
    finally:
        os.close(fd)
