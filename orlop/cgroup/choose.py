"""Which cgroup a container gets: the driver for this host, and the directories."""

from __future__ import annotations

import errno

from orlop.errors import CgroupError, ConfigError, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from orlop.cgroup.base import Cgroup
    from orlop.host.cgroups import Layout

    # $DBUS_SESSION_BUS_ADDRESS and $XDG_RUNTIME_DIR, by which the systemd of a user is found.
    UserBus: TypeAlias = tuple[str | None, str | None]


def new(
    layout: Layout,
    cgroups_path: str | None,
    container_id: str,
    *,
    systemd: bool = False,
    rootless: bool = False,
    user_bus: UserBus = (None, None),
    annotations: Mapping[str, str] | None = None,
) -> Cgroup:
    """Return the cgroup for a new container; nothing is made yet.

    `cgroups_path` is `linux.cgroupsPath`: absolute from the top of each hierarchy, relative from our own cgroup;
    without one, the id is the name.  On version 2 a relative one starts beside our own cgroup, as one with processes in
    it cannot hand controllers to its children.  `rootless`: see `Cgroup`.

    With `systemd` it is "slice:prefix:name", and `annotations` may set properties of the unit.

    Raises ConfigError, CgroupError, OrlopError.
    """
    if systemd:
        from orlop.cgroup import systemd_choice

        return systemd_choice.new(
            layout, cgroups_path, container_id, rootless=rootless, user_bus=user_bus, annotations=annotations or {}
        )
    inner = clean(cgroups_path) if cgroups_path else container_id
    lenient = rootless and not cgroups_path
    if layout.unified and layout.v2:
        from orlop.cgroup.v2 import CgroupV2

        v2 = layout.v2
        if inner.startswith("/"):
            base = v2.mount
        else:
            own = v2.own_path()
            base = own if own == v2.mount else own.rpartition("/")[0]
        path = _join(base, inner)
        return CgroupV2(path, mount=v2.mount, controllers=v2.controllers, rootless=rootless, lenient=lenient)
    paths = _v1_paths(layout, inner)
    if "devices" not in paths:
        if lenient and not paths:
            from orlop.cgroup.none import NoCgroup

            return NoCgroup()
        message = "linux.cgroupsPath: mountpoint for devices not found"
        raise CgroupError(
            errno.ENOENT, message, field="linux.cgroupsPath", hint="mount the cgroup file systems on /sys/fs/cgroup"
        )
    from orlop.cgroup.v1 import CgroupV1

    return CgroupV1(paths, rootless=rootless, lenient=lenient)


def recorded(
    layout: Layout,
    paths: dict[str, str],
    *,
    systemd: bool = False,
    rootless: bool = False,
    user_bus: UserBus = (None, None),
) -> Cgroup:
    """Return the cgroup of a container that exists, from the `cgroup_paths` of its state.json."""
    if not paths:
        from orlop.cgroup.none import NoCgroup

        return NoCgroup()
    if systemd:
        from orlop.cgroup import systemd_choice

        return systemd_choice.recorded(layout, paths, rootless=rootless, user_bus=user_bus)
    if tuple(paths) == ("",):
        from orlop.cgroup.v2 import CgroupV2

        v2 = layout.v2
        mount, controllers = (v2.mount, v2.controllers) if v2 else ("/sys/fs/cgroup", ())
        return CgroupV2(paths[""], mount=mount, controllers=controllers, rootless=rootless, lenient=rootless)
    from orlop.cgroup.v1 import CgroupV1

    return CgroupV1(dict(paths), rootless=rootless, lenient=rootless)


def clean(cgroups_path: str) -> str:
    """Return `linux.cgroupsPath` without empty and dot parts, by its text alone.  Raises ConfigError.

    It stays relative or absolute.  One that leads above its beginning would name a cgroup of somebody else.
    """
    kept: list[str] = []
    for part in cgroups_path.split("/"):
        if part == "..":
            if not kept:
                raise ConfigError([Problem("linux.cgroupsPath", f'"{cgroups_path}" leads out of the cgroup hierarchy')])
            kept.pop()
        elif part not in ("", "."):
            kept.append(part)
    if "\0" in cgroups_path:
        raise ConfigError([Problem("linux.cgroupsPath", "holds a null character")])
    if not kept and not cgroups_path.startswith("/"):
        raise ConfigError([Problem("linux.cgroupsPath", f'"{cgroups_path}" names no cgroup')])
    return ("/" if cgroups_path.startswith("/") else "") + "/".join(kept)


def _v1_paths(layout: Layout, inner: str) -> dict[str, str]:
    from orlop.cgroup.v1 import CONTROLLERS, UNIFIED

    mounted = {name: each for each in layout.hierarchies if each.version == 1 for name in each.controllers}
    if layout.v2:
        mounted[UNIFIED] = layout.v2
    absolute = inner.startswith("/")
    return {
        name: _join(mounted[name].mount if absolute else mounted[name].own_path(), inner)
        for name in (*CONTROLLERS, UNIFIED)
        if name in mounted
    }


def _join(base: str, inner: str) -> str:
    return f"{base}/{inner.strip('/')}".rstrip("/")
