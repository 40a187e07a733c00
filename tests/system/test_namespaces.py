"""Namespaces: each type new, joined by its path, or shared with the runtime; user, cgroup and time namespaces in
depth."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import Container, Runtime, error_line, wait
from tests.system.snapshot import reap

pytestmark = pytest.mark.usefixtures("clean_host")

# The name of each type in /proc/<pid>/ns.
LINKS = {
    "pid": "pid",
    "network": "net",
    "mount": "mnt",
    "ipc": "ipc",
    "uts": "uts",
    "cgroup": "cgroup",
    "time": "time",
    "user": "user",
}
JOINABLE = ("pid", "network", "ipc", "uts", "cgroup", "time")


def namespace(pid: int | str, kind: str) -> str:
    return os.readlink(f"/proc/{pid}/ns/{LINKS[kind]}")


def without_names(bundle: Bundle) -> Bundle:
    """A config that the host's or another's UTS namespace allows."""
    return bundle.drop("hostname")


@pytest.mark.parametrize("kind", LINKS)
def test_a_new_namespace_is_not_the_runtimes(runtime: Runtime, bundle: Bundle, kind: str) -> None:
    bundle = bundle.user_namespace() if kind == "user" else bundle.namespace(kind)
    with runtime.running(bundle.args("sleep", "1000")) as container:
        assert namespace(container.pid, kind) != namespace("self", kind)


@pytest.mark.rule("N-1")
@pytest.mark.parametrize("kind", [kind for kind in LINKS if kind not in ("user", "mount")])
def test_a_namespace_that_is_not_named_is_the_runtimes(runtime: Runtime, bundle: Bundle, kind: str) -> None:
    bundle.namespace(kind, None)
    if kind == "uts":
        without_names(bundle)
    with runtime.running(bundle.args("sleep", "1000")) as container:
        assert namespace(container.pid, kind) == namespace("self", kind)


@pytest.mark.parametrize("kind", JOINABLE)
def test_a_namespace_is_joined_by_its_path(runtime: Runtime, bundle: Bundle, kind: str) -> None:
    other = make_other(bundle)
    with runtime.running(other.namespace(kind).args("sleep", "1000")) as first:
        bundle.namespace(kind, f"/proc/{first.pid}/ns/{LINKS[kind]}")
        if kind == "uts":
            without_names(bundle)
        with runtime.running(bundle.args("sleep", "1000")) as second:
            assert namespace(second.pid, kind) == namespace(first.pid, kind)


def make_other(bundle: Bundle) -> Bundle:
    """Another bundle with the same root file system."""
    path = bundle.path / "other"
    path.mkdir()
    other = Bundle.__new__(Bundle)
    other.path, other.rootfs = path, bundle.rootfs
    other.config = {**bundle.config} if isinstance(bundle.config, dict) else bundle.config
    other.set("root", {"path": str(bundle.rootfs), "readonly": True})
    return other


def test_every_namespace_of_another_container_is_joined_at_once(runtime: Runtime, bundle: Bundle) -> None:
    other = make_other(bundle).namespace("cgroup").namespace("time")
    kinds = ("network", "ipc", "uts", "pid", "cgroup", "time")
    with runtime.running(other.args("sleep", "1000")) as first:
        for kind in kinds:
            bundle.namespace(kind, f"/proc/{first.pid}/ns/{LINKS[kind]}")
        with runtime.running(without_names(bundle).args("sleep", "1000")) as second:
            assert [namespace(second.pid, kind) for kind in kinds] == [namespace(first.pid, kind) for kind in kinds]
            assert runtime("kill", second.id, "KILL").stderr == ""


def test_sigkill_of_a_container_in_a_joined_pid_namespace_reaches_all_its_processes(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    other = make_other(bundle)
    with runtime.running(other.args("sleep", "1000")) as first:
        os.mkfifo(place / "ready")
        bundle.namespace("pid", f"/proc/{first.pid}/ns/pid").bind(place, "/out")
        bundle.shell("setsid sleep 1000 & echo > /out/ready; exec sleep 1000")
        with runtime.running(bundle) as second:
            (place / "ready").read_text()
            assert len(first.shell("echo /proc/[0-9]*")[0].split()) == 4  # two, sleep and the shell
            second.kill()
            reap()
            assert first.status == "running"
            left = first.shell("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")  # of the dead there is none
            assert left[0].count("sleep 1000") == 1


def test_the_user_namespace_of_another_container_is_joined(runtime: Runtime, bundle: Bundle) -> None:
    bundle.user_namespace()
    other = make_other(bundle)
    with runtime.running(other.args("sleep", "1000")) as first:
        for kind in ("user", "network", "ipc"):
            bundle.namespace(kind, f"/proc/{first.pid}/ns/{LINKS[kind]}")
        bundle.drop("linux.uidMappings").drop("linux.gidMappings")
        with runtime.running(bundle.args("sleep", "1000")) as second:
            assert namespace(second.pid, "user") == namespace(first.pid, "user")
            assert second.shell("id -u; cat /proc/self/uid_map")[0] == "0"


def test_maps_beside_a_user_namespace_that_is_joined_must_be_its_own(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    if not runtime.is_orlop:
        pytest.skip("runc does so since 1.2")
    with runtime.running(bundle.user_namespace().args("sleep", "1000")) as other:
        bundle.namespace("user", f"/proc/{other.pid}/ns/user").args("cat", "/proc/self/uid_map")
        done = runtime.run(bundle)
        assert done.stdout.split() == ["0", "100000", "65536"]
        assert "level=warning" in done.stderr and "can be left out" in done.stderr
        bundle.set("linux.gidMappings[0].hostID", 200000)
        line = runtime.refuses(bundle)
        assert "both namespace path and non-matching mapping specified" in line and "0 to 100000, 65536 ids" in line
        bundle.drop("linux.uidMappings").drop("linux.gidMappings")
        done = runtime.run(bundle)
        assert (done.stdout.split(), done.stderr) == (["0", "100000", "65536"], "")


def test_maps_beside_a_path_that_is_no_user_namespace(runtime: Runtime, bundle: Bundle) -> None:
    bundle.user_namespace().namespace("user", "/proc/self/ns/uts")
    assert "namespace" in runtime.refuses(bundle.args("true"))
    assert "namespace" in runtime.refuses(bundle.namespace("user", "/no/such"))


def test_a_mount_namespace_is_joined(runtime: Runtime, bundle: Bundle) -> None:
    # One in which the host's paths are there, as an engine's pause process has it.
    with subprocess.Popen(["unshare", "--mount", "sh", "-c", "echo; exec sleep 1000"], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        bundle.namespace("mount", f"/proc/{other.pid}/ns/mnt")
        bundle.set("linux.maskedPaths", []).set("linux.readonlyPaths", []).set("mounts", [])
        with runtime.running(bundle.writable().args("sleep", "1000")) as container:
            assert namespace(container.pid, "mount") == namespace(other.pid, "mount")
            assert (
                os.stat(f"/proc/{container.pid}/root/bin/busybox").st_ino
                == (bundle.rootfs / "bin/busybox").stat().st_ino
            )
        other.kill()


def test_a_mount_namespace_whose_mounts_are_shared_is_joined(runtime: Runtime, bundle: Bundle) -> None:
    command = ["unshare", "--mount", "--propagation", "shared", "sh", "-c", "echo; exec sleep 1000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            bundle.namespace("mount", f"/proc/{other.pid}/ns/mnt")
            assert runtime.shell(bundle, "cut -d' ' -f5 /proc/self/mountinfo | grep -cx /") == ["1"]
        finally:
            other.kill()


def test_the_runtimes_own_mount_namespace_is_not_joined(runtime: Runtime, bundle: Bundle) -> None:
    # In one that nothing else lives in: its root would become that of the container.
    if not runtime.is_orlop:
        pytest.skip("runc does so, and has the root of the container itself from then on")
    bundle.namespace("mount", "/proc/self/ns/mnt").args("true")
    command = ["unshare", "--mount", *runtime.command("run", "-b", bundle.path, runtime.new_id())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "linux.namespaces" in done.stderr and "the runtime's own" in done.stderr


def test_a_path_that_is_no_namespace_is_named(runtime: Runtime, bundle: Bundle) -> None:
    bundle.namespace("network", "/etc/passwd").args("true")
    line = runtime.refuses(bundle)
    assert "/etc/passwd" in line and "invalid argument" in line


@pytest.mark.parametrize("name", ["net.ipv4.ip_default_ttl", "net/ipv4/ip_default_ttl"])
def test_a_sysctl_of_the_network_is_not_set_in_the_runtimes_own(runtime: Runtime, bundle: Bundle, name: str) -> None:
    ttl = Path("/proc/sys/net/ipv4/ip_default_ttl").read_text().strip()
    bundle.namespace("network", "/proc/self/ns/net").set("linux.sysctl", {name: ttl})
    assert "not allowed in host network namespace" in runtime.refuses(bundle.args("true"))
    other = make_other(bundle).drop("linux.sysctl").namespace("network")
    with runtime.running(other.args("sleep", "1000")) as first:
        bundle.namespace("network", f"/proc/{first.pid}/ns/net").set("linux.sysctl", {name: "33"})
        assert runtime.shell(bundle, "cat /proc/sys/net/ipv4/ip_default_ttl") == ["33"]


def test_a_namespace_of_another_type_is_refused(runtime: Runtime, bundle: Bundle) -> None:
    line = runtime.refuses(bundle.namespace("network", "/proc/self/ns/ipc").args("true"))
    assert "/proc/self/ns/ipc" in line and "invalid argument" in line


def test_a_namespace_path_that_is_missing_is_named(runtime: Runtime, bundle: Bundle) -> None:
    line = runtime.refuses(bundle.namespace("ipc", "/nowhere/ipc").args("true"))
    assert "/nowhere/ipc" in line and "no such file" in line


# What the new ones hold


def test_hostname_and_domainname_are_set(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("hostname", "ship").set("domainname", "sea.example")
    assert runtime.shell(bundle, "hostname; cat /proc/sys/kernel/domainname") == ["ship", "sea.example"]


def test_a_pid_namespace_begins_at_one(runtime: Runtime, bundle: Bundle) -> None:
    assert runtime.shell(bundle, "echo $$; ls -d /proc/[0-9]*")[0] == "1"


def test_a_network_namespace_has_a_loopback_device_that_is_up(runtime: Runtime, bundle: Bundle) -> None:
    lines = runtime.shell(bundle, "ip -o link; ip -o addr show lo")
    assert "<LOOPBACK,UP,LOWER_UP>" in lines[0]
    assert "127.0.0.1/8" in lines[1]


def test_an_ipc_namespace_is_empty(runtime: Runtime, bundle: Bundle) -> None:
    assert len(runtime.shell(bundle, "cat /proc/sysvipc/shm")) == 1


def test_a_cgroup_namespace_shows_the_containers_cgroup_as_the_root(runtime: Runtime, bundle: Bundle) -> None:
    lines = runtime.shell(bundle.namespace("cgroup"), "cut -d: -f3 /proc/self/cgroup | sort -u")
    assert lines == ["/"]


@pytest.mark.parametrize("private", [True, False])
def test_a_cgroup_mount_shows_the_containers_own_part(runtime: Runtime, bundle: Bundle, private: bool) -> None:
    if private:
        bundle.namespace("cgroup")
    script = "find /sys/fs/cgroup -name cgroup.procs | head -1 | xargs cat; find /sys/fs/cgroup -mindepth 2 -type d"
    lines = runtime.shell(bundle, script)
    assert lines[0] == "1"
    assert not [line for line in lines if runtime.marker in line]


@pytest.mark.parametrize("with_user", [False, True])
def test_time_offsets_are_in_force(runtime: Runtime, bundle: Bundle, with_user: bool) -> None:
    if with_user:
        bundle.user_namespace()
    bundle.namespace("time").set(
        "linux.timeOffsets", {"boottime": {"secs": 1000000}, "monotonic": {"secs": 7, "nanosecs": 5}}
    )
    lines = runtime.shell(bundle, "cat /proc/uptime; cat /proc/self/timens_offsets")
    uptime = float(lines[0].split()[0])
    assert 0 <= uptime - 1000000 - time.clock_gettime(time.CLOCK_BOOTTIME) + 100 < 200
    assert [line.split() for line in lines[1:]] == [["monotonic", "7", "5"], ["boottime", "1000000", "0"]]


# User namespaces


def test_a_user_namespace_has_the_maps_of_the_config(runtime: Runtime, bundle: Bundle) -> None:
    bundle.user_namespace(host=100000, size=5000)
    with runtime.running(bundle.args("sleep", "1000")) as container:
        for name in ("uid_map", "gid_map"):
            assert Path(f"/proc/{container.pid}/{name}").read_text().split() == ["0", "100000", "5000"]
        assert os.stat(f"/proc/{container.pid}").st_uid == 100000
        assert container.shell("id -u; id -g; stat -c %u /bin") == ["0", "0", "0"]


def test_several_ranges_are_mapped(runtime: Runtime, bundle: Bundle) -> None:
    rows = [
        {"containerID": 0, "hostID": 100000, "size": 10},
        {"containerID": 10, "hostID": 200000, "size": 5},
    ]
    bundle.user_namespace().set("linux.uidMappings", rows)
    with runtime.running(bundle.set("process.user", {"uid": 12, "gid": 0}).args("sleep", "1000")) as container:
        assert os.stat(f"/proc/{container.pid}").st_uid == 200002


def test_a_user_namespace_goes_through_the_whole_life(runtime: Runtime, bundle: Bundle) -> None:
    container = Container(runtime, bundle.user_namespace().args("sleep", "1000"), runtime.new_id())
    runtime("create", "-b", bundle.path, container.id)
    container.start()
    assert container.shell("id -u; echo $$ > /dev/null; cat /proc/self/uid_map")[0] == "0"
    container.kill()
    runtime("delete", container.id)


def test_a_container_in_a_user_namespace_has_no_power_over_the_host(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    (place / "secret").write_text("secret")
    (place / "secret").chmod(0o600)
    caps = [f"CAP_{name}" for name in ("DAC_OVERRIDE", "SYS_ADMIN", "CHOWN", "FOWNER")]
    for kind in ("bounding", "effective", "permitted"):
        bundle.set(f"process.capabilities.{kind}", caps)
    bundle.user_namespace().bind(place, "/host").shell("cat /host/secret 2>&1; touch /host/new 2>&1; true")
    lines = runtime.run(bundle).lines
    assert len(lines) == 2 and all("denied" in line for line in lines)


def test_the_default_devices_are_there_in_a_user_namespace(runtime: Runtime, bundle: Bundle) -> None:
    script = "head -c 4 /dev/zero | wc -c; echo x > /dev/null; ls /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx"
    lines = runtime.shell(bundle.user_namespace(), script)
    assert lines[0] == "4" and len(lines) == 6


def test_an_id_without_a_mapping_is_refused(runtime: Runtime, bundle: Bundle) -> None:
    line = runtime.refuses(bundle.user_namespace(size=100).set("process.user.uid", 500).args("true"))
    assert "process.user.uid" in line and "unmapped uid 500" in line


def test_maps_that_overlap_are_refused_with_the_field(runtime: Runtime, bundle: Bundle) -> None:
    rows = [{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 5, "hostID": 200000, "size": 10}]
    line = runtime.refuses(bundle.user_namespace().set("linux.uidMappings", rows).args("true"))
    assert "uid" in line and "map" in line.lower()


def test_exec_enters_the_user_namespace(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.user_namespace().args("sleep", "1000")) as container:
        container.exec("sh", "-c", "id -u", flags=["--user", "7:8"])
        assert container.exec("id", "-u", flags=["--user", "7:8"]).lines == ["7"]


def test_signals_end_a_container_in_a_user_namespace(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.user_namespace().args("sleep", "1000")) as container, container.handle() as pidfd:
        runtime("kill", container.id, "KILL")
        wait(pidfd)


def test_hostname_without_a_uts_namespace_is_refused(runtime: Runtime, bundle: Bundle) -> None:
    done = runtime.run(bundle.namespace("uts", None).args("true"), status=1)
    assert "unable to set hostname without a private UTS namespace" in error_line(done)


def test_a_container_may_do_without_any_namespace_but_mount(runtime: Runtime, bundle: Bundle) -> None:
    without_names(bundle).set("linux.namespaces", [{"type": "mount"}])
    bundle.set("linux.readonlyPaths", []).without_mount("/dev/mqueue")
    assert runtime.shell(bundle, "readlink /proc/self/ns/net") == [namespace("self", "network")]


def test_a_container_may_do_without_namespaces_altogether(runtime: Runtime, bundle: Bundle) -> None:
    without_names(bundle).set("linux.namespaces", []).set("mounts", [])
    bundle.set("linux.readonlyPaths", []).set("linux.maskedPaths", []).writable()
    assert runtime.shell(bundle, "echo chroot; ls /bin/busybox") == ["chroot", "/bin/busybox"]
