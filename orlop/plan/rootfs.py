"""The root file system: a mount of its own, built up by descriptor, then made the root."""

from __future__ import annotations

from errno import EINVAL, ENOENT, ENOTDIR

from orlop.plan import paths
from orlop.program import linux
from orlop.program.builder import MOUNT_ATTR_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction
    from orlop.plan.mount_options import MountOptions
    from orlop.program.builder import Builder
    from orlop.program.ops import Register

CLONE_TREE = linux.OPEN_TREE_CLONE | linux.OPEN_TREE_CLOEXEC
_ONTO = linux.MOVE_MOUNT_F_EMPTY_PATH | linux.MOVE_MOUNT_T_EMPTY_PATH
# Their superblock may be another container's too, or must be filled first: only the mount is made read-only.
_SHARED_SUPERBLOCKS = ("tmpfs", "proc", "sysfs", "mqueue", "devpts", "cgroup", "cgroup2")
_NO_ROOT = {
    ENOENT: "root.path must name a directory that exists, relative to the bundle or absolute",
    ENOTDIR: "root.path must name a directory that is not a symbolic link",
}


def attach(b: Builder, mount: Register, place: Register) -> None:
    """Put a detached mount onto a place, both given by descriptor."""
    b.do("move_mount", mount, "", place, "", _ONTO)


def change(b: Builder, mount: Register, *, on: int = 0, off: int = 0, propagation: int = 0, tree: bool = False) -> None:
    """Change the attributes or the propagation of a mount given by descriptor."""
    flags = linux.AT_EMPTY_PATH | (linux.AT_RECURSIVE if tree else 0)
    b.do("mount_setattr", mount, "", flags, b.mount_attr(on, off, propagation), MOUNT_ATTR_SIZE)


def keep_as_it_is(b: Builder, node: Register) -> None:
    """Let nobody in the container change the mode or the owner of a device node of the host's, which its root may own:
    who reads and writes the device, does not write to the file system."""
    attributes = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NOEXEC
    change(b, node, on=attributes, propagation=linux.MS_PRIVATE)


def propagate(b: Builder, mount: Register, options: MountOptions) -> None:
    """Give a mount the propagation of its option words, in their order."""
    for flag, tree in options.propagation:
        change(b, mount, propagation=flag, tree=tree)


def superblock(b: Builder, kind: str, source: str | None, options: MountOptions) -> Register:
    """A file system context (fsopen(2)), configured, its superblock made."""
    fs = b.get("fsopen", kind, linux.FSOPEN_CLOEXEC)
    if source:
        b.do("fsconfig", fs, linux.FSCONFIG_SET_STRING, "source", source, 0)
    if takes_read_only(kind, options):
        b.do("fsconfig", fs, linux.FSCONFIG_SET_FLAG, "ro", 0, 0)
    set_options(b, fs, options)
    b.do("fsconfig", fs, linux.FSCONFIG_CMD_CREATE, 0, 0, 0)
    return fs


def takes_read_only(kind: str, options: MountOptions) -> bool:
    """Is the file system itself to be read-only?"""
    return options.read_only and kind not in _SHARED_SUPERBLOCKS


def set_options(b: Builder, fs: Register, options: MountOptions) -> None:
    """Give a file system context the words that are the superblock's, and the file system's own."""
    for word in options.superblock:
        b.do("fsconfig", fs, linux.FSCONFIG_SET_FLAG, word, 0, 0)
    for key, value in options.data:
        if value is None:
            b.do("fsconfig", fs, linux.FSCONFIG_SET_FLAG, key, 0, 0)
        else:
            b.do("fsconfig", fs, linux.FSCONFIG_SET_STRING, key, value, 0)


def cut_propagation(c: Construction) -> None:
    """Nothing that is mounted from here on reaches the host, nor whoever shares the mounts of a namespace that is
    joined."""
    if "mount" not in c.namespaces:
        return
    b = c.b
    b.purpose("linux.rootfsPropagation", "unable to cut mount propagation to the host")
    flags = linux.AT_RECURSIVE
    attr = b.mount_attr(propagation=linux.MS_SLAVE)
    b.do("mount_setattr", linux.AT_FDCWD, "/", flags, attr, MOUNT_ATTR_SIZE)


