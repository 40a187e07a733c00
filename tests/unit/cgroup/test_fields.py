"""From fields of linux.resources to values of files."""

from __future__ import annotations

import pytest

from orlop.cgroup import fields
from orlop.errors import ConfigError


def _written(resources: dict[str, object], version: int) -> dict[str, str]:
    return {write.file: write.value for write in fields.writes(resources, version)}


@pytest.mark.rule("RS-1")
@pytest.mark.parametrize(
    ("shares", "weight"),
    [(0, None), (1, 1), (2, 1), (3, 2), (4, 2), (100, 17), (1024, 100), (8192, 532), (262143, 10000), (1 << 40, 10000)],
)
def test_cpu_shares_become_a_weight(shares: int, weight: int | None) -> None:
    expected = {} if weight is None else {"cpu.weight": str(weight)}
    assert _written({"cpu": {"shares": shares}}, 2) == expected


@pytest.mark.rule("RS-1")
@pytest.mark.parametrize(
    ("cpu", "value"),
    [
        ({"quota": 50000, "period": 100000}, "50000 100000"),
        ({"quota": 50000}, "50000 100000"),
        ({"quota": -1}, "max 100000"),
        ({"period": 20000}, "max 20000"),
        ({"quota": 0, "period": 0}, None),
    ],
)
def test_quota_and_period_share_a_file_on_version_2(cpu: dict[str, object], value: str | None) -> None:
    assert _written({"cpu": cpu}, 2).get("cpu.max") == value


@pytest.mark.rule("RS-1")
@pytest.mark.parametrize(
    ("memory", "swap"),
    [
        ({"limit": 100, "swap": 300}, "200"),
        ({"limit": 100, "swap": 100}, "0"),
        ({"limit": 100, "swap": -1}, "max"),
        ({"limit": -1}, "max"),
        ({"limit": -1, "swap": 300}, "300"),
        ({"swap": -1}, "max"),
        ({"limit": 100}, None),
    ],
)
def test_swap_alone_is_memory_and_swap_less_memory(memory: dict[str, object], swap: str | None) -> None:
    assert _written({"memory": memory}, 2).get("memory.swap.max") == swap


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        ({"swap": 100}, "unable to set swap limit without memory limit"),
        ({"limit": 200, "swap": 100}, "memory\\+swap limit should be >= memory limit"),
        ({"limit": -2, "swap": 100}, "invalid memory value: -2"),
    ],
)
def test_a_swap_limit_that_means_nothing_on_version_2_is_refused(memory: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^linux\.resources\.memory\.swap: {message}$"):
        fields.writes({"memory": memory}, 2)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("limit", "value"), [(7, "7"), (0, "1"), (-1, "max")])
def test_a_pids_limit_of_zero_is_a_limit(version: int, limit: int, value: str) -> None:
    assert _written({"pids": {"limit": limit}}, version) == {"pids.max": value}


@pytest.mark.parametrize("version", [1, 2])
def test_what_engines_send_for_nothing_sets_nothing(version: int) -> None:
    resources: dict[str, object] = {
        "devices": [{"allow": False, "access": "rwm"}],
        "memory": {"limit": 0, "swap": 0, "disableOOMKiller": False},
        "cpu": {"shares": 0, "cpus": ""},
        "pids": {},
        "blockIO": {"weight": 0, "leafWeight": 0, "weightDevice": [], "throttleReadBpsDevice": []},
        "hugepageLimits": [],
        "network": {"classID": 0, "priorities": []},
        "rdma": {},
        "unified": {},
    }
    assert fields.writes(resources, version) == []
    assert fields.writes(None, version) == []


