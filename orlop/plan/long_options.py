"""File systems whose source, or one of whose options, is longer than fsconfig(2) takes: overlays of many layers.

mount(2) takes a page of options, but knows no detached mounts.  So the file system is mounted on the host's /proc as
this process sees it, which is soon let go of, cloned from there, and unmounted.
"""

from __future__ import annotations

from orlop.errors import ConfigError, Problem
from orlop.plan.mount_options import LABELS
from orlop.plan.rootfs import CLONE_TREE, change, takes_read_only
from orlop.program import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.plan.construction import Construction
    from orlop.plan.mount_options import MountOptions
    from orlop.program.ops import Register

_PAGE = 4096
_PLACE = "/proc"


def make_mount(c: Construction, index: int, kind: str, options: MountOptions, on: int) -> Register:
    """A detached mount with these attributes of a file system that is made with all its options at once."""
    b = c.b
    data = ",".join(_words(kind, options))
    if len(data.encode("utf-8", "surrogateescape")) >= _PAGE:
        message = f"are longer than {_PAGE - 1} bytes together, which is all that mount(2) takes"
        raise ConfigError([Problem(f"mounts[{index}].options", message)])
    b.do("mount", c.spec["mounts"][index].get("source") or "none", _PLACE, kind, 0, data)
    made = b.get("open_tree", linux.AT_FDCWD, _PLACE, CLONE_TREE)
    b.do("umount2", _PLACE, linux.MNT_DETACH)
    change(b, made, on=on)
    return made


def _words(kind: str, options: MountOptions) -> Iterator[str]:
    if takes_read_only(kind, options):
        yield "ro"
    yield from options.superblock
    for key, value in options.data:
        quoted = f'"{value}"' if key in LABELS else value
        yield key if value is None else f"{key}={quoted}"
