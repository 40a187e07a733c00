from __future__ import annotations

import pytest

from orlop.errors import ConfigError
from orlop.plan.facts import Facts, Request
from orlop.program.ops import Op
from orlop.spec.types import Spec
from tests.unit.plan.planning import Plan, container, exec_, number, spec

PROFILE, LABEL = "container-default", "system_u:system_r:container_t:s0:c1,c2"
MODULES = Facts(unified=True, apparmor=True, selinux=True)


def written(plan: Plan, field: str) -> list[tuple[str, str]]:
    """What is written for a field: path below /proc, text."""
    opened, writes = plan.calls(field, "openat2"), plan.calls(field, "write")
    return [(plan.text(one, 1), plan.text(two, 1)) for one, two in zip(opened, writes, strict=True)]


def test_an_apparmor_profile_is_told_for_the_next_execve() -> None:
    for plan in (
        container(spec(apparmorProfile=PROFILE), facts=MODULES),
        exec_(spec(apparmorProfile=PROFILE), facts=MODULES),
    ):
        assert written(plan, "process.apparmorProfile") == [("self/attr/apparmor/exec", f"exec {PROFILE}")]


def test_an_selinux_label_is_told_for_the_next_execve() -> None:
    plan = exec_(spec(selinuxLabel=LABEL), facts=MODULES)
    assert written(plan, "process.selinuxLabel") == [("self/attr/exec", LABEL)]


@pytest.mark.parametrize("of", ["container", "exec"])
def test_the_session_keyring_has_the_label_too(of: str) -> None:
    config = spec(selinuxLabel=LABEL)
    if of == "container":
        plan = container(config, facts=MODULES)
    else:
        plan = exec_(config, facts=MODULES, request=Request())
    assert written(plan, "process.selinuxLabel") == [("self/attr/keycreate", LABEL), ("self/attr/exec", LABEL)]
    first: Op = plan.calls("process.selinuxLabel", "write")[0]
    assert first.index < plan.first("keyctl")


def test_without_a_new_keyring_nothing_is_told_for_it() -> None:
    plan = container(spec(selinuxLabel=LABEL), facts=MODULES, request=Request(new_keyring=False))
    assert written(plan, "process.selinuxLabel") == [("self/attr/exec", LABEL)]


@pytest.mark.parametrize("of", ["container", "exec"])
def test_labels_are_written_through_the_proc_of_the_host(of: str) -> None:
    config = spec(apparmorProfile=PROFILE, selinuxLabel=LABEL)
    plan = container(config, facts=MODULES) if of == "container" else exec_(config, facts=MODULES)
    (opened,) = [op for op in plan.calls("process", "openat") if plan.text(op, 1) == "/proc"]
    assert opened.index < plan.first("clone3")
    assert opened.index < min([plan.first("setns")] if of == "exec" else [plan.first("pivot_root")])


def test_labels_come_before_no_new_privileges() -> None:
    plan = container(spec(apparmorProfile=PROFILE, noNewPrivileges=True), facts=MODULES)
    written_at = plan.only("process.apparmorProfile", "write").index
    assert written_at < plan.only("process.noNewPrivileges", "prctl").index


def test_without_labels_nothing_is_opened() -> None:
    plan = container(spec(apparmorProfile="", selinuxLabel=""))
    assert not [op for op in plan.calls("process", "openat") if plan.text(op, 1) == "/proc"]


def test_a_kernel_without_the_modules_is_an_error_for_each_field() -> None:
    config = spec(apparmorProfile=PROFILE, selinuxLabel=LABEL)
    with pytest.raises(ConfigError) as caught:
        container(config)
    assert [problem.field for problem in caught.value.problems] == ["process.apparmorProfile", "process.selinuxLabel"]
    assert "apparmor: config provided but apparmor not supported" in str(caught.value)
    assert "selinux label is specified in config, but selinux is disabled or not supported" in str(caught.value)


def with_mount_label(label: str) -> Spec:
    config = spec()
    config["linux"]["mountLabel"] = label
    return config


def test_a_mount_label_without_selinux_is_an_error() -> None:
    with pytest.raises(
        ConfigError, match=r"linux.mountLabel: selinux label is specified in config, but selinux is disabled"
    ):
        container(with_mount_label(LABEL))


def test_a_mount_label_is_the_context_of_new_file_systems_but_not_of_proc_and_sysfs() -> None:
    plan = container(with_mount_label(LABEL), facts=MODULES)
    contexts = [op for op in plan.ops if op.name == "fsconfig" and op.args[2] and plan.text(op, 2) == "context"]
    assert {plan.text(op, 3) for op in contexts} == {LABEL}
    mounts = [op.purpose.wording.split('"')[1] for op in contexts if op.purpose.field.startswith("mounts")]
    assert set(mounts) == {"tmpfs", "devpts", "shm"}
    assert "linux.maskedPaths" in {op.purpose.field for op in contexts}


def test_message_queues_have_the_mount_label_as_an_attribute() -> None:
    plan = container(with_mount_label(LABEL), facts=MODULES)
    (op,) = [op for op in plan.ops if op.name == "fsetxattr"]
    assert plan.text(op, 1) == "security.selinux"
    assert plan.memory(op, 2, number(op, 3)) == LABEL.encode()
    assert op.purpose.wording.startswith('error mounting "mqueue"')


def test_an_exec_does_not_ask_for_the_label_of_mounts() -> None:
    exec_(with_mount_label(LABEL))
