"""The examples of the README, and of pages that have some, do what they show."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orlop.runtime.account import Account

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


PAGES = ("README.md", "docs/accounts.md")


def _examples(text: str) -> Iterator[tuple[str, str]]:
    """(command, what it prints) of all console blocks: they are one session."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        command, output = "", ""
        for line in block.splitlines(keepends=True):
            if line.startswith("$ "):
                if command:
                    yield command, output
                command, output = line[2:].strip(), ""
            else:
                output += line
        yield command, output


def _matches(shown: str, printed: str) -> bool:
    """`...` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("..."))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(not os.path.exists("/bin/busybox"), reason="needs /bin/busybox")
@pytest.mark.parametrize("page", PAGES)
def test_the_console_examples_do_what_they_show(page: str, tmp_path: Path) -> None:
    env = {**os.environ, "PATH": f"{ROOT}/build:{os.environ['PATH']}"}
    root = tmp_path / "state"
    work = tmp_path / "work"
    work.mkdir()
    try:
        _play((ROOT / page).read_text(), tmp_path, work, root, env)
    finally:
        for name in os.listdir(root) if root.exists() else []:
            subprocess.run([ROOT / "build/orlop", "--root", root, "delete", "--force", name], check=True)


def _play(page: str, tmp_path: Path, work: Path, root: Path, env: dict[str, str]) -> None:
    for command, shown in _examples(page):
        script = command.replace("orlop ", f"orlop --root {root} ")
        with open(tmp_path / "printed", "w+") as printed:  # a file: a container that stays would keep a pipe open
            subprocess.run(["sh", "-c", script], cwd=work, env=env, stdout=printed, stderr=printed, check=False)
            printed.seek(0)
            text = printed.read()
        assert _matches(shown, text), (command, text)


def test_the_python_example_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert "orlop.Container.create" in code
    compile(code, "README.md", "exec")


def test_the_page_on_accounts_has_every_key() -> None:
    page = (ROOT / "docs/accounts.md").read_text()
    rows = re.findall(r"^\| (`.*?) \|", page.partition("## What it says")[2], re.MULTILINE)
    assert [key for row in rows for key in re.findall(r"`(\w+)`", row)] == list(Account({}).as_document())
