"""The configs that `orlop spec` writes: runc's template, its rootless variant, and a container made of the host.

The content and the order of members are runc 1.5's, because scripts edit the file and tests compare it.  Write it with
`dump(spec, "\\t")`, without a newline at the end.
"""

from __future__ import annotations

from orlop.version import SPEC_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orlop.spec.types import Mount, NamespaceType, Spec

# What `host_root` takes from the host, if it is there: directories as a whole, and of /etc what programs need.
HOST_DIRECTORIES = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
HOST_ETC = (
    "/etc/alternatives", "/etc/group", "/etc/ld.so.cache", "/etc/nsswitch.conf", "/etc/passwd", "/etc/ssl",
    "/etc/terminfo",
)  # fmt: skip


def _mount(destination: str, kind: str, source: str, *options: str) -> Mount:
    mount: Mount = {"destination": destination, "type": kind, "source": source}
    if options:
        mount["options"] = list(options)
    return mount


def default(*, cgroup2: bool) -> Spec:
    """Return the template; on a host with only cgroup v2 it has a cgroup namespace."""
    kinds: list[NamespaceType] = ["pid", "network", "ipc", "uts", "mount"]
    if cgroup2:
        kinds.append("cgroup")
    capabilities = ("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")
    return {
        "ociVersion": SPEC_VERSION,
        "process": {
            "terminal": True,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {
                "bounding": list(capabilities),
                "effective": list(capabilities),
                "permitted": list(capabilities),
            },
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "runc",
        "mounts": [
            _mount("/proc", "proc", "proc"),
            _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            _mount(
                "/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"
            ),
            _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
            _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
            _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
            _mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
        ],
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in kinds],
            "maskedPaths": [
                "/proc/acpi",
                "/proc/asound",
                "/proc/kcore",
                "/proc/keys",
                "/proc/latency_stats",
                "/proc/timer_list",
                "/proc/timer_stats",
                "/proc/sched_debug",
                "/sys/firmware",
                "/proc/scsi",
            ],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }


def rootless(spec: Spec, uid: int, gid: int) -> Spec:
    """Return the variant that the user `uid`:`gid` of the host can run: root inside is that user outside."""
    mounts: list[Mount] = []
    for mount in spec.get("mounts", ()):
        if mount["destination"] == "/sys":  # sysfs cannot be mounted without owning the network namespace
            mounts.append(_mount("/sys", "none", "/sys", "rbind", "nosuid", "noexec", "nodev", "ro"))
            continue
        kept: Mount = {**mount}
        if "options" in mount:
            kept["options"] = [word for word in mount["options"] if not word.startswith(("uid=", "gid="))]
        mounts.append(kept)
    old = spec.get("linux", {})
    linux = {name: value for name, value in old.items() if name not in ("resources", "namespaces")}
    kept_namespaces = [ns for ns in old.get("namespaces", ()) if ns["type"] not in ("network", "user")]
    return {
        **spec,
        "mounts": mounts,
        "linux": {
            "uidMappings": [{"containerID": 0, "hostID": uid, "size": 1}],
            "gidMappings": [{"containerID": 0, "hostID": gid, "size": 1}],
            "namespaces": [*kept_namespaces, {"type": "user"}],
            **linux,  # type: ignore[typeddict-item]
        },
    }


def host_root(
    spec: Spec,
    resolve: Callable[[str], str | None],
    *,
    args: Sequence[str] = ("sh",),
    hostname: str = "orlop",
    terminal: bool = True,
) -> Spec:
    """Return the variant whose root is the host's own programs, read-only, over an empty directory `rootfs`.

    `resolve` returns the real path of one of HOST_DIRECTORIES or HOST_ETC, or None where the host has none.  A /bin
    that is a link to /usr/bin becomes a mount of /usr/bin, because a config can make no links.  Nothing of /etc comes
    along but HOST_ETC; /tmp, /run and /root are the container's own and empty.
    """
    real = {path: resolve(path) for path in (*HOST_DIRECTORIES, *HOST_ETC)}
    host = [
        _mount(path, "none", source, "rbind", "rro", "rnosuid", "rnodev") for path, source in real.items() if source
    ]
    own = [
        _mount("/tmp", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=1777"),
        _mount("/run", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=755"),
        _mount("/root", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=700"),
    ]
    return {
        **spec,
        "process": {**spec["process"], "terminal": terminal, "args": list(args)},
        "root": {"path": "rootfs", "readonly": True},
        "hostname": hostname,
        "mounts": [*host, *own, *spec.get("mounts", ())],
    }
