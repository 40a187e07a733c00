"""Waits for a process in the foreground: forwards signals, keeps the terminal, gives the exit status.

Every signal is blocked and fetched (sigwaitinfo(2), or a wakeup descriptor beside a terminal), so none is lost
between the start of the process and the wait for it.  Those that ask to stop (Ctrl-C, SIGTERM) end the wait for it
where it does not come, and what was made is undone: at once where the container's hooks run, else when nothing was
heard for a while, as a system call hangs.  So do those that come when the process has ended, for its poststop hooks.
"""

from __future__ import annotations

import _signal
import select
import time

from orlop import system as os
from orlop.errors import Interrupted
from orlop.runtime.waiting import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from resource import struct_rusage

    from orlop.runtime.console import Terminal

_SIGCHLD, _SIGWINCH, _SIGURG, _SIGKILL, _SIGSTOP, _SIGPIPE = 17, 28, 23, 9, 19, 13
# What goes wrong in this process itself is not for the container: SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV,
# SIGSYS.
_OWN = frozenset((4, 5, 6, 7, 8, 11, 31, 32, 33, _SIGKILL, _SIGSTOP))
_CAUGHT = [number for number in range(1, 65) if number not in _OWN]


_STOPPING = (1, 2, 3, 15)  # SIGHUP, SIGINT, SIGQUIT, SIGTERM
_WHILE = 1.0  # seconds


class Foreground:
    """Signals are held back from the moment this is made until `close`; with `stoppable`, those that ask to stop only
    from `hold` on.  `readable` is what waits for all that comes before `wait`.

    `orphans`: this process is a subreaper, and reaps whatever has ended.
    `ended` is what wait4(2) has told of the process, if that is to be `accounted`: its status, and what it used.
    """

    ended: tuple[int, struct_rusage] | None = None

    def __init__(
        self, *, terminal: bool, stoppable: bool = False, accounted: bool = False, orphans: bool = False
    ) -> None:
        self._terminal = terminal
        self._stoppable = stoppable
        self._accounted = accounted
        self._orphans = orphans
        self._waiting = False
        self._stop = 0
        self._over = False
        self._held: Terminal | None = None
        self._pipe = (-1, -1)
        if terminal:
            self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            self._wakeup = _signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
            self._handlers = {number: _signal.signal(number, self._noted) for number in _CAUGHT}
        else:
            self._mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _CAUGHT)
            self._handlers = {}
        if stoppable:
            for number in _STOPPING:
                before = _signal.signal(number, self._stopped)
                self._handlers.setdefault(number, before)
            _signal.pthread_sigmask(_signal.SIG_UNBLOCK, _STOPPING)

    def _stopped(self, number: int, frame: object) -> None:
        """Only a wait is interrupted: elsewhere what was just made could be lost."""
        self._stop = number
        if self._waiting:
            self._interrupt()

    def _interrupt(self) -> None:
        number, self._stop, self._waiting = self._stop, 0, False
        raise Interrupted(number)

    def readable(self, descriptor: int, deadline: float | None) -> bool:
        """Wait as waiting.readable does; raises Interrupted when a signal asks to stop."""
        if not self._stoppable:
            return self._readable_soon(descriptor, deadline)
        self._waiting = True
        try:
            if self._stop:
                self._interrupt()
            return readable(descriptor, deadline)
        finally:
            self._waiting = False

    def _readable_soon(self, descriptor: int, deadline: float | None) -> bool:
        """A signal is for the process, which will be there, unless nothing comes."""
        while True:
            soon = time.monotonic() + _WHILE
            last = deadline is not None and deadline <= soon
            if readable(descriptor, deadline if last else soon):
                return True
            if asked := self._asked():
                raise Interrupted(asked)
            if last:
                return False

    def _asked(self) -> int:
        """The signal that asks to stop, if one came; it has done so then."""
        if self._terminal:
            return self._stop
        came = [number for number in _STOPPING if number in _signal.sigpending()]
        for number in came:
            _signal.sigwaitinfo((number,))
        return came[0] if came else 0

    def hold(self) -> None:
        """From here on all signals are for the process."""
        if not self._stoppable:
            return
        self._stoppable = False
        if self._terminal:
            for number in _STOPPING:
                _signal.signal(number, self._noted)
        else:
            _signal.pthread_sigmask(_signal.SIG_BLOCK, _STOPPING)
        if self._stop:
            self._interrupt()

    def take(self, master: int) -> None:
        """Connect the caller's terminal with this master.  To be called before the program runs: it may ask for the
        size of its terminal at once, and what it writes depends on the settings."""
        from orlop.runtime.console import Terminal

        self._held = Terminal(master)

    def close(self) -> None:
        """Give the caller's terminal and signals back as they were; those that came for a process that has ended are
        dropped."""
        if self._held is not None:
            self._held.restore()
        if self._terminal:
            _signal.set_wakeup_fd(self._wakeup)
            for fd in self._pipe:
                os.close(fd)
        for number, handler in self._handlers.items():
            _signal.signal(number, handler)
        if not self._terminal:
            if self._over:
                _drop()
            _signal.pthread_sigmask(_signal.SIG_SETMASK, self._mask)

    def wait(self, pid: int) -> int:
        """Wait for the process to end; its status as a shell tells it: the exit code, or 128 plus the signal.  Signals
        that ask to stop are for what comes afterwards then."""
        status = self._wait(pid) if self._held is None else self._wait_with_terminal(pid, self._held)
        self._over, self._stop = True, 0
        if not self._terminal:
            _drop()
        return status

    def _wait(self, pid: int) -> int:
        while True:
            status = self._reap(pid)
            if status is not None:
                return status
            _forward(pid, _signal.sigwaitinfo(_CAUGHT).si_signo)

    def _wait_with_terminal(self, pid: int, terminal: Terminal) -> int:
        from orlop.runtime.console import Copier

        copier = Copier(terminal.master)
        is_open = True
        while True:
            status = self._reap(pid)
            if status is not None:
                copier.drain()
                return status
            poll = select.poll()
            poll.register(self._pipe[0], select.POLLIN)
            if is_open:
                copier.register(poll)
            ready = dict(poll.poll())
            if is_open:
                is_open = copier.copy(ready)
            if ready.get(self._pipe[0]):
                for number in os.read(self._pipe[0], 4096):
                    if number == _SIGWINCH:
                        terminal.resize()
                    else:
                        _forward(pid, number)

    def _reap(self, pid: int) -> int | None:
        whom = -1 if self._orphans else pid
        while True:
            if self._accounted:
                found, status, usage = os.wait4(whom, os.WNOHANG)  # which loads the module `resource`
                self.ended = status, usage
            else:
                found, status = os.waitpid(whom, os.WNOHANG)
            if not found:
                return None
            if found == pid:
                break
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)

    def _noted(self, number: int, frame: object) -> None:
        """A handler beside a terminal, so that the wakeup descriptor is written to."""
        if number in _STOPPING:
            self._stop = number


def _drop() -> None:
    while came := _signal.sigpending().intersection(_CAUGHT):
        _signal.sigwaitinfo(came)


def _forward(pid: int, number: int) -> None:
    if number in (_SIGCHLD, _SIGWINCH, _SIGURG, _SIGPIPE):
        return
    try:
        os.kill(pid, number)  # our own child, not reaped yet: the pid is its
    except ProcessLookupError:
        return