def test_all_fields_of_memory_cpu_and_pids_have_files_on_version_1() -> None:
    memory = {"limit": 1, "swap": 2, "reservation": 3, "swappiness": 0, "disableOOMKiller": True}
    cpu = {"shares": 4, "quota": -1, "period": 5, "burst": 0, "idle": 1, "cpus": "0-1", "mems": "0"}
    cpu |= {"realtimeRuntime": 6, "realtimePeriod": 7}
    assert _written({"memory": memory, "cpu": cpu, "pids": {"limit": 8}}, 1) == {
        "cpuset.cpus": "0-1",
        "cpuset.mems": "0",
        "memory.limit_in_bytes": "1",
        "memory.memsw.limit_in_bytes": "2",
        "memory.soft_limit_in_bytes": "3",
        "memory.oom_control": "1",
        "memory.swappiness": "0",
        "cpu.shares": "4",
        "cpu.cfs_period_us": "5",
        "cpu.cfs_burst_us": "0",
        "cpu.cfs_quota_us": "-1",
        "cpu.idle": "1",
        "cpu.rt_period_us": "7",
        "cpu.rt_runtime_us": "6",
        "pids.max": "8",
    }


def test_unlimited_memory_takes_the_swap_limit_away_on_version_1_too() -> None:
    assert _written({"memory": {"limit": -1}}, 1)["memory.memsw.limit_in_bytes"] == "-1"


def test_unified_files_come_last_and_line_by_line() -> None:
    unified = {"io.max": "8:0 rbps=1\n8:16 wbps=2", "memory.high": "max"}
    writes = fields.writes({"unified": unified, "memory": {"limit": 5}}, 2)
    assert [(write.controller, write.file, write.value) for write in writes] == [
        ("memory", "memory.max", "5"),
        ("io", "io.max", "8:0 rbps=1"),
        ("io", "io.max", "8:16 wbps=2"),
        ("memory", "memory.high", "max"),
    ]


