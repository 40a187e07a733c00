"""`list`: show the containers below the state root."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import options
from orlop.cli.output import complain, put
from orlop.errors import ConfigError, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orlop.cli.flags import Args, Flag

FLAGS: tuple[Flag, ...] = (
    ("format", "f", "text", "table", "'table' or 'json'"),
    ("quiet", "q", "bool", False, "print only the ids"),
)

COLUMNS = ("id", "pid", "status", "bundle", "created", "owner")
_NARROWEST, _GAP = 12, 3  # what runc gives its tabwriter; scripts cut the columns


def run(args: Args) -> int:
    from orlop.runtime.listing import containers

    # A broken container is a line on standard error, and not in the log, which engines search for their own error.
    given = options(args, log=lambda _level, message: complain(printable(message)))
    form = args.text("format")
    if not args.flag("quiet") and form not in ("table", "json"):
        raise ConfigError("invalid format option", hint="the formats are table and json")
    try:
        found = containers(given)
    except FileNotFoundError as error:
        if args.context.root_given:
            from orlop.cli.refusal import refused

            raise refused(error, "--root", "open", args.context.root) from None
        found = []  # the first container makes the default root
    except OSError as error:
        from orlop.state.refusal import refused as refused_state

        raise refused_state(f"list the state directory {args.context.root}", error) from None
    if args.flag("quiet"):
        put("".join(f"{each['id']}\n" for each in found))
    elif form == "table":
        put(
            table(
                [
                    [column.upper() for column in COLUMNS],
                    *([printable(str(each[key])) for key in COLUMNS] for each in found),
                ]
            )
        )
    else:
        from orlop.spec.json import dump

        put(dump(found or None) + "\n")
    return 0


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows in columns; the last column is not padded."""
    widths = [max(_NARROWEST, _GAP + max(len(row[column]) for row in rows)) for column in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        lines.append("".join(cells) + row[-1] + "\n")
    return "".join(lines)


COMMAND = Command(
    run,
    FLAGS,
    (0, 0),
    "[command options]",
    """\
Lists the containers whose state is below the directory that the global option
--root names. For example:

    # {program} --root /run/mine list
""",
)
