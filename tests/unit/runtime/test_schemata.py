"""New schemata for a container's group of resctrl, on a made-up one."""

from __future__ import annotations

from pathlib import Path

import pytest

from orlop import system
from orlop.errors import KernelError, OrlopError
from orlop.runtime.schemata import Schemata
from orlop.state.store import Record

OLD = "    L3:0=ff;1=ff\n    MB:0=100;1=100\n"


@pytest.fixture
def group(tmp_path: Path) -> Path:
    """A processor with both features, and the group of one container; beside it the mountinfo that names them."""
    root = tmp_path / "resctrl"
    for name in ("info/L3", "info/MB", "box"):
        (root / name).mkdir(parents=True)
    (root / "info/last_cmd_status").write_text("ok\n")
    (root / "box/schemata").write_text(OLD)
    (tmp_path / "self").mkdir()
    (tmp_path / "self/mountinfo").write_text(f"30 24 0:27 / {root} rw,relatime shared:1 - resctrl resctrl rw\n")
    return root / "box"


def _record(group: Path | None) -> Record:
    record = Record("box", "/bundle", "/rootfs", "")
    record.intel_rdt_path = str(group or "")
    return record


def test_the_lines_that_are_given_are_written(group: Path) -> None:
    proc = str(group.parents[1])
    Schemata(_record(group), "L3:0=f", "MB:0=20", proc).apply()
    assert (group / "schemata").read_text() == "L3:0=f\nMB:0=20\n"
    Schemata(_record(group), "", "MB:0=30", proc).apply()
    assert (group / "schemata").read_text() == "MB:0=30\n"


def test_a_refusal_leaves_the_old_lines(group: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = system.write

    def kernel(descriptor: int, data: bytes) -> int:
        if b"MB:0=1\n" in data:
            write(descriptor, b"L3:0=f\n")
            raise OSError(22, "Invalid argument")
        return write(descriptor, data)

    monkeypatch.setattr(system, "write", kernel)
    with pytest.raises(KernelError, match=r"schemata: invalid argument"):
        Schemata(_record(group), "L3:0=f", "MB:0=1", str(group.parents[1])).apply()
    assert (group / "schemata").read_text() == "L3:0=ff;1=ff\nMB:0=100;1=100\n"


def test_a_container_without_a_group_is_refused(group: Path) -> None:
    with pytest.raises(OrlopError, match="updating a non-existent Intel RDT configuration is not supported"):
        Schemata(_record(None), "L3:0=f", "", str(group.parents[1]))


@pytest.mark.parametrize(
    ("missing", "schemas", "words"),
    [
        ("L3", ("L3:0=f", ""), "Intel RDT/CAT: l3 cache schema is not enabled"),
        ("MB", ("", "MB:0=20"), "Intel RDT/MBA: memory bandwidth schema is not enabled"),
    ],
)
def test_a_feature_that_the_processor_lacks_is_named(
    group: Path, missing: str, schemas: tuple[str, str], words: str
) -> None:
    (group.parent / "info" / missing).rmdir()
    with pytest.raises(OrlopError, match=words):
        Schemata(_record(group), *schemas, str(group.parents[1]))
