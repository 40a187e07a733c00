"""Runs the program of a container, up to the point where it waits to become the user's.

supervisor                                              executor, then the container's first process
spawn ─────────────────────────────────────────────────▶ runs
◀──────────────────────────────── MONITOR ── know the monitor, which was spawned, from the executor
◀──────────────────────────────── CGROUP ── have systemd make the cgroup around it, answer
◀──────────────────────────────── PID ── reap the executor, write the id maps, answer
◀──────────────────────────────── NETWORK ── move the network devices, answer
◀──────────────────────────────── COPY_UP ── copy, answer
◀──────────────────────────────── ROOTFS ── prestart and createRuntime hooks, answer
◀──────────────────────────────── CONSOLE ── keep the master of the terminal
◀──────────────────────────────── HOME ── look the user up, answer
◀──────────────────────────────── CREATED, or LISTENER ── take the listener, give it to the agent
"""

from __future__ import annotations

import errno
import time

from orlop import system as os
from orlop.errors import KernelError, OrlopError
from orlop.executor.link import Executor
from orlop.plan import events
from orlop.program.layout import EVENT_FAILED
from orlop.runtime.waiting import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.executor.link import Event
    from orlop.program.ops import Program
    from orlop.runtime.monitor import Monitor
    from orlop.runtime.net_devices import NetDevices
    from orlop.runtime.recall import Recalled
    from orlop.runtime.waiting import Steps
    from orlop.spec.types import Process, Spec

_SIGKILL = 9
_PATIENCE = 2.0  # seconds for an executor that is let go of to come to its end, and for a killed one to die


def _reap(pid: int) -> None:
    """Take a killed process's status; one that cannot die, in a file system that does not answer, is left behind."""
    pidfd = os.pidfd_open(pid)
    try:
        readable(pidfd, time.monotonic() + _PATIENCE)
    finally:
        os.close(pidfd)
    os.waitpid(pid, os.WNOHANG)


_BEFORE_PID = (EVENT_FAILED, events.PID, events.CGROUP, events.MONITOR)


