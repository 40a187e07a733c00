"""The version 1 driver on a made-up tree."""

from __future__ import annotations

import errno
import os

import pytest

from orlop import system
from orlop.cgroup.v1 import CgroupV1
from orlop.errors import CgroupError

from .conftest import Tree

DENY_ALL = [{"allow": False, "access": "rwm"}]


def _cgroup(tree: Tree, name: str = "pod/box", *, lenient: bool = False, rootless: bool = False) -> CgroupV1:
    base = {"cgroup.procs": "", "tasks": ""}
    tops = {
        "cpuset": tree.mount("cpuset", {**base, "cpuset.cpus": "0-3\n", "cpuset.mems": "0\n"}),
        "devices": tree.mount(
            "devices", {**base, "devices.allow": "", "devices.deny": "", "devices.list": "a *:* rwm\n"}
        ),
        "memory": tree.mount(
            "memory", {**base, "memory.limit_in_bytes": "-1\n", "memory.memsw.limit_in_bytes": "-1\n"}
        ),
        "freezer": tree.mount("freezer", {**base, "freezer.state": "THAWED\n", "freezer.self_freezing": "0\n"}),
    }
    tops["cpu"] = tops["cpuacct"] = tree.mount("cpu,cpuacct", {**base, "cpu.shares": "1024\n"})
    return CgroupV1({key: f"{top}/{name}" for key, top in tops.items()}, rootless=rootless or lenient, lenient=lenient)


def test_every_level_of_cpuset_gets_processors_and_nodes_before_anybody_joins(tree: Tree) -> None:
    _cgroup(tree).create({"devices": DENY_ALL})
    assert [(file, value) for file, value in tree.written if file.startswith("cpuset/")] == [
        ("cpuset/pod/cpuset.cpus", "0-3"),
        ("cpuset/pod/box/cpuset.cpus", "0-3"),
        ("cpuset/pod/cpuset.mems", "0"),
        ("cpuset/pod/box/cpuset.mems", "0"),
    ]


def test_processors_that_the_config_names_are_not_copied(tree: Tree) -> None:
    _cgroup(tree, "box").create({"cpu": {"cpus": "1"}})
    assert [(file, value) for file, value in tree.written if file.startswith("cpuset/")] == [
        ("cpuset/box/cpuset.mems", "0"),
        ("cpuset/box/cpuset.cpus", "1"),
    ]


def test_a_new_cgroup_is_neither_read_nor_checked_for_devices(tree: Tree) -> None:
    _cgroup(tree).create(None)
    written = [(file, value) for file, value in tree.written if file.startswith("devices/")]
    assert written[0] == ("devices/pod/box/devices.deny", "a")
    assert len(written) == 12


def test_rules_that_the_kernel_did_not_take_over_are_an_error(tree: Tree) -> None:
    cgroup = _cgroup(tree)
    system.makedirs(cgroup.paths["devices"])
    with pytest.raises(CgroupError, match="resulting devices cgroup doesn't match the rules"):
        cgroup.create(None)
    assert os.path.isdir(cgroup.paths["devices"])
    assert not os.path.exists(cgroup.paths["memory"])


def test_a_cgroup_with_processes_is_refused_and_left_as_it_was(tree: Tree) -> None:
    cgroup = _cgroup(tree)
    system.makedirs(cgroup.paths["devices"] + "/inner")
    with open(cgroup.paths["devices"] + "/cgroup.procs", "w") as file:
        file.write("7\n8\n")
    with open(cgroup.paths["devices"] + "/inner/cgroup.procs", "w") as file:
        file.write("9\n")
    assert sorted(cgroup.pids()) == [7, 8, 9]
    assert cgroup.pids(nested=False) == [7, 8]
    with pytest.raises(
        CgroupError, match=r"^linux.cgroupsPath: container's cgroup is not empty: 3 process\(es\) found in /"
    ):
        cgroup.create(None)
    assert not os.path.exists(tree.root / "memory/pod")


