"""A `run` that came before needs no interpreter; nobody can tell but by the time that it takes."""

from __future__ import annotations

import itertools
import json
import os
import platform
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EIO
from pathlib import Path

import pytest

from orlop.cgroup.choose import new
from orlop.host.cache import place
from orlop.host.cgroups import layout
from orlop.program.calls import numbers
from orlop.program.layout import CALL, FAIL, HEADER, HEADER_SIZE, OP, OP_SIZE
from tests.system.bundles import Bundle
from tests.system.command import Container, Done, Runtime, poll
from tests.system.snapshot import Snapshot, reap

PROJECT = Path(__file__).parents[2]
NATIVE, INTERPRETED = "orlop", "python"
_numbers = itertools.count(1)
_ENTRY_HEAD = "<8sIIIIII"

pytestmark = pytest.mark.usefixtures("packed", "launched", "clean_host")


@pytest.fixture(autouse=True)
def entries() -> Iterator[Path]:
    """The directory of what is kept, empty."""
    path = Path(place("runs"))
    for each in path.iterdir() if path.exists() else ():
        each.unlink()
    yield path


def new_id(runtime: Runtime) -> str:
    """An id that is as long as all others."""
    return f"{runtime.marker}-replay-{next(_numbers):04}"


def run(runtime: Runtime, bundle: Bundle, *, container_id: str | None = None, status: int | None = 0) -> Done:
    return runtime("run", "-b", bundle.path, container_id or new_id(runtime), status=status)


def kept(runtime: Runtime, bundle: Bundle, status: int = 0) -> Path:
    """Run it until it is kept; the entry."""
    for _ in range(2):
        run(runtime, bundle, status=status)
    (entry,) = Path(place("runs")).iterdir()
    return entry


@contextmanager
def begun(runtime: Runtime, bundle: Bundle) -> Iterator[tuple[subprocess.Popen[bytes], Container]]:
    """A `run` in the background with the standard streams of `run` above, once its container runs."""
    container = Container(runtime, bundle, new_id(runtime))
    with open(bundle.path / "output", "w+b") as out:
        process = subprocess.Popen(
            runtime.command("run", "-b", bundle.path, container.id), stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            poll(lambda: b"ready" in (bundle.path / "output").read_bytes())
            yield process, container
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def how(process: subprocess.Popen[bytes]) -> str:
    """Whether the command is the interpreter."""
    name = Path(f"/proc/{process.pid}/comm").read_text().strip()
    return INTERPRETED if name.startswith("python") else name


WAITS = "trap 'exit 5' TERM; trap 'exit 6' USR1; echo ready; while :; do sleep 0.05; done"


def test_the_third_run_needs_no_interpreter(runtime: Runtime, bundle: Bundle) -> None:
    bundle.shell("echo ready; test -e /go || sleep 1000").writable()
    go = bundle.rootfs / "go"
    go.touch()
    try:
        kept(runtime, bundle)
        go.unlink()
        with begun(runtime, bundle) as (process, container):
            assert how(process) == NATIVE
            runtime("kill", container.id, "KILL")
            assert process.wait() == 128 + signal.SIGKILL
    finally:
        go.unlink(missing_ok=True)


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_its_status_is_that_of_the_program(runtime: Runtime, bundle: Bundle, status: int) -> None:
    bundle.args("sh", "-c", f"echo out; echo err >&2; exit {status}")
    kept(runtime, bundle, status)
    done = run(runtime, bundle, status=status)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


@pytest.fixture
def waiting(runtime: Runtime, bundle: Bundle) -> Bundle:
    """A bundle that is kept, and whose program runs until it is told to end."""
    kept(runtime, bundle.shell(f"test -e /go || exit 0; {WAITS}").writable())
    (bundle.rootfs / "go").touch()
    return bundle


@pytest.fixture(autouse=True)
def as_before(bundle: Bundle) -> Iterator[None]:
    yield
    (bundle.rootfs / "go").unlink(missing_ok=True)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 5), (signal.SIGUSR1, 6)])
def test_signals_are_passed_on(runtime: Runtime, waiting: Bundle, number: int, status: int) -> None:
    with begun(runtime, waiting) as (process, _container):
        assert how(process) == NATIVE
        process.send_signal(number)
        assert process.wait() == status


def test_a_signal_that_the_program_ignores_leaves_it_running(runtime: Runtime, waiting: Bundle) -> None:
    with begun(runtime, waiting) as (process, container):
        process.send_signal(signal.SIGHUP)  # a shell that is the first process has no handler of it
        poll(lambda: how(process) == INTERPRETED)
        process.send_signal(signal.SIGWINCH)
        assert container.status == "running"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 5


