"""`orlop check`: one case a rule, what is put into a clean bundle and what is then said about which place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orlop.check.host import lacks
from orlop.check.report import report
from orlop.spec.load import load
from orlop.spec.template import default
from tests.unit.check.maker import Maker
from tests.unit.spec.predraft import sample

if TYPE_CHECKING:
    Document = dict[str, object]

BIND = {"destination": "/srv", "type": "bind", "source": "/", "options": ["rbind"]}
TMPFS = {"destination": "/srv", "type": "tmpfs", "source": "tmpfs"}
ALLOW = {"defaultAction": "SCMP_ACT_ALLOW"}
MAPS = [{"containerID": 0, "hostID": 1000, "size": 10}]
FUSE = {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}
CAPS = ["CAP_KILL"]


def caps(**sets: list[str]) -> object:
    return {"bounding": CAPS, "permitted": CAPS, "effective": CAPS, **sets}


# What is put where, the place that is named, and words of the message and the remedy.
WARNINGS: dict[str, tuple[str, object, str, str, str]] = {
    "a misspelled member": ("process/noNewPriviliges", True, "process.noNewPriviliges", "unknown", '"noNewPrivileges"'),
    "a member with another case": ("Hostname", "x", "Hostname", "is unknown", 'did you mean "hostname"?'),
    "a member at the wrong place": (
        "linux/rlimits", [], "linux.rlimits", "unknown and has no effect", "it belongs at process.rlimits",
    ),
    "a member that is nowhere": ("linux/colour", 1, "linux.colour", "unknown and has no effect", "known here:"),
    "a misplaced limit": ("linux/cpu", {}, "linux.cpu", "unknown", "it belongs at linux.resources.cpu"),
    "the root as a masked path": ("linux/maskedPaths", ["/"], "linux.maskedPaths[0]", "cannot be masked", "name what"),
    "a wait without a listener": (
        "linux/seccomp", {**ALLOW, "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}, "linux.seccomp.flags[0]",
        "no rule has", "leave it out",
    ),
    "an agent that is not there": (
        "linux/seccomp",
        {**ALLOW, "listenerPath": "/run/no", "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}]},
        "linux.seccomp.listenerPath", "no agent listens", "start the agent",
    ),
    "a sysctl that is not there": (
        "linux/sysctl", {"net.ipv4.ip_forwad": "1"}, 'linux.sysctl["net.ipv4.ip_forwad"]', "no such sysctl",
        'did you mean "net.ipv4.ip_forward"?',
    ),
    "a property of a unit without systemd": (
        "annotations", {"org.systemd.property.TasksMax": "5"}, 'annotations["org.systemd.property.TasksMax"]',
        "no effect without --systemd-cgroup", "give the option",
    ),
    "maps that an old runtime ignores": (
        "mounts/7", {**BIND, "uidMappings": MAPS, "gidMappings": MAPS}, "mounts[7].uidMappings", "says nothing",
        '"ridmap"',
    ),
    "a hierarchy": (
        "linux/resources/memory", {"useHierarchy": True}, "linux.resources.memory.useHierarchy", "without effect",
        "leave it out",
    ),
    "a misspelled member of a mount": ("mounts/0/option", [], "mounts[0].option", "unknown", '"options"'),
    "a field newer than the config": (
        "linux/memoryPolicy", {"mode": "MPOL_DEFAULT"}, "linux.memoryPolicy", "came with version 1.3",
        "ociVersion to 1.3.0",
    ),
    "a size without a terminal": (
        "process/consoleSize", {"height": 1, "width": 1}, "process.consoleSize", "no effect without", "terminal",
    ),
    "a variable twice": ("process/env", ["PATH=/", "A=1", "A=2"], "process.env[1]", "A is set again", "leave one out"),
    "a program without a PATH": ("process/env", [], "process.args[0]", "default PATH", "set PATH"),
    "a program that is missing": ("process/args", ["/bin/no"], "process.args[0]", '"/bin/no" is not in', "unpack"),
    "a program that is not in PATH": ("process/args", ["no"], "process.args[0]", '"no" is not in', "PATH"),
    "a program behind a link that leads nowhere": (
        "process/args", ["/broken/sh"], "process.args[0]", "is not in the root", "unpack",
    ),
    "less than the least of shares": (
        "linux/resources/cpu", {"shares": 1}, "linux.resources.cpu.shares", "taken for 2", "write 2",
    ),
    "an unknown capability": (
        "process/capabilities", caps(bounding=["CAP_SYS_ADMN"]), "process.capabilities.bounding[0]", "is no capability",
        'did you mean "CAP_SYS_ADMIN"?',
    ),
    "a capability without its prefix": (
        "process/capabilities", caps(bounding=["CHOWN"]), "process.capabilities.bounding[0]", "no capability",
        "CAP_CHOWN",
    ),
    "a capability that is not permitted": (
        "process/capabilities", caps(permitted=[]), "process.capabilities.effective[0]", "not in permitted", "add it",
    ),
    "an ambient capability that is not inheritable": (
        "process/capabilities", caps(ambient=CAPS), "process.capabilities.ambient[0]", "not in inheritable", "add it",
    ),
    "capabilities that a user loses": (
        "process/user", {"uid": 5, "gid": 5}, "process.capabilities.permitted", "are lost when user 5", "ambient",
    ),
    "an option that is no option": (
        "mounts/1/options", ["nosiud"], "mounts[1].options[0]", "is no mount option", 'did you mean "nosuid"?',
    ),
    "an option twice": (
        "mounts/1/options", ["nosuid", "nosuid"], "mounts[1].options[1]", "is there twice", "leave one",
    ),
    "an option that is taken back": (
        "mounts/1/options", ["ro", "rw"], "mounts[1].options[0]", '"ro" is taken back by "rw"', "keep one",
    ),
    "an option without effect": ("mounts/1/options", ["silent"], "mounts[1].options[0]", "has no effect", "leave it"),
    "a bind type without the option": ("mounts/7", {**BIND, "options": []}, "mounts[7].type", "is no bind", '"rbind"'),
    "a type that a bind mount does not use": (
        "mounts/7", {**BIND, "type": "tmpfs"}, "mounts[7].type", '"tmpfs" is not used', "leave the option out",
    ),
    "a mount without a type": (
        "mounts/7", {"destination": "/srv"}, "mounts[7].type", "needs a file system", "set type",
    ),
    "a relative mount": ("mounts/7", {**TMPFS, "destination": "srv"}, "mounts[7].destination", "deprecated", "/srv"),
    "a mount that a later one hides": (
        "mounts/7", {**TMPFS, "destination": "/dev"}, "mounts[1].destination", "hidden by mounts[7]", "after mounts[7]",
    ),
    "an unknown file system": ("mounts/7", {**TMPFS, "type": "tmpf"}, "mounts[7].type", "no file system", '"tmpfs"'),
    "no pid namespace": ("linux/namespaces", [{"type": "mount"}, {"type": "uts"}], "mounts[0]", "of the host", "add"),
    "a prestart hook": ("hooks", {"prestart": [{"path": "/bin/sh"}]}, "hooks.prestart", "deprecated", "createRuntime"),
    "a reserved annotation": (
        "annotations", {"org.opencontainers.stopSignal": "x"},
        'annotations["org.opencontainers.stopSignal"]', "reserved", '"org.opencontainers.image.stopSignal"',
    ),
    "a path that is masked and read-only": (
        "linux/readonlyPaths", ["/proc/kcore"], "linux.readonlyPaths[0]", "is masked too", "leave one out",
    ),
    "a path twice": ("linux/maskedPaths", ["/a", "/a"], "linux.maskedPaths[1]", "is there twice", "leave one out"),
    "a device twice": (
        "linux/devices", [FUSE, {**FUSE, "path": "/dev/f"}], "linux.devices[1]", "same device as linux.devices[0]",
        "leave",
    ),
    "a device that may not be opened": ("linux/devices", [FUSE], "linux.devices[0]", "does not let it", "add a rule"),
    "a default device whose rule is gone": (
        "linux/devices", [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3}], "linux.devices[0]",
        "does not let it", "leave out the device",
    ),
    "kernel memory": (
        "linux/resources/memory", {"kernel": 5}, "linux.resources.memory.kernel", "not recommended", "leave",
    ),
    "a reservation above the limit": (
        "linux/resources/memory", {"limit": 1 << 30, "reservation": 1 << 31},
        "linux.resources.memory.reservation", "above memory.limit", "below",
    ),
    "a limit in the wrong unit": (
        "linux/resources/memory", {"limit": 512}, "linux.resources.memory.limit", "hardly any program", "unit is bytes",
    ),
    "a burst without a quota": ("linux/resources/cpu", {"burst": 5}, "linux.resources.cpu.burst", "no effect", "quota"),
    "a quota in the wrong unit": ("linux/resources/cpu", {"quota": 50}, "linux.resources.cpu.quota", "least", "micro"),
    "no tasks at all": ("linux/resources/pids", {"limit": 0}, "linux.resources.pids.limit", "not unlimited", "-1"),
    "a listener that nobody asks": (
        "linux/seccomp", {**ALLOW, "listenerPath": "/x"}, "linux.seccomp.listenerPath", "is not used", "leave it out",
    ),
    "a rule that says nothing": (
        "linux/seccomp", {**ALLOW, "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]},
        "linux.seccomp.syscalls[0].action", "done by default", "leave the rule out",
    ),
    "a filter that lets nothing run": (
        "linux/seccomp", {"defaultAction": "SCMP_ACT_ERRNO"}, "linux.seccomp.syscalls", "no rule allows execve", "add",
    ),
    "an unknown system call": (
        "linux/seccomp", {**ALLOW, "syscalls": [{"names": ["openet"], "action": "SCMP_ACT_ERRNO"}]},
        "linux.seccomp.syscalls[0].names[0]", '"openet" is unknown', 'did you mean "openat"?',
    ),
    "a path of systemd's": (
        "linux/cgroupsPath", "system.slice:a:b", "linux.cgroupsPath", "systemd's", "--systemd-cgroup",
    ),
    "an affinity that says nothing": (
        "process/execCPUAffinity", {"initial": ""}, "process.execCPUAffinity", "is empty", "leave it out",
    ),
    "a nice value that has no effect": (
        "process/scheduler", {"policy": "SCHED_RR", "nice": 5, "priority": 1}, "process.scheduler.nice", "no effect",
        "leave",
    ),
    "a priority that has no effect": (
        "process/ioPriority", {"class": "IOPRIO_CLASS_IDLE", "priority": 5}, "process.ioPriority.priority",
        "no effect", "",
    ),
}  # fmt: skip


@pytest.mark.rule("V3")
def test_there_is_nothing_to_say_about_the_template(maker: Maker) -> None:
    assert maker.report() == []


@pytest.mark.rule("M-1")
@pytest.mark.parametrize("case", WARNINGS, ids=str)
def test_what_is_legal_and_surely_not_meant_is_told(case: str, maker: Maker) -> None:
    path, value, field, message, hint = WARNINGS[case]
    maker.put(path, value)
    (found,) = [each for each in maker.of(field, "warning") if message in each.message]
    assert hint in (found.hint or "") and found.hint
    assert not [each for each in maker.report() if each.level == "error" and "not available" not in each.message]


@pytest.mark.parametrize(
    "name", ["sh", "/bin/sh", "/link/sh", "/absolute/sh", "../bin/sh", "/srv/any", "/loop/../bin/sh"]
)
def test_a_program_is_found_as_the_container_finds_it(name: str, maker: Maker) -> None:
    maker.put("mounts/9", TMPFS).put("process/args", [name])
    found = [each.message for each in maker.of("process.args[0]", "warning")]
    assert bool(found) == (name == "/loop/../bin/sh")


def test_a_container_without_a_mount_namespace(maker: Maker) -> None:
    maker.put("linux", {"namespaces": [{"type": "uts"}, {"type": "pid"}]})
    assert "no mount namespace" in maker.of("linux.namespaces", "warning")[0].message


def test_a_user_namespace_that_does_not_map_everybody(maker: Maker) -> None:
    maker.put("linux/namespaces", [{"type": kind} for kind in ("mount", "uts", "pid", "user")])
    maker.put("linux/uidMappings", MAPS).put("linux/gidMappings", [{"containerID": 1, "hostID": 1, "size": 10}])
    maker.put("process/user", {"uid": 5, "gid": 5, "additionalGids": [5, 77]})
    assert "group 77 is not mapped" in maker.of("process.user.additionalGids[1]", "warning")[0].message
    assert "does not map 0" in maker.of("linux.gidMappings", "warning")[0].message
    maker.put("process/user/uid", 10)
    assert "unmapped uid 10" in maker.of("process.user.uid", "error")[0].message


def test_options_that_have_no_effect_without_a_mount_namespace(maker: Maker) -> None:
    maker.put("linux", {"namespaces": [{"type": "uts"}, {"type": "pid"}], "rootfsPropagation": "rslave"})
    for field in ("root.readonly", "linux.rootfsPropagation"):
        assert "no effect without a mount namespace" in maker.of(field, "warning")[0].message


def test_a_size_with_a_0_and_a_terminal_without_devpts(maker: Maker) -> None:
    maker.put("process/terminal", True).put("process/consoleSize", {"height": 0, "width": 80})
    assert "with a 0 in it" in maker.of("process.consoleSize.height", "warning")[0].message
    mounts = [{"destination": "/proc", "type": "proc", "source": "proc"}, TMPFS]
    assert "needs devpts" in maker.put("mounts", mounts).of("process.terminal", "warning")[0].message


def test_the_hosts_own_root_without_a_dev_of_its_own(maker: Maker) -> None:
    maker.put("root/path", "/").put("mounts", [{"destination": "/proc", "type": "proc", "source": "proc"}])
    assert "links and nodes there are replaced" in maker.of("root.path", "warning")[0].message
    maker.put("mounts/1", {**TMPFS, "destination": "/dev"})
    assert maker.of("root.path", "warning") == []


def test_what_a_user_namespace_makes_void(maker: Maker) -> None:
    maker.put("linux/uidMappings", MAPS).put("linux/gidMappings", MAPS)
    maker.put("linux/devices", [{**FUSE, "fileMode": 0o600, "uid": 3}])
    maker.put("linux/namespaces", [{"type": kind} for kind in ("mount", "uts", "pid", "user", "ipc")])
    found = maker.report()
    void = [each.field for each in found if "no effect in a user namespace" in each.message]
    assert void == ["linux.devices[0].fileMode", "linux.devices[0].uid"]
    (sysfs,) = [each for each in found if "sysfs cannot be mounted without a network namespace" in each.message]
    assert sysfs.level == "error" and 'add {"type": "network"}' in (sysfs.hint or "")
    maker.put("linux/namespaces/3", {"type": "user", "path": "/proc/self/ns/user"})
    assert "has maps of its own" in maker.of("linux.uidMappings", "warning")[0].message


def test_a_namespace_of_another_type_is_told(maker: Maker) -> None:
    maker.put("linux/namespaces/1", {"type": "network", "path": "/proc/self/ns/uts"})
    (found,) = maker.of("linux.namespaces[1].path", "error")
    assert "not a namespace of the type network, but uts" in found.message and 'set the type to "uts"' in str(
        found.hint
    )
    maker.put("linux/namespaces/1/path", "/proc/self/status")
    assert "but something else" in maker.of("linux.namespaces[1].path", "error")[0].message


def test_what_is_in_the_way_of_a_device_is_told(maker: Maker) -> None:
    maker.put("linux/devices", [{**FUSE, "path": "/bin/sh"}, {**FUSE, "path": "/dev/bin"}, {**FUSE, "path": "/new"}])
    told = [each.field for each in maker.report() if "has something else at /bin/sh" in each.message]
    assert told == ["linux.devices[0].path"]


ERRORS: dict[str, tuple[str, object, str, str]] = {
    "a hook that is missing": (
        "hooks", {"createRuntime": [{"path": "/no/hook"}]}, "hooks.createRuntime[0].path", "not on",
    ),
    "a hook that is no program": (
        "hooks", {"poststop": [{"path": "/etc/passwd"}]}, "hooks.poststop[0].path", "executed",
    ),
    "a source that is missing": ("mounts/7", {**BIND, "source": "/no/source"}, "mounts[7].source", "is not there"),
    "a relative source that is missing": (
        "mounts/7", {**BIND, "source": "data"}, "mounts[7].source", "/data is not there",
    ),
    "a namespace that is missing": (
        "linux/namespaces/1", {"type": "network", "path": "/proc/self/ns/nat"}, "linux.namespaces[1].path", "not there",
    ),
    "a root that is missing": ("root/path", "rootfz", "root.path", "no such file"),
    "more files than the kernel has": (
        "process/rlimits", [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2**40}], "process.rlimits[0].hard",
        "fs.nr_open",
    ),
    "a processor that is missing": (
        "linux/resources/cpu", {"cpus": "4095"}, "linux.resources.cpu.cpus", "no processor 4095",
    ),
    "a size of pages": (
        "linux/resources/hugepageLimits", [{"pageSize": "3MB", "limit": 1}],
        "linux.resources.hugepageLimits[0].pageSize", "no huge pages of 3MB",
    ),
    "a broken rule": ("process/cwd", "tmp", "process.cwd", "Cwd must be an absolute path"),
    "a wrong type": ("linux/resources/pids", {"limit": "5"}, "linux.resources.pids.limit", "must be an integer"),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS, ids=str)
def test_what_cannot_run_here_is_an_error_with_its_reason(case: str, maker: Maker) -> None:
    path, value, field, message = ERRORS[case]
    (found,) = maker.put(path, value).of(field, "error")
    assert message in found.message
    assert found.why


REMEDIES: dict[str, tuple[str, object, str]] = {
    "a size in words": ("linux/resources/memory", {"limit": "64M"}, "write 67108864, without quotes"),
    "a number in quotes": ("linux/resources/pids", {"limit": "5"}, "write 5, without quotes"),
    "a whole number with a fraction": ("linux/resources/pids", {"limit": 5.0}, "write 5"),
    "a command line": ("process/args", "sleep 10", 'write ["sleep", "10"]'),
    "a number for a text": ("linux/sysctl", {"net.ipv4.ip_forward": 1}, 'write "1"'),
    "a boolean in quotes": ("process/terminal", "False", "write false, without quotes"),
    "a variable without a value": ("process/env", ["DEBUG"], "write NAME=VALUE"),
    "a limit without its prefix": (
        "process/rlimits",
        [{"type": "NOFILE", "soft": 1, "hard": 1}],
        'did you mean "RLIMIT_NOFILE"? known: RLIMIT_CPU',
    ),
    "a namespace in short": ("linux/namespaces/1/type", "net", 'did you mean "network"?'),
    "a misspelled propagation": ("linux/rootfsPropagation", "rshard", 'did you mean "rshared"?'),
    "no mappings": ("linux/namespaces/1", {"type": "user"}, "to it, and to gidMappings"),
    "a sysctl of the host": ("linux/sysctl", {"kernel.panic": "1"}, "all containers share it"),
    "offsets without a namespace": ("linux/timeOffsets", {"monotonic": {"secs": 1}}, 'add {"type": "time"}'),
    "a cache where there is none": ("linux/intelRdt", {"closID": "x"}, "mount it"),
}


@pytest.mark.parametrize("case", REMEDIES)
def test_an_error_has_the_remedy_that_follows_from_its_value(case: str, maker: Maker) -> None:
    place, value, remedy = REMEDIES[case]
    found = [finding for finding in maker.put(place, value).report() if finding.level == "error"]
    if case == "a cache where there is none" and not found:
        pytest.skip("needs a host with no resctrl")
    assert [finding for finding in found if remedy in (finding.hint or "")] == found[:1], found


def test_processors_are_told_in_the_kernels_way(maker: Maker) -> None:
    found = maker.put("linux/resources/cpu", {"cpus": "5000-5009,6000"}).report()
    assert "no processor 5000-5009,6000" in found[0].message


def test_a_misspelled_root_is_found(maker: Maker) -> None:
    assert maker.put("root/path", "rootfz").of("root.path", "error")[0].hint == 'did you mean "rootfs"?'


@pytest.mark.rule("V3")
def test_all_problems_are_told_and_errors_come_first(maker: Maker) -> None:
    maker.put("process/cwd", "tmp").put("surprise", 1).put("hostname", 5).put("linux/uidMappings", "x")
    found = [(each.level, each.field) for each in maker.report()]
    assert found[-1] == ("warning", "surprise")
    assert {field for level, field in found if level == "error"} == {"process.cwd", "hostname", "linux.uidMappings"}


def test_a_finding_has_the_value_and_no_secret(maker: Maker) -> None:
    maker.put("process/cwd", "tmp").put("process/env", ["TOKEN"])
    values = {each.field: each.value for each in maker.report()}
    assert values["process.cwd"] == "tmp"
    assert values["process.env[0]"] is ...


@pytest.mark.rule("17.34")
def test_a_limit_of_version_1_is_told_on_a_host_of_version_2(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    (tmp_path / "sys/fs/cgroup/cgroup.controllers").write_text("cpu memory\n")
    config = {**default(cgroup2=True)}
    config["linux"] = {"resources": {"memory": {"swappiness": 60}}}
    found = lacks(load(json.dumps(config).replace('"hostname"', '"x"').encode()), f"{tmp_path}/")
    assert [(each.field, each.message) for each in found] == [
        ("linux.resources.memory.swappiness", "cgroup v2 has no such limit")
    ]
    config["linux"] = {"resources": {"pids": {"limit": 5}}}
    found = lacks(load(json.dumps(config).replace('"hostname"', '"x"').encode()), f"{tmp_path}/")
    assert [each.message for each in found] == ["this host has no cgroup controller pids"]


def test_a_rootless_container_is_held_to_its_own_rules(maker: Maker) -> None:
    (found,) = [each for each in maker.report(rootless=True) if each.field == "linux.namespaces"]
    assert (found.level, found.message) == ("error", "rootless container requires user namespaces")


def test_a_config_without_a_process_is_not_created(tmp_path: Path) -> None:
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "config.json").write_text('{"ociVersion": "1.0.0", "root": {"path": "rootfs"}}')
    (found,) = report(str(tmp_path))
    assert (found.level, found.field, found.hint) == (
        "error", "process", 'add "process": {"cwd": "/", "args": ["sh"]}'
    )  # fmt: skip


def test_a_version_that_is_none_makes_no_field_too_new(maker: Maker) -> None:
    assert [each.field for each in maker.put("ociVersion", "invalid").report()] == ["ociVersion"]


def test_a_pre_draft_config_is_checked_by_its_own_table(maker: Maker) -> None:
    old = sample()
    old["hostnam"] = "x"
    (maker.path / "config.json").write_text(json.dumps({**old, "linux": {"capabilities": ["FLY"]}}))
    told = {each.field: (each.message, each.why) for each in maker.report()}
    assert told["linux.capabilities[0]"] == ('unknown capability "FLY"', "runc 0.0.3")
    assert "hostnam" in told


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"a":1}{', '{"root": 5}', '{"version": "pre-draft"}'])
def test_any_text_is_judged_and_never_a_traceback(text: str, maker: Maker) -> None:
    (maker.path / "config.json").write_text(text)
    assert [each for each in maker.report() if each.level == "error"]


def test_no_bundle_is_an_error_too(tmp_path: Path) -> None:
    (found,) = report(str(tmp_path / "nowhere"))
    assert (found.field, found.level) == ("config.json", "error")
