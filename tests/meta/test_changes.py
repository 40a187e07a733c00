"""A change that users see comes with a fragment, changes/<issue or +name>.<kind>.md; CHANGELOG.md is made of them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.meta.sources import ROOT

FRAGMENTS = sorted(path for path in (ROOT / "changes").iterdir() if path.name != "README.md")
NAME = re.compile(r"(\d+|\+[a-z0-9-]+)\.(added|changed|fixed|removed|security)(\.\d+)?\.md")


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_is_named_and_written_as_the_changelog_wants_it(path: Path) -> None:
    assert NAME.fullmatch(path.name)
    text = path.read_text("utf-8")
    assert text.endswith(".\n") and not text.endswith("\n\n"), "a fragment is sentences, and ends with a line end"
    assert not text.startswith(("-", "*", "#")), "a fragment is a paragraph, and no list or heading"
    assert max(map(len, text.splitlines())) <= 120


def test_the_kinds_are_those_of_the_packaging() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    kinds = [kind["directory"] for kind in project["tool"]["towncrier"]["type"]]
    assert kinds == ["added", "changed", "fixed", "removed", "security"]


def test_the_changelog_has_the_place_where_releases_go() -> None:
    assert "\n<!-- changes start here -->\n" in (ROOT / "CHANGELOG.md").read_text("utf-8")
