"""A monitor reaps a detached container and records how it ended; the container can neither see nor hurt it."""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import orlop
from orlop.errors import StateError
from orlop.plan.monitor import monitor_program
from orlop.program.verify import verify
from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Container, Runtime, error_line, wait
from tests.system.snapshot import children, reap
from tests.system.test_account import ended
from tests.system.test_events import HOG, limit_memory

pytestmark = pytest.mark.usefixtures("clean_host")


@pytest.fixture(autouse=True)
def _only_orlop(runtime: Runtime) -> None:
    if not runtime.is_orlop:
        pytest.skip("a property of orlop")


def monitor_of(container: Container) -> int:
    """The pid of a container's monitor: the parent of its first process."""
    parent = int(re.findall(r"PPid:\s*(\d+)", Path(f"/proc/{container.pid}/status").read_text())[0])
    assert Path(f"/proc/{parent}/cmdline").read_bytes().split(b"\0")[:3] == [
        b"orlop",
        b"monitor",
        container.id.encode(),
    ]
    return parent


def left() -> list[str]:
    """What still runs of what commands have left to us."""
    return [name for _, name, letter in children() if letter != "Z"]


def account(container: Container) -> dict[str, object]:
    assert container.status == "stopped"
    found = container.state()["account"]
    assert isinstance(found, dict)
    return found


@contextmanager
def monitored(runtime: Runtime, bundle: Bundle, *, detach: bool = True) -> Iterator[Container]:
    """A container with a monitor; when it is deleted, the monitor has gone too."""
    with (runtime.running if detach else runtime.created)(bundle, "--monitor") as container:
        yield container
    assert left() == []


def stopped(runtime: Runtime, bundle: Bundle, identity: str) -> Container:
    """A container with a monitor, started in two steps, that has ended."""
    container = Container(runtime, bundle, identity)
    runtime("create", "--monitor", "-b", bundle.path, identity)
    with container.handle() as pidfd:
        container.start()
        wait(pidfd)
    return container


@pytest.mark.parametrize("code", [0, 3, 137])
def test_the_exit_code_is_recorded(runtime: Runtime, bundle: Bundle, code: int) -> None:
    container = stopped(runtime, bundle.shell(f"exit {code}"), runtime.new_id())
    found = account(container)
    assert ended(found) == ("exit", code, None, None)
    assert int(str(found["wallTime"])) > 0 and int(str(found["largestProcess"])) > 0
    runtime("delete", container.id)


def test_a_signal_is_recorded(runtime: Runtime, bundle: Bundle) -> None:
    with monitored(runtime, bundle.args("sleep", "1000")) as container:
        assert "account" not in container.state()
        container.kill()
        assert ended(account(container)) == ("signal", None, signal.SIGKILL, None)


def test_a_lack_of_memory_is_recorded(runtime: Runtime, bundle: Bundle) -> None:
    container = stopped(runtime, limit_memory(bundle, 32).shell(f"exec {HOG}"), runtime.new_id())
    assert ended(account(container)) == ("oom", None, 9, "init")
    runtime("delete", container.id)


