"""`delete`: remove a container."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import container_id, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag

FLAGS: tuple[Flag, ...] = (
    ("force", "f", "bool", False, "kill the container first where it still runs; no error where there is none"),
)


def run(args: Args) -> int:
    from orlop.runtime.delete import delete

    delete(container_id(args), options(args), force=args.flag("force"))
    return 0


COMMAND = Command(
    run,
    FLAGS,
    (1, 1),
    "[command options] <container-id>",
    """\
Removes the cgroup and the state of a container that has stopped, or that was
created and never started, and runs its poststop hooks.
""",
)
