"""Scheduler, I/O priority, CPU affinity of execs, memory policy: as the kernel shows them of the process.

And the labels of security modules, where the kernel has none.
"""

from __future__ import annotations

import os

import pytest

from orlop.host import security
from orlop.host.cgroups import layout
from tests.system.bundles import Bundle
from tests.system.command import Runtime

pytestmark = pytest.mark.usefixtures("clean_host")

# Of /proc/PID/stat, counted from behind the name: nice, real-time priority, policy.
STAT = "sed 's/.*) //' /proc/self/stat | awk '{ print $17, $38, $39 }'"
PROCESSORS = "grep Cpus_allowed_list: /proc/self/status | cut -f2"
ALL = sorted(os.sched_getaffinity(0))
UNIFIED = layout().unified
RELEASE = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"policy": "SCHED_OTHER", "nice": 7}, "7 0 0"),
        ({"policy": "SCHED_OTHER", "nice": -3}, "-3 0 0"),
        ({"policy": "SCHED_BATCH", "nice": 2}, "2 0 3"),
        ({"policy": "SCHED_IDLE"}, "0 0 5"),
        ({"policy": "SCHED_FIFO", "priority": 20}, "0 20 1"),
        ({"policy": "SCHED_RR", "priority": 3}, "0 3 2"),
    ],
)
def test_a_scheduler_is_that_of_the_config(
    runtime: Runtime, bundle: Bundle, row: dict[str, object], shown: str
) -> None:
    bundle.set("process.scheduler", row)
    done = runtime.run(bundle.shell(STAT), status=None)
    if done.status and row["policy"] in ("SCHED_FIFO", "SCHED_RR"):
        assert "cpu.realtimeRuntime" in done.stderr
        pytest.skip("the host's cgroup has no real-time bandwidth")
    assert done.lines == [shown]


def test_a_policy_that_the_kernel_has_not_is_an_error_with_the_field(runtime: Runtime, bundle: Bundle) -> None:
    message = runtime.refuses(bundle.set("process.scheduler", {"policy": "SCHED_ISO"}))
    assert "error setting scheduler SCHED_ISO: sched_setattr: invalid argument" in message


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"class": "IOPRIO_CLASS_BE", "priority": 6}, "best-effort: prio 6"),
        ({"class": "IOPRIO_CLASS_RT", "priority": 0}, "realtime: prio 0"),
        ({"class": "IOPRIO_CLASS_IDLE"}, "idle"),
    ],
)
def test_an_io_priority_is_that_of_the_config(
    runtime: Runtime, bundle: Bundle, row: dict[str, object], shown: str
) -> None:
    (line,) = runtime.shell(bundle.set("process.ioPriority", row), "ionice")
    assert line.startswith(shown)


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"mode": "MPOL_BIND", "nodes": "0"}, "bind:0"),
        ({"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}, "interleave=static:0"),
        ({"mode": "MPOL_PREFERRED", "nodes": "0"}, "prefer:0"),
        ({"mode": "MPOL_LOCAL"}, "local"),
        ({"mode": "MPOL_DEFAULT"}, "default"),
    ],
)
def test_a_memory_policy_is_that_of_the_config(
    runtime: Runtime, bundle: Bundle, row: dict[str, object], shown: str
) -> None:
    if not os.path.exists("/proc/self/numa_maps"):
        pytest.skip("the kernel has no NUMA")
    bundle.set("linux.memoryPolicy", row).shell("cut -d' ' -f2 /proc/self/numa_maps | sort -u")
    assert shown in runtime.run(bundle).lines
    with runtime.running(bundle.args("sleep", "100")) as container:
        assert shown in container.shell("cut -d' ' -f2 /proc/self/numa_maps | sort -u")


def test_a_node_that_is_not_there_is_an_error_with_the_field(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("linux.memoryPolicy", {"mode": "MPOL_BIND", "nodes": "900"})
    assert "failed to set memory policy MPOL_BIND: set_mempolicy: invalid argument" in runtime.refuses(bundle)


@pytest.mark.skipif(len(ALL) < 2, reason="needs two processors")
@pytest.mark.parametrize(
    ("affinity", "processors"),
    [
        ({}, ALL),
        ({"initial": str(ALL[0])}, ALL[:1]),
        ({"final": str(ALL[-1])}, ALL[-1:]),
        ({"initial": str(ALL[0]), "final": str(ALL[-1])}, ALL[-1:]),
    ],
)
def test_an_exec_runs_on_the_processors_of_its_affinity(
    runtime: Runtime, bundle: Bundle, affinity: dict[str, object], processors: list[int]
) -> None:
    if UNIFIED and list(affinity) == ["initial"] and RELEASE < (6, 2):
        pytest.skip("this kernel forgets an affinity when a process gets into another cgroup (before 6.2)")
    bundle.set("process.execCPUAffinity", affinity).args("sleep", "100")
    with runtime.running(bundle) as container:
        assert container.shell("nproc") == [str(len(processors))]
        (shown,) = container.shell(PROCESSORS)
        if len(processors) == 1:
            assert shown == str(processors[0])
        assert os.sched_getaffinity(container.pid) == set(ALL)


def test_an_affinity_without_a_processor_that_is_there_is_an_error(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.execCPUAffinity", {"initial": "4000"}).args("sleep", "100")
    with runtime.running(bundle) as container:
        done = container.exec("true", status=None)
        assert done.status == 255
        assert "unable to set the CPU affinity 4000" in done.stderr


@pytest.mark.skipif(security.apparmor(), reason="the kernel has AppArmor")
def test_an_apparmor_profile_without_apparmor_is_an_error(runtime: Runtime, bundle: Bundle) -> None:
    message = runtime.refuses(bundle.set("process.apparmorProfile", "container-default"))
    assert "process.apparmorProfile: apparmor: config provided but apparmor not supported" in message


@pytest.mark.skipif(security.selinux(), reason="the kernel has SELinux")
@pytest.mark.parametrize("field", ["process.selinuxLabel", "linux.mountLabel"])
def test_an_selinux_label_without_selinux_is_an_error(runtime: Runtime, bundle: Bundle, field: str) -> None:
    message = runtime.refuses(bundle.set(field, "system_u:system_r:container_t:s0"))
    assert f"{field}: selinux label is specified in config, but selinux is disabled or not supported" in message


@pytest.mark.skipif(security.apparmor() or security.selinux(), reason="the kernel has a security module")
@pytest.mark.parametrize(("flag", "word"), [("--apparmor", "apparmor"), ("--process-label", "selinux")])
def test_an_exec_with_a_label_that_cannot_be_applied_is_refused(
    runtime: Runtime, bundle: Bundle, flag: str, word: str
) -> None:
    with runtime.running(bundle.args("sleep", "100")) as container:
        done = container.exec("true", flags=[flag, "label"], status=255)
        assert word in done.stderr
