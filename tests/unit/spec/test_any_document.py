"""Any JSON document, and any mutation of a valid config, is planned or fails with a clean error, and with no other."""

from __future__ import annotations

import json
import os
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orlop.cgroup import device_program, devices, fields, systemd_properties
from orlop.check.doubts import doubts
from orlop.check.report import report
from orlop.errors import ConfigError, OrlopError
from orlop.host.seccomp import Library, compile_filter
from orlop.plan.container import container_program
from orlop.plan.facts import Facts, Request
from orlop.plan.join import exec_program
from orlop.program.encode import encode
from orlop.program.verify import verify
from orlop.runtime.merge import ignored, merged
from orlop.spec.load import check_resources, load, load_process, load_resources
from orlop.spec.rootless import check_rootless
from orlop.spec.table import rows
from orlop.spec.template import default, rootless
from tests.unit.spec.predraft import sample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orlop.spec.types import Spec

# EXAMPLES=100000 looks for an hour, and elsewhere each time.
EXAMPLES = int(os.environ.get("EXAMPLES", "0"))
CALM = settings(
    max_examples=EXAMPLES or 150,
    deadline=None,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

# What Docker, Podman, Buildah, containerd and its CRI wrote for containers of ours, their lists cut short.
ENGINES = {path.stem: path.read_text("utf-8") for path in sorted((Path(__file__).parent / "engines").glob("*.json"))}

NAMES = sorted({name for row in rows() for name in row.path.replace("[]", "").replace("{}", "").split(".")})
STRANGE = ["", "\0", "\n", "/", "..", " ", ",", "=", "\ud800", "\u202e", "-", "%s", "x" * 5000]
PIECES = st.sampled_from(STRANGE) | st.text(max_size=3)
KNOWN = st.sampled_from(
    "/ /proc /dev /a/../b . .. bind rbind ro idmap private size=1 proc tmpfs cgroup network user time pid mount "
    "CAP_KILL RLIMIT_NOFILE SCHED_RR SCHED_DEADLINE IOPRIO_CLASS_RT LINUX32 MPOL_BIND SCMP_ACT_NOTIFY SCMP_ACT_ALLOW "
    "boottime pre-draft 1.0.0 c b p 0-3 rwm A=B net.ipv4.x 2MB".split()
)
WORDS = KNOWN | st.text(max_size=6) | PIECES
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
    check_rootless(deepcopy(spec))
    host_side(spec)
    for facts in (Facts(unified=True), Facts(makes_nodes=False, architecture="aarch64")):
        try:
            program = container_program(spec, facts, Request(container_id="any"))
        except OrlopError as error:
            assert str(error)
            continue
        assert verify(program) == []
        encode(program)


def host_side(spec: Spec) -> None:
    """What the supervisor makes of a config that has been checked, as far as it needs no host."""
    linux = spec.get("linux") or {}
    resources = linux.get("resources")
    limits(resources)
    profile = linux.get("seccomp")
    if profile:
        try:
            compile_filter(profile, seccomp_library())
        except OrlopError as error:
            assert str(error)


def limits(resources: Mapping[str, object] | None) -> None:
    for version in (1, 2):
        try:
            writes = systemd_properties.rounded(fields.writes(resources, version))
        except ConfigError as error:
            assert error.problems
            continue
        assert all(str(write) for write in writes)
        systemd_properties.properties(writes, version)
    try:
        policy = devices.policy(resources, ["/dev/null"])
    except ConfigError as error:
        assert error.problems
        return
    assert device_program.describe(device_program.program(policy))
    systemd_properties.device_properties(policy)
    devices.transition(devices.policy(None), policy)


@cache
def seccomp_library() -> Library:
    return Library()


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


def another(value: object, choose: st.DataObject) -> object:
    """A value near to this one, or any."""
    if isinstance(value, str) and choose.draw(st.booleans()):
        at = choose.draw(st.integers(0, len(value)))
        return value[:at] + choose.draw(PIECES) + value[at + choose.draw(st.integers(0, 2)) :]
    if type(value) is int and choose.draw(st.booleans()):
        return choose.draw(st.sampled_from([-value, value + 1, value - 1, value << 32, float(value), str(value)]))
    return choose.draw(VALUES | elsewhere())


def elsewhere() -> st.SearchStrategy[object]:
    """A part of some engine's config."""
    parts: list[object] = []

    def collect(value: object) -> None:
        parts.append(value)
        for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            collect(below)

    for text in ENGINES.values():
        collect(json.loads(text))
    return st.sampled_from(parts).map(deepcopy)


def mutated(config: object, choose: st.DataObject, most: int = 3) -> object:
    for _ in range(choose.draw(st.integers(1, most))):
        parent, key = place_in(config, choose)
        if isinstance(parent, list):
            assert isinstance(key, int)
            how = choose.draw(st.sampled_from(("set", "insert", "repeat")))
            if how == "set":
                parent[key] = another(parent[key], choose)
            else:
                parent.insert(key, choose.draw(VALUES) if how == "insert" else deepcopy(parent[key]))
        else:
            assert isinstance(key, str)
            how = choose.draw(st.sampled_from(("set", "drop", "add")))
            if how == "drop" and len(parent) > 1:
                del parent[key]
            elif how == "add":
                parent[choose.draw(st.sampled_from(NAMES))] = choose.draw(VALUES | elsewhere())
            else:
                parent[key] = another(parent[key], choose)
    return config


@CALM
@given(VALUES)
def test_any_document_is_planned_or_refused(document: object) -> None:
    judged(document)


@CALM
@given(st.data())
def test_any_mutation_of_the_template_is_planned_or_refused(choose: st.DataObject) -> None:
    judged(mutated(deepcopy(default(cgroup2=True)), choose))


@pytest.mark.parametrize("engine", ENGINES)
@CALM
@given(choose=st.data())
def test_any_mutation_of_what_an_engine_writes_is_planned_or_refused(engine: str, choose: st.DataObject) -> None:
    judged(mutated(json.loads(ENGINES[engine]), choose, 6))


@CALM
@given(st.data())
def test_any_hook_is_planned_or_refused(choose: st.DataObject) -> None:
    hook = {"path": "/bin/hook", "args": ["hook", "a"], "env": ["A=b"], "timeout": 5}
    kinds = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
    hooks = mutated({kind: [deepcopy(hook)] for kind in kinds}, choose)
    judged({**default(cgroup2=True), "hooks": hooks})


@CALM
@given(st.sampled_from(sorted(ENGINES)), st.data())
def test_any_process_of_an_exec_is_planned_or_refused(engine: str, choose: st.DataObject) -> None:
    config = load(ENGINES[engine].encode())
    document = mutated(deepcopy(config["process"]), choose)
    try:
        process = load_process(json.dumps(document).encode())
    except ConfigError as error:
        assert error.problems
        return
    try:
        program = exec_program(config, process, Facts(unified=True), Request(container_id="any"))
    except OrlopError as error:
        assert str(error)
        return
    assert verify(program) == []
    encode(program)


LIMITS = {
    "memory": {"limit": 1 << 26, "reservation": 1 << 25, "swap": 1 << 27, "swappiness": 10, "checkBeforeUpdate": True},
    "cpu": {"shares": 512, "quota": 50000, "period": 100000, "burst": 1, "cpus": "0-3", "mems": "0", "idle": 0},
    "pids": {"limit": 50},
    "blockIO": {
        "weight": 100,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 10}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
    },
    "hugepageLimits": [{"pageSize": "2MB", "limit": 1 << 21}],
    "network": {"classID": 1048577, "priorities": [{"name": "lo", "priority": 5}]},
    "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}},
    "unified": {"memory.high": "1000"},
    "devices": [{"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"}],
}


@CALM
@given(st.data())
def test_any_change_of_limits_is_merged_or_refused(choose: st.DataObject) -> None:
    document = mutated(deepcopy(LIMITS), choose)
    try:
        change = load_resources(json.dumps(document).encode(), "standard input")
        check_resources(change)
    except ConfigError as error:
        assert error.problems
        return
    for before in (None, LIMITS):
        ignored(before, change)
        limits(merged(before, change))


@settings(CALM, max_examples=EXAMPLES // 10 or 40)
@given(st.sampled_from([*sorted(ENGINES), "pre-draft"]), st.data())
def test_any_mutation_can_be_checked(engine: str, choose: st.DataObject) -> None:
    document = mutated(json.loads(ENGINES[engine]) if engine in ENGINES else sample(), choose)
    with TemporaryDirectory() as bundle:
        Path(bundle, "config.json").write_text(json.dumps(document))
        for finding in report(bundle):
            json.dumps(finding.document())
            assert str(finding)


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
