"""`state`: show what a container is doing."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import container_id, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args


def run(args: Args) -> int:
    from orlop.cli.output import put
    from orlop.runtime.state import state
    from orlop.spec.json import dump

    put(dump(state(container_id(args), options(args)), "  "))  # no newline at the end: engines compare it
    return 0


COMMAND = Command(
    run,
    (),
    (1, 1),
    "<container-id>",
    """\
Prints the state that the runtime-spec defines, and when and by whom the
container was made.
""",
)
