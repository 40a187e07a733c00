"""The global flags and the environment: the state root, the log, and who counts as rootless."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from orlop import system

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Call, Notes


def test_the_state_root_is_run_orlop(orlop: Call, runtime: Notes) -> None:
    orlop("start", "ID")
    assert runtime.options.root == "/run/orlop"


def test_a_given_root_is_made_absolute(orlop: Call, runtime: Notes, elsewhere: Path) -> None:
    orlop("--root", "x/../y", "start", "ID")
    assert runtime.options.root == f"{elsewhere}/y"


@pytest.mark.parametrize("root", ["/", "", "//", "/..", "/x/.."])
def test_a_root_of_slash_is_refused(orlop: Call, runtime: Notes, root: str) -> None:
    outcome = orlop("--root", root, "start", "ID")
    assert outcome.status == 1
    assert 'msg="Option --root argument should not be set to /"' in outcome.err
    assert runtime.calls == []


@pytest.mark.parametrize(
    ("euid", "mapped", "user", "used"),
    [
        (1000, False, None, True),
        (0, False, None, False),
        (0, True, None, True),
        (0, True, "bob", True),
        (0, True, "root", False),
    ],
)
def test_the_runtime_directory_of_the_user_counts_unless_we_are_the_real_root(
    orlop: Call, runtime: Notes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    euid: int, mapped: bool, user: str | None, used: bool,
) -> None:  # fmt: skip
    monkeypatch.setitem(system.environment, "XDG_RUNTIME_DIR", str(tmp_path / "xdg"))
    monkeypatch.delitem(system.environment, "USER", raising=False)
    if user is not None:
        monkeypatch.setitem(system.environment, "USER", user)
    monkeypatch.setattr(system, "geteuid", lambda: euid)
    monkeypatch.setattr("orlop.cli.context.in_user_namespace", lambda: mapped)
    assert orlop("start", "ID").status == 0
    mine = tmp_path / "xdg/orlop"
    assert runtime.options.root == (str(mine) if used else "/run/orlop")
    assert mine.exists() == used
    if used:
        assert stat.S_IMODE(mine.stat().st_mode) == 0o1700


def test_the_runtime_directory_is_not_made_when_a_root_is_given(
    orlop: Call, runtime: Notes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(system.environment, "XDG_RUNTIME_DIR", str(tmp_path / "xdg"))
    monkeypatch.setattr(system, "geteuid", lambda: 1000)
    orlop("--root", str(tmp_path / "own"), "start", "ID")
    assert runtime.options.root == str(tmp_path / "own")
    assert list(tmp_path.iterdir()) == []


def test_a_runtime_directory_that_cannot_be_made_is_named_with_a_hint(
    orlop: Call, runtime: Notes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setitem(system.environment, "XDG_RUNTIME_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(system, "geteuid", lambda: 1000)
    outcome = orlop("start", "ID")
    assert outcome.status == 1
    assert f'msg="state root: mkdir {tmp_path}/file/orlop: not a directory" hint=' in outcome.err


@pytest.mark.parametrize(
    ("said", "euid", "mapped", "result"),
    [("auto", 0, False, False), ("auto", 0, True, True), ("auto", 1000, False, True), ("", 0, False, False),
     ("true", 0, False, True), ("1", 0, False, True), ("false", 1000, True, False), ("0", 1000, True, False)],
)  # fmt: skip
def test_rootless_is_settled_before_the_runtime_sees_it(
    orlop: Call, runtime: Notes, monkeypatch: pytest.MonkeyPatch, said: str, euid: int, mapped: bool, result: bool
) -> None:
    monkeypatch.setattr(system, "geteuid", lambda: euid)
    monkeypatch.setattr("orlop.cli.options.in_user_namespace", lambda: mapped)
    orlop("--rootless", said, "start", "ID")
    assert runtime.options.rootless is result


def test_another_word_for_rootless_is_refused(orlop: Call, runtime: Notes) -> None:
    assert 'msg="invalid value for --rootless: maybe"' in orlop("--rootless", "maybe", "start", "ID").err


def test_systemd_cgroup_reaches_the_runtime(orlop: Call, runtime: Notes) -> None:
    orlop("--systemd-cgroup", "start", "ID")
    assert runtime.options.systemd_cgroup is True


def test_global_flags_stand_before_the_command(orlop: Call, runtime: Notes) -> None:
    outcome = orlop("start", "--debug", "ID")
    assert outcome.status == 1
    assert "flag provided but not defined: -debug" in outcome.err


@pytest.mark.parametrize("form", ["", "text", "json"])
def test_known_log_formats_are_taken(orlop: Call, runtime: Notes, form: str) -> None:
    assert orlop("--log-format", form, "start", "ID").status == 0


def test_an_unknown_log_format_is_named(orlop: Call, runtime: Notes) -> None:
    outcome = orlop("--log-format", "xml", "start", "ID")
    assert outcome.status == 1
    assert 'msg="invalid log-format: xml"' in outcome.err


def test_a_log_in_a_missing_directory_is_an_error(orlop: Call, runtime: Notes) -> None:
    outcome = orlop("--log", "/nonexistent/log", "start", "ID")
    assert outcome.status == 1
    assert 'msg="--log: open /nonexistent/log: no such file or directory"' in outcome.err
    assert runtime.calls == []


def test_the_log_is_appended_to_and_readable_by_all(orlop: Call, runtime: Notes, elsewhere: Path) -> None:
    old = os.umask(0o022)
    try:
        orlop("--log", "log", "foo")
        orlop("--log", "log", "bar")
    finally:
        os.umask(old)
    assert (elsewhere / "log").read_text().count("\n") == 2
    assert stat.S_IMODE((elsewhere / "log").stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("count", "mine", "result"), [("2", True, 2), ("2", False, 0), ("x", True, 0), ("-1", True, 0)]
)
def test_sockets_count_only_when_systemd_meant_us(
    orlop: Call, runtime: Notes, monkeypatch: pytest.MonkeyPatch, count: str, mine: bool, result: int
) -> None:
    monkeypatch.setitem(system.environment, "LISTEN_FDS", count)
    monkeypatch.setitem(system.environment, "LISTEN_PID", str(os.getpid() if mine else os.getppid()))
    orlop("create", "ID")
    assert runtime.options.listen_fds == result


def test_the_notify_socket_reaches_the_runtime(orlop: Call, runtime: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(system.environment, "NOTIFY_SOCKET", "/run/notify")
    orlop("start", "ID")
    assert runtime.options.notify_socket == "/run/notify"


@pytest.mark.parametrize("release", ["5.13.19-generic", "4.18.0-553.el8", "3.10"])
def test_an_old_kernel_gets_one_clear_error(monkeypatch: pytest.MonkeyPatch, release: str) -> None:
    from orlop.cli.options import check_host
    from orlop.errors import OrlopError

    monkeypatch.setattr(system, "uname", lambda: os.uname_result(("Linux", "h", release, "v", "x86_64")))
    with pytest.raises(OrlopError, match="the kernel is too old: Linux 5.14 is needed, this is " + release):
        check_host()


@pytest.mark.parametrize("release", ["5.14.0-70.el9", "5.14", "6.1.0-18-amd64", "7.0-rc1", "strange"])
def test_a_new_kernel_and_one_with_an_unknown_name_pass(monkeypatch: pytest.MonkeyPatch, release: str) -> None:
    from orlop.cli.options import check_host

    monkeypatch.setattr(system, "uname", lambda: os.uname_result(("Linux", "h", release, "v", "x86_64")))
    check_host()


def test_another_system_than_linux_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from orlop.cli.options import check_host
    from orlop.errors import OrlopError

    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(OrlopError, match="containers need Linux, this is darwin"):
        check_host()
