"""Docker with orlop as its default runtime: what needs several containers, the daemon's end, or many calls.

Only with ORLOP_ENGINES=1.  ORLOP_ENGINE_RUNTIME tests another runtime, ORLOP_ENGINE_PEER is the one to compare with.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.engines.engine import CLIENT, IMAGE, PEER, ROOT, TESTED, Docker, docker, missing, until
from tests.engines.mistakes import MISTAKES, prepare
from tests.engines.probes import probe, trace
from tests.system.command import Done

if why := missing():
    pytest.skip(why, allow_module_level=True)

_LOOP = "trap 'echo bye; exit 6' TERM; echo one; while :; do sleep 0.1; done"
_ALONE = ("--network", "none")


@pytest.fixture(scope="module")
def daemon() -> Iterator[Docker]:
    with docker() as started:
        prepare(started.place)
        yield started


@pytest.fixture
def engine(daemon: Docker) -> Iterator[Docker]:
    yield daemon
    daemon.tidy()


def test_a_group_of_containers_shares_a_network_and_a_volume_and_waits_for_health(engine: Docker) -> None:
    engine.do("network", "create", "group")
    engine.do("volume", "create", "shared")
    common = ("-d", "--network", "group", "-v", "shared:/srv")
    health = ("--health-cmd", "test -e /srv/ready", "--health-interval", "0.2s", "--health-retries", "1")
    store = (
        "until test -e /srv/go; do sleep 0.1; done; echo stored > /srv/index.html; touch /srv/ready; httpd -f -h /srv"
    )
    engine.do("run", *common, *health, "--name", "store", IMAGE, "sh", "-c", store)
    engine.wait("store", "State.Health.Status", "unhealthy")
    engine.do("exec", "store", "touch", "/srv/go")
    engine.wait("store", "State.Health.Status", "healthy")
    engine.do("run", *common, "--name", "front", IMAGE, "sleep", "1000")
    until(lambda: engine("exec", "front", "wget", "-qO-", "http://store/").stdout == "stored\n", "the store answers")
    engine.do("run", "--rm", "--volumes-from", "store:ro", *_ALONE, IMAGE, "grep", "stored", "/srv/index.html")
    engine.tidy()
    engine.do("network", "rm", "group")
    engine.do("volume", "rm", "shared")


def test_what_was_stopped_stays_so_when_the_daemon_returns_and_what_died_is_restarted(engine: Docker) -> None:
    engine.do("run", "-d", *_ALONE, "--name", "up", "--restart", "unless-stopped", IMAGE, "sleep", "1000")
    engine.do("run", "-d", *_ALONE, "--name", "down", "--restart", "unless-stopped", IMAGE, "sleep", "1000")
    engine.do("run", "-d", *_ALONE, "--name", "once", "--restart", "on-failure:2", IMAGE, "sh", "-c", "exit 3")
    engine.wait("once", "State.Status", "exited")
    assert (engine.state("once", "RestartCount"), engine.state("once", "State.ExitCode")) == ("2", "3")
    engine.do("run", "-d", *_ALONE, "--name", "again", "--restart", "always", IMAGE, "sleep", "1000")
    engine.do("stop", "-t", "0", "down", "again")
    # A kill by `docker kill` counts as a stop: the process must die of itself.
    engine("exec", "up", "sh", "-c", "kill -9 -1")
    (first,) = (process for process in engine.processes_in("up"))
    os.kill(first, signal.SIGKILL)
    engine.wait("up", "RestartCount", "1")
    engine.wait("up", "State.Running", "true")
    engine.stop()
    engine.start()
    engine.wait("up", "State.Running", "true")
    engine.wait("again", "State.Running", "true")
    assert engine.do("exec", "again", "echo", "back") == "back"
    assert engine.state("down", "State.Status") == "exited"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_containers_go_on_while_the_daemon_is_away(engine: Docker, number: signal.Signals) -> None:
    engine.do("run", "-d", *_ALONE, "--name", "live", IMAGE, "sh", "-c", _LOOP)
    engine.do(
        "run", "-d", *_ALONE, "--name", "short", IMAGE, "sh", "-c", "until test -e /end; do sleep 0.1; done; exit 7"
    )
    until(lambda: "one" in engine.do("logs", "live"), "the first line")
    before = engine.state("live", "State.Pid")
    (short,) = engine.processes_in("short")[:1]
    engine.do("exec", "-d", "short", "sh", "-c", "until test -e /away; do sleep 0.1; done; touch /end")
    root = f"/proc/{short}/root"
    engine.stop(number)
    with open(f"{root}/away", "x"):
        pass
    until(lambda: not os.path.exists(f"/proc/{short}"), "the short one ends while there is no daemon")
    engine.start()
    assert (engine.state("live", "State.Running"), engine.state("live", "State.Pid")) == ("true", before)
    engine.wait("short", "State.ExitCode", "7")
    assert engine.do("exec", "live", "echo", "back") == "back"
    engine.do("stop", "-t", "20", "live")
    assert engine.state("live", "State.ExitCode") == "6"
    assert engine.do("logs", "live").split() == ["one", "bye"]


def test_orlop_is_replaced_while_containers_run(engine: Docker) -> None:
    """By itself at another place, or by itself from ORLOP_EARLIER."""
    link, copy = engine.place / "replaced", engine.place / "earlier"
    earlier = os.environ.get("ORLOP_EARLIER")
    if earlier is None:
        earlier = f"{copy}/build/orlop"
        for part in ("orlop", "build/orlop", "build/orlop.python"):
            (copy / part).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if part == "orlop" else shutil.copy)(ROOT / part, copy / part)
    link.symlink_to(earlier)
    health = ("--health-cmd", "test -e /ready", "--health-interval", "0.2s", "--health-retries", "1")
    engine.do("run", "-d", *_ALONE, "--runtime", "replaced", *health, "--name", "old", IMAGE, "sh", "-c", _LOOP)
    until(lambda: "one" in engine.do("logs", "old"), "the first line")
    engine.wait("old", "State.Health.Status", "unhealthy")
    link.unlink()
    shutil.rmtree(copy, ignore_errors=True)
    link.symlink_to(TESTED)
    engine.do("exec", "old", "touch", "/ready")
    engine.wait("old", "State.Health.Status", "healthy")
    engine.do("pause", "old")
    engine.do("unpause", "old")
    engine.do("update", "--pids-limit", "99", "old")
    engine.do("stop", "-t", "20", "old")
    assert engine.state("old", "State.ExitCode") == "6"
    engine.do("start", "old")
    assert engine.do("exec", "old", "echo", "back") == "back"


def test_the_containers_of_the_engine_are_listed_below_its_own_root(engine: Docker) -> None:
    engine.do("run", "-d", *_ALONE, "--name", "seen", IMAGE, "sleep", "1000")
    argv = ["nsenter", "-t", str(engine.init), "-m", "-p", TESTED, "--root", f"{engine.place}/exec/runtime-runc/moby"]
    told = subprocess.run([*argv, "list"], capture_output=True, text=True, check=True).stdout
    assert re.search(rf"^{engine.state('seen', 'Id')} +\d+ +running ", told, re.MULTILINE), told


def test_fifty_containers_start_at_the_same_time(engine: Docker) -> None:
    def run(number: int) -> Done:
        return engine("run", "--rm", *_ALONE, IMAGE, "sh", "-c", f"echo {number}; exit {number}", seconds=300)

    with ThreadPoolExecutor(50) as pool:
        for number, done in enumerate(pool.map(run, range(50))):
            assert (done.status, done.stdout, done.stderr) == (number, f"{number}\n", "")
    until(lambda: not engine.processes("containerd-shim-runc-v2"), "the shims are gone")
    assert not list((engine.place / "exec").rglob("state.json"))


def test_probes_leave_nothing_behind(engine: Docker) -> None:
    engine.do("run", "-d", *_ALONE, "--name", "probed", IMAGE, "sleep", "1000")
    probe(engine, "probed", 50)
    before = trace(engine, "probed")
    probe(engine, "probed", int(os.environ.get("ORLOP_ENGINE_PROBES", "200")))
    allowed = {"shim's resident kB": 4096, "shim's threads": 4}

    def grown() -> dict[str, int]:
        after = trace(engine, "probed")
        return {name: after[name] for name in after if after[name] > before[name] + allowed.get(name, 0)}

    until(lambda: not grown(), f"it is as before: {before}")  # the engine removes the pipes of a call after its answer


_DOCKERFILE = f"""FROM {IMAGE} AS first
ARG WORDS
COPY source /work/
WORKDIR /work
RUN test -n "$WORDS" || exit 3; cp source made && echo "$WORDS" >> made && id -u >> made

