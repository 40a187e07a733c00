"""The monitor of a detached container, from the supervisor's side; and what one has recorded.

    <state directory>/monitor     when the program was let go, by CLOCK_MONOTONIC in nanoseconds (8 bytes; 0: never);
                                  behind it, when the container has ended, what plan/monitor.py lays out

The monitor is the parent of the container's first process and alone reaps it.  Whoever wants its record waits for the
monitor to end, which is microseconds later.  One that was killed has recorded nothing, and nobody else can know.
"""

from __future__ import annotations

import time
from _signal import pidfd_send_signal
from _struct import Struct

from orlop import system as os
from orlop.errors import OrlopError
from orlop.executor.link import Executor, Under
from orlop.host.process import handle, look
from orlop.plan.monitor import INFO, SIZE, TIME, USAGE, monitor_program
from orlop.runtime.waiting import readable, reap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cgroup.base import Cgroup
    from orlop.program.ops import Program
    from orlop.runtime.recall import Recalled
    from orlop.state.store import Record, Store

FILE = "monitor"
_SIGKILL = 9
_PATIENCE = 2.0  # seconds for a monitor to write its record
_NANO = 1_000_000_000
_BEGAN = Struct("<q")
_INFO = Struct("<iii12xi")  # si_signo, si_errno, si_code, (si_pid, si_uid), si_status
_USAGE = Struct("<qqqqq")  # ru_utime, ru_stime, ru_maxrss
_TIME = Struct("<qq")
_SIGCHLD = 17
_CLD_EXITED, _CLD_KILLED, _CLD_DUMPED = 1, 2, 3
_CORE = 0x80
_LONGEST = 1 << 20


def over(program: Program | Recalled, record: int, files: tuple[str, ...]) -> Program:
    """The monitor's program for that of a container.  `record` is where it finds the descriptor of its record, and
    behind it that of the container's executable; `files` are to be copied into the record."""
    return monitor_program(program.architecture, program.control, record, record + 1, files)


def copied(cgroup: Cgroup) -> tuple[str, ...]:
    """The files of a cgroup that is gone as soon as it is empty, which tell what the container has used."""
    if not cgroup.needs_process:
        return ()
    from orlop.cgroup.stats.final import places

    return places(cgroup.paths)


class Monitor:
    """The monitor of a container that is being made.  `pid` is 0 until it has told that it runs."""

    __slots__ = ("_files", "_handles", "_place", "_record", "pid", "program")

    def __init__(self, store: Store, files: tuple[str, ...] = ()) -> None:
        """Make the file of the record; `files` are to be copied into it.  Raises OrlopError."""
        self.pid = 0
        self._files = files
        self.program: Program
        self._place = store
        self._handles: list[int] = []
        path = f"{store.path}/{FILE}"
        try:
            self._record = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            os.write(self._record, _BEGAN.pack(0))  # the monitor shares this descriptor, and so goes on behind it
        except OSError as error:
            raise OrlopError(f"unable to write {path}: {(error.strerror or '').lower()}") from None

    def executor(self, program: Program | Recalled, inherit: tuple[tuple[int, int], ...]) -> Executor:
        """Spawn the monitor, which runs the program of the container."""
        record = 1 + max((program.control, *(number for _, number in inherit)))
        self.program = over(program, record, self._files)
        argv = ["orlop", "monitor", self._place.container_id]
        under = Under(self.program, record + 1, argv)
        return Executor(program, inherit=(*inherit, (self._record, record)), under=under)

    def hold(self, pid: int) -> None:
        """Hold on to a child of the monitor's, to be able to kill it: its pid is given away as soon as it ends."""
        try:
            self._handles.append(os.pidfd_open(pid))
        except ProcessLookupError:
            return

    def identity(self) -> list[int]:
        """Its pid and start time, for the record of the container."""
        found = look(self.pid)
        return [self.pid, found.start] if found is not None else []

    def status(self) -> int:
        """How the container's first process ended, as wait(2) tells it; it has, and so the monitor ends."""
        self._reap()
        found = _read(self._place)
        return found.status if found is not None else 0

    def abandon(self) -> None:
        """Kill what the monitor has made, and see it end."""
        for pidfd in self._handles:
            try:
                pidfd_send_signal(pidfd, _SIGKILL)
            except ProcessLookupError:
                continue
        if self.pid:
            self._reap()
        self.release()

    def release(self) -> None:
        """Let go of it; it goes on."""
        for fd in self._handles:
            os.close(fd)
        self._handles = []
        if self._record >= 0:
            os.close(self._record)
            self._record = -1

    def _reap(self) -> None:
        pidfd = os.pidfd_open(self.pid)
        try:
            if not readable(pidfd, time.monotonic() + _PATIENCE):
                pidfd_send_signal(pidfd, _SIGKILL)  # its child is stuck in the kernel
        finally:
            os.close(pidfd)
        reap(self.pid)
        self.pid = 0


class Usage:
    """What the first process, and those that it has waited for, have used: as `resource.struct_rusage` has it."""

    __slots__ = ("ru_maxrss", "ru_stime", "ru_utime")

    def __init__(self, user: float, system: float, largest: int) -> None:
        self.ru_utime = user
        self.ru_stime = system
        self.ru_maxrss = largest


class Ended:
    """What a monitor has recorded: `status` as of wait(2), `wall_time` in nanoseconds or None, files by their paths."""

    __slots__ = ("copies", "status", "usage", "wall_time")

    def __init__(self, status: int, usage: Usage, wall_time: int | None, copies: dict[str, str]) -> None:
        self.copies = copies
        self.status = status
        self.usage = usage
        self.wall_time = wall_time


def begin(store: Store, now: int) -> None:
    """Note when the program is let go.  Silent where the record is gone: it is only an account."""
    try:
        fd = os.open(f"{store.path}/{FILE}", os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.pwrite(fd, _BEGAN.pack(now), 0)
    finally:
        os.close(fd)


def ended(store: Store, record: Record) -> Ended | None:
    """What the monitor of a container that has ended has recorded; None where it cannot know.

    Blocks until the monitor has ended, two seconds at most.
    """
    await_end(record)
    return _read(store)


def await_end(record: Record) -> None:
    """Wait for the monitor of a container that has ended to end too, two seconds at most."""
    pidfd = handle(*record.monitor) if record.monitor else None
    if pidfd is not None:
        try:
            readable(pidfd, time.monotonic() + _PATIENCE)
        finally:
            os.close(pidfd)


def _read(store: Store) -> Ended | None:
    try:
        fd = os.open(f"{store.path}/{FILE}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            data = os.read(fd, _LONGEST)
        finally:
            os.close(fd)
    except OSError:
        return None
    if len(data) < _BEGAN.size + SIZE:
        return None  # it runs, or the monitor was killed
    (began,) = _BEGAN.unpack_from(data)
    data = data[_BEGAN.size :]
    number, _error, code, value = _INFO.unpack_from(data, INFO)
    if number != _SIGCHLD or code not in (_CLD_EXITED, _CLD_KILLED, _CLD_DUMPED):
        return None
    user, user_micro, system, system_micro, largest = _USAGE.unpack_from(data, USAGE)
    seconds, nanoseconds = _TIME.unpack_from(data, TIME)
    status = value << 8 if code == _CLD_EXITED else value | (_CORE if code == _CLD_DUMPED else 0)
    usage = Usage(user + user_micro / 1e6, system + system_micro / 1e6, largest)
    words = os.fsdecode(data[SIZE:]).split("\0")
    copies = dict(zip(words[::2], words[1::2], strict=False))
    return Ended(status, usage, seconds * _NANO + nanoseconds - began if began else None, copies)
