"""`delete`: remove a container."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import call, container_id, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag
    from orlop.runtime.account import Account

STDOUT = "-"
FLAGS: tuple[Flag, ...] = (
    ("account", "", "text", "", "write how it ended and what it used to this file, as JSON; - is standard output"),
    ("force", "f", "bool", False, "kill the container first where it still runs; no error where there is none"),
)


def run(args: Args) -> int:
    from orlop.runtime.delete import delete

    called = call(args)
    settings = options(args)
    if not args.text("account"):
        delete(container_id(args), settings, force=args.flag("force"), call=called)
        return 0
    if args.text("account") == STDOUT:
        delete(container_id(args), settings, force=args.flag("force"), tell=_put)
        return 0
    from orlop.runtime.account import Destination

    destination = Destination(settings.account or "")
    try:
        delete(container_id(args), settings, force=args.flag("force"), tell=destination.write)
    finally:
        destination.abandon()
    return 0


def _put(account: Account) -> None:
    from orlop.cli.output import put
    from orlop.spec.json import dump

    put(dump(account.as_document(), "  ") + "\n")


COMMAND = Command(
    run,
    FLAGS,
    (1, 1),
    "[command options] <container-id>",
    """\
Removes the cgroup and the state of a container that has stopped, or that was
created and never started, and runs its poststop hooks. --account keeps what
the command state tells of one that has ended; the exit code is known if nobody
has reaped the process yet, or if its monitor has (--monitor of create and run).
""",
)
