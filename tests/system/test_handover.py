"""What a caller hands over, and is told: readiness, listening sockets, descriptors, a pidfd."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Runtime, end, error_line, wait
from tests.system.sockets import listener, receive_descriptor, service_manager

pytestmark = pytest.mark.usefixtures("clean_host")


def ready(runtime: Runtime, container_id: str, text: str = "READY=1\nSTATUS=up") -> None:
    """Tell what the container's program would tell, on its own socket, which is also a file of the host."""
    path = runtime.root / container_id / "notify/notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        place = os.open(path.parent, os.O_PATH)
        link.connect(f"/proc/self/fd/{place}/{path.name}")
        os.close(place)
        link.send(text.encode())


def popen(runtime: Runtime, *args: str | os.PathLike[str], **env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(runtime.command(*args), stdin=subprocess.DEVNULL, env={**os.environ, **env})


def wait_until_bound(runtime: Runtime, container_id: str, process: subprocess.Popen[bytes]) -> None:
    path = runtime.root / container_id / "notify/notify.sock"
    while not path.exists():
        assert process.poll() is None, "the command has ended"


def status_of(runtime: Runtime, container_id: str) -> str:
    return runtime("state", container_id, status=None).stdout


def wait_until_running(runtime: Runtime, container_id: str) -> int:
    import json

    while True:
        text = status_of(runtime, container_id)
        if '"running"' in text:
            return int(json.loads(text)["pid"])


def test_start_waits_until_the_container_is_ready_and_tells_the_service_manager(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    host = str(place / "host.sock")
    bundle.shell("ls -l $NOTIFY_SOCKET >&2; echo $NOTIFY_SOCKET > /dev/stderr; exec sleep 1000")
    with service_manager(host) as manager:
        name = runtime.new_id()
        runtime("create", "-b", bundle.path, name, env={**os.environ, "NOTIFY_SOCKET": host})
        with popen(runtime, "start", name, NOTIFY_SOCKET=host) as start:
            wait_until_bound(runtime, name, start)
            pid = wait_until_running(runtime, name)
            assert start.poll() is None
            ready(runtime, name, "STATUS=not yet")
            ready(runtime, name)
            assert manager.receive() == "READY=1\n"
            assert manager.receive() == f"MAINPID={pid}\n"
            assert start.poll() is None
            manager.barrier()
            assert start.wait(PATIENCE) == 0
        runtime("delete", "--force", name)


def test_the_container_sees_the_socket_and_may_write_to_it_as_any_user(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    host = str(place / "host.sock")
    bundle.set("process.user", {"uid": 1000, "gid": 1000})
    bundle.shell(
        "echo $NOTIFY_SOCKET; while [ ! -S $NOTIFY_SOCKET ]; do :; done; ls -l $NOTIFY_SOCKET; rm /run/notify/*"
    )
    with service_manager(host):
        done = runtime("run", "-b", bundle.path, runtime.new_id(), env={**os.environ, "NOTIFY_SOCKET": host}, status=1)
    assert done.lines[0] == "/run/notify/notify.sock"
    assert done.lines[1].startswith("srwxrwxrwx")
    assert "Read-only file system" in done.stderr


def test_a_detached_run_returns_when_the_container_is_ready(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    host = "\0" + str(place)  # an abstract address, which the variable spells with an @
    with service_manager(host) as manager:
        name = runtime.new_id()
        flags = ["-d", "-b", str(bundle.args("sleep", "1000").path)]
        with popen(runtime, "run", *flags, name, NOTIFY_SOCKET="@" + str(place)) as run:
            wait_until_bound(runtime, name, run)
            pid = wait_until_running(runtime, name)
            ready(runtime, name)
            assert [manager.receive(), manager.receive()] == ["READY=1\n", f"MAINPID={pid}\n"]
            manager.barrier()
            assert run.wait(PATIENCE) == 0
        runtime("delete", "--force", name)


def test_a_foreground_run_is_itself_the_main_process_and_forwards_signals_before_it_is_ready(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    host = str(place / "host.sock")
    bundle.shell(
        "trap 'echo > /tmp/got' USR1; trap 'exit 7' TERM; touch /tmp/up; while :; do sleep 0.05; done"
    ).writable()
    with service_manager(host) as manager:
        name = runtime.new_id()
        with popen(runtime, "run", "-b", bundle.path, name, NOTIFY_SOCKET=host) as run:
            while not (bundle.rootfs / "tmp/up").exists():
                assert run.poll() is None
            run.send_signal(signal.SIGUSR1)
            while not (bundle.rootfs / "tmp/got").exists():
                assert run.poll() is None
            ready(runtime, name)
            assert [manager.receive(), manager.receive()] == ["READY=1\n", f"MAINPID={run.pid}\n"]
            manager.barrier()
            run.terminate()
            assert run.wait(PATIENCE) == 7


def test_a_container_that_ends_before_it_is_ready_does_not_keep_start_waiting(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    host = str(place / "host.sock")
    env = {**os.environ, "NOTIFY_SOCKET": host}
    with service_manager(host):
        name = runtime.new_id()
        runtime("create", "-b", bundle.args("true").path, name, env=env)
        runtime("start", name, env=env)
        runtime("delete", "--force", name)


def test_a_container_that_was_created_without_a_notify_socket_can_be_started_with_one(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    with runtime.created(bundle.args("true")) as container:
        done = runtime("start", container.id, env={**os.environ, "NOTIFY_SOCKET": str(place / "x")})
        assert "created without it" in error_line(done)


@pytest.mark.parametrize("command", ["create", "run"])
def test_a_pidfd_of_the_first_process_is_sent(runtime: Runtime, bundle: Bundle, place: Path, command: str) -> None:
    bundle.args("sleep", "1000")
    with listener(place / "pidfd.sock") as listening:
        make = runtime.created if command == "create" else runtime.running
        with make(bundle, "--pidfd-socket", place / "pidfd.sock") as container:
            pidfd, text = receive_descriptor(listening)
            assert text == b"standard"
            assert _pid_of(pidfd) == container.pid
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            wait(pidfd)
            os.close(pidfd)


def test_exec_sends_a_pidfd_of_its_process(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container, listener(place / "pidfd.sock") as listening:
        flags = ["-d", "--pidfd-socket", str(place / "pidfd.sock"), "--pid-file", str(place / "pid")]
        container.exec("sleep", "1000", flags=flags)
        pidfd, text = receive_descriptor(listening)
        pid = int((place / "pid").read_text())
        assert (text, _pid_of(pidfd)) == (b"setns", pid)
        os.close(pidfd)
        end(pid)


def test_a_pidfd_socket_that_nobody_listens_at_fails_the_start(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    line = runtime.refuses(bundle, "--pidfd-socket", str(place / "none"))
    assert f"unable to use the pidfd socket {place}/none: no such file or directory" in line


def _pid_of(pidfd: int) -> int:
    lines = Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pid:")).split()[1])


def test_listening_sockets_come_first_and_preserved_descriptors_behind(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    bundle.shell("env | grep ^LISTEN_ | sort; readlink /proc/self/fd/4; readlink /proc/self/fd/3")
    script = f'exec 3<{place}/a 4<{place}/b; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web; exec "$@"'
    for name in "ab":
        (place / name).touch()
    argv = runtime.command("run", "--preserve-fds", "1", "-b", bundle.path, runtime.new_id())
    done = subprocess.run(["sh", "-c", script, "sh", *argv], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[:3] == ["LISTEN_FDNAMES=web", "LISTEN_FDS=1", "LISTEN_PID=1"]
    assert lines[3:5] == [f"{place}/b", f"{place}/a"]


def test_listening_sockets_of_another_process_are_not_ours(runtime: Runtime, bundle: Bundle) -> None:
    bundle.shell("env | grep ^LISTEN_; true")
    env = {**os.environ, "LISTEN_PID": "1", "LISTEN_FDS": "3"}
    assert runtime("run", "-b", bundle.path, runtime.new_id(), env=env).stdout == ""


def test_exec_does_not_take_listening_sockets(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        script = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
        argv = runtime.command("exec", container.id, "env")
        done = subprocess.run(["sh", "-c", script, "sh", *argv], capture_output=True, text=True)
        assert "LISTEN" not in done.stdout and done.stderr == ""
