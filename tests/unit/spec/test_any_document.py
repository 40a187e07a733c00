"""Any JSON document, and any mutation of a valid config, is planned or fails with a clean error, and with no other."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orlop.check.doubts import doubts
from orlop.errors import ConfigError, OrlopError
from orlop.plan.container import container_program
from orlop.plan.facts import Facts, Request
from orlop.program.encode import encode
from orlop.program.verify import verify
from orlop.spec.load import load
from orlop.spec.table import rows
from orlop.spec.template import default, rootless
from tests.unit.spec.predraft import sample

if TYPE_CHECKING:
    from orlop.spec.types import Spec

CALM = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)

NAMES = sorted({name for row in rows() for name in row.path.replace("[]", "").replace("{}", "").split(".")})
WORDS = st.sampled_from(
    "/ /proc /dev /a/../b . .. bind rbind ro idmap private size=1 proc tmpfs cgroup network user time pid mount "
    "CAP_KILL RLIMIT_NOFILE SCHED_RR SCHED_DEADLINE IOPRIO_CLASS_RT LINUX32 MPOL_BIND SCMP_ACT_NOTIFY SCMP_ACT_ALLOW "
    "boottime pre-draft 1.0.0 c b p 0-3 rwm A=B net.ipv4.x 2MB".split()
) | st.text(max_size=6)
NUMBERS = st.sampled_from([-1, 0, 1, 7, 100, 2**16, 2**31, 2**32, 2**63, 2**64, -(2**63)]) | st.integers()
LEAVES = st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False, allow_infinity=False) | WORDS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | WORDS, inner, max_size=4),
    max_leaves=12,
)


def judged(document: object) -> None:
    """Load and plan it, as often as it can be; nothing but our own errors may come out."""
    try:
        spec = load(json.dumps(document).encode())
    except ConfigError as error:
        assert error.problems and all(problem.message for problem in error.problems)
        return
    doubts(deepcopy(spec))
    for facts in (Facts(unified=True), Facts(makes_nodes=False, architecture="aarch64")):
        try:
            program = container_program(spec, facts, Request(container_id="any"))
        except OrlopError as error:
            assert str(error)
            continue
        assert verify(program) == []
        encode(program)


def place_in(document: object, choose: st.DataObject) -> tuple[dict[str, object] | list[object], str | int]:
    """Some place in a document: the object or array, and the name or index in it."""
    here = document
    while True:
        assert isinstance(here, (dict, list))
        keys: list[str | int] = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = choose.draw(st.sampled_from(keys))
        below = here[key]  # type: ignore[index]
        if not (isinstance(below, (dict, list)) and below) or choose.draw(st.integers(0, 3)) == 0:
            return here, key
        here = below


def mutated(config: object, choose: st.DataObject) -> object:
    for _ in range(choose.draw(st.integers(1, 3))):
        parent, key = place_in(config, choose)
        value = choose.draw(VALUES)
        if isinstance(parent, list):
            assert isinstance(key, int)
            how = choose.draw(st.sampled_from(("set", "insert", "repeat")))
            if how == "set":
                parent[key] = value
            else:
                parent.insert(key, value if how == "insert" else deepcopy(parent[key]))
        else:
            assert isinstance(key, str)
            how = choose.draw(st.sampled_from(("set", "drop", "add")))
            if how == "drop" and len(parent) > 1:
                del parent[key]
            else:
                parent[choose.draw(st.sampled_from(NAMES)) if how == "add" else key] = value
    return config


@CALM
@given(VALUES)
def test_any_document_is_planned_or_refused(document: object) -> None:
    judged(document)


@CALM
@given(st.data())
def test_any_mutation_of_the_template_is_planned_or_refused(choose: st.DataObject) -> None:
    judged(mutated(deepcopy(default(cgroup2=True)), choose))


@CALM
@given(st.data())
def test_any_mutation_of_a_rootless_config_is_planned_or_refused(choose: st.DataObject) -> None:
    spec: Spec = rootless(default(cgroup2=True), 1000, 1000)
    judged(mutated(deepcopy(spec), choose))


@CALM
@given(st.data())
def test_any_mutation_of_a_pre_draft_config_is_planned_or_refused(choose: st.DataObject) -> None:
    judged(mutated(sample(), choose))


@CALM
@given(st.sampled_from([row.path for row in rows() if "[]" not in row.path and "{}" not in row.path]), VALUES)
def test_any_value_in_any_field_is_planned_or_refused(path: str, value: object) -> None:
    config: dict[str, object] = {**deepcopy(default(cgroup2=True))}
    *parents, last = path.split(".")
    here = config
    for name in parents:
        below = here.setdefault(name, {})
        assert isinstance(below, dict)
        here = below
    here[last] = value
    judged(config)


@CALM
@given(st.binary(max_size=40))
def test_any_bytes_are_refused(data: bytes) -> None:
    try:
        load(data)
    except ConfigError as error:
        assert error.problems
    else:
        raise AssertionError("it was loaded")
