"""The pre-draft format: each row of the mapping, what it was and what it becomes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from orlop.errors import ConfigError
from orlop.spec.json import dump
from orlop.spec.load import load
from orlop.spec.predraft import convert
from orlop.spec.predraft_fields import PREDRAFT
from orlop.spec.table import rows
from tests.unit.spec.predraft import sample

if TYPE_CHECKING:
    from collections.abc import Callable

    Document = dict[str, object]
    Put = Callable[[Document, str, object], None]

MAP = [{"hostID": 1000, "containerID": 0, "size": 10}]
HOOK = {"path": "/bin/h", "args": ["a"], "env": ["A=b"]}

# What is put into the sample, and what is then found where in today's config; Ellipsis is "nothing".
ROWS: dict[str, tuple[str, object, str, object]] = {
    "version": ("version", "pre-draft", "ociVersion", "1.0.0"),
    "platform is never read": ("platform", {"os": "plan9", "arch": "mips"}, "platform", ...),
    "process.terminal": ("process/terminal", False, "process/terminal", False),
    "process.user.uid": ("process/user/uid", 7, "process/user/uid", 7),
    "process.user.gid": ("process/user/gid", 8, "process/user/gid", 8),
    "process.user.additionalGids": ("process/user/additionalGids", [5, 6], "process/user/additionalGids", [5, 6]),
    "process.args": ("process/args", ["ls", "-l"], "process/args", ["ls", "-l"]),
    "process.env": ("process/env", ["A=1", "B=2", "A=3"], "process/env", ["A=3", "B=2"]),
    "process.cwd": ("process/cwd", "/tmp", "process/cwd", "/tmp"),
    "process.cwd that is empty": ("process/cwd", "", "process/cwd", "/"),
    "process.cwd from the root": ("process/cwd", "tmp/x", "process/cwd", "/tmp/x"),
    "root.path": ("root/path", "elsewhere", "root/path", "elsewhere"),
    "root.readonly": ("root/readonly", True, "root/readonly", True),
    "root.readonly: masked": ("root/readonly", True, "linux/maskedPaths", ["/proc/kcore"]),
    "root.readonly: read-only": (
        "root/readonly", True, "linux/readonlyPaths", ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"],
    ),
    "root.readonly: sysfs": ("root/readonly", True, "mounts/5/options", ["nosuid", "noexec", "nodev", "ro"]),
    "a writable root": ("root/readonly", False, "linux/maskedPaths", ...),
    "a writable root: sysfs": ("root/readonly", False, "mounts/5/options", ["nosuid", "noexec", "nodev"]),
    "hostname": ("hostname", "box", "hostname", "box"),
    "mounts[].type": ("mounts/1/type", "tmpfs", "mounts/1/type", "tmpfs"),
    "mounts[].source": ("mounts/1/source", "mine", "mounts/1/source", "mine"),
    "mounts[].destination": ("mounts/1/destination", "/x", "mounts/1/destination", "/x"),
    "mounts[].destination from the root": ("mounts/1/destination", "x", "mounts/1/destination", "/x"),
    "mounts[].options": ("mounts/1/options", "nodev,mode=1,,ro", "mounts/1/options", ["nodev", "mode=1", "ro"]),
    "mounts[].options of proc": ("mounts/0/options", "nodev,hidepid=2", "mounts/0/options", ["nodev"]),
    "a bind": (
        "mounts/0", {"type": "bind", "source": "/s", "destination": "/d", "options": "rbind,ro"},
        "mounts/0", {"type": "bind", "source": "/s", "destination": "/d", "options": ["rbind", "ro"]},
    ),
    "a bind without the word": (
        "mounts/0", {"type": "bind", "source": "/s", "destination": "/d"}, "mounts/0/options", ["bind"],
    ),
    "hooks.prestart": (
        "hooks", {"prestart": [HOOK]}, "hooks/prestart", [{"path": "/bin/h", "args": ["/bin/h", "a"], "env": ["A=b"]}],
    ),
    "hooks.poststop": ("hooks", {"poststop": [{"path": "/x"}]}, "hooks/poststop", [{"path": "/x", "args": ["/x"]}]),
    "uidMappings: a user namespace": ("linux/uidMappings", MAP, "linux/namespaces/5", {"type": "user"}),
    "uidMappings": ("linux/uidMappings", MAP, "linux/uidMappings", MAP),
    "uidMapping": ("linux/uidMapping", MAP, "linux/uidMappings", MAP),
    "gidMappings without the others": ("linux/gidMappings", MAP, "linux/gidMappings", ...),
    "rlimits[]": (
        "linux/rlimits", [{"type": 7, "hard": 9, "soft": 5}],
        "process/rlimits", [{"type": "RLIMIT_NOFILE", "hard": 9, "soft": 5}],
    ),
    "sysctl": ("linux/sysctl", {"net.ipv4.ip_forward": "1"}, "linux/sysctl", {"net.ipv4.ip_forward": "1"}),
    "systemProperties": ("linux/systemProperties", {"kernel.sem": "1"}, "linux/sysctl", {"kernel.sem": "1"}),
    "capabilities": ("linux/capabilities", ["CHOWN"], "process/capabilities/permitted", ["CAP_CHOWN"]),
    "capabilities: bounding": ("linux/capabilities", ["CHOWN"], "process/capabilities/bounding", ["CAP_CHOWN"]),
    "capabilities: effective": ("linux/capabilities", ["CHOWN"], "process/capabilities/effective", ["CAP_CHOWN"]),
    "capabilities: inheritable": ("linux/capabilities", ["CHOWN"], "process/capabilities/inheritable", ["CAP_CHOWN"]),
    "capabilities: ambient": ("linux/capabilities", ["CHOWN"], "process/capabilities/ambient", ...),
    "no capabilities": ("linux/capabilities", None, "process/capabilities/bounding", []),
    "rootfsPropagation": ("linux/rootfsPropagation", "rslave", "linux/rootfsPropagation", "rslave"),
    "devices": (
        "linux/devices", ["net/tun"], "linux/devices",
        [{"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200, "fileMode": 0o666, "uid": 0, "gid": 0}],
    ),
    "devices: nothing else": ("linux/devices", [], "linux/resources/devices/0", {"allow": False, "access": "rwm"}),
    "devices: allowed": (
        "linux/devices", ["fuse"], "linux/resources/devices/1",
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"},
    ),
    "devices: the first terminals": (
        "linux/devices", [], "linux/resources/devices/1",
        {"allow": True, "type": "c", "major": 4, "minor": 0, "access": "rwm"},
    ),
    "a namespace to join": (
        "linux/namespaces/1", {"type": "network", "path": "/x"},
        "linux/namespaces/1", {"type": "network", "path": "/x"},
    ),
    "a namespace twice": (
        "linux/namespaces/4", {"type": "network", "path": "/y"},
        "linux/namespaces/1", {"type": "network", "path": "/y"},
    ),
    "disableOOMKiller": ("linux/resources/disableOOMKiller", True, "linux/resources/memory/disableOOMKiller", True),
    "memory.limit": ("linux/resources/memory/limit", 9, "linux/resources/memory/limit", 9),
    "memory.limit none": ("linux/resources/memory/limit", -1, "linux/resources/memory/limit", -1),
    "memory.reservation": ("linux/resources/memory/reservation", 9, "linux/resources/memory/reservation", 9),
    "memory.swap": ("linux/resources/memory/swap", 9, "linux/resources/memory/swap", 9),
    "memory.swap none was skipped": ("linux/resources/memory/swap", -1, "linux/resources/memory", ...),
    "memory.kernel": ("linux/resources/memory/kernel", 9, "linux/resources/memory/kernel", 9),
    "memory.swappiness": ("linux/resources/memory/swappiness", 0, "linux/resources/memory/swappiness", 0),
    "blockIO.blkioWeight": ("linux/resources/blockIO/blkioWeight", 500, "linux/resources/blockIO/weight", 500),
    "blockIO.blkioWeightDevice": (
        "linux/resources/blockIO/blkioWeightDevice", "8:0 500", "linux/resources/blockIO/weightDevice",
        [{"major": 8, "minor": 0, "weight": 500}],
    ),
    "hugepageLimits[]": (
        "linux/resources/hugepageLimits", [{"pageSize": "2MB", "limit": 9}],
        "linux/resources/hugepageLimits", [{"pageSize": "2MB", "limit": 9}],
    ),
    "network.classId": ("linux/resources/network/classId", "0x10", "linux/resources/network/classID", 16),
    "network.classId octal": ("linux/resources/network/classId", "010", "linux/resources/network/classID", 8),
    "network.classId decimal": ("linux/resources/network/classId", "10", "linux/resources/network/classID", 10),
    "network.priorities[]": (
        "linux/resources/network/priorities", [{"name": "eth0", "priority": 3}],
        "linux/resources/network/priorities", [{"name": "eth0", "priority": 3}],
    ),
}  # fmt: skip

for _name in ("shares", "quota", "period", "realtimeRuntime", "realtimePeriod"):
    ROWS[f"cpu.{_name}"] = (f"linux/resources/cpu/{_name}", 9, f"linux/resources/cpu/{_name}", 9)
for _name in ("cpus", "mems"):
    ROWS[f"cpu.{_name}"] = (f"linux/resources/cpu/{_name}", "0", f"linux/resources/cpu/{_name}", "0")
for _way, _unit in (("Read", "Bps"), ("Write", "Bps"), ("Read", "Iops"), ("Write", "Iops")):
    ROWS[f"blockIO.blkioThrottle{_way}{_unit}Device"] = (
        f"linux/resources/blockIO/blkioThrottle{_way}{_unit}Device",
        "8:0 500\n8:16 600",
        f"linux/resources/blockIO/throttle{_way}{_unit.replace('Iops', 'IOPS')}Device",
        [{"major": 8, "minor": 0, "rate": 500}, {"major": 8, "minor": 16, "rate": 600}],
    )


def found(document: object, path: str) -> object:
    """The value at a path of a document, or Ellipsis."""
    for name in path.split("/"):
        if isinstance(document, list):
            document = document[int(name)] if int(name) < len(document) else ...
        else:
            document = document.get(name, ...) if isinstance(document, dict) else ...
    return document


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_of_the_mapping(row: str, put: Put) -> None:
    path, old, today, new = ROWS[row]
    config = sample()
    put(config, path, old)
    assert found(convert(config), today) == new


def test_every_field_of_the_old_format_has_a_row() -> None:
    changed = {path.replace("/", ".") for path, *_ in ROWS.values()}
    tested = ["".join("[]" if part.isdigit() else "." + part for part in path.split(".")) for path in changed]
    for row in rows(PREDRAFT):
        if row.name == "object" or "gidMapping[]" in row.path:  # which has a test of its own
            continue
        path = f".{row.path}"
        assert any(path.startswith(one) or one.startswith(path) for one in tested), path


@pytest.mark.parametrize(("ids", "other"), [("uidMappings", "gidMappings"), ("uidMapping", "gidMapping")])
def test_both_spellings_of_the_mappings(ids: str, other: str, put: Put) -> None:
    config = sample()
    put(config, f"linux/{ids}", MAP)
    put(config, f"linux/{other}", MAP)
    linux = load(dump(config).encode())["linux"]
    assert (linux["uidMappings"], linux["gidMappings"]) == (MAP, MAP)
    assert {"type": "user"} in linux["namespaces"]


def test_the_sample_becomes_a_config_that_passes() -> None:
    spec = load(json.dumps(sample()).encode())
    assert [row["type"] for row in spec["linux"]["namespaces"]] == ["pid", "network", "ipc", "uts", "mount"]
    assert "memory" not in spec["linux"]["resources"]


PROBLEMS = {
    "an unknown capability": ("linux/capabilities", ["FLY"], 'linux.capabilities[0]: unknown capability "FLY"'),
    "an unknown namespace": (
        "linux/namespaces", [{"type": "pid", "path": ""}],
        'linux.namespaces[0].type: namespace {"pid" ""} does not exist',
    ),
    "an unknown mount": ("mounts/0/type", "ext4", 'mounts[0].type: unknown mount device "proc" to "/proc"'),
    "an unknown limit": ("linux/rlimits", [{"type": 16, "hard": 1, "soft": 1}], "linux.rlimits[0].type: must be"),
    "a swappiness": ("linux/resources/memory/swappiness", 101, "linux.resources.memory.swappiness: must be from -1"),
    "a line of blkio": (
        "linux/resources/blockIO/blkioWeightDevice", "sda 5",
        'linux.resources.blockIO.blkioWeightDevice: must be "major:minor value", not "sda 5"',
    ),
    "a class": ("linux/resources/network/classId", "x", "linux.resources.network.classId: must be a number"),
    "a device nobody has": ("linux/devices", ["nothing"], "linux.devices[0]: no device /dev/nothing on this host"),
    "a uid of 32 bits": ("process/user/uid", 2**31, "process.user.uid: must be from 0 to 2147483647"),
    "options of today": ("mounts/0/options", ["ro"], "mounts[0].options: must be a string, not an array"),
    "no program": ("process/args", [], "process.args: args must not be empty"),
    "an environment without a value": ("process/env", ["A"], "process.env[0]: invalid environment variable"),
    "no root": ("root", None, "root: root must be specified"),
}  # fmt: skip


@pytest.mark.parametrize("case", PROBLEMS, ids=str)
def test_a_bad_pre_draft_config_is_refused_under_its_old_names(case: str, put: Put) -> None:
    path, value, message = PROBLEMS[case]
    config = sample()
    put(config, path, value)
    with pytest.raises(ConfigError) as raised:
        load(json.dumps(config).encode())
    assert message in str(raised.value)


def test_a_config_of_today_with_a_version_of_its_own_is_left_alone(config: Document) -> None:
    assert load(json.dumps({**config, "version": "pre-draft"}).encode())["ociVersion"] == config["ociVersion"]
