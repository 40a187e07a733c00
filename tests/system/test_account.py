"""The final account tells the truth: how a container ended, why, and what it used."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

import orlop
from orlop.host.cgroups import layout
from tests.system.bundles import Bundle
from tests.system.command import Runtime, error_line, poll, wait
from tests.system.limits import need
from tests.system.test_events import HOG, MEGABYTE, cgroup_file, limit_memory

pytestmark = pytest.mark.usefixtures("clean_host")

UNIFIED = layout().unified
BUSY = "i=0; while [ $i -lt {} ]; do i=$((i+1)); done"


def account(runtime: Runtime, bundle: Bundle, place: Path, status: int) -> dict[str, object]:
    """Run a container in the foreground, and return its account."""
    file = place / "account.json"
    runtime.run(bundle, "--account", file, status=status)
    found = json.loads(file.read_text())
    assert isinstance(found, dict)
    assert os.listdir(place) == ["account.json"]
    return found


def ended(found: dict[str, object]) -> tuple[object, ...]:
    return tuple(found[key] for key in ("reason", "exitCode", "signal", "oomKilled"))


@pytest.mark.parametrize("code", [0, 3, 137])
def test_an_exit_is_an_exit_whatever_its_code(runtime: Runtime, bundle: Bundle, place: Path, code: int) -> None:
    found = account(runtime, limit_memory(bundle, 64).shell(f"exit {code}"), place, code)
    assert ended(found) == ("exit", code, None, None)
    assert found["oomKills"] == 0


def test_a_memory_hog_is_told_to_be_killed_for_want_of_memory(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    found = account(runtime, limit_memory(bundle, 32).shell(f"exec {HOG}"), place, 137)
    assert ended(found) == ("oom", None, 9, "init")
    assert found["oomKills"] == 1
    assert 28 * MEGABYTE < int(str(found["memoryPeak"])) <= 32 * MEGABYTE
    assert 20 * MEGABYTE < int(str(found["largestProcess"])) <= 34 * MEGABYTE


def test_a_child_killed_for_want_of_memory_is_told_apart(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    found = account(runtime, limit_memory(bundle, 32).shell(f"{HOG}; exit 0"), place, 0)
    assert ended(found) == ("exit", 0, None, "child")
    assert found["oomKills"] == 1


def test_a_kill_from_outside_is_none_for_want_of_memory(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(limit_memory(bundle, 64).args("sleep", "1000")) as container:
        container.kill()
        found = container.state()["account"]
        assert isinstance(found, dict)
        assert ended(found) == ("signal", None, 9, None)


def test_a_kill_from_outside_after_a_child_s_lack_of_memory_is_told_apart(runtime: Runtime, bundle: Bundle) -> None:
    if os.readlink("/proc/self/ns/pid") != "pid:[4026531836]" or not os.access("/dev/kmsg", os.R_OK):
        pytest.skip("this kernel does not show its log here")
    with runtime.running(limit_memory(bundle, 32).args("sleep", "1000")) as container:
        container.exec("sh", "-c", f"{HOG}; true")
        container.kill()
        found = container.state()["account"]
        assert isinstance(found, dict)
        assert ended(found) == ("signal", None, 9, "child")


def test_a_fork_bomb_is_held_and_told(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    need("pids")
    bundle.set("linux.resources.pids", {"limit": 20}).shell(
        "i=0; while [ $i -lt 40 ]; do (sleep 1000 &) || exit 7; i=$((i+1)); done"
    )
    found = account(runtime, bundle, place, 7)
    assert int(str(found["pidsRefused"])) > 0
    assert found["pidsPeak"] in (20, None)


def test_a_fork_bomb_that_lives_on_is_held_until_it_is_killed(runtime: Runtime, bundle: Bundle) -> None:
    need("pids")
    bundle.set("linux.resources.pids", {"limit": 20})
    bundle.shell("while true; do sleep 1000 & done 2>/dev/null & exec sleep 1000")
    with runtime.running(bundle) as container:
        refused = cgroup_file(container, "pids.events")
        poll(lambda: refused.read_text() != "max 0\n")
        assert 0 < int(cgroup_file(container, "pids.current").read_text()) <= 20
        container.kill()
        found = container.state()["account"]
        assert isinstance(found, dict)
        assert ended(found) == ("signal", None, signal.SIGKILL, None)
        assert int(str(found["pidsRefused"])) > 0
        assert found["pidsPeak"] in (20, None)


def test_what_is_read_and_written_is_told(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    need("blkio")
    device = os.stat(bundle.path).st_dev
    if not os.path.exists(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"):
        pytest.skip("needs a host with a disk below the tests")
    # Direct: what is only in the cache is written, on version 1 for the account of whoever happens to flush it.
    bundle.bind(place, "/place").shell("dd if=/dev/zero of=/place/file bs=1M count=4 oflag=direct 2>/dev/null")
    runtime.run(bundle, "--account", place / "account.json")
    found = json.loads((place / "account.json").read_text())
    assert found["ioWritten"] >= 4 * MEGABYTE and found["ioWrites"] > 0
    assert found["ioRead"] < MEGABYTE


def test_a_container_that_used_no_device_has_read_and_written_nothing(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    need("blkio")
    found = account(runtime, bundle.shell("exit 0"), place, 0)
    assert (found["ioWritten"], found["ioWrites"]) == (0, 0)


def test_the_wall_time_goes_on_while_a_container_is_paused(runtime: Runtime, bundle: Bundle) -> None:
    before = time.monotonic_ns()
    with runtime.running(bundle.args("sleep", "1000"), "--monitor") as container:
        runtime("pause", container.id)
        paused = time.monotonic_ns()
        for _ in range(5):
            assert container.status == "paused"
        resumed = time.monotonic_ns()
        runtime("resume", container.id)
        container.kill()
        found = container.state()["account"]
        assert isinstance(found, dict)
        assert resumed - paused < int(str(found["wallTime"])) < time.monotonic_ns() - before


def test_a_busy_loop_under_a_quota_is_held_and_told(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    need("cpu")
    bundle.set("linux.resources.cpu", {"quota": 2000, "period": 20000}).shell(BUSY.format(20000))
    found = account(runtime, bundle, place, 0)
    total, wall = int(str(found["cpuTotal"])), int(str(found["wallTime"]))
    assert int(str(found["cpuThrottledPeriods"])) > 0
    assert 0 < total < wall
    assert abs(int(str(found["cpuUser"])) + int(str(found["cpuSystem"])) - total) <= total // 2


def test_state_shows_how_a_detached_container_ended_while_nobody_has_reaped_it(
    runtime: Runtime, bundle: Bundle
) -> None:
    with runtime.created(bundle.shell("exit 5")) as container:
        assert "account" not in container.state()
        with container.handle() as pidfd:
            container.start()
            wait(pidfd)
        found = container.state()["account"]
        assert isinstance(found, dict)
        assert ended(found) == ("exit", 5, None, None)
        assert int(str(found["cpuTotal"])) > 0


def test_what_another_has_reaped_is_not_guessed(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        pid = container.pid
        container.kill()
        os.waitpid(pid, 0)
        found = container.state()["account"]
        assert isinstance(found, dict)
        assert ended(found) == ("unknown", None, None, None)


def test_the_account_is_kept_with_the_state(runtime: Runtime, bundle: Bundle) -> None:
    name = runtime.new_id()
    runtime("run", "--keep", "-b", bundle.shell("exit 4").path, name, status=4)
    found = json.loads(runtime("state", name).stdout)["account"]
    assert ended(found) == ("exit", 4, None, None)
    assert found["wallTime"] > 0
    runtime("delete", name)


def test_the_library_gives_the_account(runtime: Runtime, bundle: Bundle) -> None:
    name = runtime.new_id()
    with orlop.Container.create(name, str(bundle.shell("kill -USR1 $$; exit 0").path), root=str(runtime.root)) as box:
        before = box.account
        assert before is None
        box.start()
        code = box.wait()
        found = box.account
        assert found is not None
        if code == 0:  # the first process of a pid namespace is safe from its own signals
            assert (found.reason, found.exit_code) == ("exit", 0)
        assert found.wall_time is not None and found.wall_time > 0
        assert found.largest_process is not None and found.largest_process > 0
        assert json.loads(runtime("state", name).stdout)["account"] == found.as_document()


def test_a_signal_is_told_by_its_number(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.namespace("pid", None).shell("kill -TERM $$; sleep 1000")
    assert ended(account(runtime, bundle, place, 128 + signal.SIGTERM)) == ("signal", None, signal.SIGTERM, None)


def test_a_file_that_cannot_be_written_is_refused_before_anything_runs(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    bundle.bind(place, "/place").shell("echo ran > /place/ran")
    said = error_line(runtime.run(bundle, "--account", place / "no/such/file", status=1))
    assert "unable to write the account" in said and "no such file or directory" in said
    assert os.listdir(place) == []


def test_a_detached_container_has_no_file_for_its_account(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    said = error_line(runtime.run(bundle, "-d", "--account", place / "file", status=1))
    assert "--account needs a container in the foreground" in said
