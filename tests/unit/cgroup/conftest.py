"""A made-up cgroup file system: directories that come with files, as the kernel's do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orlop import system

real_mkdir, real_rmdir, real_write = system.mkdir, os.rmdir, os.write


class Tree:
    """`mount` declares a hierarchy and the files that each of its cgroups has."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[Path, dict[str, str]] = {}
        self.refuse: dict[str, int] = {}  # the end of a path to the errno that making it gives
        self.written: list[tuple[str, str]] = []

    def mount(self, name: str, files: dict[str, str]) -> Path:
        top = self.root / name if name else self.root
        top.mkdir(exist_ok=True)
        self.files[top] = files
        self._fill(top, files)
        return top

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        for end, code in self.refuse.items():
            if path.endswith(end):
                raise OSError(code, os.strerror(code), path)
        real_mkdir(path, mode)
        for top, files in self.files.items():
            if Path(path).is_relative_to(top):
                self._fill(Path(path), {**files, "cgroup.subtree_control": "", **self.inherit(Path(path), files)})

    def inherit(self, path: Path, files: dict[str, str]) -> dict[str, str]:
        if "cgroup.controllers" not in files:
            return {name: "" for name in files if name.startswith("cpuset.")}
        control = (path.parent / "cgroup.subtree_control").read_text()
        return {"cgroup.controllers": control}

    def enable(self, control: Path, names: str) -> None:
        control.write_text(control.read_text() + names + " ")
        for below in control.parent.glob("*/cgroup.controllers"):
            below.write_text(control.read_text())

    def rmdir(self, path: str, *, dir_fd: int | None = None) -> None:
        if dir_fd is not None:
            path = os.readlink(f"/proc/self/fd/{dir_fd}") + "/" + path
        if os.path.isdir(path):
            with os.scandir(path) as entries:
                nested = [entry for entry in entries if entry.is_dir()]
            if nested:
                raise OSError(errno.EBUSY, "busy", path)
            if os.path.exists(path + "/cgroup.procs") and Path(path, "cgroup.procs").read_text():
                raise OSError(errno.EBUSY, "busy", path)
            for entry in os.scandir(path):
                os.unlink(entry.path)
        real_rmdir(path)

    def write(self, descriptor: int, data: bytes) -> int:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if Path(path).is_relative_to(self.root):
            self.written.append((str(Path(path).relative_to(self.root)), data.decode()))
            if path.endswith("/cgroup.subtree_control"):
                self.enable(Path(path), data.decode().replace("+", ""))
                return len(data)
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
        return real_write(descriptor, data)

    def _fill(self, path: Path, files: dict[str, str]) -> None:
        for name, text in files.items():
            (path / name).write_text(text)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tree]:
    made = Tree(tmp_path / "cgroup")
    made.root.mkdir()
    monkeypatch.setattr(system, "mkdir", made.mkdir)
    monkeypatch.setattr(system, "rmdir", made.rmdir)
    monkeypatch.setattr(system, "write", made.write)
    monkeypatch.setattr("time.sleep", _no_sleep)
    yield made
    monkeypatch.undo()


_no_sleep: Callable[[float], None] = lambda seconds: None  # noqa: E731
