"""In the runtime's namespaces: get ready, then clone the process that becomes the container.

executor, spawned by the supervisor            the container's first process
unshare(those that may come before the rest), while the supervisor makes the cgroup
open what only the host can see
setns to the namespaces given by path
clone3(new namespaces, into the cgroup) ─────▶ write "0" to the v1 cgroups' task files; setns(cgroup)
event PID; exit                                open bind sources while still the host's user
                                               wait for the id maps, become the mapped root
"""

from __future__ import annotations

from _struct import pack
from errno import EACCES, EINVAL, EPERM

from orlop.plan import events
from orlop.program import linux
from orlop.program.builder import CLONE_ARGS_CGROUP, Builder
from orlop.program.layout import MAX_OPS, STAMPS_BASE, WHEN_NOT_ZERO
from orlop.program.ops import Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction
    from orlop.program.ops import Register

# In this order the paths are joined: the user namespace after those that its owner might not be allowed to join, the
# mount namespace last, because the paths of the others are the runtime's.
JOIN_ORDER = ("ipc", "uts", "network", "pid", "cgroup", "time", "user", "mount")
FLAGS = {
    "ipc": linux.CLONE_NEWIPC,
    "uts": linux.CLONE_NEWUTS,
    "network": linux.CLONE_NEWNET,
    "pid": linux.CLONE_NEWPID,
    "cgroup": linux.CLONE_NEWCGROUP,
    "time": linux.CLONE_NEWTIME,
    "user": linux.CLONE_NEWUSER,
    "mount": linux.CLONE_NEWNS,
}
WAIT_BUFFER = 8
_FIRST = ("network", "ipc", "uts")
_CGROUP_NAMESPACE = "the cgroup namespace"  # among what is opened, which else are paths

STAMPS_SIZE = 8 * MAX_OPS


def map_stamps(c: Construction) -> None:
    """The first operation, if times are asked for: memory that the supervisor sees too, on both sides of the clone."""
    if c.request.stamps is None:
        return
    b = c.b
    b.purpose("timing", "unable to map the time stamps")
    access, shared = linux.PROT_READ | linux.PROT_WRITE, linux.MAP_SHARED | linux.MAP_FIXED
    b.do("mmap", STAMPS_BASE, STAMPS_SIZE, access, shared, c.request.stamps, 0)


def only_known_descriptors(c: Construction) -> None:
    """Close what a careless caller left open: nothing but the standard streams, wanted descriptors and the socket."""
    c.b.purpose("descriptors")
    last = max((c.request.control, *c.request.idmaps.values()))
    c.b.do("close_range", last + 1, 0xFFFF_FFFF, 0)


def oom_score(c: Construction) -> None:
    """The score is inherited, so it is written before the clone, where /proc is the host's."""
    score = c.process.get("oomScoreAdj")
    if score is None:
        return
    b = c.b
    b.purpose("process.oomScoreAdj", f"error writing {score} to oom_score_adj", _PRIVILEGE)
    write_file(b, "/proc/self/oom_score_adj", str(score))


_PRIVILEGE = {EACCES: "lowering the score below the runtime's own needs CAP_SYS_RESOURCE"}


def write_file(b: Builder, path: str, text: str) -> None:
    """Write a file of the host's /proc or /sys."""
    fd = b.get("openat", linux.AT_FDCWD, path, linux.O_WRONLY | linux.O_CLOEXEC, 0)
    b.do("write", fd, text, len(text))
    b.close(fd)


def unshare_first(c: Construction) -> None:
    """Make the namespaces that need not belong to another one: a network takes the kernel longer than all the rest of
    the clone, and the supervisor makes the cgroup meanwhile."""
    flags = sum(FLAGS[kind] for kind in _FIRST if _comes_first(c, kind))
    if flags:
        c.b.purpose("linux.namespaces", "unable to make the container's namespaces", _CLONE_HINTS)
        c.b.do("unshare", flags)


