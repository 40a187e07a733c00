"""linux.resources of a container, read back from the files of its cgroups, on either version."""

from __future__ import annotations

import errno
import json
import os
import subprocess

import pytest

from orlop.cgroup import fields
from orlop.host.cgroups import layout
from tests.system.bundles import Bundle
from tests.system.command import Container, Runtime
from tests.system.limits import DRIVERS, UNIFIED, cgroup_file, disk, need, value

pytestmark = pytest.mark.usefixtures("clean_host")
LAST = str(max(os.sched_getaffinity(0)))

# Section, what it says at first, and after an update; then the file and its content at both times, of version 1 and of
# version 2 (None: refused there).
MIB = 1 << 20
Content = dict[str, object]
Read = tuple[str, str, str]
FIELDS: dict[str, tuple[str, Content, Content, Read, Read | None]] = {
    "memory.limit": (
        "memory",
        {"limit": 64 * MIB},
        {"limit": 96 * MIB},
        ("memory.limit_in_bytes", "67108864", "100663296"),
        ("memory.max", "67108864", "100663296"),
    ),
    "memory.reservation": (
        "memory",
        {"reservation": 32 * MIB},
        {"reservation": 16 * MIB},
        ("memory.soft_limit_in_bytes", "33554432", "16777216"),
        ("memory.low", "33554432", "16777216"),
    ),
    "memory.swap": (
        "memory",
        {"limit": 64 * MIB, "swap": 96 * MIB},
        {"limit": 64 * MIB, "swap": 80 * MIB},
        ("memory.memsw.limit_in_bytes", "100663296", "83886080"),
        ("memory.swap.max", "33554432", "16777216"),
    ),
    "memory.swappiness": ("memory", {"swappiness": 7}, {"swappiness": 9}, ("memory.swappiness", "7", "7"), None),
    "memory.disableOOMKiller": (
        "memory",
        {"disableOOMKiller": True},
        {"disableOOMKiller": True},
        ("memory.oom_control", "oom_kill_disable 1", "oom_kill_disable 1"),
        None,
    ),
    "cpu.shares": (
        "cpu",
        {"shares": 512},
        {"shares": 2048},
        ("cpu.shares", "512", "2048"),
        ("cpu.weight", "59", "174"),
    ),
    "cpu.quota": (
        "cpu",
        {"quota": 50000},
        {"quota": 70000},
        ("cpu.cfs_quota_us", "50000", "70000"),
        ("cpu.max", "50000 100000", "70000 100000"),
    ),
    "cpu.period": (
        "cpu",
        {"period": 50000},
        {"period": 20000},
        ("cpu.cfs_period_us", "50000", "20000"),
        ("cpu.max", "max 50000", "max 20000"),
    ),
    "cpu.burst": (
        "cpu",
        {"quota": 50000, "burst": 20000},
        {"quota": 50000, "burst": 10000},
        ("cpu.cfs_burst_us", "20000", "10000"),
        ("cpu.max.burst", "20000", "10000"),
    ),
    "cpu.idle": ("cpu", {"idle": 1}, {"idle": 0}, ("cpu.idle", "1", "0"), ("cpu.idle", "1", "0")),
    "cpu.cpus": (
        "cpu",
        {"cpus": "0"},
        {"cpus": LAST},
        ("cpuset.cpus", "0", LAST),
        ("cpuset.cpus", "0", LAST),
    ),
    "cpu.mems": ("cpu", {"mems": "0"}, {"mems": "0"}, ("cpuset.mems", "0", "0"), ("cpuset.mems", "0", "0")),
    "pids.limit": ("pids", {"limit": 20}, {"limit": 30}, ("pids.max", "20", "30"), ("pids.max", "20", "30")),
    "pids.limit 0": ("pids", {"limit": 0}, {"limit": 9}, ("pids.max", "1", "9"), ("pids.max", "1", "9")),
    "pids.limit -1": ("pids", {"limit": -1}, {"limit": 9}, ("pids.max", "max", "9"), ("pids.max", "max", "9")),
}
# Those that need more than a value have tests of their own, below and in test_update.
ELSEWHERE = {"cpu.realtimePeriod", "cpu.realtimeRuntime"}
FIXED = {"memory.swappiness"}  # an update says that it stays
# Files that systemd has a property for, which must say the same.
PROPERTIES = {
    "memory.max": "MemoryMax",
    "memory.low": "MemoryLow",
    "memory.swap.max": "MemorySwapMax",
    "cpu.weight": "CPUWeight",
    "cpuset.cpus": "AllowedCPUs",
    "cpuset.mems": "AllowedMemoryNodes",
    "pids.max": "TasksMax",
}


def test_every_field_is_in_the_table_above() -> None:
    known = {field.split()[0] for field in FIELDS} | ELSEWHERE
    assert known == {field for table in fields._TABLES.values() for field, *_ in table}


