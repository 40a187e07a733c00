"""The command line of runc 0.0.3, and what must not be taken for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orlop.errors import ConfigError, StateError
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


@pytest.mark.parametrize("words", [("--id", "x", "--help"), ("--criu", "/x", "-h"), ("--id", "x", "--version")])
def test_the_old_id_may_stand_beside_help_and_version(orlop: Call, words: tuple[str, ...]) -> None:
    outcome = orlop(*words)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(("NAME:", "orlop version "))


@pytest.mark.parametrize("word", ["other.json", "./other", "sub/config.json"])
def test_a_missing_file_is_named_without_an_id_too(orlop: Call, runtime: Notes, word: str) -> None:
    runtime.answers["run"] = ConfigError(f"JSON specification file {word} not found in /here")
    outcome = orlop(word)
    assert outcome.status == 1
    assert f"Container start failed: JSON specification file for {word} not found" in outcome.err


def test_errors_are_told_in_the_words_of_the_time(orlop: Call, runtime: Notes, config: Path) -> None:
    told = {
        "container with given ID already exists: x": "Container with id exists: x",
        "root.path: invalid rootfs: /r: no such file or directory": 'Rootfs (\\"/r\\") does not exist',
        "invalid rootfs: /r: is not a directory": "invalid rootfs: /r: is not a directory",
    }
    for now, then in told.items():
        runtime.answers["run"] = StateError(now)
        assert f'msg="Container start failed: {then}"' in orlop().err


def test_without_a_name_of_the_directory_an_id_is_asked_for(
    orlop: Call, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    outcome = orlop(str(config))
    assert outcome.status == 1
    assert 'container id cannot be empty" hint="name the container with --id' in outcome.err


def test_what_is_wrong_with_a_file_names_it(orlop: Call, elsewhere: Path) -> None:
    for text, said in (("null", "other.json: config cannot be null"), ("{", "other.json: line 1 column 2: ")):
        (elsewhere / "other.json").write_text(text)
        assert said in orlop("--root", f"{elsewhere}/state", "--id", "x", "other.json").err


def test_a_missing_config_is_named(orlop: Call, elsewhere: Path) -> None:
    outcome = orlop("--root", str(elsewhere / "state"), "--id", "x", "other.json")
    assert outcome.status == 1
    assert "Container start failed: JSON specification file for other.json not found" in outcome.err


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
