"""What a command imports, seen from outside: `imported(["state", "x"])`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.meta.sources import ROOT

# What commands on the start-up path may import besides orlop: built-in modules, and small ones in C.  Not `os`: it
# takes a millisecond (orlop/system.py).  `__future__` is here because only the pack leaves that statement out.
ALLOWED = frozenset(
    "__future__ _imp _json _signal _socket _stat _struct errno fcntl gc marshal posix select sys time".split()
)

_PROGRAM = """
import sys
sys.path.append(sys.argv[1])
before = set(sys.modules)
from orlop.cli.main import main
sys.stdout.flush()
status = main(["orlop", *sys.argv[2:]])
sys.stdout.flush()
print("\\0", status, *sorted(set(sys.modules) - before))
"""


class Imported:
    """How a command ended, and which modules it had imported by then."""

    def __init__(self, status: int, modules: Sequence[str]) -> None:
        self.status = status
        self.own = frozenset(name for name in modules if name.partition(".")[0] == "orlop")
        self.others = frozenset(modules) - self.own


def imported(arguments: Sequence[str], cwd: Path | None = None) -> Imported:
    """Run a command in an interpreter that is started as the launcher starts it."""
    argv = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(ROOT), *arguments]
    done = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    report = done.stdout.rpartition("\0")[2].split()
    assert report, f"the command left before its end: {done}"
    return Imported(int(report[0]), report[1:])