@DRIVERS
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_is_in_its_file_and_follows_an_update(runtime: Runtime, bundle: Bundle, field: str) -> None:
    section, content, later, *files = FIELDS[field]
    expected = files[UNIFIED]
    controller = "cpuset" if field in ("cpu.cpus", "cpu.mems") else section
    need(controller)
    bundle.args("sleep", "1000").set(f"linux.resources.{section}", content)
    if expected is None:
        assert f"linux.resources.{field}: cgroup v2 has no such limit" in runtime.refuses(bundle)
        return
    file, *texts = expected
    with runtime.created(bundle) as container:
        path = cgroup_file(container, controller, file)
        if "swap" in file and not path.exists():
            pytest.skip("this kernel does not account swap")
        assert path.read_text().splitlines()[0] == texts[0]
        told_to_systemd(runtime, container, file, texts[0])
        done = runtime("update", "-r", "-", container.id, stdin=json.dumps({section: later}))
        assert (field in FIXED) == (f"linux.resources.{field} cannot be updated and stays as it is" in done.stderr)
        assert path.read_text().splitlines()[0] == texts[1]
        told_to_systemd(runtime, container, file, texts[1])


def told_to_systemd(runtime: Runtime, container: Container, file: str, text: str) -> None:
    if "--systemd-cgroup" not in runtime.argv or not UNIFIED or file not in PROPERTIES:
        return
    argv = ["systemctl", "show", f"runc-{container.id}.scope", "--value", "--property", PROPERTIES[file]]
    shown = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
    assert shown == text.replace("max", "infinity")


@DRIVERS
def test_throttles_of_a_block_device_are_in_their_files(runtime: Runtime, bundle: Bundle) -> None:
    need("blkio")
    major, minor = disk()
    row = {"major": major, "minor": minor}
    kinds = {"throttleReadBpsDevice": 1048576, "throttleWriteBpsDevice": 2097152}
    kinds |= {"throttleReadIOPSDevice": 300, "throttleWriteIOPSDevice": 400}
    bundle.args("sleep", "1000").set("linux.resources.blockIO", {k: [{**row, "rate": v}] for k, v in kinds.items()})
    with runtime.created(bundle) as container:
        if UNIFIED:
            wanted = f"{major}:{minor} rbps=1048576 wbps=2097152 riops=300 wiops=400"
            assert value(container, "blkio", "io.max") == wanted
            return
        for file, rate in zip(("read_bps", "write_bps", "read_iops", "write_iops"), kinds.values(), strict=True):
            assert value(container, "blkio", f"blkio.throttle.{file}_device") == f"{major}:{minor} {rate}"


@DRIVERS
def test_a_block_weight_is_in_the_file_of_whoever_hands_out_weights(runtime: Runtime, bundle: Bundle) -> None:
    need("blkio")
    bundle.args("sleep", "1000").set("linux.resources.blockIO", {"weight": 500})
    done = runtime("create", "-b", bundle.path, identity := runtime.new_id(), status=None)
    if done.status:
        assert "linux.resources.blockIO.weight: cannot write" in done.stderr and "no such file" in done.stderr
        pytest.skip("this kernel has nobody who hands out I/O weights")
    runtime("delete", "--force", identity)
    with runtime.created(bundle) as container:
        there = {
            "io.bfq.weight": "default 500",
            "io.weight": "default 4950",
            "blkio.bfq.weight": "500",
            "blkio.weight": "500",
        }
        files = [name for name in there if cgroup_file(container, "blkio", name).exists()]
        assert value(container, "blkio", files[0]) == there[files[0]]


@DRIVERS
def test_a_block_weight_of_one_device_is_in_its_file(runtime: Runtime, bundle: Bundle) -> None:
    need("blkio")
    major, minor = disk()
    row = {"major": major, "minor": minor, "weight": 500}
    bundle.args("sleep", "1000").set("linux.resources.blockIO", {"weightDevice": [row]})
    done = runtime("create", "-b", bundle.path, identity := runtime.new_id(), status=None)
    if done.status:
        assert "linux.resources.blockIO.weightDevice[0].weight: cannot write" in done.stderr
        pytest.skip("this kernel has nobody who hands out I/O weights")
    runtime("delete", "--force", identity)
    with runtime.created(bundle) as container:
        names = ("io.bfq.weight", "io.weight", "blkio.bfq.weight_device", "blkio.weight_device")
        file = next(name for name in names if cgroup_file(container, "blkio", name).exists())
        line = f"{major}:{minor} {4950 if file == 'io.weight' else 500}"
        assert line in value(container, "blkio", file).splitlines()


