"""Runs the program of a container, up to the point where it waits to become the user's.

supervisor                                              executor, then the container's first process
spawn ─────────────────────────────────────────────────▶ runs
◀──────────────────────────────── MONITOR ── know the monitor, which was spawned, from the executor
make the cgroup, or bring the executor into it ────────▶ goes on
◀──────────────────────────────── PID ── reap the executor, write the id maps, answer
◀──────────────────────────────── NETWORK ── move the network devices, answer
◀──────────────────────────────── COPY_UP ── copy, answer
◀──────────────────────────────── IDMAP ── make an id-mapped mount, answer
◀──────────────────────────────── ROOTFS ── prestart and createRuntime hooks, answer
◀──────────────────────────────── CONSOLE ── keep the master of the terminal
◀──────────────────────────────── HOME ── look the user up, answer
◀──────────────────────────────── CREATED, or LISTENER ── take the listener, give it to the agent

What each event asks for is in answers.py, which is imported while the executor is busy.
"""

from __future__ import annotations

import time

from orlop import system as os
from orlop.errors import OrlopError
from orlop.executor.link import Executor
from orlop.host.process import look
from orlop.plan import events
from orlop.program.layout import EVENT_FAILED
from orlop.runtime.waiting import end, readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.cgroup.base import Cgroup
    from orlop.executor.link import Event
    from orlop.program.ops import Program
    from orlop.runtime.monitor import Monitor
    from orlop.runtime.net_devices import NetDevices
    from orlop.runtime.recall import Recalled
    from orlop.runtime.waiting import Steps
    from orlop.spec.types import Process, Spec

_SIGKILL = 9
_STOPPED = "a process of the container, or of a pid namespace that it joins, has sent it SIGSTOP"
_GLANCE = 1.0  # seconds between looks at a process that says nothing
_PATIENCE = 2.0  # seconds for an executor that is let go of to come to its end


_BEFORE_PID = (EVENT_FAILED, events.PID, events.MONITOR)


class Launch:
    """One run of a program.  `pid` is the container's first process, a child of this one or of the `monitor`,
    `master` the terminal's.  `groups` are those of resctrl that an exec joins, `cgroup` tells why a process was killed.
    `rootfs` is the container's, `mapped` gives for the index of each id-mapped mount the descriptor of its user
    namespace, during `prepare`.

    `at_once`: nothing is left to be done between CREATED and `go`, so the word to go on is given as soon as no other
    answer can be waited for.  `began` is when it was given, by time.monotonic_ns().  `heard` are all events."""

    __slots__ = (
        "at_once",
        "began",
        "cgroup",
        "devices",
        "early",
        "executor",
        "groups",
        "heard",
        "known",
        "mapped",
        "master",
        "monitor",
        "pid",
        "place",
        "process",
        "program",
        "rootfs",
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
        cgroup: Cgroup,
        *,
        rootfs: str = "",
        groups: tuple[str, ...] = (),
        place: Callable[[int], None] | None = None,
        known: Callable[[int], None] | None = None,
        monitor: Monitor | None = None,
        at_once: bool = False,
    ) -> None:
        """`place` is called with the executor's pid, to make its cgroup or bring it in, where the program waits for
        that; `known` with the pid of the container's first process, which is busy then and for a while."""
        self.program = program
        self.spec = spec
        self.process = process
        self.state = state
        self.cgroup = cgroup
        self.rootfs = rootfs
        self.groups = groups
        self.place = place
        self.known = known
        self.monitor = monitor
        self.at_once = at_once
        self.began = 0
        self.pid = 0
        self.master = -1
        self.spawned = 0
        self.executor: Executor | None = None
        self.early: list[Event] = []
        self.heard: list[Event] = []
        self.devices: NetDevices | None = None
        self.mapped: dict[int, int] = {}

    def prepare(self, inherit: tuple[tuple[int, int], ...] = (), mapped: dict[int, int] | None = None) -> Steps[None]:
        """Up to CREATED.  When it fails, no process is left, and an OrlopError says why."""
        self.mapped = mapped or {}
        try:
            if self.monitor is None:
                self.executor = Executor(self.program, inherit=inherit)
            else:
                self.executor = self.monitor.executor(self.program, inherit)
            self.spawned = self.executor.pid
            if self.monitor is None:
                self.bring_in()
            while (yield from self._event()) not in (events.CREATED, events.LISTENER):
                pass
        except BaseException:
            self.abandon()
            raise
        self.place = self.known = None  # they lead back to whoever has us

    def go(self) -> Steps[None]:
        """Let it become the user's program; returns when it has.  When that fails, no process is left."""
        try:
            heard = bool(self.began) or self.let_go()
            while (yield from self._event(last=True)) is not None:
                pass
            if not heard:
                raise OrlopError("container process is already dead")
        except BaseException:
            self.abandon()
            raise
        self.release()

    def let_go(self) -> bool:
        """Give the word to go on and become the user's program; False when it has ended."""
        self.began = time.monotonic_ns()
        return self.answer()

    def bring_in(self) -> None:
        """Make the cgroup, or bring the executor into it, where that waits for it."""
        if self.place is not None:
            self.place(self.spawned)
            self.answer()

    def answer(self, data: bytes = b"\0") -> bool:
        """Answer what waits; False when it has ended, of which the next event tells more."""
        assert self.executor is not None
        try:
            self.executor.answer(data)
        except (BrokenPipeError, ConnectionResetError):  # the latter: an answer before this one was not read either
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
            end(pid)
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
                self.monitored(event.value)
            elif event.kind == events.PID and event.value != self.spawned:
                self.pid = event.value
                if self.monitor is not None:
                    self.monitor.hold(self.pid)

    def monitored(self, executor: int) -> None:
        """What was spawned is the monitor, and its child the executor."""
        assert self.monitor is not None
        self.monitor.pid, self.spawned = self.spawned, executor
        self.monitor.hold(executor)

    def close_terminal(self) -> None:
        """Close the master of the terminal, if there is one."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def _something_to_hear(self) -> Steps[None]:
        """Wait for an event; one that will not come, because who shares a pid namespace with the process has stopped
        it, is an error."""
        assert self.executor is not None
        stopped = False
        while not (yield (self.executor.socket.fileno(), time.monotonic() + _GLANCE)):
            found = look(self.pid or self.spawned)
            before, stopped = stopped, found is not None and found.state == "T"
            if before and stopped:  # twice: Ctrl-Z and `fg` stop and continue us too, one after the other
                raise OrlopError("container process was stopped before it could run its program", hint=_STOPPED)

    def _reason(self, failed: Event) -> Event:
        """What the process that was cloned has said of its failure before its pid was told: which hook it was."""
        for at, event in enumerate(self.early):
            if event.kind in (events.HOOK_FAILED, events.HOOK_TIMEOUT):
                return self.early.pop(at)
        return failed

    def _event(self, *, last: bool = False) -> Steps[int | None]:
        """Take the next event.  The executor and the process it has cloned race: nothing is heard of a process
        before PID."""
        assert self.executor is not None
        from orlop.runtime import answers

        if self.pid and self.early:
            event: Event | None = self.early.pop(0)
        else:
            yield from self._something_to_hear()
            event = self.executor.receive()
        if event is None:
            if last:
                return None
            raise answers.died(self)
        if not self.pid and event.kind not in _BEFORE_PID:
            self.early.append(event)
            return None
        self.heard.append(event)
        if event.kind == EVENT_FAILED:
            event = self._reason(event)
        yield from answers.handle(self, event)
        return event.kind
