"""What the processes of a container may try against whoever looks after it."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from orlop import system
from orlop.host.cgroups import layout
from orlop.host.dangling import make_below
from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Runtime, poll
from tests.system.limits import need, value

pytestmark = pytest.mark.usefixtures("clean_host")


# Waits for a process that `exec` adds, and sends it a signal before it has become its program.
HUNT = """
/bin/sleep 1000 & known=$!
echo ready
while :; do
    for each in /proc/[0-9]*; do
        pid=${each#/proc/}
        case $pid in 1|$known) continue;; esac
        kill -SIGNAL $pid 2>/dev/null || continue
        while [ -e $each ] && ! grep -q "State:.[TZ]" $each/status; do :; done
        echo caught
        exec sleep 1000
    done
done
"""


@pytest.mark.parametrize(
    ("signal", "words"), [("STOP", "was stopped before"), ("KILL", "was killed before|already dead")]
)
def test_a_process_that_is_caught_on_its_way_in_fails_the_exec(
    runtime: Runtime, bundle: Bundle, place: Path, signal: str, words: str
) -> None:
    bundle.shell(HUNT.replace("SIGNAL", signal))
    with (
        socket.socket(socket.AF_UNIX) as door,
        socket.socket(socket.AF_UNIX) as first,
        runtime.start("run", "-b", bundle.path, name := runtime.new_id()) as process,
    ):
        door.bind(str(place / "door"))
        door.listen(0)
        first.connect(str(place / "door"))  # there is room for one: exec waits behind it
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            with runtime.start("exec", "--pidfd-socket", str(place / "door"), name, "true") as added:
                assert process.stdout.readline() == "caught\n"
                door.accept()[0].close()
                _, told = added.communicate(timeout=PATIENCE)
            assert added.returncode == 255
            assert re.search(words, told), told  # killed while it got ready, or when it was
        finally:
            runtime("delete", "--force", name)


def test_a_process_on_its_way_in_is_not_looked_into(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    """It has the descriptors of the runtime, and until shortly before all capabilities (CVE-2016-9962)."""
    with (
        socket.socket(socket.AF_UNIX) as door,
        socket.socket(socket.AF_UNIX) as first,
        runtime.running(bundle.args("sleep", "1000")) as container,
    ):
        door.bind(str(place / "door"))
        door.listen(0)
        first.connect(str(place / "door"))
        with runtime.start("exec", "--pidfd-socket", str(place / "door"), container.id, "true") as added:
            try:
                # The runtime waits at the door, and the process for the runtime.
                poll(lambda: "unix" in Path(f"/proc/{added.pid}/wchan").read_text())
                pid = pid_inside(added.pid)
                for what in (
                    "readlink /proc/PID/exe",
                    "readlink /proc/PID/fd/0",
                    "cat /proc/PID/maps",
                    "cat /proc/PID/environ",
                ):
                    done = container.exec("sh", "-c", what.replace("PID", pid), status=None)
                    assert (done.stdout, done.status != 0) == ("", True), (what, done)
                door.accept()[0].close()
                assert added.wait(PATIENCE) == 0
            finally:
                added.kill()


def pid_inside(parent: int) -> str:
    """The pid, in its own pid namespace, of the child that has one."""
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        lines = Path(f"/proc/{child}/status").read_text().splitlines()
        pids = next(line for line in lines if line.startswith("NSpid:")).split()[1:]
        if len(pids) > 1:
            return pids[-1]
    raise AssertionError("no child is in another pid namespace")


def with_own_cgroup(bundle: Bundle) -> Bundle:
    """Let it write to its own part of the hierarchies."""
    bundle.without_mount("/sys/fs/cgroup").namespace("cgroup")
    return bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "rw")


def test_cgroups_that_are_nested_deeper_than_a_path_can_tell_are_removed(runtime: Runtime, bundle: Bundle) -> None:
    top = "/sys/fs/cgroup"
    if not layout().unified:
        need("pids")
        top += "/pids"
    half = "/".join(["deep"] * 600)
    script = f"cd {top} && mkdir -p {half} && cd {half} && mkdir -p {half} && echo made; exec sleep 1000"
    with_own_cgroup(bundle).shell(script)
    with runtime.start("run", "-b", bundle.path, name := runtime.new_id()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "made\n"
        assert len(runtime("ps", "--format", "json", name).stdout.split(",")) == 1
        runtime("kill", name, "KILL")
        process.wait()
    assert not (runtime.root / name).exists()


@pytest.mark.parametrize("command", ["kill", "delete"])
def test_processes_that_froze_themselves_further_down_die(runtime: Runtime, bundle: Bundle, command: str) -> None:
    need("freezer")
    if layout().unified:
        pytest.skip("needs cgroup v1: what version 2 has frozen dies when it is killed")
    here = "/sys/fs/cgroup/freezer/below"
    script = f"mkdir {here} && echo 1 >{here}/cgroup.procs && echo FROZEN >{here}/freezer.state; exec sleep 1000"
    with runtime.running(with_own_cgroup(bundle).shell(script)) as container:
        poll(lambda: value(container, "freezer", "freezer.state") == "FROZEN")
        if command == "kill":
            container.kill()
        else:
            runtime("delete", "--force", container.id)


def test_what_is_made_behind_a_link_is_not_given_away_by_its_name(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another container, which shares the volume, puts a link to a file that it covets in place of the new one."""
    victim = place / "victim"
    victim.write_text("not theirs")
    volume = place / "volume"
    volume.mkdir()
    os.chown(volume, 1000, 1000)
    real_open = system.open

    def raced(path: bytes, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        made = real_open(path, flags, mode, dir_fd=dir_fd)
        if flags & os.O_CREAT:
            os.unlink(path, dir_fd=dir_fd)
            os.link(victim, volume / os.fsdecode(path))
        return made

    monkeypatch.setattr(system, "open", raced)
    make_below(os.open(place, os.O_PATH), b"volume/new", directory=False)
    assert victim.stat().st_uid == 0
