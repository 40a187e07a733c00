"""A config as `spec` of runc 0.0.3 printed it, with the stale names that the README of the time had."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Document = dict[str, object]


def sample() -> Document:
    namespaces = [{"type": kind, "path": ""} for kind in ("process", "network", "ipc", "uts", "mount")]
    mounts = [
        ("proc", "proc", "/proc", ""),
        ("tmpfs", "tmpfs", "/dev", "nosuid,strictatime,mode=755,size=65536k"),
        ("devpts", "devpts", "/dev/pts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
        ("tmpfs", "shm", "/dev/shm", "nosuid,noexec,nodev,mode=1777,size=65536k"),
        ("mqueue", "mqueue", "/dev/mqueue", "nosuid,noexec,nodev"),
        ("sysfs", "sysfs", "/sys", "nosuid,noexec,nodev"),
        ("cgroup", "cgroup", "/sys/fs/cgroup", "nosuid,noexec,nodev,relatime,ro"),
    ]
    throttles = [f"blkioThrottle{way}{unit}Device" for unit in ("Bps", "Iops") for way in ("Read", "Write")]
    cpu = ("shares", "quota", "period", "realtimeRuntime", "realtimePeriod")
    return {
        "version": "pre-draft",
        "platform": {"os": "linux", "arch": "amd64"},
        "process": {
            "terminal": True,
            "user": {"uid": 0, "gid": 0, "additionalGids": None},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "",
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "shell",
        "mounts": [dict(zip(("type", "source", "destination", "options"), row, strict=True)) for row in mounts],
        "linux": {
            "uidMapping": None,
            "gidMapping": None,
            "rlimits": None,
            "systemProperties": None,
            "resources": {
                "disableOOMKiller": False,
                "memory": {"limit": 0, "reservation": 0, "swap": 0, "kernel": 0, "swappiness": -1},
                "cpu": {**dict.fromkeys(cpu, 0), "cpus": "", "mems": ""},
                "blockIO": {"blkioWeight": 0, **dict.fromkeys(["blkioWeightDevice", *throttles], "")},
                "hugepageLimits": None,
                "network": {"classId": "", "priorities": None},
            },
            "namespaces": namespaces,
            "capabilities": ["AUDIT_WRITE", "KILL", "NET_BIND_SERVICE"],
            "devices": ["null", "random", "full", "tty", "zero", "urandom"],
        },
    }
