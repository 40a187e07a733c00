"""The systemd driver: units, paths, and limits as properties."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from orlop.cgroup import choose, devices
from orlop.cgroup.fields import writes
from orlop.cgroup.systemd_annotations import annotated, parse
from orlop.cgroup.systemd_names import expand, unit_of
from orlop.cgroup.systemd_properties import INFINITY, asker, device_properties, properties, rounded, unset
from orlop.cgroup.systemd_unit import Unit
from orlop.cgroup.systemd_v1 import SystemdV1
from orlop.cgroup.systemd_v2 import SystemdV2
from orlop.errors import CgroupError, ConfigError, OrlopError
from orlop.host import systemd
from orlop.host.cgroups import Hierarchy, Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.host.dbus_wire import Value
    from orlop.host.systemd import Manager, Property

V2 = Layout([Hierarchy("/s", ("cpu",), version=2, own="/user/me.scope")])
HYBRID = Layout(
    [
        Hierarchy("/s/devices", ("devices",)),
        Hierarchy("/s/systemd", ("name=systemd",)),
        Hierarchy("/s/unified", (), version=2),
    ]
)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The systemd of the host is ours to ask, and process 1 is at the top."""
    monkeypatch.setattr(systemd, "is_users", lambda: False)
    monkeypatch.setattr(
        "orlop.cgroup.systemd_choice._read", lambda path: "3:devices:/\n1:name=systemd:/init.scope\n0::/"
    )


@pytest.mark.parametrize(
    ("slice", "path"),
    [
        ("system.slice", "/system.slice"),
        ("a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice"),
        ("-.slice", ""),
    ],
)
def test_a_slice_is_in_those_that_its_name_begins_with(slice: str, path: str) -> None:
    assert expand(slice) == path


@pytest.mark.parametrize("slice", ["", "a", ".slice", "a/b.slice", "-a.slice", "a-.slice", "a--b.slice", "a.scope"])
def test_a_name_that_is_no_slice_is_refused(slice: str) -> None:
    with pytest.raises(ConfigError, match=r"^linux\.cgroupsPath: invalid slice name: "):
        expand(slice)


@pytest.mark.parametrize(
    ("path", "user", "unit"),
    [
        (None, False, ("system.slice", "runc-box.scope", "box")),
        ("", True, ("user.slice", "runc-box.scope", "box")),
        ("system.slice:docker:123", False, ("system.slice", "docker-123.scope", "123")),
        (":libpod:123", True, ("user.slice", "libpod-123.scope", "123")),
        ("system.slice:cri:pod.slice", False, ("system.slice", "pod.slice", "pod.slice")),
    ],
)
def test_the_path_names_slice_prefix_and_name(path: str | None, user: bool, unit: tuple[str, str, str]) -> None:
    assert unit_of(path, "box", user=user) == unit


@pytest.mark.parametrize("path", ["/a/b", "a:b", "a:b:c:d", "a.slice:b:", "a.slice:b:c/d", "a.slice:b/c:d"])
def test_a_path_that_names_no_unit_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match=r"^linux\.cgroupsPath: "):
        unit_of(path, "box", user=False)


@pytest.mark.usefixtures("host")
def test_on_version_2_the_cgroup_is_that_of_the_unit() -> None:
    cgroup = choose.new(V2, "a-b.slice:docker:1", "box", systemd=True)
    assert isinstance(cgroup, SystemdV2)
    assert cgroup.paths == {"": "/s/a.slice/a-b.slice/docker-1.scope"}
    assert cgroup.needs_process
    assert not choose.new(V2, "a.slice:docker:b.slice", "box", systemd=True).needs_process


@pytest.mark.usefixtures("host")
def test_on_version_1_it_is_in_each_hierarchy() -> None:
    cgroup = choose.new(HYBRID, None, "box", systemd=True)
    assert isinstance(cgroup, SystemdV1)
    assert cgroup.paths == {
        "devices": "/s/devices/system.slice/runc-box.scope",
        "name=systemd": "/s/systemd/system.slice/runc-box.scope",
        "": "/s/unified/system.slice/runc-box.scope",
    }


