"""The runtime is killed in the middle: whatever is left, `delete --force` removes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Container, Runtime, end, error_line, wait
from tests.system.snapshot import children, reap

pytestmark = pytest.mark.usefixtures("clean_host")


@pytest.fixture
def gate(place: Path) -> Path:
    """A fifo that a hook writes to when it is there."""
    os.mkfifo(place / "here")
    return place / "here"


def kill_hooks() -> None:
    """A hook of a killed runtime is an orphan: our child, and our business."""
    for pid, name, _ in children():
        if "sleep 4242" in name:
            end(pid)


def crash(runtime: Runtime, bundle: Bundle, gate: Path, command: str, *flags: str) -> Container:
    """Kill the runtime while a hook of it runs."""
    container = Container(runtime, bundle, runtime.new_id())
    with runtime.start(command, *flags, "-b", str(bundle.path), container.id) as process:
        gate.read_text()
        process.kill()
        process.wait()
    return container


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
@pytest.mark.parametrize("command", ["create", "run"])
def test_a_crash_while_a_hook_runs(runtime: Runtime, bundle: Bundle, gate: Path, kind: str, command: str) -> None:
    bundle.hook(kind, f"echo > {gate}; exec sleep 4242")
    container = crash(runtime, bundle.args("sleep", "1000"), gate, command)
    assert runtime("list", "-q").lines == [container.id]
    runtime("delete", "--force", container.id)
    kill_hooks()
    reap()
    assert [name for _, name, letter in children() if letter != "Z"] == []


def test_a_crash_while_a_start_container_hook_runs(runtime: Runtime, bundle: Bundle, gate: Path) -> None:
    bundle.bind(gate.parent, "/out").hook("startContainer", "echo > /out/here; exec sleep 4242")
    container = crash(runtime, bundle.args("sleep", "1000"), gate, "run")
    runtime("delete", "--force", container.id)


@pytest.mark.parametrize("flags", [[], ["-d"]])
def test_a_crash_while_a_poststart_hook_runs(runtime: Runtime, bundle: Bundle, gate: Path, flags: list[str]) -> None:
    bundle.hook("poststart", f"echo > {gate}; exec sleep 4242")
    container = crash(runtime, bundle.args("sleep", "1000"), gate, "run", *flags)
    assert container.status == "running"
    runtime("delete", "--force", container.id)
    kill_hooks()


def test_a_crash_of_start_while_a_poststart_hook_runs(runtime: Runtime, bundle: Bundle, gate: Path) -> None:
    bundle.hook("poststart", f"echo > {gate}; exec sleep 4242")
    with runtime.created(bundle.args("sleep", "1000")) as container:
        with runtime.start("start", container.id) as process:
            gate.read_text()
            process.kill()
            process.wait()
        assert container.status == "running"
        kill_hooks()


@pytest.mark.parametrize("kind", ["startContainer", "poststart"])
def test_a_start_that_hangs_in_a_hook_does_not_keep_delete_waiting(
    runtime: Runtime, bundle: Bundle, gate: Path, kind: str
) -> None:
    bundle.bind(gate.parent, str(gate.parent)).hook(kind, f"echo > {gate}; exec sleep 4242")
    bundle.hook("poststart", "exit 0")
    container = Container(runtime, bundle.args("sleep", "1000"), runtime.new_id())
    runtime("create", "-b", bundle.path, container.id)
    with runtime.start("start", container.id) as process:
        gate.read_text()
        try:
            runtime("delete", "--force", container.id)
        finally:
            process.kill()
            process.wait()
            kill_hooks()


def test_a_crash_of_delete_while_a_poststop_hook_runs(runtime: Runtime, bundle: Bundle, gate: Path) -> None:
    bundle.hook("poststop", f"echo > {gate}; exec sleep 4242")
    container = runtime.new_id()
    runtime("create", "-b", bundle.args("true").path, container)
    with runtime.start("delete", container) as process:
        gate.read_text()
        process.kill()
        process.wait()
    runtime("delete", "--force", container)
    kill_hooks()


def test_a_crash_while_the_program_runs_in_the_foreground(runtime: Runtime, bundle: Bundle) -> None:
    container = Container(runtime, bundle.shell("echo ready; exec sleep 1000"), runtime.new_id())
    with runtime.start("run", "-b", bundle.path, container.id) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
        process.wait()
        assert container.status == "running"
        assert container.shell("echo alive") == ["alive"]
        runtime("delete", "--force", container.id)


def test_a_crash_of_exec_leaves_the_container_as_it_is(runtime: Runtime, bundle: Bundle) -> None:
    with (
        runtime.running(bundle.args("sleep", "1000")) as container,
        runtime.start("exec", container.id, "sh", "-c", "echo ready; exec sleep 4242") as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
        process.wait()
        assert container.status == "running"
        kill_hooks()


def test_a_state_directory_without_a_record_is_removed(runtime: Runtime, bundle: Bundle) -> None:
    identity = runtime.new_id()
    (runtime.root / identity).mkdir()
    assert "already exists" in error_line(runtime("run", "-b", bundle.args("true").path, identity, status=1))
    assert runtime("list", "-q").stdout == ""
    runtime("delete", "--force", identity)
    (runtime.root / identity).mkdir()
    error_line(runtime("delete", identity, status=1))
    assert not (runtime.root / identity).exists()


def test_half_a_record_aside_is_removed(runtime: Runtime) -> None:
    identity = runtime.new_id()
    (runtime.root / identity).mkdir()
    (runtime.root / identity / ".state.json").write_text('{"id": ')
    runtime("delete", "--force", identity)


def test_a_pid_that_somebody_else_has_by_now_is_not_killed(runtime: Runtime, bundle: Bundle) -> None:
    # As after a restart of the host with a state directory that outlived it: the pid is there, with another start time.
    with subprocess.Popen(["sleep", "1000"]) as bystander:
        try:
            _await_next_tick(bystander.pid)
            with runtime.running(bundle.args("sleep", "1000")) as container:
                container.kill()
                record = runtime.root / container.id / "state.json"
                pid = int(_field(record.read_text(), "init_process_pid"))
                record.write_text(record.read_text().replace(str(pid), str(bystander.pid)))
                assert container.status == "stopped"
                assert "not running" in error_line(runtime("kill", container.id, "KILL", status=1))
                runtime("delete", "--force", container.id)
                assert bystander.poll() is None
        finally:
            bystander.kill()


def _await_next_tick(pid: int) -> None:
    """The kernel tells the start of a process in ticks: those that start from now on have another one."""
    start = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    ticks = os.sysconf("SC_CLK_TCK")
    while time.clock_gettime(time.CLOCK_BOOTTIME) * ticks < start + 1:
        pass


def _field(text: str, name: str) -> str:
    return text.partition(f'"{name}"')[2].lstrip(": ").partition(",")[0]


def _traceable() -> bool:
    strace = shutil.which("strace")
    return strace is not None and subprocess.run([strace, "-qq", "-o", "/dev/null", "true"]).returncode == 0


# Calls of the supervisor, and how often each is made at most before the container runs.
POINTS = [("mkdir", 12), ("rename", 3), ("clone3,vfork", 1), ("recvmsg", 4), ("sendto", 3), ("openat", 60)]


@pytest.mark.slow
@pytest.mark.parametrize(("call", "count"), POINTS)
def test_a_crash_at_any_system_call(runtime: Runtime, bundle: Bundle, call: str, count: int) -> None:
    """The supervisor gets SIGKILL as it makes the call for the nth time."""
    if not _traceable():
        pytest.skip("needs strace, and the right to trace")
    for when in range(1, count + 1):
        container = runtime.new_id()
        inject = [
            "strace",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            f"trace={call}",
            "-e",
            f"inject={call}:signal=KILL:when={when}",
        ]
        argv = runtime.command("create", "-b", bundle.args("true").path, container)
        null = subprocess.DEVNULL  # not a pipe: what is left behind would hold it open
        done = subprocess.run([*inject, *argv], stdin=null, stdout=null, stderr=null, timeout=PATIENCE)
        runtime("delete", "--force", container)
        for pid, _, letter in children():  # what had been cloned sees that nobody is there, and ends by itself
            if letter != "Z":
                pidfd = os.pidfd_open(pid)
                wait(pidfd)
                os.close(pidfd)
        reap()
        assert list(runtime.root.iterdir()) == [], when
        if done.returncode == 0:
            break
        assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
