"""A Docker Engine of the tests' own: it runs in namespaces that end with the tests, its files are in one place."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.system.command import Done

ROOT = Path(__file__).resolve().parents[2]
TESTED = os.environ.get("ORLOP_ENGINE_RUNTIME", str(ROOT / "build/orlop"))
PEER = os.environ.get("ORLOP_ENGINE_PEER", shutil.which("runc") or "")
# Debian's client has BuildKit in it, others need a component.
CLIENT = os.environ.get("ORLOP_ENGINE_CLIENT") or shutil.which("docker", path="/usr/bin") or "docker"
BUSYBOX = "/bin/busybox"
IMAGE = "local/box"
# Files in the image's /bin that the kernel won't execute; the last is an ELF header for a SPARC.
_NOT_EXECUTABLE = {
    "text": b"no program\n",
    "lost": b"#!/no/interpreter\n",
    "dos": b"#!/bin/sh\r\necho hello\r\n",
    "foreign": b"\x7fELF\1\2\1".ljust(16, b"\0") + bytes((0, 2, 0, 2, 0, 0, 0, 1)).ljust(36, b"\0"),
}
PATIENCE = 60.0  # seconds until something that never happens fails its test

# The first process of the sandbox reaps what daemons leave.
_INIT = """mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/lock && ip link set lo up && echo ready || exit 1
while :; do sleep 1000 & wait $!; done"""


def missing() -> str:
    """Say why there can't be an engine here; empty if there can."""
    if os.environ.get("ORLOP_ENGINES") != "1":
        return "engines: only with ORLOP_ENGINES=1"
    if os.geteuid():
        return "engines: need root"
    programs = ("dockerd", CLIENT, "containerd", "containerd-shim-runc-v2", "ip", "iptables", BUSYBOX)
    lacking = [program for program in programs if not shutil.which(program)]
    return f"engines: need {', '.join(lacking)}" if lacking else ""


def until(happened: Callable[[], object], what: str) -> None:
    """Wait until it happened; fail after PATIENCE."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


class Docker:
    """Two runtimes beside each other: `tested`, the default one, and `peer`, to compare with."""

    def __init__(self, place: Path, init: int) -> None:
        self.place = place
        self.init = init
        self.socket = f"unix://{place}/sock"
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        runtimes = {"tested": {"path": TESTED}, "replaced": {"path": f"{self.place}/replaced"}}
        runtimes |= {"peer": {"path": PEER}} if PEER else {}
        config = {"runtimes": runtimes, "default-runtime": "tested", "live-restore": True}
        (self.place / "daemon.json").write_text(json.dumps(config))
        (self.place / "bin").mkdir(exist_ok=True)
        link = self.place / "bin/runc"  # BuildKit looks for a program of this name
        if not link.is_symlink():
            link.symlink_to(TESTED)
        environment = os.environ | {"PATH": f"{self.place}/bin:{os.environ['PATH']}", "TMPDIR": str(self.place)}
        argv = [
            "nsenter",
            "-t",
            str(self.init),
            "-m",
            "-n",
            "-p",
            "dockerd",
            "--config-file",
            f"{self.place}/daemon.json",
        ]
        argv += ["--data-root", f"{self.place}/root", "--exec-root", f"{self.place}/exec", "-p", f"{self.place}/pid"]
        argv += [
            "-H",
            self.socket,
            "--exec-opt",
            "native.cgroupdriver=cgroupfs",
            "--cgroup-parent",
            f"/{cgroup(self.place.name)}",
        ]
        with open(self.place / "log", "ab") as log:
            self._daemon = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)
        until(lambda: self("version").status == 0 or self._ended(), "the daemon answers")

    def _ended(self) -> bool:
        assert self._daemon is not None and self._daemon.poll() is None, (self.place / "log").read_text()[-2000:]
        return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the daemon, and leave its containers alone."""
        assert self._daemon is not None
        daemon = self.processes("dockerd")
        for pid in daemon + (self.processes("containerd") if number == signal.SIGKILL else []):
            os.kill(pid, number)
        self._daemon.wait(PATIENCE)

    def reap(self) -> None:
        """Wait for the daemon, which ended with the sandbox."""
        if self._daemon is not None:
            self._daemon.wait(PATIENCE)

    def __call__(self, *args: str, stdin: str = "", seconds: float = 120) -> Done:
        argv = [CLIENT, "-H", self.socket, *args]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=seconds, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def do(self, *args: str) -> str:
        """Do what must succeed, and return what it printed."""
        done = self(*args)
        assert done.status == 0, (args, done)
        return done.stdout.strip()

    def state(self, name: str, field: str) -> str:
        return self.do("inspect", "-f", "{{." + field + "}}", name)

    def wait(self, name: str, field: str, value: str) -> None:
        until(lambda: self.state(name, field) == value, f"{field} of {name} is {value}")

    def tidy(self) -> None:
        if names := self.do("ps", "-aq").split():
            self.do("rm", "-f", *names)

    def processes_in(self, container: str) -> list[int]:
        """The processes of a container, by the numbers that they have here, its init first."""
        name = self.state(container, "Id")
        listed = next(Path(folder, "cgroup.procs") for folder in self.cgroups() if folder.endswith(name))
        return [int(line) for line in listed.read_text().split()]

    def cgroups(self) -> list[str]:
        return cgroups(self.place.name)

    def processes(self, name: str) -> list[int]:
        """The processes of this name in the sandbox, by the numbers that they have here."""
        own = os.stat(f"/proc/{self.init}/ns/pid").st_ino
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "comm").read_text().strip() == name[:15]:
                    found += [int(entry.name)] if (entry / "ns/pid").stat().st_ino == own else []
            except OSError:  # it has ended
                continue
        return found


@contextmanager
def docker() -> Iterator[Docker]:
    """Start an engine with an image of busybox; nothing of it is left afterwards."""
    place = Path(tempfile.mkdtemp(prefix="engine-"))
    argv = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", _INIT]
    sandbox = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    engine = None
    try:
        assert sandbox.stdout is not None and sandbox.stdout.readline() == b"ready\n"
        init = int(Path(f"/proc/{sandbox.pid}/task/{sandbox.pid}/children").read_text().split()[0])
        engine = Docker(place, init)
        engine.start()
        engine.do("import", "-c", 'CMD ["sh"]', str(_image(place)), IMAGE)
        yield engine
        engine.tidy()
    finally:
        sandbox.kill()
        sandbox.communicate()
        if engine is not None:
            engine.reap()
        _remove(cgroups(place.name) + cgroups("parent"))  # the latter is of the flag --cgroup-parent
        shutil.rmtree(place, ignore_errors=True)


def _image(place: Path) -> Path:
    root = place / "rootfs"
    for folder in ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "run", "srv"):
        (root / folder).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    listed = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nuser:x:1000:\n")
    for name, content in _NOT_EXECUTABLE.items():
        (root / "bin" / name).write_bytes(content)
        (root / "bin" / name).chmod(0o755)
    subprocess.run(["tar", "-C", root, "-cf", place / "image.tar", "."], check=True)
    return place / "image.tar"


def cgroup(name: str) -> str:
    """Name the parent of the cgroups of an engine's containers."""
    return f"orlop-tests-{name}"


def cgroups(name: str) -> list[str]:
    """All cgroups of an engine, of each hierarchy, the deepest first."""
    return [folder for folder, _, _ in os.walk("/sys/fs/cgroup", topdown=False) if cgroup(name) in folder]


def _remove(folders: list[str]) -> None:
    for folder in folders:
        until(partial(_removed, folder), f"{folder} is empty")


def _removed(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:  # its processes are on their way out
        return False
    return True
