"""SCMP_ACT_NOTIFY: an agent outside of the container is asked about system calls."""

from __future__ import annotations

import errno
import os
import platform
from pathlib import Path

import pytest

from tests.system.agent import agent
from tests.system.bundles import Bundle
from tests.system.command import Runtime, error_line
from tests.system.seccomp_profile import engine_profile

pytestmark = [
    pytest.mark.usefixtures("clean_host"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of system calls here are x86-64's"),
]

MKDIR, CHMOD, EXECVE = 83, 90, 59
REFUSE = {MKDIR: errno.ENOMEDIUM}


def asking(bundle: Bundle, path: Path | str, *names: str, **more: object) -> Bundle:
    profile: dict[str, object] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": str(path),
        "listenerMetadata": "colour=blue",
        "syscalls": [{"names": list(names or ("mkdir",)), "action": "SCMP_ACT_NOTIFY"}],
        **more,
    }
    return bundle.writable().set("linux.seccomp", profile)


@pytest.fixture
def path(place: Path) -> Path:
    return place / "agent.sock"


TRY = "mkdir /new 2>&1; test -d /new && echo made"


@pytest.mark.parametrize("privileges", [True, False], ids=["no new privileges", "privileged"])
@pytest.mark.parametrize("uid", [0, 1000])
def test_the_agent_decides(runtime: Runtime, bundle: Bundle, path: Path, privileges: bool, uid: int) -> None:
    asking(bundle, path).set("process.noNewPrivileges", privileges).set("process.user.uid", uid)
    with agent(path, REFUSE) as served:
        assert "No medium found" in runtime.run(bundle.shell(f"{TRY}; true")).stdout
        served.answers.clear()
        bundle.shell(TRY.replace("/new", "/tmp/new"))
        assert runtime.run(bundle).lines == ["made"]
        assert served.seen == [MKDIR, MKDIR]


def test_the_message_holds_the_state(runtime: Runtime, bundle: Bundle, path: Path) -> None:
    asking(bundle, path).set("annotations", {"org.example.colour": "blue"})
    with agent(path) as served, runtime.created(bundle.args("sleep", "1000")) as container:
        (message,) = served.messages
        pid = container.pid
        assert message["fds"] == ["seccompFd"]
        assert (message["pid"], message["metadata"]) == (pid, "colour=blue")
        assert message["ociVersion"] == "1.3.0"
        assert message["state"] == {
            "ociVersion": "1.3.0",
            "id": container.id,
            "status": "creating",
            "pid": pid,
            "bundle": str(bundle.path),
            "annotations": {"org.example.colour": "blue"},
        }


def test_an_exec_has_a_listener_of_its_own(runtime: Runtime, bundle: Bundle, path: Path) -> None:
    asking(bundle, path)
    with agent(path, REFUSE) as served, runtime.running(bundle.args("sleep", "1000")) as container:
        assert "No medium found" in container.exec("mkdir", "/new", status=1).stderr
        first, second = served.messages
        assert isinstance(second["state"], dict)
        assert second["state"]["status"] == "running"
        assert second["state"]["pid"] == first["pid"] == container.pid
        assert second["pid"] not in (0, container.pid)


def test_a_created_container_starts_later(runtime: Runtime, bundle: Bundle, path: Path) -> None:
    asking(bundle, path).shell("mkdir /tmp/new; exec sleep 1000")
    with agent(path) as served, runtime.created(bundle) as container:
        assert container.status == "created" and served.seen == []
        container.start()
        container.shell("until test -d /tmp/new; do :; done")
        assert served.seen.count(MKDIR) == 1


@pytest.mark.parametrize("privileges", [True, False], ids=["no new privileges", "privileged"])
def test_the_agent_may_be_asked_about_what_the_runtime_itself_calls(
    runtime: Runtime, bundle: Bundle, path: Path, privileges: bool
) -> None:
    names = ("execve", "openat", "open", "read", "close", "fcntl", "sendmsg", "recvfrom", "prlimit64", "close_range")
    asking(bundle, path, *names).set("process.noNewPrivileges", privileges)
    bundle.hook("startContainer", "exit 0")
    with agent(path) as served:
        assert runtime.shell(bundle, "echo fine") == ["fine"]
        assert EXECVE in served.seen
        with runtime.created(bundle.args("sleep", "1000")) as container:
            container.start()
            assert container.status == "running"


