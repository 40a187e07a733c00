"""A profile of AppArmor that is loaded is in force: in the container, and in what is executed there later."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from orlop.host import security
from tests.system.bundles import Bundle
from tests.system.command import Runtime, error_line

pytestmark = [
    pytest.mark.usefixtures("clean_host"),
    pytest.mark.skipif(not security.apparmor(), reason="lab only: needs AppArmor in the kernel"),
    pytest.mark.skipif(shutil.which("apparmor_parser") is None, reason="lab only: needs apparmor_parser"),
]

RULES = "profile {} flags=(attach_disconnected) {{ file, capability, network, signal, ptrace, deny /tmp/{} w, }}\n"
LOOK = "cat /proc/self/attr/current; for name in one two; do (: > /tmp/$name) 2>/dev/null && echo $name; done; true"


@pytest.fixture(scope="module")
def profiles() -> Iterator[dict[str, str]]:
    """Two profiles that are loaded: each forbids to write to the file in /tmp that it is listed under."""
    names = {file: f"orlop-test-{file}" for file in ("one", "two")}
    text = "".join(RULES.format(name, file) for file, name in names.items())

    def load(flag: str) -> None:
        command = ["apparmor_parser", flag, "--skip-cache", "--quiet"]
        subprocess.run(command, input=text, text=True, check=True, capture_output=True)

    load("--replace")
    yield names
    load("--remove")


def test_a_loaded_profile_is_in_force(runtime: Runtime, bundle: Bundle, profiles: dict[str, str]) -> None:
    bundle.writable().set("process.apparmorProfile", profiles["one"])
    assert runtime.shell(bundle, LOOK) == [f"{profiles['one']} (enforce)", "two"]
    bundle.drop("process.apparmorProfile")
    assert runtime.shell(bundle, LOOK) == ["unconfined", "one", "two"]


def test_a_profile_is_in_force_for_an_unprivileged_process_of_a_user_namespace(
    runtime: Runtime, bundle: Bundle, profiles: dict[str, str]
) -> None:
    bundle.writable().user_namespace().set("process.user", {"uid": 1000, "gid": 1000})
    bundle.set("process.apparmorProfile", profiles["one"])
    assert runtime.shell(bundle, LOOK) == [f"{profiles['one']} (enforce)", "two"]


def test_exec_has_the_container_s_profile_or_its_own(
    runtime: Runtime, bundle: Bundle, profiles: dict[str, str]
) -> None:
    bundle.writable().set("process.apparmorProfile", profiles["one"]).args("sleep", "1000")
    with runtime.running(bundle) as container:
        assert container.shell(LOOK) == [f"{profiles['one']} (enforce)", "two"]
        done = container.exec("sh", "-c", LOOK, flags=["--apparmor", profiles["two"]])
        assert done.lines == [f"{profiles['two']} (enforce)", "one"]


def test_the_profile_holds_for_startcontainer_hooks_too(
    runtime: Runtime, bundle: Bundle, profiles: dict[str, str]
) -> None:
    bundle.writable().set("process.apparmorProfile", profiles["one"]).args("cat", "/tmp/two")
    bundle.hook("startContainer", "cat /proc/self/attr/current > /tmp/two", inside=True)
    assert runtime.run(bundle).lines == [f"{profiles['one']} (enforce)"]


@pytest.mark.parametrize("name", ["orlop-test-none", "two words"])
def test_a_profile_that_is_not_loaded_is_named_in_the_error(runtime: Runtime, bundle: Bundle, name: str) -> None:
    message = runtime.refuses(bundle.set("process.apparmorProfile", name))
    assert f'unable to apply apparmor profile "{name}"' in message
    assert "no profile of this name is loaded: see aa-status(8)" in message


def test_an_exec_with_a_profile_that_is_not_loaded_is_refused(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        done = container.exec("true", flags=["--apparmor", "orlop-test-none"], status=255)
        message = error_line(done)
        assert 'unable to apply apparmor profile "orlop-test-none"' in message
        assert "no profile of this name is loaded" in message


def test_unconfined_is_a_profile(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.apparmorProfile", "unconfined")
    assert runtime.shell(bundle, "cat /proc/self/attr/current") == ["unconfined"]
