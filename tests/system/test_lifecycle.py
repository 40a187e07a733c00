"""create, start, run, exec, state, kill, delete, list: what a caller sees of a container's life."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from orlop.host.cgroups import layout
from orlop.runtime.exec import ExecRequest
from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Container, Runtime, end, error_line, wait

SEAL_ALL = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
pytestmark = pytest.mark.usefixtures("clean_host")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("#!/nowhere/shell\n", "no such file or directory (its interpreter"),
        ("nothing", "exec format error (no #! line"),
    ],
)
def test_after_create_the_container_itself_tells_that_its_program_cannot_run(
    runtime: Runtime, bundle: Bundle, place: Path, content: str, reason: str
) -> None:
    program = place / "program"
    program.write_text(content)
    program.chmod(0o755)
    bundle.bind(place, "/out")
    container = Container(runtime, bundle.args("/out/program"), runtime.new_id())
    with tempfile.TemporaryFile() as words:
        argv = runtime.command("create", "-b", bundle.path, container.id)
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=words, stderr=words)
        try:
            with container.handle() as pidfd:
                pid = container.pid
                container.start()
                wait(pidfd)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 255
            words.seek(0)
            assert words.read().decode().startswith(f"exec /out/program: {reason}")
        finally:
            runtime("delete", "--force", container.id)


def test_a_container_lives_from_create_to_delete(runtime: Runtime, bundle: Bundle) -> None:
    container = Container(runtime, bundle.args("sleep", "1000"), runtime.new_id())
    runtime("create", "-b", bundle.path, container.id)
    assert container.status == "created"
    container.start()
    assert container.status == "running"
    container.kill()
    assert container.status == "stopped"
    runtime("delete", container.id)
    assert "does not exist" in error_line(runtime("state", container.id, status=1))


def test_the_program_does_not_run_before_start(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.bind(place, "/out").shell("echo ran > /out/mark")
    with runtime.created(bundle) as container:
        assert list(place.iterdir()) == []
        with container.handle() as pidfd:
            container.start()
            wait(pidfd)
        assert (place / "mark").read_text() == "ran\n"


def test_state_has_the_keys_that_engines_read(runtime: Runtime, bundle: Bundle) -> None:
    bundle.args("sleep", "1000").set("annotations", {"org.example.colour": "blue"})
    with runtime.created(bundle) as container:
        state = container.state()
        assert state.pop("created", "").__class__ is str
        pid = state.pop("pid")
        assert state == {
            "ociVersion": state["ociVersion"],
            "id": container.id,
            "status": "created",
            "bundle": str(bundle.path),
            "rootfs": str(bundle.rootfs),
            "annotations": {"org.example.colour": "blue"},
            "owner": "",
        }
        assert os.path.exists(f"/proc/{pid}")


def test_the_pid_of_a_stopped_container_is_zero(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        container.kill()
        assert (container.status, container.pid) == ("stopped", 0)


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$; exit 1", 1), ("exit 255", 255)]
)
def test_run_ends_with_the_status_of_the_program(runtime: Runtime, bundle: Bundle, script: str, status: int) -> None:
    # The first process of a pid namespace is spared signals without a handler that come from inside.
    assert runtime.run(bundle.shell(script), status=status).stderr == ""


@pytest.mark.parametrize("name", ["KILL", "TERM", "USR1"])
def test_run_ends_with_128_and_the_signal_that_ended_the_program(runtime: Runtime, bundle: Bundle, name: str) -> None:
    bundle.namespace("pid", None).shell(f"kill -{name} $$")
    runtime.run(bundle, status=128 + getattr(signal, f"SIG{name}"))


def test_run_passes_the_standard_streams_through(runtime: Runtime, bundle: Bundle) -> None:
    done = runtime.run(bundle.shell("tr a-z A-Z; echo oops >&2"), stdin="hello\n")
    assert (done.stdout, done.stderr) == ("HELLO\n", "oops\n")


def test_run_in_the_foreground_leaves_nothing_without_delete(runtime: Runtime, bundle: Bundle) -> None:
    runtime.run(bundle.args("true"))
    assert runtime("list", "-q").stdout == ""


def test_a_kept_container_is_there_after_run(runtime: Runtime, bundle: Bundle) -> None:
    container = Container(runtime, bundle.args("true"), runtime.new_id())
    runtime("run", "--keep", "-b", bundle.path, container.id)
    assert container.status == "stopped"
    runtime("delete", container.id)


def test_a_detached_run_returns_while_the_program_runs(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        assert container.status == "running"


def test_the_bundle_is_the_working_directory_by_default(runtime: Runtime, bundle: Bundle) -> None:
    done = runtime("run", runtime.new_id(), cwd=bundle.args("echo", "here").path)
    assert done.stdout == "here\n"


def test_the_config_of_create_counts_and_not_what_the_bundle_holds_later(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.created(bundle.shell("echo first > /dev/null; sleep 1000")) as container:
        bundle.args("false")
        container.start()
        assert container.status == "running"
        bundle.file.unlink()
        assert container.shell("echo still here") == ["still here"]


@pytest.mark.parametrize("command", ["create", "run"])
def test_the_pid_file_holds_the_pid_without_a_newline(
    runtime: Runtime, bundle: Bundle, place: Path, command: str
) -> None:
    made = runtime.created if command == "create" else runtime.running
    with made(bundle.args("sleep", "1000"), "--pid-file", place / "pid") as container:
        assert (place / "pid").read_text() == str(container.pid)
        assert [entry.name for entry in place.iterdir()] == ["pid"]


def test_a_pid_file_that_a_killed_command_left_half_done_is_no_obstacle(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    (place / "victim").write_text("whole")
    (place / ".pid").symlink_to("victim")
    runtime("run", "--pid-file", place / "pid", "-b", bundle.args("true").path, runtime.new_id())
    assert (place / "pid").read_text().isdigit()
    assert (place / "victim").read_text() == "whole"
    assert not (place / ".pid").is_symlink()


def test_a_relative_pid_file_is_seen_from_the_caller_and_not_from_the_bundle(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    runtime("run", "--pid-file", "pid", "-b", bundle.args("true").path, runtime.new_id(), cwd=place)
    assert (place / "pid").exists()


def test_list_shows_all_containers(runtime: Runtime, make_bundle: Callable[[], Bundle]) -> None:
    first, second = make_bundle().args("sleep", "1000"), make_bundle().args("sleep", "1000")
    with runtime.created(first) as created, runtime.running(second) as running:
        assert runtime("list", "-q").lines == sorted([created.id, running.id])
        rows = json.loads(runtime("list", "--format", "json").stdout)
        assert {(row["id"], row["status"], row["bundle"], row["owner"]) for row in rows} == {
            (created.id, "created", str(first.path), "root"),
            (running.id, "running", str(second.path), "root"),
        }
        head, *lines = runtime("list").lines
        assert head.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
        assert {line.split()[2] for line in lines} == {"created", "running"}


def test_list_tells_of_a_broken_container_and_shows_the_others(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        broken = runtime.root / f"{runtime.marker}-broken"
        broken.mkdir()
        (broken / "state.json").write_text("{")
        done = runtime("list", "-q")
        assert done.lines == [container.id]
        assert broken.name in done.stderr and len(done.stderr.splitlines()) == 1
        assert broken.name in error_line(runtime("delete", broken.name, status=1))
        assert "its state is removed" in runtime("delete", "--force", broken.name).stderr


# kill and delete


def test_kill_sends_the_signal_to_the_first_process(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.bind(place, "/out").shell(
        "trap 'echo hup > /out/got; exit 3' HUP; echo > /out/ready; while :; do sleep 1; done"
    )
    os.mkfifo(place / "ready")
    with runtime.running(bundle) as container:
        (place / "ready").read_text()
        container.kill("HUP")
        assert (place / "got").read_text() == "hup\n"


def test_kill_sends_sigterm_by_default(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.bind(place, "/out").shell("trap 'exit 0' TERM; echo > /out/ready; while :; do sleep 0.1; done")
    os.mkfifo(place / "ready")
    with runtime.running(bundle) as container, container.handle() as pidfd:
        (place / "ready").read_text()
        runtime("kill", container.id)
        wait(pidfd)


@pytest.mark.parametrize(("name", "number"), [("SIGQUIT", 3), ("RTMIN+3", 37), ("12", 12)])
def test_kill_sends_the_stop_signal_of_the_image_by_default(
    runtime: Runtime, bundle: Bundle, name: str, number: int
) -> None:
    if not runtime.is_orlop:
        pytest.skip("runc sends SIGTERM")
    bundle.namespace("pid", None).set("annotations", {"org.opencontainers.image.stopSignal": name})
    with runtime.running(bundle.args("sleep", "1000")) as container, container.handle() as pidfd:
        pid = container.pid
        runtime("kill", container.id)
        wait(pidfd)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -number


def test_sigkill_without_a_pid_namespace_reaches_every_process(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.namespace("pid", None).bind(place, "/out").shell("sleep 1000 & echo $! > /out/child; exec sleep 1000")
    os.mkfifo(place / "child")
    with runtime.running(bundle) as container:
        child = os.pidfd_open(int((place / "child").read_text()))
        container.kill("KILL")
        wait(child)
        os.close(child)


def test_delete_without_a_pid_namespace_kills_what_is_left(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.namespace("pid", None).bind(place, "/out").shell("setsid sleep 1000 & echo $! > /out/child")
    os.mkfifo(place / "child")
    with runtime.running(bundle) as container, container.handle() as init:
        child = os.pidfd_open(int((place / "child").read_text()))
        wait(init)
        assert container.status == "stopped"
        runtime("delete", container.id)
        wait(child)
        os.close(child)


def test_kill_of_a_created_container_ends_it(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.created(bundle.args("true")) as container:
        container.kill("KILL")
        assert container.status == "stopped"
        assert "has stopped" in error_line(runtime("start", container.id, status=1))


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "TERM"])
def test_a_created_container_ends_on_signals_that_end_a_program(runtime: Runtime, bundle: Bundle, name: str) -> None:
    """It is the init of a pid namespace, for which the kernel drops what no handler waits for."""
    with runtime.created(bundle.args("true")) as container:
        pid = container.pid
        container.kill(name)
        assert container.status == "stopped"
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 128 + signal.Signals[f"SIG{name}"]
        assert "has stopped" in error_line(runtime("start", container.id, status=1))


def test_without_a_pid_namespace_a_signal_itself_ends_a_created_container(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.created(bundle.namespace("pid", None).args("true")) as container:
        pid = container.pid
        container.kill("TERM")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM


def test_delete_removes_a_container_that_was_never_started(runtime: Runtime, bundle: Bundle) -> None:
    container = runtime.new_id()
    runtime("create", "-b", bundle.args("true").path, container)
    runtime("delete", container)
    assert runtime("list", "-q").stdout == ""


def test_delete_with_force_kills_what_runs(runtime: Runtime, bundle: Bundle) -> None:
    container = runtime.new_id()
    runtime("run", "-d", "-b", bundle.args("sleep", "1000").path, container)
    runtime("delete", "--force", container)
    assert runtime("list", "-q").stdout == ""


def test_delete_with_force_of_nothing_is_success(runtime: Runtime) -> None:
    runtime("delete", "--force", runtime.new_id())


def test_delete_with_force_removes_sub_cgroups_that_the_container_made(runtime: Runtime, bundle: Bundle) -> None:
    bundle.without_mount("/sys/fs/cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", "rw", "nosuid")
    with runtime.running(bundle.writable().args("sleep", "1000")) as container:
        container.shell("for each in /sys/fs/cgroup/*/; do mkdir -p $each/sub/deep 2>/dev/null; done; true")


def test_an_id_can_be_used_again(runtime: Runtime, bundle: Bundle) -> None:
    container = runtime.new_id()
    for _ in range(2):
        assert runtime("run", "-b", bundle.args("echo", "again").path, container).stdout == "again\n"


# exec


def test_exec_runs_in_the_namespaces_of_the_container(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        own = {name: os.readlink(f"/proc/{container.pid}/ns/{name}") for name in ("pid", "mnt", "net", "ipc", "uts")}
        lines = container.shell("for each in pid mnt net ipc uts; do readlink /proc/self/ns/$each; done")
        assert lines == list(own.values())


def test_exec_runs_in_the_cgroups_of_the_container(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        assert container.shell("cat /proc/1/cgroup") == container.shell("cat /proc/self/cgroup")


def test_exec_ends_with_the_status_of_its_program(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        container.exec("sh", "-c", "exit 42", status=42)
        container.exec("sh", "-c", "kill -KILL $$", status=137)


def test_exec_works_in_a_created_container(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.created(bundle.args("true")) as container:
        assert container.shell("echo early") == ["early"]


def test_exec_that_cannot_be_done_ends_with_255(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        assert "executable file not found" in error_line(container.exec("nothing", status=255))
        container.kill()
        assert "stopped container" in error_line(container.exec("true", status=255))


def test_exec_takes_identity_environment_and_directory(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        flags = ["--user", "1000:1001", "-g", "7", "-g", "8", "--env", "COLOUR=blue", "--cwd", "/tmp"]
        script = "id -u; id -g; grep Groups: /proc/self/status; echo $COLOUR; pwd"
        lines = container.exec("sh", "-c", script, flags=flags).lines
        assert [" ".join(line.split()) for line in lines] == ["1000", "1001", "Groups: 7 8", "blue", "/tmp"]


def test_exec_takes_a_process_file(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    process = {"args": ["sh", "-c", "id -u; echo $WHO"], "cwd": "/", "user": {"uid": 5}, "env": ["PATH=/bin", "WHO=me"]}
    (place / "process.json").write_text(json.dumps(process))
    with runtime.running(bundle.args("sleep", "1000")) as container:
        assert runtime("exec", "-p", place / "process.json", container.id).lines == ["5", "me"]


def test_a_process_file_may_be_a_pipe(runtime: Runtime, bundle: Bundle) -> None:
    """It is read once, also where exec needs a second try."""
    with runtime.running(bundle.args("sleep", "1000")) as container:
        process = json.dumps({"args": ["id", "-u"], "cwd": "/", "user": {"uid": 5}, "env": ["PATH=/bin"]})
        assert runtime("exec", "-p", "/dev/stdin", container.id, stdin=process).lines == ["5"]
    read, write = os.pipe()
    try:
        os.write(write, process.encode())
        os.close(write)
        request = ExecRequest(process_file=f"/dev/fd/{read}")
        assert [request.file() for _ in range(2)] == [process.encode()] * 2
    finally:
        os.close(read)


def test_exec_warns_of_a_capability_that_there_is_not(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        done = container.exec("true", flags=["--cap", "CAP_FLY"])
        assert "level=warning" in done.stderr and "unavailable capabilities: [CAP_FLY]" in done.stderr


def test_a_paused_container_lets_exec_in_where_it_is_asked_for(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        runtime("pause", container.id)
        assert "--ignore-paused" in error_line(container.exec("true", status=255))
        waiting = runtime.start("exec", "--ignore-paused", container.id, "echo", "awake")
        while len(json.loads(runtime("ps", "-f", "json", container.id).stdout)) < 2:
            assert waiting.poll() is None
        runtime("resume", container.id)
        assert waiting.communicate(timeout=PATIENCE)[0] == "awake\n"


ORPHAN = """
sh -c 'parent=$$; (while test -d /proc/$parent; do :; done; exec grep PPid: /proc/self/status >/tmp/seen) &
    echo $! >/tmp/orphan'
