"""Each command makes one call into the runtime, with what its flags say."""

from __future__ import annotations

import errno
import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from orlop import system
from orlop.cli.list import table
from orlop.errors import ConfigError
from orlop.runtime.exec import ExecRequest
from orlop.runtime.options import Options
from orlop.runtime.signals import NUMBERS, number

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Call, Notes

OPTIONS, REQUEST = Options.__slots__, ExecRequest.__slots__


def test_create_hands_all_its_flags_over(orlop: Call, runtime: Notes, elsewhere: Path) -> None:
    (elsewhere / "b").mkdir()
    outcome = orlop(
        "create", "-b", "b", "--console-socket", "/c", "--pidfd-socket", "/p", "--pid-file", "pid", "--no-pivot",
        "--no-new-keyring", "--preserve-fds", "3", "ID",
    )  # fmt: skip
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    ((name, args, _),) = runtime.calls
    assert (name, args[0]) == ("create", "ID")
    options = runtime.options
    assert options.bundle == f"{elsewhere}/b"
    assert options.pid_file == f"{elsewhere}/pid"
    assert (options.console_socket, options.pidfd_socket, options.preserve_fds) == ("/c", "/p", 3)
    assert options.no_pivot is True
    assert options.no_new_keyring is True


def test_run_hands_its_own_flags_over_and_ends_with_the_status_of_the_process(orlop: Call, runtime: Notes) -> None:
    runtime.answers["run"] = 137
    assert orlop("run", "ID", "--keep", "-d", "--no-subreaper").status == 137
    options = runtime.options
    assert (options.keep, options.detach, options.no_subreaper) == (True, True, True)


def test_what_is_not_given_is_none_false_or_zero(orlop: Call, runtime: Notes, elsewhere: Path) -> None:
    orlop("run", "ID")
    options = runtime.options
    assert options.bundle == str(elsewhere)
    assert (options.console_socket, options.pidfd_socket, options.pid_file, options.notify_socket) == (None,) * 4
    assert (options.preserve_fds, options.listen_fds) == (0, 0)
    assert not any((options.no_pivot, options.no_new_keyring, options.no_subreaper, options.detach, options.keep))


def test_a_bundle_that_is_not_there_is_named(orlop: Call, runtime: Notes) -> None:
    outcome = orlop("run", "-b", "/nonexistent", "ID")
    assert outcome.status == 1
    assert 'msg="orlop run failed: --bundle: chdir /nonexistent: no such file or directory"' in outcome.err


def test_a_negative_number_of_descriptors_is_refused(orlop: Call, runtime: Notes) -> None:
    assert "--preserve-fds must not be negative: -1" in orlop("run", "--preserve-fds=-1", "ID").err


@pytest.mark.parametrize("name", ["create", "run", "start", "state", "delete", "kill"])
def test_an_empty_id_is_refused(orlop: Call, runtime: Notes, name: str) -> None:
    outcome = orlop(name, "")
    assert outcome.status == 1
    assert "container id cannot be empty" in outcome.err
    assert runtime.calls == []


def test_start_starts(orlop: Call, runtime: Notes) -> None:
    assert orlop("start", "ID").status == 0
    assert runtime.calls[0][0] == "start"


def test_list_says_what_to_do_about_a_root_that_is_not_ours(orlop: Call, runtime: Notes) -> None:
    runtime.answers["containers"] = PermissionError(errno.EACCES, "Permission denied", "/run/orlop")
    outcome = orlop("list")
    assert outcome.status == 1
    assert "unable to list the state directory /run/orlop: permission denied" in outcome.err
    assert 'hint="run as root' in outcome.err


def test_state_prints_two_blanks_a_level_and_no_newline_at_the_end(orlop: Call, runtime: Notes) -> None:
    runtime.answers["state"] = {"ociVersion": "1.3.0", "pid": 7}
    assert orlop("state", "ID").out == '{\n  "ociVersion": "1.3.0",\n  "pid": 7\n}'


@pytest.mark.parametrize(("words", "force"), [(("ID",), False), (("-f", "ID"), True), (("ID", "--force"), True)])
def test_delete_says_whether_it_is_forced(orlop: Call, runtime: Notes, words: tuple[str, ...], force: bool) -> None:
    assert orlop("delete", *words).status == 0
    assert runtime.calls[0][2] == {"force": force, "call": None}


