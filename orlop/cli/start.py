"""`start`: let the process of a created container go."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import call, container_id, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args


def run(args: Args) -> int:
    from orlop.runtime.start import start

    called = call(args)
    start(container_id(args), options(args), call=called)
    return 0


COMMAND = Command(
    run,
    (),
    (1, 1),
    "<container-id>",
    """\
Starts the process that process.args of config.json names, in a container that
`{program} create` has made.
""",
)
