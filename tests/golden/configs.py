"""Configs and made-up hosts, each small and about one thing, whose programs are kept as text in programs/.

The base is a container that asks for next to nothing, so that what a case adds stands out.  `default` is the config
that `orlop spec` writes.
"""

from __future__ import annotations

from orlop.cgroup import device_program, devices
from orlop.plan.facts import FILE, NULL, OTHER, CgroupEntry, CgroupMount, Facts, Request, SeccompFilter
from orlop.spec.load import load, load_process
from orlop.spec.template import default, host_root, rootless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from orlop.spec.types import Process, Spec

    Object: TypeAlias = dict[str, object]

ID = "golden"
ROOTFS = "/bundle/rootfs"
FIFO = f"/run/orlop/{ID}/exec.fifo"
MAPPINGS: list[object] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
PROC: Object = {"destination": "/proc", "type": "proc", "source": "proc"}
DEVPTS: Object = {
    "destination": "/dev/pts",
    "type": "devpts",
    "source": "devpts",
    "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
}
DEVICE_RULES: Object = {
    "devices": [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"},
    ]
}
V1_MOUNTS = (
    CgroupMount("memory", ("memory",), f"/sys/fs/cgroup/memory/{ID}"),
    CgroupMount("cpu,cpuacct", ("cpu", "cpuacct"), f"/sys/fs/cgroup/cpu,cpuacct/{ID}"),
    CgroupMount("systemd", ("name=systemd",), f"/sys/fs/cgroup/systemd/{ID}"),
)
V1_TASKS = tuple(f"{row.directory}/tasks" for row in V1_MOUNTS)


class Case:
    """A config, a host and a caller.  `process` makes it an exec in the container of the config."""

    def __init__(
        self,
        about: str,
        spec: Mapping[str, object] | None = None,
        *,
        facts: Facts | None = None,
        request: Request | None = None,
        process: Mapping[str, object] | None = None,
    ) -> None:
        from orlop.spec.json import dump

        self.about = about
        self.spec: Spec = load(dump(spec or base()).encode())
        self.facts = facts or Facts()
        self.request = request or ask()
        self.process: Process | None = load_process(dump(process).encode(), "process.json") if process else None


def ask(
    *,
    control: int = 3,
    fifo: str | None = FIFO,
    cgroup: CgroupEntry | None = None,
    no_pivot: bool = False,
    new_keyring: bool = False,
    extra_env: tuple[str, ...] = (),
    stamps: int | None = None,
    seccomp: SeccompFilter | None = None,
    idmaps: dict[int, int] | None = None,
    unprivileged: bool = False,
) -> Request:
    return Request(
        container_id=ID,
        rootfs=ROOTFS,
        control=control,
        fifo=fifo,
        cgroup=cgroup,
        no_pivot=no_pivot,
        new_keyring=new_keyring,
        extra_env=extra_env,
        state={"ociVersion": "1.3.0", "id": ID, "bundle": "/bundle"},
        stamps=stamps,
        seccomp=seccomp,
        idmaps=idmaps,
        directory=f"/run/orlop/{ID}" if idmaps else "",
        unprivileged=unprivileged,
    )


def process(**members: object) -> Object:
    return {"user": {"uid": 0, "gid": 0}, "args": ["/bin/true"], "env": ["HOME=/root"], "cwd": "/", **members}


def base(
    *namespaces: str | Object, linux: Object | None = None, process_members: Object | None = None, **members: object
) -> Object:
    rows = [row if isinstance(row, dict) else {"type": row} for row in ("mount", *namespaces)]
    return {
        "ociVersion": "1.3.0",
        "process": process(**(process_members or {})),
        "root": {"path": ROOTFS},
        "linux": {"namespaces": rows, **(linux or {})},
        **members,
    }


def mounting(*mounts: Object, namespaces: tuple[str, ...] = (), linux: Object | None = None) -> Object:
    return base(*namespaces, linux=linux, mounts=list(mounts))


def mount(destination: str, kind: str, source: str, *options: str) -> Object:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def bind(source: str, destination: str, *options: str) -> Object:
    return mount(destination, "bind", source, *options)


def without_mount_namespace() -> Object:
    spec = base()
    spec["linux"] = {"namespaces": [{"type": "uts"}]}
    return spec


