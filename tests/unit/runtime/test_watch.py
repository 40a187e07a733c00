"""What is told of the end of a container whose cgroup has gone with it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from types import SimpleNamespace

import pytest

from orlop.host.process import look
from orlop.runtime import watch
from orlop.runtime.watch import OOM, Watch, _Counter


@pytest.mark.parametrize("killed", [True, False, None])
def test_the_kernels_log_tells_of_a_lack_of_memory_that_nobody_could_read(
    monkeypatch: pytest.MonkeyPatch, killed: bool | None
) -> None:
    process = subprocess.Popen(["sleep", "1000"])
    found = look(process.pid)
    assert found is not None
    asked: list[tuple[int, int]] = []

    def oom_killed(pid: int, start: int) -> bool | None:
        asked.append((pid, start))
        return killed

    monkeypatch.setattr(watch, "oom_killed", oom_killed)
    record = SimpleNamespace(init_process_pid=process.pid, init_process_start=found.start)
    reader, writer = os.pipe()  # cannot be read at an offset, as the file of a cgroup that is gone
    with Watch(SimpleNamespace(record=record, cgroup=SimpleNamespace(paths={}, pids=list))) as seen:  # type: ignore[arg-type]
        seen._oom = _Counter(reader, "oom_kill")
        assert (seen.news(), seen.ended, asked) == ([], False, [])
        os.kill(process.pid, signal.SIGKILL)
        news: list[str] = []
        while not seen.ended:
            news += seen.wait(time.monotonic() + 1)
        assert (news, asked) == ([OOM] if killed else [], [(process.pid, found.start)])
    process.wait()
    os.close(reader)
    os.close(writer)
