"""Lifecycle steps are generators that yield what they wait for; this drives one to its end by polling.

A step yields `(descriptor, deadline)`: it goes on with True when the descriptor is readable, with False when the
deadline (in seconds of `time.monotonic`; None for never) is past.  An event loop can drive the same steps.
"""

from __future__ import annotations

import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeAlias, TypeVar

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
