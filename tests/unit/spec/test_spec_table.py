"""The table as a whole: every row refuses what is not of its kind, and the walker names the place."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orlop.spec.check import check
from orlop.spec.table import Row, rows
from orlop.spec.template import default
from orlop.spec.walk import Shape, check_object, nested

ROWS = list(rows())
# A value of the wrong JSON type for each kind.
WRONG: dict[str, object] = {"boolean": 1, "integer": "1", "version": 1}


def document_with(path: str, value: object) -> tuple[object, str]:
    """Return a document that has only `value`, at `path`, and the path as errors name it."""
    document, place = value, ""
    for step in reversed(path.replace("[]", "/[]").replace("{}", "/{}").replace(".", "/").split("/")):
        if step == "[]":
            document, place = [document], f"[0].{place}"
        elif step == "{}":
            name = "boottime" if "timeOffsets" in path else "cpu.max" if "unified" in path else "name"
            document, place = {name: document}, f'["{name}"].{place}'
        else:
            document, place = {step: document}, f"{step}.{place}"
    return document, place.replace(".[", "[").strip(".")


def test_the_table_has_every_section() -> None:
    paths = {row.path for row in ROWS}
    assert {"root.path", "mounts[].destination", "process.rlimits[].soft", "hooks.poststop[].timeout"} <= paths
    assert {"linux.resources.memory.limit", "linux.seccomp.syscalls[].args[].op", "linux.timeOffsets{}.secs"} <= paths
    assert len(paths) == len(ROWS) > 190


@pytest.mark.rule("V2")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_every_field_refuses_a_value_of_another_type(row: Row) -> None:
    for value in (WRONG.get(row.name, 1.5), [{"a": [3]}], {"a": {"b": [{}]}}):
        if isinstance(value, list) and row.name in ("array", "strings", "args"):
            continue
        if isinstance(value, dict) and row.name in ("object", "map"):
            continue
        document, place = document_with(row.path, value)
        named = [problem for problem in check(document) if problem.field == place]
        assert named, f"{row}: {value!r} passes at {place}"
        assert "must be " in named[0].message


@pytest.mark.parametrize("row", [row for row in ROWS if row.name == "integer"], ids=lambda row: row.path)
def test_every_integer_has_a_width(row: Row) -> None:
    for value in (-(2**63) - 1, 2**64):
        document, place = document_with(row.path, value)
        problems = [problem for problem in check(document) if problem.field == place]
        assert len(problems) == 1
        assert "must be from" in problems[0].message


@pytest.mark.parametrize("row", [row for row in ROWS if row.name == "integer"], ids=lambda row: row.path)
def test_a_boolean_and_a_fraction_are_no_integers(row: Row) -> None:
    for value, text in ((True, "not a boolean"), (1.0, "not 1.0")):
        document, place = document_with(row.path, value)
        assert [text in problem.message for problem in check(document) if problem.field == place] == [True]


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        ("process.scheduler.nice", -(2**31), 2**31 - 1),
        ("process.user.umask", 0, 2**32 - 1),
        ("linux.resources.blockIO.weight", 0, 2**16 - 1),
        ("linux.resources.cpu.quota", -(2**63), 2**63 - 1),
        ("linux.resources.cpu.shares", 0, 2**64 - 1),
    ],
)
def test_each_width_reaches_to_its_limits_and_no_further(path: str, low: int, high: int) -> None:
    for value, good in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
        document, place = document_with(path, value)
        assert (place not in [problem.field for problem in check(document)]) is good


def test_all_problems_are_reported_at_once() -> None:
    document = {
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs"},
        "process": {"args": ["sh"], "cwd": "there", "env": ["A=1", "B"]},
        "mounts": [{"destination": "/a"}, {"type": "tmpfs"}, {"destination": "/c", "options": ["ro", 5]}],
    }
    assert [problem.field for problem in check(document)] == [
        "process.cwd", "process.env[1]", "mounts[1].destination", "mounts[2].options[1]",
    ]  # fmt: skip


def test_what_is_not_an_object_is_refused() -> None:
    documents: tuple[object, ...] = ([], "text", 3)
    for document in documents:
        assert [problem.message.split(",")[0] for problem in check(document)] == ["must be an object"]


def test_a_null_member_counts_as_absent() -> None:
    document: dict[str, object] = {**default(cgroup2=True), "hooks": None, "unknown": None}
    assert check(document) == []
    assert "hooks" not in document
    assert check({"ociVersion": "1.3.0", "root": None}, process=False)[0].field == "root"


def test_a_null_in_a_map_is_refused() -> None:
    document = {**default(cgroup2=True), "annotations": {"a": None}}
    assert [str(problem) for problem in check(document)] == ['annotations["a"]: must be a string, not null']


def test_a_rule_runs_only_on_members_that_are_well_formed() -> None:
    shape = Shape("test", {"a": nested(Shape("test", {}))}, rule=lambda _: pytest.fail("ran"))
    assert [problem.field for problem in check_object({"a": 1}, shape)] == ["a"]


def _places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    steps = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [path, *(place for step, inner in steps for place in _places(inner, (*path, step)))]


TEMPLATE: dict[str, object] = {**default(cgroup2=True)}
JUNK: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]) | st.just({})
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(_places(TEMPLATE)[1:]), st.recursive(JUNK, lambda inner: st.lists(inner, max_size=2)))
def test_no_mutation_of_the_template_makes_the_check_fail_itself(place: tuple[str | int, ...], junk: object) -> None:
    document: object = deepcopy(TEMPLATE)
    here = document
    for step in place[:-1]:
        here = here[step]  # type: ignore[index]
    here[place[-1]] = junk  # type: ignore[index]
    for problem in check(document):
        assert problem.field
        assert problem.message[0] != " "


def test_a_config_that_is_null_is_told_in_runcs_words() -> None:
    assert [str(problem) for problem in check(None)] == ["config.json: config cannot be null"]
