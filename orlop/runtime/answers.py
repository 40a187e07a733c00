"""What the supervisor does for each event of a container's program (plan/events.py), and what it answers.

Imported when the executor has been spawned: it is busy then, and this process would only wait.
"""

from __future__ import annotations

from orlop import system as os
from orlop.errors import OrlopError
from orlop.plan import events
from orlop.program.layout import EVENT_FAILED
from orlop.runtime.waiting import reap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.executor.link import Event
    from orlop.runtime.launch import Launch
    from orlop.runtime.waiting import Steps
    from orlop.spec.types import Process

_SIGKILL = 9


def handle(launch: Launch, event: Event) -> Steps[None]:
    """Do what an event asks for.  Raises the error that it tells of."""
    answer = _ANSWERS.get(event.kind)
    if answer is not None:
        steps = answer(launch, event)
        if steps is not None:
            yield from steps


def _failed(launch: Launch, event: Event) -> None:
    from orlop.runtime.failure import failure

    if launch.monitor is not None and not launch.monitor.pid:
        raise failure(launch.monitor.program, event)
    raise failure(launch.program.planned(), event)


def _hook_failed(launch: Launch, event: Event) -> None:
    from orlop.runtime.failure import hook_failure

    raise hook_failure(launch.program.planned(), event)


def _monitored(launch: Launch, event: Event) -> None:
    launch.monitored(event.value)
    launch.bring_in()


def _console(launch: Launch, event: Event) -> None:
    (launch.master,) = event.fds


def _home_wanted(launch: Launch, event: Event) -> None:
    launch.answer(b"HOME=" + home(launch.process, event.payload) + b"\0")
    if launch.at_once:
        launch.let_go()


def _rootfs_made(launch: Launch, event: Event) -> Steps[None]:
    from orlop.runtime.hooks import run_hooks

    state = {**launch.state, "status": "creating", "pid": launch.pid}
    yield from run_hooks(launch.spec, "prestart", state)
    yield from run_hooks(launch.spec, "createRuntime", state)
    launch.answer()


def _network(launch: Launch, event: Event) -> None:
    from orlop.runtime.net_devices import NetDevices

    launch.devices = NetDevices(launch.pid, event.fds[0])
    launch.devices.move(launch.spec["linux"]["netDevices"])
    launch.answer()


def _listener(launch: Launch, event: Event) -> Steps[None]:
    from orlop.runtime.listener import send_listener

    state = {**launch.state, "pid": launch.state.get("pid") or launch.pid}
    return send_listener(launch.spec["linux"], launch.pid, event.value, state)


def _dangling(launch: Launch, event: Event) -> None:
    from orlop.host.dangling import make_below

    make_below(event.fds[0], event.payload, directory=bool(event.value))
    launch.answer()


def _idmap(launch: Launch, event: Event) -> Steps[None]:
    from orlop.runtime.idmap import mount_inside

    namespace = launch.mapped[event.value]
    yield from mount_inside(launch.spec, launch.rootfs, event.value, namespace, launch.pid)
    launch.answer()


def _copy_up(launch: Launch, event: Event) -> None:
    from orlop.host.copytree import copy_up
    from orlop.runtime.charge import allocator

    below, into = event.fds
    copy_up(below, into, allocator(launch.cgroup))
    launch.answer()


def _cloned(launch: Launch, event: Event) -> Steps[None] | None:
    pid = event.value
    if pid != launch.spawned:
        if launch.pid:  # it will be signalled, as whoever we are: it is not believed twice
            raise OrlopError("the container's process was told of twice: somebody traces it")
        launch.pid = pid
        if launch.monitor is not None:
            launch.monitor.hold(pid)
        if launch.known is not None:
            launch.known(pid)
        if launch.monitor is None:
            reap(launch.spawned)
        launch.spawned = 0
    return _map_users(launch, pid) if _waits_for_maps(launch, pid) else None


def _map_users(launch: Launch, pid: int) -> Steps[None]:
    from orlop.runtime.idmap import write_maps

    linux = launch.spec.get("linux") or {}
    yield from write_maps(pid, linux.get("uidMappings") or [], linux.get("gidMappings") or [])
    launch.answer()


def _waits_for_maps(launch: Launch, pid: int) -> bool:
    """A process of a new user namespace: the container's, or the executor's own when a time namespace belongs to it."""
    if launch.state.get("status") == "running":
        return False  # exec: the namespace has its maps
    rows = (launch.spec.get("linux") or {}).get("namespaces") or []
    new = {row["type"] for row in rows if not row.get("path")}
    return "user" in new and (pid == launch.spawned or "time" not in new)


def home(process: Process, passwd: bytes) -> bytes:
    """The home directory of a process's user."""
    uid = (process.get("user") or {}).get("uid") or 0
    for line in passwd.split(b"\n"):
        fields = line.split(b":")
        if len(fields) >= 6 and fields[2] == b"%d" % uid and fields[5]:
            return fields[5][:4000]
    return b"/"


def died(launch: Launch) -> OrlopError:
    """It ended without a word: nothing but a signal does that."""
    for pid in (launch.pid, launch.spawned):
        if pid:
            status = _status(launch, pid)
            launch.pid = launch.spawned = 0
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) == _SIGKILL:
                return _killed(launch)
    return OrlopError("container init ended before the container was created")


def _killed(launch: Launch) -> OrlopError:
    """Most often by the kernel, for want of memory; but also by who shares a pid namespace with it."""
    from orlop.cgroup.stats.final import final
    from orlop.runtime.failure import out_of_memory

    if final(launch.cgroup.paths).get("oom_kills") == 0:
        hint = "a process of the container, or of a pid namespace that it joins, or of the host has sent it SIGKILL"
        return OrlopError("container process was killed before it could run its program", hint=hint)
    return out_of_memory()


def _status(launch: Launch, pid: int) -> int:
    """Reap a process that has ended, or have it from the monitor, which does."""
    if launch.monitor is not None and launch.monitor.pid:
        return launch.monitor.status()
    return reap(pid) or 0


_ANSWERS: dict[int, Callable[[Launch, Event], Steps[None] | None]] = {
    EVENT_FAILED: _failed,
    events.PID: _cloned,
    events.COPY_UP: _copy_up,
    events.ROOTFS: _rootfs_made,
    events.HOME: _home_wanted,
    events.CONSOLE: _console,
    events.HOOK_FAILED: _hook_failed,
    events.HOOK_TIMEOUT: _hook_failed,
    events.LISTENER: _listener,
    events.NETWORK: _network,
    events.DANGLING: _dangling,
    events.MONITOR: _monitored,
    events.IDMAP: _idmap,
}
