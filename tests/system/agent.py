"""A seccomp agent: takes listeners on a socket, and answers what they notify of."""

from __future__ import annotations

import array
import fcntl
import json
import os
import select
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.system.command import PATIENCE

# uapi/linux/seccomp.h
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_CONTINUE = 1


class Agent:
    """Answers each system call with the errno for its number, or lets the kernel go on with it."""

    def __init__(self, path: str, answers: Mapping[int, int] | None = None, *, patient: bool = True) -> None:
        self.answers = dict(answers or {})
        self.messages: list[dict[str, object]] = []
        self.seen: list[int] = []
        self._listeners: list[int] = []
        self._patient = patient
        self._stop, self._stopped = os.pipe()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(path)
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        os.close(self._stopped)
        self._thread.join(PATIENCE)
        for fd in (*self._listeners, self._stop):
            os.close(fd)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            poll = select.poll()
            for fd in (self._stop, self._socket.fileno(), *self._listeners):
                poll.register(fd, select.POLLIN)
            ready = dict(poll.poll())
            if self._stop in ready:
                return
            if self._socket.fileno() in ready:
                self._accept()
            for listener in [fd for fd in self._listeners if fd in ready]:
                if ready[listener] & select.POLLIN:
                    self._answer(listener)
                else:  # nobody is left who could ask; before Linux 6.11, waiting for a question would take forever
                    self._let_go(listener)

    def _accept(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            data, fds, _, _ = socket.recv_fds(connection, 65536, 4)
            while part := connection.recv(65536):
                data += part
        found = json.loads(data)
        assert isinstance(found, dict)
        self.messages.append(found)
        if self._patient:
            self._listeners += fds
        else:
            for fd in fds:
                os.close(fd)

    def _answer(self, listener: int) -> None:
        notification = array.array("B", bytes(80))
        try:
            fcntl.ioctl(listener, _RECEIVE, notification)
        except OSError:  # whoever asked is gone
            self._let_go(listener)
            return
        identity, number = struct.unpack_from("=Q8xi", notification.tobytes())
        self.seen.append(number)
        error = self.answers.get(number, 0)
        answer = struct.pack("=QqiI", identity, 0, -error, 0 if error else _CONTINUE)
        try:
            fcntl.ioctl(listener, _SEND, array.array("B", answer))
        except FileNotFoundError:
            return

    def _let_go(self, listener: int) -> None:
        os.close(listener)
        self._listeners.remove(listener)


@contextmanager
def agent(path: Path | str, answers: Mapping[int, int] | None = None, *, patient: bool = True) -> Iterator[Agent]:
    """An agent that listens on a path; one that begins with NUL is abstract.  `patient=False`: it lets go of what it
    is given."""
    found = Agent(str(path), answers, patient=patient)
    try:
        yield found
    finally:
        found.close()
