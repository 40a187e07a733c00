"""What an error becomes: prefixes, log lines, hints, exit statuses."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
from typing import TYPE_CHECKING

import pytest

from orlop import system
from orlop.cli.log import json_line, quoted, text_line
from orlop.cli.main import main
from orlop.errors import (
    CgroupError,
    ConfigError,
    ExecError,
    HookError,
    InternalError,
    KernelError,
    NotFound,
    OrlopError,
    Problem,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Call, Notes


STAGE = "unable to start container process: error during container init: "
MOUNT = KernelError(
    errno.EPERM,
    "mounts[3]: mount /x: operation not permitted",
    call="mount",
    field="mounts[3]",
    path="/x",
    hint="be root",
)


@pytest.mark.parametrize(
    ("words", "answer", "prefix", "status"),
    [
        (("create", "ID"), "create", "orlop create failed: ", 1),
        (("run", "ID"), "run", "orlop run failed: ", 1),
        (("exec", "ID", "ls"), "exec_process", "exec failed: ", 255),
        (("start", "ID"), "start", "", 1),
        (("kill", "ID"), "kill", "", 1),
        (("delete", "ID"), "delete", "", 1),
        (("state", "ID"), "state", "", 1),
        (("list",), "containers", "", 1),
    ],
)
def test_the_prefix_and_the_status_depend_on_the_command(
    orlop: Call, runtime: Notes, words: tuple[str, ...], answer: str, prefix: str, status: int
) -> None:
    runtime.answers[answer] = NotFound("container does not exist")
    outcome = orlop(*words)
    assert outcome.status == status
    assert outcome.out == ""
    time = r'time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"'
    assert re.fullmatch(f'{time} level=error msg="{prefix}container does not exist"\n', outcome.err)


def test_under_the_name_runc_a_failing_execve_is_one_plain_line(orlop: Call, runtime: Notes) -> None:
    runtime.answers["run"] = ExecError(errno.ENOENT, "exec /x: no such file or directory", call="execve", hint="look")
    outcome = orlop("run", "ID", program="/usr/sbin/runc")
    assert (outcome.status, outcome.err) == (255, "exec /x: no such file or directory\n")
    assert "hint=" in orlop("run", "ID").err


def test_under_the_name_runc_the_prefix_is_runcs(orlop: Call, runtime: Notes) -> None:
    runtime.answers["run"] = OrlopError("no")
    assert 'msg="runc run failed: no"' in orlop("run", "ID", program="/usr/bin/runc").err


@pytest.mark.parametrize(
    ("words", "answer", "stage"),
    [
        (("create", "ID"), "create", f"runc create failed: {STAGE}"),
        (("run", "ID"), "run", f"runc run failed: {STAGE}"),
        (("exec", "ID", "ls"), "exec_process", "exec failed: unable to start container process: "),
        (("start", "ID"), "start", ""),
    ],
)
def test_under_the_name_runc_an_error_of_the_process_is_told_as_its_suite_expects(
    orlop: Call, runtime: Notes, words: tuple[str, ...], answer: str, stage: str
) -> None:
    runtime.answers[answer] = MOUNT
    assert f'msg="{stage}mounts[3]: mount /x: operation' in orlop(*words, program="/usr/sbin/runc").err
    runtime.answers[answer] = ConfigError("bad")
    assert "unable to start" not in orlop(*words, program="/usr/sbin/runc").err


def test_under_the_name_runc_a_hook_after_the_start_is_no_error_of_the_process(orlop: Call, runtime: Notes) -> None:
    for kind, stage in (("poststart", ""), ("createRuntime", STAGE)):
        runtime.answers["run"] = HookError(f"error running {kind} hook #0: no", field=f"hooks.{kind}[0]")
        said = orlop("run", "ID", program="/usr/sbin/runc").err
        assert f'msg="runc run failed: {stage}error running {kind} hook #0: no"' in said


@pytest.mark.parametrize("command", ["create", "run"])
def test_under_the_name_runc_an_error_before_there_is_a_process_has_none_of_these_words(
    orlop: Call, elsewhere: Path, command: str
) -> None:
    outcome = orlop(command, "--bundle", f"{elsewhere}/none", "ID", program="/usr/sbin/runc")
    assert f'msg="runc {command} failed: --bundle: chdir {elsewhere}/none: no such file' in outcome.err


def test_under_the_name_runc_a_cgroup_that_cannot_be_made_is_told_in_its_words(orlop: Call, runtime: Notes) -> None:
    runtime.answers["run"] = CgroupError(errno.EACCES, "cannot create cgroup /x: permission denied", call="mkdir")
    said = orlop("run", "ID", program="/usr/sbin/runc").err
    assert "runc run failed: unable to start container process: unable to apply cgroup configuration: cannot" in said


def test_a_json_line_has_level_message_and_time_first_and_then_what_the_error_knows(
    orlop: Call, runtime: Notes
) -> None:
    runtime.answers["run"] = MOUNT
    line = orlop("--log-format", "json", "run", "ID").err
    assert line.endswith("\n")
    entry = json.loads(line)
    assert list(entry) == ["level", "msg", "time", "call", "errno", "field", "hint", "path"]
    assert entry["level"] == "error"
    assert entry["msg"] == "orlop run failed: mounts[3]: mount /x: operation not permitted"
    assert (entry["call"], entry["errno"], entry["field"], entry["path"]) == ("mount", "EPERM", "mounts[3]", "/x")


def test_the_field_of_a_single_problem_is_in_the_json_line(orlop: Call, runtime: Notes) -> None:
    runtime.answers["run"] = ConfigError([Problem("root.path", "is missing", "add it")])
    entry = json.loads(orlop("--log-format", "json", "run", "ID").err)
    assert (entry["field"], entry["hint"]) == ("root.path", "add it")


def test_a_text_line_carries_the_hint_behind_the_message(orlop: Call, runtime: Notes) -> None:
    runtime.answers["run"] = MOUNT
    assert orlop("run", "ID").err.endswith('operation not permitted" hint="be root"\n')


@pytest.mark.parametrize("form", ["text", "json"])
def test_with_a_log_file_the_plain_message_is_on_standard_error_too(
    orlop: Call, runtime: Notes, elsewhere: Path, form: str
) -> None:
    runtime.answers["create"] = MOUNT
    outcome = orlop("--log", "log", "--log-format", form, "create", "ID")
    assert outcome.err == "orlop create failed: mounts[3]: mount /x: operation not permitted\n"
    log = (elsewhere / "log").read_text()
    assert log.count("\n") == 1  # Podman takes the whole file for one object
    assert "be root" in log


def test_on_a_terminal_a_person_reads_error_and_hint(
    runtime: Notes, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    runtime.answers["run"] = MOUNT
    monkeypatch.setattr(system, "isatty", lambda fd: fd == 2)
    assert main(["orlop", "run", "ID"]) == 1
    assert capfd.readouterr().err == (
        "error: orlop run failed: mounts[3]: mount /x: operation not permitted\nhint: be root\n"
    )
    assert main(["orlop", "--log", "log", "run", "ID"]) == 1
    assert capfd.readouterr().err == ("orlop run failed: mounts[3]: mount /x: operation not permitted\nhint: be root\n")


def test_a_terminal_is_shown_no_control_characters(
    runtime: Notes, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    runtime.answers["run"] = OrlopError("stdout: \x1b[2J\nerror: \u202e", hint="\x07")
    monkeypatch.setattr(system, "isatty", lambda fd: fd == 2)
    said = "orlop run failed: stdout: \\x1b[2J\\nerror: \\u202e\nhint: \\x07\n"
    assert main(["orlop", "run", "ID"]) == 1
    assert capfd.readouterr().err == f"error: {said}"
    assert main(["orlop", "--log", "log", "run", "ID"]) == 1
    assert capfd.readouterr().err == said


def test_an_unexpected_exception_is_one_line_with_the_remedy(orlop: Call, runtime: Notes) -> None:
    runtime.answers["run"] = TypeError("boom")
    outcome = orlop("run", "ID")
    assert outcome.status == 1
    assert outcome.err.count("\n") == 1
    assert 'msg="orlop run failed: internal error: TypeError: boom" hint="run again with --debug' in outcome.err


def test_an_internal_error_is_one_line_with_the_remedy(orlop: Call, runtime: Notes) -> None:
    runtime.answers["run"] = InternalError("op 7 has no label")
    assert 'internal error: op 7 has no label" hint="run again with --debug' in orlop("run", "ID").err


def test_the_traceback_comes_with_debug_and_before_the_error(orlop: Call, runtime: Notes, elsewhere: Path) -> None:
    runtime.answers["run"] = TypeError("boom")
    outcome = orlop("--debug", "--log", "log", "--log-format", "json", "run", "ID")
    lines = outcome.err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "orlop run failed: internal error: TypeError: boom"
    entries = [json.loads(line) for line in (elsewhere / "log").read_text().splitlines()]
    assert [entry["level"] for entry in entries] == ["debug", "error"]
    assert entries[1]["file"].startswith("conftest.py:")
    assert "hint" not in entries[1]


def test_an_expected_error_has_no_traceback_with_debug(orlop: Call, runtime: Notes) -> None:
    runtime.answers["run"] = NotFound("container does not exist")
    outcome = orlop("--debug", "run", "ID")
    assert "Traceback" not in outcome.err
    assert ' func="' in outcome.err


def test_a_plain_oserror_names_its_path(orlop: Call, runtime: Notes) -> None:
    runtime.answers["delete"] = PermissionError(errno.EACCES, "Permission denied", "/run/orlop")
    outcome = orlop("delete", "ID")
    assert outcome.status == 1
    assert 'msg="/run/orlop: permission denied"' in outcome.err


def test_a_broken_pipe_inside_the_runtime_is_not_hidden(orlop: Call, runtime: Notes) -> None:
    runtime.answers["run"] = BrokenPipeError(errno.EPIPE, "Broken pipe")
    outcome = orlop("run", "ID")
    assert outcome.status == 1
    assert "internal error: BrokenPipeError" in outcome.err


def test_an_interrupt_exits_like_a_process_that_sigint_ended(orlop: Call, runtime: Notes) -> None:
    runtime.answers["run"] = KeyboardInterrupt()
    outcome = orlop("run", "ID")
    assert (outcome.status, outcome.err) == (130, "")


def test_a_full_disk_below_the_output_is_an_error(orlop: Call, runtime: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.write

    def full(fd: int, data: bytes) -> int:
        if fd == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return really(fd, data)

    monkeypatch.setattr(system, "write", full)
    outcome = orlop("state", "ID")
    assert outcome.status == 1
    assert 'msg="cannot write to standard output: no space left on device"' in outcome.err


def test_short_writes_are_continued(orlop: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.write
    monkeypatch.setattr(system, "write", lambda fd, data: really(fd, data[:7]))
    assert orlop("-h").out.endswith("show help\n")


def test_the_runtime_may_log_warnings(orlop: Call, runtime: Notes, capfd: pytest.CaptureFixture[str]) -> None:
    orlop("start", "ID")
    log = runtime.options.log
    assert callable(log)
    log("warn", "strange")
    log("debug", "not shown")
    assert capfd.readouterr().err.endswith(' level=warning msg="strange"\n')


def test_debug_lines_name_the_caller(orlop: Call, runtime: Notes, capfd: pytest.CaptureFixture[str]) -> None:
    orlop("--debug", "start", "ID")
    log = runtime.options.log
    assert callable(log)
    log("debug", "shown")
    err = capfd.readouterr().err
    assert re.search(
        r'level=debug msg="shown" func="[\w.]+\.test_debug_lines_name_the_caller\(\)" file="test_\w+\.py:\d+"', err
    )


@pytest.mark.parametrize(
    ("text", "result"),
    [("a b", '"a b"'), ('"', '"\\""'), ("a\nb\t\\", '"a\\nb\\t\\\\"'), ("\x1b[31m", '"\\x1b[31m"'), ("é", '"é"'),
     ("\u202e", '"\\u202e"'), ("\U000e0001", '"\\U000e0001"'), ("\udcff", '"\\udcff"')],
)  # fmt: skip
def test_a_text_is_quoted_so_that_it_stays_one_line(text: str, result: str) -> None:
    assert quoted(text) == result


def test_lines_hold_bytes_that_are_no_text() -> None:
    assert json.loads(json_line("error", "\udcff\n", "now", {}))["msg"] == "\udcff\n"
    assert text_line("error", "\udcff", "now", {}).endswith('msg="\\udcff"')


def test_a_real_terminal_gets_the_lines_for_people(runtime: Notes, elsewhere: Path) -> None:
    runtime.answers["run"] = OrlopError("no")
    master, slave = pty.openpty()
    saved = os.dup(2)
    try:
        os.dup2(slave, 2)
        assert main(["orlop", "run", "ID"]) == 1
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(slave)
    assert os.read(master, 200) == b"error: orlop run failed: no\r\n"
    os.close(master)
