from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.check.maker import DENY, Maker

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    made = Maker(tmp_path)
    # The template's /sys/fs/cgroup is the host's business, and its bounding set has no doubts in it.
    return made.put("linux/resources", {"devices": [DENY]}).put("ociVersion", "1.2.1")
