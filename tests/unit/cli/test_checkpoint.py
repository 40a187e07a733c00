"""`checkpoint` and `restore` take runc's flags, and say that they are not there yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orlop.cli.checkpoint import check_parent
from orlop.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Call

# What Docker and Podman pass.
_FLAGS = ["--image-path", "i", "--work-path", "w", "--tcp-established", "--shell-job", "--manage-cgroups-mode", "soft"]


def test_restore_says_that_it_is_not_available_and_what_to_do(orlop: Call, elsewhere: Path) -> None:
    outcome = orlop("restore", *_FLAGS, "--detach", "--bundle", ".", "--pid-file", "p", "--empty-ns", "network", "box")
    assert outcome.status == 1
    assert "restore is not available in this version" in outcome.err
    assert "start it anew" in outcome.err


def test_checkpoint_of_an_unknown_container_names_it(orlop: Call, elsewhere: Path) -> None:
    flags = [
        "--leave-running",
        "--page-server",
        "[::1]:1234",
        "--status-fd",
        "3",
        "--pre-dump",
        "--parent-path",
        "../a",
    ]
    outcome = orlop("--root", str(elsewhere), "checkpoint", *_FLAGS, *flags, "box")
    assert outcome.status == 1
    assert "container does not exist: box" in outcome.err


@pytest.mark.parametrize(
    ("parent", "reason"),
    [("/images", "--parent-path must be relative"), ("nothing", "invalid --parent-path: nothing is no directory")],
)
def test_a_parent_path_that_cannot_be_is_refused_as_by_runc(elsewhere: Path, parent: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        check_parent(parent, str(elsewhere))


def test_a_parent_path_is_looked_up_below_the_images(elsewhere: Path) -> None:
    (elsewhere / "earlier").mkdir()
    check_parent("earlier", str(elsewhere))


@pytest.mark.parametrize("command", ["checkpoint", "restore"])
def test_a_flag_that_is_only_the_others_is_refused(orlop: Call, command: str) -> None:
    flag = "--lsm-profile" if command == "checkpoint" else "--leave-running"
    assert "flag provided but not defined" in orlop(command, flag, "box").out
