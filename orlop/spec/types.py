"""The types of a checked config; imported by type checkers only.

The document stays what the JSON parser made: dicts and lists.  A class here has the members that orlop knows, under
the names of runtime-spec 1.3; unknown ones may be there too.  `NotRequired` is said where the checker lets a member be
absent.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

# Top level


class Spec(TypedDict):
    """A whole config.json."""

    ociVersion: str
    root: Root
    process: NotRequired[Process]
    hostname: NotRequired[str]
    domainname: NotRequired[str]
    mounts: NotRequired[list[Mount]]
    hooks: NotRequired[Hooks]
    annotations: NotRequired[dict[str, str]]
    linux: NotRequired[Linux]


class Root(TypedDict):
    """The root filesystem; `path` is absolute or relative to the bundle."""

    path: str
    readonly: NotRequired[bool]


class IDMapping(TypedDict):
    """One line of an id map."""

    containerID: int
    hostID: int
    size: int


class Mount(TypedDict):
    """One mount."""

    destination: str
    source: NotRequired[str]
    type: NotRequired[str]
    options: NotRequired[list[str]]
    uidMappings: NotRequired[list[IDMapping]]
    gidMappings: NotRequired[list[IDMapping]]


# Process


class Process(TypedDict):
    """The program of the container, or of an exec."""

    args: list[str]
    cwd: str
    env: NotRequired[list[str]]
    user: NotRequired[User]
    terminal: NotRequired[bool]
    consoleSize: NotRequired[ConsoleSize]
    capabilities: NotRequired[Capabilities]
    rlimits: NotRequired[list[Rlimit]]
    noNewPrivileges: NotRequired[bool]
    apparmorProfile: NotRequired[str]
    selinuxLabel: NotRequired[str]
    oomScoreAdj: NotRequired[int]
    scheduler: NotRequired[Scheduler]
    ioPriority: NotRequired[IOPriority]
    execCPUAffinity: NotRequired[CPUAffinity]


class User(TypedDict):
    """Ids in the container's user namespace; absent ones are 0, an absent umask is 0022."""

    uid: NotRequired[int]
    gid: NotRequired[int]
    umask: NotRequired[int]
    additionalGids: NotRequired[list[int]]


class ConsoleSize(TypedDict):
    """The size of the terminal in characters."""

    height: NotRequired[int]
    width: NotRequired[int]


class Capabilities(TypedDict):
    """The five sets, as names; unknown names are possible."""

    bounding: NotRequired[list[str]]
    effective: NotRequired[list[str]]
    inheritable: NotRequired[list[str]]
    permitted: NotRequired[list[str]]
    ambient: NotRequired[list[str]]


class Rlimit(TypedDict):
    """One resource limit."""

    type: str
    soft: int
    hard: int


class Scheduler(TypedDict):
    """The arguments of sched_setattr(2); times are nanoseconds."""

    policy: str
    nice: NotRequired[int]
    priority: NotRequired[int]
    flags: NotRequired[list[str]]
    runtime: NotRequired[int]
    deadline: NotRequired[int]
    period: NotRequired[int]


# The name of a member of this class is a keyword of Python.
IOPriority = TypedDict("IOPriority", {"class": str, "priority": NotRequired[int]})


class CPUAffinity(TypedDict):
    """Lists of CPUs for an exec, before and after it joins the cgroup."""

    initial: NotRequired[str]
    final: NotRequired[str]


# Hooks


class Hook(TypedDict):
    """A program to run at one point of the container's life; `timeout` is in seconds."""

    path: str
    args: NotRequired[list[str]]
    env: NotRequired[list[str]]
    timeout: NotRequired[int]


class Hooks(TypedDict):
    """The six kinds of hooks."""

    prestart: NotRequired[list[Hook]]
    createRuntime: NotRequired[list[Hook]]
    createContainer: NotRequired[list[Hook]]
    startContainer: NotRequired[list[Hook]]
    poststart: NotRequired[list[Hook]]
    poststop: NotRequired[list[Hook]]


# Linux

NamespaceType = Literal["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"]


class Namespace(TypedDict):
    """A namespace to make, or to join when `path` is there and not empty."""

    type: NamespaceType
    path: NotRequired[str]


class TimeOffset(TypedDict):
    """The offset of one clock."""

    secs: NotRequired[int]
    nanosecs: NotRequired[int]


class Device(TypedDict):
    """A device node; `major` and `minor` are there unless the type is p."""

    path: str
    type: Literal["c", "b", "u", "p"]
    major: NotRequired[int]
    minor: NotRequired[int]
    fileMode: NotRequired[int]
    uid: NotRequired[int]
    gid: NotRequired[int]


class NetDevice(TypedDict):
    """The name that a network device gets in the container."""

    name: NotRequired[str]


class IntelRdt(TypedDict):
    """Cache and memory bandwidth classes."""

    closID: NotRequired[str]
    schemata: NotRequired[list[str]]
    l3CacheSchema: NotRequired[str]
    memBwSchema: NotRequired[str]
    enableMonitoring: NotRequired[bool]


