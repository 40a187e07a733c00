"""A state directory that cannot be used: the error says what, where and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from orlop import system
from orlop.errors import NotFound, OrlopError
from orlop.state.refusal import refused
from orlop.state.store import Store


@pytest.mark.parametrize(
    ("number", "reason", "remedy"),
    [
        (errno.ENOSPC, "no space left on device", "make room there"),
        (errno.EDQUOT, "disk quota exceeded", "make room there"),
        (errno.EACCES, "permission denied", "run as root"),
        (errno.EROFS, "read-only file system", "choose a directory"),
    ],
)
def test_a_refusal_has_a_remedy(number: int, reason: str, remedy: str) -> None:
    error = refused("write /state/web/state.json", OSError(number, os.strerror(number)))
    assert str(error) == f"unable to write /state/web/state.json: {reason}"
    assert remedy in str(error.hint)


def test_a_refusal_that_nothing_is_known_of_has_none() -> None:
    assert refused("read /x", OSError(errno.EIO, "Input/output error")).hint is None


@pytest.mark.parametrize("below", ["", "/sub"])
def test_a_file_in_the_place_of_the_root_is_told(tmp_path: Path, below: str) -> None:
    root = tmp_path / "file"
    root.touch()
    words = f"unable to make the state directory {root}{below}: not a directory"
    with pytest.raises(OrlopError, match=words) as caught:
        Store(f"{root}{below}", "web").make(f"{root}{below}")
    assert "--root" in str(caught.value.hint)


def test_a_container_that_cannot_be_locked_is_not_taken_for_a_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path), "web")
    store.make(str(tmp_path))

    def full(*_arguments: object, **_more: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(system, "open", full)
    with pytest.raises(OrlopError, match=f"^unable to lock {tmp_path}/web: too many open files$") as caught:
        store.lock()
    assert not isinstance(caught.value, NotFound)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"{", b"[]", b'{"orlop_format": "1"}'])
def test_a_record_that_is_none_is_an_error_of_its_own(tmp_path: Path, data: bytes) -> None:
    store = Store(str(tmp_path), "web")
    store.make(str(tmp_path))
    (tmp_path / "web/state.json").write_bytes(data)
    with pytest.raises(OrlopError):
        store.load()


def test_limits_that_are_none_are_an_error_of_their_own(tmp_path: Path) -> None:
    store = Store(str(tmp_path), "web")
    store.make(str(tmp_path))
    (tmp_path / "web/resources.json").write_bytes(b"\xff")
    with pytest.raises(OrlopError):
        store.resources()
