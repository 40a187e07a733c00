"""update: limits of a container that lives, on either version of cgroups."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import Container, Runtime, error_line
from tests.system.limits import DRIVERS, UNIFIED, cgroup_file, disk, need, value

pytestmark = [pytest.mark.usefixtures("clean_host"), DRIVERS]

LIMIT = "memory.max" if UNIFIED else "memory.limit_in_bytes"
RESERVATION = "memory.low" if UNIFIED else "memory.soft_limit_in_bytes"
SWAP = "memory.swap.max" if UNIFIED else "memory.memsw.limit_in_bytes"
MIB = 1 << 20


@pytest.fixture
def container(runtime: Runtime, bundle: Bundle) -> Iterator[Container]:
    need("memory", "cpu", "pids", "cpuset")
    bundle.set("linux.resources.memory", {"limit": 32 * MIB, "reservation": 24 * MIB})
    bundle.set("linux.resources.cpu", {"shares": 100, "quota": 500000, "period": 1000000})
    bundle.set("linux.resources.pids", {"limit": 20})
    with runtime.running(bundle.args("sleep", "1000")) as found:
        yield found


def update(container: Container, *flags: str, status: int = 0) -> str:
    done = container.runtime("update", *flags, container.id, status=status)
    return error_line(done) if status else done.stderr


def from_json(container: Container, resources: object, status: int = 0) -> str:
    done = container.runtime("update", "-r", "-", container.id, stdin=json.dumps(resources), status=status)
    return error_line(done) if status else done.stderr


def quota(container: Container) -> tuple[str, str]:
    if UNIFIED:
        first, second = value(container, "cpu", "cpu.max").split()
        return first.replace("max", "-1"), second
    return value(container, "cpu", "cpu.cfs_quota_us"), value(container, "cpu", "cpu.cfs_period_us")


def given(container: Container, quota: int, period: int) -> tuple[str, str]:
    """What the files say of them: the systemd driver rounds to whole percents of a processor, up, as systemd does."""
    if "--systemd-cgroup" in container.runtime.argv and quota > 0:
        quota = -(-quota * 100 // period) * period // 100
    return str(quota), str(period)


def shares(container: Container) -> str:
    return value(container, "cpu", "cpu.weight" if UNIFIED else "cpu.shares")


def test_memory_and_pids_follow_the_flags(container: Container) -> None:
    update(container, "--memory", "67108864")
    assert value(container, "memory", LIMIT) == str(64 * MIB)
    update(container, "--memory", "50M")
    assert value(container, "memory", LIMIT) == str(50 * MIB)
    update(container, "--memory-reservation", "33554432")
    assert value(container, "memory", RESERVATION) == str(32 * MIB)
    assert value(container, "memory", LIMIT) == str(50 * MIB)
    for limit, text in (("12345", "12345"), ("-1", "max"), ("0", "1"), ("10", "10")):
        update(container, "--pids-limit", limit)
        assert value(container, "pids", "pids.max") == text


def test_memory_and_swap_grow_and_shrink_together(container: Container) -> None:
    if not cgroup_file(container, "memory", SWAP).exists():
        pytest.skip("this kernel does not account swap")
    for memory, both in ((30, 50), (60, 80), (30, 50), (200, 200), (16, 20)):
        update(container, "--memory", f"{memory}M", "--memory-swap", f"{both}M")
        assert value(container, "memory", LIMIT) == str(memory * MIB)
        assert value(container, "memory", SWAP) == str((both - memory if UNIFIED else both) * MIB)
    unlimited = (
        "max" if UNIFIED else cgroup_file(container, "memory", SWAP).parents[1].joinpath(SWAP).read_text().strip()
    )
    update(container, "--memory-swap", "-1")
    assert value(container, "memory", SWAP) == unlimited
    assert value(container, "memory", LIMIT) == str(16 * MIB)
    update(container, "--memory", "16M", "--memory-swap", "20M")
    update(container, "--memory", "-1")
    assert value(container, "memory", SWAP) == unlimited
    assert value(container, "memory", LIMIT) == unlimited


def test_quota_and_period_can_be_changed_one_by_one(container: Container) -> None:
    for flags, expected in (
        (("--cpu-period", "900000"), (500000, 900000)),
        (("--cpu-quota", "600000"), (600000, 900000)),
        (("--cpu-quota", "-1"), (-1, 900000)),
        (("--cpu-quota", "3000", "--cpu-period", "10000"), (3000, 10000)),
        (("--cpu-quota", "-1", "--cpu-period", "100000"), (-1, 100000)),
    ):
        update(container, *flags)
        assert quota(container) == given(container, *expected)
    update(container, "--cpu-share", "200")
    assert shares(container) == ("29" if UNIFIED else "200")


def test_burst_stays_until_it_is_changed(container: Container) -> None:
    file = "cpu.max.burst" if UNIFIED else "cpu.cfs_burst_us"
    if not cgroup_file(container, "cpu", file).exists():
        pytest.skip("this kernel has no cpu burst")
    update(container, "--cpu-period", "900000", "--cpu-burst", "400000")
    assert value(container, "cpu", file) == "400000"
    update(container, "--memory", "100M")
    assert value(container, "cpu", file) == "400000"
    update(container, "--cpu-burst", "0")
    assert value(container, "cpu", file) == "0"


def test_idle_and_its_bad_values(container: Container) -> None:
    for wanted in ("1", "0", "1"):
        update(container, "--cpu-idle", wanted)
        assert value(container, "cpu", "cpu.idle") == wanted
    for wrong in ("-1", "2", "3"):
        assert "linux.resources.cpu.idle: must be from 0 to 1" in update(container, "--cpu-idle", wrong, status=1)
    update(container, "--cpu-period", "10000")
    assert value(container, "cpu", "cpu.idle") == "1"


def test_processors_and_nodes(container: Container) -> None:
    update(container, "--cpuset-cpus", "0", "--cpuset-mems", "0")
    assert (value(container, "cpuset", "cpuset.cpus"), value(container, "cpuset", "cpuset.mems")) == ("0", "0")


def test_a_json_object_is_taken_from_standard_input_and_from_a_file(container: Container, place: Path) -> None:
    resources = {
        "memory": {"limit": 64 * MIB, "reservation": 16 * MIB},
        "cpu": {"shares": 200, "quota": 600000, "period": 900000, "cpus": "0"},
        "pids": {"limit": 10},
    }
    from_json(container, resources)
    assert value(container, "memory", LIMIT) == str(64 * MIB)
    assert value(container, "memory", RESERVATION) == str(16 * MIB)
    assert quota(container) == given(container, 600000, 900000)
    assert value(container, "pids", "pids.max") == "10"
    file = place / "resources.json"
    file.write_text(json.dumps({"memory": {"limit": 80 * MIB}}))
    update(container, "--resources", str(file), "--pids-limit", "7")
    assert value(container, "memory", LIMIT) == str(80 * MIB)
    assert value(container, "pids", "pids.max") == "10", "flags are ignored beside a file"


def test_throttles_of_a_device_are_changed_and_added(runtime: Runtime, bundle: Bundle) -> None:
    need("blkio")
    major, minor = disk()
    row = {"major": major, "minor": minor}
    twice = [{**row, "rate": 485760}, {**row, "rate": 485760}]
    bundle.args("sleep", "1000").set("linux.resources.blockIO", {"throttleReadBpsDevice": twice})
    with runtime.running(bundle) as container:
        kinds = {"throttleReadBpsDevice": 10485760, "throttleWriteBpsDevice": 9437184}
        kinds |= {"throttleReadIOPSDevice": 1000, "throttleWriteIOPSDevice": 900}
        from_json(container, {"blockIO": {name: [{**row, "rate": rate}] for name, rate in kinds.items()}})
        if UNIFIED:
            wanted = f"{major}:{minor} rbps=10485760 wbps=9437184 riops=1000 wiops=900"
            assert value(container, "blkio", "io.max") == wanted
        else:
            assert value(container, "blkio", "blkio.throttle.read_bps_device") == f"{major}:{minor} 10485760"
            assert value(container, "blkio", "blkio.throttle.write_iops_device") == f"{major}:{minor} 900"


def test_unified_files_can_be_updated(container: Container) -> None:
    change = {"unified": {"cpu.max": "max 100000", "cpu.weight": "16", "pids.max": "10"}}
    if not UNIFIED:
        assert "cannot use unified on cgroup v1" in from_json(container, change, status=1)
        return
    from_json(container, change)
    assert quota(container) == given(container, -1, 100000)
    assert shares(container) == "16"
    assert value(container, "pids", "pids.max") == "10"


def test_a_refused_update_leaves_all_old_values(container: Container) -> None:
    before = (value(container, "memory", LIMIT), value(container, "pids", "pids.max"), quota(container))
    change = ("--memory", "64M", "--pids-limit", "7", "--cpu-quota", "700000", "--cpuset-cpus", "4000")
    message = update(container, *change, status=1)
    assert 'linux.resources.cpu.cpus: cannot write "4000" to ' in message
    assert (value(container, "memory", LIMIT), value(container, "pids", "pids.max"), quota(container)) == before
    update(container, "--cpu-period", "900000")
    assert quota(container) == given(container, 500000, 900000), "the next update knows nothing of the refused one"
    assert value(container, "memory", LIMIT) == before[0]


def test_what_cannot_be_set_back_keeps_nothing_else_from_it(container: Container) -> None:
    need("blkio")
    before = (value(container, "memory", LIMIT), value(container, "pids", "pids.max"), quota(container))
    nowhere = [{"major": 511, "minor": 77, "rate": 1}]
    change = {"pids": {"limit": 7}, "memory": {"limit": 64 * MIB}, "cpu": {"quota": 700000}}
    message = from_json(container, {**change, "blockIO": {"throttleWriteBpsDevice": nowhere}}, status=1)
    assert "linux.resources.blockIO.throttleWriteBpsDevice[0]: cannot write" in message
    assert "could not be set back" not in message, "nothing was changed there"
    assert (value(container, "memory", LIMIT), value(container, "pids", "pids.max"), quota(container)) == before


def test_limits_that_cannot_be_remembered_are_set_back(container: Container) -> None:
    before = value(container, "memory", LIMIT)
    in_the_way = container.runtime.root / container.id / ".resources.json"
    in_the_way.mkdir()
    assert "resources.json" in update(container, "--memory", "64M", status=1)
    assert value(container, "memory", LIMIT) == before
    in_the_way.rmdir()
    update(container, "--memory", "64M")
    assert value(container, "memory", LIMIT) == str(64 * MIB)


def test_the_names_in_an_object_may_be_in_any_case(container: Container) -> None:
    from_json(container, {"CPU": {"Quota": 600000, "PERIOD": 900000}, "Pids": {"Limit": 9, "limit": 10}})
    assert quota(container) == given(container, 600000, 900000)
    assert value(container, "pids", "pids.max") == "10", "the exact name wins"
    assert "linux.resources.memory.limit" in from_json(container, {"Memory": {"LIMIT": "x"}}, status=1)


def test_device_rules_stay_as_they_were(runtime: Runtime, bundle: Bundle) -> None:
    need("pids")
    bundle.set("linux.devices", [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}])
    with runtime.running(bundle.args("sleep", "1000")) as container:
        update(container, "--pids-limit", "30")
        everything = [{"allow": True, "access": "rwm"}]
        said = from_json(container, {"devices": everything, "pids": {"limit": 31}})
        assert "linux.resources.devices cannot be updated and stays as it is" in said
        script = "head -c 1 /dev/kmsg >/dev/null 2>&1 && echo open || echo denied; head -c 1 /dev/zero | wc -c"
        assert container.shell(script) == ["denied", "1"]


def test_a_paused_container_is_updated_and_stays_paused(container: Container) -> None:
    container.runtime("pause", container.id)
    update(container, "--pids-limit", "30")
    assert container.status == "paused"
    assert value(container, "pids", "pids.max") == "30"
    container.runtime("resume", container.id)
    assert container.status == "running"


def test_a_created_container_is_updated(runtime: Runtime, bundle: Bundle) -> None:
    need("pids")
    with runtime.created(bundle.args("sleep", "1000")) as container:
        update(container, "--pids-limit", "30")
        assert value(container, "pids", "pids.max") == "30"


def test_a_stopped_container_is_not(container: Container) -> None:
    container.kill()
    assert "container not running" in update(container, "--pids-limit", "30", status=1)


def test_a_missing_container_is_not(runtime: Runtime) -> None:
    assert "container does not exist" in error_line(runtime("update", "--pids-limit", "3", "no-such", status=1))


@pytest.mark.rule("17.29")
@pytest.mark.skipif(not UNIFIED, reason="needs cgroup v2")
def test_a_limit_below_the_use_is_rejected_when_asked(container: Container) -> None:
    change: dict[str, object] = {"limit": 1024, "checkBeforeUpdate": True}
    assert "rejecting memory limit 1024 <= usage" in from_json(container, {"memory": change}, status=1)
    change["swap"] = 2048
    assert "rejecting memory+swap limit 2048 <= usage" in from_json(container, {"memory": change}, status=1)
    assert container.status == "running"
    assert value(container, "memory", LIMIT) == str(32 * MIB)


@pytest.mark.skipif(UNIFIED, reason="needs cgroup v1")
def test_the_kernel_rejects_a_limit_that_it_cannot_reach(container: Container) -> None:
    message = update(container, "--memory", "4096", status=1)
    assert "linux.resources.memory.limit: unable to set memory limit to 4096 (current usage: " in message
    assert value(container, "memory", LIMIT) == str(32 * MIB)


BAD = {
    "a size": (("--memory", "lots"), 'invalid value for memory: "lots" is not a size'),
    "a unit": (("--memory-swap", "5x"), 'invalid value for memory-swap: "5x" is not a size'),
    "a number": (("--cpu-quota", "1.5"), 'invalid value for cpu-quota: "1.5" is not a number'),
    "a sign": (("--cpu-period", "-5"), 'invalid value for cpu-period: "-5" is not a number'),
    "a weight": (("--blkio-weight", "70000"), "linux.resources.blockIO.weight: must be from 0 to 65535"),
    "a burst": (("--cpu-burst", "9", "--cpu-quota", "5"), "linux.resources.cpu.burst: 9 is above the quota 5"),
    "a file": (("-r", "/no/such/file"), "--resources: read /no/such/file: no such file or directory"),
    "a cache": (("--l3-cache-schema", "L3:0=f"), "Intel RDT"),
    "a bandwidth": (("--mem-bw-schema", "MB:0=20"), "Intel RDT"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_value_is_named(container: Container, case: str) -> None:
    flags, words = BAD[case]
    assert words in update(container, *flags, status=1)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"memory": 5}', '{"memory": {"limit": "lots"}}'])
def test_a_bad_object_is_refused(container: Container, text: str) -> None:
    done = container.runtime("update", "-r", "-", container.id, stdin=text, status=1)
    assert "standard input" in error_line(done) or "linux.resources.memory" in error_line(done)


def test_kernel_memory_is_ignored_with_a_warning(container: Container) -> None:
    assert "Kernel memory settings are ignored" in update(container, "--kernel-memory", "50M")


@pytest.mark.skipif(UNIFIED, reason="needs cgroup v1")
def test_real_time_bandwidth_in_any_order_of_period_and_runtime(runtime: Runtime, bundle: Bundle) -> None:
    need("cpu")
    with runtime.running(bundle.args("sleep", "1000")) as container:
        above = cgroup_file(container, "cpu", ".").parent / "cpu.rt_runtime_us"
        if not above.exists() or int(above.read_text()) < 700000:
            pytest.skip("the host's cgroup has no real-time bandwidth")
        for period, quota_ in ((1000000, 500000), (900001, 600001), (10000, 3000), (100000, 20000)):
            update(container, "--cpu-rt-period", str(period), "--cpu-rt-runtime", str(quota_))
            assert value(container, "cpu", "cpu.rt_period_us") == str(period)
            assert value(container, "cpu", "cpu.rt_runtime_us") == str(quota_)
        message = update(container, "--cpu-rt-runtime", "2000000", status=1)
        assert "linux.resources.cpu.realtimeRuntime: cannot write" in message
        assert value(container, "cpu", "cpu.rt_runtime_us") == "20000"
