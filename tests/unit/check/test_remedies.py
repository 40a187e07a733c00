"""Each error of the checker has the place, the value, the reason and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orlop.check.fields import value_at
from tests.unit.spec.test_spec_rules import CASES, SECCOMP_CASES, SYSCALL_CASES

if TYPE_CHECKING:
    from tests.unit.check.maker import Maker

SECCOMP = {"defaultAction": "SCMP_ACT_ALLOW"}
# What is put where, for every rule of the specification that a test has.
BROKEN: dict[str, tuple[str, object, str]] = {
    **{name: (path, value, field) for name, (path, value, field, _) in CASES.items()},
    **{
        name: ("linux/seccomp", {**SECCOMP, "syscalls": [rule]}, f"linux.seccomp.syscalls[0].{field}")
        for name, (rule, field, _) in SYSCALL_CASES.items()
    },
    **{
        name: ("linux/seccomp", {**SECCOMP, member: value}, f"linux.seccomp.{field}")
        for name, (member, value, field, _) in SECCOMP_CASES.items()
    },
}


@pytest.mark.parametrize("case", BROKEN)
def test_every_error_has_its_place_its_value_a_reason_and_a_remedy(case: str, maker: Maker) -> None:
    path, value, field = BROKEN[case]
    maker.put("process/terminal", case == "console size without width")
    found = [each for each in maker.put(path, value).report() if each.level == "error"]
    assert field in [each.field for each in found]
    for each in found:
        assert each.why and each.hint, each
        assert "{" not in each.hint or '"' in each.hint  # no place that was left open
        if not each.field.startswith("process.env"):
            assert each.value == value_at(maker.config, each.field)


REMEDIES: dict[str, tuple[str, object, str]] = {
    "a version": ("ociVersion", "1.0", 'write "1.3.0"'),
    "no root": ("root", ..., 'add "root": {"path": "rootfs"}'),
    "a relative directory": ("process/cwd", "tmp", 'write "/tmp"'),
    "a relative path to mask": ("linux/maskedPaths", ["proc/kcore"], 'write "/proc/kcore"'),
    "a path from above": ("linux/maskedPaths", ["../kcore"], "write the whole path, from / on"),
    "a number that is too large": ("process/oomScoreAdj", 5000, "write a number from -1000 to 1000"),
    "a size in small letters": (
        "linux/resources/hugepageLimits", [{"pageSize": "64kB", "limit": 1}], 'write "64KB"',
    ),
    "bandwidth without its name": ("linux/intelRdt", {"memBwSchema": "0=50"}, 'write "MB:0=50"'),
    "a member that is missing": ("linux/devices", [{"path": "/dev/x", "type": "b", "major": 1}], 'add "minor"'),
    "a word for an object": ("linux/resources", "all", "write an object, in braces"),
}  # fmt: skip


@pytest.mark.parametrize("case", REMEDIES)
def test_the_remedy_is_what_to_write(case: str, maker: Maker) -> None:
    path, value, remedy = REMEDIES[case]
    assert [each.hint for each in maker.put(path, value).report() if each.level == "error"][:1] == [remedy]


@pytest.mark.parametrize("mapped", [False, True])
def test_what_a_rootless_runtime_cannot_do_has_a_remedy(mapped: bool, maker: Maker) -> None:
    if mapped:
        rows = [{"containerID": 0, "hostID": 1000, "size": 1}]
        maker.put("linux/namespaces/1", {"type": "user"}).put("linux/uidMappings", rows).put("linux/gidMappings", rows)
        bind = {"destination": "/x", "source": "/", "options": ["bind"], "uidMappings": rows, "gidMappings": rows}
        maker.put("mounts/9", bind).put("process/user/additionalGids", [5])
    found = [each for each in maker.report(rootless=True) if each.level == "error"]
    assert len(found) >= (3 if mapped else 1) and all(each.hint for each in found), found


@pytest.mark.parametrize("text", ["", "{", "[1,]", '{"a": 1, "a": 2}', '{"a": NaN}', "\ufeff{}", "[" * 100000, "[]"])
def test_a_broken_document_has_a_remedy_too(text: str, maker: Maker) -> None:
    (maker.path / "config.json").write_text(text)
    (first, *_) = maker.report()
    assert first.hint and first.why
