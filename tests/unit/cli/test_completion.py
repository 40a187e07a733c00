"""The completions and the manual pages, which are made from the tables of flags."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orlop.cli.completion import visible
from orlop.cli.context import FLAGS as GLOBAL_FLAGS
from orlop.cli.shells import bash, fish, zsh
from orlop.cli.table import COMMANDS

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Call

_ROOT = Path(__file__).parents[3]


@pytest.fixture
def complete(tmp_path: Path) -> object:
    """Completes the last of some words in a bash, where `orlop list -q` knows two containers below /some/root."""
    stub = tmp_path / "orlop"
    stub.write_text('#!/bin/sh\n[ "$*" = "--root /some/root list -q" ] && echo web && echo work\nexit 0\n')
    stub.chmod(0o755)
    return stub


CASES = [
    (["st"], ["start", "state"]),
    (["--log", "st", "st"], ["start", "state"]),
    (["--root", "/some/root", "kill", "w"], ["web", "work"]),
    (["--root=/some/root", "kill", "w"], ["web", "work"]),
    (["--root", "/some/root", "exec", "-t", "wo"], ["work"]),
    (["--root", "/some/root", "exec", "--cwd", "x", "wo"], ["work"]),
    (["--root", "/some/root", "exec", "web", "w"], []),
    (["--root", "/some/root", "exec", "web", "--tt"], []),
    (["--root", "/some/root", "run", "w"], []),
    (["kill", "web", "KI"], ["KILL"]),
    (["run", "--no-n"], ["--no-new-keyring"]),
    (["list", "-f", ""], ["json", "table"]),
    (["check", "--format", ""], ["json", "text"]),
    (["--log-format", "j"], ["json"]),
    (["help", "fea"], ["features"]),
    (["completion", ""], ["bash", "fish", "zsh"]),
]


def completed(stub: object, *words: str) -> list[str]:
    words = tuple(part for word in words for part in re.split("(=)", word))  # as bash divides a line
    script = f'{bash("orlop")}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _orlop; printf "%s\\n" "${{COMPREPLY[@]}}"'
    env = {**os.environ, "PATH": f"{Path(str(stub)).parent}:{os.environ['PATH']}"}
    argv = ["bash", "--norc", "-c", script, "bash", "orlop", *words]
    return subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize(("words", "found"), [*CASES, (["list", "--format="], ["json", "table"])])
def test_bash_completes(complete: object, words: list[str], found: list[str]) -> None:
    assert sorted(completed(complete, *words)) == found


@pytest.mark.parametrize(("words", "found"), CASES)
def test_fish_completes(complete: object, words: list[str], found: list[str]) -> None:
    if shutil.which("fish") is None:
        pytest.skip("needs a host with fish")
    env = {**os.environ, "PATH": f"{Path(str(complete)).parent}:{os.environ['PATH']}"}
    script = f"{fish('orlop')}\ncomplete -C {shlex.join([shlex.join(['orlop', *words[:-1]]) + f' {words[-1]}'])}"
    done = subprocess.run(["fish", "--no-config", "-c", script], env=env, check=True, capture_output=True, text=True)
    assert sorted(line.partition("\t")[0] for line in done.stdout.splitlines()) == found


@pytest.mark.parametrize(("shell", "make"), [("bash", bash), ("fish", fish), ("zsh", zsh)])
def test_a_shell_understands_its_completion(shell: str, make: object, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs a host with {shell}")
    assert callable(make)
    script = tmp_path / "script"
    script.write_text(make("orlop"))
    subprocess.run([shell, "-n", str(script)], check=True)


def test_an_unknown_shell_is_told_which_there_are(orlop: Call) -> None:
    outcome = orlop("completion", "csh")
    assert outcome.status == 1
    assert "there are bash, fish, zsh" in outcome.err


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("man")
    subprocess.run([sys.executable, str(_ROOT / "tools/manual.py"), str(place)], check=True)
    return sorted(place.iterdir())


def rendered(page: Path) -> str:
    """The words of a page, as man shows them."""
    if shutil.which("groff") is None:
        pytest.skip("needs a host with groff")
    argv = ["groff", "-ww", "-man", "-Tutf8", "-P-cbou", "-rHY=0", str(page)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stderr == "", page.name
    return " ".join(done.stdout.replace("\N{HYPHEN}", "-").replace("\N{MINUS SIGN}", "-").split())


def test_each_command_has_a_manual_page_that_says_what_its_help_says(pages: list[Path]) -> None:
    assert [path.name for path in pages] == sorted(f"orlop-{name}.1" for name in COMMANDS)
    for path in pages:
        name = path.name.removesuffix(".1").removeprefix("orlop-")
        text = rendered(path)
        for part in (COMMANDS[name], *(flag[4] for flag in visible(name))):
            assert " ".join(part.split()) in text, (name, part)


def test_the_manual_page_of_the_program_has_all_commands_and_global_options() -> None:
    text = rendered(_ROOT / "man/orlop.1")
    for part in (*(f"--{flag[0]}" for flag in GLOBAL_FLAGS), *(flag[4] for flag in GLOBAL_FLAGS)):
        assert part in text
    assert [name for name in COMMANDS if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="needs a host with mandoc")
def test_mandoc_has_nothing_to_warn_of(pages: list[Path]) -> None:
    argv = ["mandoc", "-T", "lint", "-W", "warning", *map(str, pages), str(_ROOT / "man/orlop.1")]
    assert subprocess.run(argv, capture_output=True, text=True).stdout == ""
