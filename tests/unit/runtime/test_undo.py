"""What is undone when a create fails: all that can be, and its failures are only told."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest

from orlop.errors import CgroupError
from orlop.runtime.creation import Creation
from orlop.runtime.waiting import drive
from orlop.state.store import Store


@pytest.mark.parametrize("broken", ["kill", "delete", "resctrl"])
def test_what_cannot_be_undone_keeps_nothing_else_from_being(tmp_path: Path, broken: str) -> None:
    done, told = [], []

    def step(name: str) -> None:
        done.append(name)
        if name == broken:
            raise CgroupError(errno.EBUSY, "busy") if name == "delete" else OSError(errno.EBUSY, "busy")

    creation = Creation.__new__(Creation)
    creation.store = Store(str(tmp_path), "web")
    creation.store.make(str(tmp_path))
    group = tmp_path / "group"
    group.mkdir()
    if broken == "resctrl":
        (group / "below").mkdir()
    cgroup = SimpleNamespace(
        paths={"": "x"}, **{name: lambda name=name: step(name) for name in ("kill", "delete", "undo")}
    )
    launch = SimpleNamespace(abandon=lambda: step("abandon"))
    creation.times, creation.console, creation.placed = None, None, True
    creation.launch, creation.cgroup = launch, cgroup  # type: ignore[assignment]
    creation.record = SimpleNamespace(intel_rdt_made=[str(group)])  # type: ignore[assignment]
    creation.bundle = SimpleNamespace(spec={})  # type: ignore[assignment]
    creation.options = SimpleNamespace(log=lambda level, text: told.append((level, text)))  # type: ignore[assignment]
    drive(creation.undo())
    assert done == [name for name in ("abandon", "kill", "delete", "undo") if (broken, name) != ("kill", "delete")]
    assert [level for level, _ in told] == ["warning"]
    assert not creation.store.exists()