def test_a_user_has_no_units_on_version_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "is_users", lambda: True)
    with pytest.raises(OrlopError, match="cannot use rootless systemd cgroups manager on cgroup v1"):
        choose.new(HYBRID, None, "box", systemd=True)


def test_the_record_tells_the_unit() -> None:
    cgroup = choose.recorded(V2, {"": "/s/a.slice/docker-1.scope"}, systemd=True)
    assert isinstance(cgroup, SystemdV2)
    assert cgroup.unit.name == "docker-1.scope"
    assert isinstance(choose.recorded(V2, {"": "/s/a"}, systemd=False), choose.recorded(V2, {"": "/s/b"}).__class__)


@pytest.mark.parametrize(
    ("resources", "version", "expected"),
    [
        ({"memory": {"limit": 100, "swap": 150}}, 2, {"MemorySwapMax": 50, "MemoryMax": 100}),
        ({"memory": {"reservation": 7}}, 2, {"MemoryLow": 7}),
        ({"memory": {"limit": -1}}, 2, {"MemoryMax": INFINITY, "MemorySwapMax": INFINITY}),
        ({"memory": {"limit": -1}}, 1, {"MemoryLimit": INFINITY}),
        ({"cpu": {"shares": 1024}}, 2, {"CPUWeight": 100}),
        ({"cpu": {"shares": 1024, "idle": 1}}, 2, {"CPUWeight": 0}),
        ({"cpu": {"shares": 1024}}, 1, {"CPUShares": 1024}),
        ({"cpu": {"quota": 50000}}, 2, {"CPUQuotaPerSecUSec": 500000, "CPUQuotaPeriodUSec": 100000}),
        ({"cpu": {"quota": 12345, "period": 50000}}, 2, {"CPUQuotaPerSecUSec": 250000, "CPUQuotaPeriodUSec": 50000}),
        ({"cpu": {"quota": -1}}, 2, {"CPUQuotaPerSecUSec": INFINITY, "CPUQuotaPeriodUSec": 100000}),
        ({"cpu": {"quota": 50000}}, 1, {"CPUQuotaPerSecUSec": 500000}),
        ({"cpu": {"cpus": "0-2,9", "mems": "0"}}, 2, {"AllowedCPUs": b"\x07\x02", "AllowedMemoryNodes": b"\x01"}),
        ({"cpu": {"cpus": "nonsense"}}, 2, {}),
        ({"pids": {"limit": 0}}, 2, {"TasksMax": 1}),
        ({"pids": {"limit": -1}}, 1, {"TasksMax": INFINITY}),
        ({"unified": {"memory.high": "max", "memory.min": "5"}}, 2, {"MemoryHigh": INFINITY, "MemoryMin": 5}),
        ({"unified": {"cpu.max": "max 5000"}}, 2, {"CPUQuotaPerSecUSec": INFINITY, "CPUQuotaPeriodUSec": 5000}),
        ({"pids": {"limit": 4}, "unified": {"pids.max": "3"}}, 2, {"TasksMax": 3}),
        ({"blockIO": {"weight": 10}}, 1, {"BlockIOWeight": 10}),
        ({"unified": {"memory.max": "1G", "memory.high": "512m"}}, 2, {"MemoryMax": 1 << 30, "MemoryHigh": 1 << 29}),
        ({"unified": {"memory.max": "99999999999E"}}, 2, {"MemoryMax": INFINITY}),
        (
            {"unified": {"memory.max": " 5", "memory.high": "max ", "pids.max": "3\t"}},
            2,
            {"MemoryMax": 5, "MemoryHigh": INFINITY, "TasksMax": 3},
        ),
        ({"unified": {"cpu.max": " 5000\t 20000 "}}, 2, {"CPUQuotaPerSecUSec": 250000, "CPUQuotaPeriodUSec": 20000}),
        ({"unified": {"cpu.idle": "1 "}}, 2, {"CPUWeight": 0}),
        ({"unified": {"cpu.max": " "}}, 2, {"CPUQuotaPerSecUSec": INFINITY, "CPUQuotaPeriodUSec": 100000}),
    ],
)
def test_limits_are_properties(resources: dict[str, object], version: int, expected: dict[str, Value]) -> None:
    found = properties(writes(resources, version), version)
    assert {name: value for name, _, value in found} == expected


