"""A unit of systemd's on version 2."""

from __future__ import annotations

from orlop import system as os
from orlop.cgroup.systemd import UnitCgroup
from orlop.cgroup.v2 import CgroupV2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cgroup.base import Resources
    from orlop.cgroup.fields import Write
    from orlop.cgroup.systemd_unit import Unit

_WEIGHT = "cpu.weight"


class SystemdV2(UnitCgroup, CgroupV2):
    """A unit on version 2."""

    __slots__ = ("own", "unit")
    version = 2

    def __init__(
        self, path: str, unit: Unit, *, mount: str, own: str, controllers: tuple[str, ...] = (), rootless: bool = False
    ) -> None:
        CgroupV2.__init__(self, path, mount=mount, controllers=controllers, rootless=rootless)
        self.unit = unit
        self.own = own

    def writes(self, resources: Resources | None) -> list[Write]:
        found = super().writes(resources)
        return [write for write in found if write.file != _WEIGHT] if _idles(found) else found

    def doubts(self, resources: Resources | None) -> list[str]:
        found = super().writes(resources)
        both = _idles(found) and any(write.file == _WEIGHT for write in found)
        return ["unable to apply both cpu.weight and cpu.idle to systemd, ignoring cpu.weight"] if both else []

    def _reachable(self, path: str) -> bool:
        above = path
        while not (self.own + "/").startswith(above + "/"):
            above = above.rpartition("/")[0]
        return os.access(above + "/cgroup.procs", os.W_OK)


def _idles(writes: list[Write]) -> bool:
    """What is idle has no weight: systemd takes one or the other."""
    return {write.file: write.value.strip() for write in writes}.get("cpu.idle") == "1"
