"""Prints the path of the interpreter that runs this, of its own executable."""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older one should say why it will not do
    sys.exit(f"orlop needs Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}: make PYTHON=...")
print(os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))
