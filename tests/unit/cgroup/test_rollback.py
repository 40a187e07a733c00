"""What a failed update leaves, on a made-up tree."""

from __future__ import annotations

import errno

import pytest

from orlop import system
from orlop.cgroup.v1 import CgroupV1
from orlop.cgroup.v2 import CgroupV2
from orlop.errors import CgroupError

from .conftest import Tree


def _refuse(monkeypatch: pytest.MonkeyPatch, value: bytes, code: int = errno.ERANGE) -> None:
    write = system.write

    def kernel(descriptor: int, data: bytes) -> int:
        if data == value:
            raise OSError(code, "refused")
        return write(descriptor, data)

    monkeypatch.setattr(system, "write", kernel)


def test_files_of_one_value_hold_the_old_one_again(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    top = tree.mount("", {"memory.max": "100\n", "memory.low": "0\n", "cpuset.cpus": "\n", "cpu.max": "max 100000\n"})
    cgroup = CgroupV2(str(top), mount=str(top))
    _refuse(monkeypatch, b"7")
    change: dict[str, object] = {
        "memory": {"limit": 5},
        "cpu": {"quota": 9, "cpus": "0"},
        "unified": {"memory.low": "7"},
    }
    with pytest.raises(CgroupError, match=r'^linux\.resources\.unified\[memory\.low\]: cannot write "7" to'):
        cgroup.update(change, None)
    now = {name: (top / name).read_text().strip() for name in ("memory.max", "cpu.max", "cpuset.cpus")}
    assert now == {"memory.max": "100", "cpu.max": "max 100000", "cpuset.cpus": ""}
    assert [value for file, value in tree.written if file == "cpuset.cpus"] == ["0", "\n"]


def test_only_lines_of_the_devices_that_were_asked_for_are_put_back(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = "8:0 rbps=1 wbps=max riops=max wiops=max\n9:0 rbps=2 wbps=max riops=max wiops=max\n"
    top = tree.mount("", {"io.max": old, "io.weight": "default 100\n", "pids.max": "max\n"})
    cgroup = CgroupV2(str(top), mount=str(top))
    _refuse(monkeypatch, b"7:0 wiops=3")
    block_io = {
        "weight": 10,
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 5}, {"major": 8, "minor": 16, "rate": 6}],
        "throttleWriteIOPSDevice": [{"major": 7, "minor": 0, "rate": 3}],
    }
    with pytest.raises(CgroupError, match=r"^linux\.resources\.blockIO\.throttleWriteIOPSDevice\[0\]: "):
        cgroup.update({"blockIO": block_io}, None)
    back = tree.written[3:]
    assert back == [
        ("io.max", "7:0 rbps=max wbps=max riops=max wiops=max"),
        ("io.max", "8:16 rbps=max wbps=max riops=max wiops=max"),
        ("io.max", "8:0 rbps=1 wbps=max riops=max wiops=max"),
        ("io.weight", "default 100"),
    ]


def test_the_oom_killer_is_switched_back(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"memory.limit_in_bytes": "9\n", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n"}
    top = tree.mount("memory", {**files, "memory.swappiness": "60\n"})
    _refuse(monkeypatch, b"3")
    with pytest.raises(CgroupError):
        CgroupV1({"memory": str(top)}).update({"memory": {"disableOOMKiller": True, "swappiness": 3}}, None)
    assert (top / "memory.oom_control").read_text() == "0"


def test_an_old_value_that_cannot_be_set_back_is_told(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    top = tree.mount("", {"pids.max": "5\n", "memory.max": "6\n"})
    cgroup = CgroupV2(str(top), mount=str(top))
    _refuse(monkeypatch, b"7")
    _refuse(monkeypatch, b"5")
    with pytest.raises(CgroupError, match=r"and the old values could not be set back: .*cannot write \"5\""):
        cgroup.update({"pids": {"limit": 4}, "memory": {"limit": 7}}, None)
