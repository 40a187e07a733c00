"""What is legal and surely not meant, as far as the config itself tells: one rule a function."""

from __future__ import annotations

from orlop.cgroup.devices import DEFAULTS, READ, WRITE, policy
from orlop.check import mounts
from orlop.check.fields import nearest
from orlop.check.finding import Finding, warning
from orlop.check.idle import idle
from orlop.errors import ConfigError
from orlop.spec.capabilities import CAPABILITIES, SETS
from orlop.spec.mappings import mapped
from orlop.spec.walk import cast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orlop.cgroup.devices import Policy
    from orlop.spec.types import Device, IDMapping, Linux, Process, Seccomp, Spec

_PROCESS = "runtime-spec 1.3, config.md#process"
_LINUX_PROCESS = "runtime-spec 1.3, config.md#linux-process"
_SECCOMP = "runtime-spec 1.3, config-linux.md#seccomp"
_IMAGE_KEYS = tuple(
    f"org.opencontainers.image.{name}"
    for name in ("os", "os.version", "os.features", "architecture", "variant", "author", "created", "stopSignal")
)
_LIMITS = "runtime-spec 1.3, config-linux.md#control-groups"


def _process(spec: Spec) -> Iterator[Finding]:
    process = spec["process"]
    names = [entry.partition("=")[0] for entry in process.get("env", [])]
    for index, name in enumerate(names):
        if name in names[index + 1 :]:
            message = f"{name} is set again further on, and the last one counts"
            yield warning(f"process.env[{index}]", message, why="environ(7)", hint="leave one out")
    if "PATH" not in names and "/" not in process["args"][0]:
        message = f'"{process["args"][0]}" is looked for in a default PATH, as process.env has none'
        yield warning(
            "process.args[0]", message, why="execvp(3)", hint="set PATH in process.env, or give the whole path"
        )
    scheduler = process.get("scheduler")
    if scheduler and scheduler["policy"] in ("SCHED_FIFO", "SCHED_RR", "SCHED_DEADLINE") and scheduler.get("nice"):
        message = f"has no effect with {scheduler['policy']}"
        yield warning("process.scheduler.nice", message, why="sched_setattr(2)", hint="leave it out")
    priority = process.get("ioPriority")
    if priority and priority["class"] == "IOPRIO_CLASS_IDLE" and priority.get("priority"):
        message = "has no effect with IOPRIO_CLASS_IDLE"
        yield warning("process.ioPriority.priority", message, why="ioprio_set(2)", hint="leave it out")


def _capabilities(spec: Spec) -> Iterator[Finding]:
    process = spec.get("process", {})
    given: dict[str, object] = dict(process.get("capabilities", {}))
    sets = {name: cast("list[str]", given[name]) for name in SETS if name in given}
    for kind, names in sets.items():
        for index, name in enumerate(names):
            if name not in CAPABILITIES:
                near = nearest(name, CAPABILITIES) or nearest(f"CAP_{name}", CAPABILITIES)
                hint = f'did you mean "{near}"?' if near else "capabilities(7) lists them"
                field = f"process.capabilities.{kind}[{index}]"
                yield warning(field, f'"{name}" is no capability, and not granted', why=_LINUX_PROCESS, hint=hint)
    permitted = sets.get("permitted", [])
    for kind, base in (("effective", ("permitted",)), ("ambient", ("permitted", "inheritable"))):
        for index, name in enumerate(sets.get(kind, [])):
            lacking = [each for each in base if name not in sets.get(each, [])]
            if lacking and name in CAPABILITIES:
                message = f"{name} is not in {' and '.join(lacking)}, so the kernel does not grant it"
                field, hint = f"process.capabilities.{kind}[{index}]", f"add it to {' and '.join(lacking)}"
                yield warning(field, message, why="capabilities(7)", hint=hint)
    user = process.get("user", {}).get("uid", 0)
    if user and permitted and not sets.get("ambient"):
        message = f"are lost when user {user} executes the program, unless they are ambient too"
        hint = "add them to ambient and inheritable, or leave them out"
        yield warning("process.capabilities.permitted", message, why="capabilities(7)", hint=hint)


def _users(spec: Spec) -> Iterator[Finding]:
    linux = spec.get("linux", {})
    namespace = next((row for row in linux.get("namespaces", []) if row["type"] == "user"), None)
    if namespace is None or namespace.get("path"):
        return
    hint = "map it, for instance with a size of 65536"
    why = "runtime-spec 1.3, config-linux.md#user-namespace-mappings"
    gids: list[IDMapping] = linux.get("gidMappings", [])
    for field, maps in (("linux.uidMappings", linux.get("uidMappings", [])), ("linux.gidMappings", gids)):
        if maps and not mapped(0, maps):
            yield warning(
                field, "does not map 0: what root of the container would own cannot be made", why=why, hint=hint
            )
    for index, gid in enumerate(spec.get("process", {}).get("user", {}).get("additionalGids", [])):
        if not mapped(gid, gids):
            message = f"group {gid} is not mapped in the user namespace"
            yield warning(f"process.user.additionalGids[{index}]", message, why="setgroups(2)", hint=hint)


