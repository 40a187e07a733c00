"""The command line: global flags, then one command of the table."""

from __future__ import annotations

import _signal
import sys

from orlop import system as os
from orlop.cli.context import FLAGS, Context
from orlop.cli.flags import UsageError, check_positionals, parse
from orlop.cli.table import UnknownCommand, canonical, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Command

_SIGCHLD = 17
_SIG_DFL, _SIG_IGN = 0, 1


def main(argv: list[str]) -> int:
    """Run the command line `argv` (program first) and return the exit status.  Blocks as the command does.

    Never raises: what goes wrong is told on standard error and in the log, and becomes a status (cli/failure.py).
    """
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        from orlop.cli.output import open_missing_streams

        open_missing_streams()
    if _signal.getsignal(_SIGCHLD) == _SIG_IGN:  # inherited; nobody could learn then how a container has ended
        _signal.signal(_SIGCHLD, _SIG_DFL)
    context = Context(program_name(argv), *argv[:1])
    name = ""
    command: Command | None = None
    try:
        args = parse(context, FLAGS, argv[1:], flags_first=True)
        if args.flag("version") and not args.flag("help"):
            from orlop.cli.version import show

            return show(context.program)
        if not args.rest and not args.flag("help") and os.path.exists("config.json"):
            from orlop.cli.old import old_call

            status = old_call(context, argv)
            if status is not None:
                return status
        if args.flag("help") or not args.rest:
            from orlop.cli.help import show_program

            return show_program(context.program)
        context.configure(args)
        name = canonical(args.rest[0])
        command = load(name)
        args = parse(context, command.flags, args.rest[1:], flags_first=command.flags_first)
        if args.flag("help"):
            from orlop.cli.help import show_command

            return show_command(context.program, name, command)
        check_positionals(context.called, name, len(args.rest), command.positionals)
        return command.run(args)
    except (UsageError, UnknownCommand) as error:
        from orlop.cli.failure import told
        from orlop.cli.old import old_call

        status = old_call(context, argv)
        return told(error, context, name, command) if status is None else status
    except BaseException as error:
        from orlop.cli.failure import told

        return told(error, context, name, command)


def program_name(argv: list[str]) -> str:
    """Return the name we were called by: `orlop`, or `runc` through a link; `python -m orlop` gives a path instead."""
    name = os.path.basename(argv[0]) if argv else ""
    return name if name and not name.endswith(".py") and name[0] != "-" else "orlop"
