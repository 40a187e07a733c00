"""--times: how long each operation of a container took."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import Runtime

pytestmark = pytest.mark.usefixtures("clean_host")


@pytest.fixture(autouse=True)
def of_orlop(runtime: Runtime) -> None:
    if not runtime.is_orlop:
        pytest.skip("of orlop only")


def test_the_text_has_a_sum_for_each_field_and_the_slowest_operations(
    runtime: Runtime, bundle: Bundle, tmp_path: Path
) -> None:
    file = tmp_path / "times"
    runtime("run", "--times", file, "-b", bundle.args("true").path, runtime.new_id())
    first, *rest = file.read_text().splitlines()
    assert first.endswith(" operations")
    assert any(line.split()[-1:] == ["mounts[0]"] for line in rest)
    assert any("clone3(" in line or "pivot_root(" in line for line in rest)


def test_the_json_has_every_operation_that_was_done(runtime: Runtime, bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "times.json"
    runtime("run", "--times", file, "-b", bundle.args("true").path, runtime.new_id())
    report = json.loads(file.read_text())
    done = report["operations"]
    assert report["nanoseconds"] == sum(one["nanoseconds"] for one in done) > 0
    assert {"hostname", "mounts[0]", "root.path", "process.args[0]"} <= {one["field"] for one in done}
    (proc,) = (one for one in done if one["text"].startswith("<proc fs> = fsopen"))
    assert proc["nanoseconds"] > 0


def test_a_created_container_is_timed_until_it_waits(runtime: Runtime, bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "times.json"
    container = runtime.new_id()
    runtime("create", "--times", file, "-b", bundle.args("true").path, container)
    runtime("delete", "--force", container)
    fields = {one["field"] for one in json.loads(file.read_text())["operations"]}
    assert "root.path" in fields
    assert "process.rlimits[0]" not in fields


def test_a_container_that_fails_is_timed_up_to_there(runtime: Runtime, bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "times.json"
    bundle.mount("/broken", "tmpfs", "tmpfs", "size=nonsense")
    runtime("run", "--times", file, "-b", bundle.path, runtime.new_id(), status=1)
    fields = [one["field"] for one in json.loads(file.read_text())["operations"]]
    assert "mounts[0]" in fields
    assert "process.args[0]" not in fields


def test_a_file_that_cannot_be_written_is_named_and_nothing_is_made(runtime: Runtime, bundle: Bundle) -> None:
    failed = runtime("run", "--times", "/proc/no/such", "-b", bundle.args("true").path, runtime.new_id(), status=1)
    assert "unable to write /proc/no/such" in failed.stderr


def test_with_id_mapped_mounts_the_memory_comes_behind_their_descriptors(
    runtime: Runtime, bundle: Bundle, tmp_path: Path
) -> None:
    file, source = tmp_path / "times.json", bundle.path / "mapped"
    source.mkdir()
    maps = [{"containerID": 0, "hostID": 1000, "size": 1}]
    bundle.bind(source, "/mapped", "rbind", "idmap").writable().args("true")
    mounts = bundle.get("mounts")
    assert isinstance(mounts, list)
    mounts[-1].update(uidMappings=maps, gidMappings=maps)
    bundle.set("mounts", mounts)
    runtime("run", "--times", file, "-b", bundle.path, runtime.new_id())
    assert json.loads(file.read_text())["nanoseconds"] > 0