class Launch:
    """One run of a program.  `pid` is the container's first process, a child of this one or of the `monitor`,
    `master` the terminal's.  `groups` are those of resctrl that an exec joins."""

    __slots__ = (
        "devices",
        "early",
        "executor",
        "groups",
        "known",
        "master",
        "monitor",
        "pid",
        "place",
        "process",
        "program",
        "spawned",
        "spec",
        "state",
    )

    def __init__(
        self,
        program: Program | Recalled,
        spec: Spec,
        process: Process,
        state: dict[str, object],
        place: Callable[[int], None] | None = None,
        known: Callable[[int], None] | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        """`place` is called with the executor's pid, to bring it into its cgroup, where the program asks for that;
        `known` with the pid of the container's first process, which is busy then and for a while."""
        self.program = program
        self.spec = spec
        self.process = process
        self.state = state
        self.place = place
        self.known = known
        self.monitor = monitor
        self.pid = 0
        self.master = -1
        self.spawned = 0
        self.executor: Executor | None = None
        self.early: list[Event] = []
        self.devices: NetDevices | None = None
        self.groups: tuple[str, ...] = ()

    def prepare(self, inherit: tuple[tuple[int, int], ...] = ()) -> Steps[None]:
        """Up to CREATED.  When it fails, no process is left, and an OrlopError says why."""
        try:
            if self.monitor is None:
                self.executor = Executor(self.program, inherit=inherit)
            else:
                self.executor = self.monitor.executor(self.program, inherit)
            self.spawned = self.executor.pid
            while (yield from self._event()) not in (events.CREATED, events.LISTENER):
                pass
        except BaseException:
            self.abandon()
            raise
        self.place = self.known = None  # they lead back to whoever has us

    def go(self) -> Steps[None]:
        """Let it become the user's program; returns when it has.  When that fails, no process is left."""
        assert self.executor is not None
        try:
            heard = self._answer()
            while (yield from self._event(last=True)) is not None:
                pass
            if not heard:
                raise OrlopError("container process is already dead")
        except BaseException:
            self.abandon()
            raise
        self.release()

    def _answer(self, data: bytes = b"\0") -> bool:
        """Answer what waits; False when it has ended, of which the next event tells more."""
        assert self.executor is not None
        try:
            self.executor.answer(data)
        except BrokenPipeError:
            return False
        return True

    def release(self) -> None:
        """Let go of one that waits on its fifo, or runs."""
        if self.executor is not None:
            self.executor.close()
        if self.devices is not None:
            self.devices.close()
            self.devices = None
        if self.monitor is not None:
            self.monitor.release()

    def abandon(self) -> None:
        """Kill and reap whatever there is."""
        self.place = self.known = None
        if self.executor is not None:
            if self.spawned:
                self._learn_pid()
            self.executor.close()
        if self.monitor is not None and self.monitor.pid:
            self.monitor.abandon()
            self.pid = self.spawned = 0
        for pid in {self.pid, self.spawned} - {0}:
            try:
                os.kill(pid, _SIGKILL)
                _reap(pid)
            except (ProcessLookupError, ChildProcessError):
                continue
        self.pid = self.spawned = 0
        if self.monitor is not None:
            self.monitor.release()
        if self.devices is not None:
            self.devices.undo()
            self.devices = None
        for event in self.early:  # of a process whose pid was never told
            for fd in event.fds:
                os.close(fd)
        self.early = []
        self.close_terminal()

    def _learn_pid(self) -> None:
        """The container's process may have failed before the executor told its pid: it is our child and must be
        reaped."""
        assert self.executor is not None
        self.executor.stop()
        while True:
            if not readable(self.executor.socket.fileno(), time.monotonic() + _PATIENCE):
                if self.monitor is None:
                    os.kill(self.spawned, _SIGKILL)  # it hangs in a system call before its clone: NFS, FUSE, a fifo
                return
            event = self.executor.receive()
            if event is None:
                return
            for fd in event.fds:
                os.close(fd)
            if event.kind == events.MONITOR:
                self._monitored(event.value)
            elif event.kind == events.PID and event.value != self.spawned:
                self.pid = event.value
                if self.monitor is not None:
                    self.monitor.hold(self.pid)

    def close_terminal(self) -> None:
        """Close the master of the terminal, if there is one."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def _event(self, *, last: bool = False) -> Steps[int | None]:
        """Take the next event.  The executor and the process it has cloned race: nothing is heard of a process
        before PID."""
        assert self.executor is not None
        if self.pid and self.early:
            event: Event | None = self.early.pop(0)
        else:
            yield (self.executor.socket.fileno(), None)
            event = self.executor.receive()
        if event is None:
            if last:
                return None
            raise self._died()
        if not self.pid and event.kind not in _BEFORE_PID:
            self.early.append(event)
            return None
        yield from self._handle(event)
        return event.kind

    def _handle(self, event: Event) -> Steps[None]:
        assert self.executor is not None
        if event.kind == EVENT_FAILED:
            from orlop.runtime.failure import failure

            if self.monitor is not None and not self.monitor.pid:
                raise failure(self.monitor.program, event)
            raise failure(self.program.planned(), event)
        if event.kind in (events.HOOK_FAILED, events.HOOK_TIMEOUT):
            from orlop.runtime.failure import hook_failure

            raise hook_failure(self.program.planned(), event)
        if event.kind == events.PID:
            self._cloned(event.value)
        elif event.kind == events.MONITOR:
            self._monitored(event.value)
        elif event.kind == events.CONSOLE:
            (self.master,) = event.fds
        elif event.kind == events.CGROUP:
            assert self.place is not None
            self.place(self.spawned)
            self._answer()
        elif event.kind == events.HOME:
            self._answer(b"HOME=" + self._home(event.payload) + b"\0")
        elif event.kind == events.ROOTFS:
            state = {**self.state, "status": "creating", "pid": self.pid}
            from orlop.runtime.hooks import run_hooks

            yield from run_hooks(self.spec, "prestart", state)
            yield from run_hooks(self.spec, "createRuntime", state)
            self._answer()
        elif event.kind == events.NETWORK:
            from orlop.runtime.net_devices import NetDevices

            self.devices = NetDevices(self.pid, event.fds[0])
            self.devices.move(self.spec["linux"]["netDevices"])
            self._answer()
        elif event.kind == events.LISTENER:
            from orlop.runtime.listener import send_listener

            state = {**self.state, "pid": self.state.get("pid") or self.pid}
            yield from send_listener(self.spec["linux"], self.pid, event.value, state)
        elif event.kind == events.DANGLING:
            from orlop.host.dangling import make_below

            make_below(event.fds[0], event.payload, directory=bool(event.value))
            self._answer()
        elif event.kind == events.COPY_UP:
            from orlop.host.copytree import copy_up

            copy_up(*event.fds)
            self._answer()

    def _cloned(self, pid: int) -> None:
        assert self.executor is not None
        if pid != self.spawned:
            self.pid = pid
            if self.monitor is not None:
                self.monitor.hold(pid)
            if self.known is not None:
                self.known(pid)
            if self.monitor is None:
                os.waitpid(self.spawned, 0)
            self.spawned = 0
        if self._waits_for_maps(pid):
            from orlop.runtime.idmap import write_maps

            linux = self.spec.get("linux") or {}
            write_maps(pid, linux.get("uidMappings") or [], linux.get("gidMappings") or [])
            self._answer()

    def _monitored(self, executor: int) -> None:
        """What was spawned is the monitor, and its child the executor."""
        assert self.monitor is not None
        self.monitor.pid, self.spawned = self.spawned, executor
        self.monitor.hold(executor)

    def _waits_for_maps(self, pid: int) -> bool:
        """A process of a new user namespace: the container's, or the executor's own when a time namespace belongs to
        it."""
        if self.state.get("status") == "running":
            return False  # exec: the namespace has its maps
        rows = (self.spec.get("linux") or {}).get("namespaces") or []
        new = {row["type"] for row in rows if not row.get("path")}
        return "user" in new and (pid == self.spawned or "time" not in new)

    def _home(self, passwd: bytes) -> bytes:
        uid = (self.process.get("user") or {}).get("uid") or 0
        for line in passwd.split(b"\n"):
            fields = line.split(b":")
            if len(fields) >= 6 and fields[2] == b"%d" % uid and fields[5]:
                return fields[5][:4000]
        return b"/"

    def _died(self) -> OrlopError:
        """It ended without a word: nothing but a signal does that, and most often the OOM killer's."""
        for pid in (self.pid, self.spawned):
            if pid:
                status = self._status(pid)
                self.pid = self.spawned = 0
                if os.WIFSIGNALED(status) and os.WTERMSIG(status) == _SIGKILL:
                    hint = "raise linux.resources.memory.limit"
                    message = "container init was OOM-killed (memory limit too low?)"
                    return KernelError(errno.ENOMEM, message, field="linux.resources.memory.limit", hint=hint)
        return OrlopError("container init ended before the container was created")

    def _status(self, pid: int) -> int:
        """Reap a process that has ended, or have it from the monitor, which does."""
        if self.monitor is not None and self.monitor.pid:
            return self.monitor.status()
        _, status = os.waitpid(pid, 0)
        return status
