"""What a config asks for and this host does not have.  Looks, and changes nothing."""

from __future__ import annotations

import os

from orlop.cgroup.fields import writes
from orlop.check.fields import nearest
from orlop.check.finding import Finding, error, warning
from orlop.errors import ConfigError, OrlopError
from orlop.host import resctrl
from orlop.host.cgroups import layout
from orlop.host.probe import grantable
from orlop.spec.capabilities import SETS, known_capability
from orlop.spec.tuning import number_list
from orlop.spec.walk import cast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orlop.host.cgroups import Layout
    from orlop.host.seccomp import Library
    from orlop.spec.types import Spec

_NEEDED = {"proc": "pid", "sysfs": "network", "mqueue": "ipc"}
_SYSTEMD = "name=systemd"
_UNKNOWN_CALL = -1  # __NR_SCMP_ERROR
_LAST_CALL = 600


def lacks(spec: Spec, root: str = "/") -> list[Finding]:
    """Everything that this host lacks; below `root` are its /proc and /sys, for tests."""
    found = [*_net_devices(spec, root), *_limits(spec, root)]
    found += _resources(spec, layout(f"{root}proc", f"{root}sys/fs/cgroup"))
    found += [
        *_processors(spec, root),
        *_huge_pages(spec, root),
        *_cache_groups(spec, root),
        *_system_calls(spec),
        *_file_systems_of_a_user(spec),
        *_capabilities(spec),
        *_filesystems(spec, root),
    ]
    return found


def _file_systems_of_a_user(spec: Spec) -> Iterator[Finding]:
    """In a user namespace these can be mounted only with a namespace of their own kind (kernel, FS_USERNS_MOUNT)."""
    kinds = {row["type"] for row in spec.get("linux", {}).get("namespaces", [])}
    if "user" not in kinds:
        return
    for index, mount in enumerate(spec.get("mounts", [])):
        needed = _NEEDED.get(mount.get("type", ""))
        if needed and needed not in kinds and not {"bind", "rbind", "remount"} & {*mount.get("options", [])}:
            message = f"in a user namespace {mount.get('type')} cannot be mounted without a {needed} namespace"
            hint = f'add {{"type": "{needed}"}} to linux.namespaces, or bind the host\'s with the option "rbind"'
            yield error(f"mounts[{index}].type", message, why="user_namespaces(7)", hint=hint)


def _capabilities(spec: Spec) -> Iterator[Finding]:
    """What the kernel knows and we ourselves lack, where we are root and so may be the one who runs it."""
    if os.geteuid() != 0:
        return
    own, given = grantable(spec), dict(spec["process"].get("capabilities", {}))
    for kind in SETS:
        for index, name in enumerate(cast("list[str]", given.get(kind, []))):
            number = known_capability(name)
            if number is not None and not own >> number & 1:
                field = f"process.capabilities.{kind}[{index}]"
                hint = "leave it out, or run the container where root has it"
                message = f"{name} cannot be granted here, and is left out"
                yield warning(field, message, why="/proc/self/status", hint=hint)


def _net_devices(spec: Spec, root: str) -> Iterator[Finding]:
    for name in spec.get("linux", {}).get("netDevices", {}):
        if not os.path.exists(f"{root}sys/class/net/{name}"):
            why = "runtime-spec 1.3, config-linux.md#network-devices"
            hint = "`ip link` lists those that there are"
            yield error(f'linux.netDevices["{name}"]', f"this host has no network device {name}", why=why, hint=hint)


def _limits(spec: Spec, root: str) -> Iterator[Finding]:
    """RLIMIT_NOFILE may not be above fs.nr_open, whatever the privilege (getrlimit(2))."""
    highest = _integer(f"{root}proc/sys/fs/nr_open")
    for index, limit in enumerate(spec.get("process", {}).get("rlimits", [])):
        if limit["type"] == "RLIMIT_NOFILE" and highest and limit["hard"] > highest:
            message = f"{limit['hard']} is above fs.nr_open of this host, {highest}"
            hint = f"set it to {highest} at most, or raise the sysctl fs.nr_open"
            yield error(f"process.rlimits[{index}].hard", message, why="getrlimit(2)", hint=hint)


def _resources(spec: Spec, host: Layout) -> Iterator[Finding]:
    resources = spec.get("linux", {}).get("resources", {})
    version = 2 if host.unified else 1
    try:
        wanted = writes(resources, version)
    except ConfigError as refusal:
        for problem in refusal.problems:
            why = f"cgroup v{version} of this host"
            yield error(problem.field, problem.message, why=why, hint=problem.hint)
        return
    there = {name for row in host.hierarchies for name in row.controllers}
    if not there - {_SYSTEMD}:
        return  # not mounted here: the runtime itself says so
    for controller in dict.fromkeys(write.controller for write in wanted):
        if controller not in there | {"cgroup"}:
            fields = [write.field for write in wanted if write.controller == controller]
            message = f"this host has no cgroup controller {controller}"
            hint = "a kernel that has it, or without cgroup_disable on its command line; or leave the limit out"
            yield error(fields[0], message, why="/proc/self/cgroup", hint=hint)


