"""Paths that a config names: are they there, and what they must be?"""

from __future__ import annotations

import os
import stat

from orlop.check.fields import nearest
from orlop.check.finding import Finding, error, warning
from orlop.plan.clone import FLAGS
from orlop.plan.paths import clean
from orlop.spec.linux import NAMESPACES
from orlop.spec.mounts import is_bind
from orlop.spec.sysctl import sysctl_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.spec.types import Device, Spec

_NS_GET_NSTYPE = 0xB703  # ioctl_ns(2)
_RUNTIME_HOOKS = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")


def places(spec: Spec, bundle: str, root: str = "/") -> Iterator[Finding]:
    """Every path that is not as it must be; below `root` is the host's /proc, for tests."""
    yield from _hooks(spec)
    yield from _namespaces(spec)
    yield from _sources(spec, bundle)
    yield from _devices(spec, os.path.join(bundle, spec["root"]["path"]))
    yield from _listener(spec)
    yield from _sysctls(spec, root)


def _hooks(spec: Spec) -> Iterator[Finding]:
    why = "runtime-spec 1.3, config.md#posix-platform-hooks"
    hooks: dict[str, list[dict[str, str]]] = dict(spec.get("hooks", {}))  # type: ignore[arg-type]
    for name in _RUNTIME_HOOKS:
        for index, hook in enumerate(hooks.get(name, [])):
            path, field = hook["path"], f"hooks.{name}[{index}].path"
            if not os.path.exists(path):
                yield error(field, f"{path} is not on this host", why=why, hint="install it, or leave the hook out")
            elif os.path.isdir(path) or not os.access(path, os.X_OK):
                yield error(field, f"{path} cannot be executed", why=why, hint="make it executable: chmod +x")


def _namespaces(spec: Spec) -> Iterator[Finding]:
    for index, row in enumerate(spec.get("linux", {}).get("namespaces", [])):
        path = row.get("path")
        if path and not os.path.lexists(path) and visible(os.path.dirname(path)):
            hint = "make it first: it goes away with its last process unless it is mounted somewhere"
            why = "runtime-spec 1.3, config-linux.md#namespaces"
            yield error(f"linux.namespaces[{index}].path", f"{path} is not there", why=why, hint=hint)
        elif path and (kind := _namespace_type(path)) not in (row["type"], None):
            message = f"{path} is not a namespace of the type {row['type']}, but {kind}"
            hint = f'name another path, or set the type to "{kind}"' if kind in NAMESPACES else "name another path"
            yield error(f"linux.namespaces[{index}].path", message, why="setns(2)", hint=hint)


def _namespace_type(path: str) -> str | None:
    """What a path is a namespace of, in the words of the config; None where that cannot be seen."""
    import fcntl

    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        flag = fcntl.ioctl(fd, _NS_GET_NSTYPE)
    except OSError:
        return "something else"
    finally:
        os.close(fd)
    return next((kind for kind, value in FLAGS.items() if value == flag), "something else")


def _listener(spec: Spec) -> Iterator[Finding]:
    profile = spec.get("linux", {}).get("seccomp", {})
    path = profile.get("listenerPath", "")
    asked = any(rule["action"] == "SCMP_ACT_NOTIFY" for rule in profile.get("syscalls", []))
    if asked and path.startswith("/") and visible(os.path.dirname(path)) and not _is_socket(path):
        hint = "start the agent before the container, or name the socket that it listens on"
        message = f"no agent listens at {path} now"
        yield warning("linux.seccomp.listenerPath", message, why="runtime-spec 1.3, config-linux.md#seccomp", hint=hint)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _sysctls(spec: Spec, root: str) -> Iterator[Finding]:
    """Sysctls that this kernel lacks; what belongs to one network interface is in its namespace only."""
    for name in spec.get("linux", {}).get("sysctl", {}):
        parts = sysctl_parts(name)
        place = os.path.join(f"{root}proc/sys", *parts)
        if set(parts) & {"conf", "neigh"} or os.path.lexists(place) or not os.path.isdir(f"{root}proc/sys/kernel"):
            continue
        near = nearest(parts[-1], os.listdir(os.path.dirname(place)) if os.path.isdir(os.path.dirname(place)) else ())
        hint = f'did you mean "{name[: -len(parts[-1])]}{near}"?' if near else "`sysctl -a` lists those that there are"
        why = "runtime-spec 1.3, config-linux.md#sysctl"
        yield warning(f'linux.sysctl["{name}"]', "this kernel has no such sysctl here", why=why, hint=hint)


def _sources(spec: Spec, bundle: str) -> Iterator[Finding]:
    for index, mount in enumerate(spec.get("mounts", [])):
        if is_bind(mount) and "remount" not in mount.get("options", []) and mount.get("source"):
            source = os.path.join(bundle, mount["source"])
            if not os.path.lexists(source) and visible(os.path.dirname(source)):
                why, hint = "runtime-spec 1.3, config.md#mounts", "make it, or leave the mount out"
                yield error(f"mounts[{index}].source", f"{source} is not there", why=why, hint=hint)


def _devices(spec: Spec, rootfs: str) -> Iterator[Finding]:
    """What the image has where a device is to be; not where a mount comes over it."""
    linux = spec.get("linux", {})
    if any(row["type"] == "user" for row in linux.get("namespaces", [])):
        return  # there nodes are bound, over whatever there is
    covered = [clean(mount["destination"]) for mount in spec.get("mounts", [])]
    for index, device in enumerate(linux.get("devices", [])):
        place = clean(device["path"])
        if any(place == each or place.startswith(f"{each}/") for each in covered) or _fits(f"{rootfs}/{place}", device):
            continue
        message = f"the root file system has something else at {device['path']}"
        why, hint = (
            "runtime-spec 1.3, config-linux.md#devices",
            "take it out of there, or choose another path",
        )
        yield error(f"linux.devices[{index}].path", message, why=why, hint=hint)


def _fits(path: str, device: Device) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return True
    wanted = {"b": stat.S_ISBLK, "p": stat.S_ISFIFO}.get(device["type"], stat.S_ISCHR)
    numbers = (device.get("major"), device.get("minor"))
    same = device["type"] == "p" or numbers == (os.major(found.st_rdev), os.minor(found.st_rdev))
    return wanted(found.st_mode) and same


def visible(directory: str) -> bool:
    """Tell whether what is missing in a directory is really missing, or only hidden from us."""
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory) or "/"
    return os.access(directory, os.X_OK)
