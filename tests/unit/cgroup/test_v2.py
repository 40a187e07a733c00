"""The version 2 driver on a made-up tree."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from orlop import system
from orlop.cgroup.freezer import FreezerV2
from orlop.cgroup.v2 import CgroupV2
from orlop.errors import CgroupError

from .conftest import Tree

FILES = {
    "cgroup.procs": "",
    "cgroup.controllers": "cpu memory pids\n",
    "cgroup.subtree_control": "",
    "cgroup.type": "domain\n",
    "cgroup.freeze": "0\n",
    "cgroup.kill": "",
    "pids.max": "max\n",
    "memory.max": "max\n",
    "memory.current": "100\n",
    "cpu.weight": "100\n",
}


def _cgroup(tree: Tree, name: str = "/a/pod/box", *, lenient: bool = False) -> CgroupV2:
    tree.mount("", FILES)
    controllers = ("cpu", "memory", "pids")
    return CgroupV2(
        f"{tree.root}{name}", mount=str(tree.root), controllers=controllers, rootless=lenient, lenient=lenient
    )


def test_controllers_are_enabled_at_every_level_above_and_not_in_the_cgroup_itself(tree: Tree) -> None:
    _cgroup(tree).create(None)
    assert tree.written[0] == ("cgroup.subtree_control", "+cpu +memory +pids")
    assert [file for file, _ in tree.written] == [
        "cgroup.subtree_control",
        "a/cgroup.subtree_control",
        "a/pod/cgroup.subtree_control",
    ]


def test_controllers_that_cannot_be_enabled_together_are_enabled_one_by_one(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    cgroup = _cgroup(tree, "/box")
    write, tried = system.write, []

    def kernel(descriptor: int, data: bytes) -> int:
        tried.append(data.decode())
        if "cpu" in tried[-1]:
            raise OSError(errno.EINVAL, "a realtime process")
        return write(descriptor, data)

    monkeypatch.setattr(system, "write", kernel)
    cgroup.create(None)
    assert tried == ["+cpu +memory +pids", "+cpu", "+memory", "+pids"]


def test_limits_are_written_to_the_cgroup(tree: Tree) -> None:
    cgroup = _cgroup(tree, "/box")
    cgroup.create({"memory": {"limit": 4096}, "cpu": {"shares": 2}, "pids": {"limit": 0}})
    assert tree.written[1:] == [("box/pids.max", "1"), ("box/memory.max", "4096"), ("box/cpu.weight", "1")]
    assert cgroup.clone_into() == f"{tree.root}/box"
    assert cgroup.join_files() == ()
    assert cgroup.device_program(None)


def test_a_limit_below_the_usage_is_refused_when_the_config_asks_for_the_check(tree: Tree) -> None:
    cgroup = _cgroup(tree, "/box")
    cgroup.create(None)
    cgroup.set({"memory": {"limit": 50}})
    with pytest.raises(CgroupError, match=r"rejecting memory limit 50 <= usage 100"):
        cgroup.set({"memory": {"limit": 50, "checkBeforeUpdate": True}})


def test_a_file_of_a_controller_that_is_not_available_is_named(tree: Tree) -> None:
    message = r"""^unified resource "io.max" can't be set: controller "io" not available$"""
    with pytest.raises(CgroupError, match=message):
        _cgroup(tree).create({"unified": {"io.max": "8:0 rbps=1"}})
    assert not (tree.root / "a").exists()


def test_missing_swap_accounting_matters_only_for_a_real_swap_limit(tree: Tree) -> None:
    cgroup = _cgroup(tree, "/box")
    cgroup.create({"memory": {"limit": 5, "swap": 5}})
    with pytest.raises(CgroupError, match=r"^linux\.resources\.memory\.swap: cannot write") as caught:
        cgroup.set({"memory": {"limit": 5, "swap": 6}})
    assert "swapaccount=1" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("kind", "words"), [("domain invalid", "it is in an invalid state"), ("threaded", "it is in threaded mode")]
)
def test_a_threaded_cgroup_takes_no_memory_limit(tree: Tree, kind: str, words: str) -> None:
    cgroup = _cgroup(tree)
    system.makedirs(str(tree.root / "a"))
    tree.files[tree.root] = {**FILES, "cgroup.type": kind}
    with pytest.raises(CgroupError, match=f'^cannot enter cgroupv2 ".*" with domain controllers -- {words}$'):
        cgroup.create({"memory": {"limit": 5}})
    assert not (tree.root / "a/pod").exists()