def _processors(spec: Spec, root: str) -> Iterator[Finding]:
    cpu = spec.get("linux", {}).get("resources", {}).get("cpu", {})
    affinity = spec.get("process", {}).get("execCPUAffinity", {})
    policy = spec.get("linux", {}).get("memoryPolicy", {})
    cpus, nodes = f"{root}sys/devices/system/cpu/online", f"{root}sys/devices/system/node/online"
    wanted = (
        ("linux.resources.cpu.cpus", cpu.get("cpus", ""), "processor", cpus),
        ("linux.resources.cpu.mems", cpu.get("mems", ""), "memory node", nodes),
        ("linux.memoryPolicy.nodes", policy.get("nodes", ""), "memory node", nodes),
        ("process.execCPUAffinity.initial", affinity.get("initial", ""), "processor", cpus),
        ("process.execCPUAffinity.final", affinity.get("final", ""), "processor", cpus),
    )
    for field, text, what, file in wanted:
        online = _text(file)
        if not text or not online:
            continue
        try:
            missing = sorted({*number_list(text)} - {*number_list(online)})
        except ValueError as wrong:
            yield error(field, f'"{text}" is no list: {wrong}', why="cpuset(7)", hint="write it like 0-3,7")
            continue
        if missing:
            message = f"this host has no {what} {_list(missing)}"
            yield error(field, message, why=file, hint=f"there are {online}")


def _list(numbers: list[int]) -> str:
    """Numbers in the kernel's way, 2-7,9."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ",".join("-".join(map(str, part)) for part in parts)


def _cache_groups(spec: Spec, root: str) -> Iterator[Finding]:
    if spec.get("linux", {}).get("intelRdt"):
        try:
            resctrl.place(f"{root}proc")
        except ConfigError as refusal:
            for problem in refusal.problems:
                yield error(problem.field, problem.message, why="/proc/self/mountinfo", hint=problem.hint)


def _huge_pages(spec: Spec, root: str) -> Iterator[Finding]:
    directory = f"{root}sys/kernel/mm/hugepages"
    sizes = sorted(_size(int(name[10:-2])) for name in _entries(directory) if name.startswith("hugepages-"))
    for index, limit in enumerate(spec.get("linux", {}).get("resources", {}).get("hugepageLimits", [])):
        if limit["pageSize"] not in sizes:
            message = f"this host has no huge pages of {limit['pageSize']}"
            hint = f"there are {' '.join(sizes)}" if sizes else "there are none"
            yield error(f"linux.resources.hugepageLimits[{index}].pageSize", message, why=directory, hint=hint)


def _size(kilobytes: int) -> str:
    for unit in ("KB", "MB"):
        if kilobytes % 1024:
            return f"{kilobytes}{unit}"
        kilobytes //= 1024
    return f"{kilobytes}GB"


def _system_calls(spec: Spec) -> Iterator[Finding]:
    """Names that libseccomp does not know: a profile serves many kernels, so only what looks mistyped is told."""
    rules = spec.get("linux", {}).get("seccomp", {}).get("syscalls", [])
    if not rules:
        return
    from orlop.host.seccomp import Library

    try:
        library = Library()
    except OrlopError:
        return  # the plan says that there is none
    why = "runtime-spec 1.3, config-linux.md#seccomp"
    for index, rule in enumerate(rules):
        for number, name in enumerate(rule["names"]):
            if library.c.seccomp_syscall_resolve_name(name.encode()) == _UNKNOWN_CALL:
                near = nearest(name, _calls(library))
                hint = (
                    f'did you mean "{near}"?' if near else "a newer libseccomp may know it; `man 2 syscalls` lists them"
                )
                field = f"linux.seccomp.syscalls[{index}].names[{number}]"
                yield warning(
                    field, f'system call "{name}" is unknown, and the rule without effect on it', why=why, hint=hint
                )


def _calls(library: Library) -> list[str]:
    """The names that libseccomp has for this machine."""
    import ctypes

    libc = ctypes.CDLL(None)
    resolve = library.c.seccomp_syscall_resolve_num_arch
    resolve.argtypes, resolve.restype = (ctypes.c_uint32, ctypes.c_int), ctypes.c_void_p
    libc.free.argtypes = (ctypes.c_void_p,)
    names = []
    for number in range(_LAST_CALL):
        text = resolve(library.c.seccomp_arch_native(), number)
        if text:
            names.append(ctypes.string_at(text).decode())
            libc.free(text)
    return names


def _filesystems(spec: Spec, root: str) -> Iterator[Finding]:
    known = {line.split()[-1] for line in _text(f"{root}proc/filesystems").splitlines()}
    for index, mount in enumerate(spec.get("mounts", [])):
        kind, options = mount.get("type", ""), mount.get("options", [])
        if (
            known
            and kind
            and kind not in known | {"cgroup", "none", "bind"}
            and not {"bind", "rbind", "remount"} & {*options}
        ):
            near = nearest(kind, known)
            hint = f'did you mean "{near}"?' if near else f"load the module of {kind}, if there is one"
            message = f"this kernel has no file system {kind}"
            yield warning(f"mounts[{index}].type", message, why="/proc/filesystems", hint=hint)


def _text(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def _integer(path: str) -> int:
    text = _text(path)
    return int(text) if text.isdigit() else 0


def _entries(path: str) -> Sequence[str]:
    try:
        return os.listdir(path)
    except OSError:
        return ()
