"""Configs for running beside another runtime, each the template and one idea."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.system.bundles import Bundle

Change = Callable[[Bundle, Path], object]

ALLOW = {"defaultAction": "SCMP_ACT_ALLOW"}
FUSE = {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}
MAPS = [{"containerID": 0, "hostID": 100000, "size": 65536}]
CAPS = ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"]
SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")


def to(field: str, value: object) -> Change:
    return lambda bundle, _: bundle.set(field, value)


def without(*fields: str) -> Change:
    def change(bundle: Bundle, _: Path) -> None:
        for field in fields:
            bundle.drop(field)

    return change


def tmpfs(*options: str) -> Change:
    return lambda bundle, _: bundle.mount("/srv", "tmpfs", "tmpfs", *options)


def bind(*options: str) -> Change:
    return lambda bundle, place: bundle.bind(place, "/srv", *options)


def namespace(kind: str, path: str | None = "") -> Change:
    return lambda bundle, _: bundle.namespace(kind, path)


def several(*changes: Change) -> Change:
    def change(bundle: Bundle, place: Path) -> None:
        for each in changes:
            each(bundle, place)

    return change


def bind_file(bundle: Bundle, place: Path) -> None:
    (place / "file").write_text("content")
    bundle.bind(place / "file", "/etc/new/file", "bind", "ro")


def link_to_root(bundle: Bundle, _: Path) -> None:
    (bundle.rootfs / "link").symlink_to("/")
    bundle.set("linux.readonlyPaths", ["/link"])


def links(bundle: Bundle, _: Path) -> None:
    (bundle.rootfs / "link").mkdir()
    for name, target in (("file", "/etc/passwd"), ("directory", "../tmp"), ("nowhere", "/no/such")):
        (bundle.rootfs / "link" / name).symlink_to(target)


def shared_ids(bundle: Bundle, _: Path) -> None:
    bundle.user_namespace()


USER = {
    "uid": to("process.user", {"uid": 1000, "gid": 0}),
    "gid": to("process.user", {"uid": 0, "gid": 1000}),
    "groups": to("process.user", {"uid": 0, "gid": 0, "additionalGids": [5, 6, 70000]}),
    "umask": to("process.user", {"uid": 0, "gid": 0, "umask": 0o27}),
    "umask 0": to("process.user", {"uid": 0, "gid": 0, "umask": 0}),
    "user without ids": to("process.user", {}),
    "an id that nobody has": to("process.user", {"uid": 4711, "gid": 4712}),
}
PROCESS = {
    "cwd": to("process.cwd", "/tmp"),
    "cwd that is missing": several(to("process.cwd", "/made/deep"), to("root.readonly", False)),
    "env": to("process.env", ["PATH=/bin", "A=1", "B=two words", "EMPTY="]),
    "env twice": to("process.env", ["PATH=/bin", "A=1", "A=2"]),
    "env with HOME": to("process.env", ["PATH=/bin", "HOME=/elsewhere"]),
    "no env but PATH": to("process.env", ["PATH=/bin"]),
    "HOME of a user": several(to("process.user", {"uid": 1000, "gid": 1000}), to("process.env", ["PATH=/bin"])),
    "oom score": to("process.oomScoreAdj", 321),
    "oom score 0": to("process.oomScoreAdj", 0),
    "new privileges": to("process.noNewPrivileges", False),
    "no new privileges": to("process.noNewPrivileges", True),
    "rlimits": to(
        "process.rlimits",
        [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}],
    ),
    "all rlimits": to(
        "process.rlimits",
        [
            {"type": f"RLIMIT_{name}", "soft": 4096, "hard": 8192}
            for name in ("CPU", "LOCKS", "MSGQUEUE", "NPROC", "RSS", "RTTIME", "SIGPENDING", "MEMLOCK")
        ],
    ),
    "no rlimits": without("process.rlimits"),
    "console size without a terminal": to("process.consoleSize", {"height": 10, "width": 20}),
}
CAPABILITIES = {
    "no capabilities object": without("process.capabilities"),
    "empty capabilities": to("process.capabilities", {}),
    "bounding only": to("process.capabilities", {"bounding": CAPS}),
    "all five sets": to("process.capabilities", dict.fromkeys(SETS, CAPS)),
    "all five sets of a user": several(
        to("process.capabilities", dict.fromkeys(SETS, CAPS)), to("process.user", {"uid": 1000, "gid": 1000})
    ),
    "no ambient for a user": several(
        to("process.capabilities", dict.fromkeys(SETS[:4], CAPS)), to("process.user", {"uid": 1000, "gid": 1000})
    ),
    "inheritable only": to("process.capabilities", {"inheritable": CAPS, "bounding": CAPS, "permitted": CAPS}),
    "an unknown capability": to("process.capabilities", {"bounding": [*CAPS, "CAP_FUTURE"]}),
    "every capability that there is": to(
        "process.capabilities", {key: ["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_MKNOD", "CAP_SETUID"] for key in SETS}
    ),
}
ROOT = {
    "the template": to("hostname", "runc"),
    "a writable root": to("root.readonly", False),
    "readonly left out": without("root.readonly"),
    "propagation private": to("linux.rootfsPropagation", "private"),
    "propagation rprivate": to("linux.rootfsPropagation", "rprivate"),
    "propagation shared": to("linux.rootfsPropagation", "shared"),
    "propagation rshared": to("linux.rootfsPropagation", "rshared"),
    "propagation slave": to("linux.rootfsPropagation", "slave"),
    "propagation rslave": to("linux.rootfsPropagation", "rslave"),
    "propagation unbindable": to("linux.rootfsPropagation", "unbindable"),
    "no masked paths": without("linux.maskedPaths"),
    "no readonly paths": without("linux.readonlyPaths"),
    "a masked file": to("linux.maskedPaths", ["/etc/passwd"]),
    "a masked directory": to("linux.maskedPaths", ["/bin/../tmp"]),
    "masked links": several(links, to("linux.maskedPaths", ["/link/file", "/link/directory", "/link/nowhere"])),
    "read-only links": several(links, to("linux.readonlyPaths", ["/link/file", "/link/directory", "/link/nowhere"])),
    "a read-only link to the root": several(link_to_root, to("root.readonly", False)),
    "the root is a read-only path": several(to("linux.readonlyPaths", ["/"]), to("root.readonly", False)),
    "masked paths that are missing": to("linux.maskedPaths", ["/no/such", "/etc/passwd/below"]),
    "a readonly directory": several(to("linux.readonlyPaths", ["/tmp"]), to("root.readonly", False)),
    "readonly paths that are missing": to("linux.readonlyPaths", ["/no/such"]),
}
MOUNTS = {
    **{
        f"tmpfs {word or 'plain'}": tmpfs(*word.split())
        for word in (
            "",
            "ro",
            "nosuid",
            "nodev",
            "noexec",
            "nosuid nodev noexec",
            "noatime",
            "nodiratime",
            "relatime",
            "strictatime",
            "size=64k",
            "mode=0700",
            "mode=1777 size=1m",
            "uid=5 gid=6",
            "nr_inodes=9",
            "sync",
            "dirsync",
            "defaults",
            "ro rw",
            "rw ro",
            "private",
            "rprivate",
            "shared",
            "rshared",
            "slave",
            "rslave",
            "unbindable",
            "runbindable",
            "nosuid suid",
            "lazytime",
            "iversion",
            "silent",
            "mand",
            "tmpcopyup",
        )
    },
    **{
        f"bind {word}": bind(*word.split())
        for word in (
            "bind",
            "rbind",
            "bind ro",
            "rbind ro",
            "rbind nosuid nodev noexec",
            "bind noatime",
            "bind nodiratime",
            "bind relatime",
            "bind strictatime",
            "rbind rro",
            "rbind rnosuid",
            "rbind rnoexec rnodev",
            "rbind shared",
            "rbind rshared",
            "rbind slave",
            "rbind rslave",
            "rbind private",
            "rbind rprivate",
            "bind unbindable",
            "bind ro rprivate",
            "rbind rw",
            "bind exec suid dev",
            "rbind rnosymfollow",
            "bind nosymfollow",
        )
    },
    "a bind of a file": bind_file,
    "a bind without a type": lambda bundle, place: bundle.mount("/srv", "", place, "rbind"),
    "a bind that calls itself none": lambda bundle, place: bundle.mount("/srv", "none", place, "rbind", "ro"),
    "a relative destination": lambda bundle, _: bundle.mount("srv/x", "tmpfs", "tmpfs"),
    "a destination with dots": lambda bundle, _: bundle.mount("/tmp/../srv/./x", "tmpfs", "tmpfs"),
    "tmpfs rro rnosuid": tmpfs("rro", "rnosuid"),
    "a remount": several(tmpfs("size=1m"), tmpfs("remount", "size=64k", "nosuid", "nodev")),
    "a remount with bind": several(tmpfs("nosuid"), bind("remount", "bind", "ro", "noexec")),
    "two mounts on one place": several(tmpfs("size=4k"), tmpfs("size=8k")),
    "no mounts but proc": lambda bundle, _: bundle.without_mount(
        "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"
    ),
    "no cgroup mount": lambda bundle, _: bundle.without_mount("/sys/fs/cgroup"),
    "no sysfs": lambda bundle, _: bundle.without_mount("/sys", "/sys/fs/cgroup"),
    "a second proc": lambda bundle, _: bundle.mount("/mnt/proc", "proc", "proc", "nosuid"),
    "a ramfs": lambda bundle, _: bundle.mount("/srv", "ramfs", "ramfs"),
    "dev of the host": lambda bundle, _: bundle.without_mount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue").bind(
        "/dev", "/dev", "rbind", "ro"
    ),
}
NAMESPACES = {
    **{f"no {kind} namespace": namespace(kind, None) for kind in ("pid", "network", "ipc")},
    "no uts namespace": several(namespace("uts", None), without("hostname")),
    "a cgroup namespace": namespace("cgroup"),
    "a user namespace": shared_ids,
    "the network of init": namespace("network", "/proc/1/ns/net"),
    "a hostname": to("hostname", "another-name"),
    "no hostname": without("hostname"),
    "a sysctl": to("linux.sysctl", {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096"}),
    "a sysctl with slashes": to("linux.sysctl", {"net/ipv4/ip_unprivileged_port_start": "7"}),
}
DEVICES = {
    "a device": to("linux.devices", [FUSE]),
    "a device with a mode and an owner": to("linux.devices", [{**FUSE, "fileMode": 0o640, "uid": 5, "gid": 6}]),
    "a device elsewhere": several(
        to("linux.devices", [{**FUSE, "path": "/srv/deep/fuse"}]), to("root.readonly", False)
    ),
    "a device with the mode 0": to("linux.devices", [{**FUSE, "fileMode": 0}]),
    "a block device": to("linux.devices", [{"path": "/dev/loop9", "type": "b", "major": 7, "minor": 9}]),
    "a pipe": to("linux.devices", [{"path": "/dev/pipe", "type": "p", "fileMode": 0o600}]),
    "an unbuffered device": to("linux.devices", [{**FUSE, "type": "u"}]),
    "a default device with an owner": to(
        "linux.devices", [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600, "uid": 5}]
    ),
    "a device twice": to("linux.devices", [FUSE, {**FUSE, "path": "/dev/fuse2"}]),
}
SECCOMP = {
    "a filter": to("linux.seccomp", {**ALLOW, "syscalls": [{"names": ["mknod"], "action": "SCMP_ACT_ERRNO"}]}),
    "a filter that allows all": to("linux.seccomp", ALLOW),
    "a filter without no new privileges": several(
        to("linux.seccomp", {**ALLOW, "syscalls": [{"names": ["mknod"], "action": "SCMP_ACT_ERRNO"}]}),
        to("process.noNewPrivileges", False),
    ),
    "an unknown system call": to(
        "linux.seccomp", {**ALLOW, "syscalls": [{"names": ["no_such_call"], "action": "SCMP_ACT_ERRNO"}]}
    ),
}
RESOURCES = {
    "a memory limit": to("linux.resources.memory", {"limit": 64 << 20}),
    "a pids limit": to("linux.resources.pids", {"limit": 50}),
    "cpu shares": to("linux.resources.cpu", {"shares": 512}),
    "a cpu quota": to("linux.resources.cpu", {"quota": 50000, "period": 100000}),
    "a cpu set": to("linux.resources.cpu", {"cpus": "0", "mems": "0"}),
    "a device rule": to("linux.resources.devices", [{"allow": True, "access": "rwm"}]),
    "no resources": without("linux.resources"),
    "personality LINUX32": to("linux.personality", {"domain": "LINUX32"}),
    "personality LINUX": to("linux.personality", {"domain": "LINUX"}),
    "an annotation": to("annotations", {"org.example": "x"}),
    "an unknown member": to("process.surprise", {"a": 1}),
}
REFUSED = {
    "refused: a relative cwd": to("process.cwd", "tmp"),
    "refused: no args": to("process.args", []),
    "refused: an unknown rlimit": to("process.rlimits", [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]),
    "refused: a namespace twice": lambda bundle, _: bundle.set("linux.namespaces[0].type", "network"),
    "refused: a hostname without uts": namespace("uts", None),
    "refused: a program that is missing": to("process.args", ["/no/such"]),
    "refused: a source that is missing": lambda bundle, _: bundle.bind("/no/such", "/srv"),
    "refused: a sysctl of the host": to("linux.sysctl", {"kernel.panic": "1"}),
    "refused: a file system that is missing": lambda bundle, _: bundle.mount("/srv", "nofs", "none"),
    "refused: a domain": to("linux.personality", {"domain": "BSD"}),
    "refused: a propagation": to("linux.rootfsPropagation", "public"),
    "refused: an action": to("linux.seccomp", {"defaultAction": "SCMP_ACT_X"}),
}

CONFIGS: dict[str, Change] = {
    **USER, **PROCESS, **CAPABILITIES, **ROOT, **MOUNTS, **NAMESPACES, **DEVICES, **SECCOMP, **RESOURCES, **REFUSED,
}  # fmt: skip
