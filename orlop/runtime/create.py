"""create: a container that waits for `start`."""

from __future__ import annotations

from orlop.runtime.creation import Creation
from orlop.runtime.handover import check_console, hand_over
from orlop.runtime.waiting import Deferral, drive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.launch import Launch
    from orlop.runtime.options import Options
    from orlop.runtime.waiting import Steps
    from orlop.state.store import Record


def create(container_id: str, options: Options) -> Record:
    """Create a container that waits for `start`; what is recorded of it.  Raises OrlopError; then nothing is left
    behind."""
    creation = Creation(container_id, options, fifo=True)
    check_console(options, terminal=creation.terminal, detached=True)
    with Deferral() as deferral:
        drive(_create(creation, options, deferral), deferral.readable).release()
    creation.planning.remember()
    return creation.record


def _create(creation: Creation, options: Options, deferral: Deferral) -> Steps[Launch]:
    launch = yield from creation.prepare()
    try:
        hand_over(launch, options, b"standard", console=creation.console)
        creation.tell_times()
        deferral.check()
    except BaseException:
        yield from creation.undo()
        raise
    return launch