@pytest.mark.parametrize(
    "unified",
    [
        {"memory.max": "--5"},
        {"memory.max": "9" * 30},
        {"memory.max": "9" * 5000},
        {"memory.max": "٣"},
        {"memory.max": "maxK"},
        {"memory.max": "K"},
        {"cpu.weight": "-5"},
        {"io.weight": "default -5"},
        {"cpuset.cpus": "0-" + "9" * 5000},
    ],
)
def test_what_the_kernel_will_refuse_is_not_sent(unified: dict[str, str]) -> None:
    assert properties(writes({"unified": unified}, 2), 2) == []


@pytest.mark.parametrize("bandwidth", [f"{2**63 - 1} 1", "100 -5", "-5 -5", f"100 {'9' * 30}"])
def test_a_bandwidth_of_any_size_can_be_sent(bandwidth: str) -> None:
    found = properties(writes({"unified": {"cpu.max": bandwidth}}, 2), 2)
    assert found and all(isinstance(value, int) and 0 <= value <= INFINITY for _name, _signature, value in found)


def test_the_quota_in_the_file_is_the_one_that_systemd_will_write() -> None:
    resources = {"cpu": {"quota": 12345, "period": 50000}}
    assert [row.value for row in rounded(writes(resources, 2))] == ["12500 50000"]
    files = {row.file: row.value for row in rounded(writes(resources, 1))}
    assert files == {"cpu.cfs_period_us": "50000", "cpu.cfs_quota_us": "12500"}


def test_what_a_failed_update_set_first_is_taken_back() -> None:
    found = properties(writes({"memory": {"limit": 5}, "cpu": {"cpus": "0"}}, 2), 2)
    assert sorted(unset(found)) == [("AllowedCPUs", "ay", b""), ("MemoryMax", "t", INFINITY)]


def test_after_a_failed_update_systemd_is_told_what_the_files_held(tmp_path: Path) -> None:
    for name, text in (("memory.low", "0\n"), ("pids.max", "4915\n"), ("cpu.max", "max 100000\n"), ("cpu.idle", "0\n")):
        (tmp_path / name).write_text(text)
    told: list[dict[str, Value]] = []

    def set(_name: str, limits: list[Property]) -> None:
        told.append({name: value for name, _signature, value in limits})

    def fail() -> None:
        raise OrlopError("no room")

    unit = Unit("a.scope", lambda _knocked: cast("Manager", SimpleNamespace(set=set, version=lambda: 256)))
    cgroup = SystemdV2(str(tmp_path), unit, mount=str(tmp_path), own=str(tmp_path))
    change = {"memory": {"reservation": 5}, "pids": {"limit": 7}, "cpu": {"quota": 5000, "idle": 1}}
    with pytest.raises(OrlopError, match=r"^no room$"):
        cgroup.update(change, None, fail)
    assert told[0] == {
        "TasksMax": 7, "MemoryLow": 5, "CPUWeight": 0, "CPUQuotaPerSecUSec": 50000, "CPUQuotaPeriodUSec": 100000,
    }  # fmt: skip
    assert told[1:] == [
        {
            "TasksMax": 4915,
            "MemoryLow": 0,
            "CPUWeight": INFINITY,
            "CPUQuotaPerSecUSec": INFINITY,
            "CPUQuotaPeriodUSec": 100000,
        }
    ]


def test_memory_that_nobody_has_asked_to_protect_is_not_protected() -> None:
    found = properties(writes({"unified": {"memory.min": "5", "memory.low": "5"}}, 2), 2)
    assert sorted(unset(found)) == [("MemoryLow", "t", 0), ("MemoryMin", "t", 0)]


