"""The supervisor's end of an executor: spawn it, hear its events, answer.

`os.posix_spawn` shares the caller's memory until the exec (vfork), so it is quick and safe in programs with threads.
"""

from __future__ import annotations

import fcntl
from _socket import AF_UNIX, MSG_CMSG_CLOEXEC, SCM_RIGHTS, SOCK_CLOEXEC, SOCK_SEQPACKET, SOL_SOCKET, socketpair
from _struct import Struct, unpack

from orlop import system as os
from orlop.executor.image import sealed
from orlop.program.layout import EVENT_HEAD, EVENT_HEAD_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from typing import Protocol

    class Executable(Protocol):
        """What is needed of a program to run it."""

        architecture: str
        control: int
        scratch: int

        def encoded(self) -> bytes:
            """Its binary form."""


_HEAD = Struct(EVENT_HEAD)
_SHUT_WR = 1
_PAYLOAD = 256 * 1024
_EVENT_SIZE = EVENT_HEAD_SIZE + _PAYLOAD
_FDS = 2 * 4
# The executor, and hooks, get the default action for every signal but those that glibc keeps for itself.
SIGNALS = [number for number in range(1, 65) if number not in (9, 19, 32, 33)]


class Event:
    """One event of a program (plan/events.py).  Whoever takes it owns the descriptors."""

    __slots__ = ("fds", "kind", "op", "payload", "value")

    def __init__(self, kind: int, op: int, value: int, payload: bytes, fds: tuple[int, ...]) -> None:
        self.kind = kind
        self.op = op
        self.value = value
        self.payload = payload
        self.fds = fds


class Under:
    """A program that runs another: `number` is where it finds that one's executable."""

    __slots__ = ("argv", "number", "program")

    def __init__(self, program: Executable, number: int, argv: list[str]) -> None:
        self.program = program
        self.number = number
        self.argv = argv


def passed_on(fd: int) -> bool:
    """Does a process that is spawned get this descriptor?"""
    try:
        return not fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    except OSError:
        return False


def nothing_else() -> list[tuple[int, int]]:
    """What a spawn does so that the process gets nothing beside the standard streams: what a caller hands over is for
    the container."""
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    return [(os.POSIX_SPAWN_CLOSE, fd) for fd in numbers if fd > 2 and passed_on(fd)]


class Executor:
    """A spawned executor.  `pid` is that of the process that was spawned, which clones the container's and exits."""

    def __init__(
        self,
        program: Executable,
        *,
        inherit: tuple[tuple[int, int], ...] = (),
        encoded: bytes | None = None,
        under: Under | None = None,
    ) -> None:
        """Spawn it.  `inherit` lists (descriptor, number): what it gets beside the standard streams and its socket.

        `under`: what is spawned is that program, and `pid` is its; it gets this one's executable, to run it.
        """
        ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC)
        image = inner = -1
        # Descriptors move out of the way first, so that no dup2 of the spawn overwrites the source of a later one, or
        # the executable: in a program with threads it gets any number that is free.
        moved: list[int] = []
        beyond = program.control + 1 + len(inherit) + 8
        try:
            image = sealed(encoded or program.encoded(), program.scratch, program.architecture)
            argv = ["orlop", "init"]
            if under is not None:
                inner, argv = image, under.argv
                image = sealed(under.program.encoded(), under.program.scratch, under.program.architecture)
                inherit = (*inherit, (inner, under.number))
            # A stream that is closed here (in a daemon, say), or taken by one of the above: without this the program
            # would find a descriptor of its own there.
            actions: list[tuple[object, ...]] = [
                (os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_RDWR, 0) for number in range(3) if not passed_on(number)
            ]
            if image in (0, 1, 2, program.control, *(number for _, number in inherit)):
                low, image = image, fcntl.fcntl(image, fcntl.F_DUPFD_CLOEXEC, beyond)
                moved.append(low)
            for source, number in ((theirs.fileno(), program.control), *inherit):
                moved.append(fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, beyond))
                actions.append((os.POSIX_SPAWN_DUP2, moved[-1], number))
            self.pid = os.posix_spawn(
                f"/proc/self/fd/{image}",
                argv,
                {},
                file_actions=actions,
                setsigmask=(),
                setsigdef=SIGNALS,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            for fd in (*moved, image, inner):
                if fd >= 0:
                    os.close(fd)
        self.socket: socket = ours

    def receive(self) -> Event | None:
        """The next event; None when the last process that could send one is gone, or has become the container's
        program.

        Blocks until there is one: poll `socket` before.
        """
        try:
            data, ancillary, _flags, _address = self.socket.recvmsg(_EVENT_SIZE, 16 + _FDS, MSG_CMSG_CLOEXEC)
        except ConnectionResetError:  # it ended without having read an answer; what it said before is still there
            data, ancillary, _flags, _address = self.socket.recvmsg(_EVENT_SIZE, 16 + _FDS, MSG_CMSG_CLOEXEC)
        if not data:
            return None
        fds: tuple[int, ...] = ()
        for level, what, content in ancillary:
            if level == SOL_SOCKET and what == SCM_RIGHTS:
                fds += unpack(f"<{len(content) // 4}i", content[: len(content) // 4 * 4])
        kind, op, value = _HEAD.unpack_from(data)
        return Event(kind, op, value, data[EVENT_HEAD_SIZE:], fds)

    def answer(self, data: bytes = b"\0") -> None:
        """Let the program go on from where it waits."""
        self.socket.send(data)

    def stop(self) -> None:
        """Answer nothing any more: a program that waits, or comes to wait, ends."""
        self.socket.shutdown(_SHUT_WR)

    def close(self) -> None:
        """Let go: a program that waits for an answer ends."""
        self.socket.close()
