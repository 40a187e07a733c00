"""Mutated configs, run for real: each runs, or fails with one clean line, and leaves nothing behind.

EXAMPLES=2000 runs as many.  What would reach the host by design is not mutated: the root, bind sources, the cgroup's
path, hooks and the paths of namespaces.
"""

from __future__ import annotations

import json
import os
import random
from copy import deepcopy
from typing import TYPE_CHECKING

import pytest

from tests.system.bundles import Bundle
from tests.system.command import Runtime, error_line

if TYPE_CHECKING:
    Place = tuple[dict[str, object] | list[object], str | int]

pytestmark = pytest.mark.usefixtures("clean_host")

EXAMPLES = int(os.environ.get("EXAMPLES", "30"))

UNTOUCHED = {"root", "cgroupsPath", "hooks", "path", "source", "args"}
MORE: dict[str, object] = {
    "process": {
        "rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}, {"type": "RLIMIT_NPROC", "soft": 99, "hard": 99}],
        "oomScoreAdj": 5,
        "scheduler": {"policy": "SCHED_BATCH", "nice": 3},
        "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
    },
    "linux": {
        "sysctl": {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096"},
        "resources": {
            "memory": {"limit": 1 << 26, "reservation": 1 << 25},
            "cpu": {"shares": 512, "quota": 50000, "period": 100000, "cpus": "0", "mems": "0"},
            "pids": {"limit": 50},
            "devices": [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "access": "rw"}],
        },
        "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 0}],
        "seccomp": {
            "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [
                {"names": ["mkdir", "reboot"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5},
                {
                    "names": ["socket"],
                    "action": "SCMP_ACT_ERRNO",
                    "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_EQ"}],
                },
            ],
        },
        "rootfsPropagation": "private",
        "personality": {"domain": "LINUX"},
    },
    "annotations": {"org.example": "x"},
}
WORDS = (
    "", "x", "ro", "rw", "shared", "rprivate", "unbindable", "noexec", "size=4k", "mode=0", "tmpfs", "ramfs", "sysfs",
    "mqueue", "cgroup", "/", "/proc", "/proc/self", "/dev", "/dev/null", "/etc/passwd", "/etc/passwd/x", "/a/../../b",
    "/tmp", "../x", "network", "ipc", "uts", "pid", "mount", "user", "cgroup", "time", "CAP_SYS_ADMIN", "CAP_X",
    "SCMP_ACT_KILL", "SCMP_ACT_TRACE", "SCMP_ACT_NOTIFY", "SCMP_CMP_MASKED_EQ", "SCHED_FIFO", "SCHED_DEADLINE",
    "RLIMIT_AS", "RLIMIT_FSIZE", "A=b", "0-9999", "kernel.panic", "1" * 300, "ü", "a\nb", "\0",
)  # fmt: skip
NUMBERS = (-1, 0, 1, 7, 100, 65535, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1.5)


def places(value: object) -> list[Place]:
    """Every place in a document that may be changed: the object or array, and the name or index in it."""
    found: list[Place] = []
    if isinstance(value, dict):
        for name, below in value.items():
            if name not in UNTOUCHED:
                found += [(value, name), *places(below)]
    elif isinstance(value, list):
        for index, below in enumerate(value):
            found += [(value, index), *places(below)]
    return found


def mutate(config: object, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 3)):
        parent, key = chance.choice(places(config))
        value: object = chance.choice((chance.choice(WORDS), chance.choice(NUMBERS), None, [], {}, True))
        here = parent[key]  # type: ignore[index]
        if chance.random() < 0.6:  # of the same kind: most others are refused on sight
            value = {str: chance.choice(WORDS), int: chance.choice(NUMBERS)}.get(type(here), here)
        how = chance.choice(("set", "set", "drop", "repeat"))
        if how == "drop":
            del parent[key]  # type: ignore[arg-type]
        elif how == "repeat" and isinstance(parent, list):
            parent.insert(0, deepcopy(here))
        else:
            parent[key] = value  # type: ignore[index]


def merged(base: object, more: object) -> object:
    if isinstance(base, dict) and isinstance(more, dict):
        return {**base, **{name: merged(base.get(name), value) for name, value in more.items()}}
    return deepcopy(more)


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_a_mutated_config_runs_or_fails_and_leaves_nothing_behind(runtime: Runtime, bundle: Bundle, seed: int) -> None:
    bundle.args("true")
    bundle.config = merged(bundle.config, MORE)
    mutate(bundle.config, seed)
    bundle.write()
    done = runtime.run(bundle, status=None)
    done.stderr = "\n".join(line for line in done.stderr.splitlines() if "level=warning" not in line)
    if done.stderr:
        assert done.status == 1 and error_line(done), json.dumps(bundle.config)
    else:  # the program's own end, or that of a filter or a limit
        assert done.status in (0, 137, 159), f"{done}\n{json.dumps(bundle.config)}"
