"""No cgroup at all: where cgroups are disabled, or a rootless runtime finds none that it could use."""

from __future__ import annotations

import errno

from orlop.cgroup.base import Cgroup
from orlop.errors import CgroupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from orlop.cgroup.base import Resources
    from orlop.cgroup.fields import Write


class NoCgroup(Cgroup):
    """Does nothing, and refuses what cannot be done without a cgroup."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__({}, lenient=True)

    def create(self, resources: Resources | None, device_paths: Collection[str] = ()) -> None:
        self.set(resources)

    def writes(self, resources: Resources | None) -> list[Write]:
        return []

    def set(self, resources: Resources | None) -> None:
        from orlop.cgroup.fields import says_something

        for name, section in (resources or {}).items():
            if name != "devices" and says_something(section):
                raise _without(f"linux.resources.{name}", "cannot set limits")

    def kill(self) -> None:
        raise _without("linux.cgroupsPath", "cannot kill all processes")

    def freezer(self) -> None:
        return None


def _without(field: str, what: str) -> CgroupError:
    hint = "a rootless runtime needs a delegated cgroup"
    return CgroupError(errno.ENOENT, f"{field}: {what}: the container has no cgroup", field=field, hint=hint)
