"""What may be mounted on /proc and in it.

Programs of the container trust what they read there, and labels, capabilities and sysctls were once written there: so
neither the config nor a symbolic link, of the image or of a volume, may cover a part of it.
"""

from __future__ import annotations

from errno import EPERM

from orlop.errors import ConfigError, Problem
from orlop.plan import paths
from orlop.program import linux
from orlop.program.ops import Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction
    from orlop.plan.mount_options import MountOptions
    from orlop.program.builder import Builder
    from orlop.program.ops import Register
    from orlop.spec.types import Mount

PLAIN_TYPES = ("proc", "sysfs")
_NEW_TYPES = ("tmpfs", "proc", "sysfs")  # nobody else has made a link in them
_KERNEL_TYPES = (*_NEW_TYPES, "devpts", "mqueue", "cgroup", "cgroup2")
_STATFS_SIZE = 120

# What lxcfs and others give a view of its own in a container, as in runc.  Nothing else may cover a file of /proc: what
# programs in the container trust would be what a volume says (CVE-2019-16884).
_VIEWS = "cpuinfo diskstats loadavg meminfo slabinfo stat swaps uptime sys/crypto/fips_enabled sys/kernel/ns_last_pid"
_IN_PROC = frozenset(_VIEWS.split())


def check_proc(field: str, mount: Mount, options: MountOptions) -> None:
    """Refuse what the config itself says; raises ConfigError."""
    first, _, rest = paths.clean(mount["destination"]).partition("/")
    if first != "proc" or (mount.get("type") in PLAIN_TYPES and not options.bind) or rest in _IN_PROC:
        return
    if rest:
        message = f'"{mount["destination"]}" cannot be mounted because it is inside /proc'
        hint = f"mount elsewhere; below /proc only these can be covered: {_VIEWS}"
        raise ConfigError([Problem(f"{field}.destination", message, hint)])
    if not options.bind:
        message = f'"{mount["destination"]}" cannot be mounted because it is not of type proc'
        raise ConfigError([Problem(f"{field}.type", message, "mount a file system of type proc, or bind the host's")])


def keep_off_proc(c: Construction, index: int, place: Register) -> None:
    """Fail when a place to mount on is in procfs after all: a link of the image, or of a volume, leads there
    (CVE-2019-19921).  The path does not show it, the descriptor does."""
    destination = paths.clean(c.spec["mounts"][index]["destination"])
    if destination.partition("/")[0] == "proc" or not may_lead_anywhere(c.spec["mounts"][:index], destination):
        return
    b = c.b
    fine = Label()
    before = b.purpose(
        f"mounts[{index}].destination",
        f'"{c.spec["mounts"][index]["destination"]}" cannot be mounted because it is inside /proc',
        {EPERM: "a symbolic link in the container's file system leads there"},
    )
    _unless_proc(b, place, fine)
    b.fail(EPERM)
    b.place(fine)
    b.resume(before)


def only_proc(c: Construction, index: int, tree: Register) -> None:
    """Fail when something else than procfs would be bound to /proc: programs trust what they read there
    (CVE-2019-16884)."""
    b = c.b
    other, fine = Label(), Label()
    before = b.purpose(
        f"mounts[{index}].source",
        f'"{c.spec["mounts"][index]["destination"]}" cannot be mounted because it is not of type proc',
        {EPERM: "mount a file system of type proc, or bind the host's"},
    )
    _unless_proc(b, tree, other)
    b.jump(fine)
    b.place(other)
    b.fail(EPERM)
    b.place(fine)
    b.resume(before)


def _unless_proc(b: Builder, handle: Register, label: Label) -> None:
    buffer = b.space(_STATFS_SIZE)
    b.do("fstatfs", handle, buffer)
    kind = b.load(buffer, 8)  # f_type
    b.jump_unless(kind, linux.PROC_SUPER_MAGIC, label)
    b.free(kind)


def may_lead_anywhere(earlier: list[Mount], destination: str) -> bool:
    """Not below a directory of the root, such as /dev, that is a new file system without links of others; nor below a
    procfs that the config itself has put elsewhere.

    What is mounted after it somewhere else may lie below it all the same: a link of the image leads there.
    """
    foreign = False
    for mount in reversed(earlier):
        options = mount.get("options") or ()
        if "remount" in options:
            continue
        place = paths.clean(mount["destination"])
        bind = "bind" in options or "rbind" in options
        kind = None if bind else mount.get("type")
        if not destination.startswith(place + "/"):
            foreign = foreign or kind not in _KERNEL_TYPES
        elif "/" not in place and not bind:
            return kind not in _NEW_TYPES or "tmpcopyup" in options or (foreign and kind != "proc")
        elif kind == "proc" or (bind and f"{mount.get('source')}/".startswith("/proc/")):
            return False
        elif bind:
            return True
    return True
