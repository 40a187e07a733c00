"""The state of containers that another version of orlop has made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orlop.errors import OrlopError
from orlop.state.store import Store

# What version 0.1.0 wrote.  Never to be changed: containers with such a state may be running.
_FIRST = {
    "orlop_format": 1,
    "id": "web",
    "init_process_pid": 4711,
    "init_process_start": 123456,
    "created": "2026-11-01T10:00:00.123456789Z",
    "bundle": "/bundles/web",
    "rootfs": "/bundles/web/rootfs",
    "annotations": {"a": "b"},
    "cgroup_paths": {"memory": "/sys/fs/cgroup/memory/web"},
    "namespaces": ["pid", "mount"],
    "systemd_cgroup": False,
    "rootless": False,
}


def stored(root: Path, document: dict[str, object]) -> Store:
    (root / "web").mkdir()
    (root / "web/state.json").write_text(json.dumps(document))
    return Store(str(root), "web")


def test_the_state_of_the_first_version_is_read(tmp_path: Path) -> None:
    record = stored(tmp_path, dict(_FIRST)).load()
    for name in _FIRST.keys() - {"orlop_format"}:
        assert getattr(record, name) == _FIRST[name]
    for name in record.FIELDS:
        assert hasattr(record, name)
    assert (record.intel_rdt_path, record.intel_rdt_made, record.monitor, record.new_keyring) == ("", [], [], True)


def test_a_field_that_a_later_version_has_added_is_passed_over(tmp_path: Path) -> None:
    assert stored(tmp_path, {**_FIRST, "intel_rdt": {}}).load().init_process_pid == 4711


def test_the_state_of_a_newer_format_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(OrlopError, match="was written by a newer version") as caught:
        stored(tmp_path, {**_FIRST, "orlop_format": 3}).load()
    assert caught.value.hint == "use the version that created the container, or a newer one"
