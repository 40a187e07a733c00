"""What must be refused: status 1, one clear line that names the field or the path, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Runtime, error_line, wait

pytestmark = pytest.mark.usefixtures("clean_host")

COMMANDS = ("create", "run")


def refused(runtime: Runtime, bundle: Bundle, command: str = "run") -> str:
    return error_line(runtime(command, "-b", bundle.path, runtime.new_id(), status=1))


# The bundle


@pytest.mark.rule("B-1")
@pytest.mark.parametrize("command", COMMANDS)
def test_no_config(runtime: Runtime, bundle: Bundle, command: str) -> None:
    bundle.file.unlink()
    line = refused(runtime, bundle, command)
    assert "config.json not found" in line and str(bundle.path) in line


def test_no_bundle(runtime: Runtime, place: Path) -> None:
    assert "/nowhere" in error_line(runtime("run", "-b", "/nowhere", runtime.new_id(), status=1))


def test_a_config_that_is_a_directory(runtime: Runtime, bundle: Bundle) -> None:
    bundle.file.unlink()
    bundle.file.mkdir()
    line = refused(runtime, bundle)
    assert "config.json" in line and "is a directory" in line


@pytest.mark.rule("B-3")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("hello", "line 1 column 1"),
        ("{", "line 1 column 2"),
        ('{"ociVersion": "1.0.0",\n "root": {"path" "x"}}', "line 2"),
        ('{"a": 1} {"b": 2}', "more text"),
        ("[]", "config.json"),
        ("null", "config.json"),
        ('{"a": NaN}', "NaN"),
        ('{"root": {}, "root": {}}', "root"),
    ],
)
def test_not_json(runtime: Runtime, bundle: Bundle, text: str, words: str) -> None:
    bundle.file.write_text(text)
    assert words in refused(runtime, bundle) or text in ("[]", "null")


@pytest.mark.rule("B-2")
def test_a_config_that_is_not_utf_8(runtime: Runtime, bundle: Bundle) -> None:
    bundle.file.write_bytes(b'{"hostname": "\xff"}')
    assert "UTF-8" in refused(runtime, bundle)


def test_a_config_that_is_nested_without_end(runtime: Runtime, bundle: Bundle) -> None:
    bundle.file.write_text("[" * 100000)
    assert "nested too deeply" in refused(runtime, bundle)


def test_several_problems_are_told_in_one_line(runtime: Runtime, bundle: Bundle) -> None:
    line = refused(runtime, bundle.set("process.cwd", "tmp").set("process.args", []).set("hostname", 5))
    assert all(field in line for field in ("process.cwd", "process.args", "hostname"))


# Fields


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("process.args", "sh", "process.args"),
        ("process.args", [], "args must not be empty"),
        ("process.args", [1], "process.args[0]"),
        ("process.cwd", "tmp", "Cwd must be an absolute path"),
        ("process.cwd", "", "Cwd property must not be empty"),
        ("process.user.uid", "root", "process.user.uid"),
        ("process.user.uid", -1, "process.user.uid"),
        ("process.terminal", "yes", "process.terminal"),
        ("process.env", ["NOVALUE"], "process.env[0]"),
        ("process.rlimits", [{"type": "RLIMIT_FUN", "soft": 1, "hard": 1}], "RLIMIT_FUN"),
        ("process.rlimits", [{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}], "process.rlimits[0].soft"),
        ("process.capabilities", ["CAP_KILL"], "process.capabilities"),
        ("process.oomScoreAdj", 5000, "process.oomScoreAdj"),
        ("root", {}, "root.path"),
        ("root.readonly", 1, "root.readonly"),
        ("hostname", 5, "hostname"),
        ("ociVersion", "9.0", "ociVersion"),
        ("mounts", {}, "mounts"),
        ("mounts[0].options", "ro", "mounts[0].options"),
        ("mounts[0].destination", "/", "is on the top of rootfs"),
        ("mounts[0].destination", "/dev/..", "is on the top of rootfs"),
        ("linux.namespaces", [{"type": "pid"}, {"type": "cloud"}], "linux.namespaces[1]"),
        ("linux.namespaces", [{"type": "mount"}, {"type": "pid"}, {"type": "pid"}], "duplicated ns"),
        ("linux.namespaces", [{"type": "mount"}, {"type": "pid", "path": "proc/1/ns/pid"}], "linux.namespaces[1].path"),
        ("linux.devices", [{"path": "dev/x", "type": "c", "major": 1, "minor": 1}], "linux.devices[0].path"),
        ("linux.devices", [{"path": "/dev/x", "type": "z"}], "linux.devices[0].type"),
        ("linux.devices", [{"path": "/dev/x", "type": "c"}], "linux.devices[0].major"),
        ("linux.rootfsPropagation", "loud", "rootfsPropagation=loud"),
        ("linux.maskedPaths", ["proc"], "linux.maskedPaths[0]"),
        ("linux.sysctl", {"kernel.panic": "1"}, "kernel.panic"),
        ("linux.uidMappings", [{"containerID": 0, "hostID": 0, "size": 1}], "linux.uidMappings"),
        ("linux.timeOffsets", {"boottime": {"secs": 1}}, "linux.timeOffsets"),
        ("linux.resources", {"memory": {"limit": "1G"}}, "linux.resources.memory.limit"),
        ("linux.cgroupsPath", 5, "linux.cgroupsPath"),
        ("hooks", {"createRuntime": [{"path": "bin/hook"}]}, "hooks.createRuntime[0].path"),
        ("hooks", {"createRuntime": [{"path": "/bin/hook", "timeout": 0}]}, "hooks.createRuntime[0].timeout"),
    ],
)
def test_a_field_that_cannot_be_is_named(
    runtime: Runtime, bundle: Bundle, field: str, value: object, words: str
) -> None:
    assert words in refused(runtime, bundle.set(field, value))


@pytest.mark.parametrize(
    ("field", "words"), [("root", "root must be specified"), ("process", "process property must not be empty")]
)
def test_a_part_that_is_missing(runtime: Runtime, bundle: Bundle, field: str, words: str) -> None:
    assert words in refused(runtime, bundle.drop(field))


# The root


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("missing", "no such file"),
        ("file", "is not a directory"),
        ("link", "is a symbolic link"),
        ("under a file", "not a directory"),
    ],
)
def test_a_root_that_cannot_be(runtime: Runtime, bundle: Bundle, how: str, words: str, command: str) -> None:
    place = bundle.path / "other"
    if how == "file":
        place.touch()
    elif how == "link":
        place.symlink_to(bundle.rootfs)
    elif how == "under a file":
        place.touch()
        place = place / "below"
    bundle.set("root.path", str(place))
    line = refused(runtime, bundle, command)
    assert "invalid rootfs" in line and str(place) in line and words in line


# The program


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_not_found(runtime: Runtime, bundle: Bundle, command: str) -> None:
    assert 'exec: "nothing": executable file not found in $PATH' in refused(runtime, bundle.args("nothing"), command)


def test_a_path_that_is_not_there(runtime: Runtime, bundle: Bundle) -> None:
    line = refused(runtime, bundle.args("/bin/nothing"))
    assert 'exec: "/bin/nothing": stat /bin/nothing: no such file or directory' in line


def test_a_program_that_may_not_be_executed(runtime: Runtime, bundle: Bundle) -> None:
    line = refused(runtime, bundle.args("/etc/passwd"))
    assert 'exec: "/etc/passwd": permission denied' in line


def test_a_directory_as_program(runtime: Runtime, bundle: Bundle) -> None:
    assert 'exec: "/bin": is a directory: permission denied' in refused(runtime, bundle.args("/bin"))


def test_an_empty_name_of_a_program(runtime: Runtime, bundle: Bundle) -> None:
    assert 'exec: "": executable file not found in $PATH' in refused(runtime, bundle.args(""))


def test_a_file_mounted_onto_a_directory(runtime: Runtime, bundle: Bundle) -> None:
    """Docker looks for "not a directory" to ask whether the two were confused."""
    line = refused(runtime, bundle.bind("/etc/passwd", "/tmp"))
    assert 'mounting "/etc/passwd" to rootfs at "/tmp"' in line and "the source is not a directory" in line


@pytest.mark.parametrize("place", ["/etc/passwd", "/etc/passwd/below"])
def test_a_directory_mounted_onto_a_file(runtime: Runtime, bundle: Bundle, place: str) -> None:
    line = refused(runtime, bundle.bind("/etc", place))
    assert f'mounting "/etc" to rootfs at "{place}"' in line
    assert "not a directory: the place to mount on, or one above it, is a file" in line


def test_a_value_that_the_kernel_does_not_take_is_told(runtime: Runtime, bundle: Bundle) -> None:
    assert 'net.ipv4.ip_forward = "often"' in refused(
        runtime, bundle.set("linux.sysctl", {"net.ipv4.ip_forward": "often"})
    )
    bundle.drop("linux.sysctl").mount("/tmp", "tmpfs", "tmpfs", "size=much")
    assert "fsconfig size=much: invalid argument" in refused(runtime, bundle)


def test_a_program_of_no_known_format(runtime: Runtime, bundle: Bundle) -> None:
    (bundle.rootfs / "bin/strange").write_bytes(b"\0\1\2\3")
    (bundle.rootfs / "bin/strange").chmod(0o755)
    line = refused(runtime, bundle.args("strange"))
    assert "exec format error" in line


def test_a_script_whose_interpreter_is_missing(runtime: Runtime, bundle: Bundle) -> None:
    (bundle.rootfs / "bin/script").write_text("#!/bin/nothing\n")
    (bundle.rootfs / "bin/script").chmod(0o755)
    line = refused(runtime, bundle.args("script"))
    assert "no such file or directory" in line and "interpreter" in line


def test_a_program_on_a_mount_without_execution(runtime: Runtime, bundle: Bundle) -> None:
    bundle.bind(bundle.rootfs / "bin", "/tmp", "rbind", "noexec").args("/tmp/busybox")
    assert "permission denied" in refused(runtime, bundle)


def test_a_program_that_the_user_may_not_execute(runtime: Runtime, bundle: Bundle) -> None:
    script = bundle.rootfs / "bin/mine"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    bundle.set("process.user", {"uid": 1000, "gid": 1000})
    assert "permission denied" in refused(runtime, bundle.args("/bin/mine"))


# Mounts


@pytest.mark.parametrize("command", COMMANDS)
def test_a_mount_source_that_is_missing(runtime: Runtime, bundle: Bundle, command: str) -> None:
    line = refused(runtime, bundle.bind("/nowhere/data", "/tmp"), command)
    assert 'error mounting "/nowhere/data" to rootfs at "/tmp"' in line and "mounts[7].source" in line


def test_a_mount_that_the_kernel_refuses_in_the_end(runtime: Runtime, bundle: Bundle) -> None:
    line = refused(runtime, bundle.mount("/tmp", "tmpfs", "tmpfs", "size=banana"))
    assert 'error mounting "tmpfs" to rootfs at "/tmp"' in line


def test_a_mount_on_a_read_only_file_system(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    (place / "lower").mkdir()
    bundle.bind(place, "/tmp", "rbind", "rro").bind(place / "lower", "/tmp/new")
    line = refused(runtime, bundle)
    assert "/tmp/new" in line and "read-only file system" in line


# Cgroups


def test_a_limit_that_the_kernel_refuses(runtime: Runtime, bundle: Bundle) -> None:
    line = refused(runtime, bundle.set("linux.resources.cpu", {"cpus": "9999"}))
    assert "linux.resources.cpu.cpus" in line


@pytest.mark.rule("CG-3")
def test_a_cgroup_path_that_leads_out(runtime: Runtime, bundle: Bundle) -> None:
    line = refused(runtime, bundle.set("linux.cgroupsPath", "/a/../../b"))
    assert "linux.cgroupsPath" in line


def test_a_memory_limit_that_is_too_small_for_the_start(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("linux.resources.memory", {"limit": 4096})
    done = runtime.run(bundle.args("true"), status=1)
    assert "memory" in error_line(done)


# Ids and states


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("identity", ["a/b", "../x", ".", "..", "a b", "ümlaut", "a\nb", "x" * 300, "a:b", "~"])
def test_an_invalid_id(runtime: Runtime, bundle: Bundle, command: str, identity: str) -> None:
    line = error_line(runtime(command, "-b", bundle.args("true").path, identity, status=1))
    assert "container ID format" in line or "longer" in line


@pytest.mark.parametrize("command", ["state", "start", "kill", "delete"])
@pytest.mark.parametrize("identity", ["a/b", "..", "a b"])
def test_an_invalid_id_of_other_commands(runtime: Runtime, command: str, identity: str) -> None:
    error_line(runtime(command, identity, status=1))


def test_an_empty_id(runtime: Runtime, bundle: Bundle) -> None:
    assert "container id cannot be empty" in error_line(runtime("run", "-b", bundle.path, "", status=1))


def test_an_id_that_exists(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        for command in COMMANDS:
            line = error_line(runtime(command, "-b", bundle.path, container.id, status=1))
            assert "container with given ID already exists" in line and container.id in line
        assert container.status == "running"
        assert container.shell("echo alive") == ["alive"]


def test_a_cgroup_that_another_container_has(runtime: Runtime, make_bundle: Callable[[], Bundle]) -> None:
    path = f"{runtime.marker}-shared"
    first, second = (make_bundle().set("linux.cgroupsPath", path).args("sleep", "1000") for _ in range(2))
    with runtime.running(first) as container:
        assert "cgroup is not empty" in refused(runtime, second)
        assert container.status == "running"


def test_start_twice(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.created(bundle.args("sleep", "1000")) as container:
        container.start()
        assert "already running" in error_line(runtime("start", container.id, status=1))
        assert container.status == "running"


def test_start_of_a_stopped_container(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        container.kill()
        assert "has stopped" in error_line(runtime("start", container.id, status=1))


def test_kill_of_a_stopped_container(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        container.kill()
        assert "container not running" in error_line(runtime("kill", container.id, status=1))
        runtime("kill", "--all", container.id)


def test_kill_with_an_unknown_signal(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        assert 'unknown signal "FOO"' in error_line(runtime("kill", container.id, "FOO", status=1))
        assert container.status == "running"


def test_delete_of_a_running_container(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        line = error_line(runtime("delete", container.id, status=1))
        assert f"cannot delete container {container.id} that is not stopped: running" in line
        assert container.shell("echo alive") == ["alive"]


# The state directory


@pytest.mark.parametrize("command", COMMANDS)
def test_a_read_only_state_directory(runtime: Runtime, bundle: Bundle, place: Path, command: str) -> None:
    state = place / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "orlop-test", str(state)], check=True)
    try:
        elsewhere = Runtime(runtime.argv, state, runtime.marker)
        line = refused(elsewhere, bundle.args("true"), command)
        assert str(state) in line and "read-only file system" in line.lower()
    finally:
        subprocess.run(["umount", str(state)], check=True)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("inodes", range(2, 8))
def test_a_full_state_directory(runtime: Runtime, bundle: Bundle, place: Path, command: str, inodes: int) -> None:
    # Full at each step in turn: the directory, the record, the config, the fifo.
    state = place / "state"
    state.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"nr_inodes={inodes - 1},size=64k", "orlop-test", str(state)], check=True
    )
    try:
        elsewhere = Runtime(runtime.argv, state, runtime.marker)
        identity = runtime.new_id()
        done = elsewhere(command, "-b", bundle.args("true").path, identity, status=None)
        if done.status:
            assert "no space left" in error_line(done).lower()
        elif command == "create":
            elsewhere("delete", identity)
        assert list(state.iterdir()) == []
    finally:
        subprocess.run(["umount", str(state)], check=True)


def test_a_config_too_large_for_the_state_directory(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    state = place / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "orlop-test", str(state)], check=True)
    try:
        bundle.set("annotations", {"large": "x" * 100000}).args("true")
        line = refused(Runtime(runtime.argv, state, runtime.marker), bundle)
        assert str(state) in line and "no space left" in line.lower()
        assert list(state.iterdir()) == []
    finally:
        subprocess.run(["umount", str(state)], check=True)


def test_a_state_root_that_is_a_file(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    (place / "state").touch()
    assert str(place / "state") in refused(Runtime(runtime.argv, place / "state", runtime.marker), bundle.args("true"))


def test_a_pid_file_that_cannot_be_written(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    for command in COMMANDS:
        path = place / "missing/pid"
        argv = [command, "--pid-file", str(path), "-b", str(bundle.args("true").path), runtime.new_id()]
        assert str(path) in error_line(runtime(*argv, status=1))


def test_a_log_that_cannot_be_written(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    log = place / "missing/log"
    done = runtime("--log", log, "run", "-b", bundle.args("true").path, runtime.new_id(), status=1)
    assert str(log) in error_line(done)


@pytest.mark.parametrize("count", [1, 5])
def test_preserved_descriptors_that_are_not_open(runtime: Runtime, bundle: Bundle, count: int) -> None:
    argv = ["run", "--preserve-fds", str(count), "-b", str(bundle.args("true").path), runtime.new_id()]
    line = error_line(runtime(*argv, status=1))
    assert "preserve" in line and str(count) in line


# The caller goes away


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer"])
def test_an_interrupt_while_a_hook_runs_undoes_the_container(
    runtime: Runtime, bundle: Bundle, place: Path, kind: str
) -> None:
    os.mkfifo(place / "here")
    bundle.hook(kind, f"echo > {place}/here; exec sleep 1000").hook("poststop", f"touch {place}/stopped")
    with runtime.start("create", "-b", bundle.args("true").path, runtime.new_id()) as process:
        (place / "here").read_text()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
    assert (place / "stopped").exists()


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
@pytest.mark.parametrize("kind", ["createRuntime", "createContainer", "startContainer", "poststart"])
def test_a_run_in_the_foreground_can_be_stopped_while_a_hook_runs(
    runtime: Runtime, bundle: Bundle, place: Path, kind: str, name: str
) -> None:
    os.mkfifo(place / "here")
    at = "/out" if kind == "startContainer" else place
    bundle.bind(place, "/out").hook(kind, f"echo > {at}/here; exec sleep 1000").hook(
        "poststop", f"touch {place}/stopped"
    )
    number = getattr(signal, f"SIG{name}")
    with runtime.start("run", "-b", bundle.args("sleep", "1000").path, runtime.new_id()) as process:
        (place / "here").read_text()
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 128 + number
    assert (place / "stopped").exists()


def test_a_json_log_is_one_line_for_one_error(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    log = place / "log"
    bundle.set("process.cwd", "x\ny").set("hostname", 5)
    runtime("--log", log, "--log-format", "json", "create", "-b", bundle.path, runtime.new_id(), status=1)
    (line,) = log.read_text().splitlines()
    assert json.loads(line)["level"] == "error"


def test_an_exec_that_is_refused_leaves_the_container_as_it_was(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        before = container.shell("echo /proc/[0-9]*")
        cases: list[tuple[list[str], list[str], str]] = [
            (["nothing"], [], "executable file not found"),
            (["true"], ["--cwd", "tmp"], "Cwd must be an absolute path"),
            (["true"], ["--user", "root"], "bad uid"),
            (["true"], ["--cgroup", "../.."], "cgroup"),
            (["true"], ["--cwd", "/etc/passwd"], "/etc/passwd"),
        ]
        for args, flags, words in cases:
            assert words in error_line(container.exec(*args, flags=flags, status=255))
        assert len(container.shell("echo /proc/[0-9]*")[0].split()) == len(before[0].split())


def test_an_exec_whose_container_ends_meanwhile_ends_too(runtime: Runtime, bundle: Bundle) -> None:
    with (
        runtime.running(bundle.args("sleep", "1000")) as container,
        runtime.start("exec", container.id, "sh", "-c", "echo ready; exec sleep 1000") as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with container.handle() as pidfd:
            runtime("kill", container.id, "KILL")
            wait(pidfd)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 137


def test_intel_rdt_needs_resctrl(runtime: Runtime, bundle: Bundle) -> None:
    if " - resctrl " in Path("/proc/self/mountinfo").read_text():
        pytest.skip("this kernel has resctrl mounted")
    line = runtime.refuses(bundle.set("linux.intelRdt", {}))
    assert "linux.intelRdt: intelRdt is specified in config, but Intel RDT is not enabled" in line
