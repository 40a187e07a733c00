"""A further process in a container that runs: `exec`.

executor: setns(pidfd of init, all but cgroup) ── clone ──▶ write "0" to the cgroup's task files; setns(cgroup);
                                                            credentials; wait for the supervisor; execve
"""

from __future__ import annotations

from errno import EPERM

from orlop.plan.clone import (
    FLAGS,
    become_root,
    clone_process,
    oom_score,
    open_cgroup,
    protect,
    reset_affinity,
    write_tasks,
)
from orlop.plan.command import execute, wait_for_start
from orlop.plan.console import open_console_of_exec, take_console
from orlop.plan.construction import Construction
from orlop.plan.facts import PIDFD_AFTER_CONTROL
from orlop.plan.labels import label_keyring, open_procfs
from orlop.plan.limits import raise_limits, set_limits
from orlop.plan.process import become_the_process
from orlop.plan.scheduling import final_affinity, initial_affinity
from orlop.plan.seccomp import listens
from orlop.plan.system import new_session
from orlop.program import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.facts import Facts, Request
    from orlop.program.ops import Program
    from orlop.spec.types import Process, Spec


def exec_program(spec: Spec, process: Process, facts: Facts, request: Request) -> Program:
    """The program that runs a process in the container of this config."""
    c = Construction(spec, process, facts, request)
    _keep_pidfd(c)
    oom_score(c)
    raise_limits(c)
    open_procfs(c)
    open_cgroup(c)
    initial_affinity(c)
    _enter(c)
    c.b.purpose("process", "unable to clone the process")
    clone_process(c, 0)  # a pid namespace takes only children
    _enter_cgroup(c)
    if not final_affinity(c):
        reset_affinity(c)
    if "user" in c.namespaces:
        c.b.purpose("linux.namespaces", "unable to become root of the user namespace")
        become_root(c.b)
    label_keyring(c)
    new_session(c, first=False)
    open_console_of_exec(c)
    take_console(c)
    found, entry = become_the_process(c)
    if listens(c):
        from orlop.plan.listener import load_and_wait

        load_and_wait(c, None)
    else:
        wait_for_start(c, None)
        set_limits(c)
    execute(c, found, entry)
    return c.b.finish()


def _keep_pidfd(c: Construction) -> None:
    c.b.purpose("descriptors")
    c.b.do("close_range", c.request.control + PIDFD_AFTER_CONTROL + 1, 0xFFFF_FFFF, 0)


def _enter(c: Construction) -> None:
    """One setns for all namespaces of the container."""
    b = c.b
    flags = 0
    for kind in c.namespaces:
        if kind != "cgroup":
            flags |= FLAGS[kind]
    protect(c)
    if flags:
        b.purpose("linux.namespaces", "unable to join the container's namespaces", _HINTS)
        b.do("setns", c.request.control + PIDFD_AFTER_CONTROL, flags)


_HINTS = {EPERM: "to enter a container takes the privileges of whoever made it"}


def _enter_cgroup(c: Construction) -> None:
    """First the cgroup, then its namespace: the kernel lets nobody move into a namespace's cgroups from outside of them
    (cgroups(7), nsdelegate)."""
    write_tasks(c)
    if "cgroup" in c.namespaces:
        c.b.purpose("linux.namespaces", "unable to join the container's cgroup namespace", _HINTS)
        c.b.do("setns", c.request.control + PIDFD_AFTER_CONTROL, linux.CLONE_NEWCGROUP)
    c.b.do("close", c.request.control + PIDFD_AFTER_CONTROL)