def test_a_cgroup_that_cannot_be_a_domain_becomes_threaded(tree: Tree) -> None:
    cgroup = _cgroup(tree, "/box")
    tree.files[tree.root] = {**FILES, "cgroup.type": "domain invalid"}
    cgroup.create({"pids": {"limit": 5}})
    assert ("box/cgroup.type", "threaded") in tree.written


def test_a_used_cgroup_is_refused(tree: Tree) -> None:
    cgroup = _cgroup(tree, "/box")
    system.mkdir(str(tree.root / "box"))
    (tree.root / "box/cgroup.procs").write_text("5\n")
    with pytest.raises(
        CgroupError, match=r"^linux.cgroupsPath: container's cgroup is not empty: 1 process\(es\) found in /"
    ):
        cgroup.create(None)


def test_the_top_itself_is_refused_as_it_is_used(tree: Tree) -> None:
    cgroup = _cgroup(tree, "")
    (tree.root / "cgroup.procs").write_text("1\n2\n")
    with pytest.raises(CgroupError, match=r"not empty: 2 process\(es\)"):
        cgroup.create(None)


def test_a_rootless_runtime_goes_without_a_cgroup_where_no_limit_is_asked_for(tree: Tree) -> None:
    cgroup = _cgroup(tree, "/box", lenient=True)
    tree.refuse = {"/box": errno.EACCES}
    cgroup.create({"devices": []})
    assert (cgroup.paths, cgroup.clone_into(), cgroup.pids(), cgroup.frozen()) == ({}, None, [], False)
    cgroup.kill()
    cgroup.delete()


def test_a_rootless_runtime_says_why_a_limit_is_impossible(tree: Tree) -> None:
    cgroup = _cgroup(tree, "/box", lenient=True)
    tree.refuse = {"/box": errno.EACCES}
    message = (
        r"^rootless needs no limits \+ no cgrouppath when no permission is granted for cgroups: .*: permission denied$"
    )
    for limit in ({"pids": {"limit": 5}}, {"unified": {"nowhere.max": "5"}}):  # also of a controller that nobody has
        with pytest.raises(CgroupError, match=message):
            cgroup.create(limit)


def test_kill_writes_one_file_and_a_missing_cgroup_is_fine(tree: Tree) -> None:
    cgroup = _cgroup(tree, "/box")
    cgroup.kill()
    cgroup.create(None)
    cgroup.kill()
    assert tree.written[-1] == ("box/cgroup.kill", "1")


def test_a_parent_that_vanishes_while_we_make_the_cgroup_is_made_again(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    cgroup = _cgroup(tree, "/pod/box")
    mkdir = tree.mkdir
    rounds: list[str] = []

    def racing(path: str, mode: int = 0o777) -> None:
        if path.endswith("/box") and len(rounds) < 3 and os.path.isdir(os.path.dirname(path)):
            rounds.append(path)
            tree.rmdir(os.path.dirname(path))
        mkdir(path, mode)

    monkeypatch.setattr(system, "mkdir", racing)
    cgroup.create(None)
    assert len(rounds) == 3
    assert (tree.root / "pod/box").is_dir()


def test_a_cgroup_that_vanishes_is_not_frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cgroup.freeze").write_text("1\n")
    freezer = FreezerV2(str(tmp_path))
    assert freezer.frozen() is False  # gone before its events were opened
    (tmp_path / "cgroup.events").write_text("frozen 0\n")

    def removed(_descriptor: int, _size: int, _offset: int) -> bytes:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(system, "pread", removed)
    assert freezer.frozen() is False  # and before they were read
    (tmp_path / "cgroup.freeze").unlink()
    freezer.thaw()


@pytest.mark.rule("18.8")
def test_only_files_that_the_cgroup_has_are_given_away(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def chown(path: str, uid: int, gid: int) -> None:
        os.stat(path)  # raises, as the kernel does, where it is missing
        given.append((os.path.basename(os.path.normpath(path)), uid, gid))

    (tmp_path / "delegate").write_text("cgroup.procs\nmemory.oom.group\ncgroup.subtree_control\n")
    monkeypatch.setattr("orlop.cgroup.v2._DELEGATE", str(tmp_path / "delegate"))
    monkeypatch.setattr(system, "chown", chown)
    cgroup = _cgroup(tree)
    cgroup.create(None)
    cgroup.give_to(1000)
    assert given == [(name, 1000, -1) for name in ("box", "cgroup.procs", "cgroup.subtree_control")]
