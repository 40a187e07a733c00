"""The table of `linux`, but for resources, seccomp and what few configs have."""

from __future__ import annotations

from orlop.errors import Problem
from orlop.spec.mappings import ID_MAPPINGS
from orlop.spec.walk import (
    ABSOLUTE,
    INT64,
    MISSING,
    STRING,
    UINT32,
    Shape,
    array,
    between,
    later,
    mapping,
    nested,
    word,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.spec.types import Device, Namespace, NetDevice

NAMESPACES = ("cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts")
PROPAGATIONS = (
    "private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable",
)  # fmt: skip
DEVICE_TYPES = ("c", "b", "u", "p")
CLOCKS = ("boottime", "monotonic")


def _told(namespace: Namespace) -> str:
    """Return a namespace as runc's messages show it; engines and tests know them."""
    return f'{{"{namespace["type"]}" "{namespace.get("path", "")}"}}'


def _namespace(namespace: Namespace) -> Iterator[Problem]:
    path = namespace.get("path", "")
    if namespace["type"] not in NAMESPACES:
        yield Problem("type", f"namespace {_told(namespace)} does not exist", f"known: {' '.join(NAMESPACES)}")
    if path and path[0] != "/":
        yield Problem("path", f'must be an absolute path, not "{path}"')
    elif "," in path:
        yield Problem("path", f'must not contain a comma: "{path}"')


def _namespaces(namespaces: list[Namespace]) -> Iterator[Problem]:
    types = [namespace["type"] for namespace in namespaces]
    for index, namespace in enumerate(namespaces):
        if namespace["type"] in types[:index]:
            yield Problem(f"[{index}].type", f"malformed spec file: duplicated ns {_told(namespace)}")


def _device(device: Device) -> Iterator[Problem]:
    if device["type"] != "p":
        yield from (Problem(name, MISSING) for name in ("major", "minor") if name not in device)


def interface_problem(name: str) -> str | None:
    """Return what is wrong with the name of a network interface, if anything (dev_valid_name() of the kernel)."""
    if len(name.encode()) > 15:
        return f'"{name}" is longer than 15 bytes, the most for an interface'
    if name in ("", ".", "..") or any(letter in "/: \t\n\r\v\f\0" for letter in name):
        return f'"{name}" is no name for an interface'
    return None


def _net_device(device: NetDevice) -> Iterator[Problem]:
    name = device.get("name", "")
    wrong = interface_problem(name) if name else None
    if wrong:
        yield Problem("name", wrong)


def _key(name: str) -> str | None:
    return None if name else "must not have an empty name"


def _clock(name: str) -> str | None:
    return None if name in CLOCKS else f'clock "{name}" has no offset; those that have: {" ".join(CLOCKS)}'


LINUX = Shape(
    "config-linux.md",
    {
        "uidMappings": ID_MAPPINGS,
        "gidMappings": ID_MAPPINGS,
        "sysctl": mapping(STRING, _key),
        "resources": later("resources", "RESOURCES"),
        "cgroupsPath": STRING,
        "namespaces": array(
            nested(
                Shape(
                    "config-linux.md#namespaces",
                    {"type": STRING, "path": STRING},
                    required={"type": MISSING},
                    rule=_namespace,
                )
            ),
            _namespaces,
        ),
        "devices": array(
            nested(
                Shape(
                    "config-linux.md#devices",
                    {
                        "path": ABSOLUTE,
                        "type": word(DEVICE_TYPES, 'device type "%s" is unknown'),
                        # 12 and 20 bits: what mknod(2) has room for.
                        "major": between(0, 2**12 - 1),
                        "minor": between(0, 2**20 - 1),
                        "fileMode": UINT32,
                        "uid": UINT32,
                        "gid": UINT32,
                    },
                    required={"path": MISSING, "type": MISSING},
                    rule=_device,
                )
            )
        ),
        "netDevices": mapping(
            nested(Shape("config-linux.md#network-devices", {"name": STRING}, rule=_net_device)), interface_problem
        ),
        "seccomp": later("seccomp", "SECCOMP"),
        "rootfsPropagation": word(("", *PROPAGATIONS), "rootfsPropagation=%s is not supported"),
        "maskedPaths": array(ABSOLUTE),
        "readonlyPaths": array(ABSOLUTE),
        "mountLabel": STRING,
        "intelRdt": later("tuning", "INTEL_RDT"),
        "memoryPolicy": later("tuning", "MEMORY_POLICY"),
        "personality": later("tuning", "PERSONALITY"),
        "timeOffsets": mapping(
            nested(
                Shape("config-linux.md#offset-for-time-namespace", {"secs": INT64, "nanosecs": between(0, 10**9 - 1)})
            ),
            _clock,
        ),
    },
    since={
        "timeOffsets": "1.1",
        "netDevices": "1.3",
        "memoryPolicy": "1.3",
        "personality": "1.0.2",
    },
)
