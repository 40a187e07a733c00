"""`events`: show what a container uses, and when it runs out of memory."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import container_id, options
from orlop.cli.output import put
from orlop.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag

_SECOND = 1_000_000_000

FLAGS: tuple[Flag, ...] = (
    ("interval", "", "duration", 5 * _SECOND, "time between two lines of statistics"),
    ("stats", "", "bool", False, "print the statistics once, and return"),
)


def run(args: Args) -> int:
    from orlop.runtime.container import Found
    from orlop.runtime.events import check_running, sample, stream
    from orlop.spec.json import dump

    found = Found(container_id(args), options(args))
    interval = args.number("interval")
    if interval <= 0:
        raise ConfigError("duration interval must be greater than 0", hint="give it with a unit: 5s, 100ms")
    check_running(found)
    if args.flag("stats"):
        put(dump(sample(found)) + "\n")
        return 0
    for event in stream(found, interval / _SECOND, log=args.context.log):
        put(dump(event) + "\n")
    return 0


COMMAND = Command(
    run,
    FLAGS,
    (1, 1),
    "[command options] <container-id>",
    """\
Prints a line of JSON with what the container uses once every interval, and one
each time that the kernel kills a process of it for want of memory. Returns when
the container ends. With --stats, prints one line of statistics and returns. For
example:

    # {program} events --interval 1s web
""",
)
