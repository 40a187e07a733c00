"""A process that cannot be looked at is not one that has ended."""

from __future__ import annotations

import errno
import os

import pytest

from orlop import system
from orlop.errors import KernelError
from orlop.host import process


def test_nobody_is_taken_for_dead_because_no_descriptor_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    own = process.look(os.getpid())
    assert own is not None and process.alive(os.getpid(), own.start)

    def full(*_arguments: object, **_more: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(system, "open", full)
    for ask in (process.alive, process.handle):
        with pytest.raises(KernelError, match=rf"^unable to look at process {os.getpid()}: too many open files$"):
            ask(os.getpid(), own.start)
    monkeypatch.undo()
    assert len(os.listdir("/proc/self/fd")) == len(before)
    monkeypatch.setattr(system, "pidfd_open", full)
    with pytest.raises(KernelError, match="too many open files"):
        process.handle(os.getpid(), own.start)


@pytest.mark.parametrize("pid", [-1, 0, 2**22 + 1])
def test_no_process_is_one_that_has_ended(pid: int) -> None:
    assert not process.alive(pid, 1)
    assert process.handle(pid, 1) is None
