"""The wheel: one for all versions of Python, with both native programs, that works wherever pip puts it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.launcher.tree import INTERPRETER, ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built without fetching anything."""
    target = tmp_path_factory.mktemp("wheel")
    sources = target / "sources"
    ignored = shutil.ignore_patterns("build", ".*", "__pycache__", "init.x86_64", "init.aarch64")
    shutil.copytree(ROOT, sources, ignore=ignored, symlinks=True)
    for command in (["init", "--quiet"], ["add", "."]):  # meson wants a repository for what it calls a distribution
        subprocess.run(["git", *command], cwd=sources, check=True)
    # The tools of the build, meson among them, are those of the environment that the tests run in.
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    argv = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*argv, "--wheel-dir", target, sources], env=env, check=True, stdin=subprocess.DEVNULL)
    (path,) = target.glob("*.whl")
    return path


def pip_install(wheel: Path, *options: str) -> None:
    argv = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--ignore-installed",
        *options,
    ]
    subprocess.run([*argv, wheel], check=True, stdin=subprocess.DEVNULL)


def version(launcher: Path) -> str:
    done = subprocess.run([launcher, "--version"], capture_output=True, text=True, env={"LANG": "C.UTF-8"}, cwd="/")
    assert done.returncode == 0, done
    return done.stdout.splitlines()[0]


def test_it_is_for_every_python_and_one_platform(wheel: Path) -> None:
    assert wheel.name.endswith(f"-py3-none-linux_{os.uname().machine}.whl")


def test_it_holds_the_package_and_both_programs_and_nothing_else(wheel: Path) -> None:
    names = [name.partition(".data/")[2] for name in zipfile.ZipFile(wheel).namelist() if ".data/" in name]
    package = {f"purelib/{path.relative_to(ROOT)}" for path in (ROOT / "orlop").rglob("*.py")}
    programs = {f"purelib/orlop/executor/init.{os.uname().machine}", "scripts/orlop"}
    assert set(names) == package | programs | {"purelib/orlop/py.typed"}


def test_it_works_in_a_virtual_environment(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([INTERPRETER, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(tmp_path / "venv"),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*pip, str(wheel)], check=True, stdin=subprocess.DEVNULL)
    assert version(tmp_path / "venv" / "bin" / "orlop").startswith("orlop version ")


def test_it_works_below_a_prefix(wheel: Path, tmp_path: Path) -> None:
    pip_install(wheel, "--prefix", str(tmp_path / "prefix"))
    (launcher,) = (tmp_path / "prefix").rglob("bin/orlop")
    (tmp_path / "runc").symlink_to(launcher)
    Path(f"{launcher}.python").write_text(f"{INTERPRETER}\n")
    assert version(tmp_path / "runc").startswith("runc version ")


def test_it_works_in_a_directory_of_its_own(wheel: Path, tmp_path: Path) -> None:
    pip_install(wheel, "--target", str(tmp_path / "target"))
    launcher = tmp_path / "target" / "bin" / "orlop"
    Path(f"{launcher}.python").write_text(f"{INTERPRETER}\n")
    assert version(launcher).startswith("orlop version ")
