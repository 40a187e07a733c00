"""The must-reject list of the runtime-spec, by its numbers: status 1, one clear line, and nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import Runtime, error_line

pytestmark = pytest.mark.usefixtures("clean_host")

Change = Callable[[Bundle], object]

LINE = [{"containerID": 0, "hostID": 1000, "size": 10}]
BIND = {"destination": "/srv", "source": "/tmp", "type": "bind", "options": ["rbind"]}
NOFILE = {"type": "RLIMIT_NOFILE", "soft": 5, "hard": 5}
FUSE = {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}
ALLOW = {"defaultAction": "SCMP_ACT_ALLOW"}
RULE = {"names": ["mount"], "action": "SCMP_ACT_ERRNO"}
KINDS = ("pid", "network", "ipc", "uts", "mount")
SPACES = [{"type": kind} for kind in KINDS]


def to(field: str, value: object) -> Change:
    return lambda bundle: bundle.set(field, value)


def without(field: str) -> Change:
    return lambda bundle: bundle.drop(field)


def seccomp(**members: object) -> Change:
    return to("linux.seccomp", {**ALLOW, **members})


# What is done to a bundle, and words of the line that refuses it.
CASES: dict[str, tuple[Change, str]] = {
    "17.1 config.json missing": (lambda bundle: bundle.file.unlink(), "config.json not found"),
    "17.1 config.json unparsable": (lambda bundle: bundle.file.write_text("{"), "config.json: line 1 column 2"),
    "17.2 ociVersion missing": (without("ociVersion"), "ociVersion: is required"),
    "17.2 ociVersion no SemVer": (to("ociVersion", "invalid"), 'ociVersion: "invalid" is not a version'),
    "17.3 root missing": (without("root"), "root: root must be specified"),
    "17.4 root.path missing": (without("root.path"), "root.path: is required"),
    "17.4 root.path not there": (to("root.path", "nowhere"), "no such file or directory"),
    "17.4 root.path no directory": (to("root.path", "config.json"), "is not a directory"),
    "17.5 mount without destination": (to("mounts[0]", {"type": "proc"}), "mounts[0].destination: is required"),
    "17.6 uidMappings alone": (to("mounts[0]", {**BIND, "uidMappings": LINE}), "mounts[0].gidMappings: id-mapped"),
    "17.6 gidMappings alone": (to("mounts[0]", {**BIND, "gidMappings": LINE}), "mounts[0].uidMappings: id-mapped"),
    "17.7 idmap without mappings": (to("mounts[0]", {**BIND, "options": ["bind", "idmap"]}), "idmap needs mappings"),
    "17.7 ridmap without mappings": (to("mounts[0]", {**BIND, "options": ["rbind", "ridmap"]}), "idmap needs mappings"),
    "17.8 process unset": (without("process"), "process: process property must not be empty"),
    "17.9 empty args": (to("process.args", []), "process.args: args must not be empty"),
    "17.10 relative cwd": (to("process.cwd", "tmp"), "process.cwd: Cwd must be an absolute path"),
    "17.11 rlimit unknown": (to("process.rlimits", [{**NOFILE, "type": "RLIMIT_X"}]), "wrong rlimit value: RLIMIT_X"),
    "17.12 rlimit twice": (to("process.rlimits", [NOFILE, NOFILE]), "process.rlimits[1].type: RLIMIT_NOFILE is there"),
    "17.13 rlimit soft above hard": (
        to("process.rlimits", [{**NOFILE, "soft": 9}]), "process.rlimits[0].soft: 9 is ab",
    ),
    "17.14 scheduler policy": (to("process.scheduler", {"policy": "SCHED_X"}), 'scheduler policy "SCHED_X" is unknown'),
    "17.14 scheduler flag": (
        to("process.scheduler", {"policy": "SCHED_RR", "flags": ["X"]}), 'scheduler flag "X" is unknown',
    ),
    "17.15 ioPriority class": (
        to("process.ioPriority", {"class": "X", "priority": 1}), 'priority class "X" is unknown',
    ),
    "17.15 ioPriority priority": (
        to("process.ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 8}), "process.ioPriority.priority: must be",
    ),
    "17.16 relative hook": (to("hooks.prestart", [{"path": "bin/x"}]), "hooks.prestart[0].path: must be an absolute"),
    "17.17 timeout 0": (
        to("hooks.poststop", [{"path": "/x", "timeout": 0}]), "hooks.poststop[0].timeout: must be from 1",
    ),
    "17.17 timeout -1": (to("hooks.poststart", [{"path": "/x", "timeout": -1}]), "hooks.poststart[0].timeout: must be"),
    "17.19 empty annotation key": (to("annotations", {"": "x"}), 'annotations[""]: must not have an empty name'),
    "17.19 annotation no string": (to("annotations", {"a": 1}), 'annotations["a"]: must be a string'),
    "17.20 namespace type": (to("linux.namespaces[0].type", "net"), 'namespace {"net" ""} does not exist'),
    "17.21 namespace twice": (to("linux.namespaces", [*SPACES, SPACES[0]]), "duplicated ns"),
    "17.22 namespace path relative": (to("linux.namespaces[0].path", "ns/pid"), "linux.namespaces[0].path: must be an"),
    "17.22 namespace path absent": (to("linux.namespaces[1]", {"type": "network", "path": "/no/ns"}), "/no/ns"),
    "17.22 namespace path of another type": (
        to("linux.namespaces[1]", {"type": "network", "path": f"/proc/{os.getpid()}/ns/uts"}), "unable to join",
    ),
    "17.23 device type": (to("linux.devices", [{**FUSE, "type": "x"}]), 'device type "x" is unknown'),
    "17.23 device without numbers": (to("linux.devices", [{"path": "/dev/x", "type": "b"}]), "linux.devices[0].major"),
    "17.24 device path that holds something else": (
        to("linux.devices", [{**FUSE, "path": "/etc/passwd"}]), 'error creating device "/etc/passwd": file exists',
    ),
    "17.25 name clash": (
        to("linux.netDevices", {"a": {"name": "x"}, "b": {"name": "x"}}), "two devices are to be called x",
    ),
    "17.26 no such device": (to("linux.netDevices", {"no-such-dev": {}}), "no-such-dev"),
    "17.27 cgroupsPath leads out": (to("linux.cgroupsPath", "../../x"), "leads out of the cgroup hierarchy"),
    "17.30 weightDevice without weights": (
        to("linux.resources.blockIO", {"weightDevice": [{"major": 8, "minor": 0}]}), "one of weight and leafWeight",
    ),
    "17.31 pageSize": (
        to("linux.resources.hugepageLimits", [{"pageSize": "64kB", "limit": 1}]), "hugepageLimits[0].pageSize: must be",
    ),
    "17.32 rdma with nothing": (to("linux.resources.rdma", {"mlx": {}}), "one of hcaHandles and hcaObjects"),
    "17.33 unified without its controller": (to("linux.resources.unified", {"nothing.max": "1"}), "unified"),
    "17.36 schemata of two lines": (
        to("linux.intelRdt", {"schemata": ["L3:0=f\nL3:1=f"]}), "linux.intelRdt.schemata[0]",
    ),
    "17.36 memBwSchema of two lines": (to("linux.intelRdt", {"memBwSchema": "MB:0=1\nx"}), "memBwSchema: must be one"),
    "17.36 memBwSchema without MB:": (
        to("linux.intelRdt", {"memBwSchema": "0=1"}), 'memBwSchema: must begin with "MB:"',
    ),
    "17.40 memoryPolicy mode": (to("linux.memoryPolicy", {"mode": "X"}), 'invalid memory policy mode "X"'),
    "17.40 memoryPolicy flag": (
        to("linux.memoryPolicy", {"mode": "MPOL_BIND", "nodes": "0", "flags": ["X"]}), 'invalid memory policy flag "X"',
    ),
    "17.40 memoryPolicy nodes": (to("linux.memoryPolicy", {"mode": "MPOL_BIND"}), "linux.memoryPolicy.nodes"),
    "17.41 rootfsPropagation": (to("linux.rootfsPropagation", "public"), "rootfsPropagation=public is not supported"),
    "17.42 personality domain": (to("linux.personality", {"domain": "BSD"}), "invalid personality domain BSD"),
    "17.42 personality flag": (
        to("linux.personality", {"domain": "LINUX", "flags": ["X"]}), "linux.personality.flags[0]",
    ),
    "17.43 defaultAction missing": (to("linux.seccomp", {}), "linux.seccomp.defaultAction: is required"),
    "17.43 action": (to("linux.seccomp", {"defaultAction": "X"}), "string X is not a valid action for seccomp"),
    "17.43 architecture": (seccomp(architectures=["X"]), "string X is not a valid arch for seccomp"),
    "17.43 flag": (seccomp(flags=["X"]), 'seccomp flag "X" is not known'),
    "17.43 operator": (
        seccomp(syscalls=[{**RULE, "args": [{"index": 0, "value": 1, "op": "X"}]}]), "string X is not a valid operator",
    ),
    "17.44 errnoRet": (seccomp(syscalls=[{**RULE, "action": "SCMP_ACT_LOG", "errnoRet": 1}]), "syscalls[0].errnoRet"),
    "17.44 defaultErrnoRet": (seccomp(defaultErrnoRet=1), "linux.seccomp.defaultErrnoRet: has no meaning"),
    "17.45 listenerMetadata": (seccomp(listenerMetadata="x"), "listenerMetadata: has no meaning without listenerPath"),
    "17.46 a listener where nobody is": (
        seccomp(listenerPath="/no/agent", syscalls=[{**RULE, "action": "SCMP_ACT_NOTIFY"}]), "/no/agent",
    ),
    "17.47 rule without names": (
        seccomp(syscalls=[{**RULE, "names": []}]), "syscalls[0].names: must name a system call",
    ),
    "17.48 clock": (to("linux.timeOffsets", {"realtime": {"secs": 1}}), 'clock "realtime" has no offset'),
    "17.49 wrong types": (to("hostname", 5), "hostname: must be a string, not a number"),
    "17.49 a string for a number": (to("process.user.uid", "0"), "process.user.uid: must be an integer, not a string"),
    "17.50 int64": (to("linux.resources.memory", {"limit": 2**63}), "linux.resources.memory.limit: must be from -1 to"),
    "17.50 uint64": (to("linux.resources.cpu", {"shares": 2**64}), "linux.resources.cpu.shares: must be from 0 to"),
    "17.50 uint32": (to("process.user.gid", 2**32), "process.user.gid: must be from 0 to 4294967294"),
    "17.50 uint16": (to("linux.resources.blockIO", {"weight": 2**16}), "blockIO.weight: must be from 0 to 65535"),
    "17.50 int32": (
        to("process.scheduler", {"policy": "SCHED_OTHER", "nice": 2**31}), "process.scheduler.nice: must be",
    ),
    "17.57 maskedPaths relative": (to("linux.maskedPaths", ["proc"]), "linux.maskedPaths[0]: must be an absolute path"),
    "17.57 readonlyPaths relative": (
        to("linux.readonlyPaths", ["proc"]), "linux.readonlyPaths[0]: must be an absolute",
    ),
    "17.58 a sysctl that is not there": (to("linux.sysctl", {"net.no.such": "1"}), "net.no.such"),
    "17.58 a mount that cannot be": (
        to("mounts[0]", {"destination": "/srv", "type": "nofs", "source": "none"}), 'error mounting "none"',
    ),
}  # fmt: skip


@pytest.mark.rule("V2", "M-5", "N-2")
@pytest.mark.parametrize("command", ["create", "run"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_must_reject(case: str, command: str, runtime: Runtime, bundle: Bundle) -> None:
    change, words = CASES[case]
    change(bundle.args("true"))
    line = error_line(runtime(command, "-b", bundle.path, runtime.new_id(), status=1))
    if runtime.is_orlop:
        assert words in line


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"])
def test_must_reject_17_18_a_hook_that_fails(kind: str, runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.args("sleep", "1000").hook("poststop", f"touch {place}/undone")
    bundle.hook(kind, "exit 3")
    line = error_line(runtime("run", "-d", "-b", bundle.path, runtime.new_id(), status=1))
    assert kind in line and "3" in line
    assert (place / "undone").exists()


def test_must_reject_17_35_resctrl_that_is_not_there(runtime: Runtime, bundle: Bundle) -> None:
    if Path("/sys/fs/resctrl/schemata").exists():
        pytest.skip("this kernel has resctrl")
    assert "intelRdt" in runtime.refuses(bundle.set("linux.intelRdt", {"closID": "x"}))


@pytest.mark.parametrize(("words"), [(), ("",), ("a/b",), ("..",)], ids=str)
def test_must_reject_17_51_create_without_a_good_id(words: tuple[str, ...], runtime: Runtime, bundle: Bundle) -> None:
    error_line(runtime("create", "-b", bundle.path, *words, status=1))


def test_must_reject_17_51_create_without_a_bundle(runtime: Runtime, place: Path) -> None:
    assert "config.json not found" in error_line(runtime("create", "-b", place, runtime.new_id(), status=1))


def test_must_reject_17_51_create_of_an_id_that_is_there(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.created(bundle.args("true")) as container:
        assert "exist" in error_line(runtime("create", "-b", bundle.path, container.id, status=1))
        assert container.status == "created"


@pytest.mark.parametrize("command", ["state", "start", "kill", "delete"])
def test_must_reject_17_52_no_id_and_an_unknown_id(command: str, runtime: Runtime) -> None:
    assert "argument" in error_line(runtime(command, status=1))
    assert "does not exist" in error_line(runtime(command, "no-such-container", status=1))


def test_must_reject_17_53_start_of_what_is_not_created(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        error_line(runtime("start", container.id, status=1))
        assert container.status == "running"


def test_must_reject_17_54_kill_of_what_does_not_run(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        container.kill()
        error_line(runtime("kill", container.id, "TERM", status=1))


def test_must_reject_17_55_delete_of_what_runs(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        error_line(runtime("delete", container.id, status=1))
        assert container.status == "running"


@pytest.mark.parametrize("field", ["apparmorProfile", "selinuxLabel"])
def test_must_reject_17_56_a_label_that_cannot_be_applied(field: str, runtime: Runtime, bundle: Bundle) -> None:
    if Path("/sys/fs/selinux/enforce").exists() or Path("/sys/kernel/security/apparmor").exists():
        pytest.skip("this kernel has the security module")
    assert f"process.{field}" in runtime.refuses(bundle.set(f"process.{field}", "no:such:label:s0"))
