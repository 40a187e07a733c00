"""Which unit a container gets, and the directories of its cgroup."""

from __future__ import annotations

import errno

from orlop import system as os
from orlop.cgroup.systemd_names import expand, unit_of
from orlop.cgroup.systemd_unit import FIELD, Unit
from orlop.errors import CgroupError, OrlopError
from orlop.host import systemd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orlop.cgroup.base import Cgroup
    from orlop.cgroup.choose import UserBus
    from orlop.host.cgroups import Hierarchy, Layout
    from orlop.host.systemd import Property


def new(
    layout: Layout,
    cgroups_path: str | None,
    container_id: str,
    *,
    rootless: bool,
    user_bus: UserBus,
    annotations: Mapping[str, str],
) -> Cgroup:
    """Return the cgroup of a new unit; nothing is made yet.  Of a user's systemd its place is asked: may block.

    Raises ConfigError, OrlopError.
    """
    user = systemd.is_users()
    slice, name, title = unit_of(cgroups_path, container_id, user=user)
    unit = Unit(
        name,
        lambda knocked: systemd.connect(*user_bus, knocked),
        slice=slice,
        description=f"orlop container {title}",
        annotated=_annotations_of(annotations),
    )
    inner = expand(name) if unit.is_slice() else f"{expand(slice)}/{name}"
    if layout.unified and layout.v2:
        v2 = layout.v2
        above = unit.manager.control_group() if user else _above(v2)
        path = v2.mount + above + inner
        from orlop.cgroup.systemd_v2 import SystemdV2

        return SystemdV2(path, unit, mount=v2.mount, own=v2.own_path(), controllers=v2.controllers, rootless=rootless)
    if user:
        raise OrlopError(
            "cannot use rootless systemd cgroups manager on cgroup v1",
            hint="boot the host with systemd.unified_cgroup_hierarchy=1, or leave out --systemd-cgroup",
        )
    from orlop.cgroup.systemd_v1 import SystemdV1

    return SystemdV1(_v1_paths(layout, inner), unit)


def recorded(layout: Layout, paths: dict[str, str], *, rootless: bool, user_bus: UserBus) -> Cgroup:
    """Return the cgroup of a container that exists."""
    path = paths.get("") or paths.get("name=systemd") or next(iter(paths.values()))
    unit = Unit(path.rpartition("/")[2], lambda knocked: systemd.connect(*user_bus, knocked))
    if tuple(paths) == ("",):
        from orlop.cgroup.systemd_v2 import SystemdV2

        v2 = layout.v2
        mount, controllers, own = (v2.mount, v2.controllers, v2.own_path()) if v2 else ("/sys/fs/cgroup", (), "")
        return SystemdV2(path, unit, mount=mount, own=own, controllers=controllers, rootless=rootless)
    from orlop.cgroup.systemd_v1 import SystemdV1

    return SystemdV1(dict(paths), unit)


def _v1_paths(layout: Layout, inner: str) -> dict[str, str]:
    from orlop.cgroup.v1 import CONTROLLERS, UNIFIED

    found: dict[str, str] = {}
    for each in layout.hierarchies:
        path = each.mount + _above(each) + inner
        found.update((name, path) for name in (each.controllers if each.version == 1 else (UNIFIED,)))
    paths = {name: found[name] for name in (*CONTROLLERS, UNIFIED) if name in found}
    if "devices" not in paths:
        raise CgroupError(
            errno.ENOENT,
            f"{FIELD}: mountpoint for devices not found",
            field=FIELD,
            hint="mount the cgroup file systems on /sys/fs/cgroup",
        )
    return paths


def _above(hierarchy: Hierarchy) -> str:
    """Return the cgroup of a hierarchy below which the host's systemd makes all others: that of process 1."""
    try:
        lines = _read("/proc/1/cgroup").split("\n")
    except OSError:
        return ""
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers.split(",")[0] == (hierarchy.controllers[0] if hierarchy.version == 1 else ""):
            return path.removesuffix("/init.scope").rstrip("/")
    return ""


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.fsdecode(os.read(descriptor, 1 << 16))
    finally:
        os.close(descriptor)


def _annotations_of(annotations: Mapping[str, str]) -> list[Property]:
    """Return the properties that annotations ask for.  Raises ConfigError."""
    if not any(key.startswith("org.systemd.property.") for key in annotations):
        return []
    from orlop.cgroup.systemd_annotations import annotated

    return annotated(annotations)
