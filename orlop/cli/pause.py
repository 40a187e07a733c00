"""`pause`: stop the processes of a container where they are."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import container_id, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args


def run(args: Args) -> int:
    from orlop.runtime.pause import pause

    pause(container_id(args), options(args))
    return 0


COMMAND = Command(
    run,
    (),
    (1, 1),
    "<container-id>",
    """\
Stops all processes of a container until `{program} resume`.
""",
)
