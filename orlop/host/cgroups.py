"""Which cgroup hierarchies this host has, where they are mounted, and where in them we are (cgroups(7)).

A host is one of three: *unified* (only version 2, on /sys/fs/cgroup), *hybrid* (version 1 hierarchies for the
controllers, and a version 2 one without, on /sys/fs/cgroup/unified), or *legacy* (version 1 only).
"""

from __future__ import annotations

from orlop import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Hierarchy:
    """A mounted cgroup hierarchy.

    `mount` is where it is, `root` which of its cgroups is mounted there (`/` unless we are in a container without a
    cgroup namespace), `own` our own cgroup in it.  `controllers` are those of a version 1 hierarchy, such as `("cpu",
    "cpuacct")` or `("name=systemd",)`, and those that the top of a version 2 hierarchy has.
    """

    __slots__ = ("controllers", "mount", "own", "root", "version")

    def __init__(
        self, mount: str, controllers: Iterable[str] = (), *, version: int = 1, own: str = "/", root: str = "/"
    ) -> None:
        self.mount = mount
        self.controllers = tuple(controllers)
        self.version = version
        self.own = own
        self.root = root

    def own_path(self) -> str:
        """Return the directory of our own cgroup; the mount itself where ours lies outside of it."""
        own, root = self.own, self.root.rstrip("/")
        if (own == root or own.startswith(root + "/")) and "/.." not in own:
            return self.mount + own[len(root) :].rstrip("/")
        return self.mount

    def __repr__(self) -> str:
        return f"Hierarchy({self.mount!r}, {self.controllers!r}, version={self.version}, own={self.own!r})"


class Layout:
    """All hierarchies of the host.  `v2` is the version 2 one, if any; `unified` says that it is the only one."""

    __slots__ = ("hierarchies", "unified", "v2")

    def __init__(self, hierarchies: Iterable[Hierarchy]) -> None:
        self.hierarchies = tuple(hierarchies)
        self.v2 = next((each for each in self.hierarchies if each.version == 2), None)
        self.unified = self.v2 is not None and len(self.hierarchies) == 1

    def __repr__(self) -> str:
        return f"Layout({self.hierarchies!r})"


def layout(proc: str = "/proc", sys: str = "/sys/fs/cgroup") -> Layout:
    """Find the hierarchies.  Reads two or three files of the host; raises OSError where /proc cannot be read.

    Made anew on each call: a command needs it once, and a long-lived program may see mounts change.
    """
    own = _own(_text(f"{proc}/self/cgroup"))
    try:
        controllers = _text(f"{sys}/cgroup.controllers").split()
    except OSError:
        return _mounted(proc, sys, own)
    return Layout([Hierarchy(sys, controllers, version=2, own=own.get("", "/"))])


def _own(text: str) -> dict[str, str]:
    """Parse /proc/self/cgroup: controllers, as the kernel joins them ("" for version 2), to the path of our cgroup."""
    own = {}
    for line in text.split("\n"):
        if line:
            _number, controllers, path = line.split(":", 2)
            own[controllers] = path
    return own


def _mounted(proc: str, sys: str, own: dict[str, str]) -> Layout:
    from orlop.host import mountinfo  # only hosts with version 1 pay for it

    mounts = mountinfo.mounts(proc, ("cgroup", "cgroup2"))
    # A hierarchy may be mounted more than once, by an engine in a container for one; the usual place is meant.
    mounts.sort(key=lambda mount: not mount.point.startswith(sys + "/"))
    found = []
    for joined, path in own.items():
        controllers = joined.split(",") if joined else []
        for mount in mounts:
            if (controllers[0] in mount.super_options) if controllers else (mount.fstype == "cgroup2"):
                version = 1
                if not controllers:
                    version, controllers = 2, _text(f"{mount.point}/cgroup.controllers").split()
                found.append(Hierarchy(mount.point, controllers, version=version, own=path, root=mount.root))
                break
    return Layout(found)


def _text(path: str) -> str:
    # One read is enough: the kernel writes both files whole, and a path of 4 KiB in each of 15 hierarchies still fits.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.fsdecode(os.read(descriptor, 1 << 17))
    finally:
        os.close(descriptor)
