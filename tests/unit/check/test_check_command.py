"""`orlop check`, the command: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.check.maker import Maker
from tests.unit.program.test_explain_command import orlop_command


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def test_a_clean_bundle_is_status_0(maker: Maker) -> None:
    maker.put("linux/resources", {})
    done = orlop_command("check", cwd=maker.path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing found\n", "")


def test_a_finding_has_five_parts(maker: Maker) -> None:
    maker.put("linux/resources", {}).put("root/path", "rootfz")
    done = orlop_command("check", str(maker.path), cwd=Path("/"))
    assert done.returncode == 1
    assert done.stdout == (
        f"error: root.path: {maker.path}/rootfz: no such file or directory\n"
        '  value:  "rootfz"\n'
        "  why:    runtime-spec 1.3, config.md#root\n"
        '  remedy: did you mean "rootfs"?\n'
        "\n"
        "1 error\n"
    )


def test_nothing_in_a_config_controls_the_terminal(maker: Maker) -> None:
    maker.put("ociVersion", "\x1b[2J\n\u202e")
    done = orlop_command("check", cwd=maker.path)
    assert "\\x1b[2J\\n\\u202e" in done.stdout
    assert "\x1b" not in done.stdout and "\u202e" not in done.stdout


def test_the_same_as_json(maker: Maker) -> None:
    maker.put("linux/resources", {}).put("hostnam", "x")
    done = orlop_command("check", "--format", "json", "-b", str(maker.path), cwd=Path("/"))
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "errors": 0,
        "findings": [
            {
                "level": "warning",
                "field": "hostnam",
                "value": "x",
                "message": '"hostnam" is unknown and has no effect',
                "why": "runtime-spec, config.md#extensibility",
                "remedy": 'did you mean "hostname"?',
            }
        ],
    }


def test_warnings_alone_are_a_failure_with_strict(maker: Maker) -> None:
    maker.put("hostnam", "x")
    assert orlop_command("check", cwd=maker.path).returncode == 0
    assert orlop_command("check", "--strict", cwd=maker.path).returncode == 1


def test_a_bundle_is_named_once(maker: Maker) -> None:
    done = orlop_command("check", "-b", "a", "b", cwd=maker.path)
    assert done.returncode == 1
    assert "the bundle is named twice" in done.stderr
