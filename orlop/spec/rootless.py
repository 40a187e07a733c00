"""What a config must and must not have when the runtime is not root."""

from __future__ import annotations

from orlop.errors import Problem
from orlop.spec.mappings import mapped
from orlop.spec.mounts import wants_idmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.spec.types import Linux, Mount, Spec


def check_rootless(spec: Spec) -> list[Problem]:
    """Return what keeps a checked config from being run without privileges.  Source: runc 1.5, validate/rootless.go."""
    linux = spec.get("linux", {})
    problems: list[Problem] = []
    user = next((ns for ns in linux.get("namespaces", ()) if ns["type"] == "user"), None)
    if user is None:
        problems.append(Problem("linux.namespaces", "rootless container requires user namespaces"))
    elif not user.get("path"):
        for field, name in (("uidMappings", "UID"), ("gidMappings", "GID")):
            if not linux.get(field):
                message = f"rootless containers requires at least one {name} mapping"
                problems.append(Problem(f"linux.{field}", message))
        for index, mount in enumerate(spec.get("mounts", ())):
            problems.extend(_owners(mount, f"mounts[{index}].options", linux))
    for index, mount in enumerate(spec.get("mounts", ())):
        if wants_idmap(mount):
            message = "id-mapped mounts are not supported for rootless containers"
            problems.append(Problem(f"mounts[{index}].options", message))
    if spec.get("process", {}).get("user", {}).get("additionalGids"):
        message = "cannot set any additional groups in a rootless container"
        problems.append(Problem("process.user.additionalGids", message))
    if linux.get("netDevices"):
        problems.append(Problem("linux.netDevices", "network devices cannot be moved by a rootless runtime"))
    return problems


def _owners(mount: Mount, field: str, linux: Linux) -> Iterator[Problem]:
    """Check that owners given to the filesystem (`gid=5` of devpts) exist in the user namespace."""
    for option in mount.get("options", ()):
        name, _, number = option.partition("=")
        maps = linux.get("uidMappings", []) if name == "uid" else linux.get("gidMappings", [])
        if name in ("uid", "gid") and number.isascii() and number.isdigit() and not mapped(int(number), maps):
            yield Problem(field, f'cannot specify "{option}" mount options for unmapped {name} in rootless containers')
