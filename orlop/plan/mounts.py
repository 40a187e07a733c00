"""`mounts[]`, in their order: file systems, bind mounts, cgroups.

A mount is made detached (fsopen or open_tree), given its attributes while nobody can see it, and then moved onto a
place that was looked up below the root by descriptor.
"""

from __future__ import annotations

from errno import EACCES, EINVAL, ELOOP, ENODEV, ENOENT, ENOTDIR, EPERM

from orlop.errors import ConfigError, Problem
from orlop.plan import events, paths
from orlop.plan.cgroup_mount import mount_cgroup
from orlop.plan.keeping import keep, take
from orlop.plan.labels import label_queues, mount_context
from orlop.plan.mount_options import MountOptions
from orlop.plan.over_proc import PLAIN_TYPES, check_proc, keep_off_proc, only_proc
from orlop.plan.rootfs import CLONE_TREE, attach, change, propagate, superblock
from orlop.program import linux
from orlop.program.builder import MOUNT_ATTR_SIZE, OPEN_HOW_SIZE
from orlop.program.ops import Label, Purpose, Register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction
    from orlop.plan.keeping import Kept
    from orlop.program.builder import Builder
    from orlop.spec.types import Mount

_HINTS = {
    ELOOP: "it must be mounted on ordinary directory; the place, or a directory on the way, is a symbolic link",
    ENOTDIR: "the place to mount on must be a directory",
    ENODEV: "the kernel has no file system of this type: see /proc/filesystems",
    EINVAL: "the file system knows no such option, or refuses its value",
    EPERM: "the mount needs a privilege that the runtime, or the container's user namespace, does not have",
    ENOENT: "the source does not exist",
}
_LONGEST = 255  # bytes
_NOT_OPENED = 0  # the number of no source: it is that of the standard input
_FLAGS = (
    linux.MOUNT_ATTR_RDONLY
    | linux.MOUNT_ATTR_NOSUID
    | linux.MOUNT_ATTR_NODEV
    | linux.MOUNT_ATTR_NOEXEC
    | linux.MOUNT_ATTR_NOSYMFOLLOW
)


def open_sources(c: Construction) -> None:
    """Open the sources that a later step could not: those whose peers must be kept, before propagation is cut, and with
    a user namespace all, while the process still has the host's ids and may pass directories that only root may.

    One that root of the host may not open is left for `_bind`: it may be the mapped root's.
    """
    if c.sources:  # id-mapped, before the clone
        from orlop.plan.idmap import locks, take_locked

        if locks(c):
            take_locked(c)
    everything = "user" in c.namespaces
    for index, mount in enumerate(c.spec.get("mounts") or []):
        options = MountOptions(mount.get("options") or [])
        shared = any(flag == linux.MS_SHARED for flag, _ in options.propagation)
        inside = paths.below(c.request.rootfs, mount.get("source") or "")  # what earlier mounts make of it
        wanted = options.bind and not options.remount
        if wanted and (everything or shared) and index not in c.sources and inside is None:
            mount_purpose(c, index, mount)
            forbidden, opened = Label(), Label()
            tree = open_source(c.b, mount, options, on={EACCES: forbidden})
            c.b.jump(opened)
            c.b.place(forbidden)
            c.b.set(tree, _NOT_OPENED)
            c.b.place(opened)
            c.sources[index] = keep(c.b, tree)


def mount_all(c: Construction) -> None:
    """Make every mount of the config.  A read-only tmpfs stays writable until all are made: others may lie in it.
    One on /dev stays so until the devices are made."""
    writable: list[tuple[Purpose, str, Kept]] = []
    for index, mount in enumerate(c.spec.get("mounts") or []):
        mount_purpose(c, index, mount)
        options = MountOptions(mount.get("options") or [])
        _check(index, mount, options)
        if options.remount:
            _remount(c, index, mount, options)
        elif options.bind:
            _bind(c, index, mount, options)
        elif mount.get("type") == "cgroup":
            mount_cgroup(c, index, mount, options)
        elif mount.get("type") == "tmpfs" and options.read_only:
            made = keep(c.b, _file_system(c, index, mount, options))
            writable.append((c.b.current, paths.clean(mount["destination"]), made))
        else:
            c.b.close(_file_system(c, index, mount, options))
    for purpose, destination, kept in writable:
        made = take(c.b, kept)
        if destination == "dev":
            c.writable_dev = purpose, made
        else:
            _finish(c, purpose, made)