def test_start_container_hooks_are_judged_too(runtime: Runtime, bundle: Bundle, path: Path) -> None:
    asking(bundle, path).hook("startContainer", "mkdir /new")
    with agent(path, REFUSE) as served:
        assert "No medium found" in runtime.refuses(bundle.args("true"))
        assert served.seen == [MKDIR]


def test_a_hook_gets_no_descriptor_but_its_streams(runtime: Runtime, bundle: Bundle, place: Path, path: Path) -> None:
    asking(bundle.bind(place, "/out"), path).hook("startContainer", "exec ls /proc/self/fd > /out/fds")
    with agent(path):
        runtime.run(bundle.args("true"))
        assert (place / "fds").read_text().split() == ["0", "1", "2", "3"]
        lines = runtime.shell(bundle, "ls /proc/self/fd")
        assert lines == ["0", "1", "2", "3"]


def test_the_profile_of_an_engine_with_an_agent(runtime: Runtime, bundle: Bundle, path: Path) -> None:
    profile = engine_profile()
    rules = profile["syscalls"]
    assert isinstance(rules, list)
    rules[0]["names"].remove("mkdir")
    rules.append({"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"})
    profile["listenerPath"] = str(path)
    bundle.writable().set("linux.seccomp", profile).hook("startContainer", "exit 0")
    with agent(path, REFUSE):
        assert "No medium found" in runtime.run(bundle.shell(f"{TRY}; true")).stdout


def test_a_wait_that_can_be_killed(runtime: Runtime, bundle: Bundle, path: Path) -> None:
    asking(bundle, path, flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])
    with agent(path, REFUSE):
        done = runtime("--debug", "run", "-b", bundle.shell(f"{TRY}; true").path, runtime.new_id())
        assert "No medium found" in done.stdout and "seccomp filter flags: 40" in done.stderr


def test_an_abstract_socket(runtime: Runtime, bundle: Bundle) -> None:
    name = f"orlop-test-{os.getpid()}"
    with agent(f"\0{name}", REFUSE):
        asking(bundle, f"@{name}")
        assert "No medium found" in runtime.run(bundle.shell(f"{TRY}; true")).stdout


def test_without_an_agent_nothing_starts(runtime: Runtime, bundle: Bundle, path: Path) -> None:
    asking(bundle, path)
    assert f"failed to connect with seccomp agent specified in the seccomp profile: {path}" in runtime.refuses(bundle)
    error_line(runtime("create", "-b", bundle.path, runtime.new_id(), status=1))


def test_an_exec_without_an_agent_leaves_the_container_alone(runtime: Runtime, bundle: Bundle, path: Path) -> None:
    asking(bundle, path)
    with agent(path), runtime.running(bundle.args("sleep", "1000")) as container:
        path.unlink()
        line = error_line(container.exec("true", status=255))
        assert "failed to connect with seccomp agent" in line
        assert container.status == "running"


def test_what_nobody_answers_is_refused(runtime: Runtime, bundle: Bundle, path: Path) -> None:
    with agent(path, patient=False):
        asking(bundle, path)
        assert "Function not implemented" in runtime.run(bundle.shell(f"{TRY}; true")).stdout


def test_a_listener_path_that_no_rule_needs_is_ignored(runtime: Runtime, bundle: Bundle, path: Path) -> None:
    asking(bundle, path, syscalls=[])
    assert runtime.shell(bundle, TRY) == ["made"]


def test_write_cannot_be_asked_about(runtime: Runtime, bundle: Bundle, path: Path) -> None:
    assert "SCMP_ACT_NOTIFY cannot be used for the write syscall" in runtime.refuses(asking(bundle, path, "write"))
