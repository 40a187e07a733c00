"""A threaded cgroup of version 2: its processes are told further up, and it has nothing to kill them all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from orlop import system
from orlop.cgroup import files
from orlop.cgroup.v2 import CgroupV2
from orlop.errors import CgroupError

read, write = files.read, files.write
STATUS = {"/proc/7/status": "Name:\tx\nTgid:\t7\n", "/proc/8/status": "Name:\tTgid:\t1\nTgid:\t7\n"}


@pytest.fixture
def threaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CgroupV2:
    (tmp_path / "below").mkdir()
    (tmp_path / "cgroup.threads").write_text("7\n8\n9\n0\n")
    (tmp_path / "below/cgroup.threads").write_text("8\n")
    (tmp_path / "cgroup.events").write_text("populated 1\nfrozen 1\n")
    (tmp_path / "cgroup.freeze").write_text("0")

    def refusing_read(path: str, below: int | None = None) -> str:
        if path.endswith("/cgroup.procs"):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        if path.startswith("/proc/"):
            if path not in STATUS:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            return STATUS[path]
        return read(path, below)

    def refusing_write(path: str, *values: str, field: str | None = None) -> None:
        if path.endswith("/cgroup.kill"):
            raise CgroupError(errno.EOPNOTSUPP, "not supported")
        write(path, *values, field=field)

    monkeypatch.setattr(files, "read", refusing_read)
    monkeypatch.setattr(files, "write", refusing_write)
    return CgroupV2(str(tmp_path), mount=str(tmp_path.parent))


def test_its_processes_are_those_of_its_threads(threaded: CgroupV2) -> None:
    assert threaded.pids() == [7]


def test_its_processes_are_killed_one_by_one(threaded: CgroupV2, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int, str]] = []
    freeze = Path(threaded.paths[""], "cgroup.freeze")
    monkeypatch.setattr(system, "kill", lambda pid, number: killed.append((pid, number, freeze.read_text())))
    threaded.kill()
    assert killed == [(7, 9, "1")]
    assert freeze.read_text() == "0"


def test_one_without_processes_is_not_frozen(threaded: CgroupV2) -> None:
    Path(threaded.paths[""], "cgroup.threads").write_text("")
    Path(threaded.paths[""], "below/cgroup.threads").write_text("")
    os.unlink(threaded.paths[""] + "/cgroup.freeze")
    threaded.kill()
