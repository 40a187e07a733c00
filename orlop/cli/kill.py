"""`kill`: send a signal to a container."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import container_id, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag

# Without much effect since runc 1.2, so hidden; but containerd passes it and expects success for a stopped container.
FLAGS: tuple[Flag, ...] = (("all", "a", "bool", False, ""),)


def run(args: Args) -> int:
    from orlop.runtime.kill import kill
    from orlop.runtime.signals import number

    signal = number(args.rest[1]) if len(args.rest) > 1 and args.rest[1] else None  # empty: a variable that is not set
    kill(container_id(args), signal, options(args), all=args.flag("all"))
    return 0


COMMAND = Command(
    run,
    FLAGS,
    (1, 2),
    "<container-id> [signal]",
    """\
Sends the signal to the container's first process. The signal is a name, with or
without SIG and in any case, or a number; without one it is that of the annotation
org.opencontainers.image.stopSignal, or TERM. For example:

    # {program} kill web KILL
""",
)