@pytest.mark.parametrize(
    ("words", "sent", "everything"),
    [(("ID",), None, False), (("ID", "KILL"), 9, False), (("ID", "sigterm"), 15, False), (("ID", "0"), 0, False),
     (("ID", ""), None, False),
     (("--all", "ID", "9"), 9, True), (("-a", "ID", "34"), 34, True)],
)  # fmt: skip
def test_kill_hands_the_number_of_the_signal_over(
    orlop: Call, runtime: Notes, words: tuple[str, ...], sent: int | None, everything: bool
) -> None:
    assert orlop("kill", *words).status == 0
    assert runtime.calls[0][1][:2] == ("ID", sent)
    assert runtime.calls[0][2] == {"all": everything}


@pytest.mark.parametrize("text", ["BLA", "SIG", "65", "-1", " ", "SIGSIGKILL", "RTMIN-", "1.5", "٩"])
def test_an_unknown_signal_is_named(orlop: Call, runtime: Notes, text: str) -> None:
    outcome = orlop("kill", "--", "ID", text)
    assert outcome.status == 1
    assert f'msg="unknown signal \\"{text}\\""' in outcome.err
    assert runtime.calls == []


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="other architectures have other numbers")
@pytest.mark.parametrize(
    ("text", "expected"),
    [("RTMIN", 34), ("sigrtmin+3", 37), ("SIGRTMAX", 64), ("rtmax-14", 50), ("RTMIN+30", 64), ("RTMAX-30", 34)],
)
def test_real_time_signals_are_counted_from_the_ends_of_their_range(text: str, expected: int) -> None:
    assert number(text) == expected


@pytest.mark.parametrize("text", ["RTMIN+31", "RTMAX-31", "RTMIN-1", "RTMAX+1", "RTMIN+", "RTMIN+x", "RTMIN3", "RT"])
def test_what_is_out_of_the_real_time_range_is_no_signal(text: str) -> None:
    with pytest.raises(ConfigError, match="unknown signal"):
        number(text)


def test_the_table_of_signals_is_that_of_the_signal_module() -> None:
    known = {name.name[3:]: name.value for name in signal.Signals if not name.name.startswith("SIGRT")}
    assert known == {name: value for name, value in NUMBERS.items() if name in known}
    assert set(range(1, 32)) == set(NUMBERS.values())
    assert number("SigKill") == 9


def test_exec_hands_its_flags_over(orlop: Call, runtime: Notes) -> None:
    runtime.answers["exec_process"] = 3
    outcome = orlop(
        "exec", "--cwd", "/w", "-e", "A=1", "--env=B=2", "-t", "-u", "5:6", "-g", "7", "-g", "8",
        "--process-label", "l", "--apparmor", "a", "--no-new-privs=false", "-c", "CAP_X", "--cgroup", "sub",
        "--ignore-paused", "-d", "ID", "ls", "-l",
    )  # fmt: skip
    assert outcome.status == 3
    request = runtime.request
    assert (request.args, request.process_file, request.cwd, request.env) == (["ls", "-l"], None, "/w", ["A=1", "B=2"])
    assert (request.tty, request.user, request.additional_gids) == (True, (5, 6), [7, 8])
    assert (request.process_label, request.apparmor, request.no_new_privs) == ("l", "a", False)
    assert (request.caps, request.cgroup) == (["CAP_X"], {"": "sub"})
    assert runtime.options.ignore_paused is True
    assert runtime.options.detach is True
    assert runtime.options.bundle is None


def test_what_is_handed_over_is_what_the_runtime_takes(orlop: Call, runtime: Notes) -> None:
    orlop("exec", "ID", "ls")
    assert {*vars(runtime.options), "config"} == set(OPTIONS)  # `config` is set in cli/old.py alone
    assert {*vars(runtime.request), "_file", "console"} == set(REQUEST)  # these two are exec's own


def test_exec_leaves_open_what_is_not_given(orlop: Call, runtime: Notes) -> None:
    orlop("exec", "ID", "ls")
    request = runtime.request
    assert (request.process_file, request.cwd, request.user, request.no_new_privs) == (None, None, None, None)
    assert (request.env, request.additional_gids, request.caps, request.cgroup, request.tty) == ([], [], [], {}, False)


def test_exec_leaves_the_gid_open_where_only_a_uid_is_given(orlop: Call, runtime: Notes) -> None:
    orlop("exec", "-u", "5", "ID", "ls")
    assert runtime.request.user == (5, None)


