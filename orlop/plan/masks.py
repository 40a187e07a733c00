"""linux.maskedPaths and linux.readonlyPaths.

A masked file is covered by the host's /dev/null and not by the container's, which might be anything
(CVE-2025-31133); read-only, because the container's root may own it, and would change its mode for the host, too: what
is written to it, is not to its file system.  A masked directory is covered by an empty read-only tmpfs, one for all of
them.  A symbolic link is followed, below the root.  A path that does not exist is skipped, and so is a link that leads
to nothing.
"""

from __future__ import annotations

from errno import EINVAL, ENOENT, ENOTDIR

from orlop.plan import paths
from orlop.plan.labels import mount_context
from orlop.plan.over_proc import may_lead_anywhere
from orlop.plan.rootfs import CLONE_TREE, attach, change, keep_as_it_is
from orlop.program import linux
from orlop.program.builder import MOUNT_ATTR_SIZE, OPEN_HOW_SIZE
from orlop.program.ops import Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction
    from orlop.program.ops import Register


def mask_paths(c: Construction) -> None:
    """Hide what the container must not read."""
    masked = list(dict.fromkeys(c.linux.get("maskedPaths") or []))
    if not masked:
        return
    assert c.root is not None
    b = c.b
    b.purpose("linux.maskedPaths", "unable to prepare what masks paths")
    null = b.get("openat", linux.AT_FDCWD, "/dev/null", linux.O_PATH | linux.O_CLOEXEC, 0)
    # In a mount namespace that is somebody else's nothing may stay behind: there each directory gets its own tmpfs.
    empty = _shared_empty_directory(c) if c.creates("mount") else None
    for index, path in enumerate(masked):
        b.purpose(f"linux.maskedPaths[{index}]", f'unable to mask "{path}"')
        _mask(c, c.root, path, null, empty)
    b.close(null, *([empty] if empty else []))
    if empty is not None and c.request.no_pivot:  # without pivot_root the host's /proc must come off, not this
        b.do("umount2", "/proc", linux.MNT_DETACH)


def _shared_empty_directory(c: Construction) -> Register:
    """An empty tmpfs, mounted on the host's /proc as this process sees it and soon lets go of: only what is mounted
    somewhere can be bound elsewhere."""
    empty = _empty_directory(c)
    c.b.do("move_mount", empty, "", linux.AT_FDCWD, "/proc", linux.MOVE_MOUNT_F_EMPTY_PATH)
    return empty


def _empty_directory(c: Construction) -> Register:
    b = c.b
    fs = b.get("fsopen", "tmpfs", linux.FSOPEN_CLOEXEC)
    b.do("fsconfig", fs, linux.FSCONFIG_SET_STRING, "source", "tmpfs", 0)
    b.do("fsconfig", fs, linux.FSCONFIG_SET_STRING, "nr_blocks", "1", 0)
    b.do("fsconfig", fs, linux.FSCONFIG_SET_STRING, "nr_inodes", "2", 0)
    for key, value in mount_context(c, "tmpfs"):
        b.do("fsconfig", fs, linux.FSCONFIG_SET_STRING, key, value or "", 0)
    b.do("fsconfig", fs, linux.FSCONFIG_CMD_CREATE, 0, 0, 0)
    flags = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC
    empty = b.get("fsmount", fs, linux.FSMOUNT_CLOEXEC, flags)
    b.close(fs)
    return empty


def _mask(c: Construction, root: Register, path: str, null: Register, empty: Register | None) -> None:
    b = c.b
    file, cover, done = Label(), Label(), Label()
    place = paths.look_up(b, root, path, flags=linux.O_DIRECTORY, on={ENOENT: done, ENOTDIR: file})
    tree = b.get("open_tree", empty, "", CLONE_TREE | linux.AT_EMPTY_PATH) if empty else _empty_directory(c)
    b.jump(cover)
    b.place(file)
    how = b.open_how(linux.O_PATH | linux.O_CLOEXEC, 0, paths.IN_ROOT)
    b.do("openat2", root, paths.clean(path), how, OPEN_HOW_SIZE, result=place.number, on={ENOENT: done, ENOTDIR: done})
    b.do("open_tree", null, "", CLONE_TREE | linux.AT_EMPTY_PATH, result=tree.number)
    keep_as_it_is(b, tree)
    b.place(cover)
    attach(b, tree, place)
    b.close(tree, place)
    b.place(done)


def _may_be_a_root(c: Construction, path: str) -> bool:
    """May a symbolic link of the image, or of a volume, lead to the root of a mount?  What is put over the container's
    own, nobody sees: that mount must be changed itself."""
    place, mounts = paths.clean(path), c.spec.get("mounts") or []
    return may_lead_anywhere(mounts, place) and all(place != paths.clean(mount["destination"]) for mount in mounts)


def read_only_paths(c: Construction) -> None:
    """Make trees read-only in place."""
    assert c.root is not None
    b = c.b
    for index, path in enumerate(dict.fromkeys(c.linux.get("readonlyPaths") or [])):
        b.purpose(f"linux.readonlyPaths[{index}]", f'unable to make "{path}" read-only')
        if paths.clean(path) == ".":  # what is mounted on the root of a process, that does not see
            change(b, c.root, on=linux.MOUNT_ATTR_RDONLY)
            continue
        done = Label()
        place = paths.look_up(b, c.root, path, on={ENOENT: done, ENOTDIR: done})
        if _may_be_a_root(c, path):
            within = Label()
            readonly = b.mount_attr(linux.MOUNT_ATTR_RDONLY)
            b.do("mount_setattr", place, "", linux.AT_EMPTY_PATH, readonly, MOUNT_ATTR_SIZE, on={EINVAL: within})
            b.do("close", place)
            b.jump(done)
            b.place(within)
        tree = b.get("open_tree", place, "", CLONE_TREE | linux.AT_EMPTY_PATH | linux.AT_RECURSIVE)
        change(b, tree, on=linux.MOUNT_ATTR_RDONLY)
        attach(b, tree, place)
        b.close(tree, place)
        b.place(done)