def _comes_first(c: Construction, kind: str) -> bool:
    return kind in _FIRST and c.creates(kind) and "user" not in c.namespaces


def open_cgroup(c: Construction) -> None:
    """Wait for the cgroup where that is made only now; open the ways into it, and put the device filter on it.

    The kernel takes longer to check the filter than for a dozen mounts: it does while the cgroup is made.
    """
    entry = c.request.cgroup
    b = c.b
    device_filter = _load_device_filter(c, entry.device_program) if entry.directory and entry.device_program else None
    if entry.waits:
        b.purpose("linux.cgroupsPath", "unable to wait for the container's cgroup")
        b.wait(b.space(WAIT_BUFFER), WAIT_BUFFER)
    b.purpose("linux.cgroupsPath", "error adding pid of the process to its cgroup")
    for path in entry.tasks:
        c.opened[path] = b.get("openat", linux.AT_FDCWD, path, linux.O_WRONLY | linux.O_CLOEXEC, 0)
    if entry.directory is None:
        return
    if c.joins("cgroup") and not _joins_cgroup_late(c):
        write_file(b, f"{entry.directory}/cgroup.procs", "0")  # and the clone inherits it
    else:
        flags = linux.O_PATH | linux.O_DIRECTORY | linux.O_CLOEXEC
        c.opened[entry.directory] = b.get("openat", linux.AT_FDCWD, entry.directory, flags, 0)
    if device_filter is not None:
        _attach_device_filter(c, entry.directory, device_filter)