def test_exec_of_a_process_file_needs_no_command(orlop: Call, runtime: Notes) -> None:
    assert orlop("exec", "-p", "process.json", "ID").status == 0
    assert runtime.request.process_file == "process.json"


def test_exec_passes_the_words_behind_the_id_on_untouched(orlop: Call, runtime: Notes) -> None:
    orlop("exec", "ID", "sh", "-c", "--", "-d", "")
    assert runtime.request.args == ["sh", "-c", "--", "-d", ""]
    assert runtime.options.detach is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ID",), "exec args cannot be empty"),
        (("", "ls"), "container id cannot be empty"),
        (("-u", "bob", "ID", "ls"), 'bad uid: "bob" is not a number from 0 to 4294967294'),
        (("-u", "-1", "ID", "ls"), 'bad uid: "-1" is not a number from 0 to 4294967294'),
        (("-u", "4294967295", "ID", "ls"), 'bad uid: "4294967295" is not a number from 0 to 4294967294'),
        (("-u", "4294967296", "ID", "ls"), 'bad uid: "4294967296" is not a number from 0 to 4294967294'),
        (("-u", "1:", "ID", "ls"), 'bad gid: "" is not a number from 0 to 4294967294'),
        (("-u", "1:staff", "ID", "ls"), 'bad gid: "staff" is not a number from 0 to 4294967294'),
        (("-g=-1", "ID", "ls"), "additional-gids must be a positive number -1"),
        (("--cgroup", ":a", "ID", "ls"), "invalid --cgroup argument: :a (empty <controller> prefix)"),
        (("--cgroup", "cpu,:a", "ID", "ls"), "invalid --cgroup argument: cpu,:a (empty <controller> prefix)"),
        (("--cgroup", "cpu:a", "--cgroup", "b", "ID", "ls"),
         "invalid --cgroup argument: b (missing <controller>: prefix)"),
        (("--cgroup", "cpu:a", "--cgroup", "cpu:b", "ID", "ls"),
         "invalid --cgroup argument(s): controller cpu specified multiple times"),
    ],
)  # fmt: skip
def test_an_exec_that_cannot_be_done_exits_with_255(
    orlop: Call, runtime: Notes, words: tuple[str, ...], message: str
) -> None:
    outcome = orlop("exec", *words)
    assert outcome.status == 255
    assert 'msg="exec failed: ' + message.replace('"', '\\"') + '"' in outcome.err
    assert runtime.calls == []


def test_a_usage_error_of_exec_exits_with_1(orlop: Call, runtime: Notes) -> None:
    assert orlop("exec", "-g", "x", "ID", "ls").status == 1
    assert orlop("exec").status == 1


def test_cgroups_of_several_controllers_are_told_apart(orlop: Call, runtime: Notes) -> None:
    orlop("exec", "--cgroup", "cpu,cpuacct:a", "--cgroup", "memory:b", "ID", "ls")
    assert runtime.request.cgroup == {"cpu": "a", "cpuacct": "a", "memory": "b"}


CONTAINER: dict[str, object] = {
    "id": "web",
    "pid": 12,
    "status": "running",
    "bundle": "/b",
    "created": "2026-01-01T00:00:00Z",
    "owner": "root",
}


def test_list_shows_a_header_even_of_nothing(orlop: Call, runtime: Notes) -> None:
    assert orlop("list").out == "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n"


def test_columns_of_list_are_at_least_12_wide_and_3_apart(orlop: Call, runtime: Notes) -> None:
    runtime.answers["containers"] = [CONTAINER]
    lines = orlop("list").out.splitlines()
    assert lines[0] == "ID          PID         STATUS      BUNDLE      CREATED                OWNER"
    assert lines[1] == "web         12          running     /b          2026-01-01T00:00:00Z   root"


def test_a_wide_cell_pushes_the_next_column() -> None:
    assert table([["ID", "PID"], ["a" * 10, "1"]]) == f"ID{' ' * 11}PID\n{'a' * 10}   1\n"


def test_list_as_json_is_one_line_and_null_for_nothing(orlop: Call, runtime: Notes) -> None:
    assert orlop("list", "-f", "json").out == "null\n"
    runtime.answers["containers"] = [CONTAINER]
    out = orlop("list", "--format=json").out
    assert json.loads(out) == [CONTAINER]
    assert out.count("\n") == 1


