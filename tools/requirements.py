"""Prints what the tests need from PyPI: the extras `lint` and `test` of pyproject.toml, and what builds the wheel."""

from __future__ import annotations

import tomllib
from pathlib import Path

with (Path(__file__).parent.parent / "pyproject.toml").open("rb") as file:
    project = tomllib.load(file)
extras = project["project"]["optional-dependencies"]
print("\n".join([*extras["lint"], *extras["test"], *project["build-system"]["requires"]]))
