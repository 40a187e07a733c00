"""`resume`: let a paused container go on."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import container_id, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args


def run(args: Args) -> int:
    from orlop.runtime.pause import resume

    resume(container_id(args), options(args))
    return 0


COMMAND = Command(
    run,
    (),
    (1, 1),
    "<container-id>",
    """\
Lets the processes of a container go on that `{program} pause` has stopped.
""",
)
