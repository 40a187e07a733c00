"""The table of `mounts`.  The words in `options` are the planner's: an unknown one is data for the filesystem."""

from __future__ import annotations

from orlop.errors import Problem
from orlop.spec.mappings import ID_MAPPINGS
from orlop.spec.walk import MISSING, STRING, STRINGS, Shape, array, nested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.spec.types import Mount, Spec


def is_bind(mount: Mount) -> bool:
    """Tell whether this is a bind mount: the options decide, never the type (runtime-spec 1.3, config.md#mounts)."""
    options = mount.get("options", ())
    return "bind" in options or "rbind" in options


def wants_idmap(mount: Mount) -> bool:
    """Tell whether this is an idmapped mount, with mappings of its own or the container's."""
    options = mount.get("options", ())
    return bool(mount.get("uidMappings") or mount.get("gidMappings") or "idmap" in options or "ridmap" in options)


def relative(spec: Spec) -> Iterator[str]:
    """Yield runc's warnings about destinations that are not absolute, as the runtime-spec wants them."""
    for mount in spec.get("mounts") or ():
        if not mount["destination"].startswith("/"):
            yield (
                f"mount destination {mount['destination']} is not absolute. "
                "Support for non-absolute mount destinations will be removed in a future release."
            )


def _is_top(path: str) -> bool:
    """Tell whether a path leads to the root itself, as far as its text tells: `/`, `.`, `/dev/..`."""
    depth = 0
    for part in path.split("/"):
        if part == "..":
            depth = max(depth - 1, 0)
        elif part not in ("", "."):
            depth += 1
    return depth == 0


def _mount(mount: Mount) -> Iterator[Problem]:
    destination = mount["destination"]
    if not destination:
        yield Problem("destination", "must not be empty")
    elif _is_top(destination):
        yield Problem("destination", f'mountpoint "{destination}" is on the top of rootfs')
    if is_bind(mount) and not mount.get("source") and "remount" not in mount.get("options", ()):
        yield Problem("source", "a bind mount needs a source")
    if wants_idmap(mount) and (not is_bind(mount) or "remount" in mount.get("options", ())):
        yield Problem("options", "id-mapped mounts are only supported for bind-mounts")
    for given, missing in (("uidMappings", "gidMappings"), ("gidMappings", "uidMappings")):
        if mount.get(given) and not mount.get(missing):
            yield Problem(missing, "id-mapped mounts must have both uid and gid mappings specified")


MOUNTS = array(
    nested(
        Shape(
            "config.md#mounts",
            {
                "destination": STRING,
                "source": STRING,
                "type": STRING,
                "options": STRINGS,
                "uidMappings": ID_MAPPINGS,
                "gidMappings": ID_MAPPINGS,
            },
            required={"destination": MISSING},
            since={"uidMappings": "1.1", "gidMappings": "1.1"},
            rule=_mount,
        )
    )
)
