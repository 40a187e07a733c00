"""The must-tolerate list of the runtime-spec, by its numbers: each of these containers runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import Runtime
from tests.system.limits import need

pytestmark = pytest.mark.usefixtures("clean_host")

ALLOW = {"defaultAction": "SCMP_ACT_ALLOW"}
FUSE = {"type": "c", "major": 10, "minor": 229}

CASES: dict[str, Callable[[Bundle], object]] = {
    "18.1 unknown members": lambda bundle: (
        bundle.set("surprise", {"a": [1]}).set("process.surprise", 1).set("linux.resources.oomScoreAdj", 1)
    ),
    "18.1 an unknown member of a mount": lambda bundle: bundle.set("mounts[0].surprise", None),
    "18.1 an unknown member of capabilities": lambda bundle: bundle.set("process.capabilities.surprise", 5),
    "18.1 an unknown member of hooks": lambda bundle: bundle.set("hooks", {"surprise": 5}),
    "18.2 an unknown annotation": lambda bundle: bundle.set("annotations", {"org.example.x": "y"}),
    "18.4 consoleSize without a terminal": lambda bundle: bundle.set("process.consoleSize", {"height": 0}),
    "18.11 a listener that no rule needs": lambda bundle: bundle.set(
        "linux.seccomp", {**ALLOW, "listenerPath": "/no/agent", "listenerMetadata": "x"}
    ),
    "18.12 pids.limit -1": lambda bundle: bundle.set("linux.resources.pids", {"limit": -1}),
    "18.12 pids without limit": lambda bundle: bundle.set("linux.resources.pids", {}),
    "18.13 an empty annotation": lambda bundle: bundle.set("annotations", {"a": ""}),
    "18.14 data for the file system": lambda bundle: bundle.mount("/srv", "tmpfs", "tmpfs", "size=64k", "nr_inodes=7"),
    "18.15 a device twice": lambda bundle: bundle.set(
        "linux.devices", [{**FUSE, "path": "/dev/one"}, {**FUSE, "path": "/dev/two"}]
    ),
    **{
        f"18.16 {version}": lambda bundle, version=version: bundle.set("ociVersion", version)  # type: ignore[misc]
        for version in ("1.0.0", "1.0.0-rc5", "1.0.2-dev", "1.1.0", "1.2.1", "1.3.0", "1.3.0+dev")
    },
}


@pytest.mark.rule("V1", "M-3", "D-2")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_must_tolerate(case: str, runtime: Runtime, bundle: Bundle) -> None:
    if "pids.limit" in case:
        need("pids")
    CASES[case](bundle)
    assert runtime.shell(bundle, "echo it runs") == ["it runs"]


def test_must_tolerate_18_3_an_unknown_capability(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.capabilities.bounding", ["CAP_FUTURE", "CAP_KILL"]).shell("echo it runs")
    done = runtime.run(bundle)
    assert done.lines == ["it runs"]
    assert "warning" in done.stderr and "CAP_FUTURE" in done.stderr


def test_must_tolerate_18_7_a_relative_destination_with_a_warning(runtime: Runtime, bundle: Bundle) -> None:
    bundle.mount("srv/data", "tmpfs", "tmpfs").shell("stat -f -c %T /srv/data")
    for _ in range(2):  # the second time, too, when the program could be remembered
        done = runtime.run(bundle)
        assert done.lines == ["tmpfs"]
        assert "warning" in done.stderr and "mount destination srv/data is not absolute" in done.stderr


def test_must_tolerate_18_5_the_least_config_with_a_process(runtime: Runtime, bundle: Bundle) -> None:
    """The list's own case has no process: that one runc refuses at create already, and engines count on it."""
    bundle.config = {"ociVersion": "1.0.0", "root": {"path": "rootfs"}, "process": {"cwd": "/", "args": ["true"]}}
    bundle.write()
    runtime.run(bundle)


def test_must_tolerate_18_6_no_linux_and_no_mounts(runtime: Runtime, bundle: Bundle) -> None:
    bundle.drop("linux").drop("mounts").drop("hostname")
    assert runtime.shell(bundle, "echo it runs") == ["it runs"]


def test_must_tolerate_18_9_a_config_that_is_edited_and_removed(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.bind(place, "/place").shell("echo right > /place/out")
    with runtime.created(bundle) as container:
        bundle.file.write_text(json.dumps({"process": "wrong"}))
        assert container.status == "created"
        bundle.file.unlink()
        with container.handle() as pidfd:
            container.start()
            from tests.system.command import wait

            wait(pidfd)
    assert (place / "out").read_text() == "right\n"


def test_must_tolerate_18_10_a_poststop_hook_that_fails(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.args("true").hook("poststop", "exit 1").hook("poststop", f"touch {place}/later")
    done = runtime.run(bundle)
    assert "warning" in done.stderr
    assert (place / "later").exists()


def test_must_tolerate_18_12_pids_limit_0(runtime: Runtime, bundle: Bundle) -> None:
    need("pids")
    bundle.set("linux.resources.pids", {"limit": 0}).args("true")
    runtime.run(bundle)


def test_names_in_another_case_count_as_in_runc_for_the_container_and_an_exec(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.noNewPrivileges", None).set("process.NoNewPrivileges", True).args("sleep", "1000")
    bundle.set("hostname", None).set("HostName", "elsewhere")
    with runtime.running(bundle) as container:
        assert container.exec("hostname").lines == ["elsewhere"]
        assert "NoNewPrivs:\t1" in container.exec("cat", "/proc/self/status").stdout
        assert "NoNewPrivs:\t1" in container.exec("cat", "/proc/1/status").stdout
