"""linux.resources of a container, read back from the files of its cgroups, on either version."""

from __future__ import annotations

import errno
import os

import pytest

from orlop.host.cgroups import layout
from tests.system.bundles import Bundle
from tests.system.command import Runtime
from tests.system.limits import UNIFIED, cgroup_file, disk, need, value

pytestmark = pytest.mark.usefixtures("clean_host")

# Section, controller, its content; then the file and its content, of version 1 and of version 2 (None: refused there).
MIB = 1 << 20
FIELDS = {
    "memory.limit": ("memory", {"limit": 64 * MIB}, ("memory.limit_in_bytes", "67108864"), ("memory.max", "67108864")),
    "memory.reservation": (
        "memory",
        {"reservation": 32 * MIB},
        ("memory.soft_limit_in_bytes", "33554432"),
        ("memory.low", "33554432"),
    ),
    "memory.swap": (
        "memory",
        {"limit": 64 * MIB, "swap": 96 * MIB},
        ("memory.memsw.limit_in_bytes", "100663296"),
        ("memory.swap.max", "33554432"),
    ),
    "memory.swappiness": ("memory", {"swappiness": 7}, ("memory.swappiness", "7"), None),
    "memory.disableOOMKiller": (
        "memory",
        {"disableOOMKiller": True},
        ("memory.oom_control", "oom_kill_disable 1"),
        None,
    ),
    "cpu.shares": ("cpu", {"shares": 512}, ("cpu.shares", "512"), ("cpu.weight", "59")),
    "cpu.quota": ("cpu", {"quota": 50000}, ("cpu.cfs_quota_us", "50000"), ("cpu.max", "50000 100000")),
    "cpu.period": ("cpu", {"period": 50000}, ("cpu.cfs_period_us", "50000"), ("cpu.max", "max 50000")),
    "cpu.burst": (
        "cpu",
        {"quota": 50000, "burst": 20000},
        ("cpu.cfs_burst_us", "20000"),
        ("cpu.max.burst", "20000"),
    ),
    "cpu.idle": ("cpu", {"idle": 1}, ("cpu.idle", "1"), ("cpu.idle", "1")),
    "cpu.cpus": ("cpu", {"cpus": "0"}, ("cpuset.cpus", "0"), ("cpuset.cpus", "0")),
    "cpu.mems": ("cpu", {"mems": "0"}, ("cpuset.mems", "0"), ("cpuset.mems", "0")),
    "pids.limit": ("pids", {"limit": 20}, ("pids.max", "20"), ("pids.max", "20")),
    "pids.limit 0": ("pids", {"limit": 0}, ("pids.max", "1"), ("pids.max", "1")),
    "pids.limit -1": ("pids", {"limit": -1}, ("pids.max", "max"), ("pids.max", "max")),
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_is_in_its_file(runtime: Runtime, bundle: Bundle, field: str) -> None:
    section, content, *wanted = FIELDS[field]
    expected = wanted[UNIFIED]
    controller = "cpuset" if field in ("cpu.cpus", "cpu.mems") else section
    need(controller)
    bundle.args("sleep", "1000").set(f"linux.resources.{section}", content)
    if expected is None:
        assert f"linux.resources.{field}: cgroup v2 has no such limit" in runtime.refuses(bundle)
        return
    file, text = expected
    with runtime.created(bundle) as container:
        path = cgroup_file(container, controller, file)
        if "swap" in file and not path.exists():
            pytest.skip("this kernel does not account swap")
        assert path.read_text().splitlines()[0] == text


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


def test_a_size_of_huge_pages_that_the_kernel_lacks_is_named(runtime: Runtime, bundle: Bundle) -> None:
    need("hugetlb")
    bundle.set("linux.resources.hugepageLimits", [{"pageSize": "3MB", "limit": 0}])
    message = runtime.refuses(bundle)
    assert "linux.resources.hugepageLimits[0]: cannot write" in message
    assert "hugetlb.3MB" in message and "this kernel has huge pages of" in message


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