def open_root(c: Construction) -> None:
    """Make the root file system a mount of its own, on its own place, and hold it by descriptor.

    In the host's mount namespace too, where it stays: with it, whoever cleans up unmounts all that lies in it.
    """
    b = c.b
    path = c.request.rootfs
    b.purpose("root.path", f'error preparing rootfs "{path}"', _NO_ROOT)
    handle = linux.O_PATH | linux.O_DIRECTORY | linux.O_NOFOLLOW | linux.O_CLOEXEC
    place = b.get("openat", linux.AT_FDCWD, path, handle, 0)
    if "mount" not in c.namespaces and not c.spec.get("mounts"):
        c.root = place
        return
    tree = b.get("open_tree", place, "", CLONE_TREE | linux.AT_EMPTY_PATH | linux.AT_RECURSIVE)
    word = c.linux.get("rootfsPropagation") or "rslave"
    private = word.lstrip("r") in ("private", "unbindable")
    change(b, tree, propagation=linux.MS_PRIVATE if private else linux.MS_SLAVE, tree=True)
    attach(b, tree, place)
    b.close(place)
    c.root = tree


def read_only(c: Construction) -> None:
    """root.readonly: the root itself, not what is mounted on it."""
    if not c.spec["root"].get("readonly") or "mount" not in c.namespaces:
        return
    assert c.root is not None
    c.b.purpose("root.readonly", "unable to make the root file system read-only")
    change(c.b, c.root, on=linux.MOUNT_ATTR_RDONLY)


def enter_root(c: Construction) -> None:
    """Make it the root, and let go of the host's."""
    assert c.root is not None
    b = c.b
    b.purpose("root.path", "error jailing process inside rootfs")
    b.do("fchdir", c.root)
    if "mount" not in c.namespaces:
        b.do("chroot", ".")
    elif c.request.no_pivot:
        _move_root(c)
    else:
        b.do("pivot_root", ".", ".")
        b.do("umount2", ".", linux.MNT_DETACH)
    b.do("chdir", "/")
    b.close(c.root)
    _propagation(c)


def _move_root(c: Construction) -> None:
    """--no-pivot, for a root that cannot be pivoted away from (an initramfs).

    The host's proc and sysfs stay mounted out of sight: they are unmounted, so that nothing in the container can make
    an unmasked one with their help.
    """
    assert c.root is not None
    b = c.b
    for path in c.facts.proc_mounts:
        b.do("umount2", path, linux.MNT_DETACH, ignore=(EINVAL, ENOENT))
    b.do("move_mount", c.root, "", linux.AT_FDCWD, "/", linux.MOVE_MOUNT_F_EMPTY_PATH)
    b.do("fchdir", c.root)
    b.do("chroot", ".")


def _propagation(c: Construction) -> None:
    """Shared and unbindable can be set only now: pivot_root refuses a shared root."""
    word = c.linux.get("rootfsPropagation") or ""
    if "mount" not in c.namespaces or word.lstrip("r") not in ("shared", "unbindable"):
        return
    b = c.b
    b.purpose("linux.rootfsPropagation", f'unable to set propagation "{word}"')
    flag = linux.MS_SHARED if word.endswith("shared") else linux.MS_UNBINDABLE
    flags = linux.AT_RECURSIVE if word.startswith("r") else 0
    b.do("mount_setattr", linux.AT_FDCWD, "/", flags, b.mount_attr(propagation=flag), MOUNT_ATTR_SIZE)


def private_procfs(c: Construction) -> Register:
    """A procfs of the container's pid namespace that is mounted nowhere, so that no mount in the container can stand in
    for a file of it (CVE-2019-16884, CVE-2025-52881)."""
    if c.procfs is None:
        before = c.b.purpose("linux.sysctl", "unable to make a private procfs")
        fs = c.b.get("fsopen", "proc", linux.FSOPEN_CLOEXEC)
        c.b.do("fsconfig", fs, linux.FSCONFIG_CMD_CREATE, 0, 0, 0)
        c.procfs = c.b.get("fsmount", fs, linux.FSMOUNT_CLOEXEC, 0)
        c.b.close(fs)
        c.b.resume(before)
    return c.procfs


def set_sysctls(c: Construction) -> None:
    """linux.sysctl, through the private procfs."""
    if not c.linux.get("sysctl"):
        return
    from orlop.spec.sysctl import sysctl_parts

    for key, value in (c.linux.get("sysctl") or {}).items():
        procfs = private_procfs(c)
        b = c.b
        b.purpose(f"linux.sysctl.{key}", f'error setting sysctl {key} = "{value}"')
        path = "/".join(["sys", *sysctl_parts(key)])
        how = b.open_how(linux.O_WRONLY | linux.O_CLOEXEC, 0, paths.IN_ROOT)
        fd = b.get("openat2", procfs, path, how, 24)
        b.do("write", fd, value, len(value.encode()))
        b.close(fd)
    if c.procfs is not None:
        c.b.close(c.procfs)
        c.procfs = None
