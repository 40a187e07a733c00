"""The check of a config: each field by its table, then the rules that join fields of different sections.

Everything that can be said without looking at the host is said here, all of it at once.  Where engines or tests know
runc's words for a problem, those are kept and stand after the name of the field.
"""

from __future__ import annotations

from orlop.errors import Problem
from orlop.spec.fields import CONFIG
from orlop.spec.mappings import mapped
from orlop.spec.mounts import wants_idmap
from orlop.spec.process import NO_PROCESS, check_process
from orlop.spec.walk import cast, check_object, under

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from orlop.spec.types import Linux, Spec
    from orlop.spec.walk import Found

    CrossRule: TypeAlias = Callable[[Spec, Linux, dict[str, str]], Iterator[Problem]]

__all__ = ["check", "check_process"]


def check(document: object, *, process: bool = True, where: str = "config.json") -> Found:
    """Return everything that is wrong with a config; nothing, if it is a Spec.

    `where` names the document as a whole.  `process` says whether the process is required, as runc does already for
    create.  Members that are null are taken out of the document.  Sources: runtime-spec 1.3, runc 1.5
    `libcontainer/configs/validate`.
    """
    if document is None:
        return [Problem(where, "config cannot be null")]
    problems = check_object(document, CONFIG)
    if not isinstance(document, dict):
        return under(where, problems)
    if process and "process" not in document:
        problems.append(Problem("process", NO_PROCESS))
    spec = cast("Spec", document)
    faulty = [problem.field for problem in problems]
    for sections, rule in _RULES:
        # A rule may rely on the types in the sections it reads.
        if not faulty or not any(_below(field, sections) for field in faulty):
            linux = spec.get("linux", cast("Linux", {}))
            namespaces: dict[str, str] = {ns["type"]: ns.get("path", "") for ns in linux.get("namespaces", ())}
            problems.extend(rule(spec, linux, namespaces))
    return problems


def _below(field: str, sections: tuple[str, ...]) -> bool:
    """Tell whether a field lies in one of the sections, or is an object around it."""
    return any(field.startswith(section) or section.startswith(field) for section in sections)


def _names(spec: Spec, _: Linux, namespaces: dict[str, str]) -> Iterator[Problem]:
    for field in ("hostname", "domainname"):
        if spec.get(field) and "uts" not in namespaces:
            yield Problem(field, f"unable to set {field} without a private UTS namespace")


def _paths(_: Spec, linux: Linux, namespaces: dict[str, str]) -> Iterator[Problem]:
    for field in ("maskedPaths", "readonlyPaths"):
        if linux.get(field) and "mount" not in namespaces:
            yield Problem(f"linux.{field}", "unable to restrict sys entries without a private MNT namespace")


def _mappings(_: Spec, linux: Linux, namespaces: dict[str, str]) -> Iterator[Problem]:
    given = [field for field in ("uidMappings", "gidMappings") if linux.get(field)]
    if "user" not in namespaces:
        message = "user namespace mappings specified, but user namespace isn't enabled in the config"
        yield from (Problem(f"linux.{field}", message) for field in given)
    elif not namespaces["user"] and not given:
        message = "user namespaces enabled, but no namespace path to join nor mappings to apply specified"
        hint = 'add {"containerID": 0, "hostID": 100000, "size": 65536} or another line to it, and to gidMappings'
        yield Problem("linux.uidMappings", message, hint)


def _time(_: Spec, linux: Linux, namespaces: dict[str, str]) -> Iterator[Problem]:
    if linux.get("timeOffsets"):
        if "time" not in namespaces:
            message = "time namespace offsets specified, but time namespace isn't enabled in the config"
            yield Problem("linux.timeOffsets", message, 'add {"type": "time"} to linux.namespaces')
        elif namespaces["time"]:
            message = (
                "time namespace enabled, but both namespace path and time offsets specified -- you may only provide one"
            )
            yield Problem("linux.timeOffsets", message)


def _sysctl(_: Spec, linux: Linux, namespaces: dict[str, str]) -> Iterator[Problem]:
    if linux.get("sysctl"):
        from orlop.spec.sysctl import sysctl_problem

        for name in linux["sysctl"]:
            message = sysctl_problem(name, namespaces)
            if message:
                hint = None
                if "hosts ipc" in message or "host network" in message:
                    hint = (
                        f"add a namespace of the type {'ipc' if 'ipc' in message else 'network'}, or set it on the host"
                    )
                elif "separate" in message:
                    hint = "set it on the host: all containers share it"
                yield Problem(f'linux.sysctl["{name}"]', message, hint)


def _net_devices(_: Spec, linux: Linux, namespaces: dict[str, str]) -> Iterator[Problem]:
    devices = linux.get("netDevices", {})
    if devices and "network" not in namespaces:
        yield Problem("linux.netDevices", "network devices need a private network namespace")
    taken: set[str] = set()
    for host_name, device in devices.items():
        name = device.get("name") or host_name
        if name in taken and not name.endswith("%d"):  # the kernel picks a number
            yield Problem(f'linux.netDevices["{host_name}"].name', f"two devices are to be called {name}")
        taken.add(name)


def _idmaps(spec: Spec, _: Linux, namespaces: dict[str, str]) -> Iterator[Problem]:
    for index, mount in enumerate(spec.get("mounts", ())):
        if wants_idmap(mount) and not mount.get("uidMappings") and "user" not in namespaces:
            yield Problem(f"mounts[{index}].options", "idmap needs mappings, or a user namespace to take them from")


def _user(spec: Spec, linux: Linux, namespaces: dict[str, str]) -> Iterator[Problem]:
    if "process" not in spec or namespaces.get("user") != "":  # no namespace, or one whose maps only the host knows
        return
    user = spec["process"].get("user", {})
    ids = (
        ("uid", user.get("uid", 0), linux.get("uidMappings", [])),
        ("gid", user.get("gid", 0), linux.get("gidMappings", [])),
    )
    for field, number, maps in ids:
        if not mapped(number, maps) and (linux.get("uidMappings") or linux.get("gidMappings")):  # else told already
            message = f"cannot set{field} to unmapped {field} {number} in user namespace"
            yield Problem(f"process.user.{field}", message, f"have a line of linux.{field}Mappings cover it")


_NAMESPACES = "linux.namespaces"
_MAPPINGS = ("linux.uidMappings", "linux.gidMappings")

# What a rule reads, and the rule.
_RULES: tuple[tuple[tuple[str, ...], CrossRule], ...] = (
    ((_NAMESPACES, "hostname", "domainname"), _names),
    ((_NAMESPACES, "linux.maskedPaths", "linux.readonlyPaths"), _paths),
    ((_NAMESPACES, *_MAPPINGS), _mappings),
    ((_NAMESPACES, "linux.timeOffsets"), _time),
    ((_NAMESPACES, "linux.sysctl"), _sysctl),
    ((_NAMESPACES, "linux.netDevices"), _net_devices),
    ((_NAMESPACES, "mounts"), _idmaps),
    ((_NAMESPACES, *_MAPPINGS, "process"), _user),
)