@pytest.mark.parametrize(
    ("resources", "version", "message"),
    [
        ({"unified": {"a.b": "1"}}, 1, "invalid configuration: cannot use unified on cgroup v1"),
        ({"unified": {"../a.b": "1"}}, 2, "must be a file name"),
        ({"unified": {"memory": "1"}}, 2, "must be in the form CONTROLLER.PARAMETER"),
        ({"memory": {"swappiness": 101}}, 1, r"invalid memory swappiness value: 101 \(valid range is 0-100\)"),
        ({"memory": {"swappiness": 0}}, 2, "memory.swappiness: cgroup v2 has no such limit"),
        ({"memory": {"disableOOMKiller": True}}, 2, "memory.disableOOMKiller: cgroup v2 has no such limit"),
        ({"cpu": {"realtimeRuntime": 1}}, 2, "cpu.realtimeRuntime: cgroup v2 has no such limit"),
        ({"cpu": {"realtimePeriod": 1}}, 2, "cpu.realtimePeriod: cgroup v2 has no such limit"),
        ({"blockIO": {"leafWeight": 10}}, 2, "blockIO.leafWeight: cgroup v2 has no such limit"),
        (
            {"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "leafWeight": 10}]}},
            2,
            r"blockIO.weightDevice\[0\].leafWeight: cgroup v2 has no such limit",
        ),
        ({"blockIO": {"weight": 9}}, 2, "blockIO.weight: must be from 10 to 1000, not 9"),
        ({"network": {"classID": 1}}, 2, "network.classID: cgroup v2 has no such limit"),
        ({"network": {"priorities": [{"name": "lo", "priority": 1}]}}, 2, "network.priorities: cgroup v2 has no such"),
    ],
)
def test_unusable_values_name_the_field(resources: dict[str, object], version: int, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^linux\.resources\..*{message}"):
        fields.writes(resources, version)


@pytest.mark.parametrize(("weight", "converted"), [(10, "1"), (100, "910"), (500, "4950"), (1000, "10000")])
def test_a_block_weight_is_what_bfq_takes_or_converted_linearly(weight: int, converted: str) -> None:
    (write,) = fields.writes({"blockIO": {"weight": weight}}, 2)
    assert (write.file, write.value) == ("io.bfq.weight", str(weight))
    assert write.instead and (write.instead.file, write.instead.value) == ("io.weight", converted)


DISK = {"major": 8, "minor": 16}
BLOCK_IO: dict[str, object] = {
    "weight": 100,
    "weightDevice": [{**DISK, "weight": 200}],
    "throttleReadBpsDevice": [{**DISK, "rate": 1}, {"major": 9, "minor": 0, "rate": 0}],
    "throttleWriteBpsDevice": [{**DISK, "rate": 2}],
    "throttleReadIOPSDevice": [{**DISK, "rate": 3}],
    "throttleWriteIOPSDevice": [{**DISK, "rate": 4}],
}


def test_block_limits_have_a_file_each_on_version_1() -> None:
    leaf = {**BLOCK_IO, "leafWeight": 300, "weightDevice": [{**DISK, "weight": 200, "leafWeight": 400}]}
    writes = fields.writes({"blockIO": leaf}, 1)
    assert [(write.file, write.value) for write in writes] == [
        ("blkio.weight", "100"),
        ("blkio.leaf_weight", "300"),
        ("blkio.weight_device", "8:16 200"),
        ("blkio.leaf_weight_device", "8:16 400"),
        ("blkio.throttle.read_bps_device", "8:16 1"),
        ("blkio.throttle.read_bps_device", "9:0 0"),
        ("blkio.throttle.write_bps_device", "8:16 2"),
        ("blkio.throttle.read_iops_device", "8:16 3"),
        ("blkio.throttle.write_iops_device", "8:16 4"),
    ]
    instead = [(write.instead.file, write.instead.value) for write in writes if write.instead]
    assert instead == [("blkio.bfq.weight", "100"), ("blkio.bfq.weight_device", "8:16 200")]


@pytest.mark.rule("RS-1")
def test_block_limits_are_lines_of_io_max_on_version_2() -> None:
    writes = fields.writes({"blockIO": BLOCK_IO}, 2)
    assert [(write.field.removeprefix("linux.resources.blockIO."), write.file, write.value) for write in writes] == [
        ("weight", "io.bfq.weight", "100"),
        ("weightDevice[0].weight", "io.bfq.weight", "8:16 200"),
        ("throttleReadBpsDevice[0]", "io.max", "8:16 rbps=1"),
        ("throttleReadBpsDevice[1]", "io.max", "9:0 rbps=max"),
        ("throttleWriteBpsDevice[0]", "io.max", "8:16 wbps=2"),
        ("throttleReadIOPSDevice[0]", "io.max", "8:16 riops=3"),
        ("throttleWriteIOPSDevice[0]", "io.max", "8:16 wiops=4"),
    ]


@pytest.mark.parametrize(("version", "end"), [(1, "limit_in_bytes"), (2, "max")])
def test_huge_pages_are_limited_in_use_and_when_reserved(version: int, end: str) -> None:
    writes = fields.writes({"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}, version)
    assert [(write.controller, write.file, write.value, write.flags) for write in writes] == [
        ("hugetlb", f"hugetlb.2MB.{end}", "0", 0),
        ("hugetlb", f"hugetlb.2MB.rsvd.{end}", "0", fields.OPTIONAL),
    ]


def test_traffic_classes_and_priorities_are_those_of_version_1() -> None:
    network = {"classID": 0x100001, "priorities": [{"name": "lo", "priority": 5}, {"name": "eth0", "priority": 0}]}
    writes = fields.writes({"network": network}, 1)
    assert [(write.controller, write.file, write.value) for write in writes] == [
        ("net_cls", "net_cls.classid", "1048577"),
        ("net_prio", "net_prio.ifpriomap", "lo 5"),
        ("net_prio", "net_prio.ifpriomap", "eth0 0"),
    ]


@pytest.mark.parametrize("version", [1, 2])
def test_rdma_limits_name_only_what_is_given(version: int) -> None:
    rdma = {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}, "mlx4_0": {"hcaObjects": 0}}
    writes = fields.writes({"rdma": rdma}, version)
    assert [(write.file, write.value) for write in writes] == [
        ("rdma.max", "mlx5_1 hca_handle=3 hca_object=10000"),
        ("rdma.max", "mlx4_0 hca_object=0"),
    ]


@pytest.mark.parametrize("version", [1, 2])
def test_kernel_memory_and_hierarchy_are_ignored_as_the_specification_says(version: int) -> None:
    memory = {"kernel": 1, "kernelTCP": 2, "useHierarchy": False}
    assert fields.writes({"memory": memory}, version) == []


@pytest.mark.parametrize("version", [1, 2])
def test_a_swappiness_of_minus_one_as_docker_wrote_it_is_none(version: int) -> None:
    assert fields.writes({"memory": {"swappiness": 2**64 - 1}}, version) == []
