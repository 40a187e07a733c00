"""A container whose first process is reaped between the look at it and the signal."""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace

import pytest

from orlop.errors import StateError
from orlop.runtime import delete, kill
from orlop.runtime.options import Options


@pytest.fixture
def reaped(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A container whose pidfd is of such a process."""

    def handle(_pid: int, _start: int) -> int:
        with subprocess.Popen(["true"]) as child:
            return os.pidfd_open(child.pid)

    record = SimpleNamespace(init_process_pid=1, init_process_start=1, namespaces=["pid"])
    found = SimpleNamespace(record=record, cgroup=SimpleNamespace(release=lambda: None))
    for module in (kill, delete):
        monkeypatch.setattr(module, "handle", handle)
    monkeypatch.setattr(kill, "Found", lambda *_: found)
    return found


def test_kill_says_that_it_does_not_run(reaped: SimpleNamespace) -> None:
    with pytest.raises(StateError, match="container not running: web"):
        kill.kill("web", 15, Options())
    kill.kill("web", 9, Options(), all=True)


def test_delete_has_nothing_to_kill(reaped: SimpleNamespace) -> None:
    delete._kill(reaped)  # type: ignore[arg-type]
