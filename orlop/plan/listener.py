"""SCMP_ACT_NOTIFY: the filter has a listener, a descriptor that an agent outside of the container is given.

become the process ─▶ limits, close on exec ─▶ load ─▶ write LISTENER ─▶ wait for start ─▶ hooks ─▶ execve
                                                             └▶ the supervisor takes it, the agent gets it

The agent must have the listener when `create` returns, so the filter is loaded before and judges everything after: the
message (write), the wait (read), and the hooks (clone).  So did runc, whose profiles must allow them, or let the agent.
That is why SCMP_ACT_NOTIFY is refused for write: nobody would be there yet to answer.
"""

from __future__ import annotations

from _struct import pack
from errno import EINVAL

from orlop.plan import events
from orlop.plan.command import hooked
from orlop.plan.limits import set_limits
from orlop.plan.seccomp import load_filter
from orlop.program import linux
from orlop.program.builder import Builder
from orlop.program.layout import EVENT_HEAD, EVENT_HEAD_SIZE, WHEN_ERROR, WHEN_ZERO
from orlop.program.ops import Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction
    from orlop.program.ops import Program, Register

_CONTROL = 3
_VALUE = 8  # of an event: where its value is


def load_and_wait(c: Construction, fifo: Register | None) -> None:
    """Load the filter, have the supervisor give its listener away, and wait as command.wait_for_start does."""
    b = c.b
    set_limits(c)
    b.purpose("process", "unable to close descriptors on exec")
    b.do("close_range", c.request.control, 0xFFFF_FFFF, linux.CLOSE_RANGE_CLOEXEC)
    listener = load_filter(c)
    assert listener is not None
    b.purpose("linux.seccomp", "unable to tell of the seccomp listener", _HINTS)
    event = b.variable(pack(EVENT_HEAD, events.LISTENER, 0, 0))
    b.store(event + _VALUE, 8, listener)
    b.do("write", c.request.control, event, EVENT_HEAD_SIZE)
    b.purpose("process", "container init was not started", _HINTS)
    gone, started, closed = Label(), Label(), Label()
    if fifo is None:
        b.do("read", c.request.control, b.space(8), 8, on={WHEN_ZERO: gone})
        b.jump(started)
        b.place(gone)
        b.do("exit_group", 1)
        b.place(started)
    else:
        b.do("close", c.request.control)
        b.do("read", fifo, b.space(8), 1)
        if not hooked(c):
            b.close(fifo)
    # With the agent gone, a process that holds its own listener would wait for an answer for ever.
    b.do("close", listener, on={WHEN_ERROR: closed})
    b.place(closed)
    b.free(listener)


_HINTS = {1: "linux.seccomp must allow the system calls write, read and close to a process that has a listener"}


def take_program(architecture: str, number: int) -> Program:
    """Takes a copy of a descriptor of another process, whose pidfd is right after the control socket."""
    b = Builder(architecture, _CONTROL)
    b.purpose("linux.seccomp", "unable to take the seccomp listener", _TAKE_HINTS)
    b.do("close_range", _CONTROL + 2, 0xFFFF_FFFF, 0)
    taken = b.get("pidfd_getfd", _CONTROL + 1, number, 0)
    b.event(events.LISTENER, number, fds=(taken,))
    b.do("exit_group", 0)
    return b.finish()


_TAKE_HINTS = {
    1: "an ordinary user may take it only where the process is root in namespaces of its own",
    EINVAL: "the kernel is older than 5.6",
}
