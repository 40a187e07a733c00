"""The table of the `pre-draft` format, config.json as runc 0.0.3 read it.  Source: opencontainers/specs of August 2015.

Names are those of that runtime's structures, and the three stale ones that its README has: `uidMapping`, `gidMapping`
and `systemProperties`.
"""

from __future__ import annotations

from orlop.errors import Problem
from orlop.spec.capabilities import CAPABILITIES
from orlop.spec.process import RLIMITS
from orlop.spec.walk import (
    ABSOLUTE,
    BOOL,
    INT64,
    MISSING,
    STRING,
    STRINGS,
    TEXT,
    UINT64,
    Shape,
    array,
    between,
    check_string,
    mapping,
    nested,
    say,
    word,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.spec.walk import Found, Kind

VERSION = "pre-draft"
MOUNT_TYPES = ("proc", "sysfs", "mqueue", "tmpfs", "devpts", "bind", "cgroup")
# name → today's
NAMESPACES = {"process": "pid", "network": "network", "mount": "mount", "ipc": "ipc", "uts": "uts", "user": "user"}

_ID = between(0, 2**31 - 1)


def _namespace(namespace: dict[str, str]) -> Iterator[Problem]:
    kind = namespace["type"]
    if kind not in NAMESPACES:
        told = f'{{"{kind}" "{namespace.get("path", "")}"}}'
        yield Problem("type", f"namespace {told} does not exist", f"known: {' '.join(NAMESPACES)}")


def _mount(mount: dict[str, str]) -> Iterator[Problem]:
    if mount["type"] not in MOUNT_TYPES:
        message = f'unknown mount device "{mount.get("source", "")}" to "{mount["destination"]}"'
        yield Problem("type", message, f"known: {' '.join(MOUNT_TYPES)}")


def _check_capability(value: object, _: None) -> Found:
    if not isinstance(value, str):
        return check_string(value, None)
    if f"CAP_{value}" in CAPABILITIES:
        return []
    hint = "names have no CAP_ before them here" if value in CAPABILITIES else None
    return [Problem("", f'unknown capability "{value}"', hint)]


def _check_device(value: object, _: None) -> Found:
    return say("must not be empty") if value == "" else check_string(value, None)


def _check_class(value: object, _: None) -> Found:
    if not isinstance(value, str):
        return check_string(value, None)
    return say(f'must be a number of 32 bits, not "{value}"') if value and network_class(value) is None else []


def network_class(text: str) -> int | None:
    """The number in `classId`, in a base that its beginning tells, as the kernel reads net_cls.classid."""
    octal = len(text) > 1 and text[0] == "0" and text[1:].isdigit()
    try:
        number = int(text, 8 if octal else 0)
    except ValueError:
        return None
    return number if 0 <= number < 2**32 else None


def _check_device_values(value: object, _: None) -> Found:
    if not isinstance(value, str):
        return check_string(value, None)
    return say(f'must be "major:minor value", not "{value}"') if device_values(value) is None else []


def device_values(text: str) -> list[tuple[int, int, int]] | None:
    """The lines `major:minor value` of a blkio file, or None for what is none."""
    found = []
    for line in filter(str.strip, text.split("\n")):
        number, _, value = line.strip().partition(" ")
        major, _, minor = number.partition(":")
        words = (major, minor, value.strip())
        if not all(each.isascii() and each.isdigit() for each in words):
            return None
        found.append((int(major), int(minor), int(words[2])))
    return found


_DEVICE_VALUES: Kind = (_check_device_values, None)
_SOURCE = "runc 0.0.3"


def _shape(members: dict[str, Kind], *, required: tuple[str, ...] = (), rule: object = None) -> Kind:
    return nested(Shape(_SOURCE, members, required=dict.fromkeys(required, MISSING), rule=rule))  # type: ignore[arg-type]


_MAPPINGS = array(
    _shape({"hostID": _ID, "containerID": _ID, "size": _ID}, required=("hostID", "containerID", "size")),
)
_HOOKS = array(_shape({"path": ABSOLUTE, "args": STRINGS, "env": STRINGS}, required=("path",)))

_RESOURCES = _shape(
    {
        "disableOOMKiller": BOOL,
        "memory": _shape(
            {
                "limit": between(-1, 2**63 - 1),
                "reservation": between(-1, 2**63 - 1),
                "swap": INT64,
                "kernel": INT64,
                "swappiness": between(-1, 100),
            }
        ),
        "cpu": _shape(
            {
                "shares": between(0, 2**63 - 1),
                "quota": INT64,
                "period": between(0, 2**63 - 1),
                "realtimeRuntime": INT64,
                "realtimePeriod": between(0, 2**63 - 1),
                "cpus": STRING,
                "mems": STRING,
            }
        ),
        "blockIO": _shape(
            {
                "blkioWeight": between(0, 2**16 - 1),
                "blkioWeightDevice": _DEVICE_VALUES,
                "blkioThrottleReadBpsDevice": _DEVICE_VALUES,
                "blkioThrottleWriteBpsDevice": _DEVICE_VALUES,
                "blkioThrottleReadIopsDevice": _DEVICE_VALUES,
                "blkioThrottleWriteIopsDevice": _DEVICE_VALUES,
            }
        ),
        "hugepageLimits": array(
            _shape({"pageSize": STRING, "limit": between(0, 2**63 - 1)}, required=("pageSize", "limit"))
        ),
        "network": _shape(
            {
                "classId": (_check_class, None),
                "priorities": array(
                    _shape({"name": STRING, "priority": between(0, 2**32 - 1)}, required=("name", "priority"))
                ),
            }
        ),
    }
)

PREDRAFT = Shape(
    _SOURCE,
    {
        "version": TEXT,
        "platform": _shape({"os": TEXT, "arch": TEXT}),
        "process": _shape(
            {
                "terminal": BOOL,
                "user": _shape({"uid": _ID, "gid": _ID, "additionalGids": array(_ID)}),
                "args": STRINGS,
                "env": STRINGS,
                "cwd": STRING,
            }
        ),
        "root": _shape({"path": STRING, "readonly": BOOL}),
        "hostname": STRING,
        "mounts": array(
            _shape(
                {"type": STRING, "source": STRING, "destination": STRING, "options": STRING},
                required=("type", "destination"),
                rule=_mount,
            )
        ),
        "hooks": _shape({"prestart": _HOOKS, "poststop": _HOOKS}),
        "linux": _shape(
            {
                "uidMappings": _MAPPINGS,
                "gidMappings": _MAPPINGS,
                "uidMapping": _MAPPINGS,
                "gidMapping": _MAPPINGS,
                "rlimits": array(
                    _shape(
                        {"type": between(0, len(RLIMITS) - 1), "hard": UINT64, "soft": UINT64},
                        required=("type", "hard", "soft"),
                    )
                ),
                "sysctl": mapping(STRING),
                "systemProperties": mapping(STRING),
                "resources": _RESOURCES,
                "namespaces": array(_shape({"type": STRING, "path": STRING}, required=("type",), rule=_namespace)),
                "capabilities": array((_check_capability, None)),
                "devices": array((_check_device, None)),
                "rootfsPropagation": word(
                    ("", "private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"),
                    "rootfsPropagation=%s is not supported",
                ),
            }
        ),
    },
)
