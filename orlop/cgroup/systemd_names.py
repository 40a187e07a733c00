"""What linux.cgroupsPath means to systemd.

"slice:prefix:name" is the unit prefix-name.scope in the slice, or, for a name that ends so, name.slice.
"""

from __future__ import annotations

from orlop.cgroup.systemd_unit import FIELD
from orlop.errors import ConfigError, Problem

PREFIX = "runc"  # of a unit that the config does not name: what tools look for


def unit_of(cgroups_path: str | None, container_id: str, *, user: bool) -> tuple[str, str, str]:
    """Return slice, unit and name that a cgroupsPath means.  Raises ConfigError."""
    slice, prefix, name = "", PREFIX, container_id
    if cgroups_path:
        parts = cgroups_path.split(":")
        if len(parts) != 3:
            form = 'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups'
            message = f'{form}, got "{cgroups_path}"'
            hint = "write it so, or leave out --systemd-cgroup for a path"
            raise ConfigError([Problem(FIELD, message + " instead", hint)])
        slice, prefix, name = parts
    if not name or "/" in name or "/" in prefix or "\0" in name + prefix:
        raise ConfigError([Problem(FIELD, f'"{cgroups_path}" names no unit')])
    unit = name if name.endswith(".slice") else f"{prefix}-{name}.scope"
    return slice or ("user.slice" if user else "system.slice"), unit, name


def expand(slice: str) -> str:
    """Return the path of a slice: a-b.slice is in a.slice.  Raises ConfigError."""
    if slice == "-.slice":
        return ""
    parts = slice.removesuffix(".slice").split("-")
    if not slice.endswith(".slice") or "/" in slice or "" in parts:
        raise ConfigError([Problem(FIELD, f"invalid slice name: {slice}")])
    return "".join(f"/{'-'.join(parts[: index + 1])}.slice" for index in range(len(parts)))
