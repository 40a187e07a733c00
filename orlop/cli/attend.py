"""`attend`: what the launcher's programs leave to the interpreter.  Nobody calls it but they (plan/supervisor.py)."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args


def run(args: Args) -> int:
    from orlop.runtime.attend import attend

    container_id, pid, status = args.rest
    return attend(container_id, int(pid), int(status) if status else None, options(args))


COMMAND = Command(
    run,
    (),
    (3, 3),
    "<container-id> <pid> <status>",
    """\
Waits for the process of a container, unless its status is given, and removes the
container. It must be called by the process's parent.
""",
)
