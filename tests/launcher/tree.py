"""A made-up orlop: the real launcher, boot.py and pack.py, and a command line that tells what it sees."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSION = f"python3.{sys.version_info.minor}"
# Not the link of the virtual environment that the tests run in: that one's own packages would be found through it.
INTERPRETER = os.path.realpath(getattr(sys, "_base_executable", sys.executable))

_MAIN = """
from __future__ import annotations

import json
import posix
import sys

from orlop.cli.other import WORD


def main(argv: list[str]) -> int:
    descriptors = {}
    for name in posix.listdir("/proc/self/fd"):
        try:
            descriptors[name] = posix.readlink("/proc/self/fd/" + name)
        except OSError:
            pass  # the listing's own
    print(json.dumps({
        "argv": argv,
        "path": sys.path,
        "environment": {key.decode(): value.decode() for key, value in posix.environ.items()},
        "descriptors": descriptors,
        "word": WORD,
        "file": sys.modules[WORD_MODULE].__file__,
        "cached": type(sys.modules[WORD_MODULE].__loader__).__name__,
        "fresh": "fresh" in sys._xoptions,
        "ahead": [posix.waitpid(int(sys._xoptions[name]), WALL)[1] for name in sys._xoptions if name == "ahead"],
        "utf8": sys.flags.utf8_mode,
        "isolated": sys.flags.isolated, "site": not sys.flags.no_site,
        "python": sys.executable,
        "boot": sys.modules["__main__"].__file__,
    }))
    return 7


WORD_MODULE = "orlop.cli.other"
WALL = 0x40000000  # also a child that ends without a signal
"""


class Seen:
    """What a run of the made-up command saw."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        assert done.returncode == 7, done
        assert done.stderr == ""
        values: dict[str, object] = json.loads(done.stdout)
        self._values = values

    def __getitem__(self, name: str) -> object:
        return self._values[name]


class Tree:
    """An orlop whose package is in `root` and whose launcher is the file `launcher`."""

    def __init__(self, root: Path, launcher: Path) -> None:
        self.root = root
        self.launcher = launcher
        self.package = root / "orlop"

    @property
    def pack(self) -> Path:
        return self.package / "__pycache__" / f"hot.{sys.implementation.cache_tag}.pack"

    @property
    def other(self) -> Path:
        """The source of a module that the command imports; it holds one word."""
        return self.package / "cli" / "other.py"

    def say(self, word: str) -> None:
        self.other.write_text(f"from __future__ import annotations\n\nWORD = {word!r}\n")

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, name: str | None = None) -> Seen:
        return Seen(self.start(*arguments, env=env, name=name))

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, name: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        argv: Sequence[str] = [name or str(self.launcher), *arguments]
        return subprocess.run(
            argv,
            executable=self.launcher,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )


def make(root: Path, launcher: Path, built: Path) -> Tree:
    """Put the made-up package into `root` and the launcher at its place."""
    cli = root / "orlop" / "cli"
    cli.mkdir(parents=True)
    launcher.parent.mkdir(parents=True, exist_ok=True)
    for name in ("boot.py", "pack.py", "packing.py"):
        shutil.copy(ROOT / "orlop" / name, root / "orlop")
    (root / "orlop" / "__init__.py").touch()
    (cli / "__init__.py").touch()
    (root / "orlop" / "__main__.py").write_text("import sys\n\n\n_leave = sys.exit\n")
    (cli / "main.py").write_text(_MAIN)
    shutil.copy(built, launcher)
    tree = Tree(root, launcher)
    tree.say("first")
    return tree


def give_interpreter(directory: Path, name: str = VERSION) -> Path:
    """Make an interpreter of this version be found in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.symlink_to(INTERPRETER)
    return path
