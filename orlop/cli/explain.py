"""`explain`: show every operation of the kernel that makes a container, without making it."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import BUNDLE, NO_NEW_KEYRING, NO_PIVOT, PRESERVE_FDS, check_host, user_bus
from orlop.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag

FORMAT: Flag = ("format", "f", "text", "text", "'text' or 'json'")

MONITOR: Flag = ("monitor", "", "bool", False, "show the program of the monitor (--monitor of create), too")

FLAGS = (BUNDLE, FORMAT, NO_PIVOT, NO_NEW_KEYRING, PRESERVE_FDS, MONITOR)
_ID = "container"


def run(args: Args) -> int:
    from orlop.cli.output import put
    from orlop.runtime.explain import document, operations, programs, text
    from orlop.runtime.options import Options

    form = args.text("format")
    if form not in ("text", "json"):
        raise ConfigError(f"invalid format option: {form}", hint="the formats are text and json")
    check_host()
    context = args.context
    # Not cli.options.options(), which may make the state root: this command makes nothing.
    given = Options(
        root=context.root,
        systemd_cgroup=context.systemd_cgroup,
        rootless=context.rootless,
        bundle=args.text("bundle") or None,
        no_pivot=args.flag("no-pivot"),
        no_new_keyring=args.flag("no-new-keyring"),
        preserve_fds=args.number("preserve-fds"),
        log=context.log,
        monitor=args.flag("monitor"),
        user_bus=user_bus(),
    )
    *monitor, found = programs(args.rest[0] if args.rest else _ID, given)
    if form == "text":
        put("\n".join(text(each) for each in (*monitor, found)))
    else:
        from orlop.spec.json import dump

        whole = document(found)
        if monitor:
            whole["monitor"] = operations(monitor[0])
        put(dump(whole, "  ") + "\n")
    return 0


COMMAND = Command(
    run,
    FLAGS,
    (0, 1),
    "[command options] [container-id]",
    """\
Prints what `{program} create` would have the kernel do for the bundle: every
operation in its order, below the field of config.json that asks for it, with
what follows when it fails. Nothing is done, and no privilege is needed.
""",
)
