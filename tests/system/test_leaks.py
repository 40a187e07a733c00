"""A thousand containers in a row and a hundred at once: none fails, and the host is as it was."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orlop.host.cgroups import layout
from orlop.runtime.options import Options
from orlop.runtime.run import run
from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Runtime
from tests.system.limits import DRIVERS
from tests.system.snapshot import children

pytestmark = pytest.mark.usefixtures("clean_host")
CYCLES = int(os.environ.get("ORLOP_TEST_CYCLES", "20"))


@pytest.mark.slow
def test_a_thousand_containers_in_a_row(runtime: Runtime, bundle: Bundle) -> None:
    options = Options(root=str(runtime.root), bundle=str(bundle.args("true").path))
    size = 0
    for number in range(1000):
        assert run(runtime.new_id(), options) == 0
        if number == 100:
            size = resident()
    assert resident() - size < 2048, "memory grows with each container"
    assert [name for _, name, _ in children()] == []


@DRIVERS
def test_many_containers_leave_no_cgroup_no_unit_and_no_directory(runtime: Runtime, bundle: Bundle) -> None:
    bundle.args("sleep", "1000")
    error = ""
    for _ in range(CYCLES):
        name = runtime.new_id()
        error += runtime("create", "-b", bundle.path, name).stderr
        error += runtime("delete", "--force", name).stderr
    assert error == ""
    assert os.listdir(runtime.root) == []
    mounts = {row.mount for row in layout().hierarchies}
    assert [path for mount in mounts for path, *_ in os.walk(mount) if runtime.marker in path] == []
    if "--systemd-cgroup" in runtime.argv:
        argv = ["systemctl", "list-units", "--all", "--no-legend", f"*{runtime.marker}*"]
        assert subprocess.run(argv, check=True, capture_output=True, text=True).stdout == ""


def resident() -> int:
    """Our resident memory in KB."""
    return int(re.findall(r"VmRSS:\s*(\d+)", Path("/proc/self/status").read_text())[0])


@pytest.mark.slow
def test_a_hundred_containers_in_a_row_through_the_command(runtime: Runtime, bundle: Bundle) -> None:
    bundle.args("true")
    for _ in range(100):
        assert runtime.run(bundle).stderr == ""


@pytest.mark.slow
def test_a_hundred_containers_at_the_same_time(runtime: Runtime, bundle: Bundle) -> None:
    bundle.shell("echo ready; read line; echo got $line")
    processes = [runtime.start("run", "-b", bundle.path, runtime.new_id()) for _ in range(100)]
    try:
        for process in processes:
            assert process.stdout is not None and process.stderr is not None
            assert process.stdout.readline() == "ready\n", process.stderr.read()
        assert len(runtime("list", "-q").lines) == 100
        for process in processes:
            assert process.communicate("word\n", timeout=PATIENCE) == ("got word\n", "")
            assert process.returncode == 0
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_thirty_whole_lives_in_a_row(runtime: Runtime, bundle: Bundle) -> None:
    bundle.args("sleep", "1000")
    for _ in range(30):
        with runtime.created(bundle) as container:
            container.start()
            container.exec("true")
            container.kill()


def test_a_process_that_a_container_leaves_behind_dies_with_it(runtime: Runtime, bundle: Bundle) -> None:
    sleep = f"sleep {10**8 + os.getpid()}"
    bundle.shell(f"setsid {sleep} & {sleep} & exit 0")
    runtime.run(bundle)
    assert sleep not in subprocess.run(["ps", "-ef"], capture_output=True, text=True, check=True).stdout


# What runs after the clone


@pytest.fixture
def trace(place: Path) -> Callable[[list[str]], list[str]]:
    """Run a command under strace; the lines about its processes."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace")
    assert strace is not None
    if subprocess.run([strace, "-qq", "-o", "/dev/null", "true"]).returncode:
        pytest.skip("may not trace")

    def run_it(argv: list[str]) -> list[str]:
        out = place / "trace"
        calls = "trace=execve,clone,clone3,fork,vfork"
        subprocess.run([strace, "-f", "-s", "200", "-e", calls, "-o", str(out), *argv], check=True, timeout=PATIENCE)
        return out.read_text().splitlines()

    return run_it


@pytest.mark.parametrize("detached", [False, True])
def test_no_python_runs_after_the_clone(
    runtime: Runtime, bundle: Bundle, trace: Callable[[list[str]], list[str]], detached: bool
) -> None:
    if not runtime.is_orlop:
        pytest.skip("a property of orlop")
    identity = runtime.new_id()
    flags = ["-d"] if detached else []
    lines = trace(runtime.command("run", *flags, "-b", bundle.args("/bin/busybox", "true").path, identity))
    if detached:
        runtime("delete", "--force", identity)
    supervisor = lines[0].split()[0]
    programs = [line for line in lines if "execve(" in line and line.split()[0] != supervisor]
    assert len(programs) == 2, programs  # the executor, and the container's program
    assert '"/proc/self/fd/' in programs[0] and '"/bin/busybox"' in programs[1]
    assert not [line for line in programs if "python" in line]
    clones = [line for line in lines if re.search(r"\b(clone3?|v?fork)\(", line)]
    assert len(clones) == 2, clones
    assert "CLONE_VFORK" in clones[0] or "vfork" in clones[0]  # nothing of Python's memory is copied
    assert "CLONE_NEWPID" in clones[1] and clones[1].split()[0] != supervisor


@pytest.mark.rule("FD-1")
def test_the_program_has_exactly_three_descriptors_in_every_way_of_starting(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    # The last in the list is the directory that is listed.
    assert runtime.run(bundle.args("ls", "/proc/self/fd")).lines == ["0", "1", "2", "3"]
    with runtime.created(bundle.args("sleep", "1000")) as container:
        container.start()
        assert sorted(os.listdir(f"/proc/{container.pid}/fd")) == ["0", "1", "2"]
        assert container.exec("ls", "/proc/self/fd").lines == ["0", "1", "2", "3"]
