"""linux.intelRdt against a made-up tree of resctrl, whose directories come with files as the kernel's do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from orlop import system
from orlop.errors import ConfigError, KernelError
from orlop.host.resctrl import Group, parsed, place, remove
from orlop.spec.types import IntelRdt

ID = "box"
real_mkdir = system.mkdir


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "resctrl"

    def mkdir(path: str, mode: int = 0o777) -> None:
        real_mkdir(path, mode)
        fill(Path(path))

    def fill(path: Path) -> None:
        (path / "tasks").touch()
        if path.parent.name != "mon_groups":
            (path / "schemata").write_text("    L3:0=00fff;1=00fff\n    MB:0=100;1=100\n")
            real_mkdir(path / "mon_groups")

    root.mkdir()
    fill(root)
    (root / "info").mkdir()
    (root / "info/last_cmd_status").write_text("ok\n")
    monkeypatch.setattr(system, "mkdir", mkdir)
    monkeypatch.setattr(system, "rmdir", shutil.rmtree)  # the kernel's directories go with their files
    return root


def group(tree: Path, rdt: IntelRdt) -> Group:
    made = Group(str(tree), rdt, ID)
    made.create()
    return made


def groups(tree: Path) -> set[str]:
    return {entry.name for entry in tree.iterdir() if entry.is_dir()} - {"info", "mon_groups"}


@pytest.mark.rule("RDT-1")
def test_an_empty_object_makes_a_group_of_the_containers_name(tree: Path) -> None:
    made = group(tree, {})
    before = (tree / ID / "schemata").read_text()
    made.join(42)
    made.settle()
    assert groups(tree) == {ID}
    assert (tree / ID / "tasks").read_text() == "42"
    assert (tree / ID / "schemata").read_text() == before
    remove(made.made)
    assert groups(tree) == set()


@pytest.mark.rule("RDT-2")
def test_schemata_are_written_in_the_order_of_the_specification(tree: Path) -> None:
    group(tree, {"schemata": ["L2:0=3", "L3CODE:0=1"], "memBwSchema": "MB:0=20", "l3CacheSchema": "L3:0=f"})
    assert (tree / ID / "schemata").read_text() == "L3:0=f\nMB:0=20\nL2:0=3\nL3CODE:0=1\n"


@pytest.mark.rule("RDT-3")
def test_a_class_that_is_made_for_others_to_share_stays(tree: Path) -> None:
    made = group(tree, {"closID": "gold", "memBwSchema": "MB:0=20"})
    assert made.made == [str(tree / "gold")]
    made.settle()
    assert made.made == [] and made.path == str(tree / "gold")


@pytest.mark.rule("RDT-4", "17.38")
def test_a_class_that_is_there_is_compared(tree: Path) -> None:
    (tree / "gold").mkdir()
    (tree / "gold/schemata").write_text("    L3:0=00ff;1=fff\n    MB:0=100\n")
    made = group(tree, {"closID": "gold", "l3CacheSchema": "L3:0=FF", "schemata": ["MB:0=100"]})
    assert made.made == []
    with pytest.raises(ConfigError, match=r'class "gold" has L3:0=ff, not f$'):
        group(tree, {"closID": "gold", "l3CacheSchema": "L3:0=f"})
    with pytest.raises(ConfigError, match='class "gold" has L2:0=None'):
        group(tree, {"closID": "gold", "schemata": ["L2:0=1"]})


@pytest.mark.rule("RDT-5", "17.37")
def test_a_class_alone_must_be_there(tree: Path) -> None:
    with pytest.raises(ConfigError, match=r"linux.intelRdt.closID: clos dir .*/gold not accessible"):
        group(tree, {"closID": "gold"})
    (tree / "gold").mkdir()
    assert group(tree, {"closID": "gold"}).made == []


def test_the_default_class(tree: Path) -> None:
    made = group(tree, {"closID": "/", "enableMonitoring": True})
    made.join(7)
    made.settle()
    assert (tree / "tasks").read_text() == (tree / "mon_groups" / ID / "tasks").read_text() == "7"
    assert made.made == [f"{tree}/mon_groups/{ID}"]
    remove(made.made)
    assert os.listdir(tree / "mon_groups") == []


@pytest.mark.rule("RDT-6")
def test_monitoring(tree: Path) -> None:
    made = group(tree, {"enableMonitoring": True})
    assert made.monitor == f"{tree}/{ID}/mon_groups/{ID}"
    assert made.made == [f"{tree}/{ID}", made.monitor]
    remove(made.made)
    remove(made.made)
    assert groups(tree) == set()


@pytest.mark.rule("RDT-3")
def test_a_group_that_is_there_is_not_removed(tree: Path) -> None:
    (tree / ID).mkdir()
    (tree / ID / "schemata").touch()
    made = group(tree, {"memBwSchema": "MB:0=20"})
    assert made.made == []
    assert (tree / ID / "schemata").read_text() == "MB:0=20\n"


@pytest.mark.rule("17.39")
def test_a_failure_leaves_nothing_and_tells_what_the_kernel_says(tree: Path) -> None:
    shutil.rmtree(tree / "mon_groups")
    (tree / "info/last_cmd_status").write_text("no room\n")
    with pytest.raises(KernelError, match=r"mon_groups/box: .*, last_cmd_status: no room"):
        group(tree, {"closID": "/", "enableMonitoring": True})
    assert groups(tree) == set()


def test_numbers_are_compared_without_leading_zeros() -> None:
    assert parsed("  L3:0=00Ff;01=0\nMB:0= 100") == {"L3": {"0": "ff", "1": "0"}, "MB": {"0": "100"}}


def test_a_host_without_resctrl_says_so(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    mountinfo = tmp_path / "self/mountinfo"
    mountinfo.write_text("1 1 0:1 / / rw - tmpfs tmpfs rw\n")
    with pytest.raises(ConfigError, match="Intel RDT is not enabled"):
        place(str(tmp_path))
    mountinfo.write_text("1 1 0:1 / /sys/fs/resctrl rw - resctrl resctrl rw\n")
    assert place(str(tmp_path)) == "/sys/fs/resctrl"
