"""Which driver and which directories a container gets."""

from __future__ import annotations

import pytest

from orlop.cgroup import choose
from orlop.cgroup.none import NoCgroup
from orlop.cgroup.v1 import CgroupV1
from orlop.cgroup.v2 import CgroupV2
from orlop.errors import CgroupError, ConfigError
from orlop.host.cgroups import Hierarchy, Layout

V2 = Layout([Hierarchy("/s", ("cpu",), version=2, own="/user/me.scope")])
HYBRID = Layout(
    [
        Hierarchy("/s/devices", ("devices",), own="/d"),
        Hierarchy("/s/cpu,cpuacct", ("cpu", "cpuacct")),
        Hierarchy("/s/odd", ("name=odd",)),
        Hierarchy("/s/unified", (), version=2, own="/u"),
    ]
)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (None, "/s/user/box"),
        ("", "/s/user/box"),
        ("pod/box", "/s/user/pod/box"),
        ("/pod//./x/../box/", "/s/pod/box"),
        ("/", "/s"),
        ("system.slice:orlop:box", "/s/user/system.slice:orlop:box"),
    ],
)
def test_paths_on_version_2_start_at_the_top_or_beside_our_own_cgroup(given: str | None, path: str) -> None:
    cgroup = choose.new(V2, given, "box")
    assert isinstance(cgroup, CgroupV2)
    assert cgroup.paths == {"": path}


def test_beside_the_top_of_version_2_is_below_it() -> None:
    assert choose.new(Layout([Hierarchy("/s", version=2)]), None, "box").paths == {"": "/s/box"}


def test_each_known_controller_of_version_1_has_a_path_in_its_hierarchy() -> None:
    cgroup = choose.new(HYBRID, "/pod/box", "id")
    assert isinstance(cgroup, CgroupV1)
    assert cgroup.paths == {
        "devices": "/s/devices/pod/box",
        "cpu": "/s/cpu,cpuacct/pod/box",
        "cpuacct": "/s/cpu,cpuacct/pod/box",
        "": "/s/unified/pod/box",
    }


def test_without_a_path_version_1_names_the_cgroup_after_the_container_below_our_own() -> None:
    cgroup = choose.new(HYBRID, None, "box")
    assert cgroup.paths["devices"] == "/s/devices/d/box"
    assert cgroup.paths["cpu"] == "/s/cpu,cpuacct/box"
    assert cgroup.paths[""] == "/s/unified/u/box"


def test_tasks_of_joined_hierarchies_are_written_once_and_the_unified_part_is_cloned_into() -> None:
    cgroup = choose.new(HYBRID, "/box", "id")
    assert cgroup.join_files() == ("/s/devices/box/tasks", "/s/cpu,cpuacct/box/tasks")
    assert cgroup.clone_into() == "/s/unified/box"
    assert cgroup.device_program(None) is None


def test_a_sub_cgroup_is_joined_for_all_or_for_single_controllers() -> None:
    cgroup = choose.new(HYBRID, "/box", "id")
    assert cgroup.join_files({"": "a/b"}) == ("/s/devices/box/a/b/tasks", "/s/cpu,cpuacct/box/a/b/tasks")
    assert cgroup.clone_into({"": "a"}) == "/s/unified/box/a"
    assert cgroup.join_files({"devices": "a"}) == ("/s/devices/box/a/tasks", "/s/cpu,cpuacct/box/tasks")
    assert choose.new(V2, "/box", "id").clone_into({"": "/a/"}) == "/s/box/a"


@pytest.mark.parametrize(
    ("below", "message"),
    [({"": "a/../../x"}, "bad sub cgroup path: a/../../x"), ({"no": "x"}, "unknown controller no in SubCgroupPaths")],
)
def test_a_sub_cgroup_that_leads_out_or_is_unknown_is_refused(below: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        choose.new(HYBRID, "/box", "id").join_files(below)


@pytest.mark.parametrize("path", ["..", "/..", "a/../..", "/a/../../b", "./../x", ".", "a\0b"])
def test_a_path_that_leads_out_of_the_hierarchy_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match=r"^linux\.cgroupsPath: "):
        choose.new(V2, path, "box")


def test_a_host_without_the_devices_hierarchy_is_refused() -> None:
    with pytest.raises(CgroupError, match="mountpoint for devices not found"):
        choose.new(Layout([Hierarchy("/s/cpu", ("cpu",))]), None, "box")


def test_a_rootless_runtime_goes_without_where_there_is_no_hierarchy() -> None:
    cgroup = choose.new(Layout([]), None, "box", rootless=True)
    assert isinstance(cgroup, NoCgroup)
    cgroup.create({"devices": [], "cpu": {"shares": 0}})
    assert (cgroup.paths, cgroup.join_files(), cgroup.clone_into(), cgroup.pids()) == ({}, (), None, [])
    cgroup.delete()
    with pytest.raises(CgroupError, match=r"^linux\.resources\.pids: cannot set limits"):
        cgroup.create({"pids": {"limit": 5}})


def test_the_recorded_paths_choose_the_driver() -> None:
    assert isinstance(choose.recorded(V2, {"": "/s/box"}), CgroupV2)
    assert isinstance(choose.recorded(HYBRID, {"devices": "/s/devices/box", "": "/s/unified/box"}), CgroupV1)
    assert isinstance(choose.recorded(V2, {}), NoCgroup)


@pytest.mark.rule("CG-1")
@pytest.mark.parametrize("host", [V2, HYBRID])
def test_one_path_is_one_cgroup_whatever_the_container(host: Layout) -> None:
    for path in ("/a/pod", "a/pod"):
        assert choose.new(host, path, "one").paths == choose.new(host, path, "two").paths
