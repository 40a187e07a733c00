"""Containers of an ordinary user: no privileges on the host, no cgroup."""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.agent import agent
from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Runtime, wait
from tests.system.snapshot import reap

pytestmark = pytest.mark.usefixtures("clean_host")
USER = 54321
MKDIR = 83
Call = Callable[[list[str]], str]


@pytest.fixture
def home(bundle: Bundle) -> Iterator[Path]:
    """A directory of the user's, with a root file system and a config of `spec --rootless`."""
    path = Path(tempfile.mkdtemp(prefix="orlop-rootless-", dir="/tmp"))
    shutil.copytree(bundle.rootfs, path / "rootfs", symlinks=True)
    for place in [path, *path.rglob("*")]:
        os.chown(place, USER, USER, follow_symlinks=False)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def user(runtime: Runtime, home: Path) -> Call:
    """Calls the runtime as the user."""

    def call(args: list[str]) -> str:
        become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        with tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(
                [*become, *runtime.argv, "--root", str(home / "state"), *args],
                cwd=home, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, timeout=PATIENCE,
            )  # fmt: skip
            err.seek(0)
            said = err.read()
        assert done.returncode == 0, said
        return said

    call(["spec", "--rootless"])
    return call


def change(home: Path, script: str = "exec sleep 1000", **fields: object) -> None:
    file = home / "config.json"
    config = json.loads(file.read_text())
    config["process"] |= {"terminal": False, "args": ["sh", "-c", script]}
    config["linux"] |= fields
    file.write_text(json.dumps(config))


def refused(user: Call, args: list[str]) -> str:
    with pytest.raises(AssertionError) as caught:
        user(args)
    return str(caught.value)


def test_a_users_container_can_be_entered_before_it_is_started(user: Call, home: Path) -> None:
    change(home)
    user(["create", "one"])
    try:
        user(["exec", "one", "true"])
    finally:
        user(["delete", "--force", "one"])


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of system calls here are x86-64's")
def test_the_agent_of_a_users_seccomp_filter_is_asked(user: Call, home: Path) -> None:
    path = home / "agent.sock"
    asking = {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(path), "syscalls": [asking]}
    change(home, "mkdir /tmp/new && exit 1; exit 0", seccomp=profile)
    with agent(path, {MKDIR: errno.ENOMEDIUM}) as served:
        path.chmod(0o777)
        assert "No medium found" in user(["run", "one"])
        assert served.seen == [MKDIR]


def with_newuidmap(runtime: Runtime, home: Path, script: str) -> list[str]:
    """A `run` of the user's that needs newuidmap, which is this shell script."""
    if not runtime.is_orlop:
        pytest.skip("runc does otherwise")
    change(home, uidMappings=[{"containerID": 0, "hostID": 100000, "size": 2}])
    helper = home / "newuidmap"
    helper.write_text(f"#!/bin/sh\n{script}\n")
    helper.chmod(0o755)
    become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    words = [*become, *runtime.argv, "--root", str(home / "state"), "run", "-b", str(home), "one"]
    return ["env", f"PATH={home}:{os.environ['PATH']}", *words]


@pytest.mark.usefixtures("user")
def test_a_helper_for_id_maps_gets_only_the_standard_streams(runtime: Runtime, home: Path) -> None:
    words = with_newuidmap(runtime, home, f"echo /proc/self/fd/* > {home}/seen; exit 7")
    with (home / "config.json").open() as file:
        given = [file.fileno()]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, pass_fds=given)
    assert done.returncode == 1 and "newuidmap failed with status 7" in done.stderr
    seen = {int(path.rpartition("/")[2]) for path in (home / "seen").read_text().split()}
    assert {0, 1, 2} <= seen and not seen & set(given)


@pytest.mark.usefixtures("user")
def test_a_run_can_be_stopped_while_a_helper_for_id_maps_hangs(runtime: Runtime, home: Path) -> None:
    """It asks who may have which ids, and who knows may be a server that does not answer."""
    os.mkfifo(home / "here")
    os.chown(home / "here", USER, USER)
    words = with_newuidmap(runtime, home, f"echo > {home}/here; exec sleep 1000")
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        (home / "here").read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("namespace", [True, False], ids=["with a cgroup namespace", "without one"])
def test_a_user_without_a_cgroup_sees_the_callers_in_the_container(user: Call, home: Path, namespace: bool) -> None:
    if not Path("/sys/fs/cgroup/pids/tasks").exists():
        pytest.skip("needs cgroup v1")
    rows = json.loads((home / "config.json").read_text())["linux"]["namespaces"]
    kept = [row for row in rows if namespace or row["type"] != "cgroup"]
    change(home, "grep -q . /sys/fs/cgroup/pids/tasks", namespaces=kept)
    user(["run", "one"])


def test_what_a_container_without_a_cgroup_cannot_do_is_told(runtime: Runtime, user: Call, home: Path) -> None:
    if not runtime.is_orlop:
        pytest.skip("messages of orlop")
    change(home)
    user(["run", "-d", "one"])
    try:
        assert "linux.resources.pids: cannot set limits: the container has no cgroup" in refused(
            user, ["update", "--pids-limit", "5", "one"]
        )
        assert "has no cgroup, so nobody knows its processes" in refused(user, ["ps", "one"])
        assert "has no cgroup, so nobody counts what it uses" in refused(user, ["events", "--stats", "one"])
        assert "cannot toggle freezer: cgroups not configured for container" in refused(user, ["pause", "one"])
    finally:
        user(["delete", "--force", "one"])
    change(home, resources={"pids": {"limit": 5}})
    said = refused(user, ["run", "one"])
    assert "linux.resources.pids.limit" in said or "rootless needs no limits" in said
    assert "delegate" in said.partition("hint=")[2].lower()


def test_all_namespaces_of_a_users_container_can_be_joined(user: Call, home: Path) -> None:
    change(home)
    user(["run", "-d", "one"])
    try:
        pid = json.loads((home / "state/one/state.json").read_text())["init_process_pid"]
        rows = json.loads((home / "config.json").read_text())["linux"]["namespaces"]
        joined = [row if row["type"] == "mount" else row | {"path": f"/proc/{pid}/ns/{row['type']}"} for row in rows]
        change(home, namespaces=joined, uidMappings=[], gidMappings=[])
        said = user(["run", "-d", "two"])
        assert "strongly discouraged" in said  # it has no pid namespace of its own, and no cgroup
        user(["delete", "--force", "two"])
        reap()  # until then the pid namespace cannot end
    finally:
        user(["delete", "--force", "one"])


def test_a_users_container_may_have_a_monitor(runtime: Runtime, user: Call, home: Path) -> None:
    if not runtime.is_orlop:
        pytest.skip("a property of orlop")
    change(home, "exit 7")
    user(["create", "--monitor", "one"])
    try:
        pid = json.loads((home / "state/one/state.json").read_text())["init_process_pid"]
        pidfd = os.pidfd_open(pid)
        user(["start", "one"])
        wait(pidfd)
        os.close(pidfd)
        user(["delete", "--account", "used.json", "one"])
        found = json.loads((home / "used.json").read_text())
        assert (found["reason"], found["exitCode"]) == ("exit", 7)
        assert found["cpuTotal"] > 0 and found["wallTime"] > 0
    finally:
        reap()
