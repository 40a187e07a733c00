"""Notices when a container runs out of memory, and when it ends.

Version 1 tells through an eventfd that is registered with the cgroup, version 2 by waking who polls memory.events.
Neither tells of the end; the end is that of the first process, and of all others where they have no pid namespace
that ends with it.
"""

from __future__ import annotations

import select
import time

from orlop import system as os
from orlop.cgroup import files
from orlop.host.kernel_log import oom_killed
from orlop.host.process import handle
from orlop.runtime.container import Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

OOM = "oom"
_LOOK_AGAIN = 1.0  # seconds, for processes that outlive the first one on a host that does not tell of their end


class Watch:
    """What happens to a container from now on, behind one descriptor: it is readable when `news` has something.

    A context manager: it holds descriptors, and changes nothing but, on version 1, the list of who is told.
    """

    def __init__(self, found: Found, log: Callable[[str, str], None] | None = None) -> None:
        self._found = found
        self._epoll = select.epoll()
        self._held: list[int] = []
        self._oom: _Counter | _EventFd | None = None
        self._told = False
        self._populated: _Counter | None = None
        self.ended = False
        self._pidfd = handle(found.record.init_process_pid, found.record.init_process_start)
        paths = found.cgroup.paths
        try:
            if self._pidfd is not None:
                self._hold(self._pidfd, select.EPOLLIN)
            self._watch_memory(paths, log)
            if unified := paths.get(""):
                self._populated = self._counter(f"{unified}/cgroup.events", "populated")
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """The descriptor, for an event loop."""
        return self._epoll.fileno()

    def wait(self, deadline: float | None) -> list[str]:
        """Wait for news, until a deadline (in seconds of time.monotonic) at the latest; return them."""
        if self._pidfd is None:  # the first process has ended: look for the others, whoever may tell
            again = time.monotonic() + _LOOK_AGAIN
            deadline = again if deadline is None else min(deadline, again)
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        self._epoll.poll(left)
        return self.news()

    def news(self) -> list[str]:
        """Return what has happened since the last call: "oom" or nothing.  Sets `ended`.  Does not block."""
        if self._pidfd is not None and _readable(self._pidfd):
            self._release(self._pidfd)
            self._pidfd = None
        if self._populated is not None:
            self._populated.grown()
        # Looked at before the memory: who was killed for want of it was told of before it ended.
        self.ended = self._pidfd is None and not self._found.cgroup.pids()
        if self._oom is not None and (self._oom.grown() or (self.ended and self._unheard(self._oom))):
            self._told = True
            return [OOM]
        return []

    def _unheard(self, source: _Counter | _EventFd) -> bool:
        """Did the first process end for want of memory, and its cgroup go before it was looked at?

        systemd removes the cgroup of a unit as soon as it is empty; the kernel's log remains.
        """
        record = self._found.record
        return not self._told and source.lost and bool(oom_killed(record.init_process_pid, record.init_process_start))

    def close(self) -> None:
        """Let go of all descriptors."""
        for descriptor in self._held:
            os.close(descriptor)
        self._held = []
        self._epoll.close()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _watch_memory(self, paths: dict[str, str], log: Callable[[str, str], None] | None) -> None:
        if memory := paths.get("memory"):
            self._oom = self._eventfd(memory)
        elif unified := paths.get(""):
            self._oom = self._counter(f"{unified}/memory.events", "oom_kill")
        if self._oom is None and log is not None:
            log("warning", "the container has no memory controller: nothing is told of its lack of memory")

    def _eventfd(self, directory: str) -> _EventFd | None:
        """Register with memory.oom_control (Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control")."""
        try:
            control = os.open(f"{directory}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in files.GONE:
                return None
            raise
        try:
            descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._hold(descriptor, select.EPOLLIN)
            try:
                files.write(f"{directory}/cgroup.event_control", f"{descriptor} {control}")
            except OSError as error:  # kernels with CONFIG_PREEMPT_RT have no such file
                if error.errno in files.GONE:
                    return None
                raise
        finally:
            os.close(control)  # the registration lasts as long as the eventfd
        return _EventFd(descriptor, directory)

    def _counter(self, path: str, key: str) -> _Counter | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in files.GONE:
                return None
            raise
        self._hold(descriptor, select.EPOLLPRI)
        return _Counter(descriptor, key)

    def _hold(self, descriptor: int, events: int) -> None:
        self._held.append(descriptor)
        self._epoll.register(descriptor, events)

    def _release(self, descriptor: int) -> None:
        self._epoll.unregister(descriptor)
        self._held.remove(descriptor)
        os.close(descriptor)


class _EventFd:
    """A descriptor that the kernel adds to when memory is short, and once more when the cgroup is removed.

    `lost`: what it has last said may have been either.
    """

    lost = False

    def __init__(self, descriptor: int, directory: str) -> None:
        self._descriptor = descriptor
        self._directory = directory

    def grown(self) -> bool:
        try:
            os.eventfd_read(self._descriptor)
        except BlockingIOError:
            return False
        self.lost = not os.path.exists(self._directory)
        return not self.lost


class _Counter:
    """A line of a file that wakes who polls it when it changes; it has to be read to be armed again.

    `lost`: the cgroup is gone, and with it what was to be read last.
    """

    lost = False

    def __init__(self, descriptor: int, key: str) -> None:
        self._descriptor = descriptor
        self._key = key
        self._last = self._read()

    def grown(self) -> bool:
        """Is the number higher than at the last call?"""
        before, self._last = self._last, self._read()
        return self._last > before

    def _read(self) -> int:
        try:
            text = os.pread(self._descriptor, 4096, 0).decode()
        except OSError:
            self.lost = True
            return 0
        for line in text.splitlines():
            key, _, value = line.partition(" ")
            if key == self._key:
                return int(value)
        return 0


def _readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
