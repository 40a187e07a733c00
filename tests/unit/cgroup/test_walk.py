"""A walk through the cgroups below a container's, which its processes may make and remove meanwhile."""

from __future__ import annotations

import errno
import os

import pytest

from orlop import system
from orlop.cgroup.freezer import FreezerV1

from .conftest import Tree


def test_one_that_vanishes_keeps_none_of_the_others_frozen(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    top = tree.mount("freezer", {"cgroup.procs": "", "freezer.state": "FROZEN\n"})
    for name in ("gone1", "stays", "gone2"):  # one of those comes before it, in whatever order
        system.makedirs(f"{top}/box/{name}")
    write = system.write

    def dead(descriptor: int, data: bytes) -> int:
        if "gone" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return write(descriptor, data)

    monkeypatch.setattr(system, "write", dead)
    FreezerV1(str(top / "box")).release()
    assert (top / "box/stays/freezer.state").read_text() == "THAWED"
