"""The limits of an update join those of the container."""

from __future__ import annotations

import copy

import pytest

from orlop.runtime.merge import ignored, merged

DISK = {"major": 8, "minor": 0}


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ({"memory": {"limit": 9, "swappiness": 5}}, {"memory": {"swap": 3}}, {"limit": 9, "swappiness": 5, "swap": 3}),
        ({"memory": {"limit": 9, "swap": 3}}, {"memory": {"limit": -1}}, {"limit": -1, "swap": 0}),
        ({"memory": {"limit": 9}}, {"memory": {"limit": -1, "swap": 7}}, {"limit": -1, "swap": 7}),
        ({"memory": {"limit": 9, "checkBeforeUpdate": True}}, {"memory": {}}, {"limit": 9}),
        ({"memory": {"limit": 9}}, {"memory": {"kernel": 7, "swappiness": 7}}, {"limit": 9}),
    ],
)
def test_memory(before: dict[str, object], change: dict[str, object], after: dict[str, object]) -> None:
    assert merged(before, change)["memory"] == after


@pytest.mark.parametrize(
    ("old", "new", "quota", "period"),
    [
        ({"quota": 5, "period": 6}, {}, 0, 0),
        ({"quota": 5, "period": 6}, {"period": 7}, 5, 7),
        ({"quota": 5, "period": 6}, {"quota": -1}, -1, 6),
        ({"quota": 5, "period": 6}, {"quota": 1, "period": 2}, 1, 2),
        ({}, {"quota": 3}, 3, None),
        ({}, {"period": 3}, None, 3),
    ],
)
def test_quota_and_period_stay_together(
    old: dict[str, object], new: dict[str, object], quota: int | None, period: int | None
) -> None:
    cpu = merged({"cpu": old}, {"cpu": new}).get("cpu") or {}
    assert isinstance(cpu, dict)
    assert (cpu.get("quota"), cpu.get("period")) == (quota, period)


def test_burst_cpus_mems_idle_pids_and_unified_are_replaced_even_when_absent() -> None:
    before: dict[str, object] = {
        "cpu": {"shares": 2, "burst": 1, "cpus": "0", "mems": "0", "idle": 1, "realtimeRuntime": 4},
        "pids": {"limit": 5},
        "unified": {"memory.high": "1"},
    }
    assert merged(before, {})["cpu"] == {"shares": 2, "realtimeRuntime": 4, "quota": 0, "period": 0}
    assert not {"pids", "unified"} & merged(before, {}).keys()
    assert merged(before, {"pids": {"limit": 6}})["pids"] == {"limit": 6}


def test_an_idle_container_has_no_shares() -> None:
    cpu = merged({"cpu": {"shares": 100}}, {"cpu": {"idle": 1}})["cpu"]
    assert isinstance(cpu, dict)
    assert cpu["shares"] == 0
    cpu = merged({"cpu": {"shares": 100}}, {"cpu": {"idle": 0, "shares": 5}})["cpu"]
    assert isinstance(cpu, dict)
    assert cpu["shares"] == 5


def test_the_last_row_of_a_device_is_changed_and_a_new_device_added() -> None:
    before: dict[str, object] = {"blockIO": {"throttleReadBpsDevice": [{**DISK, "rate": 1}, {**DISK, "rate": 2}]}}
    kept = copy.deepcopy(before)
    change: dict[str, object] = {
        "blockIO": {
            "weight": 10,
            "throttleReadBpsDevice": [{**DISK, "rate": 3}, {"major": 9, "minor": 9, "rate": 4}],
            "weightDevice": [{**DISK, "weight": 11}],
        }
    }
    assert merged(before, change)["blockIO"] == {
        "weight": 10,
        "throttleReadBpsDevice": [
            {**DISK, "rate": 1},
            {**DISK, "rate": 3},
            {"major": 9, "minor": 9, "rate": 4},
        ],
        "weightDevice": [{**DISK, "weight": 11}],
    }
    assert before == kept


def test_device_rules_huge_pages_network_and_rdma_stay_and_a_wish_to_change_them_is_told() -> None:
    before: dict[str, object] = {"devices": [{"allow": False, "access": "rwm"}], "network": {"classID": 1}}
    change: dict[str, object] = {"devices": before["devices"], "network": {"classID": 2}, "rdma": {}}
    assert merged(before, change) == {**before, "cpu": {"quota": 0, "period": 0}}
    assert ignored(before, change) == ["network"]


def test_how_memory_is_swapped_and_what_its_lack_does_stay_and_a_wish_to_change_them_is_told() -> None:
    before: dict[str, object] = {"memory": {"limit": 5, "swappiness": 7}}
    change: dict[str, object] = {"memory": {"limit": 6, "swappiness": 9, "disableOOMKiller": True}}
    assert merged(before, change)["memory"] == {"limit": 6, "swappiness": 7}
    assert ignored(before, change) == ["memory.swappiness", "memory.disableOOMKiller"]
    assert ignored(before, before) == []
