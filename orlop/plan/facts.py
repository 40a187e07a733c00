"""The planner's inputs beside the config: what the host is like, and what the caller asks for.

The planner itself asks the kernel nothing: the supervisor fills these in (host/probe.py, runtime/), and a test gives
others.
"""

from __future__ import annotations

NULL, FILE, OTHER = "null", "file", "other"
# The descriptor, beside the control socket, on which a further process's program finds the pidfd of the container's
# init.
PIDFD_AFTER_CONTROL = 1
ALL = (1 << 64) - 1


class Facts:
    """The host, as far as a plan depends on it.

    `makes_nodes`: the runtime may make device nodes.  `capabilities` are those it has itself, a bit each.
    `keeps_groups`: it has supplementary groups, and may not leave them.  `sources` tells of each bind source whether it
    is a directory.  `limits` are the runtime's own (soft, hard) resource limits by number.  `stdio` says of descriptors
    0 to 2 what they are: NULL for /dev/null, FILE, or OTHER.
    `apparmor` and `selinux`: this security module is active; asked only where the config has a label.
    """

    __slots__ = (
        "apparmor",
        "architecture",
        "capabilities",
        "keeps_groups",
        "last_capability",
        "limits",
        "makes_nodes",
        "proc_mounts",
        "selinux",
        "sources",
        "stdio",
        "unified",
    )

    def __init__(
        self,
        *,
        architecture: str = "x86_64",
        makes_nodes: bool = True,
        keeps_groups: bool = False,
        last_capability: int = 40,
        capabilities: int = ALL,
        unified: bool = False,
        sources: dict[str, bool] | None = None,
        limits: dict[int, tuple[int, int]] | None = None,
        stdio: tuple[str, str, str] = (OTHER, OTHER, OTHER),
        proc_mounts: tuple[str, ...] = (),
        apparmor: bool = False,
        selinux: bool = False,
    ) -> None:
        self.architecture = architecture
        self.makes_nodes = makes_nodes
        self.keeps_groups = keeps_groups
        self.last_capability = last_capability
        self.capabilities = capabilities
        self.unified = unified
        self.sources = sources or {}
        self.limits = limits or {}
        self.stdio = stdio
        self.proc_mounts = proc_mounts
        self.apparmor = apparmor
        self.selinux = selinux


class CgroupMount:
    """One v1 hierarchy as it appears inside a container: `name` below /sys/fs/cgroup, its controllers, the container's
    own directory in it on the host."""

    __slots__ = ("controllers", "directory", "name")

    def __init__(self, name: str, controllers: tuple[str, ...], directory: str) -> None:
        self.name = name
        self.controllers = controllers
        self.directory = directory


class CgroupEntry:
    """How the container's first process gets into its cgroup.

    `tasks` are the v1 files it writes "0" to, `directory` the v2 cgroup it is cloned into, `device_program` the eBPF
    instructions of the device filter for that directory, `mounts` the v1 hierarchies for a mount of type cgroup.
    `waits`: for the supervisor's word, as the cgroup is made, or the executor brought into it, only now.
    """

    __slots__ = ("device_program", "directory", "mounts", "tasks", "waits")

    def __init__(
        self,
        tasks: tuple[str, ...] = (),
        directory: str | None = None,
        device_program: bytes | None = None,
        mounts: tuple[CgroupMount, ...] = (),
        waits: bool = False,
    ) -> None:
        self.tasks = tasks
        self.waits = waits
        self.directory = directory
        self.device_program = device_program
        self.mounts = mounts


class SeccompFilter:
    """linux.seccomp for the kernel: instructions of classic BPF, 8 bytes each, and the flags of seccomp(2).

    `maker` is what the instructions depend on beside the profile (host/seccomp_cache.py); empty where that is not
    known.
    """

    __slots__ = ("flags", "maker", "program")

    def __init__(self, program: bytes, flags: int, maker: bytes = b"") -> None:
        self.program = program
        self.flags = flags
        self.maker = maker


class Request:
    """What the caller asks for, beside the config.

    `control` is the number of the control socket, which is also 3 plus the number of descriptors the container is to
    have beside its standard streams.  `fifo` is the path on which a created container waits; None for `run`, where it
    waits for the supervisor itself.  `state` is the state document that hooks inside the container read, without pid.
    `stamps` is the number of a descriptor of shared memory for time stamps, one of 8 bytes for each operation.
    `idmaps` gives for the index of each id-mapped mount the number of the descriptor of its user namespace; these come
    right after the control socket, and with them `directory` is the path of the container's state directory.
    `unprivileged`: the runtime is an ordinary user, who could do no more with the executor than without it.
    """

    __slots__ = (
        "cgroup",
        "container_id",
        "control",
        "directory",
        "extra_env",
        "fifo",
        "idmaps",
        "new_keyring",
        "no_pivot",
        "rootfs",
        "seccomp",
        "stamps",
        "state",
        "unprivileged",
    )

    def __init__(
        self,
        *,
        container_id: str = "",
        rootfs: str = "/rootfs",
        control: int = 3,
        fifo: str | None = None,
        cgroup: CgroupEntry | None = None,
        no_pivot: bool = False,
        new_keyring: bool = True,
        extra_env: tuple[str, ...] = (),
        state: dict[str, object] | None = None,
        stamps: int | None = None,
        seccomp: SeccompFilter | None = None,
        idmaps: dict[int, int] | None = None,
        directory: str = "",
        unprivileged: bool = False,
    ) -> None:
        self.container_id = container_id
        self.rootfs = rootfs
        self.control = control
        self.fifo = fifo
        self.cgroup = cgroup or CgroupEntry()
        self.no_pivot = no_pivot
        self.new_keyring = new_keyring
        self.extra_env = extra_env
        self.state = state or {}
        self.stamps = stamps
        self.seccomp = seccomp
        self.idmaps = idmaps or {}
        self.directory = directory
        self.unprivileged = unprivileged
