from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orlop.host.seccomp_cache import describe_library, maker
from orlop.plan.facts import SeccompFilter
from orlop.runtime import seccomp
from orlop.runtime.options import Options

if TYPE_CHECKING:
    from orlop.spec.types import Spec

SPEC: Spec = {"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}}  # type: ignore[typeddict-item]
NEW = SeccompFilter(b"new", 0)


@pytest.fixture(autouse=True)
def made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "_made", lambda profile: NEW)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    file = tmp_path / "libseccomp.so.2"
    file.write_bytes(b"as it was")
    return file


def kept(library: Path) -> SeccompFilter:
    return SeccompFilter(b"kept", 4, maker(describe_library(str(library), "2.5.4")))


def test_a_kept_filter_is_used_while_its_library_is_the_same(library: Path) -> None:
    filter_ = kept(library)
    assert seccomp.seccomp_filter(SPEC, Options(), filter_) is filter_


def test_a_kept_filter_of_another_library_is_made_anew(library: Path) -> None:
    filter_ = kept(library)
    library.write_bytes(b"a newer version")
    assert seccomp.seccomp_filter(SPEC, Options(), filter_) is NEW


def test_a_kept_filter_whose_library_is_gone_is_made_anew(library: Path) -> None:
    filter_ = kept(library)
    library.unlink()
    assert seccomp.seccomp_filter(SPEC, Options(), filter_) is NEW


@pytest.mark.parametrize("of_old", ["6.1.0", "x86_64"])
def test_a_kept_filter_of_another_kernel_or_machine_is_made_anew(
    library: Path, of_old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class System:
        machine = release = of_old

    filter_ = kept(library)
    monkeypatch.setattr("orlop.system.uname", System)
    assert seccomp.seccomp_filter(SPEC, Options(), filter_) is NEW


def test_a_filter_of_an_unknown_maker_is_made_anew() -> None:
    assert seccomp.seccomp_filter(SPEC, Options(), SeccompFilter(b"kept", 4)) is NEW


def test_without_a_profile_there_is_no_filter(library: Path) -> None:
    assert seccomp.seccomp_filter({}, Options(), kept(library)) is None  # type: ignore[typeddict-item]
