"""From fields of linux.resources to values of files."""

from __future__ import annotations

import pytest

from orlop.cgroup import fields
from orlop.errors import ConfigError


def _written(resources: dict[str, object], version: int) -> dict[str, str]:
    return {write.file: write.value for write in fields.writes(resources, version)}


@pytest.mark.parametrize(
    ("shares", "weight"),
    [(0, None), (1, 1), (2, 1), (3, 2), (4, 2), (100, 17), (1024, 100), (8192, 532), (262143, 10000), (1 << 40, 10000)],
)
def test_cpu_shares_become_a_weight(shares: int, weight: int | None) -> None:
    expected = {} if weight is None else {"cpu.weight": str(weight)}
    assert _written({"cpu": {"shares": shares}}, 2) == expected


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
        "blockIO": {"weight": 0, "weightDevice": []},
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
        ({"blockIO": {"weight": 10}, "rdma": {"a": {"hcaHandles": 1}}}, 2, r"blockIO: not supported yet.*rdma: not"),
    ],
)
def test_unusable_values_name_the_field(resources: dict[str, object], version: int, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^linux\.resources\..*{message}"):
        fields.writes(resources, version)