class MemoryPolicy(TypedDict):
    """The arguments of set_mempolicy(2)."""

    mode: str
    nodes: NotRequired[str]
    flags: NotRequired[list[str]]


class Personality(TypedDict):
    """The execution domain."""

    domain: Literal["LINUX", "LINUX32"]
    flags: NotRequired[list[str]]


class Linux(TypedDict):
    """Everything that only Linux has."""

    uidMappings: NotRequired[list[IDMapping]]
    gidMappings: NotRequired[list[IDMapping]]
    sysctl: NotRequired[dict[str, str]]
    resources: NotRequired[Resources]
    cgroupsPath: NotRequired[str]
    namespaces: NotRequired[list[Namespace]]
    devices: NotRequired[list[Device]]
    netDevices: NotRequired[dict[str, NetDevice]]
    seccomp: NotRequired[Seccomp]
    rootfsPropagation: NotRequired[str]
    maskedPaths: NotRequired[list[str]]
    readonlyPaths: NotRequired[list[str]]
    mountLabel: NotRequired[str]
    intelRdt: NotRequired[IntelRdt]
    memoryPolicy: NotRequired[MemoryPolicy]
    personality: NotRequired[Personality]
    timeOffsets: NotRequired[dict[str, TimeOffset]]


# Resources


class DeviceRule(TypedDict):
    """A rule of the device filter; an absent type is `a`, absent numbers mean all."""

    allow: bool
    access: str
    type: NotRequired[str]
    major: NotRequired[int]
    minor: NotRequired[int]


class Memory(TypedDict):
    """Memory limits in bytes; -1 is none."""

    limit: NotRequired[int]
    reservation: NotRequired[int]
    swap: NotRequired[int]
    kernel: NotRequired[int]
    kernelTCP: NotRequired[int]
    swappiness: NotRequired[int]
    disableOOMKiller: NotRequired[bool]
    useHierarchy: NotRequired[bool]
    checkBeforeUpdate: NotRequired[bool]


class CPU(TypedDict):
    """CPU limits; times are microseconds."""

    shares: NotRequired[int]
    quota: NotRequired[int]
    burst: NotRequired[int]
    period: NotRequired[int]
    realtimeRuntime: NotRequired[int]
    realtimePeriod: NotRequired[int]
    cpus: NotRequired[str]
    mems: NotRequired[str]
    idle: NotRequired[int]


class Pids(TypedDict):
    """The limit of tasks; negative is none."""

    limit: NotRequired[int]


class WeightDevice(TypedDict):
    """The weight of one block device."""

    major: int
    minor: int
    weight: NotRequired[int]
    leafWeight: NotRequired[int]


class ThrottleDevice(TypedDict):
    """A limit of bytes or operations a second for one block device."""

    major: int
    minor: int
    rate: int


class BlockIO(TypedDict):
    """Block device limits."""

    weight: NotRequired[int]
    leafWeight: NotRequired[int]
    weightDevice: NotRequired[list[WeightDevice]]
    throttleReadBpsDevice: NotRequired[list[ThrottleDevice]]
    throttleWriteBpsDevice: NotRequired[list[ThrottleDevice]]
    throttleReadIOPSDevice: NotRequired[list[ThrottleDevice]]
    throttleWriteIOPSDevice: NotRequired[list[ThrottleDevice]]


class HugepageLimit(TypedDict):
    """The limit in bytes for one size of huge pages."""

    pageSize: str
    limit: int


class NetworkPriority(TypedDict):
    """The priority of one interface."""

    name: str
    priority: int


class NetworkResources(TypedDict):
    """Settings of net_cls and net_prio (cgroup v1)."""

    classID: NotRequired[int]
    priorities: NotRequired[list[NetworkPriority]]


class Rdma(TypedDict):
    """Limits for one RDMA device."""

    hcaHandles: NotRequired[int]
    hcaObjects: NotRequired[int]


class Resources(TypedDict):
    """What the container's cgroup is given."""

    devices: NotRequired[list[DeviceRule]]
    memory: NotRequired[Memory]
    cpu: NotRequired[CPU]
    pids: NotRequired[Pids]
    blockIO: NotRequired[BlockIO]
    hugepageLimits: NotRequired[list[HugepageLimit]]
    network: NotRequired[NetworkResources]
    rdma: NotRequired[dict[str, Rdma]]
    unified: NotRequired[dict[str, str]]


# Seccomp


class SeccompArgument(TypedDict):
    """A condition on one argument."""

    index: int
    value: int
    op: str
    valueTwo: NotRequired[int]


class SeccompRule(TypedDict):
    """What is done about some system calls."""

    names: list[str]
    action: str
    errnoRet: NotRequired[int]
    args: NotRequired[list[SeccompArgument]]


class Seccomp(TypedDict):
    """The filter of system calls."""

    defaultAction: str
    defaultErrnoRet: NotRequired[int]
    architectures: NotRequired[list[str]]
    flags: NotRequired[list[str]]
    listenerPath: NotRequired[str]
    listenerMetadata: NotRequired[str]
    syscalls: NotRequired[list[SeccompRule]]
