from __future__ import annotations

import json
from pathlib import Path

from orlop.spec.check import check
from orlop.spec.json import dump
from orlop.spec.rootless import check_rootless
from orlop.spec.template import HOST_DIRECTORIES, HOST_ETC, default, host_root, rootless
from orlop.spec.types import Spec

EXPECTED = Path(__file__).parent / "template.json"


def kinds(spec: Spec) -> list[str]:
    return [namespace["type"] for namespace in spec["linux"]["namespaces"]]


def test_the_template_is_written_as_runc_writes_it() -> None:
    assert dump(default(cgroup2=False), "\t") == EXPECTED.read_text()


def test_a_pure_cgroup2_host_gets_a_cgroup_namespace() -> None:
    with_it = default(cgroup2=True)
    assert kinds(with_it) == [*kinds(default(cgroup2=False)), "cgroup"]


def test_two_templates_share_nothing() -> None:
    first = default(cgroup2=True)
    first["process"]["capabilities"]["bounding"].append("CAP_SYS_ADMIN")
    assert "CAP_SYS_ADMIN" not in first["process"]["capabilities"]["effective"]
    assert "CAP_SYS_ADMIN" not in default(cgroup2=True)["process"]["capabilities"]["bounding"]


def test_the_rootless_variant_passes_the_rootless_check() -> None:
    spec = rootless(default(cgroup2=True), 1000, 100)
    assert check(spec) == []
    assert check_rootless(spec) == []
    assert kinds(spec) == ["pid", "ipc", "uts", "mount", "cgroup", "user"]
    assert spec["linux"]["uidMappings"] == [{"containerID": 0, "hostID": 1000, "size": 1}]
    assert spec["linux"]["gidMappings"] == [{"containerID": 0, "hostID": 100, "size": 1}]
    assert "resources" not in spec["linux"]
    assert list(spec["linux"])[:3] == ["uidMappings", "gidMappings", "namespaces"]


def test_the_rootless_variant_binds_sys_and_gives_no_owners() -> None:
    mounts = {mount["destination"]: mount for mount in rootless(default(cgroup2=False), 1, 1)["mounts"]}
    assert mounts["/sys"] == {
        "destination": "/sys", "type": "none", "source": "/sys",
        "options": ["rbind", "nosuid", "noexec", "nodev", "ro"],
    }  # fmt: skip
    assert mounts["/dev/pts"]["options"] == ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]


def test_the_default_template_is_refused_to_a_rootless_runtime() -> None:
    assert [str(problem) for problem in check_rootless(default(cgroup2=True))] == [
        "linux.namespaces: rootless container requires user namespaces"
    ]


def test_a_rootless_config_with_everything_forbidden_names_all_of_it() -> None:
    spec = rootless(default(cgroup2=True), 1000, 1000)
    spec["mounts"].append({"destination": "/a", "type": "tmpfs", "options": ["uid=0", "uid=1", "gid=5", "uidx=7"]})
    spec["mounts"].append({"destination": "/b", "source": "/b", "options": ["bind", "idmap"]})
    spec["process"]["user"]["additionalGids"] = [5]
    spec["linux"]["netDevices"] = {"eth0": {}}
    found = [str(problem) for problem in check_rootless(spec)]
    assert [text.split(":")[0] for text in found] == [
        "mounts[7].options", "mounts[7].options", "mounts[8].options", "process.user.additionalGids",
        "linux.netDevices",
    ]  # fmt: skip
    assert "cannot set any additional groups in a rootless container" in found[3]


def test_a_rootless_namespace_needs_both_kinds_of_mappings() -> None:
    spec = rootless(default(cgroup2=True), 1000, 1000)
    del spec["linux"]["gidMappings"]
    assert "linux.gidMappings: rootless containers requires at least one GID mapping" in map(str, check_rootless(spec))


def test_a_container_of_the_host_sees_the_real_directories_read_only() -> None:
    real = {"/usr": "/usr", "/bin": "/usr/bin", "/lib": "/usr/lib", "/etc/passwd": "/etc/passwd"}
    spec = host_root(default(cgroup2=True), real.get, args=["id"], terminal=False)
    assert check(spec) == []
    binds = {mount["destination"]: mount for mount in spec["mounts"] if "rbind" in mount.get("options", [])}
    assert {path: mount["source"] for path, mount in binds.items()} == real
    assert all("rro" in mount["options"] for mount in binds.values())
    assert spec["root"] == {"path": "rootfs", "readonly": True}
    assert spec["process"]["args"] == ["id"]
    assert spec["process"]["terminal"] is False
    assert spec["hostname"] == "orlop"
    assert {"/tmp", "/run", "/root", "/proc", "/dev"} <= {mount["destination"] for mount in spec["mounts"]}


def test_nothing_secret_of_the_host_comes_along() -> None:
    assert not {"/etc", "/etc/shadow", "/root", "/home", "/"} & {*HOST_DIRECTORIES, *HOST_ETC}


def test_the_host_variant_works_with_the_rootless_one() -> None:
    spec = host_root(rootless(default(cgroup2=True), 1000, 1000), lambda path: path)
    assert check(spec) == []
    assert check_rootless(spec) == []
    assert json.loads(dump(spec, "\t")) == spec