def test_other_commands_find_the_container(runtime: Runtime, waiting: Bundle) -> None:
    with begun(runtime, waiting) as (process, container):
        assert how(process) == NATIVE
        state = container.state()
        assert (state["status"], state["bundle"]) == ("running", str(waiting.path))
        listed = json.loads(runtime("list", "-f", "json").stdout)
        (row,) = [row for row in listed if row["id"] == container.id]
        assert row["pid"] == container.pid and Path(f"/proc/{row['pid']}").exists()
        assert row["created"].startswith(time.strftime("%Y-%m-%dT", time.gmtime()))
        assert container.exec("echo", "here").stdout == "here\n"
        runtime("pause", container.id)
        assert container.status == "paused"
        runtime("resume", container.id)
        runtime("update", "--pids-limit", "100", container.id)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 5


def test_what_an_exec_has_left_is_removed_too(runtime: Runtime, waiting: Bundle) -> None:
    with begun(runtime, waiting) as (process, container):
        for _ in range(2):
            container.exec("true")
        container.exec("kill", "-USR1", "1")
        assert process.wait() == 6
    assert not (runtime.root / container.id).exists()


def test_a_container_that_somebody_deletes_is_gone(runtime: Runtime, waiting: Bundle) -> None:
    with begun(runtime, waiting) as (process, container):
        runtime("delete", "--force", container.id)
        assert process.wait() == 128 + signal.SIGKILL


def test_a_supervisor_that_is_killed_leaves_what_delete_removes(runtime: Runtime, waiting: Bundle) -> None:
    with begun(runtime, waiting) as (process, container):
        process.kill()
        process.wait()
        assert container.status == "running"
        runtime("delete", "--force", container.id)
    poll(lambda: bool(reap()) or True)


def test_an_id_that_is_in_use_is_refused(runtime: Runtime, waiting: Bundle) -> None:
    with begun(runtime, waiting) as (process, container):
        again = run(runtime, waiting, container_id=container.id, status=1)
        assert "container with given ID already exists" in again.stderr
        assert container.status == "running"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 5


def test_another_config_is_another_container(runtime: Runtime, bundle: Bundle) -> None:
    kept(runtime, bundle.args("echo", "one"))
    before = os.stat(bundle.file)
    bundle.args("echo", "two").write()
    os.utime(bundle.file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run(runtime, bundle).stdout == "two\n"


def test_the_same_words_elsewhere_are_another_container(runtime: Runtime, make_bundle: Callable[[], Bundle]) -> None:
    one, two = make_bundle().args("echo", "one"), make_bundle().args("echo", "two")
    for bundle in (one, two):
        bundle.write()
    said = [runtime("run", new_id(runtime), cwd=bundle.path).stdout for bundle in (one, one, one, two, one, two)]
    assert said == ["one\n", "one\n", "one\n", "two\n", "one\n", "two\n"]


def test_the_id_is_put_where_it_belongs(runtime: Runtime, bundle: Bundle) -> None:
    kept(runtime, bundle.namespace("cgroup", None).args("cat", "/proc/self/cgroup"))
    container = new_id(runtime)
    found = run(runtime, bundle, container_id=container).lines
    assert {line.rpartition("/")[2] for line in found if runtime.marker in line} == {container}


def test_a_program_that_is_gone_is_told_of_as_always(runtime: Runtime, bundle: Bundle) -> None:
    (bundle.rootfs / "go").write_text("#!/bin/sh\necho went\n")
    (bundle.rootfs / "go").chmod(0o755)
    kept(runtime, bundle.args("/go"))
    (bundle.rootfs / "go").unlink()
    assert "/go" in run(runtime, bundle, status=None).stderr


def test_a_root_that_became_a_link_is_refused(runtime: Runtime, make_bundle: Callable[[], Bundle], place: Path) -> None:
    bundle = make_bundle().args("true")
    own = place / "root"
    own.mkdir()
    subprocess.run(["cp", "-a", f"{bundle.rootfs}/.", own], check=True)
    kept(runtime, bundle.set("root.path", str(own)))
    own.rename(place / "elsewhere")
    own.symlink_to("elsewhere")
    assert "is a symbolic link" in run(runtime, bundle, status=1).stderr


def test_a_cgroup_that_is_there_is_used_and_not_fought_over(runtime: Runtime, bundle: Bundle) -> None:
    kept(runtime, bundle.args("echo", "in it"))
    container = new_id(runtime)
    made = Path([*new(layout(), None, container).paths.values()][-1])
    made.mkdir()
    assert run(runtime, bundle, container_id=container).stdout == "in it\n"


def test_other_limits_of_the_caller_are_seen(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.rlimits", [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]).shell("ulimit -n")
    kept(runtime, bundle)
    command = ["sh", "-c", 'ulimit -n 777; exec "$@"', "sh"]
    command += runtime.command("run", "-b", bundle.path, new_id(runtime))
    with open(bundle.path / "output", "w+b") as out:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True)
    assert (bundle.path / "output").read_text() == "777\n"


def test_socket_activation_is_not_forgotten(runtime: Runtime, bundle: Bundle) -> None:
    kept(runtime, bundle.shell("echo ${LISTEN_FDS:-none}"))
    with open(bundle.path / "output", "w+b") as out:
        script = 'exec 3</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
        command = ["sh", "-c", script, "sh", *runtime.command("run", "-b", bundle.path, new_id(runtime))]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True)
    assert (bundle.path / "output").read_text() == "1\n"


