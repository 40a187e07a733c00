"""Id-mapped mounts: bind mounts whose owners are translated (mount_setattr(2), MOUNT_ATTR_IDMAP).

The kernel lets only whoever is privileged over the file system change a mount so, and only before anybody can see it.
So the tree is cloned and mapped in the runtime's namespaces, before the clone, and the container's process attaches it.
The mapping is that of a user namespace, which the supervisor makes beforehand and passes on (runtime/idmap.py).

With a user namespace the container may not take away what the host forbids, such as to write or to execute: the kernel
locks these attributes of each mount as a mount namespace is copied for another user namespace (mount_namespaces(7)).
A tree that was mounted nowhere would miss that, so it goes the same way:

executor, in a mount namespace of its own        the container's first process, in a locked copy of that
clone each tree, map it
mount it on <the container's state directory>/<index>
clone3 ────────────────────────────────────────▶ clone each tree from there

A source in the root file system is only there once earlier mounts have made it.  Without a user namespace the
container's process maps it itself; with one, another executor does, which has stayed the host's root and enters nothing
but the container's mount namespace, while no process of the container runs yet:

container's first process            supervisor             executor of the host's root
event IDMAP ───────────────────────▶ spawns it ───────────▶ joins the mount namespace, clones, maps, mounts, exits
goes on ◀─────────────────────────── answers
"""

from __future__ import annotations

from errno import EINVAL, EPERM

from orlop.plan import events, paths
from orlop.plan.construction import Construction
from orlop.plan.facts import Request
from orlop.plan.keeping import keep, take
from orlop.plan.mount_options import MountOptions
from orlop.plan.mounts import mount_purpose, open_late, open_source, place_tree
from orlop.plan.rootfs import CLONE_TREE, attach, change
from orlop.program import linux
from orlop.program.builder import MOUNT_ATTR_SIZE, Builder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.facts import Facts
    from orlop.program.ops import Program, Register
    from orlop.spec.types import Mount, Spec

_CONTROL = 3
_NO_SUPPORT = "maybe the filesystem used doesn't support idmap mounts on this kernel?"
_HINTS = {
    EINVAL: "the file system of the source, or of a mount in it with ridmap, cannot be id-mapped by this kernel",
    EPERM: "the mount is id-mapped already, or the runtime is not privileged over its file system",
}


def open_idmapped(c: Construction) -> None:
    """Clone the source of each id-mapped mount, and map it; what lies in the root file system is mapped when its turn
    comes."""
    b = c.b
    late: set[int] = set()
    for index, namespace in c.request.idmaps.items():
        mount = _mount(c, index)
        if paths.below(c.request.rootfs, mount.get("source") or "") is not None:
            if not locks(c):
                late.add(namespace)
            continue
        options = MountOptions(mount.get("options") or [])
        mount_purpose(c, index, mount)
        tree = open_source(b, mount, options)
        if not any(flag == linux.MS_SHARED for flag, _ in options.propagation):
            change(b, tree, propagation=linux.MS_SLAVE, tree=True)  # what is mounted in it does not reach the host
        map_owners(c, index, tree, options)
        c.sources[index] = keep(b, tree)
    for namespace in dict.fromkeys(c.request.idmaps.values()):
        if namespace not in late:
            b.do("close", namespace)
    if c.sources and locks(c):
        _mount_aside(c)


def locks(c: Construction) -> bool:
    """Does the clone copy the mount namespace for another user namespace?"""
    return "user" in c.namespaces and c.creates("mount")


def _mount_aside(c: Construction) -> None:
    """Leave this mount namespace for a copy, which the host does not see, and mount the trees there, each on an entry
    of a tmpfs.  That covers the container's state directory, which nothing asks for any more."""
    b = c.b
    b.purpose("mounts", "unable to set id-mapped mounts aside")
    b.do("unshare", linux.CLONE_NEWNS)
    private = b.mount_attr(propagation=linux.MS_SLAVE)
    b.do("mount_setattr", linux.AT_FDCWD, "/", linux.AT_RECURSIVE, private, MOUNT_ATTR_SIZE)
    fs = b.get("fsopen", "tmpfs", linux.FSOPEN_CLOEXEC)
    b.do("fsconfig", fs, linux.FSCONFIG_CMD_CREATE, 0, 0, 0)
    aside = b.get("fsmount", fs, linux.FSMOUNT_CLOEXEC, 0)
    b.do("move_mount", aside, "", linux.AT_FDCWD, c.request.directory, linux.MOVE_MOUNT_F_EMPTY_PATH)
    for index, kept in c.sources.items():
        mount = _mount(c, index)
        mount_purpose(c, index, mount)
        tree = take(b, kept)
        directory = c.facts.sources.get(mount.get("source") or "", True)
        place = paths.mount_point(b, aside, str(index), directory=directory)
        attach(b, tree, place)
        b.close(tree, place)
    b.close(fs, aside)


