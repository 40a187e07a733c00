"""The help, in the layout of runc's: scripts and its tests look at the first two lines, people at the rest."""

from __future__ import annotations

from orlop.cli.context import FLAGS as GLOBAL_FLAGS
from orlop.cli.flags import HELP, Command
from orlop.cli.output import put
from orlop.cli.table import ALIASES, COMMANDS, canonical, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from orlop.cli.flags import Args, Flag

_ABOUT = """\
{program} runs containers that are described by an OCI bundle: a directory with a
config.json and a root file system. It follows runc's command line, so container
engines can use it in runc's place.

To begin, in a directory that holds a root file system in rootfs:

    # {program} spec
    # {program} run <container-id>

The container id is a name of your choice, unique among the containers below the
state root.
"""


def run(args: Args) -> int:
    """Show the help of a command, or of the program."""
    program = args.context.program
    if not args.rest:
        return show_program(program)
    name = canonical(args.rest[0])
    return show_command(program, name, load(name))


def show_program(program: str) -> int:
    put(program_help(program))
    return 0


def show_command(program: str, name: str, command: Command) -> int:
    put(command_help(program, name, command))
    return 0


def program_help(program: str) -> str:
    from orlop.cli.version import facts

    shorts = {name: short for short, name in ALIASES.items()}
    commands = [(f"{name}, {shorts[name]}" if name in shorts else name, about) for name, about in COMMANDS.items()]
    return "\n".join((
        f"NAME:\n   {program} - Open Container Initiative runtime\n",
        _ABOUT.format(program=program),
        f"USAGE:\n   {program} [global options] command [command options] [arguments...]\n",
        "VERSION:\n" + "".join(f"   {line}\n" for line in facts()),
        "COMMANDS:\n" + _columns(commands),
        "GLOBAL OPTIONS:\n" + _flags((*GLOBAL_FLAGS, HELP)),
    ))  # fmt: skip


def command_help(program: str, name: str, command: Command) -> str:
    usage = f" {command.usage}" if command.usage else ""
    parts = [f"NAME:\n   {program} {name} - {COMMANDS[name]}\n", f"USAGE:\n   {program} {name}{usage}\n"]
    if command.detail:
        lines = command.detail.format(program=program).splitlines()
        parts.append("DESCRIPTION:\n" + "".join(f"   {line}".rstrip() + "\n" for line in lines))
    flags = _flags(command.flags)
    if flags:
        parts.append("OPTIONS:\n" + flags)
    return "\n".join(parts)


def _flags(flags: Iterable[Flag]) -> str:
    return _columns([(_forms(flag), flag[4] + _default(flag)) for flag in flags if flag[4]])


def _forms(flag: Flag) -> str:
    value = "" if flag[2] == "bool" else " value"
    return f"--{flag[0]}{value}, -{flag[1]}{value}" if flag[1] else f"--{flag[0]}{value}"


def _default(flag: Flag) -> str:
    default = flag[3]
    if isinstance(default, bool) or default in (None, ""):
        return ""
    if flag[2] == "duration" and isinstance(default, int):
        return f" (default: {default / 1e9:g}s)"
    return f' (default: "{default}")' if isinstance(default, str) else f" (default: {default})"


def _columns(rows: list[tuple[str, str]]) -> str:
    width = max((len(left) for left, _ in rows), default=0) + 2
    return "".join(f"   {left:<{width}}{right}\n" for left, right in rows)


COMMAND = Command(
    run,
    (),
    (0, 1),
    "[command]",
    """\
Lists the commands and the global options, or shows the help of one command.
""",
)
