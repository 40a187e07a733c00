"""Names of members in another case: runc takes them, so none may be lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orlop.errors import ConfigError
from orlop.runtime.bundle import Bundle
from orlop.spec.load import load, load_process
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


def test_beside_the_exact_name_another_case_counts_for_nothing() -> None:
    assert load(text({**document(), "Hostname": 5}))["hostname"] == "runc"


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