FROM {IMAGE}
COPY --from=first /work/made /made
USER 1000
CMD ["cat", "/made"]
"""


@pytest.mark.parametrize("kit", ["0", "1"])
def test_an_image_is_built(engine: Docker, kit: str) -> None:
    folder = engine.place / "context"
    folder.mkdir(exist_ok=True)
    (folder / "source").write_text("from the context\n")
    (folder / "Dockerfile").write_text(_DOCKERFILE)
    argv = [CLIENT, "-H", engine.socket, "build", "--network", "none", "--no-cache", "-t", "local/built"]

    def build(words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*argv, "--build-arg", f"WORDS={words}", str(folder)],
            env=os.environ | {"DOCKER_BUILDKIT": kit},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    done = build("told")
    if "buildx component is missing" in done.stderr:
        pytest.skip("engines: need a docker client with BuildKit")
    assert done.returncode == 0, done.stderr
    assert engine.do("run", "--rm", *_ALONE, "local/built").split("\n") == ["from the context", "told", "0"]
    assert engine.do("run", "--rm", *_ALONE, "local/built", "id", "-u") == "1000"
    failed = build("")
    assert failed.returncode != 0 and re.search(r"code: 3\b", failed.stderr + failed.stdout), failed


# Options of `docker run`, and a command that shows what they did.
_OPTIONS: dict[str, tuple[str, ...]] = {
    "nothing": ("cut -d' ' -f2-4 /proc/mounts | grep -E '^/(dev|etc|proc |sys )' | sort; id; env | sort; ls /dev",),
    "status": ("grep -E 'Cap|NoNew|Seccomp:|Umask|oom' /proc/self/status; cat /proc/self/oom_score_adj; ulimit -a",),
    "init": ("--init", "cat /proc/1/comm; ps -o comm"),
    "privileged": (
        "--privileged",
        "grep -E 'Cap|Seccomp:' /proc/self/status; ls /dev | sort | head -50; grep -c ro, /proc/mounts",
    ),
    "device": ("--device", "/dev/null:/dev/other:r", "ls -l /dev/other; cat /dev/other; echo x > /dev/other; echo $?"),
    "gpus": ("--gpus", "all", "true"),
    "no-new-privileges": ("--security-opt", "no-new-privileges", "grep NoNew /proc/self/status"),
    "unconfined": (
        "--security-opt",
        "seccomp=unconfined",
        "--security-opt",
        "systempaths=unconfined",
        "grep Seccomp: /proc/self/status; grep proc /proc/mounts",
    ),
    "user namespace of the host": ("--userns", "host", "cat /proc/self/uid_map"),
    "user": ("-u", "1000:7", "--group-add", "9", "id; echo x > /new; touch /tmp/x; echo $HOME"),
    "read-only": (
        "--read-only",
        "--tmpfs",
        "/tmp:size=1m,mode=700",
        "touch /x; touch /tmp/x; grep /tmp /proc/mounts; ls -ld /tmp",
    ),
    "capabilities": ("--cap-drop", "ALL", "--cap-add", "NET_RAW", "grep Cap /proc/self/status; chown 1:1 /etc/passwd"),
    "limits": ("--ulimit", "nofile=77:88", "--ulimit", "core=0", "ulimit -n; ulimit -Hn; ulimit -c"),
    "sysctl": (
        "--sysctl",
        "net.ipv4.ip_forward=1",
        "--sysctl",
        "kernel.msgmax=9000",
        "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax",
    ),
    "shm": ("--shm-size", "3m", "grep /dev/shm /proc/mounts"),
    "ipc": ("--ipc", "shareable", "grep /dev/shm /proc/mounts"),
    "ipc of the host": ("--ipc", "host", "df /dev/shm | wc -l"),
    "pid of a container": ("--pid", "container:peer", "ps -o comm > /list; sort -u /list"),
    "ipc of a container": ("--ipc", "container:peer", "cat /dev/shm/token"),
    "network of a container": ("--network", "container:peer", "hostname; ls /sys/class/net"),
    "uts of the host": ("--uts", "host", 'test -n "$(hostname)"'),
    "cgroup parent": ("--cgroup-parent", "/orlop-tests-parent", "true"),
    "no OOM killer": ("--oom-kill-disable", "--memory", "64m", "cat /sys/fs/cgroup/memory/memory.oom_control"),
    "memory": (
        "--memory",
        "64m",
        "--memory-swap",
        "96m",
        "--memory-reservation",
        "32m",
        "--kernel-memory",
        "50m",
        "cat /sys/fs/cgroup/memory/memory.*limit_in_bytes",
    ),
    "cpu": (
        "--cpus",
        "0.5",
        "--cpu-shares",
        "99",
        "--cpuset-cpus",
        "0",
        "cat /sys/fs/cgroup/cpu/cpu.*s /sys/fs/cgroup/cpuset/cpuset.cpus; nproc",
    ),
    "pids": ("--pids-limit", "9", "cat /sys/fs/cgroup/pids/pids.max"),
    "hosts": (
        "--hostname",
        "box",
        "--domainname",
        "net",
        "--add-host",
        "a:1.2.3.4",
        "--dns",
        "9.9.9.9",
        "hostname; cat /etc/hosts /etc/hostname; domainname",
    ),
    "working directory": ("-w", "/made/new", "pwd; ls -ld /made/new"),
    "terminal": ("-t", "tty; stty size; ls -l /dev/console"),
    "tmpfs and volume": (
        "--mount",
        "type=tmpfs,dst=/a,tmpfs-size=1m",
        "-v",
        "/b",
        "grep -E ' /(a|b) ' /proc/mounts | cut -d' ' -f2-4",
    ),
    "propagation": (
        "-v",
        "{place}/folder:/f:rslave",
        "-v",
        "{place}/file:/g:ro",
        "grep -E ' /(f|g) ' /proc/self/mountinfo | cut -d' ' -f5-7 | sed 's/[0-9]*//g'",
    ),
    "stop signal": ("--stop-signal", "USR1", "--oom-score-adj", "500", "cat /proc/self/oom_score_adj"),
}


# What runc does as orlop from this version on.
_SINCE = {
    "read-only": (1, 1, 15),  # until then it forgot the mode of a tmpfs
    "a text file without an interpreter line": (1, 2, 0),
    "a script whose interpreter is missing": (1, 2, 0),
    "a script with the line ends of DOS": (1, 2, 0),
    "a program for another processor": (1, 2, 0),
}


def _need_peer(name: str) -> None:
    if not PEER:
        pytest.skip("engines: need runc to compare with")
    told = subprocess.run([PEER, "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(map(int, re.findall(r"\d+", told.splitlines()[0])[:3]))
    if version < _SINCE.get(name, version):
        pytest.skip(f"engines: need runc {'.'.join(map(str, _SINCE[name]))} to compare with")


def _has_every_capability() -> bool:
    bounding = re.search(r"CapBnd:\s*(\w+)", Path("/proc/self/status").read_text())
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    return bounding is not None and int(bounding[1], 16) == (1 << last + 1) - 1


def _told(done: Done) -> tuple[int, str, str]:
    """How it ended, without what no two runs share."""
    changing = r"[0-9a-f]{64}|[0-9a-f]{12}|engine-\w+|/l/[A-Z0-9]{26}|\d\d:\d\d"
    if done.status == 125:
        return 125, "", ""  # refused: the words are not runc's
    return done.status, re.sub(changing, "*", done.stdout), re.sub(changing, "*", done.stderr)


@pytest.mark.parametrize("name", _OPTIONS)
def test_an_option_does_what_it_does_with_runc(engine: Docker, name: str) -> None:
    _need_peer(name)
    engine.do(
        "run",
        "-d",
        *_ALONE,
        "--ipc",
        "shareable",
        "--name",
        "peer",
        IMAGE,
        "sh",
        "-c",
        "echo hi > /dev/shm/token; sleep 1000",
    )
    until(lambda: engine("exec", "peer", "cat", "/dev/shm/token").stdout == "hi\n", "the other container is ready")
    *options, command = (word.format(place=engine.place) if "{place}" in word else word for word in _OPTIONS[name])
    network = () if "--network" in options else _ALONE
    both = [
        _told(engine("run", "--rm", "--runtime", runtime, *network, *options, IMAGE, "sh", "-c", command))
        for runtime in ("tested", "peer")
    ]
    if name == "privileged" and not _has_every_capability():  # runc refuses to leave one out
        assert both[0][0] != 125 and both[1][0] == 125
        return
    assert [part.splitlines() if isinstance(part, str) else part for part in both[0]] == [
        part.splitlines() if isinstance(part, str) else part for part in both[1]
    ]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_ends_with_the_exit_status_that_it_has_with_runc(engine: Docker, name: str) -> None:
    _need_peer(name)
    engine.do("create", "--name", "gone", IMAGE)
    args = [word.format(place=engine.place) for word in MISTAKES[name]]
    tested, peer = (engine("run", "--rm", *_ALONE, "--runtime", runtime, *args) for runtime in ("tested", "peer"))
    # By the version of Docker a directory is 125 with runc; 126 with orlop, always.
    assert tested.status == (126 if name == "a directory as the command" else peer.status), (tested, peer)
