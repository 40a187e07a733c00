"""Lifecycle steps are generators that yield what they wait for; this drives one to its end by polling.

A step yields `(descriptor, deadline)`: it goes on with True when the descriptor is readable, with False when the
deadline (in seconds of `time.monotonic`; None for never) is past.  An event loop can drive the same steps.
"""

from __future__ import annotations

import _signal
import select
import time

from orlop import system as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType, TracebackType
    from typing import TypeAlias, TypeVar

    Handler: TypeAlias = Callable[[int, FrameType | None], object]

    T = TypeVar("T")
    Wait: TypeAlias = tuple[int, float | None]
    Steps: TypeAlias = Generator[Wait, bool, T]


def drive(steps: Steps[T], ready: Callable[[int, float | None], bool] | None = None) -> T:
    """Run steps to their end, and return what they return.  Blocks.  `ready` waits in place of `readable`.

    An interruption of the wait (KeyboardInterrupt, say) is theirs to clean up after, and they may wait again for that.
    """
    await_ = ready or readable
    try:
        wait = next(steps)
        while True:
            try:
                found = await_(*wait)
            except BaseException as error:
                wait = steps.throw(error)
            else:
                wait = steps.send(found)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def readable(descriptor: int, deadline: float | None) -> bool:
    """Wait until a descriptor is readable or at its end; False when the deadline came first."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if deadline is None:
        poll.poll()
        return True
    left = max(0.0, deadline - time.monotonic())
    return bool(poll.poll(left * 1000))


_SIGKILL = 9
_PATIENCE = 2.0  # seconds for a killed process to die
_NUMBERS = [number for number in range(1, 65) if number not in (9, 19, 32, 33)]  # 32 and 33 are glibc's


class Deferral:
    """Within, handlers of signals are called in waits (`readable`, `check`), and at the end, and nowhere else.

    What a handler raises (KeyboardInterrupt, say) would otherwise lose what was just made: Python calls it between a
    call and the storing of its result, so that nobody knows of a process that was spawned.  The mask of signals would
    not help: another thread takes the signal, and the handler still runs in the main one.  Elsewhere than there Python
    calls no handler, and this does nothing.  A signal that comes again is not deferred: something hangs.

    To set a handler makes its signal interrupt system calls: what asyncio has asked of those of a loop is kept.
    """

    __slots__ = ("_came", "_handlers", "_restarting", "_waits")

    def __init__(self) -> None:
        self._handlers: dict[int, Handler] = {}
        self._restarting: set[int] = set()
        self._came: list[int] = []
        self._waits = False

    def __enter__(self) -> Deferral:
        try:
            for number in _NUMBERS:
                handler = _signal.getsignal(number)
                if callable(handler):  # and not a number: SIG_DFL, SIG_IGN
                    if handler is not _signal.default_int_handler and _restarts(number):
                        self._restarting.add(number)
                    self._handlers[number] = handler
                    self._set(number, self._take)
        except ValueError:  # not the main thread
            self._handlers.clear()
        except BaseException:
            self._give_back(list(self._handlers.items()))
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._give_back(list(self._handlers.items()))
        finally:
            self.check()

    def _give_back(self, handlers: list[tuple[int, Handler]]) -> None:
        """One that is given back may be called at once, and raise."""
        if handlers:
            number, handler = handlers.pop()
            try:
                self._set(number, handler)
            finally:
                self._give_back(handlers)

    def _set(self, number: int, handler: Handler) -> None:
        try:
            _signal.signal(number, handler)
        finally:
            if number in self._restarting:
                _signal.siginterrupt(number, False)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._waits or number in self._came:
            waits, self._waits = self._waits, False
            self._handlers[number](number, frame)
            self._waits = waits
        else:
            self._came.append(number)

    def check(self) -> None:
        """Call the handlers of the signals that came."""
        while self._came:
            number = self._came.pop(0)
            self._handlers[number](number, None)

    def readable(self, descriptor: int, deadline: float | None) -> bool:
        """Wait as the function `readable` does; signals are handled meanwhile."""
        self._waits = True
        try:
            self.check()
            return readable(descriptor, deadline)
        finally:
            self._waits = False


def _restarts(number: int) -> bool:
    from orlop.host.sigaction import restarts

    return restarts(number)


def ends(pid: int, deadline: float | None = None) -> Steps[bool]:
    """Wait for a child of ours to end, and tell whether it has by the deadline.  One that has not is killed, and one
    whose wait is interrupted."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True  # another part of this program has reaped it
    ended = False
    try:
        ended = yield (pidfd, deadline)
    finally:
        os.close(pidfd)
        if not ended:
            end(pid)
    return ended


def end(pid: int) -> None:
    """Kill a child of ours and take its status; one that cannot die, in a file system that does not answer, is left
    behind.  What is none of ours is left alone, whoever has told of it.  Blocks for two seconds at most."""
    if pid <= 0:  # which kill(2) takes for many
        return
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        os.kill(pid, _SIGKILL)
        pidfd = os.pidfd_open(pid)
        try:
            readable(pidfd, time.monotonic() + _PATIENCE)
        finally:
            os.close(pidfd)
        os.waitpid(pid, os.WNOHANG)
    except (ProcessLookupError, ChildProcessError):
        return  # another part of this program has reaped it


def reap(pid: int) -> int | None:
    """Wait for a child of ours to end: its status, or None where another part of this program has reaped it, as one
    does that ignores SIGCHLD or waits for any child.  Blocks until it has ended."""
    try:
        return os.waitpid(pid, 0)[1]
    except ChildProcessError:
        return None
