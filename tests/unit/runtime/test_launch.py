"""In which order the supervisor hears of what the executor and the process that it has cloned tell, who race."""

from __future__ import annotations

import os

import pytest

from orlop.executor.link import Event
from orlop.plan import events
from orlop.program.layout import EVENT_FAILED
from orlop.runtime import answers
from orlop.runtime.launch import Launch
from orlop.runtime.waiting import drive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.waiting import Steps


class Telling:
    """An executor that tells these events, and always has something to be read."""

    def __init__(self, *kinds: int) -> None:
        self._left = list(kinds)
        self._ready, self._write = os.pipe()
        os.write(self._write, b"\0")
        self.socket = self

    def fileno(self) -> int:
        return self._ready

    def receive(self) -> Event:
        return Event(self._left.pop(0), 0, 12345, b"", ())

    def close(self) -> None:
        os.close(self._ready)
        os.close(self._write)


@pytest.mark.parametrize(
    "told",
    [
        (events.PID, events.HOOK_FAILED, EVENT_FAILED),
        (events.HOOK_FAILED, events.PID, EVENT_FAILED),
        (events.HOOK_FAILED, EVENT_FAILED),
    ],
)
def test_a_hook_that_fails_before_the_pid_is_told_is_the_reason(
    told: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what it wrote would be nobody's.  The pid may not come at all."""
    heard = []

    def handle(launch: Launch, event: Event) -> Steps[None]:
        heard.append(event.kind)
        if event.kind == events.PID:
            launch.pid = event.value
        yield from ()

    monkeypatch.setattr(answers, "handle", handle)
    launch, executor = Launch.__new__(Launch), Telling(*told)
    launch.pid, launch.spawned, launch.early, launch.heard = 0, 0, [], []
    launch.executor = executor  # type: ignore[assignment]
    try:
        while events.HOOK_FAILED not in heard:
            drive(launch._event())
    finally:
        executor.close()
    assert EVENT_FAILED not in heard and not launch.early


def test_an_executor_that_fails_before_it_clones_is_heard_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "handle", lambda _launch, event: iter([(event.kind, None)]))
    launch, executor = Launch.__new__(Launch), Telling(EVENT_FAILED)
    launch.pid, launch.spawned, launch.early, launch.heard = 0, 0, [], []
    launch.executor = executor  # type: ignore[assignment]
    try:
        steps = launch._event()
        next(steps)
        assert steps.send(True) == (EVENT_FAILED, None)
    finally:
        executor.close()
