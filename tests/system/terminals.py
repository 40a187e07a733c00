"""The other side of a terminal: who listens on a console socket, and who sits at a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import socket
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.command import PATIENCE


class ConsoleSocket:
    """Listens on a unix socket, and takes the master of a terminal from it: what recvtty does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(str(path))
        self.socket.listen()
        self.socket.settimeout(PATIENCE)

    def receive(self) -> tuple[int, bytes]:
        """The descriptor of the master, which the caller closes, and the name it was sent with.

        Who failed before there was a terminal has dialled, and sent nothing.
        """
        while True:
            connection, _ = self.socket.accept()
            with connection:
                data, fds, _, _ = socket.recv_fds(connection, 4096, 4)
                assert connection.recv(1) == b""  # at most one message, and the connection is closed
            if data:
                (master,) = fds
                return master, data


@contextmanager
def console_socket(place: Path) -> Iterator[ConsoleSocket]:
    found = ConsoleSocket(place / "console.sock")
    try:
        yield found
    finally:
        found.socket.close()


def read_until(fd: int, text: str) -> str:
    """What comes from a terminal, up to and with a text."""
    got = b""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while text.encode() not in got:
        assert poll.poll(PATIENCE * 1000), f"no {text!r} in {got[-500:]!r}"
        got += os.read(fd, 4096)
    return got.decode()


def read_rest(fd: int) -> str:
    """What comes from a terminal until its other side is closed."""
    got = b""
    while True:
        try:
            part = os.read(fd, 4096)
        except OSError:  # EIO: nobody has the slave open
            return got.decode()
        if not part:
            return got.decode()
        got += part


class Seat:
    """A process in the foreground of a pseudo-terminal of ours, in a session of its own."""

    def __init__(self, argv: list[str], rows: int, columns: int) -> None:
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(self.master, (rows, columns))
        self.before = termios.tcgetattr(slave)
        # setsid(1) makes the slave the controlling terminal of the command: what a login does.
        self.process = subprocess.Popen(["setsid", "--ctty", "--wait", *argv], stdin=slave, stdout=slave, stderr=slave)
        self.slave = slave

    def resize(self, rows: int, columns: int) -> None:
        """The kernel sends SIGWINCH to the foreground."""
        termios.tcsetwinsize(self.master, (rows, columns))

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def until(self, text: str) -> str:
        return read_until(self.master, text)

    def end(self) -> int:
        status = self.process.wait(PATIENCE)
        self.after = termios.tcgetattr(self.slave)
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.slave)
        os.close(self.master)


@contextmanager
def seat(argv: list[str], *, rows: int = 24, columns: int = 80) -> Iterator[Seat]:
    found = Seat(argv, rows, columns)
    try:
        yield found
    finally:
        found.close()