def _host_root(spec: Spec) -> Iterator[Finding]:
    places = [mount["destination"].rstrip("/") for mount in spec.get("mounts", [])]
    if spec["root"]["path"].strip("/") == "" and "/dev" not in places:
        message = "is the host's own, and without a mount on /dev the host's links and nodes there are replaced"
        why, hint = "runtime-spec 1.3, config-linux.md#default-devices", "mount a tmpfs on /dev, or name another root"
        yield warning("root.path", message, why=why, hint=hint)


def _hooks(spec: Spec) -> Iterator[Finding]:
    hooks = spec.get("hooks", {})
    if hooks.get("prestart"):
        message = "prestart hooks are deprecated"
        hint = "use createRuntime, or createContainer for what runs in the container's namespaces"
        yield warning("hooks.prestart", message, why="runtime-spec 1.3, config.md#prestart", hint=hint)


def _annotations(spec: Spec) -> Iterator[Finding]:
    for name in spec.get("annotations", {}):
        if name.startswith("org.opencontainers.") and not name.startswith("org.opencontainers.runc."):
            if name not in _IMAGE_KEYS and not name.startswith(
                ("org.opencontainers.image.base.", "org.opencontainers.ref")
            ):
                near = nearest(name, _IMAGE_KEYS)
                hint = f'did you mean "{near}"?' if near else "take a name of your own domain"
                why = "runtime-spec 1.3, config.md#annotations"
                yield warning(f'annotations["{name}"]', "org.opencontainers is a reserved name", why=why, hint=hint)


def _paths(spec: Spec) -> Iterator[Finding]:
    linux = spec.get("linux", {})
    masked = linux.get("maskedPaths", [])
    for index, path in enumerate(linux.get("readonlyPaths", [])):
        if path in masked:
            message = f"{path} is masked too, and so cannot be read at all"
            yield warning(f"linux.readonlyPaths[{index}]", message, hint="leave one out")
    for field in ("maskedPaths", "readonlyPaths"):
        paths: list[str] = linux.get(field, [])  # type: ignore[assignment]
        for index, path in enumerate(paths):
            if path in paths[:index]:
                yield warning(f"linux.{field}[{index}]", f"{path} is there twice", hint="leave one out")


def _devices(spec: Spec) -> Iterator[Finding]:
    linux = spec.get("linux", {})
    devices = linux.get("devices", [])
    seen: dict[tuple[object, ...], int] = {}
    why = "runtime-spec 1.3, config-linux.md#devices"
    allowed = _policy(linux)
    for index, device in enumerate(devices):
        key = (device["type"], device.get("major"), device.get("minor"))
        if device["type"] != "p" and key in seen:
            message = f"is the same device as linux.devices[{seen[key]}]"
            yield warning(f"linux.devices[{index}]", message, why=why, hint="leave one out")
        seen.setdefault(key, index)
        if allowed and device["type"] != "p" and not _opens(device, allowed):
            message = f"{device['path']} is made, and linux.resources.devices does not let it be opened"
            hint = "add a rule that allows it"
            if device["path"] in {path for path, *_ in DEFAULTS}:
                hint += (
                    "; or leave out the device, which is in every container, and what is said here replaces its rule"
                )
            yield warning(
                f"linux.devices[{index}]", message, why=f"{why.partition('#')[0]}#allowed-device-list", hint=hint
            )


def _policy(linux: Linux) -> Policy | None:
    """What the rules of a config let be opened; None where they cannot be applied, which create will tell."""
    try:
        return policy(linux.get("resources"), [device["path"] for device in linux.get("devices", [])])
    except ConfigError:
        return None


def _opens(device: Device, allowed: Policy) -> bool:
    numbers = ("b" if device["type"] == "b" else "c", device.get("major", 0), device.get("minor", 0))
    return any(allowed.allows(numbers, access) for access in (READ, WRITE))


_WITHOUT_EFFECT = {
    "kernel": "leave it out: memory.limit counts it",
    "kernelTCP": "leave it out: memory.limit counts it",
    "useHierarchy": "leave it out: a limit always holds for the cgroups below",
}


