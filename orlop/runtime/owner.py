"""To whom a container's part of the cgroups belongs: to the user of its process, if it is to manage it (runtime-spec,
"Cgroup ownership")."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.runtime.waiting import Steps
    from orlop.spec.types import IDMapping, Spec

_CGROUPS = "/sys/fs/cgroup"


def owner(spec: Spec, log: Callable[[str, str], None]) -> Steps[int | None]:
    """The user of the host; None where it is the runtime's.  Raises ConfigError where the config has other maps than
    the user namespace that it joins."""
    users = yield from _users(spec, log)
    if not _manages(spec):
        return None
    from orlop.spec.mappings import host_id

    uid = (spec["process"].get("user") or {}).get("uid") or 0
    return uid if users is None else host_id(uid, users)


def _manages(spec: Spec) -> bool:
    """Is the container to manage its part?  It sees no other, and may write there."""
    own = [
        row
        for row in spec.get("mounts") or []
        if row.get("type") == "cgroup" and row["destination"].rstrip("/") == _CGROUPS
    ]
    if not own or "ro" in (own[-1].get("options") or ()):
        return False
    rows = (spec.get("linux") or {}).get("namespaces") or []
    return any(row["type"] == "cgroup" and not row.get("path") for row in rows)


def _users(spec: Spec, log: Callable[[str, str], None]) -> Steps[list[IDMapping] | None]:
    """The map of users of the container's user namespace; None where it has none of its own.  That of one that is
    joined is asked for where it matters."""
    linux = spec.get("linux") or {}
    row = next((row for row in linux.get("namespaces") or [] if row["type"] == "user"), None)
    if row is None:
        return None
    path = row.get("path")
    mapped = linux.get("uidMappings") or linux.get("gidMappings")
    if not path or not (mapped or _manages(spec)):
        return linux.get("uidMappings") or []
    from orlop.runtime.joined import AGAIN, checked_maps

    users = yield from checked_maps(spec, path)
    if mapped:
        log("warning", AGAIN)
    return users
