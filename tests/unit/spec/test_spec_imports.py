from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
# What `-I -S` has not loaded yet and a check may load: nothing of the standard library but the C scanner.
ALLOWED = {"__future__", "_json"}
LOAD = """
import os, sys
sys.path.insert(0, sys.argv[1])
from orlop.spec.template import default
from orlop.spec.json import dump
before = set(sys.modules)
from orlop.spec.load import load
load(dump(default(cgroup2=True)).encode())
print(*(set(sys.modules) - before))
"""


def test_loading_a_config_imports_nothing_but_our_own() -> None:
    command = [sys.executable, "-I", "-S", "-c", LOAD, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.split() if not name.startswith("orlop.")}
    assert loaded <= ALLOWED
    assert "orlop.spec.tuning" not in done.stdout
    assert "orlop.spec.types" not in done.stdout