def finish_dev(c: Construction) -> None:
    """Make a /dev read-only that is to be so."""
    if c.writable_dev is not None:
        _finish(c, *c.writable_dev)
        c.writable_dev = None


def _finish(c: Construction, purpose: Purpose, made: Register) -> None:
    c.b.resume(purpose)
    change(c.b, made, on=linux.MOUNT_ATTR_RDONLY)
    c.b.close(made)


def mount_purpose(c: Construction, index: int, mount: Mount, hints: dict[int, str] = _HINTS) -> None:
    """The operations that follow are for this mount."""
    source, destination = mount.get("source") or mount.get("type") or "", mount["destination"]
    c.b.purpose(f"mounts[{index}]", f'error mounting "{source}" to rootfs at "{destination}"', hints)


def _check(index: int, mount: Mount, options: MountOptions) -> None:
    field = f"mounts[{index}]"
    if paths.clean(mount["destination"]) == ".":
        message = f'mountpoint "{mount["destination"]}" is on the top of rootfs'
        raise ConfigError([Problem(f"{field}.destination", message, "mount below the root; root.path names the root")])
    check_proc(field, mount, options)
    if options.bind and options.data:
        words = ",".join(key for key, _ in options.data)
        message = f"bind mounts cannot have any filesystem-specific options applied ({words})"
        raise ConfigError([Problem(f"{field}.options", message, "check the spelling of the option")])


def _file_system(c: Construction, index: int, mount: Mount, options: MountOptions) -> Register:
    assert c.root is not None
    b = c.b
    kind = mount.get("type") or ""
    destination = mount["destination"]
    options.data += mount_context(c, kind)
    on = options.on & ~linux.MOUNT_ATTR_RDONLY if kind == "tmpfs" else options.on
    if _too_long(mount, options) and c.creates("mount"):
        from orlop.plan.long_options import make_mount

        made = make_mount(c, index, kind, options, on)
    else:
        fs = superblock(b, kind, mount.get("source"), options)
        made = b.get("fsmount", fs, linux.FSMOUNT_CLOEXEC, on)
        b.close(fs)
    if kind == "mqueue":
        label_queues(c, made)
    plain = kind in PLAIN_TYPES or paths.clean(destination) == "dev"
    takes_mode = kind == "tmpfs" and not any(key == "mode" for key, _ in options.data)
    place = paths.mount_point(
        b,
        c.root,
        destination,
        directory=True,
        plain=plain,
        existing=(lambda there: _take_mode(b, there, made)) if takes_mode else None,
    )
    if not plain:
        keep_off_proc(c, index, place)
    if options.copy_up and kind == "tmpfs":
        _copy_up(c, destination, made)
    attach(b, made, place)
    b.close(place)
    propagate(b, made, options)
    return made


def _too_long(mount: Mount, options: MountOptions) -> bool:
    """Is there a text that fsconfig(2) does not take?"""
    texts = [mount.get("source"), *(value for _, value in options.data)]
    return any(len(text.encode("utf-8", "surrogateescape")) > _LONGEST for text in texts if text)


def _take_mode(b: Builder, there: Register, made: Register) -> None:
    """A tmpfs takes the mode of the directory it covers, as with runc."""
    buffer = b.space(256)
    b.do("statx", there, "", linux.AT_EMPTY_PATH, linux.STATX_MODE, buffer)
    mode = b.load(buffer + 28, 4)  # stx_mode, and 16 spare bits beside it, which are zero
    b.do("fchmodat", made, ".", mode)
    b.free(mode)


