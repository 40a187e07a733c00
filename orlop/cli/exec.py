"""`exec`: run another process in a container."""

from __future__ import annotations

from orlop.cli.flags import Command
from orlop.cli.options import CONSOLE_SOCKET, DETACH, PID_FILE, PIDFD_SOCKET, PRESERVE_FDS, container_id, options
from orlop.errors import ConfigError, ExecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag

FLAGS: tuple[Flag, ...] = (
    CONSOLE_SOCKET,
    PIDFD_SOCKET,
    ("cwd", "", "text", "", "working directory in the container"),
    ("env", "e", "texts", None, "add NAME=VALUE to the environment; may be repeated"),
    ("tty", "t", "bool", False, "give the process a terminal"),
    ("user", "u", "text", "", "UID[:GID], as numbers"),
    ("additional-gids", "g", "ints", None, "add a supplementary group; may be repeated"),
    ("process", "p", "text", "", "file with a process object as in config.json, in place of the other options"),
    DETACH,
    PID_FILE,
    ("process-label", "", "text", "", "SELinux label of the process"),
    ("apparmor", "", "text", "", "AppArmor profile of the process"),
    ("no-new-privs", "", "bool", False, "let the process gain no privileges by execve"),
    ("cap", "c", "texts", None, "add a capability, such as CAP_NET_ADMIN; may be repeated"),
    PRESERVE_FDS,
    ("cgroup", "", "texts", None, "run in this cgroup below the container's: [CONTROLLER[,CONTROLLER]:]PATH"),
    ("ignore-paused", "", "bool", False, "accept a paused container; the process waits until it is resumed"),
    # Gone in runc 1.5, where exec never becomes a subreaper; older engines still pass it.
    ("no-subreaper", "", "bool", False, ""),
)


def run(args: Args) -> int:
    from orlop.runtime.exec import ExecRequest, exec_process

    identity = container_id(args)
    process_file = args.text("process")
    words = args.rest[1:]
    if not words and not process_file:
        raise ConfigError("exec args cannot be empty", hint="give a command behind the container id, or --process FILE")
    request = ExecRequest(
        args=words,
        process_file=process_file or None,
        cwd=args.text("cwd") or None,
        env=args.texts("env"),
        tty=args.flag("tty"),
        user=user(args.text("user")),
        additional_gids=additional_gids(args.numbers("additional-gids")),
        process_label=args.text("process-label") or None,
        apparmor=args.text("apparmor") or None,
        no_new_privs=args.flag("no-new-privs") if "no-new-privs" in args.given else None,
        caps=args.texts("cap"),
        cgroup=sub_cgroups(args.texts("cgroup")),
    )
    try:
        return exec_process(identity, request, options(args))
    except ExecError as error:
        if words and words[0][:1] == "-":
            error.hint = "options of exec stand before the container id; what follows it is the command"
        raise


def user(text: str) -> tuple[int, int | None] | None:
    """Return uid and gid (None where not given) of `UID[:GID]`; None for an empty text."""
    if not text:
        return None
    uid, colon, gid = text.partition(":")
    return _identity("uid", uid), _identity("gid", gid) if colon else None


def _identity(what: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 2**32 - 1):
        hint = "users and groups are given as numbers, since names would have to be looked up in the container"
        raise ConfigError(f'bad {what}: "{text}" is not a number from 0 to 4294967294', hint=hint)
    return int(text)


def additional_gids(numbers: list[int]) -> list[int]:
    for gid in numbers:
        if not 0 <= gid < 2**32 - 1:
            raise ConfigError(f"additional-gids must be a positive number {gid}")
    return numbers


def sub_cgroups(values: list[str]) -> dict[str, str]:
    """Return controller → path of the --cgroup values; the controller is empty for cgroup v2 and for all of v1."""
    paths: dict[str, str] = {}
    for value in values:
        controllers, colon, path = value.partition(":")
        if not colon:
            if len(values) != 1:
                raise ConfigError(f"invalid --cgroup argument: {value} (missing <controller>: prefix)")
            return {"": value}
        for controller in controllers.split(","):
            if not controller:
                raise ConfigError(f"invalid --cgroup argument: {value} (empty <controller> prefix)")
            if controller in paths:
                raise ConfigError(f"invalid --cgroup argument(s): controller {controller} specified multiple times")
            paths[controller] = path
    return paths


COMMAND = Command(
    run,
    FLAGS,
    (1, None),
    "[command options] <container-id> <command> [arguments...]  |  -p process.json <container-id>",
    """\
Starts the command in a container that is created or running, waits for it, and
ends with its status. Options stand before the container id; what follows the id
belongs to the command. What the options do not say is taken from the process of
the config.json that the container was made of. The status is 255 where the
command cannot be started.

For example, the processes that a container named web sees:

    # {program} exec web ps
""",
    flags_first=True,
)
