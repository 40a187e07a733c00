"""The systemd driver against a systemd: units, limits seen from both sides, and nothing left behind."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orlop.host.cgroups import layout
from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Container, Runtime, default_argv, error_line, wait
from tests.system.snapshot import children

pytestmark = [
    pytest.mark.usefixtures("clean_host"),
    pytest.mark.skipif(not os.path.isdir("/run/systemd/system"), reason="lab only: needs a running systemd"),
]
LIMITS = {
    "memory": {"limit": 64 << 20, "reservation": 32 << 20, "swap": 96 << 20},
    "cpu": {"shares": 512, "quota": 25500, "period": 50000, "cpus": "0", "mems": "0"},
    "pids": {"limit": 20},
}


@pytest.fixture
def systemd(runtime: Runtime) -> Iterator[Runtime]:
    made = Runtime([*default_argv(), "--systemd-cgroup"], runtime.root, runtime.marker)
    yield made
    assert units(runtime.marker) == []


def units(marker: str) -> list[str]:
    listed = systemctl("list-units", "--all", "--no-legend", "--plain", f"*{marker}*").splitlines()
    return [line.split()[0] for line in listed]


def systemctl(*args: str) -> str:
    return subprocess.run(["systemctl", *args], check=True, capture_output=True, text=True).stdout


def shown(unit: str, *names: str) -> dict[str, str]:
    lines = systemctl("show", unit, "--property", ",".join(names)).splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def directory(unit: str) -> Path:
    path = shown(unit, "ControlGroup")["ControlGroup"]
    assert path
    found = layout()
    hierarchy = found.v2 or next(each for each in found.hierarchies if "name=systemd" in each.controllers)
    return Path(hierarchy.mount + path)


def need(*controllers: str) -> None:
    found = layout()
    if not found.unified:
        pytest.skip("needs cgroup v2")
    assert found.v2
    if missing := set(controllers) - set(found.v2.controllers):
        pytest.skip(f"this host has no usable controller {', '.join(sorted(missing))}")


def unit_of(container: Container) -> str:
    return f"runc-{container.id}.scope"


def waiting(bundle: Bundle) -> Bundle:
    return bundle.args("sleep", "1000")


def test_a_container_is_a_scope_in_the_system_slice(systemd: Runtime, bundle: Bundle) -> None:
    with systemd.running(waiting(bundle)) as container:
        unit = unit_of(container)
        found = shown(unit, "Slice", "Delegate", "ActiveState", "TasksAccounting", "MemoryAccounting")
        assert found == {
            "Slice": "system.slice",
            "Delegate": "yes",
            "ActiveState": "active",
            "TasksAccounting": "yes",
            "MemoryAccounting": "yes",
        }
        assert directory(unit).name == unit
        assert (directory(unit) / "cgroup.procs").read_text().split() == [str(container.pid)]


def test_the_child_that_goes_ahead_is_gone_before_the_container_or_the_command_is(
    systemd: Runtime, bundle: Bundle, tmp_path: Path
) -> None:
    systemd("run", "-b", tmp_path / "none", systemd.new_id(), status=1)
    assert children() == []
    bundle.args("sh", "-c", "echo runs; exec sleep 1000")
    with systemd.start("run", "-b", bundle.path, systemd.new_id()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "runs\n"
        found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in found:
            os.kill(int(pid), 9)
    assert len(found) == 1


def test_the_path_names_slice_prefix_and_unit(systemd: Runtime, bundle: Bundle) -> None:
    name = systemd.new_id()
    waiting(bundle).set("linux.cgroupsPath", f"orlop-a-b.slice:docker:{name}")
    with systemd.created(bundle):
        unit = f"docker-{name}.scope"
        assert str(directory(unit)).endswith(f"/orlop.slice/orlop-a.slice/orlop-a-b.slice/{unit}")
    systemctl("stop", "orlop.slice")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "/some/path",
            'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "/some/path"',
        ),
        ("a/b.slice:p:n", "invalid slice name: a/b.slice"),
        ("bad:p:n", "invalid slice name: bad"),
        ("system.slice:p:", "names no unit"),
        ("system.slice:a b:c$", "unable to create the systemd unit"),
    ],
)
def test_a_path_that_is_none_is_refused(systemd: Runtime, bundle: Bundle, path: str, message: str) -> None:
    bundle.set("linux.cgroupsPath", path)
    assert message in systemd.refuses(bundle)


def test_limits_are_the_same_in_systemd_and_in_the_files(systemd: Runtime, bundle: Bundle) -> None:
    need("memory", "cpu", "cpuset", "pids")
    for section, values in LIMITS.items():
        bundle.set(f"linux.resources.{section}", values)
    with systemd.created(waiting(bundle)) as container:
        unit = unit_of(container)
        expected = {
            "MemoryMax": str(64 << 20),
            "MemoryLow": str(32 << 20),
            "MemorySwapMax": str(32 << 20),
            "CPUWeight": "59",
            "CPUQuotaPerSecUSec": "510ms",
            "CPUQuotaPeriodUSec": "50ms",
            "AllowedCPUs": "0",
            "AllowedMemoryNodes": "0",
            "TasksMax": "20",
        }
        assert shown(unit, *expected) == expected
        files = {
            "memory.max": str(64 << 20),
            "memory.low": str(32 << 20),
            "memory.swap.max": str(32 << 20),
            "cpu.weight": "59",
            "cpu.max": "25500 50000",
            "cpuset.cpus": "0",
            "cpuset.mems": "0",
            "pids.max": "20",
        }
        where = directory(unit)
        if not (where / "memory.swap.max").exists():
            del files["memory.swap.max"]
        assert {name: (where / name).read_text().strip() for name in files} == files
        systemctl("daemon-reload")
        assert {name: (where / name).read_text().strip() for name in files} == files


def test_limits_of_version_2_by_their_files_are_properties_too(systemd: Runtime, bundle: Bundle) -> None:
    need("memory", "pids", "cpu")
    wanted = {"memory.high": "50000000", "memory.min": "4096", "pids.max": "9", "cpu.idle": "1", "cpu.max": "max 10000"}
    bundle.set("linux.resources.unified", wanted)
    with systemd.created(waiting(bundle)) as container:
        unit = unit_of(container)
        found = shown(unit, "MemoryHigh", "MemoryMin", "TasksMax", "CPUQuotaPerSecUSec", "CPUWeight")
        assert (found["MemoryHigh"], found["MemoryMin"]) == ("50000000", "4096")
        assert (found["TasksMax"], found["CPUQuotaPerSecUSec"]) == ("9", "infinity")
        assert found["CPUWeight"] == "idle"
        assert (directory(unit) / "memory.high").read_text() == "49999872\n"
        assert (directory(unit) / "cpu.idle").read_text() == "1\n"


def test_one_process_is_room_enough_for_a_container(systemd: Runtime, bundle: Bundle) -> None:
    need("pids")
    bundle.set("linux.resources.pids", {"limit": 1})
    with systemd.running(waiting(bundle)) as container:
        unit = unit_of(container)
        assert shown(unit, "TasksMax")["TasksMax"] == "1"
        assert (directory(unit) / "pids.max").read_text() == "1\n"


def test_an_update_tells_systemd_too(systemd: Runtime, bundle: Bundle) -> None:
    need("memory", "pids")
    if "update" not in systemd("--help").stdout:
        pytest.skip("this kernel is not asked: the command update is missing")
    bundle.set("linux.resources.pids", {"limit": 30})
    with systemd.running(waiting(bundle)) as container:
        unit = unit_of(container)
        systemd("update", "--pids-limit", "10", "--memory", "64M", container.id)
        assert shown(unit, "TasksMax", "MemoryMax") == {"TasksMax": "10", "MemoryMax": str(64 << 20)}
        assert (directory(unit) / "pids.max").read_text() == "10\n"
        systemd("update", "--cpuset-cpus", "nonsense", "--pids-limit", "5", container.id, status=1)
        assert shown(unit, "TasksMax") == {"TasksMax": "10"}
        assert (directory(unit) / "pids.max").read_text() == "10\n"


def test_a_further_process_is_in_the_unit(systemd: Runtime, bundle: Bundle) -> None:
    with systemd.running(waiting(bundle)) as container:
        process = systemd.start("exec", container.id, "sh", "-c", "echo in; cat")
        assert process.stdout and process.stdin and process.stderr
        assert process.stdout.readline() == "in\n"
        assert len((directory(unit_of(container)) / "cgroup.procs").read_text().split()) > 1
        process.stdin.close()
        assert process.wait() == 0
        process.stdout.close()
        process.stderr.close()


def test_annotations_set_any_property(systemd: Runtime, bundle: Bundle) -> None:
    prefix = "org.systemd.property."
    wanted = {"TimeoutStopSec": "uint64 17", "Description": "'a box'", "CollectMode": "'inactive-or-failed'"}
    bundle.set("annotations", {prefix + name: value for name, value in wanted.items()})
    with systemd.running(waiting(bundle)) as container:
        found = shown(unit_of(container), "TimeoutStopUSec", "Description", "CollectMode")
        assert found == {"TimeoutStopUSec": "17s", "Description": "a box", "CollectMode": "inactive-or-failed"}


def test_a_unit_that_systemd_has_ended_tells_why_until_delete(systemd: Runtime, bundle: Bundle) -> None:
    prefix = "org.systemd.property."
    bundle.set("annotations", {f"{prefix}RuntimeMaxSec": "1", f"{prefix}TimeoutStopSec": "1"})
    with systemd.running(waiting(bundle)) as container:
        with container.handle() as pidfd:
            wait(pidfd)
        unit = unit_of(container)
        while (found := shown(unit, "ActiveState", "Result"))["ActiveState"] == "deactivating":
            pass
        assert found == {"ActiveState": "failed", "Result": "timeout"}
        systemd("delete", container.id)
        assert units(systemd.marker) == []


def test_a_property_that_systemd_does_not_know_is_named_in_the_error(systemd: Runtime, bundle: Bundle) -> None:
    bundle.set("annotations", {"org.systemd.property.NoSuchThing": "true"})
    said = systemd.refuses(bundle)
    assert "linux.cgroupsPath: unable to create the systemd unit runc-" in said
    assert "NoSuchThing" in said


def test_a_limit_that_systemd_refuses_is_named_with_its_file_and_value(systemd: Runtime, bundle: Bundle) -> None:
    unified = layout().unified
    if unified:
        bundle.set("linux.resources.unified", {"cpu.weight": "20000"})
        wanted = (
            'linux.resources.unified[cpu.weight]: cannot set cpu.weight to "20000": unable to create the systemd unit'
        )
    else:
        bundle.set("linux.resources.cpu", {"shares": 1})
        wanted = 'linux.resources.cpu.shares: cannot set cpu.shares to "1": unable to create the systemd unit runc-'
    assert wanted in systemd.refuses(bundle)


def test_a_systemd_that_is_gone_at_an_update_is_told_once(systemd: Runtime, bundle: Bundle) -> None:
    with systemd.running(waiting(bundle)) as container:
        hide = "mount -t tmpfs none /run/systemd && mkdir /run/systemd/system && mount -t tmpfs none /run/dbus"
        argv = ["unshare", "--mount", "sh", "-c", hide + ' && exec "$@"', "sh", *systemd.argv]
        elsewhere = Runtime(argv, systemd.root, systemd.marker)
        said = error_line(elsewhere("update", "--pids-limit", "5", container.id, status=1))
        assert said.count("cannot reach systemd") == 1


def test_a_unit_of_somebody_else_is_left_alone(systemd: Runtime, bundle: Bundle) -> None:
    name = systemd.new_id()
    unit = f"runc-{name}.scope"
    other = subprocess.Popen(["systemd-run", "--scope", "-q", "--unit", unit, "sleep", "1000"])
    try:
        while shown(unit, "ActiveState")["ActiveState"] != "active":
            assert other.poll() is None
        bundle.set("linux.cgroupsPath", f":runc:{name}")
        assert "container's cgroup is not empty: 1 process(es) found" in systemd.refuses(bundle)
        bundle.set("linux.cgroupsPath", f"user.slice:runc:{name}")
        assert f"Unit {unit} " in systemd.refuses(bundle)
        assert other.poll() is None
        assert shown(unit, "ActiveState")["ActiveState"] == "active"
    finally:
        other.kill()
        other.wait()
        subprocess.run(["systemctl", "stop", unit], capture_output=True)  # it may be gone by itself


def test_what_is_nested_or_frozen_goes_with_the_container(systemd: Runtime, bundle: Bundle) -> None:
    need()
    bundle.namespace("pid", None)
    container = Container(systemd, waiting(bundle), systemd.new_id())
    systemd("run", "-d", "-b", bundle.path, container.id)
    path = directory(unit_of(container))
    (path / "inner/most").mkdir(parents=True)
    process = subprocess.Popen(["sleep", "1000"])
    (path / "inner/most/cgroup.procs").write_text(str(process.pid))
    systemd("pause", container.id)
    assert container.status == "paused"
    systemd("delete", "--force", container.id)
    assert process.wait() == -9
    assert not path.exists()


def test_a_container_that_ended_by_itself_is_deleted(systemd: Runtime, bundle: Bundle) -> None:
    with systemd.created(bundle.args("true")) as container:
        with container.handle() as pidfd:
            container.start()
            assert select.select([pidfd], [], [], 20)[0]
        systemd("delete", container.id)
        assert container.id not in "".join(units(container.id))


def test_what_fails_late_leaves_no_unit(systemd: Runtime, bundle: Bundle) -> None:
    assert "no-such-program" in systemd.refuses(bundle.args("no-such-program"))


def test_a_limit_that_cannot_be_set_leaves_no_unit(systemd: Runtime, bundle: Bundle) -> None:
    need()
    said = systemd.refuses(bundle.set("linux.resources.unified", {"nosuch.limit": "1"}))
    assert 'unified resource "nosuch.limit" can\'t be set: controller "nosuch" not available' in said


def test_a_unit_that_has_failed_makes_room(systemd: Runtime, bundle: Bundle) -> None:
    name = systemd.new_id()
    unit = f"runc-{name}.scope"
    scope = ["systemd-run", "--scope", "-q", "--unit", unit, "-p", "RuntimeMaxSec=100ms", "sleep", "1000"]
    assert subprocess.run(scope).returncode != 0
    while shown(unit, "ActiveState")["ActiveState"] != "failed":
        assert shown(unit, "LoadState")["LoadState"] == "loaded"
    bundle.set("linux.cgroupsPath", f":runc:{name}")
    with systemd.created(bundle):
        assert shown(unit, "ActiveState") == {"ActiveState": "active"}


def test_the_deletion_needs_no_flag(systemd: Runtime, runtime: Runtime, bundle: Bundle) -> None:
    with systemd.running(waiting(bundle)) as container:
        runtime("delete", "--force", container.id)
        assert units(container.id) == []


@pytest.mark.rule("CG-7")
def test_a_container_with_its_own_part_of_the_cgroups_owns_it(systemd: Runtime, bundle: Bundle) -> None:
    need()
    bundle.without_mount("/sys/fs/cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev")
    bundle.namespace("cgroup").set("process.user", {"uid": 1000, "gid": 1000})
    with systemd.running(waiting(bundle)) as container:
        path = directory(unit_of(container))
        owners = {name: (path / name).stat().st_uid for name in (".", "cgroup.procs", "cgroup.subtree_control")}
        assert owners == {".": 1000, "cgroup.procs": 1000, "cgroup.subtree_control": 1000}
        assert (path / "cgroup.freeze").stat().st_uid == 0


def test_a_host_without_systemd_is_told(systemd: Runtime, bundle: Bundle) -> None:
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run/systemd && exec "$@"', "sh"]
    elsewhere = Runtime([*hidden, *systemd.argv], systemd.root, systemd.marker)
    done = elsewhere.run(bundle, status=1)
    assert "systemd not running on this host, cannot use systemd cgroups manager" in error_line(done)


def test_a_systemd_that_cannot_be_reached_is_told(systemd: Runtime, bundle: Bundle) -> None:
    hide = "mount -t tmpfs none /run/systemd && mkdir /run/systemd/system && mount -t tmpfs none /run/dbus"
    elsewhere = Runtime(
        ["unshare", "--mount", "sh", "-c", hide + ' && exec "$@"', "sh", *systemd.argv], systemd.root, "x"
    )
    done = elsewhere.run(bundle, status=1)
    said = error_line(done)
    assert "cannot reach systemd: cannot connect to /run/dbus/system_bus_socket: no such file or directory" in said


@pytest.mark.slow
def test_a_systemd_that_does_not_answer_is_told_in_time_and_keeps_nobody_else_waiting(
    systemd: Runtime, runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    silent = place / "private"
    hide = "mount -t tmpfs none /run/systemd && mkdir /run/systemd/system && touch /run/systemd/private"
    hide += f" && mount --bind {silent} /run/systemd/private"
    name = systemd.new_id()
    argv = ["unshare", "--mount", "sh", "-c", hide + ' && exec "$@"', "sh"]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(silent))
        listener.listen()
        command = [*argv, *systemd.command("create", "-b", str(bundle.path), name)]
        stuck = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            assert select.select([listener], [], [], PATIENCE)[0]  # from now on it waits
            assert runtime.run(bundle.args("echo", "other")).stdout == "other\n"
            assert stuck.poll() is None
            _, said = stuck.communicate(timeout=3 * PATIENCE)
        finally:
            stuck.kill()
            stuck.wait()
    assert stuck.returncode == 1
    assert "cannot reach systemd: /run/systemd/private does not answer" in said
    assert units(name) == []


def test_a_bus_serves_where_the_private_socket_is_not_there(systemd: Runtime, bundle: Bundle) -> None:
    hide = "mount -t tmpfs none /run/systemd && mkdir /run/systemd/system"
    elsewhere = Runtime(
        ["unshare", "--mount", "sh", "-c", hide + ' && exec "$@"', "sh", *systemd.argv], systemd.root, systemd.marker
    )
    done = elsewhere.run(bundle.args("echo", "done"))
    assert done.stdout == "done\n"


def test_a_lack_of_memory_is_told_however_quick_systemd_is(systemd: Runtime, bundle: Bundle) -> None:
    need("memory")
    bundle.set("linux.resources.memory", {"limit": 32 << 20, "swap": 32 << 20})
    container = Container(systemd, bundle.shell("exec tail -c 300m /dev/zero >/dev/null"), systemd.new_id())
    systemd("create", "--monitor", "-b", bundle.path, container.id)
    with container.handle() as pidfd:
        container.start()
        wait(pidfd)
    found = json.loads(systemd("delete", "--account", "-", container.id).stdout)
    assert (found["reason"], found["signal"], found["oomKilled"]) == ("oom", 9, "init")
    assert found["memoryPeak"] in (None, 32 << 20)


def test_devices_that_a_unit_lets_be_used_and_not_made_are_the_hosts(runtime: Runtime, bundle: Bundle) -> None:
    need()
    container, unit = runtime.new_id(), f"{runtime.marker}-devices.service"
    bundle.set("linux.cgroupsPath", f"/system.slice/{unit}/{container}").shell("echo x > /dev/null && echo written")
    bundle.write()
    names = ("null", "zero", "full", "random", "urandom", "tty", "ptmx")
    rules = [f"--property=DeviceAllow=/dev/{name} rw" for name in names]
    # Processes are only where no controllers are handed on: the runtime goes below, too.
    below = (
        f"mkdir /sys/fs/cgroup/system.slice/{unit}/own; echo $$ > /sys/fs/cgroup/system.slice/{unit}/own/cgroup.procs"
    )
    done = subprocess.run(
        ["systemd-run", "--quiet", "--wait", "--pipe", "--unit", unit, "--property=Delegate=yes",
         "--property=DevicePolicy=strict", "--property=DeviceAllow=char-pts rw", *rules,
         "sh", "-c", f'{below}; exec "$@"', "sh", *runtime.command("run", "-b", bundle.path, container)],
        capture_output=True, text=True, timeout=PATIENCE * 5,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("written\n", "")
