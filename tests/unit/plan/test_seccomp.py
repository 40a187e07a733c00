from __future__ import annotations

from errno import EFAULT
from struct import unpack

import pytest

from orlop.plan.facts import Request, SeccompFilter
from orlop.plan.seccomp import CAP_SYS_ADMIN
from orlop.plan.seccomp_flags import FLAG_LOG, FLAG_NEW_LISTENER, FLAG_SPEC_ALLOW, FLAG_WAIT_KILLABLE_RECV, flags
from orlop.spec.types import Seccomp, Spec
from tests.unit.plan.planning import Plan, container, exec_, number, spec

FIELD = "linux.seccomp"
CODE = bytes.fromhex("060000000000ff7f")  # return ALLOW
NO_CAPABILITIES: dict[str, list[str]] = {
    "bounding": [],
    "effective": [],
    "permitted": [],
    "inheritable": [],
    "ambient": [],
}


def request(**more: object) -> Request:
    return Request(seccomp=SeccompFilter(CODE, FLAG_LOG), **more)  # type: ignore[arg-type]


def profile(names: list[str] | None, *actions: str) -> Seccomp:
    made: Seccomp = {"defaultAction": "SCMP_ACT_ERRNO"}
    made["syscalls"] = [{"names": ["mkdir"], "action": action} for action in actions]
    if names is not None:
        made["flags"] = names
    return made


def sets(plan: Plan) -> tuple[int, int, int]:
    """Effective, permitted and inheritable of the only capset, lower halves."""
    return unpack("<3I", plan.memory(plan.only("process.capabilities", "capset"), 1, 12))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (None, FLAG_SPEC_ALLOW),
        ([], 0),
        (["SECCOMP_FILTER_FLAG_TSYNC"], 0),
        (["SECCOMP_FILTER_FLAG_LOG"], FLAG_LOG),
        (["SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG"], FLAG_LOG | FLAG_SPEC_ALLOW),
        (["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], 0),
    ],
)
def test_flags_are_those_that_have_an_effect(names: list[str] | None, expected: int) -> None:
    assert flags(profile(names)) == expected


def test_a_rule_that_asks_an_agent_makes_a_listener() -> None:
    asking = profile(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], "SCMP_ACT_ALLOW", "SCMP_ACT_NOTIFY")
    assert flags(asking) == FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV


def test_with_a_listener_the_filter_is_loaded_before_start() -> None:
    config = spec()
    config["hooks"] = {"startContainer": [{"path": "/bin/hook"}]}
    plan = container(config, request=Request(seccomp=SeccompFilter(CODE, FLAG_NEW_LISTENER), fifo="/fifo"))
    loaded = plan.last("seccomp")
    told = next(op.index for op in plan.ops if op.name == "write" and op.index > loaded)
    assert loaded < told < plan.last("clone") < plan.last("execve")
    assert plan.last("prlimit64") < loaded
    # What the filter judges: no more than a profile for runc allows.
    after = {op.name for op in plan.ops[loaded + 1 :] if op.name}
    allowed = {"write", "read", "close", "clone", "memfd_create", "lseek", "dup3", "waitid", "execve", "execveat"}
    allowed |= {"exit_group"}  # where execve fails, as any failure ends
    assert after <= allowed


def test_without_a_filter_seccomp_is_not_called() -> None:
    assert "seccomp" not in container(spec()).program.names
    assert "seccomp" not in exec_(spec()).program.names


@pytest.mark.parametrize("of", ["container", "exec"])
def test_the_filter_is_tried_before_created_and_loaded_right_before_execve(of: str) -> None:
    plan = container(spec(), request=request()) if of == "container" else exec_(spec(), request=request())
    tried, loaded = plan.calls(FIELD, "seccomp")
    created = max(op.index for op in plan.ops if op.purpose.wording == "container init was not started")
    assert tried.index < created < loaded.index
    assert plan.ops[loaded.index + 1].name == "execve"
    assert loaded.index + 1 == plan.last("execve")


def test_a_trial_passes_when_the_kernel_gets_as_far_as_the_program() -> None:
    plan = container(spec(), request=request())
    tried, loaded = plan.calls(FIELD, "seccomp")
    assert tried.policy == ((EFAULT, tried.index + 1),)
    assert loaded.policy == ()
    assert unpack("<HxxxxxxQ", plan.memory(tried, 2, 16)) == (1, 8)


def test_the_kernel_gets_operation_flags_and_program() -> None:
    plan = container(spec(), request=request())
    loaded = plan.calls(FIELD, "seccomp")[1]
    assert loaded.args[:2] == (1, FLAG_LOG)
    count, address = unpack("<HxxxxxxQ", plan.memory(loaded, 2, 16))
    assert (count, plan.program.bytes_at(address, 8)) == (1, CODE)


def test_with_no_new_privileges_no_capability_is_kept() -> None:
    plan = container(spec(noNewPrivileges=True, capabilities=NO_CAPABILITIES), request=request())
    assert sets(plan) == (0, 0, 0)
    assert plan.only("process.noNewPrivileges", "prctl").index < plan.first("seccomp")


def test_without_no_new_privileges_what_loads_the_filter_is_kept_until_execve() -> None:
    plan = container(spec(noNewPrivileges=False, capabilities=NO_CAPABILITIES), request=request())
    assert sets(plan) == (CAP_SYS_ADMIN, CAP_SYS_ADMIN, 0)


def test_what_is_kept_is_never_ambient() -> None:
    capabilities = {**NO_CAPABILITIES, "inheritable": ["CAP_SYS_ADMIN"], "ambient": ["CAP_SYS_ADMIN"]}
    plan = container(spec(noNewPrivileges=False, capabilities=capabilities), request=request())
    raised = [op for op in plan.calls("process.capabilities", "prctl") if number(op, 1) == 2]
    assert raised == []


@pytest.mark.parametrize(("uid", "asked"), [(0, False), (1000, True)])
def test_without_a_capabilities_object_only_another_user_must_raise_it_again(uid: int, asked: bool) -> None:
    config: Spec = spec(noNewPrivileges=False, user={"uid": uid})
    del config["process"]["capabilities"]
    plan = container(config, request=request())
    assert [op.name for op in plan.calls(FIELD)].count("capget") == asked


def test_a_start_container_hook_has_the_filter_too_and_others_have_not() -> None:
    hook = {"path": "/bin/true"}
    config = spec()
    config["hooks"] = {"createContainer": [hook], "startContainer": [hook]}  # type: ignore[list-item]
    plan = container(config, request=request())
    executions = [op.index for op in plan.ops if op.name == "execve"]
    guarded = [plan.ops[index - 1].name == "seccomp" for index in executions]
    fields = [plan.ops[index].purpose.field for index in executions]
    assert dict(zip(fields, guarded, strict=True)) == {
        "hooks.createContainer[0]": False,
        "hooks.startContainer[0]": True,
        "process.args[0]": True,
    }
