"""The cgroup room against the real kernel: made, joined, limited, frozen, killed, removed.

Everything happens below one cgroup of this test's own, on the host's hierarchies; and once more in a mount namespace
that has only version 2, which is what a hybrid host offers of the other kind.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orlop.cgroup import choose, files
from orlop.cgroup.base import Cgroup
from orlop.errors import CgroupError
from orlop.host.cgroups import Layout, layout

PREFIX = f"/orlop-test-{os.getpid()}"
ONLY_V2 = "ORLOP_TEST_ONLY_CGROUP2"
DENY_ALL: dict[str, object] = {"devices": [{"allow": False, "access": "rwm"}]}
SYSCALL_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]


def _unusable() -> str | None:
    if os.geteuid():
        return "needs root"
    found = layout()
    if not found.hierarchies:
        return "no cgroup hierarchy is mounted"
    if not os.access(found.hierarchies[0].mount, os.W_OK):
        return f"{found.hierarchies[0].mount} is read-only"
    return None


pytestmark = pytest.mark.skipif(_unusable() is not None, reason=str(_unusable()))


@pytest.fixture(scope="module")
def host() -> Iterator[Layout]:
    found = layout()
    yield found
    left = [each.mount for each in found.hierarchies if os.path.isdir(each.mount + PREFIX + "/box")]
    for each in found.hierarchies:
        files.remove(each.mount + PREFIX)
    assert not left, f"a test left its cgroup in {left}"


@pytest.fixture
def cgroup(host: Layout) -> Iterator[Cgroup]:
    made = choose.new(host, f"{PREFIX}/box", "unused")
    yield made
    made.kill()
    made.delete()


@pytest.fixture
def join(cgroup: Cgroup) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a shell script in the cgroup, joined as the executor does it; it says "in" first."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str) -> subprocess.Popen[str]:
        into = cgroup.clone_into()
        names = [*([f"{into}/cgroup.procs"] if into else []), *cgroup.join_files()]
        process = subprocess.Popen(
            ["sh", "-c", 'for file; do echo 0 > "$file" || exit 99; done; echo in\n' + script, "sh", *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe
            pipe.close()


def _need(host: Layout, *controllers: str) -> None:
    there = [name for each in host.hierarchies if each.version == 1 or host.unified for name in each.controllers]
    if missing := set(controllers) - set(there):
        pytest.skip(f"this host has no usable controller {', '.join(sorted(missing))}")


def _read(cgroup: Cgroup, controller: str, file: str) -> str:
    return Path(cgroup.paths.get(controller) or cgroup.paths[""], file).read_text().strip()


def _rest(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdin and process.stdout
    process.stdin.close()
    return process.stdout.read().splitlines()


def _exists(cgroup: Cgroup) -> list[str]:
    return [path for path in cgroup.paths.values() if os.path.isdir(path)]


Join = Callable[[str], "subprocess.Popen[str]"]


@pytest.mark.rule("CG-4", "CG-5")
def test_a_process_is_in_every_hierarchy_and_gone_with_the_cgroup(cgroup: Cgroup, join: Join) -> None:
    cgroup.create(DENY_ALL)
    process = join("cat")
    own = Path(f"/proc/{process.pid}/cgroup").read_text().splitlines()
    joined = {line.split(":", 2)[1]: line.split(":", 2)[2] for line in own}
    for controller, path in cgroup.paths.items():
        key = next(names for names in joined if controller in names.split(","))
        assert path.endswith(joined[key]) and joined[key].endswith(f"{PREFIX}/box"), controller
    assert process.pid in cgroup.pids()
    cgroup.kill()
    assert process.wait() == -signal.SIGKILL
    cgroup.delete()
    assert _exists(cgroup) == []


@pytest.mark.rule("CG-2")
def test_the_default_path_is_below_or_beside_our_own_cgroup(host: Layout) -> None:
    made = choose.new(host, None, f"orlop-test-{os.getpid()}-default")
    made.create(None)
    try:
        assert sorted(_exists(made)) == sorted(made.paths.values())
    finally:
        made.delete()
    assert _exists(made) == []


def test_a_cgroup_with_a_living_process_is_not_removed(cgroup: Cgroup, join: Join) -> None:
    cgroup.create(None)
    process = join("exec cat")
    with pytest.raises(CgroupError, match=r"^linux\.cgroupsPath: cannot remove cgroup .*: device or resource busy$"):
        cgroup.delete()
    assert process.poll() is None
    assert sorted(_exists(cgroup)) == sorted(cgroup.paths.values())


def test_undo_leaves_nothing_of_a_deep_path(host: Layout) -> None:
    made = choose.new(host, f"{PREFIX}-deep/a/b/c", "unused")
    made.create(None)
    made.undo()
    assert [each.mount for each in host.hierarchies if os.path.exists(f"{each.mount}{PREFIX}-deep")] == []


def test_delete_removes_nested_cgroups_and_waits_for_the_dying(cgroup: Cgroup, join: Join) -> None:
    cgroup.create(None)
    for path in dict.fromkeys(cgroup.paths.values()):
        os.makedirs(f"{path}/a/b")
    process = join("exec cat")
    process.kill()  # it is a zombie, or not even that, when delete begins
    cgroup.delete()
    assert _exists(cgroup) == []


def test_memory_cpu_and_pids_limits_are_in_force(cgroup: Cgroup, host: Layout) -> None:
    _need(host, "memory", "cpu", "pids", "cpuset")
    cpu = {"shares": 512, "quota": 50000, "period": 100000, "cpus": "0", "mems": "0"}
    cgroup.create({"memory": {"limit": 64 << 20, "reservation": 32 << 20}, "cpu": cpu, "pids": {"limit": 5}})
    assert _read(cgroup, "pids", "pids.max") == "5"
    assert _read(cgroup, "cpuset", "cpuset.cpus") == "0"
    if host.unified:
        assert _read(cgroup, "memory", "memory.max") == str(64 << 20)
        assert _read(cgroup, "memory", "memory.low") == str(32 << 20)
        assert _read(cgroup, "cpu", "cpu.max") == "50000 100000"
        assert _read(cgroup, "cpu", "cpu.weight") == "59"
    else:
        assert _read(cgroup, "memory", "memory.limit_in_bytes") == str(64 << 20)
        assert _read(cgroup, "memory", "memory.soft_limit_in_bytes") == str(32 << 20)
        assert _read(cgroup, "cpu", "cpu.cfs_quota_us") == "50000"
        assert _read(cgroup, "cpu", "cpu.shares") == "512"


def test_limits_of_a_living_cgroup_grow_and_shrink(cgroup: Cgroup, host: Layout, join: Join) -> None:
    _need(host, "memory", "cpu")
    file = "memory.max" if host.unified else "memory.limit_in_bytes"
    swap = "memory.swap.max" if host.unified else "memory.memsw.limit_in_bytes"
    cgroup.create({"memory": {"limit": 64 << 20}})
    if not Path(cgroup.paths.get("memory") or cgroup.paths[""], swap).exists():
        pytest.skip("this kernel does not account swap")
    join("cat")
    for size in (64 << 20, 256 << 20, 32 << 20):
        cgroup.set({"memory": {"limit": size, "swap": 2 * size}, "cpu": {"quota": size >> 10, "period": 100000}})
        assert _read(cgroup, "memory", file) == str(size)
        assert _read(cgroup, "memory", swap) == str(size if host.unified else 2 * size)


def test_the_pids_limit_stops_a_fork(cgroup: Cgroup, host: Layout, join: Join) -> None:
    _need(host, "pids")
    cgroup.create({"pids": {"limit": 1}})
    assert "forked" not in _rest(join("echo one; /bin/true; echo forked"))


def test_a_value_that_the_kernel_refuses_is_named_and_nothing_is_left(cgroup: Cgroup, host: Layout) -> None:
    _need(host, "cpuset")
    with pytest.raises(CgroupError) as caught:
        cgroup.create({"cpu": {"cpus": "nonsense"}})
    path = f"{cgroup.paths.get('cpuset') or cgroup.paths['']}/cpuset.cpus"
    assert str(caught.value).startswith(f'linux.resources.cpu.cpus: cannot write "nonsense" to {path}: ')
    assert caught.value.errno == errno.EINVAL
    assert _exists(cgroup) == []


@pytest.mark.rule("CG-6")
def test_a_cgroup_with_a_process_is_refused_and_kept(cgroup: Cgroup, host: Layout, join: Join) -> None:
    cgroup.create(None)
    process = join("exec cat")
    with pytest.raises(
        CgroupError, match=r"^linux.cgroupsPath: container's cgroup is not empty: 1 process\(es\) found in /"
    ):
        choose.new(host, f"{PREFIX}/box", "unused").create(None)
    assert process.poll() is None
    assert sorted(_exists(cgroup)) == sorted(cgroup.paths.values())


@pytest.mark.rule("CG-6", "17.28")
def test_a_frozen_cgroup_is_refused_until_it_is_thawed(cgroup: Cgroup, host: Layout) -> None:
    cgroup.create(None)
    cgroup.freeze()
    again = choose.new(host, f"{PREFIX}/box", "unused")
    with pytest.raises(CgroupError, match=r"^linux.cgroupsPath: container's cgroup unexpectedly frozen: /"):
        again.create(None)
    cgroup.thaw()
    again.create(None)


def test_frozen_processes_stand_still_and_go_on(cgroup: Cgroup, join: Join) -> None:
    cgroup.create(None)
    process = join("while read line; do echo $line; done")
    assert process.stdin and process.stdout
    assert not cgroup.frozen()
    cgroup.freeze()
    assert cgroup.frozen()
    process.stdin.write("hello\n")
    process.stdin.flush()
    cgroup.thaw()
    assert not cgroup.frozen()
    assert process.stdout.readline() == "hello\n"


def test_frozen_processes_die_when_killed(cgroup: Cgroup, join: Join) -> None:
    cgroup.create(None)
    process = join("sleep 1000 & sleep 1000 & wait")
    cgroup.freeze()
    cgroup.kill()
    assert process.wait() == -signal.SIGKILL
    cgroup.delete()
    assert _exists(cgroup) == []


def test_processes_that_the_version_2_part_does_not_hold_are_killed_too(
    cgroup: Cgroup, host: Layout, join: Join
) -> None:
    if host.unified:
        pytest.skip("there is no other part")
    cgroup.create(None)
    process = join("exec cat")
    if host.v2:
        Path(host.v2.mount, "cgroup.procs").write_text(str(process.pid))
    cgroup.kill()
    assert process.wait() == -signal.SIGKILL


def test_signal_reaches_each_process(cgroup: Cgroup, join: Join) -> None:
    cgroup.create(None)
    first, second = join("exec cat"), join("exec cat")
    cgroup.signal(signal.SIGTERM)
    assert (first.wait(), second.wait()) == (-signal.SIGTERM, -signal.SIGTERM)


def test_device_rules_are_in_force(cgroup: Cgroup, host: Layout, join: Join, tmp_path: Path) -> None:
    kmsg, disk = tmp_path / "kmsg", tmp_path / "disk"
    try:
        os.mknod(kmsg, 0o666 | 0o020000, os.makedev(1, 11))
        kmsg.open("rb", buffering=0).close()
    except OSError as error:
        pytest.skip(f"cannot open a device made here: {error}")
    cgroup.create(DENY_ALL)
    code = cgroup.device_program(DENY_ALL)
    assert (code is not None) == host.unified
    if code is not None:
        _attach(code, cgroup.paths[""])
    script = f"true < {kmsg} || echo denied; true < /dev/zero && echo open; mknod {disk} b 7 0 && echo made"
    lines = _rest(join(script))
    assert "denied" in lines and "open" in lines and "made" in lines


def test_a_sub_cgroup_is_what_exec_joins(cgroup: Cgroup) -> None:
    cgroup.create(None)
    for path in dict.fromkeys(cgroup.paths.values()):
        os.mkdir(path + "/inner")
    into = cgroup.clone_into({"": "inner"})
    assert into is None or os.path.exists(into + "/cgroup.procs")
    assert all(os.path.exists(file) for file in cgroup.join_files({"": "inner"}))


@pytest.mark.skipif(ONLY_V2 in os.environ, reason="this is the run on only version 2")
def test_all_this_holds_where_only_version_2_is_mounted() -> None:
    if layout().unified:
        pytest.skip("it was tested so")
    # The mount is seen by nobody else: the mount namespace is private.
    script = 'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"'
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", __file__]
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *run],
        env={**os.environ, ONLY_V2: "1"},
        capture_output=True,
        text=True,
    )
    if "mount: " in done.stderr:
        pytest.skip(f"cannot mount cgroup2: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr


def _attach(code: bytes, directory: str) -> None:
    """Load a device filter and attach it to a cgroup, as the executor does: bpf(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    instructions, licence = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"Apache")
    load = (ctypes.c_uint64 * 16)()
    load[0] = 15 | (len(code) // 8) << 32  # BPF_PROG_TYPE_CGROUP_DEVICE, number of instructions
    load[1] = ctypes.addressof(instructions)
    load[2] = ctypes.addressof(licence)
    program = libc.syscall(SYSCALL_BPF, 5, load, ctypes.sizeof(load))  # BPF_PROG_LOAD
    assert program >= 0, os.strerror(ctypes.get_errno())
    target = os.open(directory, os.O_RDONLY)
    try:
        attach = (ctypes.c_uint32 * 4)(target, program, 6, 2)  # BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI
        done = libc.syscall(SYSCALL_BPF, 8, attach, ctypes.sizeof(attach))  # BPF_PROG_ATTACH
        assert done == 0, os.strerror(ctypes.get_errno())
    finally:
        os.close(target)
        os.close(program)
