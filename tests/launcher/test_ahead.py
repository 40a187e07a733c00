"""The child that the launcher sends ahead is ended by the command that has been told of it, and nobody else is."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from orlop.host import ahead


@pytest.fixture
def child() -> Iterator[int]:
    """A child that sleeps; whatever is done to it, it is gone in the end."""
    pid = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
    yield pid
    try:
        if os.waitpid(pid, os.WNOHANG) == (0, 0):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    except ChildProcessError:
        pass


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Who is to be killed; nobody is."""
    found: list[int] = []
    monkeypatch.setattr("orlop.system.kill", lambda pid, number: found.append(pid))
    return found


def test_the_child_is_ended_and_reaped(child: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_xoptions", {"ahead": str(child)})
    ahead.end()
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)
    assert sys._xoptions == {}


def test_a_child_that_has_ended_is_reaped_only(killed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    monkeypatch.setattr(sys, "_xoptions", {"ahead": str(pid)})
    ahead.end()
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    assert killed == []


@pytest.mark.parametrize("told", ["", "-1", "0", "1", "x", True, str(os.getppid())])
def test_who_is_not_the_launchers_child_is_left_alone(
    told: str | bool, killed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "_xoptions", {"ahead": told})
    ahead.end()
    assert killed == []
