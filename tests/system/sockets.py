"""The other side of what a service manager and an engine hand to a runtime: sockets for readiness, for a pidfd."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.command import PATIENCE


class ServiceManager:
    """Listens where $NOTIFY_SOCKET points, as systemd does."""

    def __init__(self, address: str | bytes) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(PATIENCE)

    def receive(self) -> str:
        return self.socket.recv(4096).decode()

    def barrier(self) -> None:
        """Take the barrier, and answer it by closing its descriptor."""
        data, fds, _, _ = socket.recv_fds(self.socket, 4096, 4)
        assert data == b"BARRIER=1" and len(fds) == 1
        os.close(fds[0])


@contextmanager
def service_manager(address: str | bytes) -> Iterator[ServiceManager]:
    found = ServiceManager(address)
    try:
        yield found
    finally:
        found.socket.close()


@contextmanager
def listener(path: Path) -> Iterator[socket.socket]:
    """A stream socket at a path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as found:
        found.bind(str(path))
        found.listen()
        found.settimeout(PATIENCE)
        yield found


def receive_descriptor(listening: socket.socket) -> tuple[int, bytes]:
    """The descriptor that is sent, which the caller closes, and the text it comes with."""
    connection, _ = listening.accept()
    with connection:
        data, fds, _, _ = socket.recv_fds(connection, 4096, 4)
        assert len(fds) == 1
    return fds[0], data
