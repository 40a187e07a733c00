"""What is measured, one function each: (runtime, bundle) -> milliseconds or KiB."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_ids = itertools.count()


class Runtime:
    """A runtime's command, with a root of its own."""

    def __init__(self, name: str, path: str, work: str, *flags: str) -> None:
        self.name = name
        self.root = f"{work}/state-{name}"
        self.command = [path, "--root", self.root, *flags]

    def call(self, *words: str | Path) -> float:
        """Milliseconds from start to end.  Raises RuntimeError when it fails."""
        command = [*self.command, *map(str, words)]
        silent = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in range(3)]
        begin = time.perf_counter()
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=silent)
        _, status = os.waitpid(pid, 0)
        spent = (time.perf_counter() - begin) * 1000
        if status:
            raise RuntimeError(f"{' '.join(command)}: status {os.waitstatus_to_exitcode(status)}")
        return spent

    def version(self) -> str:
        """As it tells it: `runc version 1.1.5`."""
        done = subprocess.run([self.command[0], "--version"], stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.partition("\n")[0].partition("+")[0]

    def pid(self, name: str) -> int:
        """The first process of a container."""
        done = subprocess.run([*self.command, "state", name], stdout=subprocess.PIPE, check=True)
        return int(json.loads(done.stdout)["pid"])


def new_id() -> str:
    return f"bench-{os.getpid()}-{next(_ids)}"


def works(runtime: Runtime, bundle: Path) -> bool:
    """Can this runtime run the bundle here?"""
    try:
        run(runtime, bundle)
    except RuntimeError:
        return False
    return True


def run(runtime: Runtime, bundle: Path) -> float:
    return runtime.call("run", "--bundle", bundle, new_id())


def run_new(runtime: Runtime, bundle: Path) -> float:
    """A run of a config that nobody has seen before, as those of engines are."""
    own = bundle.parent / f"new-{runtime.name}"
    own.mkdir(exist_ok=True)
    config = json.loads((bundle / "config.json").read_text())
    name = new_id()
    config["root"]["path"] = str(bundle / "rootfs")
    (own / "config.json").write_text(json.dumps({**config, "annotations": {"name": name}}))
    return runtime.call("run", "--bundle", own, name)


def run_from_program(runtime: Runtime, bundle: Path) -> float:
    """A run as this very program has it: orlop as a library, the others as a command."""
    if runtime.name != "orlop":
        return run(runtime, bundle)
    from orlop import Container

    begin = time.perf_counter()
    code = Container.run(new_id(), str(bundle), root=runtime.root)
    spent = (time.perf_counter() - begin) * 1000
    if code:
        raise RuntimeError(f"the container of {bundle} ended with {code}")
    return spent


def run_filtered(runtime: Runtime, bundle: Path) -> float:
    """A run as engines ask for it, under a profile of the size of theirs."""
    return run(runtime, bundle.parent / "filtered")


def seccomp_profile(runtime: Runtime, bundle: Path) -> float:
    """What that profile adds: the difference of two, one right after the other."""
    return run_filtered(runtime, bundle) - run(runtime, bundle)


def create_start_delete(runtime: Runtime, bundle: Path) -> float:
    """The three commands; the container's end in between is not counted."""
    name = new_id()
    spent = runtime.call("create", "--bundle", bundle, name)
    pidfd = os.pidfd_open(runtime.pid(name))
    spent += runtime.call("start", name)
    _until_ended(pidfd)
    return spent + runtime.call("delete", name)


def _until_ended(pidfd: int) -> None:
    import select

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.poll()
    os.close(pidfd)


def exec_true(runtime: Runtime, bundle: Path) -> float:
    name = new_id()
    runtime.call("run", "--detach", "--bundle", bundle.parent / "waiting", name)
    try:
        runtime.call("exec", name, "/bin/true")
        return runtime.call("exec", name, "/bin/true")
    finally:
        runtime.call("delete", "--force", name)


def waiting_memory(runtime: Runtime, bundle: Path) -> float:
    """Proportional set size, in KiB, of the process of a created container (/proc/PID/smaps_rollup)."""
    name = new_id()
    runtime.call("create", "--bundle", bundle, name)
    try:
        return _proportional(runtime.pid(name))
    finally:
        runtime.call("delete", "--force", name)


def _proportional(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("Pss:")))


def monitor_memory(runtime: Runtime, bundle: Path) -> float:
    """The same of the process that waits for the end of a detached container: the parent of that one's."""
    name = new_id()
    runtime.call("run", "--detach", "--monitor", "--bundle", bundle.parent / "waiting", name)
    try:
        status = Path(f"/proc/{runtime.pid(name)}/status").read_text()
        return _proportional(int(next(line.split()[1] for line in status.splitlines() if line.startswith("PPid:"))))
    finally:
        runtime.call("delete", "--force", name)


MEASURES: dict[str, Callable[[Runtime, Path], float]] = {
    "run /bin/true (ms)": run,
    "run a config that is new (ms)": run_new,
    "run it under a seccomp profile (ms)": run_filtered,
    "run from a Python program (ms)": run_from_program,
    "create + start + delete (ms)": create_start_delete,
    "exec /bin/true (ms)": exec_true,
    "added by a seccomp profile (ms)": seccomp_profile,
    "memory of a waiting container (KiB)": waiting_memory,
    "memory of a monitor (KiB)": monitor_memory,
}
WITHOUT_FLAGS = frozenset(("run from a Python program (ms)",))  # the library has none for the cgroup driver
ONLY_ORLOP = frozenset(("memory of a monitor (KiB)",))