@pytest.mark.parametrize(
    ("said", "version", "field"),
    [
        ("Value specified in CPUShares is out of range", 1, "cpu.shares"),
        ("Value specified in CPUWeight is out of range", 2, "cpu.shares"),
        ("CPUQuotaPeriodUSec= value out of range", 2, "cpu.quota"),
        ("Cannot set property NoSuchThing, or unknown property.", 2, None),
        ("AllowedCPUsX", 2, None),
    ],
)
def test_the_limit_behind_a_property_that_systemd_refuses_is_found(said: str, version: int, field: str | None) -> None:
    resources = {"cpu": {"shares": 1, "quota": 5000, "cpus": "0"}}
    write = asker(said, writes(resources, version), version)
    assert (write.field if write else None) == (f"linux.resources.{field}" if field else None)


@pytest.mark.usefixtures("host")
def test_what_is_idle_has_no_weight_which_is_told() -> None:
    cgroup = choose.new(V2, None, "box", systemd=True)
    both = {"cpu": {"shares": 200, "idle": 1}}
    assert [write.file for write in cgroup.writes(both)] == ["cpu.idle"]
    assert cgroup.doubts(both) == ["unable to apply both cpu.weight and cpu.idle to systemd, ignoring cpu.weight"]
    for one in ({"cpu": {"shares": 200}}, {"cpu": {"idle": 1}}, {"cpu": {"shares": 200, "idle": 0}}):
        assert cgroup.doubts(one) == []
    unified: dict[str, object] = {"unified": {"cpu.idle": "1", "cpu.weight": "8"}, "cpu": {"shares": 200}}
    assert [write.file for write in cgroup.writes(unified)] == ["cpu.idle"]


@pytest.mark.usefixtures("host")
def test_a_limit_below_what_is_used_is_refused_before_systemd_hears_of_it(tmp_path: Path) -> None:
    cgroup = choose.new(V2, None, "box", systemd=True)
    cgroup.paths[""] = str(tmp_path)
    (tmp_path / "memory.current").write_text("5000\n")
    with pytest.raises(CgroupError, match="rejecting memory limit 1024 <= usage 5000"):
        cgroup.set({"memory": {"limit": 1024, "checkBeforeUpdate": True}})


def test_limits_are_changed_where_nothing_can_be_frozen(tmp_path: Path) -> None:
    told: list[tuple[str, list[Property]]] = []
    manager = SimpleNamespace(set=lambda name, limits: told.append((name, limits)))
    unit = Unit("a.scope", lambda _knocked: cast("Manager", manager))
    (tmp_path / "pids.max").write_text("max\n")
    SystemdV1({"pids": str(tmp_path), "devices": str(tmp_path)}, unit).set({"pids": {"limit": 5}})
    assert told == [("a.scope", [("TasksMax", "t", 5)])]
    assert (tmp_path / "pids.max").read_text().startswith("5")


def test_device_rules_are_a_strict_policy_on_version_1() -> None:
    rules = {"devices": [{"allow": True, "type": "b", "major": 8, "access": "r"}]}
    policy, allowed = device_properties(devices.policy(rules))
    assert policy == ("DevicePolicy", "s", "strict")
    assert isinstance(allowed[2], list)
    assert {("block-8", "r"), ("char-*", "m"), ("/dev/char/1:3", "rwm"), ("char-136", "rwm")} <= set(allowed[2])
    everything = {"devices": [{"allow": True, "access": "rwm"}]}
    assert device_properties(devices.policy(everything)) == [("DevicePolicy", "s", "auto")]