until test -s /tmp/seen; do :; done
cat /tmp/seen
"""


def test_a_foreground_run_without_a_pid_namespace_reaps_orphans(runtime: Runtime, bundle: Bundle) -> None:
    reaped = "while test -d /proc/$(cat /tmp/orphan); do :; done; echo reaped"
    bundle.namespace("pid", None).writable().shell(ORPHAN + reaped)
    running = runtime.start("run", "-b", bundle.path, runtime.new_id())
    out = running.communicate(timeout=PATIENCE)[0]
    assert out.split() == ["PPid:", str(running.pid), "reaped"]
    assert running.returncode == 0


def test_no_subreaper_leaves_the_orphans_to_others(runtime: Runtime, bundle: Bundle) -> None:
    bundle.namespace("pid", None).writable().shell(ORPHAN)
    running = runtime.start("run", "--no-subreaper", "-b", bundle.path, runtime.new_id())
    name, parent = running.communicate(timeout=PATIENCE)[0].split()
    assert name == "PPid:" and int(parent) != running.pid


def test_exec_adds_capabilities_but_never_inheritable_ones(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        lines = container.exec("grep", "Cap", "/proc/self/status", flags=["--cap", "CAP_NET_ADMIN"]).lines
        sets = {line.split()[0]: int(line.split()[1], 16) for line in lines}
        assert [sets[name] >> 12 & 1 for name in ("CapBnd:", "CapEff:", "CapPrm:", "CapInh:", "CapAmb:")] == [
            1,
            1,
            1,
            0,
            0,
        ]


def test_a_detached_exec_writes_its_pid_and_goes_on(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        container.exec("sleep", "1000", flags=["-d", "--pid-file", str(place / "pid")])
        pid = int((place / "pid").read_text())
        assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001000\x00"
        assert os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{container.pid}/ns/pid")
        end(pid)


def test_exec_in_a_container_without_namespaces_of_its_own(runtime: Runtime, bundle: Bundle) -> None:
    for kind in ("pid", "network", "ipc"):
        bundle.namespace(kind, None)
    with runtime.running(bundle.args("sleep", "1000")) as container:
        assert container.shell("readlink /proc/self/ns/net") == [os.readlink("/proc/self/ns/net")]


def test_many_execs_leave_no_process_behind(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        for number in range(20):
            assert container.shell(f"echo {number}") == [str(number)]
        assert len(container.shell("echo /proc/[0-9]*")[0].split()) == 2  # sleep and the shell


# signals, descriptors, logs


@pytest.mark.parametrize("name", ["INT", "HUP", "USR1", "USR2", "TERM", "QUIT"])
def test_a_foreground_run_passes_signals_on(runtime: Runtime, bundle: Bundle, name: str) -> None:
    bundle.shell(f"trap 'echo got {name}; exit 5' {name}; echo ready; while :; do sleep 0.05; done")
    with runtime.start("run", "-b", bundle.path, runtime.new_id()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(getattr(signal, f"SIG{name}"))
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err) == (5, f"got {name}\n", "")


def test_a_foreground_exec_passes_signals_on(runtime: Runtime, bundle: Bundle) -> None:
    script = "trap 'echo got; exit 6' TERM; echo ready; while :; do sleep 0.05; done"
    with (
        runtime.running(bundle.args("sleep", "1000")) as container,
        runtime.start("exec", container.id, "sh", "-c", script) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.communicate(timeout=PATIENCE) == ("got\n", "")
        assert process.returncode == 6


def test_preserved_descriptors_are_there_and_no_others(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.shell("cat <&3; cat <&4; (cat <&5) 2>/dev/null || echo no more")
    fds = []
    for number in (3, 4, 5):
        (place / str(number)).write_text(f"this was {number}\n")
        fds.append(os.open(place / str(number), os.O_RDONLY))
    spread = "import os, sys\nfor n, fd in enumerate(map(int, sys.argv[1:4]), 3): os.dup2(fd, n + 100)\n"
    spread += "for n in (3, 4, 5): os.dup2(n + 100, n)\nos.execv(sys.argv[4], sys.argv[4:])"
    argv = runtime.command("run", "--preserve-fds", "2", "-b", bundle.path, runtime.new_id())
    done = subprocess.run(
        ["python3", "-c", spread, *map(str, fds), *argv], pass_fds=fds, capture_output=True, text=True, timeout=PATIENCE
    )
    for fd in fds:
        os.close(fd)
    assert (done.stdout, done.stderr) == ("this was 3\nthis was 4\nno more\n", "")


def test_the_process_has_exactly_three_descriptors(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        assert sorted(os.listdir(f"/proc/{container.pid}/fd")) == ["0", "1", "2"]


def test_descriptors_that_a_careless_caller_left_open_do_not_get_in(runtime: Runtime, bundle: Bundle) -> None:
    leaked = os.open("/etc/passwd", os.O_RDONLY)
    container = Container(runtime, bundle.args("sleep", "1000"), runtime.new_id())
    runtime("run", "-d", "-b", bundle.path, container.id, pass_fds=[leaked])
    os.close(leaked)
    assert sorted(os.listdir(f"/proc/{container.pid}/fd")) == ["0", "1", "2"]
    runtime("delete", "--force", container.id)


def test_a_waiting_container_holds_no_descriptor_of_the_host_but_its_fifo(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.created(bundle.args("true")) as container:
        directory = f"/proc/{container.pid}/fd"
        held = {name: os.readlink(f"{directory}/{name}") for name in os.listdir(directory)}
        assert [name for name in held.values() if name.startswith(str(runtime.root))] == [
            f"{runtime.root}/{container.id}/exec.fifo"
        ]
        assert len(held) == 4, held


def test_a_waiting_container_is_small(runtime: Runtime, bundle: Bundle) -> None:
    if not runtime.is_orlop:
        pytest.skip("a property of orlop")
    with runtime.created(bundle.args("true")) as container:
        rollup = Path(f"/proc/{container.pid}/smaps_rollup").read_text()
        pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        assert pss < 400


def test_the_executor_in_a_container_is_a_sealed_copy_in_memory(runtime: Runtime, bundle: Bundle) -> None:
    if not runtime.is_orlop:
        pytest.skip("a property of orlop")
    with runtime.created(bundle.args("true")) as container:
        assert os.readlink(f"/proc/{container.pid}/exe").startswith("/memfd:")
        with open(f"/proc/{container.pid}/exe", "rb") as executable:
            assert fcntl.fcntl(executable, fcntl.F_GET_SEALS) == SEAL_ALL


def test_an_error_goes_to_the_log_as_json_and_plain_to_standard_error(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    log = place / "log"
    bundle.args("nothing")
    argv = ["--log", str(log), "--log-format", "json", "run", "-b", str(bundle.path), runtime.new_id()]
    done = runtime(*argv, status=1)
    (line,) = log.read_text().splitlines()
    entry = json.loads(line)
    assert entry["level"] == "error"
    assert 'exec: "nothing": executable file not found in $PATH' in entry["msg"]
    assert done.stderr.strip() == entry["msg"]


def test_an_error_goes_to_the_log_as_text(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    log = place / "log"
    runtime("--log", log, "run", "-b", bundle.args("nothing").path, runtime.new_id(), status=1)
    (line,) = log.read_text().splitlines()
    assert "level=error" in line and "executable file not found" in line


def test_a_debug_log_tells_that_the_container_was_created(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    log = place / "log"
    runtime("--debug", "--log", log, "run", "-b", bundle.args("true").path, runtime.new_id())
    assert "level=debug" in log.read_text()
    assert "level=error" not in log.read_text()


def test_a_debug_log_tells_the_stages_as_runcs_does(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    first, second = place / "run", place / "exec"
    bundle.set("process.execCPUAffinity", {"initial": "0"})
    container = Container(runtime, bundle.args("sleep", "1000"), runtime.new_id())
    runtime("--debug", "--log", first, "run", "-d", "-b", bundle.path, container.id)
    said = first.read_text()
    for words in ("nsexec container setup", "child process in init()", "init: closing the pipe to signal completion"):
        assert words in said
    runtime("--debug", "--log", second, "exec", container.id, "true")
    said = second.read_text()
    for words in ("nsexec container setup", "nsexec: affinity: 0x1", "child process in init()", "about to exec"):
        assert words in said
    runtime("delete", "--force", container.id)


def test_a_link_named_runc_works(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    if len(runtime.argv) > 1:
        pytest.skip("needs the launcher")
    os.symlink(os.path.abspath(runtime.argv[0]), place / "runc")
    linked = Runtime([str(place / "runc")], runtime.root, runtime.marker)
    assert linked.run(bundle.args("echo", "hello")).stdout == "hello\n"
    assert "runc run failed: " in linked.run(bundle.args("nothing"), status=1).stderr


def test_every_command_is_refused_for_a_container_that_does_not_exist(runtime: Runtime) -> None:
    for argv in (["state"], ["start"], ["kill"], ["delete"], ["exec"]):
        end = ["true"] if argv == ["exec"] else []
        done = runtime(*argv, "nobody", *end, status=255 if argv == ["exec"] else 1)
        assert "container does not exist" in error_line(done)


def test_exec_joins_its_init_where_the_cgroup_of_the_container_was_removed(runtime: Runtime, bundle: Bundle) -> None:
    version_2 = layout().v2
    if version_2 is None:
        pytest.skip("needs cgroup v2")
    with runtime.running(bundle.args("sleep", "1000")) as container:
        lines = Path(f"/proc/{container.pid}/cgroup").read_text().splitlines()
        (own,) = [Path(version_2.mount + line[3:]) for line in lines if line.startswith("0::")]
        other = Path(version_2.mount, f"{container.id}-moved")
        other.mkdir()
        try:
            (other / "cgroup.procs").write_text(str(container.pid))
            own.rmdir()
            assert container.shell("echo inside") == ["inside"]
        finally:
            container.kill()
            runtime("delete", "--force", container.id)
            other.rmdir()
