"""A unit of systemd's on version 1 or a hybrid host."""

from __future__ import annotations

from orlop.cgroup.systemd import UnitCgroup
from orlop.cgroup.v1 import CgroupV1

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from orlop.cgroup.base import Resources
    from orlop.cgroup.systemd_unit import Unit
    from orlop.host.systemd import Property


class SystemdV1(UnitCgroup, CgroupV1):
    """A unit on version 1 or a hybrid host.  systemd makes it in the hierarchies it knows; the others are ours."""

    __slots__ = ("unit",)
    version = 1

    def __init__(self, paths: dict[str, str], unit: Unit) -> None:
        CgroupV1.__init__(self, paths)
        self.unit = unit

    def _devices(self, resources: Resources | None, device_paths: Collection[str]) -> list[Property]:
        from orlop.cgroup.devices import policy
        from orlop.cgroup.systemd_properties import device_properties

        return device_properties(policy(resources, device_paths))

    def _tell(self, limits: list[Property]) -> None:
        """systemd applies the device rules anew with any property, by denying all first: nobody shall notice, where the
        host has a freezer."""
        if limits == self.unit.sent:
            return
        if self.freezer() is None:
            super()._tell(limits)
            return
        thaw = not self.frozen()
        self.freeze()
        try:
            super()._tell(limits)
        finally:
            if thaw:
                self.thaw()
