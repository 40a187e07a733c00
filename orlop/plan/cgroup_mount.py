"""A mount of type cgroup: the container's own part of the hierarchy, in the form that the host has."""

from __future__ import annotations

from errno import EBUSY, EEXIST, EPERM

from orlop.plan import paths
from orlop.plan.labels import mount_context
from orlop.plan.over_proc import keep_off_proc
from orlop.plan.rootfs import CLONE_TREE, attach, change, propagate
from orlop.program import linux
from orlop.program.ops import Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction
    from orlop.plan.facts import CgroupMount
    from orlop.plan.mount_options import MountOptions
    from orlop.program.builder import Builder
    from orlop.program.ops import Register
    from orlop.spec.types import Mount


def mount_cgroup(c: Construction, index: int, mount: Mount, options: MountOptions) -> None:
    """Version 2 as one file system, version 1 as a tmpfs with a mount for each hierarchy."""
    if c.facts.unified:
        _version_2(c, index, mount, options)
    else:
        _version_1(c, index, mount, options)


def _version_2(c: Construction, index: int, mount: Mount, options: MountOptions) -> None:
    """A new mount shows the root of the cgroup namespace.

    Without a namespace of its own the container gets a bind of the host's: a new mount from there would reset the
    options of the host's own (nsdelegate and others; kernel/cgroup/cgroup.c, apply_cgroup_root_flags).  So it does
    where the kernel refuses a new mount.
    """
    assert c.root is not None
    b = c.b
    refused, made = Label(), Label()
    place = paths.mount_point(b, c.root, mount["destination"], directory=True)
    keep_off_proc(c, index, place)
    tree = b.register()
    if "cgroup" in c.namespaces:
        fs = b.get("fsopen", "cgroup2", linux.FSOPEN_CLOEXEC)
        again = {EPERM: refused, EBUSY: refused}
        if mount.get("source"):  # what is shown as the source
            b.do("fsconfig", fs, linux.FSCONFIG_SET_STRING, "source", mount["source"], 0)
        b.do("fsconfig", fs, linux.FSCONFIG_CMD_CREATE, 0, 0, 0, on=again)
        b.do("fsmount", fs, linux.FSMOUNT_CLOEXEC, options.on, on=again, result=tree.number)
        b.close(fs)
        b.jump(made)
        b.place(refused)
        b.do("close", fs)
    source = c.request.cgroup.directory if c.creates("cgroup") else None
    b.do("open_tree", linux.AT_FDCWD, source or "/sys/fs/cgroup", CLONE_TREE, result=tree.number)
    change(b, tree, on=options.on)
    b.place(made)
    attach(b, tree, place)
    propagate(b, tree, options)
    b.close(place, tree)


def _version_1(c: Construction, index: int, mount: Mount, options: MountOptions) -> None:
    assert c.root is not None
    b = c.b
    place = paths.mount_point(b, c.root, mount["destination"], directory=True)
    keep_off_proc(c, index, place)
    fs = b.get("fsopen", "tmpfs", linux.FSOPEN_CLOEXEC)
    b.do("fsconfig", fs, linux.FSCONFIG_SET_STRING, "source", "tmpfs", 0)
    b.do("fsconfig", fs, linux.FSCONFIG_SET_STRING, "mode", "755", 0)
    for key, value in mount_context(c, "tmpfs"):
        b.do("fsconfig", fs, linux.FSCONFIG_SET_STRING, key, value or "", 0)
    b.do("fsconfig", fs, linux.FSCONFIG_CMD_CREATE, 0, 0, 0)
    flags = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC
    directory = b.get("fsmount", fs, linux.FSMOUNT_CLOEXEC, flags)
    attach(b, directory, place)
    b.close(fs, place)
    for hierarchy in c.request.cgroup.mounts:
        b.do("mkdirat", directory, hierarchy.name, 0o755, ignore=(EEXIST,))
        tree = _new_mount(b, hierarchy, options) if c.creates("cgroup") else _own_part(b, hierarchy, options)
        onto = b.get("openat", directory, hierarchy.name, linux.O_PATH | linux.O_NOFOLLOW | linux.O_CLOEXEC, 0)
        attach(b, tree, onto)
        b.close(onto, tree)
        for controller in hierarchy.controllers:
            if "," in hierarchy.name and controller != hierarchy.name:
                b.do("symlinkat", hierarchy.name, directory, controller, ignore=(EEXIST,))
    propagate(b, directory, options)
    if options.read_only:
        change(b, directory, on=linux.MOUNT_ATTR_RDONLY)
    b.close(directory)


def _new_mount(b: Builder, hierarchy: CgroupMount, options: MountOptions) -> Register:
    """In a cgroup namespace a mount of the hierarchy shows the namespace's part of it."""
    fs = b.get("fsopen", "cgroup", linux.FSOPEN_CLOEXEC)
    source = "systemd" if hierarchy.name == "systemd" else "cgroup"  # what runc shows, and programs may look for
    b.do("fsconfig", fs, linux.FSCONFIG_SET_STRING, "source", source, 0)
    for controller in hierarchy.controllers:
        if controller.startswith("name="):
            b.do("fsconfig", fs, linux.FSCONFIG_SET_FLAG, "none", 0, 0)
            b.do("fsconfig", fs, linux.FSCONFIG_SET_STRING, "name", controller[len("name=") :], 0)
        else:
            b.do("fsconfig", fs, linux.FSCONFIG_SET_FLAG, controller, 0, 0)
    b.do("fsconfig", fs, linux.FSCONFIG_CMD_CREATE, 0, 0, 0)
    tree = b.get("fsmount", fs, linux.FSMOUNT_CLOEXEC, options.on)
    b.close(fs)
    return tree


def _own_part(b: Builder, hierarchy: CgroupMount, options: MountOptions) -> Register:
    tree = b.get("open_tree", linux.AT_FDCWD, hierarchy.directory, CLONE_TREE)
    change(b, tree, on=options.on)
    return tree
