"""Names of members in another case: runc takes them, so none may be lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orlop.errors import ConfigError
from orlop.runtime.bundle import Bundle
from orlop.spec.load import load, load_process, load_resources
from orlop.spec.spelling import corrected
from orlop.spec.template import default


def document(**linux: object) -> dict[str, object]:
    made = json.loads(json.dumps(default(cgroup2=True)))
    made["linux"] |= linux
    assert isinstance(made, dict)
    return made


def text(config: object) -> bytes:
    return json.dumps(config).encode()


def test_a_name_in_another_case_is_not_ignored() -> None:
    with pytest.raises(ConfigError, match=r'^linux\.MaskedPaths: must be written "maskedPaths"$'):
        load(text(document()).replace(b'"maskedPaths"', b'"MaskedPaths"'))


def test_what_is_given_in_two_cases_is_not_ignored_either() -> None:
    with pytest.raises(ConfigError, match=r'^linux\.Resources: must be written "resources"$'):
        load(text(document(resources={"pids": {"limit": 1}}, Resources={})))


def test_objects_in_two_cases_are_one_and_the_later_member_counts() -> None:
    cpu = {"shares": 100, "cpus": "0-1", "period": 5000}
    given = document(resources={"cpu": cpu, "CPU": {"Cpus": "0", "Mems": "0", "period": None}})
    with pytest.raises(ConfigError) as raised:
        load(text(given))
    data = corrected(text(given), raised.value)
    assert data is not None
    assert load(data)["linux"]["resources"] == {"cpu": cpu | {"cpus": "0", "mems": "0"}}


def test_arrays_in_two_cases_are_not_joined() -> None:
    given = document(MaskedPaths=["/proc/kcore"])
    with pytest.raises(ConfigError) as raised:
        load(text(given))
    data = corrected(text(given), raised.value)
    assert data is not None
    assert load(data)["linux"]["maskedPaths"] == ["/proc/kcore"]


def test_limits_of_an_update_in_two_cases_are_one_object() -> None:
    given = b'{"CPU": {"Cpus": "1"}, "cpu": {"shares": 5}, "pids": {"limit": 3}, "Pids": null}'
    assert load_resources(given, "-") == {"cpu": {"cpus": "1", "shares": 5}, "pids": {"limit": 3}}


@pytest.mark.parametrize(
    ("linux", "expected"),
    [
        ({"Resources": {"hugepagelimits": [{"pagesize": "2MB", "limit": 1}]}}, "pageSize"),
        ({"TimeOffsets": {"boottime": {"Secs": 1}}}, "timeOffsets"),
        ({"MemoryPolicy": {"Mode": "MPOL_DEFAULT"}}, "mode"),
    ],
)
def test_a_bundle_is_read_with_the_names_of_the_specification(
    tmp_path: Path, linux: dict[str, object], expected: str
) -> None:
    config = document()
    given = config["linux"]
    assert isinstance(given, dict)
    given.pop("resources", None)
    given |= linux
    given["namespaces"] += [{"Type": "time"}]
    config["root"] = {"Path": "rootfs"}
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "config.json").write_bytes(text(config))
    bundle = Bundle(str(tmp_path), None, lambda _path, _data: None)
    assert bundle.spec == load(bundle.data)
    assert f'"{expected}"'.encode() in bundle.data


def test_only_what_is_misspelt_is_corrected() -> None:
    with pytest.raises(ConfigError) as raised:
        load(text({**document(), "root": {}}))
    assert corrected(b"", raised.value) is None


def test_the_process_of_an_exec_may_have_names_in_any_case() -> None:
    process = {"ARGS": ["true"], "Cwd": "/", "noNewprivileges": True, "user": {"UID": 5}}
    assert load_process(text(process)) == {"args": ["true"], "cwd": "/", "noNewPrivileges": True, "user": {"uid": 5}}
