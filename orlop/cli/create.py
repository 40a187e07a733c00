"""`create`: make a container that waits for `start`."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import (
    BUNDLE,
    CONSOLE_SOCKET,
    MONITOR,
    NO_NEW_KEYRING,
    NO_PIVOT,
    PID_FILE,
    PIDFD_SOCKET,
    PRESERVE_FDS,
    TIMES,
    container_id,
    options,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args

FLAGS = (
    BUNDLE, CONSOLE_SOCKET, PIDFD_SOCKET, MONITOR, PID_FILE, NO_PIVOT, NO_NEW_KEYRING, TIMES, PRESERVE_FDS,
)  # fmt: skip


def run(args: Args) -> int:
    from orlop.runtime.create import create

    create(container_id(args), options(args))
    return 0


COMMAND = Command(
    run,
    FLAGS,
    (1, 1),
    "[command options] <container-id>",
    """\
Makes everything that the bundle's config.json asks for, up to the point
where the process would be started, and returns. `{program} start` starts it.
With --monitor, the parent of the container's process is a small native process
that waits for its end and records it, and `{program} state` tells it. An engine
waits for the process itself, and does not want that.
""",
)
