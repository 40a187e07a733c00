"""Bundles for the tests: a busybox root file system, and a config that starts as what `orlop spec` writes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from orlop.host.cgroups import layout
from orlop.spec.template import default

BUSYBOX = "/bin/busybox"
_STEP = re.compile(r"[^.\[\]]+|\[-?\d+\]")


class Root:
    """A root file system to copy from: one static busybox, and a link to it for each of its applets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("bin", "etc", "tmp"):
            (path / name).mkdir(parents=True)
        shutil.copy(BUSYBOX, path / "bin/busybox")
        listed = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
        self.applets = [name for name in listed if name != "busybox"]
        (path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nguest:x:1000:1000::/home/guest:/bin/sh\n")

    def copy(self, to: Path) -> None:
        """Make another one, which shares the file of busybox."""
        for name in ("bin", "etc", "tmp"):
            (to / name).mkdir(parents=True)
        (to / "tmp").chmod(0o1777)
        os.link(self.path / "bin/busybox", to / "bin/busybox")
        for name in self.applets:
            os.symlink("busybox", to / "bin" / name)
        shutil.copy(self.path / "etc/passwd", to / "etc/passwd")


class Bundle:
    """A directory with config.json and rootfs; each change of the config is written at once."""

    def __init__(self, path: Path, root: Root) -> None:
        self.path = path
        self.rootfs = path / "rootfs"
        self.rootfs.mkdir(parents=True)
        path.chmod(0o755)
        root.copy(self.rootfs)
        self.config: object = json.loads(json.dumps(default(cgroup2=layout().unified)))
        self.set("process.terminal", False)

    @property
    def file(self) -> Path:
        return self.path / "config.json"

    def write(self) -> None:
        self.file.write_text(json.dumps(self.config))

    def get(self, field: str) -> object:
        """The value of a field such as `process.user.uid` or `mounts[0].options`."""
        value = self.config
        for step in _steps(field):
            value = _child(value, step)
        return value

    def set(self, field: str, value: object) -> Bundle:
        """Change a field; objects on the way are made."""
        *way, last = _steps(field)
        place = self.config
        for step in way:
            place = _child(place, step)
        if isinstance(place, list):
            place[int(str(last))] = value
        else:
            assert isinstance(place, dict)
            place[last] = value
        self.write()
        return self

    def drop(self, field: str) -> Bundle:
        """Take a field away."""
        *way, last = _steps(field)
        place = self.config
        for step in way:
            place = _child(place, step)
        assert isinstance(place, dict)
        del place[last]
        self.write()
        return self

    def args(self, *args: str) -> Bundle:
        return self.set("process.args", list(args))

    def shell(self, script: str) -> Bundle:
        return self.args("sh", "-c", script)

    def writable(self) -> Bundle:
        return self.set("root.readonly", False)

    def mount(self, destination: str, kind: str, source: str | os.PathLike[str], *options: str) -> Bundle:
        """Add a mount behind the others."""
        mounts = self.get("mounts")
        assert isinstance(mounts, list)
        row = {"destination": destination, "type": kind, "source": os.fspath(source), "options": list(options)}
        return self.set("mounts", [*mounts, row])

    def bind(self, source: str | os.PathLike[str], destination: str, *options: str) -> Bundle:
        return self.mount(destination, "bind", source, *(options or ("rbind",)))

    def without_mount(self, *destinations: str) -> Bundle:
        mounts = self.get("mounts")
        assert isinstance(mounts, list)
        return self.set("mounts", [row for row in mounts if row["destination"] not in destinations])

    def namespace(self, kind: str, path: str | None = "") -> Bundle:
        """Have a new namespace of a type, join one by its path, or, with None, share the runtime's."""
        rows = self.get("linux.namespaces")
        assert isinstance(rows, list)
        others = [row for row in rows if row["type"] != kind]
        if path is not None:
            others.append({"type": kind, "path": path} if path else {"type": kind})
        return self.set("linux.namespaces", others)

    def user_namespace(self, host: int = 100000, size: int = 65536) -> Bundle:
        """Have a user namespace whose ids start at `host`, and give it the root file system."""
        row = [{"containerID": 0, "hostID": host, "size": size}]
        self.namespace("user").set("linux.uidMappings", row).set("linux.gidMappings", row)
        for directory, names, files in os.walk(self.rootfs):
            for name in (".", *names, *files):
                if name != "busybox":  # its file is shared with other bundles
                    os.lchown(os.path.join(directory, name), host, host)
        return self

    def hook(self, kind: str, script: str, *, timeout: int | None = None, inside: bool = False) -> Bundle:
        """Add a hook that runs a shell script: the host's shell, or the container's."""
        path = "/bin/sh"
        hook: dict[str, object] = {"path": path, "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin:/sbin"]}
        if timeout is not None:
            hook["timeout"] = timeout
        assert isinstance(self.config, dict)
        hooks = self.config.setdefault("hooks", {})
        hooks.setdefault(kind, []).append(hook)
        self.write()
        return self


def _steps(field: str) -> list[str | int]:
    found: list[str | int] = []
    for step in _STEP.findall(field):
        found.append(int(step[1:-1]) if step[0] == "[" else step)
    return found


def _child(value: object, step: str | int) -> object:
    if isinstance(value, list):
        assert isinstance(step, int)
        return value[step]
    assert isinstance(value, dict)
    return value.setdefault(step, {})