def _limits(spec: Spec) -> Iterator[Finding]:
    resources = spec.get("linux", {}).get("resources", {})
    memory, cpu = resources.get("memory", {}), resources.get("cpu", {})
    place = "linux.resources"
    for name, hint in _WITHOUT_EFFECT.items():
        if name in memory:
            message = "is not recommended, and without effect on kernels of today"
            yield warning(f"{place}.memory.{name}", message, why=_LIMITS, hint=hint)
    limit, swap = memory.get("limit", 0), memory.get("swap", 0)
    if limit > 0 and 0 < swap < limit:
        message = f"is memory and swap together, and {swap} is below memory.limit {limit}"
        yield warning(f"{place}.memory.swap", message, why=_LIMITS, hint=f"set it to {limit} for no swap at all")
    if memory.get("reservation", 0) > limit > 0:
        message = f"{memory['reservation']} is above memory.limit {limit}, and so has no effect"
        yield warning(f"{place}.memory.reservation", message, why=_LIMITS, hint="set it below the limit")
    if 0 < limit < 6 << 20:
        yield warning(
            f"{place}.memory.limit", f"{limit} bytes hold hardly any program", why=_LIMITS, hint="the unit is bytes"
        )
    if cpu.get("burst") and cpu.get("quota", 0) <= 0:
        message = "has no effect without cpu.quota"
        yield warning(f"{place}.cpu.burst", message, why=_LIMITS, hint="set quota, or leave it out")
    if 0 < cpu.get("quota", 0) < 1000:
        message = f"{cpu['quota']} is below the kernel's least, 1000 microseconds"
        yield warning(f"{place}.cpu.quota", message, why="cgroups(7)", hint="the unit is microseconds")
    if cpu.get("shares") == 1:
        message = "is less than the least that the kernel knows, and taken for 2"
        yield warning(f"{place}.cpu.shares", message, why=_LIMITS, hint="write 2, or leave it out")
    if cpu.get("idle") == 1 and cpu.get("shares"):
        yield warning(f"{place}.cpu.shares", "has no effect with cpu.idle 1", why=_LIMITS, hint="leave one out")
    pids = resources.get("pids", {})
    if pids.get("limit") == 0:
        message = "0 means none, not unlimited: no process can be started besides the first"
        yield warning(
            f"{place}.pids.limit", message, why="runtime-spec 1.3, config-linux.md#pids", hint="-1 is unlimited"
        )


_STARTED = ("execve", "exit_group")


def _seccomp(spec: Spec) -> Iterator[Finding]:
    profile = spec.get("linux", {}).get("seccomp")
    if not profile:
        return
    place, default = "linux.seccomp", profile["defaultAction"]
    actions = {rule["action"] for rule in profile.get("syscalls", [])}
    if profile.get("listenerPath") and "SCMP_ACT_NOTIFY" not in actions:
        message = "is not used: no rule has the action SCMP_ACT_NOTIFY"
        yield warning(f"{place}.listenerPath", message, why=_SECCOMP, hint="leave it out, or add a rule")
    for index, rule in enumerate(profile.get("syscalls", [])):
        if rule["action"] == default and rule.get("errnoRet") == profile.get("defaultErrnoRet"):
            message = f"{default} is what is done by default: the rule has no effect"
            yield warning(f"{place}.syscalls[{index}].action", message, why=_SECCOMP, hint="leave the rule out")
    if default not in ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG"):
        yield from _not_started(profile)


def _not_started(profile: Seccomp) -> Iterator[Finding]:
    allowed = {name for rule in profile.get("syscalls", []) for name in rule["names"] if _lets(rule["action"])}
    for name in _STARTED:
        if name not in allowed:
            message = f"no rule allows {name}, which every program needs"
            hint = f"add {name} to a rule with SCMP_ACT_ALLOW"
            yield warning("linux.seccomp.syscalls", message, why="seccomp(2)", hint=hint)


def _lets(action: str) -> bool:
    return action in ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE")


def _cgroups_path(spec: Spec, systemd: bool) -> Iterator[Finding]:
    path = spec.get("linux", {}).get("cgroupsPath", "")
    why = "runtime-spec 1.3, config-linux.md#cgroups-path"
    if path.count(":") == 2 and not systemd:
        message = "looks like systemd's slice:prefix:name, and is taken as a path"
        yield warning("linux.cgroupsPath", message, why=why, hint="give --systemd-cgroup, or a path")


def _joined(spec: Spec) -> Iterator[Finding]:
    """Namespaces that only work together."""
    kinds = {row["type"] for row in spec.get("linux", {}).get("namespaces", [])}
    for index, mount in enumerate(spec.get("mounts", [])):
        if mount.get("type") == "proc" and kinds and "pid" not in kinds:
            message = "shows the processes of the host: there is no pid namespace"
            hint = 'add {"type": "pid"} to linux.namespaces'
            yield warning(f"mounts[{index}]", message, why="runtime-spec 1.3, config-linux.md#namespaces", hint=hint)
            return


def _pointless(process: Process) -> Iterator[Finding]:
    affinity = process.get("execCPUAffinity", {})
    if "execCPUAffinity" in process and not any(affinity.values()):
        message = "is empty and has no effect"
        yield warning("process.execCPUAffinity", message, why=_PROCESS, hint="set initial or final, or leave it out")


_RULES: tuple[Callable[[Spec], Iterator[Finding]], ...] = (
    _process,
    _capabilities,
    _users,
    mounts.doubts,
    _host_root,
    _hooks,
    _annotations,
    _joined,
    _paths,
    _devices,
    _limits,
    _seccomp,
)


def doubts(spec: Spec, *, systemd: bool = False) -> list[Finding]:
    """Every doubt about a config in which there is no error."""
    found = [finding for rule in _RULES for finding in rule(spec)]
    found += [*_cgroups_path(spec, systemd), *_pointless(spec["process"]), *idle(spec, systemd=systemd)]
    return found