def test_a_process_without_an_id_in_our_pid_namespace_is_not_taken_for_our_own_group(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    cgroup = _cgroup(tree)
    system.makedirs(cgroup.paths["devices"])
    with open(cgroup.paths["devices"] + "/cgroup.procs", "w") as file:
        file.write("0\n7\n")
    signalled: list[tuple[int, int]] = []
    monkeypatch.setattr(system, "kill", lambda pid, number: signalled.append((pid, number)))
    cgroup.signal(9)
    assert signalled == [(7, 9)]


def test_a_frozen_cgroup_is_refused(tree: Tree) -> None:
    cgroup = _cgroup(tree)
    system.makedirs(cgroup.paths["freezer"])
    for file, text in (("freezer.state", "FROZEN\n"), ("freezer.self_freezing", "1\n")):
        with open(f"{cgroup.paths['freezer']}/{file}", "w") as opened:
            opened.write(text)
    with pytest.raises(CgroupError, match=r"^linux.cgroupsPath: container's cgroup unexpectedly frozen: /"):
        cgroup.create(None)


def test_a_cgroup_below_a_frozen_one_is_not_frozen_itself(tree: Tree) -> None:
    cgroup = _cgroup(tree)
    cgroup.create(None)
    with open(f"{cgroup.paths['freezer']}/freezer.state", "w") as opened:
        opened.write("FROZEN\n")
    assert not cgroup.frozen()


def test_a_refused_limit_names_field_file_and_value_and_all_is_undone(tree: Tree) -> None:
    cgroup = _cgroup(tree)
    with pytest.raises(CgroupError) as caught:
        cgroup.create({"memory": {"reservation": 5}})
    path = f"{cgroup.paths['memory']}/memory.soft_limit_in_bytes"
    assert str(caught.value) == (
        f'linux.resources.memory.reservation: cannot write "5" to {path}: no such file or directory'
    )
    assert (caught.value.errno, caught.value.call, caught.value.path) == (errno.ENOENT, "open", path)
    assert caught.value.hint
    assert [entry.name for entry in tree.root.glob("*/pod")] == []


def test_a_limit_for_a_controller_that_the_host_lacks_is_refused(tree: Tree) -> None:
    message = r"^linux\.resources\.pids\.limit: cannot set pids limit: container could not join or create cgroup$"
    with pytest.raises(CgroupError, match=message) as caught:
        _cgroup(tree).create({"pids": {"limit": 5}})
    assert caught.value.hint == 'pids.max = 5 needs the controller "pids", mounted or delegated'


def test_what_is_refused_as_invalid_is_tried_again_after_the_rest(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    cgroup = _cgroup(tree)
    cgroup.create(None)
    write, seen = system.write, []

    def kernel(descriptor: int, data: bytes) -> int:
        seen.append((os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")), data.decode()))
        if len(seen) == 1:
            raise OSError(errno.EINVAL, "invalid")
        return write(descriptor, data)

    monkeypatch.setattr(system, "write", kernel)
    cgroup.set({"memory": {"limit": 200, "swap": 300}})
    assert seen == [
        ("memory.limit_in_bytes", "200"),
        ("memory.memsw.limit_in_bytes", "300"),
        ("memory.limit_in_bytes", "200"),
    ]


def test_shares_that_the_kernel_clamps_are_an_error(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    cgroup = _cgroup(tree)
    cgroup.create(None)
    monkeypatch.setattr(system, "write", lambda descriptor, data: len(data))
    with pytest.raises(CgroupError, match="the minimum allowed cpu-shares is 1024"):
        cgroup.set({"cpu": {"shares": 1}})


def test_a_rootless_runtime_leaves_out_hierarchies_that_it_may_not_use(tree: Tree) -> None:
    cgroup = _cgroup(tree, "box", lenient=True)
    tree.refuse = {"devices/box": errno.EACCES, "memory/box": errno.EROFS}
    cgroup.create({"devices": DENY_ALL})
    assert sorted(cgroup.paths) == ["cpu", "cpuacct", "cpuset", "freezer"]
    with pytest.raises(CgroupError, match="cannot set memory limit: container could not join or create cgroup"):
        cgroup.set({"memory": {"limit": 5}})


def test_a_hierarchy_that_limits_nothing_is_left_out_where_only_the_others_are_delegated(tree: Tree) -> None:
    cgroup = _cgroup(tree, rootless=True)
    for name, top in (("", "unified"), ("name=systemd", "systemd")):
        cgroup.paths[name] = f"{tree.mount(top, {'cgroup.procs': ''})}/pod/box"
    tree.refuse = {"unified/pod": errno.EACCES, "systemd/pod": errno.EACCES}
    cgroup.create(None)
    assert sorted(cgroup.paths) == ["cpu", "cpuacct", "cpuset", "devices", "freezer", "memory"]
    assert cgroup.clone_into() is None


def test_the_path_of_the_config_is_wanted_in_every_hierarchy_that_limits(tree: Tree) -> None:
    cgroup = _cgroup(tree, rootless=True)
    tree.refuse = {"memory/pod": errno.EACCES}
    with pytest.raises(CgroupError, match="permission denied"):
        cgroup.create(None)


def test_a_refusal_is_an_error_for_root(tree: Tree) -> None:
    cgroup = _cgroup(tree)
    tree.refuse = {"memory/pod": errno.EACCES}
    with pytest.raises(
        CgroupError, match=r"^linux\.cgroupsPath: cannot create cgroup .*/memory/pod: permission denied$"
    ):
        cgroup.create(None)
    assert list(tree.root.glob("*/pod")) == []


def test_delete_removes_nested_cgroups_and_leaves_parents(tree: Tree) -> None:
    cgroup = _cgroup(tree)
    cgroup.create(None)
    system.makedirs(cgroup.paths["memory"] + "/a/b")
    cgroup.delete()
    assert list(tree.root.glob("*/pod/*/")) == []
    assert (tree.root / "memory/pod").is_dir()
    cgroup.delete()


def test_undo_removes_parents_that_nobody_else_uses(tree: Tree) -> None:
    cgroup, other = _cgroup(tree), _cgroup(tree, "pod/other")
    cgroup.create(None)
    system.mkdir(other.paths["memory"])
    cgroup.undo()
    assert [path.parent.name for path in tree.root.glob("*/pod")] == ["memory"]


def test_a_cgroup_that_stays_busy_is_reported_after_all_others_are_gone(tree: Tree) -> None:
    cgroup = _cgroup(tree)
    cgroup.create(None)
    with open(cgroup.paths["cpuset"] + "/cgroup.procs", "w") as file:
        file.write("7\n")
    with pytest.raises(CgroupError, match=r"cannot remove cgroup .*/cpuset/pod/box: device or resource busy$"):
        cgroup.delete()
    assert [path.parent.parent.name for path in tree.root.glob("*/pod/box")] == ["cpuset"]


def test_who_may_not_be_killed_keeps_nobody_alive_or_frozen(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    cgroup = _cgroup(tree)
    system.makedirs(cgroup.paths["devices"])
    system.makedirs(cgroup.paths["freezer"])
    with open(cgroup.paths["devices"] + "/cgroup.procs", "w") as file:
        file.write("7\n8\n")
    signalled: list[int] = []

    def kill(pid: int, number: int) -> None:
        signalled.append(pid)
        if pid == 7:
            raise PermissionError(errno.EPERM, "operation not permitted")

    monkeypatch.setattr(system, "kill", kill)
    with pytest.raises(CgroupError, match=r"^cannot signal process 7 in /.*/devices/pod/box: operation not permitted$"):
        cgroup.kill()
    assert signalled == [7, 8]
    with open(cgroup.paths["freezer"] + "/freezer.state") as file:
        assert file.read() == "THAWED"