def test_delete_tells_the_account_and_takes_the_record_along(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    container = stopped(runtime, bundle.shell("exit 6"), runtime.new_id())
    said = runtime("delete", "--account", "-", container.id).stdout
    assert ended(json.loads(said)) == ("exit", 6, None, None)
    assert runtime("list", "-q").lines == []
    container = stopped(runtime, bundle, runtime.new_id())
    runtime("delete", "--account", place / "file", container.id)
    assert ended(json.loads((place / "file").read_text())) == ("exit", 6, None, None)
    assert os.listdir(place) == ["file"]


def test_an_account_that_cannot_be_written_is_not_lost(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    container = stopped(runtime, bundle.shell("exit 6"), runtime.new_id())
    said = error_line(runtime("delete", "--account", place / "no/file", container.id, status=1))
    assert "unable to write the account" in said
    assert ended(account(container)) == ("exit", 6, None, None)
    runtime("delete", container.id)


def test_force_kills_the_container_and_the_monitor_ends(runtime: Runtime, bundle: Bundle) -> None:
    with monitored(runtime, bundle.args("sleep", "1000")) as container:
        said = runtime("delete", "--force", "--account", "-", container.id).stdout
        assert ended(json.loads(said)) == ("signal", None, signal.SIGKILL, None)


def test_a_container_that_was_never_started_has_a_monitor_too(runtime: Runtime, bundle: Bundle) -> None:
    with monitored(runtime, bundle.args("true"), detach=False) as container:
        monitor_of(container)
        runtime("delete", container.id)
        assert left() == []


def test_a_monitor_that_is_killed_takes_only_the_record_along(runtime: Runtime, bundle: Bundle) -> None:
    with monitored(runtime, bundle.args("sleep", "1000")) as container:
        monitor = monitor_of(container)
        os.kill(monitor, signal.SIGKILL)
        os.waitpid(monitor, 0)
        assert container.status == "running"
        pid = container.pid
        container.kill()
        os.waitpid(pid, 0)
        found = account(container)
        assert ended(found) == ("unknown", None, None, None)
        assert int(str(found["cpuTotal"])) > 0


def test_pid_file_and_state_name_the_container_s_process(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    with runtime.running(bundle.args("sleep", "1000"), "--monitor", "--pid-file", place / "pid") as container:
        assert (place / "pid").read_text() == str(container.pid)
        assert Path(f"/proc/{container.pid}/cmdline").read_bytes() == b"sleep\x001000\0"


def test_a_monitor_holds_nothing_but_its_record(runtime: Runtime, bundle: Bundle) -> None:
    with monitored(runtime, bundle.args("sleep", "1000")) as container:
        place = Path(f"/proc/{monitor_of(container)}")
        assert {name: os.readlink(place / "fd" / name) for name in os.listdir(place / "fd")} == {
            "0": str(runtime.root / container.id / "monitor")
        }
        assert os.readlink(place / "cwd") == "/"
        assert (place / "stat").read_text().rpartition(")")[2].split()[3] == place.name  # a session of its own
        for kind in ("pid", "mnt", "net", "ipc", "uts", "user", "cgroup"):
            assert os.readlink(place / "ns" / kind) == os.readlink(f"/proc/self/ns/{kind}")
        assert (place / "cgroup").read_text() == Path("/proc/self/cgroup").read_text()


def test_a_container_with_the_host_s_processes_in_sight_cannot_look_into_its_monitor(
    runtime: Runtime, bundle: Bundle
) -> None:
    bundle.namespace("pid", None).args("sleep", "1000")
    with monitored(runtime, bundle) as container:
        place = f"/proc/{monitor_of(container)}"
        for script in (f"readlink {place}/exe", f"cat {place}/maps", f"echo > {place}/fd/0", f"ls {place}/root/."):
            said = container.exec("sh", "-c", script, status=None)
            assert said.status != 0 and said.stdout == "", (script, said)


def test_a_container_does_not_see_its_monitor(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.capabilities", {kind: ["CAP_KILL"] for kind in ("bounding", "effective", "permitted")})
    with monitored(runtime, bundle.args("sleep", "1000")) as container:
        monitor = monitor_of(container)
        assert container.shell("grep PPid /proc/1/status") == ["PPid:\t0"]
        assert str(monitor) not in container.exec("ls", "/proc").lines
        assert container.exec("kill", "-9", str(monitor), status=None).status != 0
        assert container.exec("kill", "-9", "--", "-1", status=None).status != 0
        assert os.path.exists(f"/proc/{monitor}")


def test_a_failure_inside_leaves_nothing(runtime: Runtime, bundle: Bundle) -> None:
    for command, flags in (("create", ()), ("run", ("-d",))):
        said = error_line(
            runtime(command, *flags, "--monitor", "-b", bundle.args("/no/such").path, runtime.new_id(), status=1)
        )
        assert 'exec: "/no/such"' in said
    assert runtime("list", "-q").lines == []
    assert left() == []


def test_a_failing_hook_leaves_nothing(runtime: Runtime, bundle: Bundle) -> None:
    for kind in ("createRuntime", "createContainer"):
        bundle.set("hooks", {}).hook(kind, "exit 3").args("true")
        runtime("create", "--monitor", "-b", bundle.path, runtime.new_id(), status=1)
    assert left() == []


def test_a_crash_of_the_runtime_ends_the_monitor(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    os.mkfifo(place / "here")
    bundle.hook("createRuntime", f"echo > {place / 'here'}; exec sleep 4242").args("true")
    container = Container(runtime, bundle, runtime.new_id())
    with runtime.start("create", "--monitor", "-b", str(bundle.path), container.id) as process:
        (place / "here").read_text()
        process.kill()
        process.wait()
    runtime("delete", "--force", container.id)
    for pid, name, _ in children():
        if "monitor" in name:
            with_handle(pid)
        elif "sleep 4242" in name:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    reap()


def with_handle(pid: int) -> None:
    """Wait until a process that is about to end has ended."""
    pidfd = os.pidfd_open(pid)
    try:
        wait(pidfd)
    finally:
        os.close(pidfd)


def test_user_and_time_namespaces_have_a_monitor(runtime: Runtime, bundle: Bundle) -> None:
    bundle.user_namespace().namespace("time").set("linux.timeOffsets", {"boottime": {"secs": 60}})
    container = stopped(runtime, bundle.shell("exit 9"), runtime.new_id())
    assert ended(account(container)) == ("exit", 9, None, None)
    runtime("delete", container.id)


def test_a_monitor_goes_with_descriptors_that_are_handed_on(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    source = place / "source"
    source.mkdir()
    bundle.bind(source, "/data").shell("echo said >&3; ls /proc/self/fd >&3; exit 4")
    mounts = bundle.get("mounts")
    assert isinstance(mounts, list)
    for kind in ("uidMappings", "gidMappings"):
        mounts[-1][kind] = [{"containerID": 0, "hostID": 1000, "size": 1000}]
    bundle.write()
    container = Container(runtime, bundle, runtime.new_id())
    flags = ("--monitor", "--preserve-fds", "1", "--times", place / "times")
    argv = runtime.command("create", *flags, "-b", bundle.path, container.id)
    redirected = ["sh", "-c", 'exec "$@" 3>"$0"', str(place / "said"), *argv]
    subprocess.run(redirected, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=PATIENCE)
    with container.handle() as pidfd:
        container.start()
        wait(pidfd)
    found = json.loads(runtime("delete", "--account", "-", container.id).stdout)
    assert ended(found) == ("exit", 4, None, None)
    assert (place / "said").read_text().split() == ["said", "0", "1", "2", "3", "4"]  # the last is the directory
    assert (place / "times").stat().st_size > 0


def test_a_hundred_with_a_monitor_at_the_same_time(runtime: Runtime, bundle: Bundle) -> None:
    bundle.shell("exit 5")
    names = [runtime.new_id() for _ in range(100)]
    for batch in range(0, 100, 10):
        processes = [
            runtime.start("run", "-d", "--monitor", "-b", bundle.path, name) for name in names[batch : batch + 10]
        ]
        for process in processes:
            _, said = process.communicate(timeout=PATIENCE)
            assert (process.returncode, said) == (0, "")
    for name in names:
        container = Container(runtime, bundle, name)
        if container.status != "stopped":
            with container.handle() as pidfd:
                wait(pidfd)
        assert ended(json.loads(runtime("delete", "--account", "-", name).stdout)) == ("exit", 5, None, None)
    assert left() == []


def test_a_monitor_is_for_a_detached_container(runtime: Runtime, bundle: Bundle) -> None:
    assert "--monitor needs a detached container" in error_line(runtime.run(bundle, "--monitor", status=1))


def test_the_library_waits_for_a_container_that_another_program_made(runtime: Runtime, bundle: Bundle) -> None:
    name = runtime.new_id()
    runtime("create", "--monitor", "-b", bundle.shell("exit 8").path, name)
    with orlop.Container(name, root=str(runtime.root)) as box:
        assert box.wait(timeout=0) is None
        box.start()
        assert box.wait(timeout=PATIENCE) == 8
        assert box.account is not None and box.account.exit_code == 8 and box.account.wall_time


def test_the_library_makes_containers_with_a_monitor(runtime: Runtime, bundle: Bundle) -> None:
    bundle.args("sleep", "1000")
    with orlop.Container.create(runtime.new_id(), str(bundle.path), root=str(runtime.root), monitor=True) as box:
        box.start()
        box.kill(signal.SIGKILL)
        assert box.wait(timeout=PATIENCE) == -signal.SIGKILL
    assert left() == []


def test_the_library_does_not_guess_when_the_monitor_was_killed(runtime: Runtime, bundle: Bundle) -> None:
    with monitored(runtime, bundle.args("sleep", "1000")) as container:
        pid = container.pid
        os.kill(monitor_of(container), signal.SIGKILL)
        container.kill()
        os.waitpid(pid, 0)
        with pytest.raises(StateError, match="nobody knows how it ended"):
            orlop.Container(container.id, root=str(runtime.root)).wait(timeout=PATIENCE)


def test_the_program_of_the_monitor_is_sound() -> None:
    for architecture, files in (("x86_64", ()), ("aarch64", ("/sys/fs/cgroup/a", "/sys/fs/cgroup/b"))):
        problems = verify(monitor_program(architecture, 3, 4, 5, files))
        # What it runs is an executor, which is to have the control socket, and does the sweeping.
        assert len(problems) == 1 and "(execve, monitor)" in problems[0] and "not swept" in problems[0], problems


def test_the_monitor_reads_all_before_it_writes_any() -> None:
    """Whoever removes the cgroup is told of its end at the same time."""
    program = monitor_program("x86_64", 3, 4, 5, ("/sys/fs/cgroup/a", "/sys/fs/cgroup/b"))
    names = program.names
    end = len(names) - 1 - names[::-1].index("waitid")
    assert names[:end].count("openat") == 2 and "sched_setattr" in names[:end]
    assert names[end:].count("read") == 2
    assert "read" not in names[end + names[end:].index("write") :]


def test_a_damaged_record_is_none(runtime: Runtime, bundle: Bundle) -> None:
    container = stopped(runtime, bundle.shell("exit 6"), runtime.new_id())
    assert ended(account(container))[0] == "exit"  # by now the monitor has written all
    record = runtime.root / container.id / "monitor"
    whole = record.read_bytes()
    for damaged in (b"", whole[:-1], whole[:8] + struct.pack("<i", 5) + whole[12:]):
        record.write_bytes(damaged)
        assert ended(account(container))[0] == "unknown"
    runtime("delete", container.id)
