"""`run`: create a container, start it, and unless detached wait for it and remove it."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import (
    BUNDLE,
    CONSOLE_SOCKET,
    DETACH,
    MONITOR,
    NO_NEW_KEYRING,
    NO_PIVOT,
    PID_FILE,
    PIDFD_SOCKET,
    PRESERVE_FDS,
    TIMES,
    call,
    container_id,
    options,
)
from orlop.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag

ACCOUNT: Flag = ("account", "", "text", "", "write how it ended and what it used to this file, as JSON")
KEEP: Flag = ("keep", "", "bool", False, "keep the state and the cgroup when the process has ended")
NO_SUBREAPER: Flag = ("no-subreaper", "", "bool", False, "do not reap the orphans of the container")

FLAGS = (
    ACCOUNT, BUNDLE, CONSOLE_SOCKET, PIDFD_SOCKET, DETACH, KEEP, MONITOR, PID_FILE, NO_SUBREAPER, NO_PIVOT,
    NO_NEW_KEYRING, TIMES, PRESERVE_FDS,
)  # fmt: skip


def run(args: Args) -> int:
    from orlop.runtime.run import run

    if args.text("account") and args.flag("detach"):
        hint = "leave out --detach; or use --monitor, and delete --account when it has ended"
        raise ConfigError("--account needs a container in the foreground", hint=hint)
    if args.flag("monitor") and not args.flag("detach"):
        hint = "leave out --monitor: --account and --keep tell how a container in the foreground has ended"
        raise ConfigError("--monitor needs a detached container", hint=hint)
    called = call(args)
    return run(container_id(args), options(args), call=called)  # options() enters the bundle


COMMAND = Command(
    run,
    FLAGS,
    (1, 1),
    "[command options] <container-id>",
    """\
Creates a container of the bundle and starts its process, which is the one that
process.args of config.json names. Signals are passed on to it, and the exit
status is its own, or 128 and the number of the signal that ended it. Then the
container is deleted. --account keeps how it ended, whether for want of memory,
and what it used. With --detach, returns once the process is started; then
--monitor leaves a small native process as the parent of the container's, which
waits for its end and records it, and `{program} state` tells it. An engine waits
for the process itself, and does not want that.
""",
)