def take_locked(c: Construction) -> None:
    """In the container's mount namespace: clone the trees once more, now with what the kernel has locked."""
    b = c.b
    for index in c.sources:
        mount = _mount(c, index)
        mount_purpose(c, index, mount)
        whole = linux.AT_RECURSIVE if MountOptions(mount.get("options") or []).recursive else 0
        tree = b.get("open_tree", linux.AT_FDCWD, f"{c.request.directory}/{index}", CLONE_TREE | whole)
        c.sources[index] = keep(b, tree)


def _mount(c: Construction, index: int) -> Mount:
    return (c.spec.get("mounts") or [])[index]


def map_owners(c: Construction, index: int, tree: Register, options: MountOptions) -> None:
    """Map a tree that nobody can see yet."""
    b = c.b
    before = b.purpose(f"mounts[{index}]", f"{b.current.wording}: MOUNT_ATTR_IDMAP ({_NO_SUPPORT})", _HINTS)
    flags = linux.AT_EMPTY_PATH | (linux.AT_RECURSIVE if options.idmap == "ridmap" else 0)
    attributes = b.mount_attr(linux.MOUNT_ATTR_IDMAP, namespace=c.request.idmaps[index])
    b.do("mount_setattr", tree, "", flags, attributes, MOUNT_ATTR_SIZE)
    b.resume(before)


def ask_for_mount(c: Construction, index: int, mount: Mount) -> None:
    """Make the place to mount on, as the container's root, and have the supervisor see to the rest."""
    assert c.root is not None
    directory = c.facts.sources.get(mount.get("source") or "", True)
    c.b.close(paths.mount_point(c.b, c.root, mount["destination"], directory=directory, dangling=True))
    c.b.event(events.IDMAP, index)
    c.b.wait(c.b.space(8), 8)


def mount_program(spec: Spec, facts: Facts, rootfs: str, index: int) -> Program:
    """Makes one id-mapped mount in the mount namespace of a container that is being built.  Beside the control socket
    are the user namespace with the maps, and that mount namespace."""
    request = Request(rootfs=rootfs, control=_CONTROL, idmaps={index: _CONTROL + 1})
    c = Construction(spec, spec["process"], facts, request)
    b = c.b
    mount = _mount(c, index)
    options = MountOptions(mount.get("options") or [])
    mount_purpose(c, index, mount)
    b.do("close_range", _CONTROL + 3, 0xFFFF_FFFF, 0)
    b.do("prctl", linux.PR_SET_DUMPABLE, 0, 0, 0, 0)
    b.do("setns", _CONTROL + 2, linux.CLONE_NEWNS)
    handle = linux.O_PATH | linux.O_DIRECTORY | linux.O_NOFOLLOW | linux.O_CLOEXEC
    c.root = b.get("openat", linux.AT_FDCWD, rootfs, handle, 0)
    tree = open_late(c, mount, options)
    map_owners(c, index, tree, options)
    place_tree(c, index, mount, options, tree)
    b.close(c.root)
    b.event(events.PID)
    b.wait(b.space(8), 8)
    b.do("exit_group", 0)
    return b.finish()


def namespace_program(architecture: str) -> Program:
    """A process in a new user namespace, that waits to be let go of."""
    b = Builder(architecture, _CONTROL)
    b.purpose("mounts", "unable to make a user namespace for an id-mapped mount", _NAMESPACE_HINTS)
    b.do("close_range", _CONTROL + 1, 0xFFFF_FFFF, 0)
    b.do("unshare", linux.CLONE_NEWUSER)
    b.event(events.PID)
    b.wait(b.space(8), 8)
    b.do("exit_group", 0)
    return b.finish()


def joining_program(architecture: str) -> Program:
    """A process that has joined the user namespace whose descriptor is right after its control socket, and waits."""
    b = Builder(architecture, _CONTROL)
    b.purpose("linux.namespaces", "unable to join the user namespace", _JOIN_HINTS)
    b.do("close_range", _CONTROL + 2, 0xFFFF_FFFF, 0)
    b.do("setns", _CONTROL + 1, linux.CLONE_NEWUSER)
    b.event(events.PID)
    b.wait(b.space(8), 8)
    b.do("exit_group", 0)
    return b.finish()


_JOIN_HINTS = {EINVAL: "the path must be of a user namespace, and not the runtime's own"}
_NAMESPACE_HINTS = {
    EPERM: "the host does not let the runtime make user namespaces",
    28: "the host's limit on user namespaces is reached: see /proc/sys/user/max_user_namespaces",
}
