from __future__ import annotations

import pytest

from orlop.spec.fields import is_semantic_version
from orlop.spec.json import dump, parse

pytest.importorskip("orlop.plan.mount_options", reason="the planner's table of mount options is not there")

from orlop.spec.features import features
from orlop.version import VERSION


def test_the_versions_are_ones_that_a_config_may_have() -> None:
    document = features()
    for name in ("ociVersionMin", "ociVersionMax"):
        assert is_semantic_version(str(document[name]))


def test_an_engine_finds_the_runc_that_we_are_like() -> None:
    assert features("2.5.4")["annotations"] == {
        "io.github.seccomp.libseccomp.version": "2.5.4",
        "org.opencontainers.runc.checkpoint.enabled": "false",
        "org.opencontainers.runc.version": "1.5.1",
        "run.orlop.version": VERSION,
    }
    assert "io.github.seccomp.libseccomp.version" not in features()["annotations"]  # type: ignore[operator]


def test_mount_options_are_sorted_and_hold_the_recursive_ones() -> None:
    options = features()["mountOptions"]
    assert isinstance(options, list)
    assert options == sorted(set(options))
    assert {"ro", "rro", "rbind", "tmpcopyup", "rprivate"} <= set(options)


def test_idmap_words_are_listed_only_when_idmapped_mounts_work() -> None:
    linux, options = features()["linux"], features()["mountOptions"]
    assert isinstance(linux, dict)
    assert isinstance(options, list)
    assert ("idmap" in options) == linux["mountExtensions"]["idmap"]["enabled"]


def test_the_document_can_be_written() -> None:
    assert parse(dump(features(), "    ").encode(), "features") == features()


def test_all_namespaces_and_capabilities_are_listed() -> None:
    linux = features()["linux"]
    assert isinstance(linux, dict)
    assert linux["namespaces"] == ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"]
    assert len(linux["capabilities"]) == 41
