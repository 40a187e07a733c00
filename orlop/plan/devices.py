"""Device nodes and the links of /dev: the default devices of the runtime-spec and linux.devices.

Everything is made below the descriptor of the directory it lies in; a /dev that is a symbolic link is refused
(CVE-2026-41579).
"""

from __future__ import annotations

from errno import EEXIST, ELOOP, ENOENT, ENOTDIR, EPERM

from orlop.plan import paths
from orlop.plan.mount_options import MountOptions
from orlop.plan.rootfs import CLONE_TREE, attach, keep_as_it_is
from orlop.program import linux
from orlop.program.layout import WHEN_ERROR
from orlop.program.ops import Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction
    from orlop.program.builder import Builder
    from orlop.program.ops import Register

# path, major, minor: runtime-spec, config-linux.md "Default Devices"; /dev/ptmx and /dev/console are made apart.
DEFAULT = (
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
)
LINKS = (
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
)
_TYPES = {"c": linux.S_IFCHR, "u": linux.S_IFCHR, "b": linux.S_IFBLK, "p": linux.S_IFIFO}
_HINTS = {
    ENOENT: "no device can be made in this container, and the host has none at this path to bind",
    ELOOP: "/dev in the image is a symbolic link; it must be a directory",
    ENOTDIR: "/dev must be a directory",
    EEXIST: "something else is there already: in the image, or from another entry of linux.devices",
}

_OTHER = {EEXIST: "no device can be made in this container, and the host's of this path is another one"}


def device_number(major: int, minor: int) -> int:
    """The kernel's encoding of a device number (new_encode_dev)."""
    return (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)


def make_devices(c: Construction) -> None:
    """The devices of the config, the defaults that it does not name, and the links; when /dev is the host's, only
    those of the config that lie elsewhere."""
    bound = _dev_is_bound(c)
    if not bound:
        _make_defaults(c)
    assert c.root is not None
    for index, row in enumerate(c.linux.get("devices") or []):
        path = paths.clean(row["path"])
        if path == "dev/ptmx" or (bound and path.startswith("dev/")):
            continue
        c.b.purpose(f"linux.devices[{index}]", f'error creating device "{row["path"]}"', _HINTS)
        parent, name = paths.make_parents(c.b, c.root, path)
        mode = _TYPES[row["type"]] | row.get("fileMode", 0o666) & 0o7777
        number = 0 if row["type"] == "p" else device_number(row["major"], row["minor"])
        _node(c, parent, name, mode, number, row["path"], row.get("uid") or 0, row.get("gid") or 0, named=True)
        if parent is not c.root:
            c.b.close(parent)


def _make_defaults(c: Construction) -> None:
    assert c.root is not None
    b = c.b
    named = {paths.clean(row["path"]) for row in c.linux.get("devices") or []}
    b.purpose("linux.devices", 'error creating the default devices in "/dev"', _HINTS)
    dev = paths.mount_point(b, c.root, "dev", directory=True, plain=True)
    for name, major, minor in DEFAULT:
        if "dev/" + name not in named:
            _node(c, dev, name, linux.S_IFCHR | 0o666, device_number(major, minor), f"/dev/{name}")
    for target, name in LINKS:
        b.do("symlinkat", target, dev, name, ignore=(EEXIST,))
    _link_core(b, dev)
    _ptmx(c, dev)
    b.close(dev)


def _link_core(b: Builder, dev: Register) -> None:
    """/dev/core leads to the image of the kernel's memory where there is one, as with runc and crun; the config masks
    that."""
    absent = Label()
    b.do("faccessat2", linux.AT_FDCWD, "/proc/kcore", linux.F_OK, 0, on={WHEN_ERROR: absent})
    b.do("symlinkat", "/proc/kcore", dev, "core", ignore=(EEXIST,))
    b.place(absent)


def _dev_is_bound(c: Construction) -> bool:
    return any(
        paths.clean(mount["destination"]) == "dev" and MountOptions(mount.get("options") or []).bind
        for mount in c.spec.get("mounts") or []
    )


def _node(
    c: Construction,
    parent: Register,
    name: str,
    mode: int,
    number: int,
    host: str,
    uid: int = 0,
    gid: int = 0,
    *,
    named: bool = False,
) -> None:
    """Make a node, or, where nobody may make one (in a user namespace, without CAP_MKNOD, where a device cgroup above
    the container's forbids it), bind the host's; a named pipe anybody may make.

    One that is there already stays.  Where the config has `named` it, something else is refused, as the runtime-spec
    asks ("Devices"), and so is a node of the host's that is another device; in place of a default one it stays too, as
    with runc.
    """
    b = c.b
    done, there, bound = Label(), Label(), Label()
    pipe = mode & linux.S_IFMT == linux.S_IFIFO
    makes = pipe or (c.facts.makes_nodes and "user" not in c.namespaces)
    if makes:
        forbidden = {} if pipe else {EPERM: bound}
        b.do("mknodat", parent, name, mode, number, on={EEXIST: there if named else done, **forbidden})
        if uid or gid:
            b.do("fchownat", parent, name, uid, gid, linux.AT_SYMLINK_NOFOLLOW)
        if named or not pipe:
            b.jump(done)
        if named:
            b.place(there)
            _same_device(b, (parent, name, linux.AT_SYMLINK_NOFOLLOW), mode, number, done)
    if not pipe:
        b.place(bound)
        _bind(c, parent, name, mode, number, host, named=named)
    b.place(done)


def _bind(c: Construction, parent: Register, name: str, mode: int, number: int, host: str, *, named: bool) -> None:
    b = c.b
    tree = b.get("open_tree", linux.AT_FDCWD, host, CLONE_TREE)
    if named:
        right = Label()
        before = b.purpose(b.current.field, b.current.wording, _OTHER)
        _same_device(b, (tree, "", linux.AT_EMPTY_PATH), mode, number, right)
        b.resume(before)
        b.place(right)
    keep_as_it_is(b, tree)
    paths.make_file(b, parent, name)
    place = b.get("openat", parent, name, linux.O_PATH | linux.O_NOFOLLOW | linux.O_CLOEXEC, 0)
    attach(b, tree, place)
    b.close(place, tree)


def _same_device(b: Builder, place: tuple[Register, str, int], mode: int, number: int, done: Label) -> None:
    """Go on at `done` if what is at a place (as statx(2) takes it) is the device that is asked for, and else fail."""
    other = Label()
    buffer = b.space(256)
    b.do("statx", *place, linux.STATX_TYPE | linux.STATX_MODE, buffer)
    kind = mode & linux.S_IFMT
    asked = [(28, linux.S_IFMT, kind)]  # stx_mode
    if kind != linux.S_IFIFO:
        major, minor = number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00
        asked += [(128, -1, major), (132, -1, minor)]  # stx_rdev_major, stx_rdev_minor
    for offset, mask, value in asked:
        found = b.load(buffer + offset, 4)
        b.jump_unless(found, value, other, mask=mask)
        b.free(found)
    b.jump(done)
    b.place(other)
    b.fail(EEXIST)


def _ptmx(c: Construction, dev: Register) -> None:
    """/dev/ptmx must be that of the container's own devpts, whatever the image holds there."""
    b = c.b
    there = Label()
    b.do("symlinkat", "pts/ptmx", dev, "ptmx", on={EEXIST: there})
    done = Label()
    b.jump(done)
    b.place(there)
    b.do("unlinkat", dev, "ptmx", 0)
    b.do("symlinkat", "pts/ptmx", dev, "ptmx")
    b.place(done)
