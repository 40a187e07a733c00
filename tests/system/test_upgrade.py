"""orlop is replaced while containers run: whatever still runs of the old one needs none of its files.

The earlier version is this one, installed at another place and then removed; ORLOP_EARLIER=PATH names a real one.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Container, Runtime, wait
from tests.system.limits import DRIVERS, need, value

pytestmark = [pytest.mark.usefixtures("clean_host"), DRIVERS]

PROJECT = Path(__file__).parents[2]
_ENDS_WITH_5 = "trap 'exit 5' TERM; trap 'echo told' USR1; echo ready; while :; do sleep 0.1; done"


@pytest.fixture
def old(runtime: Runtime, place: Path) -> Runtime:
    """Another installation, which the test removes."""
    if runtime.argv[0] != str(PROJECT / "build/orlop"):
        pytest.skip("needs the launcher that was built")
    shutil.copytree(PROJECT / "orlop", place / "old/orlop", ignore=shutil.ignore_patterns("__pycache__"))
    (place / "old/build").mkdir()
    for name in ("orlop", "orlop.python"):
        shutil.copy(PROJECT / "build" / name, place / "old/build" / name)
    return Runtime([str(place / "old/build/orlop"), *runtime.argv[1:]], runtime.root, runtime.marker)


@pytest.fixture
def earlier(request: pytest.FixtureRequest, runtime: Runtime) -> Runtime:
    path = os.environ.get("ORLOP_EARLIER")
    if path is None:
        found: Runtime = request.getfixturevalue("old")
        return found
    return Runtime([path, *runtime.argv[1:]], runtime.root, runtime.marker)


def _gone(place: Path) -> None:
    shutil.rmtree(place / "old", ignore_errors=True)


def _plain(bundle: Bundle, place: Path) -> list[str]:
    return []


def _keep(bundle: Bundle, place: Path) -> list[str]:
    return ["--keep"]


def _account(bundle: Bundle, place: Path) -> list[str]:
    return ["--account", str(place / "account.json")]


def _hook(bundle: Bundle, place: Path) -> list[str]:
    bundle.hook("poststop", f"cat > {place}/poststop")
    return []


def _shared_pids(bundle: Bundle, place: Path) -> list[str]:
    bundle.namespace("pid", None)
    return []


WAYS: dict[str, Callable[[Bundle, Path], list[str]]] = {
    "plain": _plain,
    "keep": _keep,
    "account": _account,
    "poststop hook": _hook,
    "the host's pids": _shared_pids,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_in_the_foreground_ends_well_when_its_files_are_gone(
    old: Runtime, runtime: Runtime, bundle: Bundle, place: Path, way: str
) -> None:
    flags = WAYS[way](bundle, place)
    name = runtime.new_id()
    running = old.start("run", "-b", bundle.shell(_ENDS_WITH_5).path, *flags, name, stdin=subprocess.DEVNULL)
    with running:
        assert running.stdout is not None and running.stderr is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGUSR1)
        assert running.stdout.readline() == "told\n"  # it waits for the container's end, and does nothing else
        _gone(place)
        runtime("kill", name, "TERM")
        assert (running.wait(PATIENCE), running.stderr.read()) == (5, "")
    if way == "keep":
        assert json.loads(runtime("state", name).stdout)["status"] == "stopped"
        runtime("delete", name)
    if way == "account":
        assert json.loads((place / "account.json").read_text())["exitCode"] == 5
    if way == "poststop hook":
        assert json.loads((place / "poststop").read_text())["status"] == "stopped"


def test_a_container_that_an_earlier_version_runs_is_operated(
    earlier: Runtime, runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    container = Container(runtime, bundle, runtime.new_id())
    earlier("run", "-d", "-b", bundle.shell(_ENDS_WITH_5).path, container.id)
    earlier("pause", container.id)
    _gone(place)
    assert container.status == "paused"
    assert container.id in runtime("list", "-q").lines
    runtime("resume", container.id)
    assert container.status == "running"
    assert container.exec("echo", "inside").lines == ["inside"]
    assert "trap" in runtime("ps", container.id).stdout
    assert json.loads(runtime("events", "--stats", container.id).stdout)["type"] == "stats"
    runtime("pause", container.id)
    assert container.status == "paused"
    runtime("resume", container.id)
    container.kill("TERM")
    assert container.status == "stopped"
    runtime("delete", container.id)
    assert runtime("list", "-q").lines == []


def test_a_container_that_an_earlier_version_has_created_is_started(
    earlier: Runtime, runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    bundle.hook("poststart", f"cat > {place}/poststart").hook("poststop", f"cat > {place}/poststop")
    container = Container(runtime, bundle, runtime.new_id())
    earlier("create", "-b", bundle.shell(_ENDS_WITH_5).path, container.id)
    _gone(place)
    assert container.status == "created"
    assert container.exec("echo", "early").lines == ["early"]
    container.start()
    assert json.loads((place / "poststart").read_text())["status"] == "running"
    assert container.exec("echo", "inside").lines == ["inside"]
    runtime("delete", "--force", container.id)
    assert json.loads((place / "poststop").read_text())["status"] == "stopped"


def test_a_container_that_has_ended_under_an_earlier_version_is_deleted(
    earlier: Runtime, runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    container = Container(runtime, bundle, runtime.new_id())
    earlier("create", "-b", bundle.args("true").path, container.id)
    with container.handle() as pidfd:
        earlier("start", container.id)
        wait(pidfd)
    _gone(place)
    assert container.status == "stopped"
    runtime("delete", container.id)


def test_limits_that_an_earlier_version_has_set_are_changed(
    earlier: Runtime, runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    need("pids")
    bundle.set("linux.resources.pids", {"limit": 50})
    container = Container(runtime, bundle, runtime.new_id())
    earlier("run", "-d", "-b", bundle.args("sleep", "1000").path, container.id)
    earlier("update", "--pids-limit", "40", container.id)
    _gone(place)
    runtime("update", "--pids-limit", "33", container.id)
    assert value(container, "pids", "pids.max") == "33"
    runtime("delete", "--force", container.id)
