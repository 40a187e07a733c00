"""The arrows between the rooms point down only (design: rooms)."""

from __future__ import annotations

import re

import pytest

from tests.meta.sources import ROOT, Import, imports, modules, room

# From the top.  A room may import what stands below it, and itself; rooms of one line know nothing of each other.
FLOORS = (
    ("boot",),
    ("__main__",),
    ("cli",),
    ("",),
    ("aio", "sandbox", "container", "check"),
    ("runtime",),
    ("plan", "cgroup", "state", "criu", "executor"),
    ("host",),
    ("program", "spec"),
    ("packing",),
    ("errors", "pack"),
    ("system", "version"),
    ("system_path",),
)

# Arrows that point up all the same, each with its reason.
ALLOWED = {
    ("orlop.host.probe", "orlop.plan.facts"): "what a plan is told of the host is defined where it is read",
    ("orlop.spec.features", "orlop.plan.mount_options"): "`features` lists the planner's own table of mount options",
}

FLOOR = {name: number for number, floor in enumerate(FLOORS) for name in floor}


def points_down(one: Import) -> bool:
    above, below = room(one.importer), room(one.name)
    if above == below or (one.typing and below in ("spec", "program", "errors")):
        return True
    return FLOOR[above] < FLOOR[below] or (one.importer, one.name) in ALLOWED


def test_every_room_has_its_floor() -> None:
    assert {room(module) for module in modules()} - set(FLOOR) == set()


@pytest.mark.parametrize("name", sorted({room(module) for module in modules()}))
def test_a_room_imports_only_what_lies_below_it(name: str) -> None:
    wrong = [
        one
        for module in modules()
        if room(module) == name
        for one in imports(module)
        if one.name.partition(".")[0] == "orlop" and not points_down(one)
    ]
    assert wrong == []


def test_the_architecture_tells_of_every_room() -> None:
    rows = [line for line in (ROOT / "docs/architecture.md").read_text().splitlines() if line.startswith("| `")]
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    untold = {"", "__main__", "boot", "version", "aio", "sandbox", "criu"}  # of one idea, or still to come
    assert set(told) == set(FLOOR) - untold
    assert [FLOOR[name] for name in told] == sorted(FLOOR[name] for name in told)


def test_no_exception_is_left_that_nobody_needs() -> None:
    made = {(one.importer, one.name) for module in modules() for one in imports(module)}
    assert set(ALLOWED) - made == set()


def test_a_plan_is_made_without_the_kernel_and_the_environment() -> None:
    """`spec`, `program` and `plan` compute (design: what runs where): they import nothing that can do more."""
    outward = {"os", "posix", "fcntl", "socket", "_socket", "select", "subprocess", "signal", "_signal", "time"}
    pure = {"spec", "program", "plan"}
    wrong = [
        one
        for module in modules()
        if room(module) in pure
        for one in imports(module)
        if not one.typing and (one.name in outward or one.name == "orlop.system")
    ]
    assert wrong == []
