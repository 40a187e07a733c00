"""The executor as the source says it is: built anew, and put in the place of the installed one."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orlop.executor import image
from tests.executor.programs import ROOT


def build(machine: str, directory: Path) -> Path:
    """Compile the executor for a machine, with the script that everybody uses."""
    compiler = "gcc" if machine == platform.machine() else f"{machine}-linux-gnu-gcc"
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    output = directory / f"init.{machine}"
    subprocess.run([ROOT / "tools" / "native.sh", "executor", output, compiler], check=True)
    return output


@pytest.fixture(scope="session")
def executor_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(platform.machine(), tmp_path_factory.mktemp("executor"))


@pytest.fixture(scope="session")
def aarch64_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("aarch64", tmp_path_factory.mktemp("executor"))


@pytest.fixture
def executor(executor_file: Path) -> Iterator[None]:
    """Programs run in the executor that was just built."""
    before = dict(image._templates)
    image._templates[platform.machine()] = image._Template(executor_file.read_bytes())
    yield
    image._templates.clear()
    image._templates.update(before)
