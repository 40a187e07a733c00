"""Mounts with the option remount: what is mounted at the destination already gets other options.

with bind      the flags of that one mount
without it     the file system's own options too (fspick(2)), but for ro and rw: others may have it mounted, and the
               flag of the mount says the same to the container
"""

from __future__ import annotations

from errno import EINVAL, ENOENT

from orlop.plan import paths
from orlop.plan.over_proc import keep_off_proc
from orlop.plan.rootfs import set_options
from orlop.program import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction
    from orlop.plan.mount_options import MountOptions
    from orlop.program.ops import Register
    from orlop.spec.types import Mount

HINTS = {
    EINVAL: "nothing is mounted right at the destination, or the file system refuses an option",
    ENOENT: "there is nothing at the destination",
}


def mounted(c: Construction, index: int, mount: Mount, options: MountOptions) -> Register:
    """A handle of what is mounted at the destination; its file system has its options, the mount not yet its flags."""
    assert c.root is not None
    b = c.b
    place = paths.look_up(b, c.root, mount["destination"])
    keep_off_proc(c, index, place)
    if not options.bind and (options.superblock or options.data):
        fs = b.get("fspick", place, "", linux.FSPICK_CLOEXEC | linux.FSPICK_EMPTY_PATH)
        set_options(b, fs, options)
        b.do("fsconfig", fs, linux.FSCONFIG_CMD_RECONFIGURE, 0, 0, 0)
        b.close(fs)
    return place
