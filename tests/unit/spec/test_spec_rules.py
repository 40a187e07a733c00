"""One case for each rule: what is put into the template, the field that the message names, and its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orlop.errors import ConfigError
from orlop.spec.check import check, check_process
from orlop.spec.json import dump
from orlop.spec.load import load, load_process

if TYPE_CHECKING:
    from collections.abc import Callable

    Document = dict[str, object]
    Put = Callable[[Document, str, object], None]

LINE = {"containerID": 0, "hostID": 1000, "size": 10}
NS = [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]
USERNS = [*NS, {"type": "user"}]
TIMENS = [*NS, {"type": "time"}]
NOFILE = {"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1}
RULE = {"names": ["read"], "action": "SCMP_ACT_ERRNO"}
DEVICE = {"path": "/dev/x", "type": "c", "major": 1, "minor": 3}

CASES = {
    # top level and root
    "ociVersion missing": ("ociVersion", ..., "ociVersion", "is required"),
    "ociVersion no SemVer": ("ociVersion", "invalid", "ociVersion", '"invalid" is not a version'),
    "ociVersion of two numbers": ("ociVersion", "1.0", "ociVersion", "not a version"),
    "ociVersion with a leading zero": ("ociVersion", "1.00.1", "ociVersion", "not a version"),
    "ociVersion of another major": ("ociVersion", "2.0.0", "ociVersion", "only 1.x"),
    "root missing": ("root", ..., "root", "root must be specified"),
    "root path missing": ("root/path", ..., "root.path", "is required"),
    "root path empty": ("root/path", "", "root.path", "must not be empty"),
    "annotation without a name": ("annotations", {"": "x"}, 'annotations[""]', "must not have an empty name"),
    "annotation that is no string": ("annotations", {"a": 1}, 'annotations["a"]', "must be a string, not a number"),
    "a NUL in a path": ("root/path", "a\0b", "root.path", "contains a NUL character"),
    # process
    "process missing": ("process", ..., "process", "process property must not be empty"),
    "cwd missing": ("process/cwd", ..., "process.cwd", "Cwd property must not be empty"),
    "cwd empty": ("process/cwd", "", "process.cwd", "Cwd property must not be empty"),
    "cwd relative": ("process/cwd", "home", "process.cwd", "Cwd must be an absolute path"),
    "args missing": ("process/args", ..., "process.args", "args must not be empty"),
    "args empty": ("process/args", [], "process.args", "args must not be empty"),
    "args with a number": ("process/args", ["a", 1], "process.args[1]", "must be a string"),
    "args with a NUL": ("process/args", ["a", "b\0"], "process.args[1]", "NUL"),
    "env without =": ("process/env", ["A"], "process.env[0]", "invalid environment variable: missing '='"),
    "env without a name": ("process/env", ["=b"], "process.env[0]", "name cannot be empty"),
    "env with a NUL": ("process/env", ["A=\0"], "process.env[0]", "NUL"),
    "the user that setuid takes for none": ("process/user", {"uid": 2**32 - 1}, "process.user.uid", "to 4294967294"),
    "the group that setgid takes for none": ("process/user", {"gid": 2**32 - 1}, "process.user.gid", "to 4294967294"),
    "rlimit of an unknown type": (
        "process/rlimits", [{**NOFILE, "type": "RLIMIT_X"}], "process.rlimits[0].type", "wrong rlimit value: RLIMIT_X",
    ),
    "rlimit twice": ("process/rlimits", [NOFILE, NOFILE], "process.rlimits[1].type", "is there twice"),
    "rlimit soft above hard": ("process/rlimits", [{**NOFILE, "soft": 2}], "process.rlimits[0].soft", "above the hard"),
    "rlimit without hard": ("process/rlimits", [{"type": "RLIMIT_AS", "soft": 1}], "process.rlimits[0].hard", "is req"),
    "oom score out of range": ("process/oomScoreAdj", 1001, "process.oomScoreAdj", "from -1000 to 1000"),
    "console size without width": ("process/consoleSize", {"height": 2}, "process.consoleSize.width", "is required"),
    "capabilities that are no strings": (
        "process/capabilities/bounding", [7], "process.capabilities.bounding[0]", "must be a string",
    ),
    "scheduler without a policy": ("process/scheduler", {}, "process.scheduler.policy", "scheduler policy is required"),
    "scheduler with a bad policy": (
        "process/scheduler", {"policy": "SCHED_X"}, "process.scheduler.policy", '"SCHED_X" is unknown',
    ),
    "scheduler with a bad flag": (
        "process/scheduler", {"policy": "SCHED_RR", "flags": ["X"]}, "process.scheduler.flags[0]", '"X" is unknown',
    ),
    "scheduler too nice": (
        "process/scheduler", {"policy": "SCHED_OTHER", "nice": 20}, "process.scheduler.nice", "from -20 to 19",
    ),
    "scheduler with a priority below zero": (
        "process/scheduler", {"policy": "SCHED_FIFO", "priority": -1}, "process.scheduler.priority", "must be from 0",
    ),
    "scheduler with a needless priority": (
        "process/scheduler", {"policy": "SCHED_BATCH", "priority": 1}, "process.scheduler.priority", "SCHED_FIFO",
    ),
    "scheduler with needless times": (
        "process/scheduler", {"policy": "SCHED_RR", "period": 1}, "process.scheduler.period", "SCHED_DEADLINE only",
    ),
    "I/O priority without a class": ("process/ioPriority", {"priority": 1}, "process.ioPriority.class", "is required"),
    "I/O priority of a bad class": (
        "process/ioPriority", {"class": "BEST"}, "process.ioPriority.class", '"BEST" is unknown',
    ),
    "I/O priority too low": (
        "process/ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 8}, "process.ioPriority.priority", "0 to 7",
    ),
    "a bad initial affinity": (
        "process/execCPUAffinity", {"initial": "a"}, "process.execCPUAffinity.initial", "bad CPUAffinity.Initial",
    ),
    "a backward final affinity": (
        "process/execCPUAffinity", {"final": "3-1"}, "process.execCPUAffinity.final", "bad CPUAffinity.Final",
    ),
    # mounts
    "mount without destination": ("mounts/0", {"type": "proc"}, "mounts[0].destination", "is required"),
    "mount with an empty destination": ("mounts/0", {"destination": ""}, "mounts[0].destination", "must not be empty"),
    "mount on the root": ("mounts/0", {"destination": "/"}, "mounts[0].destination", "is on the top of rootfs"),
    "mount on the root by detour": ("mounts/0", {"destination": "/a/.."}, "mounts[0].destination", "top of rootfs"),
    "bind without a source": (
        "mounts/0", {"destination": "/a", "options": ["bind"]}, "mounts[0].source", "a bind mount needs a source",
    ),
    "only uid mappings": (
        "mounts/0", {"destination": "/a", "source": "/a", "options": ["bind"], "uidMappings": [LINE]},
        "mounts[0].gidMappings", "must have both uid and gid mappings",
    ),
    "only gid mappings": (
        "mounts/0", {"destination": "/a", "source": "/a", "options": ["bind"], "gidMappings": [LINE]},
        "mounts[0].uidMappings", "must have both uid and gid mappings",
    ),
    "idmap on tmpfs": (
        "mounts/0", {"destination": "/a", "uidMappings": [LINE], "gidMappings": [LINE]},
        "mounts[0].options", "only supported for bind-mounts",
    ),
    "idmap with nothing to map by": (
        "mounts/0", {"destination": "/a", "source": "/a", "options": ["rbind", "ridmap"]},
        "mounts[0].options", "idmap needs mappings",
    ),
    "options as one string": ("mounts/0/options", "ro", "mounts[0].options", "must be an array, not a string"),
    # hooks
    "hook with a relative path": ("hooks/prestart", [{"path": "x"}], "hooks.prestart[0].path", "absolute path"),
    "hook without a path": ("hooks/poststop", [{}], "hooks.poststop[0].path", "is required"),
    "hook with no time": ("hooks/poststart", [{"path": "/x", "timeout": 0}], "hooks.poststart[0].timeout", "from 1"),
    "hook with negative time": (
        "hooks/createRuntime", [{"path": "/x", "timeout": -1}], "hooks.createRuntime[0].timeout", "from 1",
    ),
    # namespaces
    "an unknown namespace": (
        "linux/namespaces", [*NS, {"type": "foo"}], "linux.namespaces[5].type", 'namespace {"foo" ""} does not exist',
    ),
    "a duplicate namespace": (
        "linux/namespaces", [*NS, {"type": "pid"}], "linux.namespaces[5].type",
        'malformed spec file: duplicated ns {"pid" ""}',
    ),
    "a namespace without a type": ("linux/namespaces", [*NS, {}], "linux.namespaces[5].type", "is required"),
    "a relative namespace path": (
        "linux/namespaces", [*NS, {"type": "cgroup", "path": "ns"}], "linux.namespaces[5].path", "absolute path",
    ),
    "a namespace path with a comma": (
        "linux/namespaces", [*NS, {"type": "cgroup", "path": "/a,b"}], "linux.namespaces[5].path", "comma",
    ),
    "a hostname without uts": ("linux/namespaces", [NS[0], NS[4]], "hostname", "without a private UTS namespace"),
    "masked paths without mount": ("linux/namespaces", NS[:4], "linux.maskedPaths", "without a private MNT namespace"),
    "read-only paths without mount": ("linux/namespaces", NS[:4], "linux.readonlyPaths", "private MNT namespace"),
    # user and time namespaces
    "mappings without a user namespace": (
        "linux/uidMappings", [LINE], "linux.uidMappings",
        "user namespace mappings specified, but user namespace isn't enabled in the config",
    ),
    "a user namespace without mappings": (
        "linux/namespaces", USERNS, "linux.uidMappings",
        "user namespaces enabled, but no namespace path to join nor mappings to apply specified",
    ),
    "a mapping of nothing": ("linux/uidMappings", [{**LINE, "size": 0}], "linux.uidMappings[0].size", "must not be 0"),
    "a mapping beyond 32 bits": (
        "linux/gidMappings", [{**LINE, "hostID": 2**32 - 2}], "linux.gidMappings[0].size", "beyond 32 bits",
    ),
    "mappings that overlap": (
        "linux/uidMappings", [LINE, {**LINE, "containerID": 20, "hostID": 1009}], "linux.uidMappings[1].hostID",
        "overlaps with [0]",
    ),
    "too many mappings": (
        "linux/uidMappings", [{"containerID": i, "hostID": i, "size": 1} for i in range(341)], "linux.uidMappings",
        "341 lines",
    ),
    "offsets without a time namespace": (
        "linux/timeOffsets", {"boottime": {"secs": 1}}, "linux.timeOffsets",
        "time namespace offsets specified, but time namespace isn't enabled in the config",
    ),
    "an offset of an unknown clock": (
        "linux/timeOffsets", {"realtime": {}}, 'linux.timeOffsets["realtime"]', 'clock "realtime"',
    ),
    "an offset of too many nanoseconds": (
        "linux/timeOffsets", {"boottime": {"nanosecs": 10**9}}, 'linux.timeOffsets["boottime"].nanosecs', "from 0",
    ),
    # devices
    "a device of an unknown type": ("linux/devices", [{**DEVICE, "type": "x"}], "linux.devices[0].type", '"x"'),
    "a device without a type": ("linux/devices", [{"path": "/dev/x"}], "linux.devices[0].type", "is required"),
    "a device without numbers": (
        "linux/devices", [{"path": "/dev/x", "type": "b", "major": 1}], "linux.devices[0].minor", "is required",
    ),
    "a device with a relative path": ("linux/devices", [{**DEVICE, "path": "x"}], "linux.devices[0].path", "absolute"),
    "a device number too large": ("linux/devices", [{**DEVICE, "major": 4096}], "linux.devices[0].major", "to 4095"),
    # network devices
    "a device name too long": (
        "linux/netDevices", {"eth0": {"name": "x" * 16}}, 'linux.netDevices["eth0"].name', "longer than 15",
    ),
    "a device name with a slash": ("linux/netDevices", {"a/b": {}}, 'linux.netDevices["a/b"]', "no name for"),
    "a device name that is a number": ("linux/netDevices", {"a": {"name": 1}}, 'linux.netDevices["a"].name', "string"),
    "two devices of one name": (
        "linux/netDevices", {"a": {"name": "eth0"}, "b": {"name": "eth0"}}, 'linux.netDevices["b"].name', "called eth0",
    ),
    # paths and words
    "a relative masked path": ("linux/maskedPaths", ["proc/kcore"], "linux.maskedPaths[0]", "must be an absolute path"),
    "a relative read-only path": ("linux/readonlyPaths", ["x"], "linux.readonlyPaths[0]", "must be an absolute path"),
    "a bad propagation": (
        "linux/rootfsPropagation", "up", "linux.rootfsPropagation", "rootfsPropagation=up is not supported",
    ),
    "a bad personality": (
        "linux/personality", {"domain": "BSD"}, "linux.personality.domain", "invalid personality domain BSD",
    ),
    "a personality without a domain": ("linux/personality", {}, "linux.personality.domain", "is required"),
    "a personality with a flag": (
        "linux/personality", {"domain": "LINUX", "flags": ["X"]}, "linux.personality.flags[0]", "no personality flag",
    ),
    # sysctl
    "a sysctl with a NUL": (
        "linux/sysctl", {"net.ipv4.\0x": "1"}, 'linux.sysctl["net.ipv4.\0x"]', "is not the name of a sysctl",
    ),
    "a sysctl of no namespace": (
        "linux/sysctl", {"vm.swappiness": "1"}, 'linux.sysctl["vm.swappiness"]', "not in a separate kernel namespace",
    ),
    "a sysctl of the user namespace": (
        "linux/sysctl", {"user.max_uts_namespaces": "1"}, 'linux.sysctl["user.max_uts_namespaces"]', "not in a separat",
    ),
    "the hostname as a sysctl": (
        "linux/sysctl", {"kernel.hostname": "x"}, 'linux.sysctl["kernel.hostname"]', "conflicts with the field host",
    ),
    "a sysctl that climbs": ("linux/sysctl", {"net/../vm/x": "1"}, 'linux.sysctl["net/../vm/x"]', "not the name"),
    "a dotted sysctl that climbs": ("linux/sysctl", {"net.//.vm": "1"}, 'linux.sysctl["net.//.vm"]', "not the name"),
    "a sysctl that is a number": ("linux/sysctl", {"net.a": 1}, 'linux.sysctl["net.a"]', "must be a string"),
    # resources
    "an empty device access": (
        "linux/resources/devices", [{"allow": True}], "linux.resources.devices[0].access",
        "device access at 0 field cannot be empty",
    ),
    "a bad device access": (
        "linux/resources/devices", [{"allow": True, "access": "rx"}], "linux.resources.devices[0].access", "r, w and m",
    ),
    "a bad device rule type": (
        "linux/resources/devices", [{"allow": True, "access": "r", "type": "p"}], "linux.resources.devices[0].type",
        'invalid cgroup device type "p"',
    ),
    "a device rule that says nothing": (
        "linux/resources/devices", [{"access": "r"}], "linux.resources.devices[0].allow", "is required",
    ),
    "too much swappiness": (
        "linux/resources/memory", {"swappiness": 101}, "linux.resources.memory.swappiness", "from 0 to 100",
    ),
    "a burst above the quota": ("linux/resources/cpu", {"quota": 5, "burst": 6}, "linux.resources.cpu.burst", "above"),
    "an idle that is not 0 or 1": ("linux/resources/cpu", {"idle": 2}, "linux.resources.cpu.idle", "from 0 to 1"),
    "a weight device without weight": (
        "linux/resources/blockIO", {"weightDevice": [{"major": 1, "minor": 1}]},
        "linux.resources.blockIO.weightDevice[0].weight", "one of weight and leafWeight",
    ),
    "a throttle without rate": (
        "linux/resources/blockIO", {"throttleReadBpsDevice": [{"major": 1, "minor": 1}]},
        "linux.resources.blockIO.throttleReadBpsDevice[0].rate", "is required",
    ),
    "a bad size of huge pages": (
        "linux/resources/hugepageLimits", [{"pageSize": "64kB", "limit": 1}],
        "linux.resources.hugepageLimits[0].pageSize", '"64kB"',
    ),
    "no size of huge pages": (
        "linux/resources/hugepageLimits", [{"pageSize": "MB", "limit": 1}],
        "linux.resources.hugepageLimits[0].pageSize", "must be like",
    ),
    "an empty rdma entry": (
        "linux/resources/rdma", {"mlx": {}}, 'linux.resources.rdma["mlx"]', "one of hcaHandles and hcaObjects",
    ),
    "an rdma limit that is a string": (
        "linux/resources/rdma", {"mlx": {"hcaHandles": "3"}}, 'linux.resources.rdma["mlx"].hcaHandles', "integer",
    ),
    "a unified file with a slash": (
        "linux/resources/unified", {"../cpu.max": ""}, 'linux.resources.unified["../cpu.max"]', "no slashes",
    ),
    "a unified file of no controller": (
        "linux/resources/unified", {"max": "1"}, 'linux.resources.unified["max"]', "CONTROLLER.PARAMETER",
    ),
    "a unified file of no parameter": (
        "linux/resources/unified", {"memory.": "1"}, 'linux.resources.unified["memory."]', "CONTROLLER.PARAMETER",
    ),
    "a NUL in the name of a unified file": (
        "linux/resources/unified", {"memory.high\0": "1"},
        'linux.resources.unified["memory.high\0"]', "contains a NUL character",
    ),
    # seccomp
    "seccomp without a default": ("linux/seccomp", {}, "linux.seccomp.defaultAction", "is required"),
    "a bad default action": (
        "linux/seccomp", {"defaultAction": "DENY"}, "linux.seccomp.defaultAction",
        "string DENY is not a valid action for seccomp",
    ),
    "notify as the default": (
        "linux/seccomp", {"defaultAction": "SCMP_ACT_NOTIFY"}, "linux.seccomp.defaultAction", "as default action",
    ),
    "an errno for allow": (
        "linux/seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}, "linux.seccomp.defaultErrnoRet",
        "no meaning for SCMP_ACT_ALLOW",
    ),
    # resctrl and memory policy
    "a bandwidth without MB:": ("linux/intelRdt", {"memBwSchema": "0=1"}, "linux.intelRdt.memBwSchema", '"MB:"'),
    "a bandwidth of two lines": ("linux/intelRdt", {"memBwSchema": "MB:\n"}, "linux.intelRdt.memBwSchema", "one line"),
    "a schema of two lines": ("linux/intelRdt", {"schemata": ["a", "b\nc"]}, "linux.intelRdt.schemata[1]", "one line"),
    "a class that is a path": ("linux/intelRdt", {"closID": "a/b"}, "linux.intelRdt.closID", "no name of a resctrl"),
    "a class that is its parent": ("linux/intelRdt", {"closID": ".."}, "linux.intelRdt.closID", "no name of a resctrl"),
    "a bad memory mode": (
        "linux/memoryPolicy", {"mode": "X"}, "linux.memoryPolicy.mode", 'invalid memory policy mode "X"',
    ),
    "no memory mode": ("linux/memoryPolicy", {}, "linux.memoryPolicy.mode", 'invalid memory policy mode ""'),
    "a bad memory flag": (
        "linux/memoryPolicy", {"mode": "MPOL_LOCAL", "flags": ["F"]}, "linux.memoryPolicy.flags[0]",
        'invalid memory policy flag "F"',
    ),
    "bad memory nodes": (
        "linux/memoryPolicy", {"mode": "MPOL_BIND", "nodes": "1-"}, "linux.memoryPolicy.nodes",
        'invalid memory policy nodes "1-"',
    ),
    "needless memory nodes": (
        "linux/memoryPolicy", {"mode": "MPOL_LOCAL", "nodes": "0-1"}, "linux.memoryPolicy.nodes",
        "memory policy mode requires 0 nodes but got 2",
    ),
    "missing memory nodes": (
        "linux/memoryPolicy", {"mode": "MPOL_BIND"}, "linux.memoryPolicy.nodes", "at least one node but got 0",
    ),
}  # fmt: skip

SYSCALL_CASES = {
    "a rule without names": ({**RULE, "names": []}, "names", "must name a system call"),
    "a rule without an action": ({"names": ["read"]}, "action", "is required"),
    "a bad action": ({**RULE, "action": "NO"}, "action", "string NO is not a valid action for seccomp"),
    "an errno for an action without one": (
        {**RULE, "action": "SCMP_ACT_KILL", "errnoRet": 1}, "errnoRet", "no meaning for SCMP_ACT_KILL",
    ),
    "a notify of write": (
        {"names": ["read", "write"], "action": "SCMP_ACT_NOTIFY"}, "action", "cannot be used for the write syscall",
    ),
    "a seventh argument": ({**RULE, "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}, "args[0].index", "to 5"),
    "a bad operator": (
        {**RULE, "args": [{"index": 0, "value": 0, "op": "=="}]}, "args[0].op",
        "string == is not a valid operator for seccomp",
    ),
    "an argument without a value": (
        {**RULE, "args": [{"index": 0, "op": "SCMP_CMP_EQ"}]}, "args[0].value", "is required",
    ),
}  # fmt: skip

SECCOMP_CASES = {
    "a bad architecture": ("architectures", ["X86"], "architectures[0]", "string X86 is not a valid arch for seccomp"),
    "a bad flag": ("flags", ["LOG"], "flags[0]", 'seccomp flag "LOG" is not known'),
    "metadata without a listener": ("listenerMetadata", "x", "listenerMetadata", "no meaning without listenerPath"),
    "a notify without a listener": (
        "syscalls", [{**RULE, "action": "SCMP_ACT_NOTIFY"}], "listenerPath", "seccomp listenerPath is not set",
    ),
}  # fmt: skip


def assert_named(document: Document, field: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(dump(document).encode())
    found = [str(problem) for problem in caught.value.problems if problem.field == field]
    assert found, f"{field} is not among {caught.value}"
    assert any(text in message for message in found), found
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_config_is_refused_with_the_field(case: str, config: Document, put: Put) -> None:
    path, value, field, text = CASES[case]
    put(config, path, value)
    assert_named(config, field, text)


@pytest.mark.parametrize("case", SYSCALL_CASES, ids=str)
def test_a_bad_seccomp_rule_is_refused_with_the_field(case: str, config: Document, put: Put) -> None:
    rule, field, text = SYSCALL_CASES[case]
    put(config, "linux/seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [RULE, rule]})
    assert_named(config, f"linux.seccomp.syscalls[1].{field}", text)


@pytest.mark.parametrize("case", SECCOMP_CASES, ids=str)
def test_a_bad_seccomp_filter_is_refused_with_the_field(case: str, config: Document, put: Put) -> None:
    name, value, field, text = SECCOMP_CASES[case]
    put(config, "linux/seccomp", {"defaultAction": "SCMP_ACT_ALLOW", name: value})
    assert_named(config, f"linux.seccomp.{field}", text)


def test_a_domain_name_needs_its_own_uts_namespace() -> None:
    document = {"ociVersion": "1.3.0", "root": {"path": "r"}, "domainname": "example"}
    assert [str(problem) for problem in check(document, process=False)] == [
        "domainname: unable to set domainname without a private UTS namespace"
    ]


@pytest.mark.parametrize(
    ("sysctl", "missing", "text"),
    [
        ("kernel.shmmax", "ipc", "is not allowed in the hosts ipc namespace"),
        ("fs.mqueue.msg_max", "ipc", "is not allowed in the hosts ipc namespace"),
        ("net.ipv4.ip_forward", "network", "not allowed in host network namespace"),
        ("net/ipv4/conf/eth0.100/rp_filter", "network", "not allowed in host network namespace"),
        ("kernel.domainname", "uts", "is not in a separate kernel namespace"),
    ],
)
def test_a_sysctl_needs_its_namespace(sysctl: str, missing: str, text: str, config: Document, put: Put) -> None:
    put(config, "hostname", ...)
    put(config, "linux/sysctl", {sysctl: "1"})
    assert check(config) == []
    put(config, "linux/namespaces", [ns for ns in NS if ns["type"] != missing])
    assert_named(config, f'linux.sysctl["{sysctl}"]', text)


def test_offsets_and_a_path_for_the_time_namespace_exclude_each_other(config: Document, put: Put) -> None:
    put(config, "linux/timeOffsets", {"monotonic": {"secs": -5, "nanosecs": 1}})
    put(config, "linux/namespaces", TIMENS)
    assert check(config) == []
    put(config, "linux/namespaces", [*NS, {"type": "time", "path": "/proc/1/ns/time"}])
    assert_named(config, "linux.timeOffsets", "you may only provide one")


def test_network_devices_need_a_network_namespace(config: Document, put: Put) -> None:
    put(config, "linux/netDevices", {"eth1": {"name": "eth0"}, "eth2": {}})
    assert check(config) == []
    put(config, "linux/namespaces", [ns for ns in NS if ns["type"] != "network"])
    assert_named(config, "linux.netDevices", "need a private network namespace")


@pytest.mark.parametrize("field", ["uid", "gid"])
def test_the_user_of_the_process_must_be_mapped(field: str, config: Document, put: Put) -> None:
    put(config, "linux/namespaces", USERNS)
    put(config, "linux/uidMappings", [LINE])
    put(config, "linux/gidMappings", [LINE])
    put(config, f"process/user/{field}", 9)
    assert check(config) == []
    put(config, f"process/user/{field}", 10)
    assert_named(config, f"process.user.{field}", f"cannot set{field} to unmapped {field} 10 in user namespace")


def test_rules_between_sections_go_on_when_another_section_is_broken(config: Document, put: Put) -> None:
    put(config, "mounts", 5)
    put(config, "linux/timeOffsets", {"boottime": {"secs": 1}})
    assert [problem.field for problem in check(config)] == ["mounts", "linux.timeOffsets"]


def test_rules_between_sections_wait_for_the_sections_they_read(config: Document, put: Put) -> None:
    put(config, "linux/namespaces", 5)
    put(config, "linux/timeOffsets", {"boottime": {"secs": 1}})
    assert [problem.field for problem in check(config)] == ["linux.namespaces"]


def test_a_process_file_is_checked_alone() -> None:
    assert load_process(b'{"args": ["sh"], "cwd": "/", "user": {"uid": 5}}')["user"] == {"uid": 5}
    with pytest.raises(ConfigError, match=r"^process\.cwd: Cwd must be an absolute path; process\.args: args must not"):
        load_process(b'{"cwd": "x", "args": []}')
    assert [str(problem) for problem in check_process(None)] == ["process: process property must not be empty"]
    assert check_process({"args": ["a"]}, "exec")[0].field == "exec.cwd"


def test_a_secret_in_the_environment_is_not_repeated_in_the_error(config: Document, put: Put) -> None:
    put(config, "process/env", ["hunter2"])
    assert not any("hunter2" in str(problem) for problem in check(config))
