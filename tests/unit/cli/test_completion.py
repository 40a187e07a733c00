"""The completions and the manual pages, which are made from the tables of flags."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orlop.cli.completion import bash, fish, zsh
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


def completed(stub: object, *words: str) -> list[str]:
    script = f'{bash("orlop")}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _orlop; printf "%s\\n" "${{COMPREPLY[@]}}"'
    env = {**os.environ, "PATH": f"{Path(str(stub)).parent}:{os.environ['PATH']}"}
    argv = ["bash", "--norc", "-c", script, "bash", "orlop", *words]
    return subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["st"], ["start", "state"]),
        (["--log", "st", "st"], ["start", "state"]),
        (["--root", "/some/root", "kill", "w"], ["web", "work"]),
        (["--root", "/some/root", "exec", "-t", "wo"], ["work"]),
        (["--root", "/some/root", "run", "w"], []),
        (["run", "--no-n"], ["--no-new-keyring"]),
        (["list", "-f", ""], ["table", "json"]),
        (["explain", "--format", ""], ["text", "json"]),
        (["--log-format", "j"], ["json"]),
        (["help", "fea"], ["features"]),
        (["completion", ""], ["bash", "fish", "zsh"]),
    ],
)
def test_bash_completes(complete: object, words: list[str], found: list[str]) -> None:
    assert completed(complete, *words) == found


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


def test_each_command_has_a_manual_page_that_renders(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(_ROOT / "tools/manual.py"), str(tmp_path)], check=True)
    assert {path.name for path in tmp_path.iterdir()} == {f"orlop-{name}.1" for name in COMMANDS}
    if shutil.which("groff") is None:
        pytest.skip("needs a host with groff")
    for path in [*tmp_path.iterdir(), _ROOT / "man/orlop.1"]:
        done = subprocess.run(["groff", "-ww", "-man", "-Tutf8", "-P-cbou", str(path)], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), path.name
        assert "OPTIONS" in done.stdout or path.name == "orlop.1"
