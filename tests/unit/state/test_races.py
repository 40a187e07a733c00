"""Commands that work on one container at the same time."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from orlop import system
from orlop.errors import NotFound
from orlop.host.cache import Directory
from orlop.state.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(str(tmp_path), "web")
    found.make(str(tmp_path))
    return found


@pytest.mark.parametrize("deadline", [None, float("inf")])
@pytest.mark.parametrize("anew", [False, True], ids=["removed", "made anew"])
def test_who_has_waited_for_a_container_that_was_removed_meanwhile_does_not_have_it(
    store: Store, deadline: float | None, anew: bool
) -> None:
    """Nor another one of its id, which would be killed, by its cgroup, in its place."""
    holder = os.open(store.path, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    found: list[object] = []

    def wait() -> None:
        try:
            found.append(store.lock(deadline))
        except NotFound as error:
            found.append(error)

    opened = len(os.listdir("/proc/self/fd"))
    waiting = threading.Thread(target=wait)
    waiting.start()
    while len(os.listdir("/proc/self/fd")) == opened:
        pass
    os.rename(store.path, f"{store.path}.old")  # its inode stays, so that no other one gets the number
    if anew:
        os.mkdir(store.path)
    os.close(holder)
    waiting.join()
    assert [str(each) for each in found] == ["container does not exist: web"]
    assert len(os.listdir("/proc/self/fd")) == opened - 1


@pytest.mark.parametrize("directory", ["", "/programs"])
def test_a_file_that_comes_while_a_container_is_removed_goes_too(
    store: Store, monkeypatch: pytest.MonkeyPatch, directory: str
) -> None:
    """An `exec` keeps its program."""
    os.mkdir(f"{store.path}/programs")
    late = [f"{store.path}{directory}/late"]
    rmdir = os.rmdir

    def rmdir_late(path: str) -> None:
        if late and os.path.dirname(late[0]) == path:
            Path(late.pop()).touch()
        rmdir(path)

    monkeypatch.setattr(system, "rmdir", rmdir_late)
    store.remove()
    assert not late and not os.path.exists(store.path)


def test_what_another_command_removes_meanwhile_is_fine(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkdir(f"{store.path}/programs")
    for name in ("state.json", "programs/one", "programs/two"):
        Path(store.path, name).touch()
    listdir, other = os.listdir, [store]

    def listed(path: str) -> list[str]:
        names = listdir(path)
        if path.endswith("/programs") and other:
            other.pop().remove()
        return names

    monkeypatch.setattr(system, "listdir", listed)
    store.remove()
    assert not other and not os.path.exists(store.path)


def test_what_is_kept_of_an_exec_does_not_bring_a_removed_container_back(store: Store) -> None:
    os.rmdir(store.path)
    with pytest.raises(FileNotFoundError):
        Directory(f"{store.path}/programs", make=True, above=False)
    assert not os.path.exists(store.path)
