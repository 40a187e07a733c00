"""Makes small programs and runs them in the real executor."""

from __future__ import annotations

import os
import platform
import select
from collections.abc import Sequence
from pathlib import Path

from orlop.executor.link import Event, Executor
from orlop.program.builder import Builder
from orlop.program.ops import Program

ROOT = Path(__file__).resolve().parents[2]
CONTROL = 3
PATIENCE = 30.0  # seconds; only an executor that hangs takes them


def builder(control: int = CONTROL, machine: str = "") -> Builder:
    b = Builder(machine or platform.machine(), control)
    b.purpose("test")
    return b


class Run:
    """A program while it runs.  Leaves no process behind."""

    def __init__(
        self, program: Program, *, inherit: tuple[tuple[int, int], ...] = (), encoded: bytes | None = None
    ) -> None:
        self.executor = Executor(program, inherit=inherit, encoded=encoded)
        self.pid = self.executor.pid
        self._status: int | None = None

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.executor.close()
        if self._status is None:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)

    def event(self) -> Event | None:
        ready, _, _ = select.select([self.executor.socket], [], [], PATIENCE)
        assert ready, "the executor says nothing"
        return self.executor.receive()

    def events(self) -> list[Event]:
        """All events until nobody is left to send one."""
        found = []
        while (event := self.event()) is not None:
            found.append(event)
        return found

    def answer(self, data: bytes = b"\0") -> None:
        self.executor.answer(data)

    def status(self) -> int:
        """Wait for the end: exit status, or the signal as a negative number."""
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status


class Outcome:
    """What a program that needs no answer left: its events, and its status."""

    def __init__(self, events: Sequence[Event], status: int) -> None:
        self.events = events
        self.status = status

    @property
    def values(self) -> list[int]:
        return [event.value for event in self.events]

    @property
    def failure(self) -> tuple[int, int]:
        """Operation and errno of the only event, which must be a failure."""
        (event,) = self.events
        assert event.kind == 0, "the program did not fail"
        return event.op, event.value


def run(b: Builder, *, encoded: bytes | None = None) -> Outcome:
    """Run what was built to its end."""
    with Run(b.finish(), encoded=encoded) as running:
        events = running.events()
        return Outcome(events, running.status())
