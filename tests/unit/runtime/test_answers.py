"""What the supervisor does not believe."""

from __future__ import annotations

import os

import pytest

from orlop.errors import OrlopError
from orlop.executor.link import Event
from orlop.plan import events
from orlop.runtime.answers import handle
from orlop.runtime.launch import Launch
from orlop.runtime.waiting import drive


def test_a_second_process_id_is_not_believed() -> None:
    """A process that traces the executor, as CAP_SYS_PTRACE lets it, could name any other to be killed."""
    launch = Launch.__new__(Launch)
    launch.pid, launch.spawned = 12345, 0
    with pytest.raises(OrlopError, match="told of twice"):
        drive(handle(launch, Event(events.PID, 7, os.getpid(), b"", ())))
    assert launch.pid == 12345
