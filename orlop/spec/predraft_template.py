"""The config that `spec` of runc 0.0.3 printed: every field of the pre-draft, in its order, with nulls and zeros."""

from __future__ import annotations


def predraft(architecture: str) -> dict[str, object]:
    """Return the sample; `architecture` is Go's name of it, `amd64` or `arm64`."""
    return {
        "version": "pre-draft",
        "platform": {"os": "linux", "arch": architecture},
        "process": {
            "terminal": True,
            "user": {"uid": 0, "gid": 0, "additionalGids": None},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "",
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "shell",
        "mounts": [dict(zip(("type", "source", "destination", "options"), row, strict=True)) for row in _MOUNTS],
        "hooks": {"prestart": None, "poststop": None},
        "linux": {
            "uidMappings": None,
            "gidMappings": None,
            "rlimits": None,
            "sysctl": None,
            "resources": {
                "disableOOMKiller": False,
                "memory": {"limit": 0, "reservation": 0, "swap": 0, "kernel": 0, "swappiness": -1},
                "cpu": {
                    "shares": 0,
                    "quota": 0,
                    "period": 0,
                    "realtimeRuntime": 0,
                    "realtimePeriod": 0,
                    "cpus": "",
                    "mems": "",
                },
                "blockIO": {
                    "blkioWeight": 0,
                    "blkioWeightDevice": "",
                    "blkioThrottleReadBpsDevice": "",
                    "blkioThrottleWriteBpsDevice": "",
                    "blkioThrottleReadIopsDevice": "",
                    "blkioThrottleWriteIopsDevice": "",
                },
                "hugepageLimits": None,
                "network": {"classId": "", "priorities": None},
            },
            "namespaces": [{"type": kind, "path": ""} for kind in ("process", "network", "ipc", "uts", "mount")],
            "capabilities": ["AUDIT_WRITE", "KILL", "NET_BIND_SERVICE"],
            "devices": ["null", "random", "full", "tty", "zero", "urandom"],
            "rootfsPropagation": "",
        },
    }


_MOUNTS = (
    ("proc", "proc", "/proc", ""),
    ("tmpfs", "tmpfs", "/dev", "nosuid,strictatime,mode=755,size=65536k"),
    ("devpts", "devpts", "/dev/pts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
    ("tmpfs", "shm", "/dev/shm", "nosuid,noexec,nodev,mode=1777,size=65536k"),
    ("mqueue", "mqueue", "/dev/mqueue", "nosuid,noexec,nodev"),
    ("sysfs", "sysfs", "/sys", "nosuid,noexec,nodev"),
    ("cgroup", "cgroup", "/sys/fs/cgroup", "nosuid,noexec,nodev,relatime,ro"),
)
