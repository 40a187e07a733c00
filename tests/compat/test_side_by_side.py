"""The same configs with orlop and with runc: the container looks the same from inside, but for docs/differences.md."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from difflib import unified_diff
from pathlib import Path

import pytest

from tests.compat.configs import CONFIGS
from tests.compat.inside import ORLOP, RUNC, SCRIPT, sections
from tests.system.bundles import Bundle
from tests.system.command import Runtime

pytestmark = pytest.mark.usefixtures("clean_host")

PAGE = Path(__file__).parents[2] / "docs/differences.md"
_ROW = re.compile(r"^\| `([^`]+)` \| `([^`]+)` \| (?:`<1\.(\d)`|all) \|", re.MULTILINE)


def known() -> list[tuple[str, str, str]]:
    """The rows of the page: the name of a config, the section that differs, and the minor version of the runc with
    which it no longer does, or nothing."""
    return _ROW.findall(PAGE.read_text("utf-8"))


@pytest.fixture(scope="session")
def runc(workshop: Path, runtime: Runtime) -> Runtime:
    path = os.environ.get("COMPARE_WITH") or shutil.which("runc")
    if path is None or not runtime.is_orlop:
        pytest.skip("needs runc to compare orlop with")
    return Runtime([path], workshop / "runc-state", runtime.marker)


class Seen:
    """What one runtime made of a config."""

    def __init__(self, runtime: Runtime, bundle: Bundle) -> None:
        container_id = runtime.new_id()
        done = runtime("run", "-b", bundle.path, container_id, status=None)
        self.ran = "## cwd" in done.stdout
        self.sections = (
            sections(done.stdout, container_id, bundle.path.name, ORLOP if runtime.is_orlop else RUNC)
            if self.ran
            else {}
        )
        self.told = done.stderr


@pytest.fixture(scope="session")
def minor(runc: Runtime) -> int:
    """The minor version of runc."""
    found = re.search(r"version 1\.(\d+)", runc("--version").stdout)
    assert found, "not a runc of version 1"
    return int(found[1])


@pytest.fixture(params=CONFIGS, ids=str)
def both(
    request: pytest.FixtureRequest, runtime: Runtime, runc: Runtime, make_bundle: Callable[[], Bundle], place: Path
) -> tuple[str, Seen, Seen]:
    name = str(request.param)
    runc.root.mkdir(exist_ok=True, mode=0o700)
    seen = []
    for each in (runtime, runc):
        bundle = make_bundle().shell(SCRIPT)
        CONFIGS[name](bundle, place)
        seen.append(Seen(each, bundle))
    return name, seen[0], seen[1]


@pytest.mark.rule("M-1", "M-4", "FS-1")
def test_a_container_looks_the_same_as_with_runc(both: tuple[str, Seen, Seen], minor: int) -> None:
    name, ours, theirs = both
    expected = {section for config, section, until in known() if config == name and minor < int(until or 1000)}
    different = {section for section in ours.sections if ours.sections[section] != theirs.sections.get(section)}
    if ours.ran != theirs.ran:
        different = {"whether it runs"}
    report = [ours.told, theirs.told]
    for section in sorted(different - expected):
        one, other = ours.sections.get(section, []), theirs.sections.get(section, [])
        report += [f"## {section}", *unified_diff(other, one, "runc", "orlop", lineterm="", n=1)]
    assert different - expected == set(), "\n".join(report)
    assert different or expected <= {"mountinfo", "limits"}, "docs/differences.md tells of what is no longer"


def test_there_are_a_hundred_configs() -> None:
    assert len(CONFIGS) >= 100


def test_every_known_difference_is_about_some_config() -> None:
    assert {config for config, _, _ in known()} <= CONFIGS.keys()
    assert len(known()) > 10
