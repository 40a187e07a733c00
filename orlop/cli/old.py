"""The command line of runc 0.0.3, which had no command to run a container: `runc [--id ID] [config.json]`.

It is looked at only when today's command line has not understood a call, or when there is nothing on it, so today's
pays nothing for it.  A call is an old one when

    --id or --criu stands before the command, which no later runc has there; or
    there is no word, and ./config.json is a pre-draft; or
    the first word is no command but a file that is a pre-draft, or a directory with one, or named as a file and none;
    or
    it is `events`, `checkpoint` or `restore` without a container id, where ./config.json is a pre-draft; or
    it is `spec` and the shell sends its output to ./config.json (cli/spec.py).

So a misspelt command is never taken for a config.  The state root is orlop's own, where its other commands look.
"""

from __future__ import annotations

import os

from orlop.cli.context import FLAGS as GLOBAL_FLAGS
from orlop.cli.flags import Args, UsageError, parse
from orlop.errors import ConfigError, OrlopError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.context import Context
    from orlop.cli.flags import Flag

_CONFIG = "config.json"
_FLAGS: tuple[Flag, ...] = (
    *GLOBAL_FLAGS,
    ("id", "", "text", "", "container id (default is the name of the current directory)"),
    ("criu", "", "text", "criu", "the criu program"),
)
_CRIU: tuple[Flag, ...] = (
    ("image-path", "", "text", "", ""),
    ("work-path", "", "text", "", ""),
    ("tcp-established", "", "bool", False, ""),
    ("ext-unix-sk", "", "bool", False, ""),
    ("shell-job", "", "bool", False, ""),
    ("file-locks", "", "bool", False, ""),
)
_COMMANDS: dict[str, tuple[Flag, ...]] = {
    "checkpoint": (*_CRIU, ("leave-running", "", "bool", False, ""), ("page-server", "", "text", "", "")),
    "events": (("interval", "", "duration", 5_000_000_000, ""), ("stats", "", "bool", False, "")),
    "restore": _CRIU,
    "spec": (),
}


# What today's errors say, to the value that they name and behind it, and what was said of it then.
_WORDS = (
    ("container with given ID already exists: ", "", "Container with id exists: {}"),
    ("invalid rootfs: ", ": no such file or directory", 'Rootfs ("{}") does not exist'),
    ("JSON specification file ", "", "JSON specification file for {}"),
)


def old_call(context: Context, argv: list[str]) -> int | None:
    """Do what an old call asks for, and return its exit status; None for what is no old call."""
    try:
        args = parse(context, _FLAGS, argv[1:], flags_first=True)
        word = args.rest[0] if args.rest else ""
        flags = parse(context, _COMMANDS[word], args.rest[1:]) if word in _COMMANDS else None
    except UsageError:
        return None
    if not _is_old(args, word, flags):
        return None
    if args.flag("help"):
        from orlop.cli.help import show_program

        return show_program(context.program)
    if args.flag("version"):
        from orlop.cli.version import show

        return show(context.program)
    try:
        context.configure(args)
        container = args.text("id") or os.path.basename(os.getcwd())
        if not container:
            raise ConfigError("container id cannot be empty", hint="name the container with --id before the config")
        if flags is None:
            return _run(args, container, word)
        return _command(args, container, word, flags)
    except OrlopError as error:
        return _told(context, "" if word in _COMMANDS else "Container start failed: ", error)


def _is_old(args: Args, word: str, flags: Args | None) -> bool:
    from orlop.cli.table import ALIASES, COMMANDS

    named = bool({"id", "criu"} & args.given)
    if args.flag("help") or args.flag("version"):
        return named
    if flags is not None:
        return named or (not flags.rest and word != "spec" and _is_predraft(_CONFIG))
    if word in COMMANDS or word in ALIASES:
        return False
    missing = (word.endswith(".json") or "/" in word) and not os.path.exists(word)
    return named or missing or _is_predraft(_file(word))


def _file(word: str) -> str:
    """The config that the only word of a call names."""
    return os.path.join(word, _CONFIG) if os.path.isdir(word) else word or _CONFIG


def _is_predraft(path: str) -> bool:
    from orlop.spec.json import parse as parse_json

    try:
        with open(path, "rb") as file:
            data = file.read()
        document = parse_json(data, path) if b"pre-draft" in data else None
    except (OSError, ConfigError):
        return False
    return isinstance(document, dict) and document.get("version") == "pre-draft"


def _run(args: Args, container: str, word: str) -> int:
    """Run a container in the foreground.  Relative paths of its config count from here, unless a directory is named."""
    from orlop.cli.options import options
    from orlop.runtime.run import run

    file = os.path.abspath(_file(word))
    bundle = word if os.path.isdir(word) else ""
    given = options(Args(args.context, {"bundle": bundle}, set(), []))
    given.config = file
    return run(container, given)


def _command(args: Args, container: str, word: str, flags: Args) -> int:
    if word == "spec":
        return show_spec()
    if word == "events":
        return _events(args, container, flags)
    from orlop.cli.checkpoint import refuse

    raise refuse(word)


def _events(args: Args, container: str, flags: Args) -> int:
    """Lines of the old shape; an interval of zero or less gives those of the OOM killer only."""
    from orlop.cli.options import options
    from orlop.cli.output import put
    from orlop.runtime.container import Found
    from orlop.runtime.events import sample, stream
    from orlop.spec.json import dump

    found = Found(container, options(args))
    if flags.flag("stats"):
        put(dump(sample(found, old=True)) + "\n")
        return 0
    for event in stream(found, flags.number("interval") / 1_000_000_000, old=True, log=args.context.log):
        put(dump(event) + "\n")
    return 0


def show_spec() -> int:
    """Print the sample config, as `spec` did."""
    from orlop.cli.output import put
    from orlop.spec.json import dump
    from orlop.spec.predraft_template import predraft

    put(dump(predraft("arm64" if os.uname().machine == "aarch64" else "amd64"), "\t"))
    return 0


def is_output(path: str) -> bool:
    """Is standard output this file, and is it still empty?"""
    try:
        output, file = os.fstat(1), os.stat(path)
    except OSError:
        return False
    return os.path.samestat(output, file) and file.st_size == 0


def _told(context: Context, prefix: str, error: OrlopError) -> int:
    from orlop.cli.failure import details
    from orlop.cli.output import PipeClosed, complain

    if isinstance(error, PipeClosed):
        raise error
    message = prefix + then(str(error))
    context.log("error", message, **details(error))
    if context.log_fd != 2:
        complain(message)
    return 1


def then(message: str) -> str:
    """Return a message in the words of runc 0.0.3, where scripts may look for them."""
    for before, behind, words in _WORDS:
        _, found, rest = message.partition(before)
        if found and rest.endswith(behind):
            return words.format(rest.removesuffix(behind))
    return message