def filtered(rules: Object) -> CgroupEntry:
    code = device_program.program(devices.policy(rules, ()))
    return CgroupEntry(directory=f"/sys/fs/cgroup/{ID}", device_program=code)


USER: Object = {"uidMappings": MAPPINGS, "gidMappings": MAPPINGS}
HOOK: Object = {"path": "/usr/bin/hook", "args": ["hook", "--verbose"], "env": ["A=1"], "timeout": 5}
ALLOW_ALL = SeccompFilter(bytes.fromhex("060000000000ff7f"), 4)  # BPF_RET: SECCOMP_RET_ALLOW
SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")

CASES: dict[str, Case] = {
    # Whole configs
    "default": Case(
        "what `orlop spec` writes, on a host with cgroup version 2",
        default(cgroup2=True),
        facts=Facts(unified=True, limits={7: (1024, 524288)}),
        request=ask(cgroup=filtered({"devices": [{"allow": False, "access": "rwm"}]}), new_keyring=True),
    ),
    "default-hybrid": Case(
        "what `orlop spec` writes, on a host with cgroup version 1",
        default(cgroup2=False),
        facts=Facts(limits={7: (1024, 512)}),
        request=ask(cgroup=CgroupEntry(V1_TASKS, f"/sys/fs/cgroup/unified/{ID}", mounts=V1_MOUNTS), new_keyring=True),
    ),
    "default-rootless": Case(
        "what `orlop spec --rootless` writes",
        rootless(default(cgroup2=True), 1000, 1000),
        facts=Facts(makes_nodes=False, unified=True, sources={"/sys": True}),
        request=ask(unprivileged=True),
    ),
    "default-host-root": Case(
        "the container of the demo: the host's own /usr, read-only",
        host_root(default(cgroup2=True), {"/usr": "/usr", "/bin": "/usr/bin", "/etc/passwd": "/etc/passwd"}.get),
        facts=Facts(unified=True, sources={"/usr": True, "/usr/bin": True, "/etc/passwd": False}),
    ),
    "minimal": Case("a mount namespace, and nothing else"),
    "aarch64": Case(
        "on AArch64: other numbers, and two flags of open(2) have other values",
        mounting(PROC, namespaces=("pid",)),
        facts=Facts(architecture="aarch64"),
    ),
    # Namespaces
    "systemd": Case(
        "the systemd driver: the executor waits until systemd has made the cgroup around it",
        base(),
        facts=Facts(unified=True),
        request=ask(cgroup=CgroupEntry(directory=f"/sys/fs/cgroup/system.slice/runc-{ID}.scope", waits=True)),
    ),
    "namespaces-all-but-user": Case(
        "every namespace but user and time", base("pid", "network", "ipc", "uts", "cgroup", hostname="a")
    ),
    "namespaces-user": Case("a user namespace: wait for the id maps, become root of it", base("user", linux=USER)),
    "namespaces-time": Case(
        "a time namespace: unshared before the clone, with its offsets",
        base("time", linux={"timeOffsets": {"monotonic": {"secs": 60, "nanosecs": 5}, "boottime": {"secs": 120}}}),
    ),
    "namespaces-time-user": Case(
        "a time namespace that a user namespace owns: the executor moves into that first",
        base("user", "time", linux={**USER, "timeOffsets": {"boottime": {"secs": 3600}}}),
    ),
    "namespaces-joined": Case(
        "network and ipc of another container, by path",
        base({"type": "network", "path": "/run/netns/blue"}, {"type": "ipc", "path": "/proc/1234/ns/ipc"}, "pid"),
    ),
    "namespaces-joined-cgroup": Case(
        "a cgroup namespace is joined after the clone into the cgroup, which may be outside of it",
        base({"type": "cgroup", "path": "/proc/1234/ns/cgroup"}, "pid"),
        facts=Facts(unified=True),
        request=ask(cgroup=CgroupEntry(directory=f"/sys/fs/cgroup/{ID}")),
    ),
    "namespaces-joined-cgroup-user": Case(
        "a cgroup namespace beside a new user namespace: joined before the clone, and the executor moves before that",
        base({"type": "cgroup", "path": "/proc/1234/ns/cgroup"}, "user", linux=USER),
        facts=Facts(unified=True),
        request=ask(cgroup=CgroupEntry(directory=f"/sys/fs/cgroup/{ID}")),
    ),
    "namespaces-joined-user": Case(
        "a user namespace by path, and a new pid namespace that it owns",
        base({"type": "user", "path": "/proc/1234/ns/user"}, "pid"),
    ),
    "namespaces-no-mount": Case("no mount namespace: chroot", without_mount_namespace()),
    # Mounts
    "mounts-file-systems": Case(
        "proc and sysfs refuse symbolic links on the way; options of a file system",
        mounting(
            PROC,
            mount("/sys", "sysfs", "sysfs", "ro", "nosuid", "noexec", "nodev"),
            mount("/data", "ext4", "/dev/sdz", "ro", "data=ordered", "sync"),
            namespaces=("pid", "network"),
        ),
    ),
    "mounts-long-options": Case(
        "an option that is longer than fsconfig takes: mount(2), on a place that nobody sees, and from there",
        mounting(mount("/data", "overlay", "overlay", "lowerdir=" + ":".join(["/" + "l" * 99] * 3), "ro", "nosuid")),
    ),
    "mounts-tmpfs": Case(
        "a tmpfs takes the mode of what it covers, unless it is given; a read-only one is closed last",
        mounting(mount("/run", "tmpfs", "tmpfs", "ro", "size=1m"), mount("/run/lock", "tmpfs", "tmpfs", "mode=1777")),
    ),
    "mounts-copy-up": Case(
        "tmpcopyup: the supervisor copies", mounting(mount("/etc", "tmpfs", "tmpfs", "tmpcopyup", "nosuid"))
    ),
    "mounts-bind-directory": Case(
        "a bind mount of a directory, with its submounts",
        mounting(bind("/srv/data", "/data", "rbind")),
        facts=Facts(sources={"/srv/data": True}),
    ),
    "mounts-bind-file": Case(
        "a bind mount of a file, read-only: an empty file is made where there is none",
        mounting(bind("/etc/resolv.conf", "/etc/resolv.conf", "bind", "ro", "nosuid")),
        facts=Facts(sources={"/etc/resolv.conf": False}),
    ),
    "mounts-bind-recursive-attributes": Case(
        "attributes of the whole tree",
        mounting(bind("/srv", "/srv", "rbind", "rro", "rnosuid", "rnoatime")),
        facts=Facts(sources={"/srv": True}),
    ),
    "mounts-bind-access-time": Case(
        "words that give and take attributes, the last one winning",
        mounting(bind("/srv", "/srv", "bind", "ro", "rw", "noatime", "nodiratime", "dev")),
        facts=Facts(sources={"/srv": True}),
    ),
    "mounts-propagation": Case(
        "propagation of single mounts; the source of a shared one is opened before its peers are cut off",
        mounting(
            bind("/srv/a", "/a", "rbind", "rshared"),
            bind("/srv/b", "/b", "bind", "slave"),
            mount("/c", "tmpfs", "tmpfs", "mode=755", "private", "unbindable"),
        ),
        facts=Facts(sources={"/srv/a": True, "/srv/b": True}),
    ),
    "mounts-bind-user-namespace": Case(
        "with a user namespace, bind sources are opened while the process still has the host's ids",
        mounting(bind("/srv/data", "/data", "rbind"), namespaces=("user",), linux=USER),
        facts=Facts(sources={"/srv/data": True}),
    ),
    "mounts-id-mapped": Case(
        "id-mapped mounts: cloned and mapped before the clone, with user namespaces that the supervisor has made",
        mounting(
            {**bind("/srv/a", "/a", "bind"), "uidMappings": MAPPINGS, "gidMappings": MAPPINGS},
            bind("/srv/b", "/b", "rbind", "ridmap", "ro"),
            namespaces=("user",),
            linux=USER,
        ),
        facts=Facts(sources={"/srv/a": True, "/srv/b": True}),
        request=ask(idmaps={0: 4, 1: 4}),
    ),
    "mounts-cgroup-v1": Case(
        "cgroup version 1: a tmpfs with the container's part of each hierarchy",
        mounting(mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid")),
        request=ask(cgroup=CgroupEntry(V1_TASKS, mounts=V1_MOUNTS)),
    ),
    "mounts-cgroup-v1-namespace": Case(
        "the same with a cgroup namespace, in which new mounts show its part",
        mounting(mount("/sys/fs/cgroup", "cgroup", "cgroup"), namespaces=("cgroup",)),
        request=ask(cgroup=CgroupEntry(V1_TASKS, mounts=V1_MOUNTS)),
    ),
    "mounts-cgroup-v2": Case(
        "cgroup version 2 without a cgroup namespace",
        mounting(mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro")),
        facts=Facts(unified=True),
        request=ask(cgroup=CgroupEntry(directory=f"/sys/fs/cgroup/{ID}")),
    ),
    # The root file system
    "root-read-only": Case("root.readonly", base(root={"path": ROOTFS, "readonly": True})),
    "root-propagation-shared": Case(
        "linux.rootfsPropagation: shared can be set only when the root is entered",
        base(linux={"rootfsPropagation": "shared"}),
    ),
    "root-propagation-private": Case(
        "linux.rootfsPropagation: rprivate", base(linux={"rootfsPropagation": "rprivate"})
    ),
    "root-no-pivot": Case(
        "--no-pivot: the host's proc and sysfs are unmounted, the root is moved",
        facts=Facts(proc_mounts=("/sys", "/proc")),
        request=ask(no_pivot=True),
    ),
    "paths-masked-and-read-only": Case(
        "a masked path is covered, a read-only one bound over itself; missing ones are skipped",
        base(linux={"maskedPaths": ["/proc/kcore", "/sys/firmware"], "readonlyPaths": ["/proc/sys"]}),
    ),
    # Devices
    "devices": Case(
        "devices of the config: one with an owner in a directory that is made, one in place of a default",
        base(
            linux={
                "devices": [
                    {"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200, "fileMode": 0o660, "gid": 7},
                    {"path": "/dev/null", "type": "c", "major": 1, "minor": 3},
                    {"path": "/dev/loop300", "type": "b", "major": 7, "minor": 300},
                    {"path": "/dev/log", "type": "p"},
                ]
            }
        ),
    ),
    "devices-bound": Case("who may not make nodes binds the host's", facts=Facts(makes_nodes=False)),
    "devices-of-the-host": Case(
        "with the host's /dev bound, no device is made",
        mounting(bind("/dev", "/dev", "rbind")),
        facts=Facts(sources={"/dev": True}),
    ),
    "devices-filter": Case(
        "device rules on cgroup version 2: a BPF program",
        base(linux={"resources": DEVICE_RULES}),
        facts=Facts(unified=True),
        request=ask(cgroup=filtered(DEVICE_RULES)),
    ),
    "seccomp-listener": Case(
        "SCMP_ACT_NOTIFY: the filter is loaded before start, and its listener told; hooks run under it",
        base(hooks={"startContainer": [HOOK]}),
        request=ask(seccomp=SeccompFilter(ALLOW_ALL.program, 8 | 32)),
    ),
    "seccomp-listener-run": Case(
        "the same in `run`: the supervisor is waited for, and not the fifo",
        request=ask(fifo=None, seccomp=SeccompFilter(ALLOW_ALL.program, 8)),
    ),
    "network-devices": Case(
        "linux.netDevices: the supervisor moves them, with a socket of the container's network namespace",
        base("network", linux={"netDevices": {"eth1": {"name": "eth0"}}}),
    ),
    # The process
    "process-terminal": Case(
        "a terminal of the container's own devpts, with a size",
        base(
            mounts=[PROC, DEVPTS],
            process_members={"terminal": True, "consoleSize": {"height": 25, "width": 80}},
        ),
    ),
    "process-user": Case(
        "another user, with groups and a umask: the standard streams become its own",
        base(process_members={"user": {"uid": 1000, "gid": 100, "additionalGids": [5, 27], "umask": 0o077}}),
        facts=Facts(stdio=(NULL, FILE, OTHER)),
    ),
    "process-cwd": Case(
        "a working directory that may be missing, or closed to root", base(process_members={"cwd": "/home/user/work"})
    ),
    "process-capabilities": Case(
        "all five sets",
        base(process_members={"capabilities": {name: ["CAP_CHOWN", "CAP_NET_RAW"] for name in SETS}}),
        facts=Facts(last_capability=14),
    ),
    "process-limits": Case(
        "a hard limit above the runtime's own is raised before the clone",
        base(
            process_members={
                "rlimits": [
                    {"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1048576},
                    {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
                ]
            }
        ),
        facts=Facts(limits={7: (1024, 4096), 4: (0, 2**64 - 1)}),
    ),
    "process-privileges": Case(
        "no_new_privs, the score for the OOM killer, the personality",
        base(
            process_members={"noNewPrivileges": True, "oomScoreAdj": -500}, linux={"personality": {"domain": "LINUX32"}}
        ),
    ),
    "process-home": Case(
        "without HOME the supervisor is asked", base(process_members={"env": ["PATH=/bin", "A=1", "B=2", "A=3"]})
    ),
    "process-path": Case(
        "a program without a slash is looked for in PATH, of which an empty entry is the working directory",
        base(process_members={"args": ["tool", "-x", "ü"], "env": ["HOME=/", "PATH=/opt/bin::/bin"]}),
    ),
    "process-descriptors": Case(
        "two descriptors are passed on, beside sockets of the service manager",
        request=ask(control=6, extra_env=("LISTEN_FDS=1", "LISTEN_PID=1")),
    ),
    "process-sysctl": Case(
        "names and sysctls, through a procfs that is mounted nowhere",
        base(
            "uts",
            "network",
            "ipc",
            linux={"sysctl": {"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "0"}},
            hostname="host",
            domainname="example.org",
        ),
    ),
    "process-scheduling": Case(
        "scheduler, priority of input and output, and policy of memory",
        base(
            process_members={
                "scheduler": {"policy": "SCHED_FIFO", "priority": 10, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
                "ioPriority": {"class": "IOPRIO_CLASS_IDLE"},
            },
            linux={"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0-1,4"}},
        ),
    ),
    "process-apparmor": Case(
        "the profile of AppArmor, through the host's /proc",
        base(process_members={"apparmorProfile": "golden"}),
        facts=Facts(apparmor=True),
    ),
    "process-selinux": Case(
        "labels of SELinux, for the process and for mounts",
        base(
            process_members={"selinuxLabel": "system_u:system_r:container_t:s0"},
            linux={"mountLabel": "system_u:object_r:container_file_t:s0"},
            mounts=[PROC, mount("/run", "tmpfs", "tmpfs", "mode=755")],
        ),
        facts=Facts(selinux=True),
    ),
    "process-seccomp": Case(
        "a seccomp filter with no_new_privs: tried early, loaded last",
        base(process_members={"noNewPrivileges": True}),
        request=ask(seccomp=ALLOW_ALL),
    ),
    "process-seccomp-privileged": Case(
        "the same without: CAP_SYS_ADMIN is kept until the filter is loaded",
        base(
            process_members={
                "user": {"uid": 1000, "gid": 1000},
                "capabilities": {name: ["CAP_CHOWN"] for name in ("bounding", "permitted", "effective")},
            }
        ),
        facts=Facts(last_capability=3),
        request=ask(seccomp=ALLOW_ALL),
    ),
    # Hooks, and who waits for whom
    "hooks": Case(
        "hooks of all kinds: the supervisor's are waited for, those of the container are run, one with a timeout",
        base(
            "pid",
            hooks={
                "prestart": [HOOK],
                "createRuntime": [HOOK],
                "createContainer": [HOOK],
                "startContainer": [{"path": "/bin/started"}],
                "poststart": [HOOK],
                "poststop": [HOOK],
            },
        ),
    ),
    "run": Case("`run` waits for the supervisor itself, without a fifo", request=ask(fifo=None)),
    "timed": Case("time stamps of every operation", request=ask(stamps=4)),
    # A further process
    "exec": Case(
        "exec in a container with every namespace but user",
        base("pid", "network", "ipc", "uts", "cgroup"),
        process=process(args=["/bin/sh", "-c", "id"]),
        request=ask(fifo=None, cgroup=CgroupEntry(V1_TASKS)),
    ),
    "exec-user-terminal": Case(
        "exec with a terminal and another user, in a container with a user namespace, on cgroup version 2",
        base("pid", "user", "cgroup", linux=USER),
        process=process(terminal=True, user={"uid": 33, "gid": 33}),
        facts=Facts(unified=True),
        request=ask(fifo=None, cgroup=CgroupEntry(directory=f"/sys/fs/cgroup/{ID}")),
    ),
}
