"""Finding the hierarchies of a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from orlop.host import cgroups, mountinfo

HYBRID = """\
22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 22 0:28 / {sys} rw,relatime - tmpfs tmpfs rw,mode=755
90 22 0:90 / /var/lib/odd\\040name rw - cgroup cgroup rw,memory
32 31 0:29 / {sys}/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
33 31 0:32 /docker/abc {sys}/memory rw,relatime - cgroup cgroup rw,memory
34 31 0:37 / {sys}/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / {sys}/unified rw,relatime - cgroup2 cgroup2 rw
"""


def _host(tmp_path: Path, mounts: str, own: str) -> tuple[str, str]:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "sys/unified").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(mounts.replace("{sys}", f"{tmp_path}/sys"))
    (tmp_path / "proc/self/cgroup").write_text(own)
    return f"{tmp_path}/proc", f"{tmp_path}/sys"


def test_a_host_of_only_version_2_is_found_without_reading_its_mounts(tmp_path: Path) -> None:
    proc, sys = _host(tmp_path, "not mountinfo at all", "0::/user.slice/run.scope\n")
    Path(sys, "cgroup.controllers").write_text("cpuset cpu memory pids\n")
    layout = cgroups.layout(proc, sys)
    assert layout.unified
    assert layout.v2 is not None
    assert layout.v2.controllers == ("cpuset", "cpu", "memory", "pids")
    assert layout.v2.own_path() == f"{sys}/user.slice/run.scope"


def test_a_hybrid_host_has_its_version_1_hierarchies_and_the_other(tmp_path: Path) -> None:
    own = "9:name=systemd:/\n4:memory:/docker/abc/inner\n1:cpu,cpuacct:/a/b\n0::/a\n"
    proc, sys = _host(tmp_path, HYBRID, own)
    Path(sys, "unified/cgroup.controllers").write_text("hugetlb\n")
    layout = cgroups.layout(proc, sys)
    assert not layout.unified
    assert layout.v2 is not None and layout.v2.controllers == ("hugetlb",)
    assert [(each.mount[len(sys) :], each.controllers) for each in layout.hierarchies if each.version == 1] == [
        ("/systemd", ("name=systemd",)),
        ("/memory", ("memory",)),
        ("/cpu,cpuacct", ("cpu", "cpuacct")),
    ]
    assert [each.own_path()[len(sys) :] for each in layout.hierarchies] == [
        "/systemd",
        "/memory/inner",
        "/cpu,cpuacct/a/b",
        "/unified/a",
    ]


def test_a_hierarchy_that_is_not_mounted_is_left_out(tmp_path: Path) -> None:
    proc, sys = _host(tmp_path, HYBRID, "3:pids:/\n4:memory:/\n")
    assert [each.controllers for each in cgroups.layout(proc, sys).hierarchies] == [("memory",)]


@pytest.mark.parametrize("own", ["/../other", "/docker", "/dockerabc"])
def test_our_own_cgroup_outside_of_the_mount_counts_as_the_mount(own: str) -> None:
    assert cgroups.Hierarchy("/m", own=own, root="/docker/abc").own_path() == "/m"


def test_a_colon_in_the_path_of_our_own_cgroup_is_kept(tmp_path: Path) -> None:
    proc, sys = _host(tmp_path, HYBRID, "4:memory:/docker/abc/a:b\n")
    assert cgroups.layout(proc, sys).hierarchies[0].own == "/docker/abc/a:b"


def test_octal_escapes_of_mountinfo_are_undone() -> None:
    mount = mountinfo.Mount(
        r"36 35 98:0 /a\134040b /mnt\040x\011y rw,noatime master:1 shared:2 - ext3 /dev/r\043 rw,a=b"
    )
    assert (mount.root, mount.point, mount.source) == ("/a\\040b", "/mnt x\ty", "/dev/r#")
    assert (mount.id, mount.parent, mount.device) == (36, 35, "98:0")
    assert mount.propagation == ["master:1", "shared:2"]
    assert (mount.fstype, mount.options, mount.super_options) == ("ext3", ["rw", "noatime"], ["rw", "a=b"])


def test_only_mounts_of_the_wanted_types_are_taken_apart(tmp_path: Path) -> None:
    proc, _ = _host(tmp_path, "nonsense\n" + HYBRID, "")
    assert [mount.fstype for mount in mountinfo.mounts(proc, ("cgroup2",))] == ["cgroup2"]
