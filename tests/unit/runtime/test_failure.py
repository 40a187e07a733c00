"""Which words an operation that failed comes to."""

from __future__ import annotations

import errno

import pytest

from orlop.errors import KernelError
from orlop.executor.link import Event
from orlop.plan.facts import CgroupEntry, Request
from orlop.program.layout import EVENT_FAILED
from orlop.runtime.failure import failure
from tests.unit.plan import planning


def refused(op: int, plan: planning.Plan, code: int) -> KernelError:
    return failure(plan.program, Event(EVENT_FAILED, op, code, b"", ()))


def test_a_cgroup_that_takes_no_process_is_told_of_in_runcs_words() -> None:
    """Its tests look for them (cgroups(7), "no internal processes")."""
    request = Request(container_id="box", cgroup=CgroupEntry(directory="/sys/fs/cgroup/box"))
    plan = planning.container(planning.spec(), request=request)
    error = refused(plan.last("clone3"), plan, errno.EBUSY)
    assert str(error).startswith("error adding pid of the process to cgroups: clone3: device or resource busy")
    assert error.field == "linux.cgroupsPath" and "those below it" in str(error.hint)


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.EPERM])
def test_another_failure_to_clone_is_not_the_cgroups(code: int) -> None:
    plan = planning.container(planning.spec())
    assert "cgroups" not in str(refused(plan.last("clone3"), plan, code))
