"""`import orlop` gives the promised names and nothing else, and imports what they need only when they are used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import orlop

ROOT = Path(orlop.__file__).parent.parent
HOT = ("create", "start", "run", "exec", "state", "kill", "delete")


def test_dir_is_all() -> None:
    assert dir(orlop) == orlop.__all__


def test_every_public_name_is_there() -> None:
    for name in orlop.__all__:
        assert getattr(orlop, name) is not None


def test_the_names_that_type_checkers_see_are_the_same() -> None:
    source = Path(orlop.__file__).read_text()
    seen = [line.split(" as ")[1].split()[0] for line in source.splitlines() if line.startswith("    from orlop.")]
    assert sorted(seen) == orlop.__all__


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'orlop' has no attribute 'nothing'"):
        _ = orlop.nothing


def modules_after(statement: str) -> set[str]:
    code = f"""if True:
        import __future__, os, sys
        sys.path.insert(0, {str(ROOT)!r})
        old = set(sys.modules)
        {statement}
        print(*set(sys.modules) - old)
    """
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing_else() -> None:
    assert modules_after("import orlop") == {"orlop"}


@pytest.mark.parametrize("name", HOT)
def test_the_command_line_imports_little_for_a_hot_command(name: str) -> None:
    shared = {
        "orlop",
        "orlop.errors",
        "orlop.system",
        "orlop.system_path",
        "orlop.host",
        "orlop.host.user_namespace",
        "orlop.cli",
        *(f"orlop.cli.{each}" for each in ("main", "context", "flags", "table")),
    }
    own = {"orlop.cli.options", f"orlop.cli.{name}"}
    assert modules_after(f"import orlop.cli.main; orlop.cli.main.load({name!r})") == shared | own


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orlop", "nothing"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "No help topic for 'nothing'" in done.stderr
