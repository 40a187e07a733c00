"""pause, resume, ps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import Runtime, error_line

pytestmark = pytest.mark.usefixtures("clean_host")


def test_a_paused_container_stands_still_until_it_is_resumed(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.created(bundle.args("sleep", "1000")) as container:
        container.start()
        runtime("pause", container.id)
        assert container.status == "paused"
        assert "container not running" in error_line(runtime("pause", container.id, status=1))
        assert "cannot exec in a paused container" in error_line(runtime("exec", container.id, "true", status=255))
        runtime("resume", container.id)
        assert container.status == "running"
        assert "container not paused" in error_line(runtime("resume", container.id, status=1))


def test_a_paused_container_can_be_removed_with_force(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.created(bundle.args("sleep", "1000")) as container:
        container.start()
        runtime("pause", container.id)
        runtime("delete", "--force", container.id)
        assert "does not exist" in error_line(runtime("state", container.id, status=1))


def test_ps_lists_the_processes_of_the_container_and_no_others(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    with runtime.created(bundle.args("sleep", "1000")) as container:
        container.start()
        assert json.loads(runtime("ps", "--format", "json", container.id).stdout) == [container.state()["pid"]]
        table = runtime("ps", container.id, "-o", "pid,args").lines
        assert table[0].split() == ["PID", "COMMAND"]
        assert [line.split(None, 1)[1] for line in table[1:]] == ["sleep 1000"]


def test_ps_needs_the_column_pid(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.created(bundle.args("sleep", "1000")) as container:
        done = runtime("ps", container.id, "-o", "args", status=1)
        assert "couldn't find PID field in ps output" in error_line(done)
