"""What is known of a container whose `run` came before, on a made-up host."""

from __future__ import annotations

from _struct import pack

from orlop.plan import events
from orlop.plan.commands import Brief, Command
from orlop.plan.supervision import Supervision
from orlop.program.layout import EVENT_HEAD
from tests.golden.configs import ID

ABOUT = "The supervisor's part of a `run` that came before: hybrid cgroups, one bind mount, HOME looked up."
_INTERPRETER = ["/usr/bin/python3.11", "-I", "-S", "-X", "utf8"]


def _event(kind: int, op: int, value: int = 0, payload: bytes = b"") -> bytes:
    return pack(EVENT_HEAD, kind, op, value) + payload


SUPERVISION = Supervision(
    "x86_64",
    directory=f"/run/orlop/{ID}",
    record=b'{"orlop_format":2,"id":"golden"}',
    config=b'{"ociVersion":"1.3.0"}',
    stat="init.stat",
    control=3,
    python=_INTERPRETER[0],
    again=[*_INTERPRETER, "-X", "fresh", "/orlop/__pycache__/boot.cpython-311.pyc", "orlop", "run", ID],
    attend=[*_INTERPRETER, "/orlop/boot.py", "orlop", "--root", "/run/orlop", "attend", ID],
    files=(("/proc/self/cgroup", b"1:memory:/\n0::/\n"), ("/bundle/config.json", b'{"ociVersion":"1.3.0"}')),
    identities=(("/orlop/executor/init.x86_64", 4456, 1_700_000_000_123_456_789, 4711),),
    sources=(("/srv", True), ("/etc/hosts", False)),
    capabilities=b"\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\xff\1\0\0\xff\1\0\0\0\0\0\0",
    limits=pack("<QQ", 1024, 4096) * 16,
    steps=(
        ("make", f"/sys/fs/cgroup/memory/{ID}", ""),
        ("make", f"/sys/fs/cgroup/unified/{ID}", ""),
        ("read", "/sys/fs/cgroup/memory/memory.use_hierarchy", "1\n"),
        ("write", f"/sys/fs/cgroup/memory/{ID}/memory.limit_in_bytes", "33554432"),
        ("write", f"/sys/fs/cgroup/devices/{ID}/devices.allow", "c 1:3 rwm"),
        ("write", f"/sys/fs/cgroup/devices/{ID}/devices.allow", "c 1:5 rwm"),
    ),
    cgroups=(f"/sys/fs/cgroup/memory/{ID}", f"/sys/fs/cgroup/unified/{ID}"),
    heard=(
        (_event(events.PID, 16, 4711), b""),
        (_event(events.HOME, 391, payload=b"root:x:0:0:root:/root:/bin/sh\n"), b"HOME=/root\0"),
        (_event(events.CREATED, 480), b""),
    ),
)


def command(name: str) -> Command:
    """What is known of a `start` or `delete`, of a container with one cgroup of version 2."""
    return Command(
        "x86_64",
        f"/run/orlop/{ID}",
        Brief("brief", b"orlopbf\1", 1064, 8, 40, b"0\n", (552,)),
        _INTERPRETER[0],
        [*_INTERPRETER, "-X", "fresh", "/orlop/__pycache__/boot.cpython-311.pyc", "orlop", name, ID],
        b"         0          0 4294967295\n",
        (("/orlop/executor/init.x86_64", 4456, 1_700_000_000_123_456_789, 4711),),
    )
