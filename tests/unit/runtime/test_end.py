"""Who is killed when a container is given up."""

from __future__ import annotations

import os
import subprocess

from orlop.runtime.waiting import end


def test_a_child_is_killed_and_reaped() -> None:
    child = os.posix_spawn("/bin/sleep", ["sleep", "1000"], {})
    end(child)
    try:
        os.kill(child, 0)
    except ProcessLookupError:
        return
    raise AssertionError("it is still there")


def test_a_process_that_is_not_ours_is_left_alone() -> None:
    """The pid was told by a process that somebody may trace."""
    with subprocess.Popen(["sh", "-c", "sleep 1000 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        other = int(shell.stdout.readline())
        end(other)
        assert shell.poll() is None
        os.kill(other, 0)
        os.kill(other, 9)
