"""The file of an account."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orlop.errors import OrlopError
from orlop.runtime.account import Account, Destination


def test_a_file_that_cannot_be_put_there_any_more_is_told(tmp_path: Path) -> None:
    """It is no error of the container's, whose exit status must not be lost over it."""
    destination = Destination(str(tmp_path / "account"))
    os.mkdir(tmp_path / "account")
    with pytest.raises(OrlopError, match="account: is a directory"):
        destination.write(Account({}))
    destination.abandon()
    assert os.listdir(tmp_path) == ["account"]


def test_a_file_that_somebody_has_put_in_the_way_is_not_written_to(tmp_path: Path) -> None:
    """In /tmp, say: who has it open could change the account later."""
    aside = tmp_path / f".account.{os.getpid()}"
    aside.write_text("mine")
    with aside.open() as kept:
        Destination(str(tmp_path / "account")).write(Account({}))
        assert kept.read() == "mine"
    assert "mine" not in (tmp_path / "account").read_text()
