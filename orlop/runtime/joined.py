"""A user namespace that the container joins: it has its maps, whatever the config says of them."""

from __future__ import annotations

from orlop.errors import ConfigError, Problem
from orlop.runtime.idmap import maps_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from orlop.runtime.waiting import Steps
    from orlop.spec.types import IDMapping, Spec

AGAIN = "linux.uidMappings and linux.gidMappings are those of the user namespace that is joined, and can be left out"


def checked_maps(spec: Spec, path: str) -> Steps[list[IDMapping]]:
    """The map of users of a namespace that is joined.  Raises ConfigError where the config names others: containerd and
    CRI-O name the right ones, which has no effect, and wrong ones would have none either."""
    linux = spec.get("linux") or {}
    users, groups = yield from maps_of(path)
    problems = [
        Problem(
            f"linux.{field}",
            "user namespaces enabled, but both namespace path and non-matching mapping specified"
            " -- you may only provide one",
            f"leave it out; the namespace has {_told(found)}",
        )
        for field, given, found in (
            ("uidMappings", linux.get("uidMappings"), users),
            ("gidMappings", linux.get("gidMappings"), groups),
        )
        if given and _plain(given) != _plain(found)
    ]
    if problems:
        raise ConfigError(problems)
    return users


def _plain(rows: Iterable[IDMapping]) -> list[tuple[int, int, int]]:
    return sorted((row["containerID"], row["hostID"], row["size"]) for row in rows)


def _told(rows: Iterable[IDMapping]) -> str:
    return ", ".join(f"{first} to {host}, {size} ids" for first, host, size in _plain(rows)) or "none"
