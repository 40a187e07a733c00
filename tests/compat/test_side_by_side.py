"""The same configs with orlop and with runc: the container looks the same from inside, but for docs/differences.md."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.compat.configs import CONFIGS
from tests.compat.inside import SCRIPT, sections
from tests.system.bundles import Bundle
from tests.system.command import Runtime

pytestmark = pytest.mark.usefixtures("clean_host")

PAGE = Path(__file__).parents[2] / "docs/differences.md"
_ROW = re.compile(r"^\| `([^`]+)` \| `([^`]+)` \|", re.MULTILINE)


def known() -> list[tuple[str, str]]:
    """The rows of the page: a pattern for configs, and the section that differs."""
    return _ROW.findall(PAGE.read_text("utf-8"))


@pytest.fixture(scope="session")
def runc(workshop: Path, runtime: Runtime) -> Runtime:
    path = shutil.which("runc")
    if path is None or not runtime.is_orlop:
        pytest.skip("needs runc to compare orlop with")
    return Runtime([path], workshop / "runc-state", runtime.marker)


class Seen:
    """What one runtime made of a config."""

    def __init__(self, runtime: Runtime, bundle: Bundle) -> None:
        container_id = runtime.new_id()
        done = runtime("run", "-b", bundle.path, container_id, status=None)
        self.ran = "## cwd" in done.stdout
        self.sections = sections(done.stdout, container_id, bundle.path.name) if self.ran else {}
        self.told = done.stderr


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


def test_a_container_looks_the_same_as_with_runc(both: tuple[str, Seen, Seen]) -> None:
    name, ours, theirs = both
    expected = {section for pattern, section in known() if fnmatchcase(name, pattern)}
    different = {section for section in ours.sections if ours.sections[section] != theirs.sections.get(section)}
    if ours.ran != theirs.ran:
        different = {"whether it runs"}
    report = [ours.told, theirs.told]
    for section in sorted(different - expected):
        one, other = ours.sections.get(section, []), theirs.sections.get(section, [])
        report += [f"## {section}", *(f"+ {line}" for line in one if line not in other)]
        report += [f"- {line}" for line in other if line not in one]
    assert different - expected == set(), "\n".join(report)


def test_there_are_a_hundred_configs() -> None:
    assert len(CONFIGS) >= 100


def test_every_known_difference_is_about_some_config() -> None:
    patterns = [pattern for pattern, _ in known()]
    assert [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in CONFIGS)] == []