def test_children_that_the_caller_has_left_to_it_are_not_waited_for(runtime: Runtime, bundle: Bundle) -> None:
    kept(runtime, bundle.args("echo", "done"))
    with open(bundle.path / "output", "w+b") as out:
        command = ["sh", "-c", 'sleep 1000 & echo $!; exec "$@"', "sh"]
        command += runtime.command("run", "-b", bundle.path, new_id(runtime))
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True, timeout=20)
    pid, said = (bundle.path / "output").read_text().split()
    os.kill(int(pid), signal.SIGKILL)
    poll(lambda: bool(reap()))
    assert said == "done"


@pytest.mark.parametrize("damage", ["cut", "other owner", "readable", "not ours"])
def test_what_others_may_have_written_is_not_used(runtime: Runtime, bundle: Bundle, damage: str) -> None:
    entry = kept(runtime, bundle.args("echo", "said"))
    if damage == "cut":
        entry.write_bytes(entry.read_bytes()[:-1])
    elif damage == "other owner":
        os.chown(entry, 1000, 1000)
    elif damage == "readable":
        entry.chmod(0o644)
    else:
        entry.write_bytes(b"x" * 100)
    assert run(runtime, bundle).stdout == "said\n"


def test_containers_of_one_config_at_the_same_time(runtime: Runtime, bundle: Bundle) -> None:
    kept(runtime, bundle.args("sh", "-c", "echo $((6 * 7))"))
    commands = []
    for number in range(20):
        with open(bundle.path / f"output.{number}", "wb") as out:
            command = runtime.command("run", "-b", bundle.path, new_id(runtime))
            commands.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out))
    assert [each.wait() for each in commands] == [0] * len(commands)
    assert {(bundle.path / f"output.{number}").read_text() for number in range(20)} == {"42\n"}


@pytest.mark.slow
def test_whatever_the_kernel_refuses_the_container_runs_once_and_nothing_is_left(
    runtime: Runtime, bundle: Bundle
) -> None:
    """Each system call of the supervisor's program fails in turn; but for those that nothing is known of after it."""
    entry = kept(runtime, bundle.shell("echo once; exit 3"), status=3)
    whole = entry.read_bytes()
    first, found = calls(whole)
    assert len(found) > 100
    before = Snapshot(runtime.marker, runtime.root)
    for index in found:
        entry.write_bytes(failing(whole, first + index * OP_SIZE))
        done = run(runtime, bundle, status=None)
        assert (done.status, done.stdout, done.stderr) == (3, "once\n", ""), f"operation {index}"
        reap()
        assert Snapshot(runtime.marker, runtime.root).changes(before) == [], f"operation {index}"


def calls(entry: bytes) -> tuple[int, list[int]]:
    """Where the operations of the supervisor's program are in an entry, and those that are system calls; but for the
    exits, those after which the interpreter goes on, and what only another failure leads to."""
    _magic, key, _id, places, container, _supervisor, number = struct.unpack_from(_ENTRY_HEAD, entry)
    start = struct.calcsize(_ENTRY_HEAD) + key + 4 * places + container + number - HEADER_SIZE
    count, ops = struct.unpack_from(HEADER, entry, start)[2:4]
    known = numbers(platform.machine())
    leaving = {known["exit_group"], known["execve"]}
    found, undoing = [], False
    for index in range(count):
        kind, _result, _registers, _policies, call = struct.unpack_from(OP, entry, start + ops + index * OP_SIZE)[:5]
        if kind == CALL:
            undoing = call == known["kill"] or (undoing and call not in leaving)
        if kind == CALL and call not in leaving and not undoing:
            found.append(index)
    return start + ops, found


def failing(entry: bytes, at: int) -> bytes:
    kind, result, _registers, policies, number, *rest = struct.unpack_from(OP, entry, at)
    assert kind == CALL
    out = bytearray(entry)
    struct.pack_into(OP, out, at, FAIL, result, 0, policies, number, EIO, 0, 0, 0, 0, 0, *rest[6:])
    return bytes(out)
