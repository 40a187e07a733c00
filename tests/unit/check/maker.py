"""Bundles for tests of the checker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orlop.check.report import report
from orlop.spec.template import default

if TYPE_CHECKING:
    from pathlib import Path

    from orlop.check.finding import Finding

DENY = {"allow": False, "access": "rwm"}


class Maker:
    """A bundle in which there is nothing to find, and what is then put into it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "rootfs/bin").mkdir(parents=True)
        (path / "rootfs/bin/sh").touch()
        for name, target in (("link", "bin"), ("absolute", "/bin"), ("broken", "/nowhere"), ("loop", "loop")):
            (path / "rootfs" / name).symlink_to(target)
        self.config: object = json.loads(json.dumps(default(cgroup2=True)))
        self.put("process/terminal", False)

    def write(self) -> None:
        (self.path / "config.json").write_text(json.dumps(self.config))

    def put(self, path: str, value: object) -> Maker:
        *parents, last = path.split("/")
        here = self.config
        for name in parents:
            here = here[int(name)] if isinstance(here, list) else here.setdefault(name, {})  # type: ignore[attr-defined]
        if isinstance(here, list):
            here[int(last) : int(last) + 1] = [value]
        else:
            assert isinstance(here, dict)
            here[last] = value
            if value is ...:
                del here[last]
        self.write()
        return self

    def report(self, *, rootless: bool | None = False) -> list[Finding]:
        return report(str(self.path), rootless=rootless)

    def of(self, field: str, level: str) -> list[Finding]:
        return [each for each in self.report() if each.field == field and each.level == level]
