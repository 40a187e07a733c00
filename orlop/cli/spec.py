"""`spec`: write a config.json to begin with."""

from __future__ import annotations

import os

from orlop.cli.flags import Command, check_positionals
from orlop.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args, Flag

FLAGS: tuple[Flag, ...] = (
    ("bundle", "b", "text", "", "directory to write to (default is the current directory)"),
    ("rootless", "", "bool", False, "for a container that a user without privileges starts"),
    ("host", "", "bool", False, "with this host's own /usr, read-only, in place of a root file system"),
)


def run(args: Args) -> int:
    if not args.flag("host"):
        check_positionals(args.context.called, "spec", len(args.rest), (0, 0))
    from orlop.host.cgroups import layout
    from orlop.spec.json import dump
    from orlop.spec.template import default, host_root, rootless

    spec = default(cgroup2=layout().unified)
    if args.flag("rootless"):
        spec = rootless(spec, os.geteuid(), os.getegid())
    if args.flag("host"):
        spec = host_root(spec, real_path, args=args.rest or ["sh"], terminal=os.isatty(0))
    write_new(os.path.join(args.text("bundle"), "config.json"), dump(spec, "\t"))
    if args.flag("host"):
        _make_root(os.path.join(args.text("bundle"), spec["root"]["path"]))
    return 0


def real_path(path: str) -> str | None:
    """Return where a file of the host really is, or None where it is not there."""
    return os.path.realpath(path) if os.path.exists(path) else None  # noqa: TID251 - of the host


def _make_root(path: str) -> None:
    """Make the directory that the host's own directories are mounted into."""
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        pass
    except OSError as error:
        from orlop.cli.refusal import refused

        raise refused(error, "--bundle", "mkdir", path) from None


def write_new(path: str, text: str) -> None:
    """Write a file that does not exist yet.  Raises ConfigError where it does, with runc's text."""
    from orlop.cli.output import encoded, write
    from orlop.cli.refusal import refused

    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        if path == "config.json":  # perhaps it is the shell's, for `spec > config.json` as runc 0.0.3 wants it
            from orlop.cli.old import is_output, show_spec

            if is_output(path):
                show_spec()
                return
        raise ConfigError(f"File {os.path.basename(path)} exists. Remove it first") from None
    except OSError as error:
        raise refused(error, "--bundle", "open", path) from None
    try:
        write(fd, encoded(text))
    except OSError as error:
        os.unlink(path)
        raise refused(error, "--bundle", "write", path) from None
    finally:
        os.close(fd)


COMMAND = Command(
    run,
    FLAGS,
    (0, None),
    "[command options]  |  --host [command options] [--] [command] [arguments...]",
    """\
Writes a config.json that starts a shell in the root file system in rootfs, with
few privileges. It is meant to be edited: process.args is the command, and mounts,
linux.resources and the rest are described by the OCI runtime-spec.

With --rootless a user who is not root can start the container. With --host the
container is made of this host's own programs, so that nothing has to be unpacked;
the directory rootfs is made too, a command may follow, and the container gets a
terminal where this command has one. For example:

    $ mkdir try && cd try
    $ {program} spec --host -- ls -l /
    # {program} run try
""",
)
