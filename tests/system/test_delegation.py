"""A container that manages its own cgroup on version 2."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import Container, Runtime, end, error_line
from tests.system.limits import UNIFIED, cgroup_file, need, need_one
from tests.system.sockets import listener, receive_descriptor

pytestmark = [
    pytest.mark.usefixtures("clean_host"),
    pytest.mark.skipif(not UNIFIED, reason="needs cgroup v2"),
]


@pytest.fixture
def domain() -> str:
    """A controller whose cgroup, once it hands it to its children, takes no process."""
    return need_one("memory", "hugetlb")


def make_inner(container: Container, controller: str) -> Path:
    """Move the container's init to a cgroup below, and hand it a controller, as systemd in a container does."""
    top = cgroup_file(container, "pids", ".")
    inner = top / "inner"
    inner.mkdir()
    (inner / "cgroup.procs").write_text(str(container.pid))
    (top / "cgroup.subtree_control").write_text(f"+{controller}")
    return inner


def test_exec_joins_init_where_the_cgroup_itself_takes_no_process(
    runtime: Runtime, bundle: Bundle, place: Path, domain: str
) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        make_inner(container, domain)
        (line,) = container.shell("cat /proc/self/cgroup")
        assert line.endswith("/inner")
        runtime("exec", "-d", "--pid-file", place / "pid", container.id, "sleep", "1000")
        pid = (place / "pid").read_text()
        assert pid in cgroup_file(container, "pids", "cgroup.procs").read_text().split()
        end(int(pid))


def test_exec_into_a_named_cgroup_goes_nowhere_else(runtime: Runtime, bundle: Bundle, domain: str) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        make_inner(container, domain)
        done = runtime("exec", "--cgroup", "/", container.id, "true", status=255)
        said = error_line(done)
        assert "error adding pid " in said and " to cgroups" in said and "device or resource busy" in said
        assert "those below it" in said or not runtime.is_orlop
        assert container.exec("true", flags=("--cgroup", "inner")).status == 0


def test_the_cgroup_belongs_to_the_user_of_a_container_that_may_write_to_it(runtime: Runtime, bundle: Bundle) -> None:
    bundle.user_namespace(100000).namespace("cgroup").without_mount("/sys/fs/cgroup")
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime")
    bundle.set("process.user", {"uid": 5, "gid": 5}).args("sleep", "1000")
    with runtime.running(bundle) as container:
        top = cgroup_file(container, "pids", ".")
        delegate = Path("/sys/kernel/cgroup/delegate")
        names = delegate.read_text().split() if delegate.exists() else ["cgroup.procs"]
        owners = {entry.name: entry.stat().st_uid for entry in top.iterdir() if entry.is_file()}
        assert {name for name, uid in owners.items() if uid == 100005} == set(names) & owners.keys()
        assert os.stat(top).st_uid == 100005
        assert container.shell("mkdir /sys/fs/cgroup/mine && echo made") == ["made"]


def test_exec_sends_its_terminal_over_the_first_connection_though_the_cgroup_takes_another_try(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    """Who listens on a console socket takes one connection: containerd's shim, conmon."""
    bundle.user_namespace(100000).namespace("cgroup").without_mount("/sys/fs/cgroup")
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid").args("sleep", "1000")
    with runtime.running(bundle) as container, listener(place / "console") as listening:
        flags = ("-d", "-t", "--console-socket", place / "console", "--pid-file", place / "pid")
        done = runtime("--debug", "exec", *flags, container.id, "cat")
        assert "joining the cgroup" in done.stderr
        os.close(receive_descriptor(listening)[0])
        end(int((place / "pid").read_text()))


@pytest.mark.parametrize("case", ["read-only", "no namespace"])
def test_the_cgroup_stays_the_hosts_otherwise(runtime: Runtime, bundle: Bundle, case: str) -> None:
    bundle.user_namespace(100000).without_mount("/sys/fs/cgroup")
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "ro" if case == "read-only" else "nodev")
    bundle.namespace("cgroup", None if case == "no namespace" else "").args("sleep", "1000")
    with runtime.running(bundle) as container:
        assert os.stat(cgroup_file(container, "pids", ".")).st_uid == 0


def test_limits_in_a_threaded_cgroup_are_refused_with_the_reason(runtime: Runtime, bundle: Bundle) -> None:
    need("memory", "pids")
    with runtime.running(bundle.args("sleep", "1000")) as container:
        top = cgroup_file(container, "pids", ".")
        (top / "threaded").mkdir()
        (top / "threaded/cgroup.type").write_text("threaded")
        path = f"/{top.resolve().relative_to('/sys/fs/cgroup')}/other"
        bundle.set("linux.cgroupsPath", path).set("linux.resources.memory", {"limit": 64 << 20})
        message = runtime.refuses(bundle)
        assert f'cannot enter cgroupv2 "{top.resolve()}" with domain controllers' in message
        assert "domain threaded" in message and "(cgroups(7))" in message
        assert not (top / "other").exists()
