"""A bundle of runc 0.0.3 runs as it did."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import Runtime
from tests.system.terminals import console_socket
from tests.unit.spec.predraft import sample

pytestmark = pytest.mark.usefixtures("clean_host")


@pytest.fixture
def old(runtime: Runtime, bundle: Bundle) -> Bundle:
    if not runtime.is_orlop:
        pytest.skip("this runtime does not know the pre-draft format")
    bundle.config = sample()
    return bundle.set("process.terminal", False)


def test_the_sample_runs(runtime: Runtime, old: Bundle) -> None:
    script = (
        "hostname; id -u; pwd; grep -E 'Cap(Prm|Bnd|Amb)' /proc/self/status; ls /dev; touch /x 2>&1; cat /proc/mounts"
    )
    lines = runtime.shell(old, script)
    assert lines[:3] == ["shell", "0", "/"]
    assert [line.split()[1] for line in lines[3:6]] == ["0000000020000420", "0000000020000420", "0" * 16]
    assert {"null", "random", "full", "tty", "zero", "urandom", "ptmx", "pts", "shm", "mqueue"} <= {*lines[6:]}
    assert "touch: /x: Read-only file system" in lines
    assert any(line.startswith("sysfs /sys sysfs ro,") for line in lines)
    assert any(line.startswith("proc /proc/sys proc ro,") for line in lines)


def test_the_sample_of_the_readme_runs_unchanged_with_a_terminal(runtime: Runtime, old: Bundle, place: Path) -> None:
    old.set("process.terminal", True)
    assert old.config == sample()
    with console_socket(place) as console, runtime.created(old, "--console-socket", console.path) as container:
        container.start()
        assert container.shell("tty; hostname")[1] == "shell"


def test_what_was_parsed_and_ignored_takes_effect(runtime: Runtime, old: Bundle, place: Path) -> None:
    old.set("linux.rlimits", [{"type": 7, "soft": 77, "hard": 99}]).set("process.user.additionalGids", [5, 6])
    old.set("hooks", {"prestart": [{"path": "/bin/sh", "args": ["-c", f"cat > {place}/state"]}]})
    assert runtime.shell(old, "ulimit -n; ulimit -Hn; id -G") == ["77", "99", "0 5 6"]
    assert json.loads((place / "state").read_text())["status"] == "creating"


def test_a_device_of_the_host_by_its_name(runtime: Runtime, old: Bundle) -> None:
    if not os.path.exists("/dev/kmsg"):
        pytest.skip("needs a host with /dev/kmsg")
    old.set("linux.devices", ["null", "kmsg"]).set("linux.capabilities", ["SYSLOG", "DAC_OVERRIDE"])
    assert runtime.shell(old, "ls -l /dev/kmsg | cut -c1; ls /dev/zero") == ["c", "/dev/zero"]


def test_an_exec_sees_the_converted_config(runtime: Runtime, old: Bundle) -> None:
    with runtime.running(old.args("sleep", "1000")) as container:
        old.file.unlink()
        status = container.shell("grep CapBnd /proc/self/status")
        assert status == ["CapBnd:\t0000000020000420"]


def test_a_fault_is_named_as_the_old_format_does(runtime: Runtime, old: Bundle) -> None:
    assert 'linux.capabilities[0]: unknown capability "FLY"' in runtime.refuses(old.set("linux.capabilities", ["FLY"]))
