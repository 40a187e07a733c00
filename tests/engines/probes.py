"""A day's worth of health checks: `python -m tests.engines.probes [NUMBER]` tells what they leave behind."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.engines.engine import IMAGE, PEER, TESTED, Docker, docker

AT_ONCE = 3
COMMANDS = 7  # more than there are programs remembered


def probe(engine: Docker, container: str, number: int) -> None:
    """Run a command in the container this often; each must answer."""

    def one(index: int) -> None:
        word = str(index % COMMANDS)
        done = engine("exec", container, "echo", word)
        assert (done.status, done.stdout) == (0, f"{word}\n"), done

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(number)))


def trace(engine: Docker, container: str) -> dict[str, int]:
    """What a leak would show in: of the shim, the container's cgroup, the engine's and the runtime's files."""
    (shim,) = engine.processes("containerd-shim-runc-v2")
    status = Path(f"/proc/{shim}/status").read_text()
    ours = os.stat(f"/proc/{shim}/ns/pid").st_ino
    return {
        "shim's resident kB": int(status.split("VmRSS:")[1].split()[0]),
        "shim's descriptors": len(os.listdir(f"/proc/{shim}/fd")),
        "shim's threads": len(os.listdir(f"/proc/{shim}/task")),
        "shim's children": len(Path(f"/proc/{shim}/task/{shim}/children").read_text().split()),
        "processes": sum(_same(path, ours) for path in Path("/proc").iterdir() if path.name.isdigit()),
        "container's processes": len(engine.do("top", container).splitlines()) - 1,
        "init's descriptors": len(engine.do("exec", container, "ls", "/proc/1/fd").splitlines()),
        "mounts": len(Path(f"/proc/{engine.init}/mountinfo").read_text().splitlines()),
        "cgroups": len(engine.cgroups()),
        "files": _files(engine.place / "exec"),
        "runtime's cache": _files(Path(f"/proc/{engine.init}/root/run/orlop-cache")),
    }


def _files(place: Path) -> int:
    return sum(len(files) + len(names) for _, names, files in os.walk(place))


def _same(process: Path, namespace: int) -> bool:
    try:
        return (process / "ns/pid").stat().st_ino == namespace
    except OSError:
        return False


def main(number: int, runtime: str) -> None:
    with docker() as engine:
        engine.do("run", "-d", "--name", "probed", "--network", "none", "--runtime", runtime, IMAGE, "sleep", "100000")
        probe(engine, "probed", number // 20)
        before = trace(engine, "probed")
        probe(engine, "probed", number - number // 20)
        after = trace(engine, "probed")
    print(f"{TESTED if runtime == 'tested' else PEER}: {number} probes")
    for name, value in before.items():
        print(f"  {name:24} {value:8} -> {after[name]:8}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, sys.argv[2] if len(sys.argv) > 2 else "tested")
