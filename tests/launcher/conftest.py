"""The launcher, compiled once for all tests of this folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.launcher.tree import ROOT, VERSION, Tree, give_interpreter, make


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The launcher's executable."""
    path = tmp_path_factory.mktemp("launcher") / "orlop"
    subprocess.run([ROOT / "tools" / "native.sh", "launcher", path], check=True)
    return path


@pytest.fixture
def tree(tmp_path: Path, built: Path) -> Tree:
    """An installation as pip makes it in a virtual environment."""
    give_interpreter(tmp_path / "bin")
    return make(tmp_path / "lib" / VERSION / "site-packages", tmp_path / "bin" / "orlop", built)
