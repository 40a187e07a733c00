from __future__ import annotations

from struct import unpack

import pytest

from orlop.spec.types import Spec
from tests.unit.plan.planning import container, exec_, number, spec


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"policy": "SCHED_OTHER", "nice": -5}, (0, 0, -5, 0, 0, 0, 0)),
        ({"policy": "SCHED_FIFO", "priority": 50}, (1, 0, 0, 50, 0, 0, 0)),
        ({"policy": "SCHED_RR", "priority": 1, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, (2, 1, 0, 1, 0, 0, 0)),
        ({"policy": "SCHED_BATCH", "nice": 19}, (3, 0, 19, 0, 0, 0, 0)),
        ({"policy": "SCHED_IDLE", "flags": [f"SCHED_FLAG_{name}" for name in ("UTIL_CLAMP_MIN", "KEEP_PARAMS")]},
         (5, 0x30, 0, 0, 0, 0, 0)),
        ({"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 2**63}, (6, 0, 0, 0, 1, 2, 2**63)),
    ],
)  # fmt: skip
def test_a_scheduler_is_the_kernels_struct(row: dict[str, object], expected: tuple[int, ...]) -> None:
    for plan in (container(spec(scheduler=row)), exec_(spec(scheduler=row))):
        call = plan.only("process.scheduler", "sched_setattr")
        assert (number(call, 0), number(call, 2)) == (0, 0)
        assert unpack("<IIQiIQQQII", plan.memory(call, 1, 56)) == (56, *expected, 0, 0)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"class": "IOPRIO_CLASS_RT", "priority": 0}, 0x2000),
        ({"class": "IOPRIO_CLASS_BE", "priority": 7}, 0x4007),
        ({"class": "IOPRIO_CLASS_IDLE"}, 0x6000),
    ],
)
def test_an_io_priority_is_for_the_process_group(row: dict[str, object], expected: int) -> None:
    plan = container(spec(ioPriority=row))
    call = plan.only("process.ioPriority", "ioprio_set")
    assert call.args[:3] == (2, 0, expected)
    assert call.index > plan.first("setsid")


def with_policy(**row: object) -> Spec:
    config = spec()
    config["linux"]["memoryPolicy"] = row  # type: ignore[typeddict-item]
    return config


@pytest.mark.parametrize(
    ("row", "mode", "nodes"),
    [
        ({"mode": "MPOL_BIND", "nodes": "0"}, 2, [0]),
        ({"mode": "MPOL_INTERLEAVE", "nodes": "0-2,63,1023", "flags": ["MPOL_F_STATIC_NODES"]},
         0x8003, [0, 1, 2, 63, 1023]),
        ({"mode": "MPOL_PREFERRED_MANY", "nodes": "1", "flags": ["MPOL_F_RELATIVE_NODES", "MPOL_F_NUMA_BALANCING"]},
         0x6005, [1]),
        ({"mode": "MPOL_WEIGHTED_INTERLEAVE", "nodes": "64"}, 6, [64]),
    ],
)  # fmt: skip
def test_a_memory_policy_has_its_nodes_as_a_bitmap(row: dict[str, object], mode: int, nodes: list[int]) -> None:
    plan = container(with_policy(**row))
    call = plan.only("linux.memoryPolicy", "set_mempolicy")
    assert (number(call, 0), number(call, 2)) == (mode, 1025)
    bits = int.from_bytes(plan.memory(call, 1, 128), "little")
    assert [bit for bit in range(1024) if bits >> bit & 1] == nodes


@pytest.mark.parametrize(("mode", "number_of_it"), [("MPOL_DEFAULT", 0), ("MPOL_PREFERRED", 1), ("MPOL_LOCAL", 4)])
def test_a_memory_policy_without_nodes_has_no_bitmap(mode: str, number_of_it: int) -> None:
    for row in ({"mode": mode}, {"mode": mode, "nodes": ""}):
        assert container(with_policy(**row)).only("linux.memoryPolicy", "set_mempolicy").args[:3] == (
            number_of_it,
            0,
            0,
        )


def test_an_exec_has_the_memory_policy_of_the_container() -> None:
    assert exec_(with_policy(mode="MPOL_LOCAL")).only("linux.memoryPolicy", "set_mempolicy").args[0] == 4


def test_without_an_affinity_an_exec_gets_all_processors() -> None:
    plan = exec_(spec())
    (call,) = [op for op in plan.ops if op.name == "sched_setaffinity"]
    assert plan.memory(call, 2, 128) == b"\xff" * 128


def test_the_affinity_of_an_exec_is_set_before_the_clone_and_after_the_cgroup_is_joined() -> None:
    plan = exec_(spec(execCPUAffinity={"initial": "0-3,7", "final": "70"}))
    initial = plan.only("process.execCPUAffinity.initial", "sched_setaffinity")
    final = plan.only("process.execCPUAffinity.final", "sched_setaffinity")
    assert (number(initial, 1), plan.memory(initial, 2, 8)) == (8, bytes([0x8F]) + bytes(7))
    assert (number(final, 1), plan.memory(final, 2, 16)) == (16, (1 << 70).to_bytes(16, "little"))
    assert initial.index < plan.first("clone3") < final.index
    assert plan.program.names.count("sched_setaffinity") == 2


@pytest.mark.parametrize("only", ["initial", "final"])
def test_either_affinity_alone_is_not_reset(only: str) -> None:
    plan = exec_(spec(execCPUAffinity={only: "1"}))
    assert plan.program.names.count("sched_setaffinity") == 1


@pytest.mark.parametrize("empty", [{}, {"initial": "", "final": ""}])
def test_an_empty_affinity_is_none(empty: dict[str, object]) -> None:
    (call,) = [op for op in exec_(spec(execCPUAffinity=empty)).ops if op.name == "sched_setaffinity"]
    assert call.purpose.field == "process"


def test_the_first_process_of_a_container_has_no_use_for_the_affinity_of_execs() -> None:
    plan = container(spec(execCPUAffinity={"initial": "0", "final": "0"}))
    assert [op.purpose.field for op in plan.ops if op.name == "sched_setaffinity"] == ["process"]
