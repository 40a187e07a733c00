"""What must not be an error: section 18 of the runtime-spec checklist, and what engines are known to write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from orlop.spec.capabilities import CAPABILITIES, known_capability
from orlop.spec.check import check
from orlop.spec.fields import is_semantic_version
from orlop.spec.load import load
from orlop.spec.template import default

if TYPE_CHECKING:
    from collections.abc import Callable

    Document = dict[str, object]
    Put = Callable[[Document, str, object], None]

MINIMAL = b'{"ociVersion": "1.0.0", "root": {"path": "rootfs"}'


def test_a_config_without_process_passes_where_that_is_asked_for() -> None:
    assert load(MINIMAL + b"}", process=False)["root"] == {"path": "rootfs"}


def test_a_config_without_linux_mounts_and_namespaces_passes() -> None:
    assert load(MINIMAL + b', "process": {"cwd": "/", "args": ["a"]}}')["process"]["args"] == ["a"]


def _turned(value: object) -> object:
    """The same with the members of every object in the opposite order."""
    if isinstance(value, dict):
        return {name: _turned(value[name]) for name in reversed(value)}
    return [_turned(each) for each in value] if isinstance(value, list) else value


@pytest.mark.rule("B-4")
def test_the_order_of_members_means_nothing() -> None:
    config = default(cgroup2=True)
    turned = json.dumps(_turned(config))
    assert turned != json.dumps(config)
    assert load(turned.encode()) == load(json.dumps(config).encode())


CASES = {
    "an unknown member": ("surprise", {"a": [1]}),
    "an unknown member of a mount": ("mounts/0/surprise", 1),
    "an unknown member of resources": ("linux/resources/oomScoreAdj", 100),
    "another platform": ("windows", {"layerFolders": 5}),
    "a virtual machine": ("vm", {"kernel": {}}),
    "an unknown annotation": ("annotations", {"org.example.x": "y"}),
    "an empty annotation": ("annotations", {"a": ""}),
    "an unknown capability": ("process/capabilities/bounding", ["CAP_FUTURE", "cap_chown"]),
    "a console size without a terminal": ("process", {"cwd": "/", "args": ["a"], "consoleSize": {"height": 0}}),
    "a relative mount": ("mounts/0", {"destination": "data", "type": "tmpfs"}),
    "an unknown mount option": ("mounts/0/options", ["whatever=5"]),
    "a listener without notify": (
        "linux/seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x", "listenerMetadata": "m"},
    ),
    "pids limit 0": ("linux/resources/pids", {"limit": 0}),
    "pids limit -1": ("linux/resources/pids", {"limit": -1}),
    "pids without limit": ("linux/resources/pids", {}),
    "a device twice": ("linux/devices", [{"path": f"/dev/{n}", "type": "c", "major": 1, "minor": 3} for n in "ab"]),
    "a fifo without numbers": ("linux/devices", [{"path": "/dev/x", "type": "p"}]),
    "an unset swappiness as Docker wrote it": ("linux/resources/memory", {"swappiness": 2**64 - 1}),
    "an empty namespace path": ("linux/namespaces/0", {"type": "pid", "path": ""}),
    "an empty propagation": ("linux/rootfsPropagation", ""),
    "a recursive propagation": ("linux/rootfsPropagation", "rslave"),
    "a null": ("process/user/additionalGids", None),
    "a user without ids": ("process/user", {}),
    "unlimited memory": ("linux/resources/memory", {"limit": -1, "swap": -1}),
    "an unknown system call": (
        "linux/seccomp",
        {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["no_such_call"], "action": "SCMP_ACT_LOG"}]},
    ),
    "the root class of resctrl": ("linux/intelRdt", {"closID": "/", "l3CacheSchema": "L3:0=f", "memBwSchema": "MB:1"}),
    "a memory policy": ("linux/memoryPolicy", {"mode": "MPOL_INTERLEAVE", "nodes": "0-1,3"}),
    "a preferred policy without nodes": ("linux/memoryPolicy", {"mode": "MPOL_PREFERRED", "nodes": ""}),
    "a deadline": ("process/scheduler", {"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3}),
    "affinities": ("process/execCPUAffinity", {"initial": "0-3, 7", "final": ""}),
    "a remount bind": ("mounts/0", {"destination": "/a", "options": ["remount", "bind", "ro"]}),
    "a sysctl of Docker's": ("linux/sysctl", {"net.ipv4.ip_unprivileged_port_start": "0"}),
    "a template name for a network device": ("linux/netDevices", {"a": {"name": "eth%d"}, "b": {"name": "eth%d"}}),
    "huge pages": ("linux/resources/hugepageLimits", [{"pageSize": "2MB", "limit": 2**64 - 1}]),
    "a unified file": ("linux/resources/unified", {"future.max": "1"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_config_passes_with(case: str, config: Document, put: Put) -> None:
    path, value = CASES[case]
    put(config, path, value)
    assert check(config) == []


def test_idmapped_mounts_pass_with_mappings_and_with_a_user_namespace(config: Document, put: Put) -> None:
    line = {"containerID": 0, "hostID": 1000, "size": 10}
    bind = {"destination": "/a", "source": "/a", "options": ["rbind", "idmap"]}
    put(config, "mounts/0", {**bind, "uidMappings": [line], "gidMappings": [line]})
    assert check(config) == []
    put(config, "mounts/0", bind)
    put(config, "linux/namespaces", [{"type": kind} for kind in ("mount", "uts", "user")])
    put(config, "linux/uidMappings", [line])
    put(config, "linux/gidMappings", [line])
    assert check(config) == []


def test_a_user_namespace_to_join_needs_no_mappings(config: Document, put: Put) -> None:
    put(config, "linux/namespaces", [{"type": "mount"}, {"type": "uts"}, {"type": "user", "path": "/proc/1/ns/user"}])
    put(config, "process/user/uid", 4711)
    assert check(config) == []


@pytest.mark.parametrize(
    "version",
    ["1.0.0", "1.0.0-rc5", "1.0.2-dev", "1.2.1", "1.3.0", "1.3.0+dev", "1.1.0-rc.3", "1.4.0", "1.0.0-0a.x-y+1"],
)
def test_versions_of_major_one_pass(version: str, config: Document) -> None:
    assert is_semantic_version(version)
    assert check({**config, "ociVersion": version}) == []


@pytest.mark.parametrize(
    "version", ["", "1", "1.0.0.0", "v1.0.0", "1.0.x", "1.0.0-", "1.0.0-01", "1.0.0+", "1.0.0-a..b", "1.0.²"]
)
def test_other_words_are_no_versions(version: str) -> None:
    assert not is_semantic_version(version)


def test_capabilities_have_the_numbers_of_the_kernel() -> None:
    assert len(CAPABILITIES) == 41
    assert (known_capability("CAP_CHOWN"), known_capability("CAP_SYS_ADMIN")) == (0, 21)
    assert (known_capability("CAP_SYSLOG"), known_capability("CAP_CHECKPOINT_RESTORE")) == (34, 40)
    assert known_capability("CHOWN") is None
    assert known_capability("cap_chown") is None


def test_the_template_passes() -> None:
    assert check(default(cgroup2=False)) == []
