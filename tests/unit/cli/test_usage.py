"""Usage errors, help and version: what is printed where, and the exit status."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from orlop import system
from orlop.cli.flags import Command
from orlop.cli.table import COMMANDS, load
from orlop.cli.version import commit
from orlop.version import RUNC_VERSION, VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Call


@pytest.mark.parametrize("words", [(), ("-h",), ("--help",), ("help",), ("h",), ("--help", "foo"), ("--root", "/x")])
def test_help_of_the_program_begins_with_name_and_title(orlop: Call, words: tuple[str, ...]) -> None:
    outcome = orlop(*words)
    assert outcome.status == 0
    assert outcome.out.startswith("NAME:\n   orlop - Open Container Initiative runtime\n\n")
    assert outcome.err == ""
    headings = re.findall(r"^[A-Z ]+:$", outcome.out, re.MULTILINE)
    assert headings == ["NAME:", "USAGE:", "VERSION:", "COMMANDS:", "GLOBAL OPTIONS:"]


def test_help_lists_every_command_and_no_other(orlop: Call) -> None:
    section = orlop().out.split("COMMANDS:\n")[1].split("\n\n")[0]
    assert [line.split()[0].rstrip(",") for line in section.splitlines()] == list(COMMANDS)


def test_columns_of_help_are_aligned(orlop: Call) -> None:
    section = orlop().out.split("COMMANDS:\n")[1].split("\n\n")[0]
    assert "   create      create a container\n" in section
    assert "\n   help, h     list" in section


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("form", ["-h", "--help", "help"])
def test_help_of_a_command_begins_with_its_name(orlop: Call, name: str, form: str) -> None:
    outcome = orlop("help", name) if form == "help" else orlop(name, form)
    assert outcome.status == 0
    assert outcome.out.startswith(f"NAME:\n   orlop {name} - {COMMANDS[name]}\n\nUSAGE:\n   orlop {name}")
    assert outcome.err == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_command_with_well_formed_flags(name: str) -> None:
    command = load(name)
    assert isinstance(command, Command)
    names = [form for flag in command.flags for form in flag[:2] if form]
    assert len(names) == len(set(names))
    assert not {"help", "h"} & set(names)
    assert {flag[2] for flag in command.flags} <= {"bool", "text", "texts", "int", "ints", "duration"}


def test_values_and_defaults_are_shown_as_runc_shows_them(orlop: Call) -> None:
    assert "   --format value, -f value  'table' or 'json' (default: \"table\")\n" in orlop("list", "-h").out
    assert orlop("run", "-h").out.endswith("(default: 0)\n")
    assert "   --detach, -d              return" in orlop("run", "-h").out


def test_hidden_flags_are_taken_and_not_shown(orlop: Call, runtime: object) -> None:
    assert "--all" not in orlop("kill", "-h").out
    assert "--no-subreaper" not in orlop("exec", "-h").out
    assert orlop("exec", "--no-subreaper", "ID", "ls").status == 0


def test_help_uses_the_name_that_the_program_was_called_by(orlop: Call) -> None:
    assert orlop("run", "-h", program="/usr/local/sbin/runc").out.startswith("NAME:\n   runc run - ")
    assert orlop("-h", program="runc").out.startswith("NAME:\n   runc - Open Container Initiative runtime\n")


@pytest.mark.parametrize("program", ["/x/orlop/__main__.py", "-c", ""])
def test_the_name_is_orlop_where_python_gives_none(orlop: Call, program: str) -> None:
    assert orlop("-v", program=program).out.startswith("orlop version ")


@pytest.mark.parametrize(
    "words", [("foo",), ("foo", "-h"), ("help", "foo"), ("h", "foo"), ("-", "list"), ("event", "ID")]
)
def test_an_unknown_command_exits_with_3(orlop: Call, words: tuple[str, ...]) -> None:
    outcome = orlop(*words)
    name = next(word for word in words if word not in ("help", "h"))
    assert outcome.status == 3
    assert outcome.out == ""
    assert f"level=error msg=\"No help topic for '{name}'\"" in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("event", "ID"), "did you mean events?"),
        (("frobnicate",), "the command `help` lists all commands"),
        (("bundle",), "to run the bundle in bundle: orlop run --bundle bundle CONTAINER-ID"),
        (("config.json",), "to run the bundle in .: orlop run --bundle . CONTAINER-ID"),
        (("list", "--root", "/x"), "--root stands before the command: orlop --root ... list"),
        (("--bundle", "/x", "run", "ID"), "--bundle stands behind the command: orlop COMMAND --bundle"),
        (("-d", "run", "ID"), "-d stands behind the command: orlop COMMAND -d"),
        (("run", "--detatch", "ID"), "did you mean --detach?"),
        (("--roots", "/x", "list"), "did you mean --root?"),
    ],
)
def test_the_remedy_for_what_is_not_understood(
    orlop: Call, elsewhere: Path, words: tuple[str, ...], remedy: str
) -> None:
    (elsewhere / "bundle").mkdir()
    (elsewhere / "config.json").write_text('{"ociVersion": "1.0.2"}')
    assert f'hint="{remedy}"' in orlop(*words).err


def test_a_flag_like_no_other_has_no_remedy(orlop: Call) -> None:
    assert "hint" not in orlop("list", "--zyx").err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--bogus",), "flag provided but not defined: -bogus"),
        (("--debug=foo", "list"), 'invalid boolean value "foo" for -debug: parse error'),
        (("--root",), "flag needs an argument: -root"),
        (("---x",), "bad flag syntax: ---x"),
    ],
)
def test_a_wrong_global_flag_shows_the_help_of_the_program(orlop: Call, words: tuple[str, ...], message: str) -> None:
    outcome = orlop(*words)
    assert outcome.status == 1
    assert outcome.out.startswith(f"Incorrect Usage. {message}\n\nNAME:\n   orlop - ")
    assert outcome.err.endswith('level=error msg="' + message.replace('"', '\\"') + '"\n')


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "help"])
def test_a_wrong_flag_of_a_command_shows_its_help_and_exits_with_1(orlop: Call, name: str) -> None:
    outcome = orlop(name, "--bogus")
    assert outcome.status == 1
    assert outcome.out.startswith(
        f"Incorrect Usage: flag provided but not defined: -bogus\n\nNAME:\n   orlop {name} - {COMMANDS[name]}\n"
    )
    assert outcome.err.endswith('level=error msg="flag provided but not defined: -bogus"\n')


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("run",), "exactly 1"), (("run", "a", "b"), "exactly 1"), (("create",), "exactly 1"),
        (("start",), "exactly 1"),
        (("state",), "exactly 1"), (("delete", "a", "b"), "exactly 1"), (("kill",), "a minimum of 1"),
        (("kill", "a", "b", "c"), "a maximum of 2"), (("exec",), "a minimum of 1"), (("list", "a"), "exactly 0"),
        (("spec", "a"), "exactly 0"), (("features", "a"), "exactly 0"),
    ],
)  # fmt: skip
def test_a_wrong_number_of_positionals_shows_the_help(orlop: Call, words: tuple[str, ...], rule: str) -> None:
    outcome = orlop(*words)
    assert outcome.status == 1
    assert outcome.out.startswith(f"Incorrect Usage.\n\nNAME:\n   orlop {words[0]} - ")
    assert outcome.err.endswith(f'level=error msg="/usr/bin/orlop: \\"{words[0]}\\" requires {rule} argument(s)"\n')


@pytest.mark.parametrize("program", ["/usr/lib/python3/orlop/__main__.py", "-m", ""])
def test_a_wrong_number_of_positionals_names_orlop_where_python_gives_no_name(orlop: Call, program: str) -> None:
    assert 'msg="orlop: \\"start\\" requires exactly 1 argument(s)"' in orlop("start", program=program).err


@pytest.mark.parametrize("words", [("-v",), ("--version",), ("--version", "list"), ("-v", "foo")])
def test_version_prints_the_lines_that_engines_read(orlop: Call, words: tuple[str, ...]) -> None:
    lines = orlop(*words).out.splitlines()
    assert lines[0] == f"orlop version {VERSION}"
    assert lines[1].startswith("commit: ")
    assert re.fullmatch(r"spec: \d+\.\d+\.\d+", lines[2])
    assert lines[3].startswith("python: 3.")
    assert all(re.fullmatch(r"libseccomp: \d+\.\d+\.\d+", line) for line in lines[4:])


def test_under_the_name_runc_the_version_is_that_of_the_runc_that_is_followed(orlop: Call) -> None:
    first = orlop("--version", program="/usr/bin/runc").out.splitlines()[0]
    assert first == f"runc version {RUNC_VERSION} (orlop {VERSION})"


def test_the_commit_of_a_checkout_is_read_from_its_branch(tmp_path: Path) -> None:
    (tmp_path / ".git/refs/heads").mkdir(parents=True)
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    assert commit(str(tmp_path)) == "unknown"
    (tmp_path / ".git/packed-refs").write_text("# pack-refs with: peeled\n" + "b" * 40 + " refs/heads/main\n")
    assert commit(str(tmp_path)) == "b" * 40
    (tmp_path / ".git/refs/heads/main").write_text("a" * 40 + "\n")
    assert commit(str(tmp_path)) == "a" * 40
    (tmp_path / ".git/HEAD").write_text("c" * 40 + "\n")
    assert commit(str(tmp_path)) == "c" * 40


def test_without_a_checkout_the_commit_is_unknown(tmp_path: Path) -> None:
    assert commit(str(tmp_path)) == "unknown"


def test_help_into_a_closed_pipe_ends_quietly(monkeypatch: pytest.MonkeyPatch, orlop: Call) -> None:
    def closed(_fd: int, _data: object) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(system, "write", closed)
    outcome = orlop("help")
    assert (outcome.status, outcome.err) == (141, "")
