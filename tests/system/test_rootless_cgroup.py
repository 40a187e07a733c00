"""Cgroups of an ordinary user: with the user's own systemd, in a delegated cgroup, and without either."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orlop.host.cgroups import layout
from tests.system.bundles import BUSYBOX, Root
from tests.system.command import Runtime, default_argv, error_line


def _lacking() -> str | None:
    if os.geteuid() == 0:
        return "lab only: needs an ordinary user"
    if not layout().unified:
        return "needs cgroup v2"
    if not os.path.exists(f"{os.environ.get('XDG_RUNTIME_DIR')}/systemd/private"):
        return "lab only: needs a systemd of the user's own"
    return None


pytestmark = pytest.mark.skipif(_lacking() is not None, reason=str(_lacking()))
DRIVERS = pytest.mark.parametrize("flags", [(), ("--systemd-cgroup",)], ids=["cgroupfs", "systemd"])


class Box:
    """A bundle of an ordinary user."""

    def __init__(self, path: Path) -> None:
        self.path = path
        Root(path / "root").copy(path / "rootfs")
        for name in ("proc", "dev", "sys"):
            (path / "rootfs" / name).mkdir()
        self.name = f"orlop-user-{os.getpid()}"
        subprocess.run([*default_argv(), "spec", "--rootless", "-b", str(path)], check=True)
        self.write({})

    def write(self, resources: dict[str, object]) -> None:
        file = self.path / "config.json"
        config = json.loads(file.read_text())
        config["process"].update(terminal=False, args=["sleep", "1000"])
        config["linux"]["resources"] = resources
        file.write_text(json.dumps(config))

    def runtime(self, *flags: str, before: tuple[str, ...] = ()) -> Runtime:
        return Runtime([*before, *default_argv(), *flags], self.path / "state", self.name)

    def cgroup(self) -> Path:
        record = json.loads((self.path / "state" / self.name / "state.json").read_text())
        return Path(record["cgroup_paths"][""])


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    if not os.path.exists(BUSYBOX):
        pytest.skip(f"needs {BUSYBOX}, static (Debian: busybox-static)")
    made = Box(tmp_path)
    yield made
    made.runtime()("delete", "--force", made.name, status=None)
    for path in (tmp_path / "root", tmp_path / "rootfs"):
        path.chmod(0o755)


@DRIVERS
def test_a_user_has_containers_in_cgroups(box: Box, flags: tuple[str, ...]) -> None:
    runtime = box.runtime(*flags)
    runtime("run", "-d", "-b", box.path, box.name)
    path = box.cgroup()
    assert len((path / "cgroup.procs").read_text().split()) == 1
    assert runtime("exec", box.name, "id", "-u").stdout == "0\n"
    runtime("pause", box.name)
    assert json.loads(runtime("state", box.name).stdout)["status"] == "paused"
    runtime("resume", box.name)
    runtime("delete", "--force", box.name)
    assert not path.exists()
    shown = ["systemctl", "--user", "list-units", "--all", "--no-legend", f"*{box.name}*"]
    assert subprocess.run(shown, check=True, capture_output=True).stdout == b""


@DRIVERS
def test_a_user_has_limits(box: Box, flags: tuple[str, ...]) -> None:
    found = layout()
    own = Path(found.v2.own_path() if found.v2 else "/", "cgroup.controllers").read_text().split()
    if missing := {"memory", "pids", "cpu"} - set(own):
        pytest.skip(f"this host has no usable controller {', '.join(sorted(missing))}")
    box.write({"memory": {"limit": 64 << 20}, "pids": {"limit": 20}, "cpu": {"shares": 512}})
    box.runtime(*flags)("run", "-d", "-b", box.path, box.name)
    path = box.cgroup()
    files = {"memory.max": str(64 << 20), "pids.max": "20", "cpu.weight": "59"}
    assert {name: (path / name).read_text().strip() for name in files} == files


def test_without_a_bus_it_is_told_how_to_get_one(box: Box) -> None:
    runtime = box.runtime("--systemd-cgroup", before=("env", "XDG_RUNTIME_DIR=/nowhere", "DBUS_SESSION_BUS_ADDRESS="))
    said = error_line(runtime("run", "-b", box.path, box.name, status=1))
    assert "cannot reach the user's systemd: cannot connect to /nowhere/bus: no such file or directory" in said
    assert "loginctl enable-linger" in said
