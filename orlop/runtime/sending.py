"""Sends a descriptor to whoever listens on a unix socket: the master of a terminal, a pidfd."""

from __future__ import annotations

from _socket import AF_UNIX, SCM_RIGHTS, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET, socket
from _struct import pack

from orlop import system as os
from orlop.errors import OrlopError

_LONGEST = 107  # sockaddr_un.sun_path, with its final NUL


def send_descriptor(path: str, fd: int, text: bytes, *, what: str, hint: str) -> None:
    """Send one message, `text` and the descriptor, and close the connection.  `what` names the socket in errors."""
    if len(path.encode("utf-8", "surrogateescape")) > _LONGEST:
        raise OrlopError(f"unable to use the {what} {path}: its path is longer than {_LONGEST} bytes")
    link = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
    try:
        link.connect(path)
        link.sendmsg([text], [(SOL_SOCKET, SCM_RIGHTS, pack("<i", fd))])
    except OSError as error:
        message = f"unable to use the {what} {path}: {(error.strerror or '').lower()}"
        raise OrlopError(message, hint=hint) from None
    finally:
        link.close()


def send_pidfd(path: str, pid: int, text: bytes) -> None:
    """Send a pidfd of a process that is our child and not reaped.  `text` is `standard` for a container's first
    process, `setns` for one that was added: runc's words."""
    fd = os.pidfd_open(pid)
    try:
        hint = "the program that is to get the pidfd must listen there"
        send_descriptor(path, fd, text, what="pidfd socket", hint=hint)
    finally:
        os.close(fd)