@pytest.mark.parametrize(
    ("text", "signature", "value"),
    [
        ("true", "b", True),
        ("-5", "i", -5),
        ("0x10", "i", 16),
        ("uint64 30", "t", 30),
        ("@u 7", "u", 7),
        ("1.5", "d", 1.5),
        ("'it''s'", None, None),
        (r"'it\'s'", "s", "it's"),
        ('"a\\u00e9"', "s", "aé"),
        ("['a', 'b']", "as", ["a", "b"]),
        ("@as []", "as", []),
        ("[uint64 1, 2]", "at", [1, 2]),
        ("('a', true)", "(sb)", ("a", True)),
        ("[('/dev/null', 'rw')]", "a(ss)", [("/dev/null", "rw")]),
        ("b'x'", "ay", b"x\0"),
        ("objectpath '/a'", "o", "/a"),
        ("", None, None),
        ("[]", None, None),
        ("[1, 'a']", None, None),
        ("byte 256", None, None),
        ("nonsense", None, None),
        ("'open", None, None),
        ("(", None, None),
        ("1 2", None, None),
        (r"'\ud800'", None, None),
        (r"'\Uffffffff'", None, None),
        ("'\0'", None, None),
        ("@a []", None, None),
        ("@ 5", None, None),
        ("@ah []", None, None),
        ("@a{sv} []", None, None),
        ("@a() []", None, None),
        ("@" + "a" * 5000 + "i []", None, None),
        ("@s b'x'", None, None),
        ("['x', b'y']", None, None),
        ("['a', uint32 5]", None, None),
        ("[-1, uint64 2]", None, None),
        ("uint64 int32 5", None, None),
        ("@d 1" + "0" * 400, "d", float("inf")),
        ("[" * 5000, None, None),
        ("@i " * 5000, None, None),
    ],
)
def test_values_are_read_as_gvariant_writes_them(text: str, signature: str | None, value: Value) -> None:
    if signature is None:
        with pytest.raises(ConfigError, match="value parse error"):
            annotated({"org.systemd.property.Some": text})
    else:
        assert parse(text) == (signature, value)


def test_annotations_are_properties_and_seconds_are_microseconds() -> None:
    given = {
        "other": "x",
        "org.systemd.property.TimeoutStopSec": "1.5",
        "org.systemd.property.CollectMode": "'inactive'",
    }
    assert annotated(given) == [("TimeoutStopUSec", "t", 1500000), ("CollectMode", "s", "inactive")]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Ab", "1", "name incorrect: too short"),
        ("No-Way", "1", "name incorrect: contains non-alphabetic character"),
        ("Some", "nonsense", 'value parse error: unexpected "nonsense"'),
        ("SomeSec", "'a'", "value parse error: not a number"),
        ("SomeSec", "-1", "value parse error: out of range"),
        ("SomeSec", "inf", "value parse error: out of range"),
        ("SomeSec", "nan", "value parse error: out of range"),
        ("Some", "b'\\udcff'", "value parse error: bad escape"),
    ],
)
def test_an_annotation_that_is_no_property_is_refused(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        annotated({f"org.systemd.property.{name}": value})


class Asked:
    """A systemd that notes what it is asked for, and removes the file of a unit that it stops, unless that `fails`."""

    def __init__(self, files: Path, *, fails: bool = False) -> None:
        self.files = files
        self.fails = fails
        self.calls: list[str] = []

    def stop(self, unit: str) -> bool:
        self.calls.append("stop")
        if not self.fails:
            (self.files / unit).unlink()
        return True

    def forget(self, unit: str) -> None:
        self.calls.append("forget")


@pytest.fixture
def files(host: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where systemd has its files of transient units; there is one of box.scope."""
    monkeypatch.setattr(systemd, "RUN", str(tmp_path))
    made = tmp_path / "systemd/transient"
    made.mkdir(parents=True)
    (made / "box.scope").touch()
    return made


@pytest.mark.parametrize(("fails", "calls"), [(False, ["stop"]), (True, ["stop", "forget"])])
def test_a_unit_is_stopped_and_forgotten_where_it_has_failed(files: Path, *, fails: bool, calls: list[str]) -> None:
    asked = Asked(files, fails=fails)
    Unit("box.scope", lambda knocked: cast("Manager", asked)).stop()
    assert asked.calls == calls


def test_nobody_is_asked_to_stop_a_unit_that_is_gone(files: Path) -> None:
    asked = Asked(files)
    Unit("gone.scope", lambda knocked: cast("Manager", asked)).stop()
    assert asked.calls == []


@pytest.mark.parametrize("name", ["box.scope", "gone.slice"])
def test_who_is_to_stop_a_unit_is_asked_where_its_file_would_tell_nothing(files: Path, name: str) -> None:
    (files / "box.scope").unlink()
    if name == "box.scope":
        files.rmdir()
    asked = Asked(files, fails=True)
    Unit(name, lambda knocked: cast("Manager", asked)).stop()
    assert asked.calls == ["stop", "forget"]