@DRIVERS
def test_huge_pages_are_limited_with_their_reservations(runtime: Runtime, bundle: Bundle) -> None:
    need("hugetlb")
    sizes = os.listdir("/sys/kernel/mm/hugepages")
    if "hugepages-2048kB" not in sizes:
        pytest.skip("this kernel has no huge pages of 2 MB")
    bundle.args("sleep", "1000").set("linux.resources.hugepageLimits", [{"pageSize": "2MB", "limit": 4 * MIB}])
    end = "max" if UNIFIED else "limit_in_bytes"
    with runtime.created(bundle) as container:
        assert value(container, "hugetlb", f"hugetlb.2MB.{end}") == "4194304"
        assert value(container, "hugetlb", f"hugetlb.2MB.rsvd.{end}") == "4194304"


@DRIVERS
def test_a_size_of_huge_pages_that_the_kernel_lacks_is_named(runtime: Runtime, bundle: Bundle) -> None:
    need("hugetlb")
    bundle.set("linux.resources.hugepageLimits", [{"pageSize": "3MB", "limit": 0}])
    message = runtime.refuses(bundle)
    assert "linux.resources.hugepageLimits[0]: cannot write" in message
    assert "hugetlb.3MB" in message and "this kernel has huge pages of" in message


@DRIVERS
def test_unified_files_are_written_line_by_line(runtime: Runtime, bundle: Bundle) -> None:
    bundle.args("sleep", "1000").set("linux.resources.unified", {"memory.high": "67108864", "pids.max": "9"})
    if not UNIFIED:
        assert "cannot use unified on cgroup v1" in runtime.refuses(bundle)
        return
    need("memory", "pids")
    with runtime.created(bundle) as container:
        assert value(container, "memory", "memory.high") == "67108864"
        assert value(container, "pids", "pids.max") == "9"


BAD: dict[str, tuple[dict[str, object], int | None, str]] = {
    "a disk that is not there": (
        {"blockIO": {"throttleReadBpsDevice": [{"major": 511, "minor": 77, "rate": 1}]}},
        errno.ENODEV,
        "linux.resources.blockIO.throttleReadBpsDevice[0]: cannot write",
    ),
    "a processor that is not there": ({"cpu": {"cpus": "4000"}}, None, "linux.resources.cpu.cpus: cannot write"),
    "a list that is none": ({"cpu": {"cpus": "nonsense"}}, errno.EINVAL, 'linux.resources.cpu.cpus: cannot write "non'),
    "a period that is too short": ({"cpu": {"period": 100}}, errno.EINVAL, "linux.resources.cpu."),
    "a class without a controller": ({"network": {"classID": 5}}, None, "linux.resources.network.classID: "),
    "a device without a controller": (
        {"rdma": {"mlx5_0": {"hcaHandles": 3}}},
        None,
        'linux.resources.rdma["mlx5_0"]: ',
    ),
}


@DRIVERS
@pytest.mark.parametrize("case", BAD)
def test_what_the_kernel_refuses_is_named_and_leaves_nothing(runtime: Runtime, bundle: Bundle, case: str) -> None:
    resources, code, words = BAD[case]
    section = next(iter(resources))
    if section in ("cpu", "blockIO"):
        need("cpuset" if "cpus" in str(resources) else {"cpu": "cpu", "blockIO": "blkio"}[section])
    if section == "network" and any("net_cls" in row.controllers for row in layout().hierarchies):
        pytest.skip("this kernel has the controller net_cls in use")
    bundle.set(f"linux.resources.{section}", resources[section])
    message = runtime.refuses(bundle)
    assert words in message
    if code:
        assert os.strerror(code).lower() in message


def test_a_quota_that_is_too_small_is_named_with_the_smallest(runtime: Runtime, bundle: Bundle) -> None:
    need("cpu")
    bundle.set("linux.resources.cpu", {"quota": 500})  # systemd would make it 1000
    said = runtime.run(bundle, status=1).stderr
    assert "linux.resources.cpu.quota: cannot write" in said
    assert "1000" in said.partition("hint=")[2]


@DRIVERS
def test_traffic_classes_and_priorities_are_those_of_the_cgroup(runtime: Runtime, bundle: Bundle) -> None:
    if UNIFIED:
        bundle.set("linux.resources.network", {"priorities": [{"name": "lo", "priority": 5}]})
        assert "linux.resources.network.priorities: cgroup v2 has no such limit" in runtime.refuses(bundle)
        return
    need("net_cls", "net_prio")
    network = {"classID": 0x100001, "priorities": [{"name": "lo", "priority": 5}]}
    bundle.args("sleep", "1000").set("linux.resources.network", network)
    with runtime.created(bundle) as container:
        assert value(container, "net_cls", "net_cls.classid") == "1048577"
        assert "lo 5" in value(container, "net_prio", "net_prio.ifpriomap").splitlines()
