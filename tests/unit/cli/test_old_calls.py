"""The command line of runc 0.0.3, and what must not be taken for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orlop.spec.predraft_template import predraft

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Call, Notes

_ROOT = Path(__file__).parents[3]


@pytest.fixture
def config(elsewhere: Path) -> Path:
    path = elsewhere / "config.json"
    path.write_text(json.dumps(predraft("amd64")))
    return path


def test_no_word_runs_the_predraft_of_this_directory_under_its_name(orlop: Call, runtime: Notes, config: Path) -> None:
    runtime.answers["run"] = 42
    assert orlop().status == 42
    ((name, args, _),) = runtime.calls
    assert (name, args[0]) == ("run", config.parent.name)
    assert runtime.options.config == str(config)


def test_a_predraft_file_is_run_and_its_paths_count_from_here(orlop: Call, runtime: Notes, config: Path) -> None:
    (config.parent / "sub").mkdir()
    other = config.rename(config.parent / "sub/other.json")
    assert orlop("--id", "mine", "sub/other.json").status == 0
    assert runtime.calls[0][1][0] == "mine"
    assert (runtime.options.bundle, runtime.options.config) == (str(config.parent), str(other))


def test_a_directory_with_a_predraft_is_a_bundle(orlop: Call, runtime: Notes, config: Path) -> None:
    (config.parent / "sub").mkdir()
    config.rename(config.parent / "sub/config.json")
    assert orlop("sub").status == 0
    assert runtime.options.bundle == str(config.parent / "sub")


def test_a_misspelt_command_is_not_a_config(orlop: Call, runtime: Notes, elsewhere: Path) -> None:
    (elsewhere / "strat").mkdir()
    (elsewhere / "strat/config.json").write_text('{"ociVersion": "1.0.2"}')
    outcome = orlop("strat")
    assert (outcome.status, runtime.calls) == (3, [])
    assert "No help topic for 'strat'" in outcome.err


def test_no_word_beside_a_config_of_today_shows_the_help(orlop: Call, runtime: Notes, config: Path) -> None:
    config.write_text('{"ociVersion": "1.0.2", "hostname": "pre-draft"}')
    assert orlop().out.startswith("NAME:")
    assert runtime.calls == []


def test_the_old_id_has_no_meaning_before_a_command_of_today(orlop: Call, runtime: Notes, config: Path) -> None:
    outcome = orlop("--id", "x", "list")
    assert (outcome.status, runtime.calls) == (1, [])
    assert "flag provided but not defined: -id" in outcome.out


def test_a_missing_config_is_named(orlop: Call, elsewhere: Path) -> None:
    outcome = orlop("--root", str(elsewhere / "state"), "--id", "x", "other.json")
    assert outcome.status == 1
    assert "Container start failed: JSON specification file other.json not found" in outcome.err


@pytest.mark.parametrize("command", ["events", "checkpoint", "restore"])
def test_commands_act_on_the_name_of_the_directory(orlop: Call, config: Path, command: str) -> None:
    outcome = orlop("--root", str(config.parent / "state"), command)
    assert outcome.status == 1
    expected = f"container does not exist: {config.parent.name}" if command == "events" else "is not available"
    assert expected in outcome.err


def test_events_without_an_id_is_a_usage_error_where_nothing_is_old(orlop: Call, elsewhere: Path) -> None:
    assert "requires exactly 1 argument(s)" in orlop("events").err


def test_spec_is_printed_where_the_shell_writes_it_to_config_json(elsewhere: Path) -> None:
    boot = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from orlop.cli.main import main; "
    boot += "sys.exit(main(['orlop', 'spec']))"
    with (elsewhere / "config.json").open("w") as out:
        subprocess.run([sys.executable, "-I", "-c", boot], stdout=out, check=True, cwd=elsewhere)
    text = (elsewhere / "config.json").read_text()
    assert json.loads(text) == predraft(json.loads(text)["platform"]["arch"])
    assert text.startswith('{\n\t"version": "pre-draft"') and text.endswith("\n}")