def test_list_of_ids(orlop: Call, runtime: Notes) -> None:
    runtime.answers["containers"] = [CONTAINER, {**CONTAINER, "id": "db"}]
    assert orlop("list", "-q").out == "web\ndb\n"


def test_an_unknown_format_of_list_is_refused(orlop: Call, runtime: Notes) -> None:
    outcome = orlop("list", "-f", "xml")
    assert outcome.status == 1
    assert 'msg="invalid format option"' in outcome.err


def test_the_default_root_may_be_missing_for_list(orlop: Call, runtime: Notes) -> None:
    runtime.answers["containers"] = FileNotFoundError(2, "No such file or directory", "/run/orlop")
    assert orlop("list", "-f", "json").out == "null\n"


def test_a_given_root_must_be_there_for_list(orlop: Call, runtime: Notes, elsewhere: Path) -> None:
    runtime.answers["containers"] = FileNotFoundError(2, "No such file or directory", "gone")
    outcome = orlop("--root", "gone", "list")
    assert outcome.status == 1
    assert f"--root: open {elsewhere}/gone: no such file or directory" in outcome.err


def test_a_broken_container_is_a_line_on_standard_error_and_not_in_the_log(
    orlop: Call, runtime: Notes, elsewhere: Path
) -> None:
    assert orlop("--log", "log", "list").status == 0
    log = runtime.options.log
    assert callable(log)
    log("error", "load container x: state.json is empty")
    assert (elsewhere / "log").read_text() == ""


def test_spec_does_not_overwrite(orlop: Call, elsewhere: Path) -> None:
    from orlop.cli.spec import write_new
    from orlop.errors import ConfigError

    write_new("config.json", "{}")
    with pytest.raises(ConfigError, match=r"^File config\.json exists\. Remove it first$"):
        write_new("config.json", "[]")
    assert (elsewhere / "config.json").read_text() == "{}"


def test_a_bundle_that_spec_cannot_write_to_is_named(elsewhere: Path) -> None:
    from orlop.cli.spec import write_new
    from orlop.errors import KernelError

    with pytest.raises(KernelError, match=r"^--bundle: open gone/config\.json: no such file or directory$"):
        write_new("gone/config.json", "{}")


def test_spec_writes_the_template_with_tabs_and_no_newline_at_the_end(orlop: Call, elsewhere: Path) -> None:
    outcome = orlop("spec")
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    text = (elsewhere / "config.json").read_text()
    assert text.startswith('{\n\t"ociVersion"')
    assert text.endswith("\n}")
    assert json.loads(text)["root"] == {"path": "rootfs", "readonly": True}
    assert list(elsewhere.iterdir()) == [elsewhere / "config.json"]


def test_spec_writes_to_the_bundle_and_refuses_to_do_it_twice(orlop: Call, elsewhere: Path) -> None:
    (elsewhere / "b").mkdir()
    assert orlop("spec", "-b", "b").status == 0
    outcome = orlop("spec", "--bundle", "b")
    assert outcome.status == 1
    assert 'msg="File config.json exists. Remove it first"' in outcome.err
    assert (elsewhere / "b/config.json").exists()


def test_a_rootless_spec_maps_the_caller(orlop: Call, elsewhere: Path) -> None:
    assert orlop("spec", "--rootless").status == 0
    linux = json.loads((elsewhere / "config.json").read_text())["linux"]
    assert linux["uidMappings"] == [{"containerID": 0, "hostID": os.geteuid(), "size": 1}]


def test_a_spec_of_the_host_has_its_programs_a_root_to_mount_them_in_and_the_command(
    orlop: Call, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "isatty", lambda _fd: False)
    assert orlop("spec", "--host", "--", "ls", "-l").status == 0
    spec = json.loads((elsewhere / "config.json").read_text())
    assert spec["process"]["args"] == ["ls", "-l"]
    assert spec["process"]["terminal"] is False
    assert [mount["source"] for mount in spec["mounts"] if mount["destination"] == "/usr"] == ["/usr"]
    assert (elsewhere / "rootfs").is_dir()


def test_features_are_json_with_four_blanks_a_level(orlop: Call) -> None:
    out = orlop("features").out
    assert out.startswith('{\n    "ociVersionMin": "1.0.0"')
    assert out.endswith("\n}\n")
    assert json.loads(out)["ociVersionMax"] == "1.3.0"