def _copy_up(c: Construction, destination: str, made: Register) -> None:
    """tmpcopyup: the supervisor copies, entry by entry and by descriptor, what the new tmpfs is about to hide."""
    assert c.root is not None
    b = c.b
    flags = linux.O_RDONLY | linux.O_DIRECTORY | linux.O_CLOEXEC
    below = b.get("openat2", c.root, paths.clean(destination), b.open_how(flags, 0, paths.IN_ROOT), OPEN_HOW_SIZE)
    inside = b.get("openat", made, ".", flags, 0)
    b.event(events.COPY_UP, fds=(below, inside))
    b.wait(b.space(8), 8)
    b.close(below, inside)


def open_source(
    b: Builder, mount: Mount, options: MountOptions, *, into: Register | None = None, on: dict[int, Label] | None = None
) -> Register:
    """Clone the mount, or the tree of mounts, at the source of a bind mount."""
    tree = into or b.register()
    flags = CLONE_TREE | (linux.AT_RECURSIVE if options.recursive else 0)
    b.do("open_tree", linux.AT_FDCWD, mount.get("source") or "", flags, on=on, result=tree.number)
    return tree


def open_late(c: Construction, mount: Mount, options: MountOptions) -> Register:
    """What lies in the root file system is looked up there: a link of the image must not lead to the host's files."""
    b = c.b
    inside = paths.below(c.request.rootfs, mount.get("source") or "")
    if inside is None:
        return open_source(b, mount, options)
    assert c.root is not None
    place = paths.look_up(b, c.root, inside)
    whole = linux.AT_RECURSIVE if options.recursive else 0
    tree = b.get("open_tree", place, "", CLONE_TREE | linux.AT_EMPTY_PATH | whole)
    b.close(place)
    return tree


def _bind(c: Construction, index: int, mount: Mount, options: MountOptions) -> None:
    assert c.root is not None
    b = c.b
    if index in c.sources:
        tree = take(b, c.sources.pop(index))
        if index not in c.request.idmaps:
            opened = Label()
            b.jump_if(tree, opened)
            open_source(b, mount, options, into=tree)
            b.place(opened)
    else:
        if index in c.request.idmaps:
            from orlop.plan import idmap

            if idmap.locks(c):
                idmap.ask_for_mount(c, index, mount)
                return
        tree = open_late(c, mount, options)
        if index in c.request.idmaps:
            idmap.map_owners(c, index, tree, options)
    place_tree(c, index, mount, options, tree)


def place_tree(c: Construction, index: int, mount: Mount, options: MountOptions, tree: Register) -> None:
    """Give the tree of a bind mount its attributes and put it into its place; closes it."""
    assert c.root is not None
    b = c.b
    _bind_attributes(b, tree, options)
    directory = c.facts.sources.get(mount.get("source") or "", True)
    place = paths.mount_point(b, c.root, mount["destination"], directory=directory, dangling=True)
    keep_off_proc(c, index, place)
    if paths.clean(mount["destination"]) == "proc":
        only_proc(c, index, tree)
    attach(b, tree, place)
    b.close(place)
    propagate(b, tree, options)
    b.close(tree)


def _remount(c: Construction, index: int, mount: Mount, options: MountOptions) -> None:
    from orlop.plan.remount import HINTS, mounted

    mount_purpose(c, index, mount, {**_HINTS, **HINTS})
    place = mounted(c, index, mount, options)
    _bind_attributes(c.b, place, options)
    propagate(c.b, place, options)
    c.b.close(place)


def _bind_attributes(b: Builder, tree: Register, options: MountOptions) -> None:
    """With any flag given, a bind mount gets exactly the flags given (the access time stays unless it is given);
    where the kernel has locked flags of the source, those stay, and to clear one is an error.  It never locks
    nosymfollow."""
    if options.touched:
        exact = b.mount_attr(options.on, (_FLAGS | options.off) & ~options.on | options.off)
        locked, done = Label(), Label()
        b.do("mount_setattr", tree, "", linux.AT_EMPTY_PATH, exact, MOUNT_ATTR_SIZE, on={EPERM: locked})
        b.jump(done)
        b.place(locked)
        unlocked = linux.MOUNT_ATTR_NOSYMFOLLOW & ~options.on
        change(b, tree, on=options.on, off=options.off | unlocked)
        b.place(done)
    if options.recursive_on or options.recursive_off:
        change(b, tree, on=options.recursive_on, off=options.recursive_off, tree=True)
