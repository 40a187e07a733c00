"""The start-up path imports next to nothing (design: decision 4).  Tested by name and not by the clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.meta.sources import imports, modules
from tests.meta.startup import ALLOWED, imported

HOT = {
    "create": ["create", "no-such-container"],
    "delete": ["delete", "no-such-container"],
    "exec": ["exec", "no-such-container", "true"],
    "kill": ["kill", "no-such-container"],
    "run": ["run", "no-such-container"],
    "start": ["start", "no-such-container"],
    "state": ["state", "no-such-container"],
}


@pytest.mark.parametrize("command", HOT)
def test_a_hot_command_imports_only_what_its_budget_allows(command: str, tmp_path: Path) -> None:
    ended = imported(["--root", str(tmp_path), *HOT[command]], cwd=tmp_path)
    assert ended.status != 0
    assert ended.others - ALLOWED == set()


@pytest.mark.parametrize("command", HOT)
def test_nothing_that_a_hot_command_needs_is_dear_to_import(command: str) -> None:
    """The same, read from the sources: a command that fails early has not imported all that another one does."""
    dear = [one for module in needed(command) for one in top_imports(module) if is_foreign(one) and one not in ALLOWED]
    assert dear == []


@pytest.mark.parametrize("command", ["create", "exec", "run"])
def test_a_hot_command_does_not_import_what_the_others_need(command: str) -> None:
    others = {f"orlop.cli.{other}" for other in HOT} | {"orlop.cli.spec", "orlop.cli.features", "orlop.cli.help"}
    assert needed(command) & (others - {f"orlop.cli.{command}"}) == set()


def test_the_library_itself_imports_nothing() -> None:
    assert list(top_imports("orlop")) == ["__future__"]


def needed(command: str) -> set[str]:
    """All modules of orlop that importing a command imports."""
    found = {"orlop.cli.main"}
    waiting = ["orlop.cli.main", f"orlop.cli.{command}", f"orlop.runtime.{command}"]
    while waiting:
        name = waiting.pop()
        if name in modules():
            found.add(name)
            waiting += [one for one in top_imports(name) if one not in found]
    return found


def top_imports(module: str) -> list[str]:
    return [one.name for one in imports(module) if not one.typing and one.at_top]


def is_foreign(name: str) -> bool:
    return name.partition(".")[0] != "orlop"