def _load_device_filter(c: Construction, instructions: bytes) -> Register:
    b = c.b
    b.purpose("linux.resources.devices", "unable to load the device filter")
    code, licence = b.constant(instructions), b.string("Apache")
    load = b.constant(pack("<IIQQ96x", linux.BPF_PROG_TYPE_CGROUP_DEVICE, len(instructions) // 8, code, licence))
    return b.get("bpf", linux.BPF_PROG_LOAD, load, 120)


def _attach_device_filter(c: Construction, directory: str, program: Register) -> None:
    b = c.b
    b.purpose("linux.resources.devices", "unable to attach the device filter")
    target = b.get("openat", linux.AT_FDCWD, directory, linux.O_DIRECTORY | linux.O_CLOEXEC, 0)
    attach = b.variable(pack("<IIII", 0, 0, linux.BPF_CGROUP_DEVICE, linux.BPF_F_ALLOW_MULTI))
    b.store(attach, 4, target)
    b.store(attach + 4, 4, program)
    b.do("bpf", linux.BPF_PROG_ATTACH, attach, 16)
    b.close(target, program)


def join_namespaces(c: Construction) -> None:
    """Join the namespaces that are given by path; the clone inherits them."""
    b = c.b
    joined = [kind for kind in JOIN_ORDER if c.joins(kind)]
    if not joined:
        return
    handles = []
    for kind in joined:
        path = c.joins(kind) or ""
        b.purpose(_field(c, kind), f'unable to join the {kind} namespace "{path}"', _WRONG_TYPE)
        handles.append(b.get("openat", linux.AT_FDCWD, path, linux.O_RDONLY | linux.O_CLOEXEC, 0))
    b.purpose("process", "unable to protect the executor from the namespaces it joins")
    b.do("prctl", linux.PR_SET_DUMPABLE, 0, 0, 0, 0)  # CVE-2016-9962
    later: list[tuple[str, Register]] = []
    for kind, handle in zip(joined, handles, strict=True):
        if kind == "cgroup" and _joins_cgroup_late(c):
            c.opened[_CGROUP_NAMESPACE] = handle
            continue
        b.purpose(_field(c, kind), f'unable to join the {kind} namespace "{c.joins(kind)}"', _WRONG_TYPE)
        if c.joins("user") and JOIN_ORDER.index(kind) < JOIN_ORDER.index("user"):
            _join_now_or_later(c, kind, handle)
            later.append((kind, handle))
            continue
        b.do("setns", handle, FLAGS[kind])
        b.close(handle)
        if kind == "user":
            _join_the_rest(c, later)


def _joins_cgroup_late(c: Construction) -> bool:
    """Is the cgroup namespace joined after the clone?  Where that is a boundary of delegation, the kernel lets nobody
    inside move to a cgroup from outside (cgroups(7), nsdelegate).  In a user namespace it could be too late: then the
    executor moves before it joins."""
    return c.joins("cgroup") is not None and "user" not in c.namespaces


def _join_now_or_later(c: Construction, kind: str, handle: Register) -> None:
    """One that belongs to the user namespace that is joined too may want its privileges: its handle stays open."""
    b = c.b
    refused = Label()
    b.do("setns", handle, FLAGS[kind], on={EPERM: refused})
    b.do("close", handle)
    b.set(handle, 0)
    b.place(refused)


def _join_the_rest(c: Construction, later: list[tuple[str, Register]]) -> None:
    b = c.b
    for kind, handle in later:
        b.purpose(_field(c, kind), f'unable to join the {kind} namespace "{c.joins(kind)}"', _WRONG_TYPE)
        joined = Label()
        b.jump_if(handle, joined, zero=True)
        b.do("setns", handle, FLAGS[kind])
        b.do("close", handle)
        b.place(joined)
        b.free(handle)


_WRONG_TYPE = {EINVAL: "the path must be a namespace of this very type that is not the runtime's own user namespace"}


def _field(c: Construction, kind: str) -> str:
    rows = c.linux.get("namespaces") or []
    index = next((i for i, row in enumerate(rows) if row["type"] == kind), 0)
    return f"linux.namespaces[{index}]"


def time_offsets(c: Construction) -> None:
    """A time namespace takes its offsets while it is empty: it is unshared before the clone."""
    if not c.creates("time"):
        return
    b = c.b
    b.purpose(_field(c, "time"), "unable to make a time namespace")
    if c.creates("user"):
        _unshare_user(c)
    b.do("unshare", linux.CLONE_NEWTIME)
    for clock, offset in (c.linux.get("timeOffsets") or {}).items():
        b.purpose(f"linux.timeOffsets.{clock}", "unable to set the clock's offset")
        line = f"{clock} {offset.get('secs', 0)} {offset.get('nanosecs', 0)}\n"
        write_file(b, "/proc/self/timens_offsets", line)


def _unshare_user(c: Construction) -> None:
    """The user namespace must own the time namespace, so it comes first and the executor itself moves into it.

    It keeps its ids, though they have no mapping: with others it owns neither its files in /proc nor the cgroup.
    """
    b = c.b
    before = b.purpose(_field(c, "user"), "unable to make a user namespace")
    b.do("unshare", linux.CLONE_NEWUSER)
    pid = b.get("getpid")
    b.event(events.PID, pid)
    b.free(pid)
    b.wait(b.space(WAIT_BUFFER), WAIT_BUFFER)
    b.resume(before)


def clone(c: Construction) -> None:
    """Clone the container's process into its new namespaces; from here on the operations are its own."""
    flags = 0
    for kind in ("mount", "pid", "network", "ipc", "uts", "user"):
        already = _comes_first(c, kind) or (kind == "user" and c.creates("time"))
        if c.creates(kind) and not already and not (kind == "ipc" and _ipc_later(c)):
            flags |= FLAGS[kind]
    c.b.purpose("linux.namespaces", "unable to clone the container's process", _CLONE_HINTS)
    clone_process(c, flags)


def clone_process(c: Construction, flags: int) -> None:
    """Clone a child of the supervisor into the cgroup; it goes on, the executor tells its pid and ends."""
    b = c.b
    cgroup = c.opened.pop(c.request.cgroup.directory or "", None)
    args = b.clone_args(flags | linux.CLONE_PARENT | (linux.CLONE_INTO_CGROUP if cgroup else 0), 0)
    if cgroup:
        b.store(args + CLONE_ARGS_CGROUP, 8, cgroup)
    parent, child = Label(), Label()
    pid = b.get("clone3", args, linux.CLONE_ARGS_SIZE, on={WHEN_NOT_ZERO: parent})
    b.jump(child)
    b.place(parent)
    b.event(events.PID, pid)
    b.do("exit_group", 0)
    b.place(child)
    b.free(pid)
    if cgroup:
        b.close(cgroup)


_CLONE_HINTS = {
    EPERM: "new namespaces need root (CAP_SYS_ADMIN), or a user namespace, as in the config that `spec --rootless` "
    "writes, that the host lets ordinary users make",
    28: "the host's limit on namespaces is reached: see /proc/sys/user/max_*_namespaces",
    11: "the host's or the cgroup's limit on processes is reached",
}


def join_cgroup(c: Construction) -> None:
    """Into the cgroup; the cgroup namespace comes after, a new one because the cgroup is its root."""
    write_tasks(c)
    if _CGROUP_NAMESPACE in c.opened:
        handle = c.opened.pop(_CGROUP_NAMESPACE)
        c.b.purpose(_field(c, "cgroup"), f'unable to join the cgroup namespace "{c.joins("cgroup")}"', _WRONG_TYPE)
        c.b.do("setns", handle, linux.CLONE_NEWCGROUP)
        c.b.close(handle)
    elif c.creates("cgroup"):
        c.b.purpose(_field(c, "cgroup"), "unable to make a cgroup namespace")
        c.b.do("unshare", linux.CLONE_NEWCGROUP)


def write_tasks(c: Construction) -> None:
    """Each process moves itself: for `tasks` and the current task the kernel needs no global lock, as it does for
    cgroup.procs and another's pid (kernel/cgroup/cgroup.c, cgroup_procs_write_start)."""
    b = c.b
    b.purpose("linux.cgroupsPath", "error adding pid of the process to its cgroup")
    for path in c.request.cgroup.tasks:
        handle = c.opened.pop(path)
        b.do("write", handle, "0", 1)
        b.close(handle)


def reset_affinity(c: Construction) -> None:
    """The container gets every processor of its cpuset, whatever the runtime was pinned to."""
    c.b.purpose("process", "unable to reset the CPU affinity")
    c.b.do("sched_setaffinity", 0, 128, b"\xff" * 128, ignore=(EINVAL, EPERM))


def mapped_root(c: Construction) -> None:
    """Wait until the id maps are written, then become root as they say."""
    b = c.b
    b.purpose("linux.uidMappings", "unable to become root of the user namespace")
    if c.creates("user") and not c.creates("time"):
        b.wait(b.space(WAIT_BUFFER), WAIT_BUFFER)
    if "user" in c.namespaces:
        become_root(b)
    if _ipc_later(c):
        b.purpose(_field(c, "ipc"), "unable to make an ipc namespace")
        b.do("unshare", linux.CLONE_NEWIPC)


def _ipc_later(c: Construction) -> bool:
    """Who makes an ipc namespace owns the root of its mqueue file system: that shall be the mapped root, and while the
    container's process is cloned into a user namespace it is nobody there."""
    return "user" in c.namespaces and c.creates("ipc")


def protect(c: Construction) -> None:
    """No process of a namespace that this one has joined may look into it, and no umask is in the way of modes.

    An ordinary user whose container joins none keeps the right to: to enter it before it is started, and to take the
    listener of its seccomp filter, the kernel asks for that (ptrace(2), "Ptrace access mode checking").
    """
    c.b.purpose("process", "unable to protect the executor")
    if not c.request.unprivileged or any(c.joins(kind) for kind in FLAGS):
        c.b.do("prctl", linux.PR_SET_DUMPABLE, 0, 0, 0, 0)
    c.b.do("umask", 0)


def become_root(b: Builder) -> None:
    """All ids 0, no groups; where setgroups is denied they stay."""
    b.do("setgroups", 0, 0, ignore=(EPERM,))
    b.do("setresgid", 0, 0, 0)
    b.do("setresuid", 0, 0, 0)
