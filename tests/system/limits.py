"""The files of a container's cgroups, and what this machine has of controllers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orlop.host.cgroups import layout
from tests.system.command import Container

UNIFIED = layout().unified
_SYSTEMD = pytest.mark.skipif(not os.path.isdir("/run/systemd/system"), reason="lab only: needs a running systemd")
DRIVERS = pytest.mark.parametrize("runtime", ["cgroupfs", pytest.param("systemd", marks=_SYSTEMD)], indirect=True)


def cgroup_file(container: Container, controller: str, name: str) -> Path:
    """A file of the cgroup that the container's first process is in, seen from the host."""
    lines = Path(f"/proc/{container.pid}/cgroup").read_text().splitlines()
    paths = {names: path for _, names, path in (line.split(":", 2) for line in lines)}
    for row in layout().hierarchies:
        if row.version == 2 and UNIFIED:
            return Path(row.mount + paths[""], name)
        if row.version == 1 and controller in row.controllers:
            inner = next(path for names, path in paths.items() if controller in names.split(","))
            return Path(row.mount + inner, name)
    raise AssertionError(f"no hierarchy has {controller}")


def value(container: Container, controller: str, name: str) -> str:
    return cgroup_file(container, controller, name).read_text().strip()


def need(*controllers: str) -> None:
    """Skip where a controller is missing; they are named as on version 1."""
    wanted = {("io" if name == "blkio" else name) if UNIFIED else name for name in controllers}
    if missing := wanted - _usable():
        pytest.skip(f"this host has no usable controller {', '.join(sorted(missing))}")


def need_one(*controllers: str) -> str:
    """The first of these that there is; skips where there is none."""
    usable = _usable()
    for name in controllers:
        if name in usable:
            return name
    pytest.skip(f"this host has no usable controller {' or '.join(controllers)}")


def _usable() -> set[str]:
    rows = [row for row in layout().hierarchies if (row.version == 2) == UNIFIED]
    return {name for row in rows for name in row.controllers if not UNIFIED or _enabled(row.mount, name)}


def _enabled(mount: str, controller: str) -> bool:
    """Can the cgroups below the top have it?  Not where the top is another one's cgroup with processes (cgroups(7))."""
    try:
        Path(mount, "cgroup.subtree_control").write_text(f"+{controller}")
    except OSError:
        return False
    return True


def disk() -> tuple[int, int]:
    """The numbers of a block device that is no partition."""
    for path in sorted(Path("/sys/block").iterdir()):
        if not path.name.startswith(("loop", "ram", "zram", "sr")):
            major, _, minor = (path / "dev").read_text().strip().partition(":")
            return int(major), int(minor)
    pytest.skip("this kernel has no disk")
