"""Short-lived processes that have a user namespace, or make a mount."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from orlop.errors import Interrupted
from orlop.runtime import idmap


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The pid of a helper that neither says anything nor ends when it is let go of."""
    ready, write = os.pipe()
    with subprocess.Popen(["sleep", "1000"]) as child:
        socket = SimpleNamespace(fileno=lambda: ready)
        helper = SimpleNamespace(pid=child.pid, socket=socket, close=lambda: None)
        monkeypatch.setattr(idmap, "Executor", lambda *_, **__: helper)
        try:
            yield child.pid
        finally:
            child.kill()
    os.close(ready)
    os.close(write)


def test_a_helper_that_hangs_is_not_waited_for_when_the_wait_is_interrupted(hanging: int) -> None:
    steps = idmap.user_namespace([], [])
    next(steps)
    with pytest.raises(Interrupted):
        steps.throw(Interrupted(15))
    with pytest.raises(ProcessLookupError):
        os.kill(hanging, 0)
